//! A softmax's weights in 16 bits on WebAssembly.
//!
//! | instruction | what for | x86-64 | aarch64 |
//! |---|---|---|---|
//! | `i16x8.q15mulr_sat_s` | products of 15-bit fractions, rounded | `pmulhrsw` and what saturates | `sqrdmulh` |
//! | `i8x16.swizzle` | powers of 2 by their exponents | `pshufb` and what bounds indices | `tbl` |
//! | `i16x8.extadd_pairwise_i8x16_u` | Σ code | `pmaddubsw` with ones | `uaddlp` |

use core::arch::wasm32::*;

use trit_core::heads::BLOCK;
use trit_core::reference::math::EXP2_FIT;
use trit_core::reference::{LOWEST, code_factor};

use crate::arch::weights::{Block, BlockWeights, Weights};
use crate::cpu::Simd128;

/// Adding 1.5·2²³ to |x| < 2¹⁵ rounds it half to even and leaves the integer in the low 16 bits.
const ROUND: f32 = 12_582_912.0;

impl BlockWeights for Simd128 {
    #[inline(always)]
    fn weights<const M: usize>(
        self,
        block: &Block<'_, M>,
        codes: &mut [[i8; BLOCK]; M],
    ) -> [Weights; M] {
        let mut scores = [[0.0; BLOCK]; M];
        for m in 0..M {
            for i in (0..BLOCK).step_by(4) {
                // SAFETY: 4 values of 4 bytes from i on, of 64.
                unsafe {
                    let dots = v128_load(block.dots[m].as_ptr().add(i).cast());
                    let scales = v128_load(block.scales.as_ptr().add(i).cast());
                    let factors = f32x4_mul(f32x4_splat(block.factors[m]), scales);
                    let row = f32x4_mul(f32x4_convert_i32x4(dots), factors);
                    v128_store(scores[m].as_mut_ptr().add(i).cast(), row);
                }
            }
        }
        block.mask(&mut scores);

        let mut found = [Weights::default(); M];
        for m in 0..M {
            let mut top = f32x4_splat(f32::MIN);
            for i in (0..BLOCK).step_by(4) {
                top = f32x4_pmax(top, four(&scores[m], i));
            }
            let top = f32x4_pmax(top, i32x4_shuffle::<2, 3, 0, 1>(top, top));
            let top = f32x4_pmax(top, i32x4_shuffle::<1, 0, 3, 2>(top, top));
            found[m].top = f32x4_extract_lane::<0>(top);
        }

        let mut weights = [[0; BLOCK]; M];
        let (lowest, round) = (f32x4_splat(LOWEST), f32x4_splat(ROUND));
        for m in 0..M {
            let tops = f32x4_splat(found[m].top);
            let (mut sums, mut most) = (i32x4_splat(0), i16x8_splat(0));
            for i in (0..BLOCK).step_by(8) {
                let below = [i, i + 4].map(|i| {
                    let difference = f32x4_sub(tops, four(&scores[m], i));
                    f32x4_add(f32x4_pmin(difference, lowest), round)
                });
                let below = i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(below[0], below[1]);
                let e = exp2(below);
                sums = i32x4_add(sums, i32x4_extadd_pairwise_i16x8(e));
                // SAFETY: 8 values of 2 bytes from i on, of 64.
                unsafe {
                    let shares = v128_load(block.shares.as_ptr().add(i).cast());
                    let weight = i16x8_q15mulr_sat(e, shares);
                    v128_store(weights[m].as_mut_ptr().add(i).cast(), weight);
                    most = i16x8_max(most, weight);
                }
            }
            found[m].sum = sum_of(sums);
            let most = i16x8_max(most, i32x4_shuffle::<2, 3, 0, 1>(most, most));
            let most = i16x8_max(most, i32x4_shuffle::<1, 0, 3, 2>(most, most));
            let most = i16x8_extract_lane::<0>(most).max(i16x8_extract_lane::<1>(most));
            found[m].factor = code_factor(most);
        }

        for m in 0..M {
            let factors = i16x8_splat(found[m].factor);
            let mut total = i32x4_splat(0);
            for i in (0..BLOCK).step_by(16) {
                // SAFETY: 16 values of 2 bytes from i on, of 64, and as many of 1 byte.
                unsafe {
                    let weights = weights[m].as_ptr().add(i);
                    let lower = i16x8_q15mulr_sat(v128_load(weights.cast()), factors);
                    let upper = i16x8_q15mulr_sat(v128_load(weights.add(8).cast()), factors);
                    let packed = i8x16_narrow_i16x8(lower, upper);
                    v128_store(codes[m].as_mut_ptr().add(i).cast(), packed);
                    let pairs = i16x8_extadd_pairwise_u8x16(packed);
                    total = i32x4_add(total, i32x4_extadd_pairwise_i16x8(pairs));
                }
            }
            found[m].codes = sum_of(total);
        }
        found
    }
}

/// Four of a block's scores from number `i` on.
#[inline(always)]
fn four(scores: &[f32; BLOCK], i: usize) -> v128 {
    let scores = &scores[i..][..4];
    // SAFETY: `scores` has 4 values of 4 bytes.
    unsafe { v128_load(scores.as_ptr().cast()) }
}

/// `exp2_q14` of 8 lanes.
#[inline(always)]
fn exp2(below: v128) -> v128 {
    let f = u16x8_shr(i16x8_shl(below, 8), 1);
    let power = i16x8_q15mulr_sat(f, i16x8_splat(EXP2_FIT[3]));
    let power = i16x8_q15mulr_sat(f, i16x8_add(power, i16x8_splat(EXP2_FIT[2])));
    let power = i16x8_q15mulr_sat(f, i16x8_add(power, i16x8_splat(EXP2_FIT[1])));
    let power = i16x8_add(power, i16x8_splat(EXP2_FIT[0]));
    // n = below ≫ 8 in both bytes of a lane. The upper byte of 2¹⁴ ≫ n is 128 ≫ (n + 1), the lower one
    // 128 ≫ (n − 7); an index from 16 on gives 0.
    let both = i8x16_shuffle::<1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15>(below, below);
    let powers = i8x16(i8::MIN, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    let powers = i8x16_swizzle(powers, i8x16_add(both, i16x8_splat(0x01F9)));
    i16x8_q15mulr_sat(power, powers)
}

/// The sum of 4 lanes.
#[inline(always)]
fn sum_of(x: v128) -> i32 {
    let x = i32x4_add(x, i32x4_shuffle::<2, 3, 0, 1>(x, x));
    i32x4_extract_lane::<0>(x).wrapping_add(i32x4_extract_lane::<1>(x))
}
