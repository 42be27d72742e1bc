//! Whisper's decoding rules and greedy choice, as in openai-whisper's `decoding.py`.

use trit_core::reference::{math, sum};

use crate::config::Config;
use crate::model::Model;

/// A logit that cannot be chosen.
const NEVER: f32 = f32::NEG_INFINITY;

/// A set of token ids, one bit each.
pub(crate) struct Suppressed<'a> {
    bits: &'a mut [u32],
}

impl<'a> Suppressed<'a> {
    /// Tokens never chosen: the model's list, and all specials but `<|endoftext|>` and timestamps.
    pub(crate) fn new(model: &Model<'_>, bits: &'a mut [u32]) -> Self {
        let config = model.config();
        bits.fill(0);
        let specials = config.eot + 1..config.timestamp_first;
        for id in model.ids("whisper.suppress").chain(specials) {
            if let Some(word) = bits.get_mut(id as usize / 32) {
                *word |= 1 << (id % 32);
            }
        }
        Self { bits }
    }

    fn apply(&self, logits: &mut [f32]) {
        for (logits, &word) in logits.chunks_mut(32).zip(self.bits.iter()) {
            let mut left = word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                if let Some(logit) = logits.get_mut(bit) {
                    *logit = NEVER;
                }
                left &= left - 1;
            }
        }
    }
}

/// Rules out the tokens that may not follow `sampled`.
///
/// Without `timestamps` all timestamp tokens are ruled out; with them, they come first, in pairs,
/// never go back, and are forced when together they are likelier than any text token.
pub(crate) fn apply_rules(
    model: &Model<'_>,
    suppressed: &Suppressed<'_>,
    timestamps: bool,
    sampled: &[u32],
    logits: &mut [f32],
) {
    let config = model.config();
    suppressed.apply(logits);
    if sampled.is_empty() {
        // Not nothing, and not a blank, at the very beginning.
        for id in model.ids("whisper.begin_suppress").chain([config.eot]) {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = NEVER;
            }
        }
    }
    let first = config.timestamp_first as usize;
    if timestamps {
        timestamp_rules(config, sampled, logits);
    } else {
        logits[first..].fill(NEVER);
    }
}

fn timestamp_rules(config: &Config, sampled: &[u32], logits: &mut [f32]) {
    let (first, eot) = (config.timestamp_first as usize, config.eot as usize);
    let is_timestamp = |id: &u32| *id as usize >= first;
    let last = sampled.last().is_some_and(is_timestamp);
    // Before the second token there is nothing to pair with.
    let before = sampled.len() < 2 || is_timestamp(&sampled[sampled.len() - 2]);
    if last && before {
        logits[first..].fill(NEVER);
    } else if last {
        logits[..eot].fill(NEVER);
    }
    if let Some(&latest) = sampled.iter().rev().find(|id| is_timestamp(id)) {
        // A pair's end may start the next pair; otherwise time must pass.
        let allowed = latest as usize + usize::from(!last || before);
        let allowed = allowed.min(logits.len());
        logits[first..allowed].fill(NEVER);
    }
    if sampled.is_empty() {
        logits[..first].fill(NEVER);
        let most = first.saturating_add(config.max_initial_timestamp as usize).saturating_add(1);
        let most = most.min(logits.len());
        logits[most..].fill(NEVER);
    }
    let (text, stamps) = logits.split_at_mut(first);
    let largest = |x: &[f32]| x.iter().fold(NEVER, |most, &x| if x > most { x } else { most });
    let (best_text, best_stamp) = (largest(text), largest(stamps));
    if best_stamp > NEVER {
        let together = sum(stamps.iter().map(|x| math::exp(x - best_stamp)));
        if best_stamp + libm::logf(together) > best_text {
            text.fill(NEVER);
        }
    }
}

/// The likeliest token and its log probability among those that are not ruled out.
pub(crate) fn greedy(logits: &[f32]) -> (u32, f32) {
    let mut best = 0;
    for (id, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = id;
        }
    }
    // The best logit is the largest, so its own term is exp(0).
    let total = sum(logits.iter().map(|x| math::exp(x - logits[best])));
    (best as u32, -libm::logf(total))
}

/// The probability of `id` among all tokens.
pub(crate) fn probability(logits: &[f32], id: u32) -> f32 {
    let (_, log_best) = greedy(logits);
    let most = logits.iter().fold(NEVER, |most, &x| if x > most { x } else { most });
    math::exp(logits[id as usize] - most) * math::exp(log_best)
}
