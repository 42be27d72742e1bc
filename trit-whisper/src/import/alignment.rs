//! Alignment heads of OpenAI's models, for checkpoints that do not list them: from `_ALIGNMENT_HEADS`
//! of openai-whisper, which chose the heads whose attention over the audio follows the words best.

use crate::Config;

type Heads = &'static [[u16; 2]];

/// Decoder blocks and heads for a model of this size, none for one of another. Of the three large
/// models the first two differ in weights alone; the second, which replaced the first, is assumed.
pub(super) fn heads(config: &Config) -> Heads {
    let multilingual = config.is_multilingual();
    match (config.n_text_layer, config.n_text_head, multilingual) {
        (4, 6, false) => TINY_EN,
        (4, 6, true) => TINY,
        (6, 8, false) => BASE_EN,
        (6, 8, true) => BASE,
        (12, 12, false) => SMALL_EN,
        (12, 12, true) => SMALL,
        (24, 16, false) => MEDIUM_EN,
        (24, 16, true) => MEDIUM,
        (32, 20, true) if config.n_mels == 80 => LARGE_V2,
        (32, 20, true) => LARGE_V3,
        (4, 20, true) => LARGE_V3_TURBO,
        _ => &[],
    }
}

const TINY_EN: Heads = &[[1, 0], [2, 0], [2, 5], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]];
const TINY: Heads = &[[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]];
const BASE_EN: Heads = &[[3, 3], [4, 7], [5, 1], [5, 5], [5, 7]];
const BASE: Heads = &[[3, 1], [4, 2], [4, 3], [4, 7], [5, 1], [5, 2], [5, 4], [5, 6]];
#[rustfmt::skip]
const SMALL_EN: Heads = &[
    [6, 6], [7, 0], [7, 3], [7, 8], [8, 2], [8, 5], [8, 7], [9, 0], [9, 4], [9, 8], [9, 10],
    [10, 0], [10, 1], [10, 2], [10, 3], [10, 6], [10, 11], [11, 2], [11, 4],
];
#[rustfmt::skip]
const SMALL: Heads = &[
    [5, 3], [5, 9], [8, 0], [8, 4], [8, 7], [8, 8], [9, 0], [9, 7], [9, 9], [10, 5],
];
#[rustfmt::skip]
const MEDIUM_EN: Heads = &[
    [11, 4], [14, 1], [14, 12], [14, 14], [15, 4], [16, 0], [16, 4], [16, 9], [17, 12], [17, 14],
    [18, 7], [18, 10], [18, 15], [20, 0], [20, 3], [20, 9], [20, 14], [21, 12],
];
const MEDIUM: Heads = &[[13, 15], [15, 4], [15, 15], [16, 1], [20, 0], [23, 4]];
#[rustfmt::skip]
const LARGE_V2: Heads = &[
    [10, 12], [13, 17], [16, 11], [16, 12], [16, 13], [17, 15], [17, 16], [18, 4], [18, 11],
    [18, 19], [19, 11], [21, 2], [21, 3], [22, 3], [22, 9], [22, 12], [23, 5], [23, 7], [23, 13],
    [25, 5], [26, 1], [26, 12], [27, 15],
];
#[rustfmt::skip]
const LARGE_V3: Heads = &[
    [7, 0], [10, 17], [12, 18], [13, 12], [16, 1], [17, 14], [19, 11], [21, 4], [24, 1], [25, 6],
];
const LARGE_V3_TURBO: Heads = &[[2, 4], [2, 11], [3, 3], [3, 6], [3, 11], [3, 14]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_heads_are_of_their_model() {
        for (layers, count, mels) in [
            (4, 6, 80),
            (6, 8, 80),
            (12, 12, 80),
            (24, 16, 80),
            (32, 20, 80),
            (32, 20, 128),
            (4, 20, 128),
        ] {
            for language_first in [50_259, Config::NO_LANGUAGES] {
                let (n_text_layer, n_text_head) = (layers.into(), count.into());
                let config = Config {
                    n_mels: mels,
                    n_text_layer,
                    n_text_head,
                    language_first,
                    ..Config::WHISPER
                };
                let found = heads(&config);
                // There is no large English model.
                assert_eq!(found.is_empty(), count == 20 && !config.is_multilingual());
                assert!(found.iter().all(|&[layer, head]| layer < layers && head < count));
                assert!(found.is_sorted());
            }
        }
        assert!(heads(&Config { n_text_layer: 2, n_text_head: 5, ..Config::WHISPER }).is_empty());
    }
}
