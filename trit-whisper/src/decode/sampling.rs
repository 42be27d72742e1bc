//! Choosing tokens by their logits, in `f32` operations that give the same bits everywhere.

use trit_core::reference::sum;

use super::{NEVER, math};

/// The softmax of a row of logits: their largest, and the logarithm of the sum of e to the
/// differences from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax {
    largest: f32,
    log_sum: f32,
}

impl Softmax {
    /// `None` if no logit may be chosen.
    pub(crate) fn new(logits: &[f32]) -> Option<Self> {
        let largest = largest(logits);
        if largest == NEVER {
            return None;
        }
        let total = sum(logits.iter().map(|x| math::exp(x - largest)));
        Some(Self { largest, log_sum: libm::logf(total) })
    }

    /// The log probability of a token with this logit.
    pub(crate) fn logprob(&self, logit: f32) -> f32 {
        (logit - self.largest) - self.log_sum
    }

    /// The probability of a token with this logit.
    pub(crate) fn probability(&self, logit: f32) -> f32 {
        if logit == NEVER { 0.0 } else { math::exp(self.logprob(logit)) }
    }
}

/// The largest of some logits.
pub(crate) fn largest(logits: &[f32]) -> f32 {
    logits.iter().fold(NEVER, |most, &x| if x > most { x } else { most })
}

/// The likeliest token, the first of several.
pub(crate) fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// The probability of `id` among all tokens; 0 if there is no such token.
pub(crate) fn probability(logits: &[f32], id: u32) -> f32 {
    match (Softmax::new(logits), logits.get(id as usize)) {
        (Some(softmax), Some(&logit)) => softmax.probability(logit),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_over_what_may_be_chosen() {
        let logits = [1.0, NEVER, 3.0, -2.0];
        let softmax = Softmax::new(&logits).unwrap();
        let probabilities = logits.map(|logit| softmax.probability(logit));
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(probabilities[1], 0.0);
        assert_eq!(softmax.logprob(NEVER), NEVER);
        assert_eq!(likeliest(&logits), 2);
        assert_eq!(probability(&logits, 4), 0.0);
        assert!(Softmax::new(&[NEVER; 3]).is_none());
    }

    #[test]
    fn of_equal_logits_the_first_is_the_likeliest() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0]), 1);
        assert_eq!(likeliest(&[NEVER, NEVER]), 0);
    }
}
