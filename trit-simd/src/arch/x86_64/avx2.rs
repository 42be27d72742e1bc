//! AVX2: 32-byte vectors, 16 registers.
//!
//! | instruction | what for | latency, ports (Haswell and later) |
//! |---|---|---|
//! | `vpmaddubsw` | u8 codes × i8 activations, pairs summed to i16 | 5, p01 |
//! | `vpmaddwd` | i16 pairs to i32 | 5, p01 |
//! | `vpbroadcastd` from memory | four activations to every row | 1 load |
//! | `vpsrlw`, `vpand`, `vpaddw` | unpacking and summing | 1, p01 / p015 |
//!
//! Half a T4 tile is one vector: 8 rows in 32-bit lanes, a byte of four codes per input j mod 4.
//!
//! ```text
//! byte          p3 p2 p1 p0        four 2-bit codes
//! & 0x03                 p0        ×1
//! & 0x0C              p1 ··        ×4
//! >> 4, & 0x03           p2        ×1      one shift serves two planes
//! >> 4, & 0x0C        p3 ··        ×4
//! ```
//!
//! Planes ×1 and ×4 are summed apart and joined when widening: `s1 + (s4 >> 2)`, exact because
//! every term of s4 is a multiple of 4.
//!
//! Half an I4 tile is one vector as well: 8 rows, a byte of two codes per input j mod 4. The planes
//! are `& 0x0F` and `>> 4, & 0x0F`, and four tiles fit an i16.

use core::arch::x86_64::*;
use core::ops::Range;

use trit_core::TILE_ROWS;
use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::reference::LANES;

use super::{dot_kernels, lanes};
use crate::arch::DotKernels;
use crate::cpu::Avx2;

/// Rows in half a tile.
const HALF: usize = TILE_ROWS / 2;

/// Tiles between widenings, of T4 and of I4. A ×4 plane pair is at most 2·12·128 = 3072 (code 3
/// included), two of them a tile: 4 tiles reach 24,576 < 2¹⁵, and s1 + (s4 >> 2) ≤ 12,288. A pair of
/// I4 is at most 2·15·128 = 3840, two of them a tile: 4 tiles reach 30,720 < 2¹⁵.
const TILES_I16: usize = 4;
const _: () = assert!(TILES_I16 * 2 * (2 * 12 * 128) < 1 << 15);
const _: () = assert!(TILES_I16 * 2 * (2 * 15 * 128) < 1 << 15);

impl DotKernels for Avx2 {
    const GEMV_TILES: usize = 2;

    dot_kernels!("avx2", "avx2");

    #[target_feature(enable = "f16c")]
    #[inline]
    unsafe fn widen_f16(self, values: &[u16; LANES]) -> [f32; LANES] {
        lanes::widen_f16(values)
    }
}

/// `Σ w·q` of R rows and M tokens, asking for weights AHEAD bytes ahead of their use.
///
/// # Safety
/// As [`DotKernels::dot_i8`].
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn dot_i8<const AHEAD: usize, const R: usize, const M: usize>(
    k: usize,
    w: [*const i8; R],
    q: [*const i8; M],
) -> [[i32; R]; M] {
    // A pair of products is at most 2·128·128 = 2¹⁵, a lane sums k/16 ≤ 2¹² of them: below 2²⁸.
    let mut sums = [[_mm256_setzero_si256(); R]; M];
    for at in (0..k).step_by(16) {
        if M == 1 && at % TILE_BYTES == 0 {
            lanes::prefetch(w, at + AHEAD);
        }
        // SAFETY: at + 16 ≤ k.
        let load =
            |p: *const i8| unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(p.add(at).cast())) };
        let w = w.map(load);
        for m in 0..M {
            let q = load(q[m]);
            for r in 0..R {
                sums[m][r] = _mm256_add_epi32(sums[m][r], _mm256_madd_epi16(w[r], q));
            }
        }
    }
    let mut out = [[0; R]; M];
    for m in 0..M {
        out[m] = lanes::sums(&sums[m]);
    }
    out
}

/// `Σ c·q` of the 16 rows of R row tiles with P planes a byte, 4 or 2, and of M tokens, asking
/// for weights AHEAD bytes ahead of their use.
///
/// # Safety
/// Each of `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn dot<const AHEAD: usize, const P: usize, const R: usize, const M: usize>(
    tiles: [*const u8; R],
    count: usize,
    q: [*const i8; M],
) -> [[[i32; TILE_ROWS]; M]; R] {
    let mut out = [[[0; TILE_ROWS]; M]; R];
    // SAFETY: as the caller's; halves 0 and 1 are a whole tile.
    unsafe {
        if M == 1 {
            halves::<AHEAD, P, R, 2, M>(tiles, count, q, 0, &mut out);
        } else {
            halves::<AHEAD, P, R, 1, M>(tiles, count, q, 0, &mut out);
            halves::<AHEAD, P, R, 1, M>(tiles, count, q, 1, &mut out);
        }
    }
    out
}

