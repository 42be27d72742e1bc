//! Finds transcripts that go in circles.

use crate::config::Config;

/// Windows in a row that say the same.
const MANY: u32 = 3;

/// The text that windows have had.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Repeats {
    /// A hash of the last window's text.
    last: u64,
    /// How many windows in a row have had it.
    times: u32,
}

impl Repeats {
    /// Notes a window's tokens. Returns whether it is the third in a row, or a later one, with the
    /// very same text: a model that says so of audio that differs is in a loop, which its own text in
    /// the prompt keeps it in.
    pub(crate) fn see(&mut self, config: &Config, tokens: &[u32]) -> bool {
        let text = tokens.iter().filter(|&&id| id < config.eot);
        // FNV-1a over 64 bits, a token at a time. Nothing breaks when two texts have the same.
        let hash = text.clone().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &id| {
            (hash ^ u64::from(id)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        self.times = if hash == self.last { self.times.saturating_add(1) } else { 1 };
        self.last = hash;
        self.times >= MANY && text.count() > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_third_window_of_the_same_text_is_a_loop() {
        let config = Config { eot: 100, ..Config::WHISPER };
        let mut repeats = Repeats::default();
        let mut see = |tokens: &[u32]| repeats.see(&config, tokens);
        assert!(!see(&[1, 2]) && !see(&[2, 1]) && !see(&[2, 1]));
        // Other timestamps make no other text.
        assert!(see(&[101, 2, 1, 102]) && see(&[2, 1]) && !see(&[1, 2]));
        assert!(!see(&[]) && !see(&[]) && !see(&[]) && !see(&[101]));
    }

    proptest! {
        #[test]
        fn a_loop_is_three_texts_in_a_row(
            windows in prop::collection::vec(prop::collection::vec(98u32..104, 0..3), 0..30),
        ) {
            let config = Config { eot: 100, ..Config::WHISPER };
            let mut repeats = Repeats::default();
            let text = |tokens: &[u32]| -> std::vec::Vec<u32> {
                tokens.iter().copied().filter(|&id| id < config.eot).collect()
            };
            for (at, window) in windows.iter().enumerate() {
                let same = |before: usize| text(&windows[before]) == text(window);
                let expected = !text(window).is_empty() && at >= 2 && same(at - 1) && same(at - 2);
                prop_assert_eq!(repeats.see(&config, window), expected, "{} of {:?}", at, windows);
            }
        }
    }
}
