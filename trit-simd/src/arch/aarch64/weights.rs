//! A softmax's weights in 16 bits on 64-bit ARM.
//!
//! | instruction | what for | Cortex-A73 | Neoverse N1 | Cortex-A55 |
//! |---|---|---|---|---|
//! | `fcvtns` | scores to integers, half to even | 3, 2 | 3, 1 | 4, 1 |
//! | `sqrdmulh` | products of 15-bit fractions, rounded | 4, 1 | 4, 1 | 4, 1 |
//! | `srshl` | rounded shifts, apart by lane | 4, 1 | 4, 1 | 2, 1 |
//! | `sadalp` | Σ e, Σ code | 4, 1 | 4, 1 | 4, 1 |
//!
//! Latency, and how many a cycle.

use core::arch::aarch64::*;

use trit_core::heads::BLOCK;
use trit_core::reference::math::EXP2_FIT;
use trit_core::reference::{LOWEST, code_factor};

use crate::arch::weights::{Block, Weights, block_weights};
use crate::cpu::{Dotprod, I8mm, Neon, Sve};

block_weights! {
    Neon: weights;
    Sve: weights;
    Dotprod: weights;
    I8mm: weights;
}

#[target_feature(enable = "neon")]
#[inline]
fn weights<const M: usize>(block: &Block<'_, M>, codes: &mut [[i8; BLOCK]; M]) -> [Weights; M] {
    let mut scores = [[0.0; BLOCK]; M];
    for m in 0..M {
        for i in (0..BLOCK).step_by(4) {
            // SAFETY: 4 values from i on, of 64.
            unsafe {
                let numbers = vcvtq_f32_s32(vld1q_s32(block.dots[m].as_ptr().add(i)));
                let scales = vld1q_f32(block.scales.as_ptr().add(i));
                let row = vmulq_f32(numbers, vmulq_n_f32(scales, block.factors[m]));
                vst1q_f32(scores[m].as_mut_ptr().add(i), row);
            }
        }
    }
    block.mask(&mut scores);

    let mut found = [Weights::default(); M];
    for m in 0..M {
        let mut tops = [vdupq_n_f32(f32::MIN); 2];
        for i in (0..BLOCK).step_by(8) {
            let [lower, upper] = eight(&scores[m], i);
            tops = [vmaxq_f32(tops[0], lower), vmaxq_f32(tops[1], upper)];
        }
        found[m].top = vmaxvq_f32(vmaxq_f32(tops[0], tops[1]));
    }

    let mut weights = [[0; BLOCK]; M];
    let lowest = vdupq_n_f32(LOWEST);
    for m in 0..M {
        let tops = vdupq_n_f32(found[m].top);
        let (mut sums, mut most) = (vdupq_n_s32(0), vdupq_n_s16(0));
        for i in (0..BLOCK).step_by(8) {
            let mut below = [vdupq_n_s16(0); 2];
            for (below, row) in below.iter_mut().zip(eight(&scores[m], i)) {
                let difference = vminq_f32(vsubq_f32(tops, row), lowest);
                *below = vreinterpretq_s16_s32(vcvtnq_s32_f32(difference));
            }
            let e = exp2(vuzp1q_s16(below[0], below[1]));
            sums = vpadalq_s16(sums, e);
            // SAFETY: 8 values from i on, of 64.
            unsafe {
                let weight = vqrdmulhq_s16(e, vld1q_s16(block.shares.as_ptr().add(i)));
                vst1q_s16(weights[m].as_mut_ptr().add(i), weight);
                most = vmaxq_s16(most, weight);
            }
        }
        found[m].sum = vaddvq_s32(sums);
        found[m].factor = code_factor(vmaxvq_s16(most));
    }

    for m in 0..M {
        let mut total = vdupq_n_s16(0);
        for i in (0..BLOCK).step_by(16) {
            // SAFETY: 16 values from i on, of 64.
            unsafe {
                let lower = vld1q_s16(weights[m].as_ptr().add(i));
                let upper = vld1q_s16(weights[m].as_ptr().add(i + 8));
                let lower = vreinterpretq_s8_s16(vqrdmulhq_n_s16(lower, found[m].factor));
                let upper = vreinterpretq_s8_s16(vqrdmulhq_n_s16(upper, found[m].factor));
                let packed = vuzp1q_s8(lower, upper);
                vst1q_s8(codes[m].as_mut_ptr().add(i), packed);
                // 4·2·127 < 2¹⁵.
                total = vpadalq_s8(total, packed);
            }
        }
        found[m].codes = i32::from(vaddvq_s16(total));
    }
    found
}

/// Eight of a block's scores from number `i` on.
#[target_feature(enable = "neon")]
#[inline]
fn eight(scores: &[f32; BLOCK], i: usize) -> [float32x4_t; 2] {
    let scores = &scores[i..][..8];
    // SAFETY: `scores` has 8 values.
    unsafe { [vld1q_f32(scores.as_ptr()), vld1q_f32(scores.as_ptr().add(4))] }
}

/// `exp2_q14` of 8 lanes.
#[target_feature(enable = "neon")]
#[inline]
fn exp2(below: int16x8_t) -> int16x8_t {
    let f = vshlq_n_u16::<8>(vreinterpretq_u16_s16(below));
    let f = vreinterpretq_s16_u16(vshrq_n_u16::<1>(f));
    let power = vqrdmulhq_s16(f, vdupq_n_s16(EXP2_FIT[3]));
    let power = vqrdmulhq_s16(f, vaddq_s16(power, vdupq_n_s16(EXP2_FIT[2])));
    let power = vqrdmulhq_s16(f, vaddq_s16(power, vdupq_n_s16(EXP2_FIT[1])));
    let power = vaddq_s16(power, vdupq_n_s16(EXP2_FIT[0]));
    // By −n − 1, the complement of n = below ≫ 8: for n = 15, (power + 2¹⁵) ≫ 16 = 0.
    vrshlq_s16(power, vmvnq_s16(vshrq_n_s16::<8>(below)))
}
