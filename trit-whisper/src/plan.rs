//! How much memory a transcription takes, before it begins.

use trit_core::HeadShape;

use crate::arena::{ALIGNMENT, size};
use crate::config::Config;
use crate::decode::prompt::Context;
use crate::decode::window::WindowDecoder;
use crate::model::Model;
use crate::network::{Cache, Features, Precision, Scratch, mel};
use crate::options::Options;
use crate::words::WordTimes;

/// Bytes of each part of the arena; weights are read where they lie and are not part of it.
///
/// A window of audio passes through three phases, and what is needed in none of the same lies in the
/// same memory:
///
/// | | encoding | keys and values of the audio | decoding |
/// |---|---|---|---|
/// | one region | `mel`, `encoder_cache` | `cross_cache` | `cross_cache` |
/// | another | `encoder` | `encoder` | `self_cache` |
/// | always | `scratch` | `scratch` | `scratch`, `decoding` |
///
/// Where it saves memory, as with few decoder blocks for the encoder's width, `encoder` is in the one region,
/// and `features` are made of it in the other.
///
/// ```
/// use trit_whisper::{Config, MemoryPlan, Precision};
///
/// let small = Config {
///     n_mels: 80,
///     n_audio_ctx: 1500,
///     n_audio_state: 768,
///     n_audio_head: 12,
///     n_audio_layer: 12,
///     n_vocab: 51_865,
///     n_text_ctx: 448,
///     n_text_state: 768,
///     n_text_head: 12,
///     n_text_layer: 12,
///     ..Config::WHISPER
/// };
/// let plan = MemoryPlan::new(&small);
/// assert!(plan.total() < 41_000_000);
/// // All of it is in use while tokens are decoded; encoding takes a quarter.
/// assert!(plan.total() - plan.decoding_phase() <= 64);
/// assert!(4 * plan.encoding_phase() < plan.total());
/// assert!(plan.cross_phase() < plan.decoding_phase());
///
/// // A thread more is scratch more, and nothing else.
/// let two = MemoryPlan::with_threads(&small, 2);
/// assert_eq!(MemoryPlan { scratch: plan.scratch, ..two }, plan);
/// assert!(two.scratch > plan.scratch);
/// // Keys and values as floats take four times as much, but for the scales.
/// let float = MemoryPlan::with_precision(&small, 1, Precision::Float);
/// assert!(float.cross_cache > 3 * plan.cross_cache);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Log-mel of a window, and the buffers it is computed in.
    pub mel: usize,
    /// Residual stream of the encoder.
    pub encoder: usize,
    /// Keys and values of one encoder block.
    pub encoder_cache: usize,
    /// The encoder's output in 8 bits, where that saves memory: the weights that take it must be known to be
    /// integers. Otherwise it stays the residual stream that it is, and this is 0.
    pub features: usize,
    /// Keys and values of the audio for every decoder block.
    pub cross_cache: usize,
    /// Keys and values of the tokens for every decoder block and sequence.
    pub self_cache: usize,
    /// Logits, prompts, sequences of tokens and their text.
    pub decoding: usize,
    /// Queries and costs for the times of words, if they are asked for.
    pub words: usize,
    /// Buffers of one chunk of tokens for each thread, shared by encoder and decoder.
    pub scratch: usize,
}

impl MemoryPlan {
    /// The plan for any model of this configuration on one thread. [`with_options`](Self::with_options)
    /// knows the model, and may need less.
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
        Self::of(config, threads, &Options { precision, ..Options::default() }, 0, false)
    }

    /// The plan for a model, `threads` threads and these options.
    pub fn with_options(model: &Model<'_>, threads: usize, options: &Options<'_>) -> Self {
        let (heads, integer) = (model.alignment_heads().count(), model.hears_integers());
        Self::of(model.config(), threads, options, heads, integer)
    }

    fn of(
        config: &Config,
        threads: usize,
        options: &Options<'_>,
        heads: usize,
        integer: bool,
    ) -> Self {
        let precision = options.precision;
        let blocks = config.n_text_layer as usize;
        let cache =
            |shape: Option<HeadShape>| shape.map_or(0, |shape| Cache::bytes(&shape, precision));
        let plan = Self {
            mel: mel::bytes(config),
            encoder: size::<f32>(config.audio_ctx() * config.state()),
            encoder_cache: cache(config.encoder_heads()),
            features: 0,
            // Where a pointer has 32 bits, a large model's may be more than can be counted.
            cross_cache: cache(config.cross_heads()).saturating_mul(blocks),
            self_cache: cache(config.text_heads(options.slots())).saturating_mul(blocks),
            decoding: size::<f32>(options.slots() * config.vocab())
                + Context::bytes(config)
                + WindowDecoder::bytes(config, options),
            words: if options.words { WordTimes::bytes(config, heads) } else { 0 },
            scratch: Scratch::bytes(config, threads, precision),
        };
        let apart = Self { features: Features::bytes(config), ..plan };
        if integer && apart.total() < plan.total() { apart } else { plan }
    }

    /// Bytes in use while a window is encoded.
    pub fn encoding_phase(&self) -> usize {
        sum([self.scratch, self.mel, self.encoder_cache, self.encoder])
    }

    /// Bytes in use while the audio's keys and values are computed.
    pub fn cross_phase(&self) -> usize {
        let features = if self.has_features() { self.features } else { self.encoder };
        sum([self.scratch, features, self.cross_cache])
    }

    /// Bytes in use while tokens are decoded.
    pub fn decoding_phase(&self) -> usize {
        sum([self.scratch, self.cross_cache, self.self_cache, self.decoding, self.words])
    }

    /// Whether the encoder's output is kept in 8 bits.
    pub(crate) fn has_features(&self) -> bool {
        self.features > 0
    }

    /// The region that the audio's keys and values share with what encoding takes.
    pub(crate) fn cross_region(&self) -> usize {
        let stream = if self.has_features() { self.encoder } else { 0 };
        self.cross_cache.max(sum([self.mel, self.encoder_cache, stream]))
    }

    /// The region that the tokens' keys and values share with the encoder's output.
    pub(crate) fn self_region(&self) -> usize {
        self.self_cache.max(if self.has_features() { self.features } else { self.encoder })
    }

    /// Bytes of the whole arena, with what aligning its start may cost.
    pub fn total(&self) -> usize {
        let Self { scratch, decoding, words, .. } = *self;
        sum([scratch, decoding, words, self.cross_region(), self.self_region(), ALIGNMENT])
    }
}

fn sum<const N: usize>(parts: [usize; N]) -> usize {
    parts.into_iter().fold(0, usize::saturating_add)
}
