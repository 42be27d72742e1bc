//! A softmax's weights in 16 bits on x86-64.
//!
//! | instruction | what for | latency, ports |
//! |---|---|---|
//! | `vcvtps2dq` | scores to integers, half to even | 4, p01 (Skylake) |
//! | `vpmulhrsw` | products of 15-bit fractions, rounded | 5, p01 |
//! | `vpshufb` | powers of 2 by their exponents (AVX2 shifts no 16-bit lanes apart) | 1, p5 |
//! | `vpsrlvw` | the same (AVX-512BW) | 1, p0 |
//! | `vpsadbw` | Σ code | 3, p5 |

use core::arch::x86_64::*;

use trit_core::heads::BLOCK;
use trit_core::reference::math::EXP2_FIT;
use trit_core::reference::{LOWEST, code_factor};

use crate::arch::weights::{Block, Weights, block_weights};
use crate::cpu::{Avx2, Avx512Vnni, AvxVnni};

block_weights! {
    Avx2: in_256_bits;
    AvxVnni: in_256_bits;
    Avx512Vnni: in_512_bits;
}

/// Powers of 2 as `vpshufb` looks them up: 128 ≫ i, and 0 from i = 8 on.
const POWERS: i64 = 0x0102_0408_1020_4080;

/// For `vpshufb`, the upper byte of each of 8 lanes of 16 bits in both of its bytes.
const UPPER: [i64; 2] = [0x0707_0505_0303_0101, 0x0F0F_0D0D_0B0B_0909];

#[target_feature(enable = "avx2")]
#[inline]
fn in_256_bits<const M: usize>(block: &Block<'_, M>, codes: &mut [[i8; BLOCK]; M]) -> [Weights; M] {
    let mut scores = [[0.0; BLOCK]; M];
    for m in 0..M {
        let factor = _mm256_set1_ps(block.factors[m]);
        for i in (0..BLOCK).step_by(8) {
            // SAFETY: 8 values of 4 bytes from i on, of 64.
            unsafe {
                let dots = _mm256_loadu_si256(block.dots[m].as_ptr().add(i).cast());
                let factors = _mm256_mul_ps(factor, _mm256_loadu_ps(block.scales.as_ptr().add(i)));
                let row = _mm256_mul_ps(_mm256_cvtepi32_ps(dots), factors);
                _mm256_storeu_ps(scores[m].as_mut_ptr().add(i), row);
            }
        }
    }
    block.mask(&mut scores);

    let mut found = [Weights::default(); M];
    for m in 0..M {
        let mut tops = [_mm256_set1_ps(f32::MIN); 4];
        for i in 0..8 {
            tops[i % 4] = _mm256_max_ps(tops[i % 4], eight(&scores[m], i));
        }
        let tops = [_mm256_max_ps(tops[0], tops[1]), _mm256_max_ps(tops[2], tops[3])];
        found[m].top = largest_float(_mm256_max_ps(tops[0], tops[1]));
    }

    let mut weights = [[0; BLOCK]; M];
    let ones = _mm256_set1_epi16(1);
    for m in 0..M {
        let (tops, lowest) = (_mm256_set1_ps(found[m].top), _mm256_set1_ps(LOWEST));
        let mut exps = [_mm256_setzero_si256(); 4];
        let mut most = _mm256_setzero_si256();
        for i in 0..4 {
            let mut below = [most; 2];
            for half in 0..2 {
                let difference = _mm256_sub_ps(tops, eight(&scores[m], 2 * i + half));
                below[half] = _mm256_cvtps_epi32(_mm256_min_ps(difference, lowest));
            }
            exps[i] = exp2(in_order(_mm256_packs_epi32(below[0], below[1])));
            // SAFETY: 16 values of 2 bytes from 16·i on, of 64.
            unsafe {
                let shares = _mm256_loadu_si256(block.shares.as_ptr().add(16 * i).cast());
                let weight = _mm256_mulhrs_epi16(exps[i], shares);
                _mm256_storeu_si256(weights[m].as_mut_ptr().add(16 * i).cast(), weight);
                most = _mm256_max_epi16(most, weight);
            }
        }
        let [a, b, c, d] = exps;
        let sums = _mm256_add_epi32(
            _mm256_madd_epi16(_mm256_add_epi16(a, b), ones),
            _mm256_madd_epi16(_mm256_add_epi16(c, d), ones),
        );
        found[m].sum = sum_of(sums);
        found[m].factor = code_factor(largest_short(most));
    }

    for m in 0..M {
        let factors = _mm256_set1_epi16(found[m].factor);
        let mut total = _mm256_setzero_si256();
        for i in (0..BLOCK).step_by(32) {
            // SAFETY: 32 values of 2 bytes from i on, of 64, and as many of 1 byte.
            unsafe {
                let weights = weights[m].as_ptr().add(i);
                let lower = _mm256_mulhrs_epi16(_mm256_loadu_si256(weights.cast()), factors);
                let upper = _mm256_loadu_si256(weights.add(16).cast());
                let upper = _mm256_mulhrs_epi16(upper, factors);
                let packed = in_order(_mm256_packs_epi16(lower, upper));
                _mm256_storeu_si256(codes[m].as_mut_ptr().add(i).cast(), packed);
                let sums = _mm256_sad_epu8(packed, _mm256_setzero_si256());
                total = _mm256_add_epi32(total, sums);
            }
        }
        found[m].codes = sum_of(total);
    }
    found
}

