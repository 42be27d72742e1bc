//! WebAssembly with fixed-width SIMD: 16-byte vectors, which an engine maps to SSE or NEON.
//!
//! | instruction | what for | x86-64 | aarch64 |
//! |---|---|---|---|
//! | `i16x8.mul`, `i16x8.add` | codes × activations, summed | `pmullw`, `paddw` | `mul`, `add` |
//! | `i32x4.extadd_pairwise_i16x8_s` | i16 pairs to i32 | `pmaddwd` with ones | `saddlp` |
//! | `i32x4.dot_i16x8_s` | int8 × int8, widened | `pmaddwd` | `smull`, `smull2`, `addp` |
//! | `v128.load32_splat` | four activations to every row | `movd`, `pshufd` | `ld1r` |
//! | `i16x8.shr_u`, `v128.and` | unpacking | `psrlw`, `pand` | `ushr`, `and` |
//!
//! Latencies are the machine's; the table counts instructions. `i16x8.extmul_*_i8x16_s` would need
//! no widening of operands, but takes three instructions on x86-64 and repeats them for each token.
//!
//! A quarter of a tile is one vector: 4 rows of 4 bytes, a byte of one code for each plane. Taken
//! as 16-bit lanes, two for each row, the low and the high byte are unpacked apart and each comes
//! out widened. So do the activations:
//!
//! ```text
//! 16-bit lane        row r, j = 1 0          row r, j = 3 2
//! T4                 p3p2p1p0 p3p2p1p0       p3p2p1p0 p3p2p1p0
//! >> 2p, & 3                        c₀                      c₂
//! >> 8 + 2p, & 3                    c₁                      c₃
//! splat q[4p..4p+4]        q₁       q₀            q₃        q₂
//! << 8, >> 8 signed                 q₀                      q₂      multiplies c₀, c₂
//! >> 8 signed                       q₁                      q₃      multiplies c₁, c₃
//! ```
//!
//! An I4 tile has two planes of 4 bits in place of four of 2; the rest is the same. The two lanes
//! of a row meet when widening.

use core::arch::wasm32::*;

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{Layout, TILE_ROWS};

use crate::arch::DotKernels;
use crate::cpu::Simd128;

/// Rows in a quarter of a tile.
const QUARTER: usize = TILE_ROWS / 4;

/// Tiles between widenings: the most whose sum fits an i16 lane, which takes two products a plane
/// and tile. T4: 2·4·3·128 = 3072, so 10 tiles reach 30,720. I4: 2·2·15·128 = 7680, so 4 tiles do.
const fn tiles_i16(planes: usize) -> usize {
    let most_code = (1 << (8 / planes)) - 1;
    i16::MAX as usize / (2 * planes * most_code * 128)
}
const _: () = assert!(tiles_i16(4) == 10 && tiles_i16(2) == 4);

// A pair of products is at most 2·128·128 = 2¹⁵, a lane sums two of them for 16 inputs: 2²⁸.
const _: () = assert!((2 << 15) * (trit_core::MAX_INT8_K as u64 / 16) < 1 << 31);

impl DotKernels for Simd128 {
    #[inline(always)]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's; a T4 tile has 4 planes.
        unsafe { dot::<{ Layout::T4.planes() }, M>(tiles, count, q) }
    }

    #[inline(always)]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's; an I4 tile has 2 planes.
        unsafe { dot::<2, M>(tiles, count, q) }
    }

    #[inline(always)]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        let mut sums = [[i32x4_splat(0); R]; M];
        for at in (0..k).step_by(16) {
            // SAFETY: at + 16 ≤ k.
            let load = |p: *const i8| unsafe { v128_load(p.add(at).cast()) };
            let widen = |v| [i16x8_extend_low_i8x16(v), i16x8_extend_high_i8x16(v)];
            let w = w.map(|w| widen(load(w)));
            for m in 0..M {
                let [lower, upper] = widen(load(q[m]));
                for r in 0..R {
                    let pairs =
                        i32x4_add(i32x4_dot_i16x8(w[r][0], lower), i32x4_dot_i16x8(w[r][1], upper));
                    sums[m][r] = i32x4_add(sums[m][r], pairs);
                }
            }
        }
        sums.map(|sums| sums.map(horizontal))
    }
}

