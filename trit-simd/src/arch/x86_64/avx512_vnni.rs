//! AVX-512 with VNNI: 64-byte vectors, 32 registers.
//!
//! | instruction | what for | latency, ports (Ice Lake; Zen 4 and 5 alike or better) |
//! |---|---|---|
//! | `vpdpbusd zmm` | u8 codes × i8 activations, four summed into i32 | 5, p0(+p5) |
//! | `vpdpwssd zmm` | i16 pairs into i32 | 5, p0(+p5) |
//! | `vpbroadcastd` from memory | four activations to every row | 1 load |
//! | `vpsrlw`, `vpandd` | unpacking | 1, p05 |
//!
//! A T4 tile is one vector: 16 rows in 32-bit lanes. The four codes of a row and plane meet the
//! four activations in one `vpdpbusd`, straight into the row's i32.
//!
//! ```text
//! byte          p3 p2 p1 p0        four 2-bit codes
//! & 0x03                 p0        ×1     >> 4, & 0x03     p2     ×1
//! & 0x0C              p1 ··        ×4     >> 4, & 0x0C  p3 ··     ×4
//! ```
//!
//! The ×4 sums are shifted down once at the end; they are multiples of 4, so that is exact. So it is
//! with the ×16 sums of an I4 tile, whose planes are `& 0x0F` and `& 0xF0`, without a shift.

use core::arch::x86_64::*;

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{GroupSize, TILE_ROWS, int4};

use crate::arch::DotKernels;
use crate::cpu::Avx512Vnni;

// The ×4 half of the planes: |Σ| ≤ 12·128·2²⁰ / 2 < 2³⁰.
const _: () = assert!(12 * 128 * (trit_core::MAX_TERNARY_K as u64) / 2 < 1 << 31);

// The ×16 half of the planes of an I4 group: |Σ| ≤ 240·128·256 / 2 < 2²².
const _: () = assert!(240 * 128 * GroupSize::G256.inputs() / 2 < 1 << 31);

impl DotKernels for Avx512Vnni {
    const TOKENS: usize = 8;

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let low = _mm512_set1_epi8(0x03);
        let high = _mm512_set1_epi8(0x0C);
        let mut s1 = [_mm512_setzero_si512(); M];
        let mut s4 = [_mm512_setzero_si512(); M];
        for tile in 0..count {
            // SAFETY: tile < count, so the 64 bytes lie within the tiles.
            let bytes = unsafe { _mm512_loadu_si512(tiles.add(tile * TILE_BYTES).cast()) };
            let upper = _mm512_srli_epi16::<4>(bytes);
            let planes = [
                _mm512_and_si512(bytes, low),
                _mm512_and_si512(bytes, high),
                _mm512_and_si512(upper, low),
                _mm512_and_si512(upper, high),
            ];
            for m in 0..M {
                let four = |p: usize| {
                    // SAFETY: tile < count, so the 4 values at 16·tile + 4p are readable.
                    let four = unsafe {
                        q[m].add(tile * 4 * PLANE + p * PLANE).cast::<i32>().read_unaligned()
                    };
                    _mm512_set1_epi32(four)
                };
                s1[m] = _mm512_dpbusd_epi32(s1[m], planes[0], four(0));
                s4[m] = _mm512_dpbusd_epi32(s4[m], planes[1], four(1));
                s1[m] = _mm512_dpbusd_epi32(s1[m], planes[2], four(2));
                s4[m] = _mm512_dpbusd_epi32(s4[m], planes[3], four(3));
            }
        }
        let mut out = [[0; TILE_ROWS]; M];
        for m in 0..M {
            let sum = _mm512_add_epi32(s1[m], _mm512_srai_epi32::<2>(s4[m]));
            // SAFETY: `out[m]` has 16 values of 4 bytes.
            unsafe { _mm512_storeu_si512(out[m].as_mut_ptr().cast(), sum) };
        }
        out
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let low = _mm512_set1_epi8(0x0F);
        let mut s1 = [_mm512_setzero_si512(); M];
        let mut s16 = [_mm512_setzero_si512(); M];
        for tile in 0..count {
            // SAFETY: tile < count, so the 64 bytes lie within the tiles.
            let bytes = unsafe { _mm512_loadu_si512(tiles.add(tile * TILE_BYTES).cast()) };
            let planes = [_mm512_and_si512(bytes, low), _mm512_andnot_si512(low, bytes)];
            for m in 0..M {
                let four = |p: usize| {
                    // SAFETY: tile < count, so the 4 values at 8·tile + 4p are readable.
                    let four = unsafe {
                        q[m].add(tile * int4::TILE_K + p * PLANE).cast::<i32>().read_unaligned()
                    };
                    _mm512_set1_epi32(four)
                };
                s1[m] = _mm512_dpbusd_epi32(s1[m], planes[0], four(0));
                s16[m] = _mm512_dpbusd_epi32(s16[m], planes[1], four(1));
            }
        }
        let mut out = [[0; TILE_ROWS]; M];
        for m in 0..M {
            let sum = _mm512_add_epi32(s1[m], _mm512_srai_epi32::<4>(s16[m]));
            // SAFETY: `out[m]` has 16 values of 4 bytes.
            unsafe { _mm512_storeu_si512(out[m].as_mut_ptr().cast(), sum) };
        }
        out
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // A pair of products is at most 2¹⁵, a lane sums k/32 + 1 ≤ 2¹¹ + 1 of them: below 2²⁷.
        let mut sums = [[_mm512_setzero_si512(); R]; M];
        let mut at = 0;
        while at + 32 <= k {
            // SAFETY: at + 32 ≤ k.
            let load = |p: *const i8| unsafe {
                _mm512_cvtepi8_epi16(_mm256_loadu_si256(p.add(at).cast()))
            };
            let w = w.map(load);
            for m in 0..M {
                let q = load(q[m]);
                for r in 0..R {
                    sums[m][r] = _mm512_dpwssd_epi32(sums[m][r], w[r], q);
                }
            }
            at += 32;
        }
        if at < k {
            // SAFETY: 16 values are left: at + 16 = k.
            let load = |p: *const i8| unsafe {
                _mm512_cvtepi8_epi16(_mm256_zextsi128_si256(_mm_loadu_si128(p.add(at).cast())))
            };
            let w = w.map(load);
            for m in 0..M {
                let q = load(q[m]);
                for r in 0..R {
                    sums[m][r] = _mm512_dpwssd_epi32(sums[m][r], w[r], q);
                }
            }
        }
        sums.map(|sums| sums.map(|sum| _mm512_reduce_add_epi32(sum)))
    }
}
