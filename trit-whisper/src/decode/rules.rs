//! Which tokens may come next, as in openai-whisper's `decoding.py`.

use trit_core::reference::sum;

use super::sampling::largest;
use super::{NEVER, math};
use crate::config::Config;
use crate::model::Model;
use crate::options::Options;

/// A set of token ids, one bit each.
pub(crate) struct Suppressed<'a> {
    bits: &'a mut [u32],
}

impl<'a> Suppressed<'a> {
    /// Words of memory for the set.
    pub(crate) const fn words(config: &Config) -> usize {
        config.vocab().div_ceil(32)
    }

    /// Tokens never chosen: the options', the model's, and all special tokens but `<|endoftext|>`
    /// and timestamps.
    ///
    /// openai-whisper lets language tokens pass, which are never right within a text.
    pub(crate) fn new(model: &Model<'_>, options: &Options<'_>, bits: &'a mut [u32]) -> Self {
        let config = model.config();
        bits.fill(0);
        let mut suppressed = Self { bits };
        suppressed.extend(config.eot + 1..config.timestamp_first);
        suppressed.extend(options.suppress.iter().copied());
        if options.suppress_listed {
            suppressed.extend(model.ids("whisper.suppress"));
        }
        suppressed
    }

    fn extend(&mut self, ids: impl Iterator<Item = u32>) {
        for id in ids {
            if let Some(word) = self.bits.get_mut(id as usize / 32) {
                *word |= 1 << (id % 32);
            }
        }
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
/// With timestamps, they come first, in pairs, never go back, and are forced when together they are
/// likelier than any text token. Without, they are ruled out, which openai-whisper leaves to
/// `<|notimestamps|>`.
pub(crate) fn apply_rules(
    model: &Model<'_>,
    options: &Options<'_>,
    suppressed: &Suppressed<'_>,
    sampled: &[u32],
    logits: &mut [f32],
) {
    let config = model.config();
    penalize_repetition(config, options, sampled, logits);
    suppressed.apply(logits);
    if sampled.is_empty() && options.suppress_blank {
        for id in model.ids("whisper.begin_suppress").chain([config.eot]) {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = NEVER;
            }
        }
    }
    let first = config.timestamp_first as usize;
    if options.timestamps {
        timestamp_rules(config, options, sampled, logits);
    } else {
        logits[first..].fill(NEVER);
    }
}

/// Makes text tokens that were sampled already less likely, and rules out those that would complete
/// a sequence of tokens a second time, as CTranslate2 does for faster-whisper.
fn penalize_repetition(
    config: &Config,
    options: &Options<'_>,
    sampled: &[u32],
    logits: &mut [f32],
) {
    let text = &mut logits[..config.eot as usize];
    let penalty = options.repetition_penalty;
    if penalty != 1.0 {
        for (at, &id) in sampled.iter().enumerate() {
            if let Some(logit) = text.get_mut(id as usize)
                && !sampled[..at].contains(&id)
            {
                *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
                // An infinity would make every probability NaN.
                *logit = logit.min(f32::MAX);
            }
        }
    }
    let n = options.no_repeat_ngram;
    if n > 0 && n <= sampled.len() {
        let last = &sampled[sampled.len() + 1 - n..];
        for ngram in sampled.windows(n) {
            let (&next, before) = (&ngram[n - 1], &ngram[..n - 1]);
            if before == last
                && let Some(logit) = text.get_mut(next as usize)
            {
                *logit = NEVER;
            }
        }
    }
}

fn timestamp_rules(config: &Config, options: &Options<'_>, sampled: &[u32], logits: &mut [f32]) {
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
        let most = (options.last_initial_timestamp(config) as usize).saturating_add(1);
        let most = most.min(logits.len());
        logits[most..].fill(NEVER);
    }
    let (text, stamps) = logits.split_at_mut(first);
    let (best_text, best_stamp) = (largest(text), largest(stamps));
    if best_stamp > NEVER {
        let together = sum(stamps.iter().map(|x| math::exp(x - best_stamp)));
        if best_stamp + libm::logf(together) > best_text {
            text.fill(NEVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text 0 to 3, the end 4, `<|notimestamps|>` 5, timestamps 6 to 11.
    const CONFIG: Config = Config {
        n_vocab: 12,
        eot: 4,
        no_timestamps: 5,
        timestamp_first: 6,
        max_initial_timestamp: 3,
        ..Config::WHISPER
    };

    /// The tokens that may follow `sampled`, as far as timestamps decide.
    fn allowed(options: &Options<'_>, sampled: &[u32], logits: [f32; 12]) -> Vec<u32> {
        let mut logits = logits;
        timestamp_rules(&CONFIG, options, sampled, &mut logits);
        (0..12).filter(|&id| logits[id as usize] > NEVER).collect()
    }

    /// Text is likelier than all timestamps together.
    const TEXT: [f32; 12] = [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];

    #[test]
    fn a_window_begins_with_an_early_timestamp() {
        let options = Options::default();
        assert_eq!(allowed(&options, &[], TEXT), [6, 7, 8, 9]);
        let early = Options { max_initial_timestamp: Some(320), ..options };
        assert_eq!(allowed(&early, &[], TEXT), [6, 7]);
        let late = Options { max_initial_timestamp: Some(usize::MAX), ..options };
        assert_eq!(allowed(&late, &[], TEXT), [6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn timestamps_come_in_pairs_and_never_go_back() {
        let after = |sampled: &[u32]| allowed(&Options::default(), sampled, TEXT);
        let text = [0, 1, 2, 3, 4, 5];
        // After the first timestamp comes text, and so after a pair.
        assert_eq!(after(&[7]), text);
        assert_eq!(after(&[7, 1, 8, 8]), text);
        // After text, whatever is later; time must have passed.
        assert_eq!(after(&[7, 1]), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]);
        // After a timestamp that ends text, its pair, a later one or the end.
        assert_eq!(after(&[7, 1, 9]), [4, 5, 9, 10, 11]);
        assert_eq!(after(&[7, 1, 11]), [4, 5, 11]);
    }

    #[test]
    fn timestamps_that_are_likelier_together_are_forced() {
        // Six timestamps of probability 1 each against a text token of 5 or 7.
        let mut logits = [0.0; 12];
        logits[0] = libm::logf(3.0);
        assert_eq!(allowed(&Options::default(), &[6, 1], logits), [7, 8, 9, 10, 11]);
        logits[0] = libm::logf(5.5);
        assert_eq!(allowed(&Options::default(), &[6, 1], logits).len(), 11);
    }

    #[test]
    fn repetition_is_penalized_in_text_alone() {
        let mut logits = TEXT;
        logits[1] = -2.0;
        let options = Options { repetition_penalty: 3.0, ..Options::default() };
        penalize_repetition(&CONFIG, &options, &[6, 0, 0, 1, 8], &mut logits);
        assert_eq!(logits[..4], [3.0, -6.0, 9.0, 9.0]);
        assert_eq!(logits[4..], TEXT[4..]);
        let options = Options { repetition_penalty: f32::MIN_POSITIVE, ..Options::default() };
        penalize_repetition(&CONFIG, &options, &[0, 1], &mut logits);
        assert!(logits.iter().all(|logit| logit.is_finite()), "{logits:?}");
    }

    #[test]
    fn what_would_complete_a_sequence_again_is_ruled_out() {
        let ruled_out = |n, sampled: &[u32]| {
            let mut logits = TEXT;
            let options = Options { no_repeat_ngram: n, ..Options::default() };
            penalize_repetition(&CONFIG, &options, sampled, &mut logits);
            (0..12).filter(|&id| logits[id as usize] == NEVER).collect::<Vec<u32>>()
        };
        let sampled = [6, 0, 1, 2, 8, 8, 0, 1];
        assert_eq!(ruled_out(3, &sampled), [2]);
        assert_eq!(ruled_out(2, &sampled), [2]);
        assert_eq!(ruled_out(1, &sampled), [0, 1, 2]);
        assert!(ruled_out(0, &sampled).is_empty() && ruled_out(4, &sampled).is_empty());
        assert!(ruled_out(9, &sampled).is_empty() && ruled_out(usize::MAX, &sampled).is_empty());
        // A pair of timestamps may come again: they are no text.
        assert!(ruled_out(2, &[6, 0, 8]).is_empty());
    }
}
