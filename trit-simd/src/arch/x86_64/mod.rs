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

/// Declares the products of [`DotKernels`](crate::arch::DotKernels) by two functions of the file: `dot`
/// for ternary and 4-bit weights, which serves both layouts, as T4 has 4 planes a byte and I4 has 2, and
/// `dot_i8`. Each is made for two distances of prefetching.
macro_rules! dot_kernels {
    ($packed:literal, $int8:literal) => {
        dot_kernels!($packed, dot_t4, dots_t4, near_t4, 4);
        dot_kernels!($packed, dot_i4, dots_i4, near_i4, 2);

        #[target_feature(enable = $int8)]
        #[inline]
        unsafe fn dot_i8<const R: usize, const M: usize>(
            self,
            k: usize,
            w: [*const i8; R],
            q: [*const i8; M],
        ) -> [[i32; R]; M] {
            // SAFETY: as the caller's.
            unsafe { dot_i8::<{ lanes::AHEAD }, R, M>(k, w, q) }
        }

        #[target_feature(enable = $int8)]
        #[inline]
        unsafe fn near_i8<const R: usize, const M: usize>(
            self,
            k: usize,
            w: [*const i8; R],
            q: [*const i8; M],
        ) -> [[i32; R]; M] {
            // SAFETY: as the caller's.
            unsafe { dot_i8::<{ lanes::NEAR }, R, M>(k, w, q) }
        }
    };
    ($features:literal, $one:ident, $several:ident, $near:ident, $planes:literal) => {
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn $one<const M: usize>(
            self,
            tiles: *const u8,
            count: usize,
            q: [*const i8; M],
        ) -> [[i32; TILE_ROWS]; M] {
            // SAFETY: as the caller's.
            let [out] = unsafe { dot::<{ lanes::AHEAD }, $planes, 1, M>([tiles], count, q) };
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
            unsafe { dot::<{ lanes::AHEAD }, $planes, R, M>(tiles, count, q) }
        }

        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn $near<const R: usize, const M: usize>(
            self,
            tiles: [*const u8; R],
            count: usize,
            q: [*const i8; M],
        ) -> [[[i32; TILE_ROWS]; M]; R] {
            // SAFETY: as the caller's.
            unsafe { dot::<{ lanes::NEAR }, $planes, R, M>(tiles, count, q) }
        }
    };
}

use dot_kernels;
pub(crate) use lanes::prefetch_output;
