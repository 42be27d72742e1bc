//! A softmax's weights of a block of 64 positions in 16 bits, of which a vector holds twice as many as
//! of f32.

use trit_core::heads::BLOCK;
use trit_core::reference::math::{exp2_q14, multiply_q15};
use trit_core::reference::{LOWEST, code_factor};

use super::{Scalar, Token};

/// The largest exponential, in units of 2⁻¹⁴.
const MOST_EXP: i32 = exp2_q14(0) as i32;

// Two exponentials fit an i16.
const _: () = assert!(2 * MOST_EXP < 1 << 15);

/// What makes the weights of a block for each of M queries.
pub(crate) struct Block<'a, const M: usize> {
    /// Σ key number · query number for each key.
    pub(crate) dots: &'a [[i32; BLOCK]; M],
    /// score = dot · (factor · scale).
    pub(crate) factors: [f32; M],
    /// The keys' scales.
    pub(crate) scales: &'a [f32; BLOCK],
    /// The values' scales, as shares of the largest; none is negative.
    pub(crate) shares: &'a [i16; BLOCK],
    /// Positions in the context, 1 to 64; what the others hold does not matter.
    pub(crate) count: usize,
}

impl<const M: usize> Block<'_, M> {
    /// Gives positions beyond the context the lowest of scores.
    #[inline(always)]
    pub(super) fn mask(&self, scores: &mut [[f32; BLOCK]; M]) {
        if self.count < BLOCK {
            for scores in scores {
                scores[self.count..].fill(f32::MIN);
            }
        }
    }
}

/// What is known of a block's weights besides their codes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weights {
    /// The largest score.
    pub(crate) top: f32,
    /// Σ e, in units of 2⁻¹⁴.
    pub(crate) sum: i32,
    /// What made codes of weights.
    pub(crate) factor: i16,
    /// Σ code.
    pub(crate) codes: i32,
}

/// An instruction set's weights.
pub(crate) trait BlockWeights: Token {
    /// Codes, 0 to 127, of a block's weights, 0 beyond the context; as in
    /// `trit_core::reference::attention_u7`.
    ///
    /// In steps over all queries, since what one query's block takes waits for itself all along: for the
    /// largest score, for the largest weight.
    fn weights<const M: usize>(
        self,
        block: &Block<'_, M>,
        codes: &mut [[i8; BLOCK]; M],
    ) -> [Weights; M];
}

/// Gives levels a body each, a function of the same arguments whose features are among the level's own.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! block_weights {
    ($($level:ident: $body:ident;)+) => {$(
        impl $crate::arch::weights::BlockWeights for $level {
            #[inline(always)]
            fn weights<const M: usize>(
                self,
                block: &$crate::arch::weights::Block<'_, M>,
                codes: &mut [[i8; BLOCK]; M],
            ) -> [$crate::arch::weights::Weights; M] {
                // SAFETY: the token proves the level's instructions.
                unsafe { $body(block, codes) }
            }
        }
    )+};
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use block_weights;

impl BlockWeights for Scalar {
    #[inline(always)]
    fn weights<const M: usize>(
        self,
        block: &Block<'_, M>,
        codes: &mut [[i8; BLOCK]; M],
    ) -> [Weights; M] {
        let mut scores = [[0.0; BLOCK]; M];
        for ((scores, dots), factor) in scores.iter_mut().zip(block.dots).zip(block.factors) {
            for ((score, dot), scale) in scores.iter_mut().zip(dots).zip(block.scales) {
                *score = *dot as f32 * (factor * scale);
            }
        }
        block.mask(&mut scores);
        let mut found = [Weights::default(); M];
        for ((found, scores), codes) in found.iter_mut().zip(scores).zip(codes) {
            let top = scores.iter().fold(f32::MIN, |most, &x| if x > most { x } else { most });
            let (mut weights, mut most) = ([0; BLOCK], 0);
            for ((weight, score), &share) in weights.iter_mut().zip(scores).zip(block.shares) {
                let below = top - score;
                let below = if below < LOWEST { below } else { LOWEST };
                let e = exp2_q14(libm::rintf(below) as u16);
                found.sum += i32::from(e);
                *weight = multiply_q15(e, share);
                most = most.max(*weight);
            }
            found.top = top;
            found.factor = code_factor(most);
            for (code, weight) in codes.iter_mut().zip(weights) {
                *code = multiply_q15(weight, found.factor) as i8;
                found.codes += i32::from(*code);
            }
        }
        found
    }
}