/// Eight of a block's scores, the first of which is number 8·`i`.
#[target_feature(enable = "avx2")]
#[inline]
fn eight(scores: &[f32; BLOCK], i: usize) -> __m256 {
    let scores = &scores[8 * i..][..8];
    // SAFETY: `scores` has 8 values.
    unsafe { _mm256_loadu_ps(scores.as_ptr()) }
}

/// Brings into order what was packed, which goes by halves of a vector.
#[target_feature(enable = "avx2")]
#[inline]
fn in_order(packed: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
}

/// `exp2_q14` of 16 lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn exp2(below: __m256i) -> __m256i {
    let f = _mm256_srli_epi16::<1>(_mm256_slli_epi16::<8>(below));
    let power = _mm256_mulhrs_epi16(f, _mm256_set1_epi16(EXP2_FIT[3]));
    let power = _mm256_mulhrs_epi16(f, _mm256_add_epi16(power, _mm256_set1_epi16(EXP2_FIT[2])));
    let power = _mm256_mulhrs_epi16(f, _mm256_add_epi16(power, _mm256_set1_epi16(EXP2_FIT[1])));
    let power = _mm256_add_epi16(power, _mm256_set1_epi16(EXP2_FIT[0]));
    // n = below ≫ 8 in both bytes of a lane. The upper byte of 2¹⁴ ≫ n is 128 ≫ (n + 1), the lower one
    // 128 ≫ (n − 7); an index from 128 on gives 0, which n = 15 has above and n < 7 below.
    let both = _mm256_set_epi64x(UPPER[1], UPPER[0], UPPER[1], UPPER[0]);
    let index = _mm256_add_epi8(_mm256_shuffle_epi8(below, both), _mm256_set1_epi16(0x71F9));
    let powers = _mm256_set_epi64x(0, POWERS, 0, POWERS);
    _mm256_mulhrs_epi16(power, _mm256_shuffle_epi8(powers, index))
}

/// The largest of 8 lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn largest_float(x: __m256) -> f32 {
    let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
}

/// The largest of 16 lanes, none of which is negative.
#[target_feature(enable = "avx2")]
#[inline]
fn largest_short(x: __m256i) -> i16 {
    let x = _mm_max_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    let ones = _mm_set1_epi16(-1);
    // The smallest of the complements.
    !_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_xor_si128(x, ones))) as i16
}

/// The sum of 8 lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn sum_of(x: __m256i) -> i32 {
    let x = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    let x = _mm_add_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
    _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32::<0b00_00_00_01>(x)))
}

