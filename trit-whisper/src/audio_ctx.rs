//! How much of its window the encoder computes.

use core::num::NonZero;

use crate::config::Config;
use crate::network::HOP;

/// Samples that an encoder position spans: two frames of the log-mel.
pub(crate) const POSITION: usize = 2 * HOP;

/// Encoder positions that a window is given. Fewer take less time, in proportion for linear layers
/// and by their square for attention.
///
/// Whisper was trained on full windows only. Audio with less silence after it than in training is
/// foreign to it: it may repeat itself, or leave out the end. A margin of 128 positions is what
/// users of whisper.cpp have found to be mostly safe with its `--audio-ctx`. Models that were
/// trained on windows of any length need none.
///
/// ```
/// use core::num::NonZero;
/// use trit_whisper::{AudioCtx, Config};
///
/// let config = Config { n_audio_ctx: 1500, ..Config::WHISPER };
/// let nine_seconds = 9 * 16_000;
/// assert_eq!(AudioCtx::Full.positions(&config, nine_seconds), 1500);
/// assert_eq!(AudioCtx::Auto.positions(&config, nine_seconds), 450 + AudioCtx::MARGIN);
/// assert_eq!(AudioCtx::Auto.positions(&config, 30 * 16_000), 1500);
///
/// // A number of positions makes windows shorter.
/// let half = AudioCtx::Positions(NonZero::new(750).unwrap());
/// assert_eq!((AudioCtx::Auto.window(&config), half.window(&config)), (480_000, 240_000));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AudioCtx {
    /// As many as the model has: audio is followed by silence up to the whole window.
    #[default]
    Full,
    /// Those of the audio and [`MARGIN`](Self::MARGIN) more.
    Auto,
    /// So many, or as many as the model has. Audio is cut into windows of this length.
    Positions(NonZero<usize>),
}

impl AudioCtx {
    /// Positions of silence, 2.56 s, that [`Auto`](Self::Auto) leaves after the audio.
    pub const MARGIN: usize = 128;

    /// Encoder positions for a window of so many samples.
    pub fn positions(self, config: &Config, samples: usize) -> usize {
        let most = config.audio_ctx();
        match self {
            Self::Full => most,
            Self::Auto => most.min(samples.div_ceil(POSITION).saturating_add(Self::MARGIN)),
            Self::Positions(positions) => most.min(positions.get()),
        }
    }

    /// Most samples of a window.
    pub fn window(self, config: &Config) -> usize {
        match self {
            Self::Full | Self::Auto => config.window(),
            Self::Positions(_) => self.positions(config, 0) * POSITION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stay_within_the_model() {
        let config = Config { n_audio_ctx: 100, ..Config::WHISPER };
        let fixed = |n| AudioCtx::Positions(NonZero::new(n).unwrap());
        assert_eq!(AudioCtx::Auto.positions(&config, usize::MAX), 100);
        assert_eq!(AudioCtx::Auto.positions(&config, 0), 100);
        assert_eq!(fixed(1).positions(&config, 9999), 1);
        assert_eq!(fixed(usize::MAX).positions(&config, 9999), 100);
        assert_eq!((fixed(1).window(&config), fixed(101).window(&config)), (320, 32_000));
        let config = Config { n_audio_ctx: 1500, ..config };
        assert_eq!(AudioCtx::Auto.positions(&config, 1), 129);
        assert_eq!(AudioCtx::Auto.positions(&config, 321), 130);
    }
}