/// `Σ c·q` of the 16 rows of tiles with P planes, 4 or 2, and of M tokens.
///
/// Quarters side by side share widened activations, and tokens unpacked codes; there are registers
/// for 8 sums.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values.
#[inline(always)]
unsafe fn dot<const P: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    // SAFETY: as the caller's; quarters 0 to 3 are a whole tile.
    unsafe {
        if M == 1 {
            quarters::<P, 4, M>(tiles, count, q, 0, &mut out);
        } else {
            quarters::<P, 2, M>(tiles, count, q, 0, &mut out);
            quarters::<P, 2, M>(tiles, count, q, 2, &mut out);
        }
    }
    out
}

/// The part of [`dot`] that lies in Q quarters of the row tile, from quarter `first` on.
///
/// # Safety
/// As [`dot`]; `first + Q ≤ 4`.
#[inline(always)]
unsafe fn quarters<const P: usize, const Q: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    first: usize,
    out: &mut [[i32; TILE_ROWS]; M],
) {
    let mut wide = [[i32x4_splat(0); Q]; M];
    let mut start = 0;
    while start < count {
        let end = count.min(start + const { tiles_i16(P) });
        let mut sums = [[i16x8_splat(0); Q]; M];
        for tile in start..end {
            let mut bytes = [i16x8_splat(0); Q];
            for (quarter, bytes) in bytes.iter_mut().enumerate() {
                let at = tile * TILE_BYTES + (first + quarter) * QUARTER * PLANE;
                // SAFETY: tile < count, so the 16 bytes of this quarter lie within the tiles.
                *bytes = unsafe { v128_load(tiles.add(at).cast()) };
            }
            // SAFETY: tile < count, so the values of P planes at 4·P·tile are readable. A shift has
            // to be a constant to be one instruction, so the planes are written out.
            unsafe {
                let q = q.map(|q| q.add(tile * P * PLANE));
                if P == 4 {
                    plane::<0, 2, Q, M>(&bytes, q, &mut sums);
                    plane::<1, 2, Q, M>(&bytes, q, &mut sums);
                    plane::<2, 2, Q, M>(&bytes, q, &mut sums);
                    plane::<3, 2, Q, M>(&bytes, q, &mut sums);
                } else {
                    plane::<0, 4, Q, M>(&bytes, q, &mut sums);
                    plane::<1, 4, Q, M>(&bytes, q, &mut sums);
                }
            }
        }
        for m in 0..M {
            for quarter in 0..Q {
                let rows = i32x4_extadd_pairwise_i16x8(sums[m][quarter]);
                wide[m][quarter] = i32x4_add(wide[m][quarter], rows);
            }
        }
        start = end;
    }
    for m in 0..M {
        for quarter in 0..Q {
            let at = (first + quarter) * QUARTER;
            // SAFETY: `out[m]` has 16 values; the quarter's 4 start at 4·(first + quarter).
            unsafe { v128_store(out[m].as_mut_ptr().add(at).cast(), wide[m][quarter]) };
        }
    }
}

/// Adds the products of plane INDEX of one tile, codes of BITS bits.
///
/// # Safety
/// Each `q` points to the values of the tile, of planes up to INDEX at least.
#[inline(always)]
unsafe fn plane<const INDEX: u32, const BITS: u32, const Q: usize, const M: usize>(
    bytes: &[v128; Q],
    q: [*const i8; M],
    sums: &mut [[v128; Q]; M],
) {
    let mask = u16x8_splat((1 << BITS) - 1);
    let mut codes = [[mask; 2]; Q];
    for (codes, &bytes) in codes.iter_mut().zip(bytes) {
        *codes = [
            v128_and(u16x8_shr(bytes, INDEX * BITS), mask),
            v128_and(u16x8_shr(bytes, 8 + INDEX * BITS), mask),
        ];
    }
    for m in 0..M {
        // SAFETY: the caller says that these 4 values are readable.
        let four = unsafe { v128_load32_splat(q[m].add(INDEX as usize * PLANE).cast()) };
        let [even, odd] = [i16x8_shr(i16x8_shl(four, 8), 8), i16x8_shr(four, 8)];
        for quarter in 0..Q {
            let products = i16x8_mul(codes[quarter][0], even);
            sums[m][quarter] = i16x8_add(sums[m][quarter], products);
            let products = i16x8_mul(codes[quarter][1], odd);
            sums[m][quarter] = i16x8_add(sums[m][quarter], products);
        }
    }
}

#[inline(always)]
fn horizontal(v: v128) -> i32 {
    let v = i32x4_add(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
    let v = i32x4_add(v, i32x4_shuffle::<1, 0, 3, 2>(v, v));
    i32x4_extract_lane::<0>(v)
}
