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
//! `vpmaddubsw` saturates, and cannot here: 2·127·128 = 32,512 < 2¹⁵. Weights are its unsigned operand
//! and centred codes, −64 to 63, the signed one, so that two tiles fit an i16: 2·2·127·64 = 32,512.

use core::arch::x86_64::*;

use trit_core::TILE_ROWS;
use trit_core::heads::{MAX_CODE, OFFSET, TILE};

use super::lanes;
use crate::arch::codes::{CodeKernels, STEP};
use crate::cpu::{Avx2, Avx512Vnni, AvxVnni};

// Two tiles of weights, at most 127, times centred codes.
const _: () = assert!(2 * 2 * 127 * (OFFSET as i32) < 1 << 15 && MAX_CODE - OFFSET < OFFSET);

/// Rows in half a tile.
const HALF: usize = TILE_ROWS / 2;

impl CodeKernels for Avx512Vnni {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
    #[inline]
    unsafe fn dot_u7<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // As many sums side by side as hide `vpdpbusd`'s latency, one for each of many tokens, four for
        // each of few.
        let mut sums = [[_mm512_setzero_si512(); STEP]; M];
        for m in 0..M {
            sums[m][0] = _mm512_set1_epi32(starts[m]);
        }
        for start in (0..count).step_by(STEP) {
            for step in 0..STEP {
                let tile = start + step;
                if M == 1 {
                    lanes::prefetch_alone(tiles, tile * TILE);
                }
                // SAFETY: tile < count, so the 64 bytes lie within the tiles.
                let codes = unsafe { _mm512_loadu_si512(tiles.add(tile * TILE).cast()) };
                for m in 0..M {
                    let sum = &mut sums[m][if M < 4 { step } else { 0 }];
                    // SAFETY: tile < count, so its 4 values are readable.
                    let q = _mm512_set1_epi32(unsafe { lanes::four(q[m], tile) });
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
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        // SAFETY: as the caller's; halves 0 and 1 are a whole tile.
        unsafe {
            if M == 1 {
                vnni::<2, M>(tiles, count, q, starts, 0, &mut out);
            } else {
                vnni::<1, M>(tiles, count, q, starts, 0, &mut out);
                vnni::<1, M>(tiles, count, q, starts, 1, &mut out);
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
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        // SAFETY: as the caller's; halves 0 and 1 are a whole tile.
        unsafe {
            if M == 1 {
                codes::<2, M>(tiles, count, q, starts, 0, &mut out);
            } else {
                codes::<1, M>(tiles, count, q, starts, 0, &mut out);
                codes::<1, M>(tiles, count, q, starts, 1, &mut out);
            }
        }
        out
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn dot_weights<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        w: [*const i8; M],
        _starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        // SAFETY: as the caller's; halves 0 and 1 are a whole tile.
        unsafe {
            if M == 1 {
                weights::<2, M>(tiles, count, w, 0, &mut out);
            } else {
                weights::<1, M>(tiles, count, w, 0, &mut out);
                weights::<1, M>(tiles, count, w, 1, &mut out);
            }
        }
        out
    }
}

/// The codes of H halves of tile `tile`, from half `first` on.
///
/// # Safety
/// `tiles` points to more than `tile` tiles; `first + H ≤ 2`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn load<const H: usize>(tiles: *const u8, tile: usize, first: usize) -> [__m256i; H] {
    let mut codes = [_mm256_setzero_si256(); H];
    for half in 0..H {
        // SAFETY: the 32 bytes of this half lie within the tiles.
        codes[half] =
            unsafe { _mm256_loadu_si256(tiles.add(tile * TILE + (first + half) * 32).cast()) };
    }
    codes
}

/// The sums of H halves at their start.
#[target_feature(enable = "avx2")]
#[inline]
fn begin<const H: usize, const M: usize>(starts: [i32; M]) -> [[__m256i; M]; H] {
    let mut sums = [_mm256_setzero_si256(); M];
    for (sum, start) in sums.iter_mut().zip(starts) {
        *sum = _mm256_set1_epi32(start);
    }
    [sums; H]
}

/// Keeps the sums of H halves from half `first` on.
#[target_feature(enable = "avx2")]
#[inline]
fn store<const H: usize, const M: usize>(
    sums: [[__m256i; M]; H],
    first: usize,
    out: &mut [[i32; TILE_ROWS]; M],
) {
    for half in 0..H {
        for m in 0..M {
            let out = &mut out[m][(first + half) * HALF..][..HALF];
            // SAFETY: `out` has 8 values of 4 bytes.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sums[half][m]) };
        }
    }
}

/// The part of AVX-VNNI's `dot_u7` that lies in H halves of the tiles, from half `first` on: for one
/// token both, so that memory is read in order, for several as many as there are registers for.
///
/// # Safety
/// As [`CodeKernels::dot_u7`]; `first + H ≤ 2`.
#[target_feature(enable = "avxvnni,avx2")]
#[inline]
unsafe fn vnni<const H: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    starts: [i32; M],
    first: usize,
    out: &mut [[i32; TILE_ROWS]; M],
) {
    let mut sums = begin::<H, M>(starts);
    for tile in 0..count {
        if M == 1 {
            lanes::prefetch_alone(tiles, tile * TILE);
        }
        // SAFETY: tile < count.
        let codes = unsafe { load::<H>(tiles, tile, first) };
        for m in 0..M {
            // SAFETY: tile < count, so its 4 values are readable.
            let q = _mm256_set1_epi32(unsafe { lanes::four(q[m], tile) });
            for half in 0..H {
                sums[half][m] = _mm256_dpbusd_avx_epi32(sums[half][m], codes[half], q);
            }
        }
    }
    store(sums, first, out);
}

/// As [`vnni`], for AVX2.
///
/// # Safety
/// As [`vnni`].
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn codes<const H: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    starts: [i32; M],
    first: usize,
    out: &mut [[i32; TILE_ROWS]; M],
) {
    let ones = _mm256_set1_epi16(1);
    let mut sums = begin::<H, M>(starts);
    for tile in 0..count {
        if M == 1 {
            lanes::prefetch_alone(tiles, tile * TILE);
        }
        // SAFETY: tile < count.
        let codes = unsafe { load::<H>(tiles, tile, first) };
        for m in 0..M {
            // SAFETY: tile < count, so its 4 values are readable.
            let q = _mm256_set1_epi32(unsafe { lanes::four(q[m], tile) });
            for half in 0..H {
                let pairs = _mm256_maddubs_epi16(codes[half], q);
                sums[half][m] = _mm256_add_epi32(sums[half][m], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
    store(sums, first, out);
}

/// The part of AVX2's `dot_weights` as [`codes`] has it, two tiles at a time.
///
/// # Safety
/// As [`CodeKernels::dot_weights`]; `first + H ≤ 2`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn weights<const H: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    w: [*const i8; M],
    first: usize,
    out: &mut [[i32; TILE_ROWS]; M],
) {
    let (ones, offset) = (_mm256_set1_epi16(1), _mm256_set1_epi8(OFFSET as i8));
    let mut sums = [[_mm256_setzero_si256(); M]; H];
    for tile in (0..count).step_by(2) {
        let mut numbers = [[offset; H]; 2];
        for step in 0..2 {
            if M == 1 {
                lanes::prefetch_alone(tiles, (tile + step) * TILE);
            }
            // SAFETY: count is even, so tile + step < count.
            let codes = unsafe { load::<H>(tiles, tile + step, first) };
            for half in 0..H {
                numbers[step][half] = _mm256_sub_epi8(codes[half], offset);
            }
        }
        for m in 0..M {
            let mut four = [ones; 2];
            for step in 0..2 {
                // SAFETY: tile + step < count, so its 4 values are readable.
                four[step] = _mm256_set1_epi32(unsafe { lanes::four(w[m], tile + step) });
            }
            for half in 0..H {
                let pairs = _mm256_add_epi16(
                    _mm256_maddubs_epi16(four[0], numbers[0][half]),
                    _mm256_maddubs_epi16(four[1], numbers[1][half]),
                );
                sums[half][m] = _mm256_add_epi32(sums[half][m], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
    store(sums, first, out);
}