#[target_feature(enable = "avx512f,avx512bw,avx2")]
#[inline]
fn in_512_bits<const M: usize>(block: &Block<'_, M>, codes: &mut [[i8; BLOCK]; M]) -> [Weights; M] {
    let present = if block.count < BLOCK { (1 << block.count) - 1 } else { u64::MAX };
    let mut scores = [[0.0; BLOCK]; M];
    let mut found = [Weights::default(); M];
    let lowest = _mm512_set1_ps(f32::MIN);
    for m in 0..M {
        let factor = _mm512_set1_ps(block.factors[m]);
        let mut top = lowest;
        for i in (0..BLOCK).step_by(16) {
            // SAFETY: 16 values of 4 bytes from i on, of 64.
            unsafe {
                let dots = _mm512_loadu_si512(block.dots[m].as_ptr().add(i).cast());
                let factors = _mm512_mul_ps(factor, _mm512_loadu_ps(block.scales.as_ptr().add(i)));
                let numbers = _mm512_cvtepi32_ps(dots);
                let present = (present >> i) as u16;
                let row = _mm512_mask_mul_ps(lowest, present, numbers, factors);
                _mm512_storeu_ps(scores[m].as_mut_ptr().add(i), row);
                top = _mm512_max_ps(top, row);
            }
        }
        let halves = [_mm512_castps512_ps256(top), upper_float(top)];
        found[m].top = largest_float(_mm256_max_ps(halves[0], halves[1]));
    }

    let mut weights = [[0; BLOCK]; M];
    let (ones, lowest) = (_mm512_set1_epi16(1), _mm512_set1_ps(LOWEST));
    for m in 0..M {
        let tops = _mm512_set1_ps(found[m].top);
        let (mut sums, mut most) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for i in (0..BLOCK).step_by(32) {
            let mut below = [_mm256_setzero_si256(); 2];
            for half in 0..2 {
                // SAFETY: 16 values from i + 16·half on, of 64.
                let row = unsafe { _mm512_loadu_ps(scores[m].as_ptr().add(i + 16 * half)) };
                let difference = _mm512_min_ps(_mm512_sub_ps(tops, row), lowest);
                below[half] = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(difference));
            }
            let below = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(below[0]), below[1]);
            let e = exp2_wide(below);
            sums = _mm512_add_epi32(sums, _mm512_madd_epi16(e, ones));
            // SAFETY: 32 values of 2 bytes from i on, of 64.
            unsafe {
                let shares = _mm512_loadu_si512(block.shares.as_ptr().add(i).cast());
                let weight = _mm512_mulhrs_epi16(e, shares);
                _mm512_storeu_si512(weights[m].as_mut_ptr().add(i).cast(), weight);
                most = _mm512_max_epi16(most, weight);
            }
        }
        found[m].sum = sum_of(_mm256_add_epi32(_mm512_castsi512_si256(sums), upper(sums)));
        let most = _mm256_max_epi16(_mm512_castsi512_si256(most), upper(most));
        found[m].factor = code_factor(largest_short(most));
    }

    for m in 0..M {
        let factors = _mm512_set1_epi16(found[m].factor);
        let mut total = _mm256_setzero_si256();
        for i in (0..BLOCK).step_by(32) {
            // SAFETY: 32 values of 2 bytes from i on, of 64, and as many of 1 byte.
            unsafe {
                let weights = _mm512_loadu_si512(weights[m].as_ptr().add(i).cast());
                let packed = _mm512_cvtepi16_epi8(_mm512_mulhrs_epi16(weights, factors));
                _mm256_storeu_si256(codes[m].as_mut_ptr().add(i).cast(), packed);
                let sums = _mm256_sad_epu8(packed, _mm256_setzero_si256());
                total = _mm256_add_epi32(total, sums);
            }
        }
        found[m].codes = sum_of(total);
    }
    found
}

/// The upper half.
#[target_feature(enable = "avx512f")]
#[inline]
fn upper(x: __m512i) -> __m256i {
    _mm512_extracti64x4_epi64::<1>(x)
}

/// The upper half.
#[target_feature(enable = "avx512f")]
#[inline]
fn upper_float(x: __m512) -> __m256 {
    _mm256_castsi256_ps(upper(_mm512_castps_si512(x)))
}

/// `exp2_q14` of 32 lanes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn exp2_wide(below: __m512i) -> __m512i {
    let f = _mm512_srli_epi16::<1>(_mm512_slli_epi16::<8>(below));
    let power = _mm512_mulhrs_epi16(f, _mm512_set1_epi16(EXP2_FIT[3]));
    let power = _mm512_mulhrs_epi16(f, _mm512_add_epi16(power, _mm512_set1_epi16(EXP2_FIT[2])));
    let power = _mm512_mulhrs_epi16(f, _mm512_add_epi16(power, _mm512_set1_epi16(EXP2_FIT[1])));
    let power = _mm512_add_epi16(power, _mm512_set1_epi16(EXP2_FIT[0]));
    let shifted = _mm512_srlv_epi16(_mm512_set1_epi16(0x4000), _mm512_srli_epi16::<8>(below));
    _mm512_mulhrs_epi16(power, shifted)
}
