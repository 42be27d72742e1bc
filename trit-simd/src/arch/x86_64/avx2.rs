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

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{TILE_ROWS, int4};

use super::lanes;
use crate::arch::DotKernels;
use crate::cpu::Avx2;

/// Tiles between widenings. A ×4 plane pair is at most 2·12·128 = 3072 (code 3 included), two of
/// them a tile: 5 tiles reach 30,720 < 2¹⁵. With 4, s4 ≤ 24,576 and s1 + (s4 >> 2) ≤ 12,288.
const TILES_I16: usize = 4;
const _: () = assert!(TILES_I16 * 2 * (2 * 12 * 128) < 1 << 15);

/// I4 tiles between widenings. A plane's pair is at most 2·15·128 = 3840, two of them a tile: 4 tiles
/// reach 30,720 < 2¹⁵.
const I4_TILES_I16: usize = 4;
const _: () = assert!(I4_TILES_I16 * 2 * (2 * 15 * 128) < 1 << 15);

impl DotKernels for Avx2 {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let ones = _mm256_set1_epi16(1);
        let low = _mm256_set1_epi8(0x03);
        let high = _mm256_set1_epi8(0x0C);
        let mut out = [[0; TILE_ROWS]; M];
        for half in 0..2 {
            let mut sums = [_mm256_setzero_si256(); M];
            let mut start = 0;
            while start < count {
                let end = count.min(start + TILES_I16);
                let mut s1 = [_mm256_setzero_si256(); M];
                let mut s4 = [_mm256_setzero_si256(); M];
                for tile in start..end {
                    // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
                    let bytes = unsafe {
                        _mm256_loadu_si256(tiles.add(tile * TILE_BYTES + half * 32).cast())
                    };
                    let upper = _mm256_srli_epi16::<4>(bytes);
                    let planes = [
                        _mm256_and_si256(bytes, low),
                        _mm256_and_si256(bytes, high),
                        _mm256_and_si256(upper, low),
                        _mm256_and_si256(upper, high),
                    ];
                    for m in 0..M {
                        let product = |p: usize| {
                            // SAFETY: tile < count, so the 4 values at 16·tile + 4p are readable.
                            let four = unsafe {
                                q[m].add(tile * 4 * PLANE + p * PLANE)
                                    .cast::<i32>()
                                    .read_unaligned()
                            };
                            _mm256_maddubs_epi16(planes[p], _mm256_set1_epi32(four))
                        };
                        s1[m] = _mm256_add_epi16(s1[m], _mm256_add_epi16(product(0), product(2)));
                        s4[m] = _mm256_add_epi16(s4[m], _mm256_add_epi16(product(1), product(3)));
                    }
                }
                for m in 0..M {
                    let joined = _mm256_add_epi16(s1[m], _mm256_srai_epi16::<2>(s4[m]));
                    sums[m] = _mm256_add_epi32(sums[m], _mm256_madd_epi16(joined, ones));
                }
                start = end;
            }
            for m in 0..M {
                // SAFETY: `out[m]` has 16 values; the half's 8 start at 8·half.
                unsafe { _mm256_storeu_si256(out[m].as_mut_ptr().add(half * 8).cast(), sums[m]) };
            }
        }
        out
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let ones = _mm256_set1_epi16(1);
        let low = _mm256_set1_epi8(0x0F);
        let mut out = [[0; TILE_ROWS]; M];
        for half in 0..2 {
            let mut sums = [_mm256_setzero_si256(); M];
            let mut start = 0;
            while start < count {
                let end = count.min(start + I4_TILES_I16);
                let mut pairs = [_mm256_setzero_si256(); M];
                for tile in start..end {
                    // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
                    let bytes = unsafe {
                        _mm256_loadu_si256(tiles.add(tile * TILE_BYTES + half * 32).cast())
                    };
                    let planes = [
                        _mm256_and_si256(bytes, low),
                        _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low),
                    ];
                    for m in 0..M {
                        let product = |p: usize| {
                            // SAFETY: tile < count, so the 4 values at 8·tile + 4p are readable.
                            let four = unsafe {
                                q[m].add(tile * int4::TILE_K + p * PLANE)
                                    .cast::<i32>()
                                    .read_unaligned()
                            };
                            _mm256_maddubs_epi16(planes[p], _mm256_set1_epi32(four))
                        };
                        pairs[m] =
                            _mm256_add_epi16(pairs[m], _mm256_add_epi16(product(0), product(1)));
                    }
                }
                for m in 0..M {
                    sums[m] = _mm256_add_epi32(sums[m], _mm256_madd_epi16(pairs[m], ones));
                }
                start = end;
            }
            for m in 0..M {
                // SAFETY: `out[m]` has 16 values; the half's 8 start at 8·half.
                unsafe { _mm256_storeu_si256(out[m].as_mut_ptr().add(half * 8).cast(), sums[m]) };
            }
        }
        out
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // A pair of products is at most 2·128·128 = 2¹⁵, a lane sums k/16 ≤ 2¹² of them: below 2²⁸.
        let mut sums = [[_mm256_setzero_si256(); R]; M];
        for at in (0..k).step_by(16) {
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
}
