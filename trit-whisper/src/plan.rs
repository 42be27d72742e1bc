//! How much memory a transcription takes, before it begins.

use trit_core::HeadShape;
use trit_core::reference::{FFT_SIZE, LANES};

use crate::arena::{ALIGNMENT, size};
use crate::cache::{Cache, Precision};
use crate::config::Config;
use crate::decode::prompt::Context;
use crate::decode::window::WindowDecoder;
use crate::options::Options;
use crate::scratch::Scratch;

/// Bytes of each part of the arena; weights are read where they lie and are not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Log-mel of a window.
    pub mel: usize,
    /// Residual stream of the encoder, and keys and values of one block.
    pub encoder: usize,
    /// Keys and values of the audio for every decoder block.
    pub cross_cache: usize,
    /// Keys and values of the tokens for every decoder block and sequence.
    pub self_cache: usize,
    /// Logits, prompts, sequences of tokens and their text.
    pub decoding: usize,
    /// Buffers of one chunk of tokens for each thread, shared by encoder and decoder.
    pub scratch: usize,
}

impl MemoryPlan {
    /// The plan for a model of this configuration on one thread.
    pub fn new(config: &Config) -> Self {
        Self::with_threads(config, 1)
    }

    /// The plan for `threads` threads, each of which needs scratch of its own, and the default
    /// precision.
    pub fn with_threads(config: &Config, threads: usize) -> Self {
        Self::with_precision(config, threads, Precision::default())
    }

    /// As [`with_threads`](Self::with_threads), with keys and values in `precision`.
    pub fn with_precision(config: &Config, threads: usize, precision: Precision) -> Self {
        Self::with_options(config, threads, &Options { precision, ..Options::default() })
    }

    /// The plan for `threads` threads and these options.
    pub fn with_options(config: &Config, threads: usize, options: &Options<'_>) -> Self {
        let precision = options.precision;
        let (d, mels) = (config.state(), config.n_mels as usize);
        let ctx = config.audio_ctx();
        let layers = config.n_text_layer as usize;
        let keys_and_values =
            |shape: Option<HeadShape>| shape.map_or(0, |shape| Cache::bytes(&shape, precision));
        Self {
            mel: size::<f32>((config.frames() + 2) * mels)
                + size::<[f32; LANES]>(FFT_SIZE)
                + size::<[f32; LANES]>(mels),
            encoder: size::<f32>(ctx * d) + keys_and_values(config.encoder_heads()),
            cross_cache: layers * keys_and_values(config.cross_heads()),
            self_cache: layers * keys_and_values(config.text_heads(options.slots())),
            decoding: size::<f32>(options.slots() * config.vocab())
                + Context::bytes(config)
                + WindowDecoder::bytes(config, options),
            scratch: Scratch::bytes(config, threads, precision),
        }
    }

    /// Bytes of the whole arena, with what aligning its start may cost.
    pub fn total(&self) -> usize {
        let Self { mel, encoder, cross_cache, self_cache, decoding, scratch } = self;
        mel + encoder + cross_cache + self_cache + decoding + scratch + ALIGNMENT
    }
}