/// The part of [`dot`] that lies in H halves of the row tiles, from half `first` on: for one token
/// both, which then share broadcasts, for several as many as the registers have sums for.
///
/// # Safety
/// As [`dot`]; `first + H ≤ 2`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn halves<
    const AHEAD: usize,
    const P: usize,
    const R: usize,
    const H: usize,
    const M: usize,
>(
    tiles: [*const u8; R],
    count: usize,
    q: [*const i8; M],
    first: usize,
    out: &mut [[[i32; TILE_ROWS]; M]; R],
) {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[[_mm256_setzero_si256(); M]; H]; R];
    let mut widen = |pairs: [[[__m256i; M]; H]; R]| {
        for r in 0..R {
            for half in 0..H {
                for m in 0..M {
                    let wide = _mm256_madd_epi16(pairs[r][half][m], ones);
                    sums[r][half][m] = _mm256_add_epi32(sums[r][half][m], wide);
                }
            }
        }
    };
    let mut start = 0;
    while start < count {
        let end = count.min(start + TILES_I16);
        // For one token a constant number of tiles where it can be, which the compiler unrolls.
        let sums = if M == 1 && end - start == TILES_I16 {
            // SAFETY: as the caller's; the range ends at `end`.
            unsafe { pairs::<AHEAD, P, R, H, M>(tiles, start..start + TILES_I16, q, first) }
        } else {
            // SAFETY: as the caller's; `end` is at most `count`.
            unsafe { pairs::<AHEAD, P, R, H, M>(tiles, start..end, q, first) }
        };
        widen(sums);
        start = end;
    }
    for r in 0..R {
        for half in 0..H {
            for m in 0..M {
                let at = (first + half) * HALF;
                // SAFETY: `out[r][m]` has 16 values; the half's 8 start at 8·(first + half).
                unsafe {
                    _mm256_storeu_si256(out[r][m].as_mut_ptr().add(at).cast(), sums[r][half][m]);
                }
            }
        }
    }
}

/// The sums of [`halves`] over the tiles `range`, at most [`TILES_I16`] of them, in i16: even and odd
/// lanes are to be added.
///
/// # Safety
/// As [`halves`]; `range` ends at `count` or before.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn pairs<
    const AHEAD: usize,
    const P: usize,
    const R: usize,
    const H: usize,
    const M: usize,
>(
    tiles: [*const u8; R],
    range: Range<usize>,
    q: [*const i8; M],
    first: usize,
) -> [[[__m256i; M]; H]; R] {
    // T4 has planes ×1 and ×4, I4 only ×1.
    let masks = [_mm256_set1_epi8(if P == 4 { 0x03 } else { 0x0F }), _mm256_set1_epi8(0x0C)];
    let factor = |p: usize| p % (P / 2);
    let mut sums = [[[[_mm256_setzero_si256(); 2]; M]; H]; R];
    for tile in range {
        if M == 1 {
            lanes::prefetch(tiles, tile * TILE_BYTES + AHEAD);
        }
        for r in 0..R {
            for half in 0..H {
                let at = tile * TILE_BYTES + (first + half) * HALF * PLANE;
                // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
                let bytes = unsafe { _mm256_loadu_si256(tiles[r].add(at).cast()) };
                let upper = _mm256_srli_epi16::<4>(bytes);
                for p in 0..P {
                    let shifted = if p < P / 2 { bytes } else { upper };
                    let plane = _mm256_and_si256(shifted, masks[factor(p)]);
                    for m in 0..M {
                        // SAFETY: tile < count, so the 4 values at 4·(P·tile + p) are readable.
                        let four = unsafe { lanes::four(q[m], tile * P + p) };
                        let product = _mm256_maddubs_epi16(plane, _mm256_set1_epi32(four));
                        let sum = &mut sums[r][half][m][factor(p)];
                        *sum = _mm256_add_epi16(*sum, product);
                    }
                }
            }
        }
    }
    let mut joined = [[[_mm256_setzero_si256(); M]; H]; R];
    for r in 0..R {
        for half in 0..H {
            for m in 0..M {
                let [s1, s4] = sums[r][half][m];
                joined[r][half][m] = _mm256_add_epi16(s1, _mm256_srai_epi16::<2>(s4));
            }
        }
    }
    joined
}
