//! The token sequences that are decoded side by side, one for each of the decoder's slots.

use core::ops::Range;

use crate::arena::{Arena, size};
use crate::config::Config;
use crate::network::MOST_ROWS;

/// Tokens of each slot after the prompt, with their log probabilities, and what of them its cache
/// holds.
///
/// Keys and values depend on the tokens up to their position alone. So two slots whose tokens begin
/// alike have the same cache there, and a slot that becomes a copy of another takes over only what
/// comes after.
pub(crate) struct Sequences<'a> {
    tokens: &'a mut [u32],
    logprobs: &'a mut [f32],
    capacity: usize,
    /// Tokens of the prompt.
    prompt: usize,
    /// Positions of each slot's cache, the prompt's first, that hold its tokens; 0 is not even the
    /// prompt.
    held: [usize; MOST_ROWS],
}

impl<'a> Sequences<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config, slots: usize) -> usize {
        let count = slots * config.sample_len();
        size::<u32>(count) + size::<f32>(count)
    }

    /// Room for `slots` sequences; `None` when the arena is too small.
    pub(crate) fn take(config: &Config, slots: usize, arena: &mut Arena<'a>) -> Option<Self> {
        let capacity = config.sample_len();
        let (tokens, logprobs) = (arena.take(slots * capacity)?, arena.take(slots * capacity)?);
        Some(Self { tokens, logprobs, capacity, prompt: 0, held: [0; MOST_ROWS] })
    }

    /// Begins a window, whose prompt of so many tokens is in the first slot alone.
    pub(crate) fn start(&mut self, prompt: usize) {
        self.prompt = prompt;
        self.held = [0; MOST_ROWS];
        self.held[0] = prompt;
    }

    /// The first `len` tokens of a slot, the prompt not counted.
    pub(crate) fn tokens(&self, slot: usize, len: usize) -> &[u32] {
        &self.tokens[slot * self.capacity..][..len]
    }

    /// Log probabilities of [`tokens`](Self::tokens).
    pub(crate) fn logprobs(&self, slot: usize, len: usize) -> &[f32] {
        &self.logprobs[slot * self.capacity..][..len]
    }

    /// Makes `token` the one after the first `len` of a slot. Its cache no longer holds what came
    /// there before.
    pub(crate) fn push(&mut self, slot: usize, len: usize, token: u32, logprob: f32) {
        self.tokens[slot * self.capacity + len] = token;
        self.logprobs[slot * self.capacity + len] = logprob;
        self.held[slot] = self.held[slot].min(self.prompt + len);
    }

    /// The position of the token after the first `len`, which is fed to the slot's cache.
    pub(crate) fn feed(&mut self, slot: usize, len: usize) -> usize {
        let position = self.prompt + len;
        self.held[slot] = position + 1;
        position
    }

    /// Makes the first `len` tokens of slot `to` those of slot `from`, all of which are in its cache.
    /// Returns the positions in which the two caches differ.
    pub(crate) fn copy(&mut self, from: usize, to: usize, len: usize) -> Range<usize> {
        let (source, target) = (from * self.capacity, to * self.capacity);
        let held = self.held[to];
        let common = match held.checked_sub(self.prompt) {
            Some(held) => {
                let pairs = self.tokens(from, len).iter().zip(self.tokens(to, held));
                self.prompt + pairs.take_while(|(a, b)| a == b).count()
            }
            None => 0,
        };
        self.tokens.copy_within(source..source + len, target);
        self.logprobs.copy_within(source..source + len, target);
        self.held[to] = self.prompt + len;
        common..self.prompt + len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_takes_over_what_differs() {
        let config = Config { n_text_ctx: 16, ..Config::WHISPER };
        let mut memory = vec![0; Sequences::bytes(&config, 3) + 64];
        let mut sequences = Sequences::take(&config, 3, &mut Arena::new(&mut memory)).unwrap();
        sequences.start(4);
        for (len, token) in [7, 8, 9].into_iter().enumerate() {
            sequences.push(0, len, token, -0.5);
            assert_eq!(sequences.feed(0, len), 4 + len);
        }
        // A slot that holds nothing takes the prompt too.
        assert_eq!(sequences.copy(0, 1, 3), 0..7);
        assert_eq!(
            (sequences.tokens(1, 3), sequences.logprobs(1, 1)),
            (&[7, 8, 9][..], &[-0.5][..])
        );
        sequences.push(1, 2, 5, -1.0);
        sequences.feed(1, 2);
        assert_eq!(sequences.copy(0, 1, 3), 6..7);
        // A token that is not fed yet is not held.
        sequences.push(1, 1, 8, -1.0);
        assert_eq!(sequences.copy(0, 1, 3), 5..7);
        assert_eq!(sequences.copy(0, 1, 3), 7..7);
        // In the next window nothing of the last is left.
        sequences.start(4);
        assert_eq!(sequences.copy(0, 1, 0), 0..4);
        assert_eq!(sequences.copy(0, 1, 0), 4..4);
    }
}
