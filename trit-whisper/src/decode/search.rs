//! One attempt at a window: greedy, by sampling several sequences, or by beam search, as in
//! openai-whisper's `decoding.py`.

use heapless::Vec;

use super::beam::{self, Candidate};
use super::rules::{Suppressed, apply_rules};
use super::sampling::{Random, Softmax, draw, likeliest};
use super::sequences::Sequences;
use crate::arena::{Arena, size};
use crate::config::Config;
use crate::error::Error;
use crate::model::Model;
use crate::network::{Compute, Decoder, MOST_ROWS, Row, Scratch};
use crate::options::Options;

/// What decoding runs on.
pub(crate) struct Machine<'s, 'm, 'a> {
    pub(crate) compute: &'s Compute<'m>,
    pub(crate) model: &'s Model<'m>,
    pub(crate) options: &'s Options<'m>,
    pub(crate) decoder: &'s mut Decoder<'a>,
    pub(crate) scratch: &'s mut Scratch<'a>,
}

impl Machine<'_, '_, '_> {
    /// Feeds tokens and computes the logits of some of them.
    pub(crate) fn feed(&mut self, rows: &[Row]) -> Result<(), Error> {
        self.decoder.feed(self.compute, self.model, rows, self.scratch)
    }

    /// Logits after the rows of those fed last.
    pub(crate) fn logits(&mut self, rows: core::ops::Range<usize>) -> Result<&mut [f32], Error> {
        self.decoder.logits(self.compute, self.model, rows, self.scratch)
    }
}

/// A sequence that goes on.
#[derive(Debug, Clone, Copy)]
struct Live {
    slot: usize,
    /// Sum of its tokens' log probabilities.
    sum: f32,
    /// Which of the sequences drawn side by side it is.
    index: usize,
}

/// A sequence that goes on with another token.
#[derive(Debug, Clone, Copy)]
struct Child {
    /// Which of the live sequences it goes on from.
    source: usize,
    token: u32,
    logprob: f32,
    sum: f32,
    index: usize,
}

type Few<T> = Vec<T, MOST_ROWS>;

/// The best sequence of an attempt; its tokens are [`Search::tokens`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Best {
    pub(crate) len: usize,
    /// Sum of log probabilities, the end's included if it has ended by itself.
    pub(crate) sum: f32,
    /// Tokens decoded, of all sequences.
    pub(crate) decoded: usize,
    score: f64,
}

/// Buffers and state of a search.
pub(crate) struct Search<'a> {
    suppressed: Suppressed<'a>,
    sequences: Sequences<'a>,
    candidates: &'a mut [Candidate],
    tokens: &'a mut [u32],
    logprobs: &'a mut [f32],
}

