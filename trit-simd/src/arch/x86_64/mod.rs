//! x86-64.

mod avx2;
mod avx512_vbmi;
mod avx512_vnni;
mod avx_vnni;
mod codes;
mod lanes;
#[cfg(feature = "probe")]
mod probe;
mod weights;

/// Declares the products of ternary and 4-bit weights of
/// [`DotKernels`](crate::arch::DotKernels) by the function `dot` of the file, which serves both
/// layouts: T4 has 4 planes a byte, I4 has 2.
macro_rules! packed_dots {
    ($features:literal) => {
        packed_dots!($features, dot_t4, dots_t4, 4);
        packed_dots!($features, dot_i4, dots_i4, 2);
    };
    ($features:literal, $one:ident, $several:ident, $planes:literal) => {
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn $one<const M: usize>(
            self,
            tiles: *const u8,
            count: usize,
            q: [*const i8; M],
        ) -> [[i32; TILE_ROWS]; M] {
            // SAFETY: as the caller's.
            let [out] = unsafe { dot::<$planes, 1, M>([tiles], count, q) };
            out
        }

        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn $several<const R: usize, const M: usize>(
            self,
            tiles: [*const u8; R],
            count: usize,
            q: [*const i8; M],
        ) -> [[[i32; TILE_ROWS]; M]; R] {
            // SAFETY: as the caller's.
            unsafe { dot::<$planes, R, M>(tiles, count, q) }
        }
    };
}

pub(crate) use lanes::prefetch_output;
use packed_dots;
