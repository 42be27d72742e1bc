//! Beam search, as in openai-whisper's `BeamSearchDecoder`; patience as in Kasai et al. 2022,
//! arXiv:2204.05424.

use bytemuck::{Pod, Zeroable};

use super::NEVER;
use super::sampling::Softmax;

/// A token that may follow one of the live sequences.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Candidate {
    /// Sum of log probabilities of the sequence with it.
    pub(crate) score: f32,
    /// Its own log probability.
    pub(crate) logprob: f32,
    pub(crate) token: u32,
    /// Index of the live sequence.
    pub(crate) source: u32,
}

/// Candidates of a beam of this size: one more a sequence than there are beams, since one may be
/// the end.
pub(crate) const fn candidates(beam_size: usize) -> usize {
    beam_size * (beam_size + 1)
}

/// Writes the likeliest tokens after a sequence, likeliest first, as far as `to` has room. Returns
/// how many there are.
pub(crate) fn likeliest_few(
    logits: &[f32],
    source: usize,
    sum: f32,
    to: &mut [Candidate],
) -> usize {
    let Some(softmax) = Softmax::new(logits) else { return 0 };
    let mut len = 0;
    // While they are found, `score` is the logit.
    for (token, &logit) in (0..).zip(logits) {
        if logit == NEVER || (len == to.len() && to.last().is_none_or(|last| logit <= last.score)) {
            continue;
        }
        len = (len + 1).min(to.len());
        let mut at = len - 1;
        while at > 0 && to[at - 1].score < logit {
            to[at] = to[at - 1];
            at -= 1;
        }
        to[at] = Candidate { score: logit, logprob: 0.0, token, source: source as u32 };
    }
    for candidate in &mut to[..len] {
        candidate.logprob = softmax.logprob(candidate.score);
        candidate.score = sum + candidate.logprob;
    }
    len
}

/// Sorts candidates by score, highest first; of equal ones, that of the earlier sequence and the
/// lower token comes first.
pub(crate) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(|a, b| {
        let order = b.score.total_cmp(&a.score);
        order.then(a.source.cmp(&b.source)).then(a.token.cmp(&b.token))
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn few(logits: &[f32], room: usize) -> Vec<(u32, f32)> {
        let mut to = vec![Candidate::zeroed(); room];
        let len = likeliest_few(logits, 1, -2.0, &mut to);
        assert!(to[..len].iter().all(|c| c.source == 1 && c.score == -2.0 + c.logprob));
        to[..len].iter().map(|c| (c.token, c.logprob)).collect()
    }

    #[test]
    fn the_likeliest_tokens_come_in_order() {
        let logits = [1.0, NEVER, 3.0, 3.0, -1.0, 2.0];
        let tokens = |room| few(&logits, room).iter().map(|&(token, _)| token).collect::<Vec<_>>();
        assert_eq!(tokens(3), [2, 3, 5]);
        assert_eq!(tokens(1), [2]);
        assert_eq!(tokens(9), [2, 3, 5, 0, 4]);
        assert!(tokens(0).is_empty() && few(&[NEVER; 4], 2).is_empty());
        let total: f32 = few(&logits, 9).iter().map(|&(_, logprob)| logprob.exp()).sum();
        assert!((total - 1.0).abs() < 1e-6);
    }

    #[test]
    fn equal_scores_are_ordered_too() {
        let candidate = |score, source, token| Candidate { score, logprob: 0.0, token, source };
        let mut all = [
            candidate(-1.0, 1, 4),
            candidate(-1.0, 0, 9),
            candidate(-0.5, 2, 0),
            candidate(-1.0, 0, 3),
        ];
        sort(&mut all);
        let order = all.map(|c| (c.source, c.token));
        assert_eq!(order, [(2, 0), (0, 3), (0, 9), (1, 4)]);
    }

    proptest! {
        #[test]
        fn the_few_are_the_first_of_all(
            logits in prop::collection::vec(
                prop_oneof![5 => -9.0f32..9.0, 1 => Just(NEVER), 2 => Just(1.5)],
                0..60,
            ),
            room in 0usize..34,
        ) {
            let mut all: std::vec::Vec<_> = (0u32..).zip(&logits).filter(|(_, x)| **x > NEVER).collect();
            all.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(&b.0)));
            let expected: std::vec::Vec<_> = all.iter().take(room).map(|&(token, _)| token).collect();
            let found = few(&logits, room);
            let tokens: std::vec::Vec<_> = found.iter().map(|&(token, _)| token).collect();
            prop_assert_eq!(tokens, expected);
            prop_assert!(found.iter().all(|&(_, logprob)| logprob <= 1e-6));
        }
    }
}