impl<'a> Search<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config, options: &Options<'_>) -> usize {
        size::<u32>(Suppressed::words(config))
            + Sequences::bytes(config, options.slots())
            + size::<Candidate>(beam::candidates(options.beam_size))
            + size::<u32>(config.sample_len())
            + size::<f32>(config.sample_len())
    }

    /// Room for a search; `None` when the arena is too small.
    pub(crate) fn take(
        model: &Model<'_>,
        options: &Options<'_>,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let config = model.config();
        let bits = arena.take(Suppressed::words(config))?;
        Some(Self {
            suppressed: Suppressed::new(model, options, bits),
            sequences: Sequences::take(config, options.slots(), arena)?,
            candidates: arena.take(beam::candidates(options.beam_size))?,
            tokens: arena.take(config.sample_len())?,
            logprobs: arena.take(config.sample_len())?,
        })
    }

    /// Begins a window, whose prompt of so many tokens is in the first slot.
    pub(crate) fn start(&mut self, prompt: usize) {
        self.sequences.start(prompt);
    }

    /// The tokens of the best sequence, without the end, and their log probabilities.
    pub(crate) fn best(&self, len: usize) -> (&[u32], &[f32]) {
        (&self.tokens[..len], &self.logprobs[..len])
    }

    /// Decodes at `temperature`. The logits that follow the prompt, in the first slot, are those
    /// computed last.
    pub(crate) fn run(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        prompt: usize,
        temperature: f32,
        random: Random,
    ) -> Result<Best, Error> {
        let (config, options) = (machine.model.config(), machine.options);
        let by_beams = temperature == 0.0 && options.beam_size.max(options.beam_candidates()) > 1;
        let most = options.sample_len(config);
        let mut best = Best { len: 0, sum: 0.0, decoded: 0, score: f64::NEG_INFINITY };
        let mut live = Few::<Live>::new();
        // There is room for one.
        let _ = live.push(Live { slot: 0, sum: 0.0, index: 0 });
        let (mut len, mut finished) = (0, 0);
        loop {
            let children = if by_beams {
                self.extend_beams(machine, &live, len, &mut best, &mut finished)
            } else {
                self.extend_samples(machine, &live, len, temperature, random, &mut best)
            };
            best.decoded += children.len();
            if children.is_empty() && !by_beams {
                live.clear();
                break;
            }
            live = self.regroup(machine, &live, &children, len);
            len += 1;
            let done = by_beams && finished >= options.beam_candidates();
            if live.is_empty() || done || len >= most || prompt + len > config.text_ctx() {
                break;
            }
            let mut rows = Few::<Row>::new();
            for &Live { slot, .. } in &live {
                let token = self.sequences.tokens(slot, len)[len - 1];
                let position = self.sequences.feed(slot, len - 1);
                // As many as live sequences.
                let _ = rows.push(Row { token, slot, position });
            }
            machine.feed(&rows)?;
            machine.logits(0..rows.len())?;
        }
        // Beams that did not end count only where too few did.
        for &Live { slot, sum, .. } in &live {
            if !by_beams || finished < options.beam_size {
                self.offer(options, slot, len, sum, &mut best);
                finished += 1;
            }
        }
        Ok(best)
    }

    /// The likeliest continuations of all beams together. Sequences that end are kept if they are
    /// the best so far, as long as the list of candidates is not full.
    fn extend_beams(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        live: &[Live],
        len: usize,
        best: &mut Best,
        finished: &mut usize,
    ) -> Few<Child> {
        let (config, options) = (machine.model.config(), machine.options);
        let logits = machine.decoder.computed();
        let mut found = 0;
        for (source, (beam, logits)) in
            live.iter().zip(logits.chunks_exact_mut(config.vocab())).enumerate()
        {
            let sampled = self.sequences.tokens(beam.slot, len);
            apply_rules(machine.model, options, &self.suppressed, sampled, logits);
            let room = (found + options.beam_size + 1).min(self.candidates.len());
            let to = &mut self.candidates[found..room];
            found += beam::likeliest_few(logits, source, beam.sum, to);
        }
        beam::sort(&mut self.candidates[..found]);
        let mut children = Few::new();
        for at in 0..found {
            let Candidate { score: sum, logprob, token, source } = self.candidates[at];
            let source = source as usize;
            if token == config.eot {
                if *finished < options.beam_candidates() {
                    *finished += 1;
                    self.offer(options, live[source].slot, len, sum, best);
                }
            } else if children.len() < options.beam_size {
                let index = children.len();
                // No more than beams.
                let _ = children.push(Child { source, token, logprob, sum, index });
            }
            if children.len() == options.beam_size {
                break;
            }
        }
        children
    }

    /// A token after each sequence: the likeliest at temperature 0, else one drawn. Sequences that
    /// end are kept if they are the best so far.
    fn extend_samples(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        live: &[Live],
        len: usize,
        temperature: f32,
        random: Random,
        best: &mut Best,
    ) -> Few<Child> {
        let (config, options) = (machine.model.config(), machine.options);
        let logits = machine.decoder.computed();
        let mut children = Few::new();
        for (source, (sequence, logits)) in
            live.iter().zip(logits.chunks_exact_mut(config.vocab())).enumerate()
        {
            let Live { slot, sum, index } = *sequence;
            let sampled = self.sequences.tokens(slot, len);
            apply_rules(machine.model, options, &self.suppressed, sampled, logits);
            let Some(softmax) = Softmax::new(logits) else {
                // Where no token may come next, the sequence has ended.
                self.offer(options, slot, len, sum, best);
                continue;
            };
            // At first all sequences are one.
            let indices = match (len, temperature > 0.0) {
                (0, true) => 0..options.best_of,
                _ => index..index + 1,
            };
            for index in indices {
                let token = if temperature > 0.0 {
                    draw(logits, temperature, random.of(index).of(len).uniform())
                } else {
                    likeliest(logits)
                };
                let logprob = softmax.logprob(logits[token as usize]);
                let sum = sum + logprob;
                if token == config.eot {
                    self.offer(options, slot, len, sum, best);
                } else {
                    // No more than slots.
                    let _ = children.push(Child { source, token, logprob, sum, index });
                }
            }
        }
        children
    }

    /// Gives each child a slot, with what its sequence holds, and adds its token. The first child of
    /// a sequence stays in its slot.
    fn regroup(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        live: &[Live],
        children: &[Child],
        len: usize,
    ) -> Few<Live> {
        let slots = machine.options.slots();
        let has_child = |slot: usize| children.iter().any(|child| live[child.source].slot == slot);
        let mut free = (0..slots).filter(|&slot| !has_child(slot));
        let mut next = Few::new();
        for (at, child) in children.iter().enumerate() {
            let from = live[child.source].slot;
            let is_first = children[..at].iter().all(|other| other.source != child.source);
            let slot = if is_first { Some(from) } else { free.next() };
            // There are no more children than slots.
            let Some(slot) = slot else { break };
            if slot != from {
                let positions = self.sequences.copy(from, slot, len);
                machine.decoder.copy(from, slot, positions);
            }
            let _ = next.push(Live { slot, sum: child.sum, index: child.index });
        }
        for (live, child) in next.iter().zip(children) {
            self.sequences.push(live.slot, len, child.token, child.logprob);
        }
        next
    }

    /// Keeps a sequence that is better than the best so far.
    fn offer(&mut self, options: &Options<'_>, slot: usize, len: usize, sum: f32, best: &mut Best) {
        let score = score(options.length_penalty, len, sum);
        // The first one is kept whatever it is.
        if score > best.score || best.score == f64::NEG_INFINITY {
            *best = Best { len, sum, score, ..*best };
            self.tokens[..len].copy_from_slice(self.sequences.tokens(slot, len));
            self.logprobs[..len].copy_from_slice(self.sequences.logprobs(slot, len));
        }
    }
}

/// How good a sequence is: its sum of log probabilities by its length, or by ((5 + length) / 6) to
/// the power of the penalty (Wu et al. 2016, arXiv:1609.08144, equation 14).
fn score(length_penalty: Option<f32>, len: usize, sum: f32) -> f64 {
    let len = len as f64;
    let penalty = match length_penalty {
        None => len.max(1.0),
        Some(alpha) => libm::pow((5.0 + len) / 6.0, alpha.into()),
    };
    f64::from(sum) / penalty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_sequences_are_divided_by_more() {
        assert_eq!(score(None, 4, -2.0), -0.5);
        assert_eq!(score(None, 0, -2.0), -2.0);
        assert_eq!(score(Some(0.0), 40, -2.0), -2.0);
        assert_eq!(score(Some(1.0), 7, -2.0), -1.0);
    }
}
