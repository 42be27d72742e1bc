//! Products of 7-bit codes and int8 on x86-64.
//!
//! | instruction | what for | latency, ports |
//! |---|---|---|
//! | `vpdpbusd zmm` | u8 × i8, four summed into i32 (AVX-512 VNNI) | 5, p0 (Ice Lake); 4, 2 a cycle (Zen 5) |
//! | `vpdpbusd ymm` | the same (AVX-VNNI) | 5, p01 (Alder Lake) |
//! | `vpmaddubsw` | u8 × i8, pairs summed to i16 | 5, p01 (Haswell and later) |
//! | `vpmaddwd` with ones | i16 pairs to i32 | 5, p01 |
//! | `vpbroadcastd` from memory | four values of a token to every row | 1 load |
//!
//! A tile is one 64-byte vector, or two of 32: 16 rows in 32-bit lanes, a byte per input.
//! `vpmaddubsw` saturates, and cannot here: 2·127·128 = 32,512 < 2¹⁵.

use core::arch::x86_64::*;

use trit_core::TILE_ROWS;
use trit_core::heads::TILE;
use trit_core::layout::PLANE;

use crate::arch::codes::{CodeKernels, STEP};
use crate::cpu::{Avx2, Avx512Vnni, AvxVnni};

/// Rows in half a tile.
const HALF: usize = TILE_ROWS / 2;

/// The four values of q for tile `tile`, in every lane's bytes.
///
/// # Safety
/// `q` points to 4·(`tile` + 1) values.
#[inline(always)]
unsafe fn four(q: *const i8, tile: usize) -> i32 {
    // SAFETY: as promised to this function.
    unsafe { q.add(tile * PLANE).cast::<i32>().read_unaligned() }
}

impl CodeKernels for Avx512Vnni {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
    #[inline]
    unsafe fn dot_u7<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // As many sums side by side as hide `vpdpbusd`'s latency, one for each of many tokens, four for
        // each of few.
        let mut sums = [[_mm512_setzero_si512(); STEP]; M];
        for start in (0..count).step_by(STEP) {
            for step in 0..STEP {
                let tile = start + step;
                // SAFETY: tile < count, so the 64 bytes lie within the tiles.
                let codes = unsafe { _mm512_loadu_si512(tiles.add(tile * TILE).cast()) };
                for m in 0..M {
                    let sum = &mut sums[m][if M < 4 { step } else { 0 }];
                    // SAFETY: tile < count, so its 4 values are readable.
                    let q = _mm512_set1_epi32(unsafe { four(q[m], tile) });
                    *sum = _mm512_dpbusd_epi32(*sum, codes, q);
                }
            }
        }
        let mut out = [[0; TILE_ROWS]; M];
        for m in 0..M {
            let [a, b, c, d] = sums[m];
            let sum = if M < 4 {
                _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d))
            } else {
                a
            };
            // SAFETY: `out[m]` has 16 values of 4 bytes.
            unsafe { _mm512_storeu_si512(out[m].as_mut_ptr().cast(), sum) };
        }
        out
    }
}

impl CodeKernels for AvxVnni {
    #[target_feature(enable = "avxvnni,avx2")]
    #[inline]
    unsafe fn dot_u7<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        for half in 0..2 {
            let mut sums = [_mm256_setzero_si256(); M];
            for tile in 0..count {
                // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
                let codes =
                    unsafe { _mm256_loadu_si256(tiles.add(tile * TILE + half * 32).cast()) };
                for m in 0..M {
                    // SAFETY: tile < count, so its 4 values are readable.
                    let q = _mm256_set1_epi32(unsafe { four(q[m], tile) });
                    sums[m] = _mm256_dpbusd_avx_epi32(sums[m], codes, q);
                }
            }
            for m in 0..M {
                // SAFETY: `out[m]` has 16 values; the half's 8 start at 8·half.
                unsafe {
                    _mm256_storeu_si256(out[m].as_mut_ptr().add(half * HALF).cast(), sums[m])
                };
            }
        }
        out
    }
}

impl CodeKernels for Avx2 {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn dot_u7<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let ones = _mm256_set1_epi16(1);
        let mut out = [[0; TILE_ROWS]; M];
        for half in 0..2 {
            let mut sums = [_mm256_setzero_si256(); M];
            for tile in 0..count {
                // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
                let codes =
                    unsafe { _mm256_loadu_si256(tiles.add(tile * TILE + half * 32).cast()) };
                for m in 0..M {
                    // SAFETY: tile < count, so its 4 values are readable.
                    let q = _mm256_set1_epi32(unsafe { four(q[m], tile) });
                    let pairs = _mm256_maddubs_epi16(codes, q);
                    sums[m] = _mm256_add_epi32(sums[m], _mm256_madd_epi16(pairs, ones));
                }
            }
            for m in 0..M {
                // SAFETY: `out[m]` has 16 values; the half's 8 start at 8·half.
                unsafe {
                    _mm256_storeu_si256(out[m].as_mut_ptr().add(half * HALF).cast(), sums[m])
                };
            }
        }
        out
    }
}
