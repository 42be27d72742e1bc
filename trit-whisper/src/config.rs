//! A model's configuration: the entry `whisper.config`, 32 little-endian u32.

use bytemuck::{Pod, Zeroable};
use trit_core::HeadShape;

use crate::error::ModelError;

/// Dimensions, token ids and thresholds; names as in Whisper.
///
/// ```
/// use trit_whisper::{Config, Model, SAMPLE_RATE, embedded};
///
/// let model = Model::parse(embedded::model())?;
/// let config = model.config();
/// assert_eq!(config.window(), 6 * SAMPLE_RATE);
/// assert_eq!((config.frames(), config.audio_ctx()), (600, 300));
/// assert_eq!(config.sample_len(), config.text_ctx() / 2);
/// assert!(config.vocab() > config.eot as usize);
/// assert!(config.n_audio_layer as usize <= Config::MAX_LAYERS);
/// assert!(!config.is_multilingual() && config.language_first == Config::NO_LANGUAGES);
/// assert_eq!(Config::parse(config.bytes())?, *config);
///
/// let multilingual = Config { language_first: 50_259, n_languages: 99, ..Config::WHISPER };
/// assert!(multilingual.is_language(50_357) && !multilingual.is_language(50_358));
/// # Ok::<(), trit_whisper::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Config {
    /// Mel bands: 80, or 128 for large-v3.
    pub n_mels: u32,
    /// Encoder positions; a window has twice as many mel frames of 10 ms.
    pub n_audio_ctx: u32,
    /// Width of the encoder.
    pub n_audio_state: u32,
    /// Heads of the encoder.
    pub n_audio_head: u32,
    /// Blocks of the encoder.
    pub n_audio_layer: u32,
    /// Tokens, timestamps included.
    pub n_vocab: u32,
    /// Decoder positions.
    pub n_text_ctx: u32,
    /// Width of the decoder, equal to the encoder's.
    pub n_text_state: u32,
    /// Heads of the decoder.
    pub n_text_head: u32,
    /// Blocks of the decoder.
    pub n_text_layer: u32,
    /// `<|endoftext|>`; text tokens are below it.
    pub eot: u32,
    /// `<|startoftranscript|>`.
    pub sot: u32,
    /// First language token, or [`Config::NO_LANGUAGES`] for a model of one language.
    pub language_first: u32,
    /// Number of languages.
    pub n_languages: u32,
    /// `<|translate|>`.
    pub translate: u32,
    /// `<|transcribe|>`.
    pub transcribe: u32,
    /// `<|startoflm|>`.
    pub sot_lm: u32,
    /// `<|startofprev|>`.
    pub sot_prev: u32,
    /// `<|nospeech|>`.
    pub no_speech: u32,
    /// `<|notimestamps|>`.
    pub no_timestamps: u32,
    /// `<|0.00|>`; all ids from here on are timestamps.
    pub timestamp_first: u32,
    /// Samples between two timestamps: 320 in Whisper.
    pub timestamp_step: u32,
    /// A window whose no-speech probability is above this may be skipped.
    pub no_speech_threshold: f32,
    /// 1: skip only if the mean log probability is also below −1, as Whisper does. 0: skip.
    pub no_speech_needs_low_logprob: u32,
    /// Latest timestamp a window may begin with, in steps: 50 in Whisper.
    pub max_initial_timestamp: u32,
    /// 1: the model has not learnt to go on from the text of earlier windows, and is not given it. 0: it
    /// has, as Whisper.
    pub no_previous_text: u32,
    /// Zero.
    pub reserved: [u32; 6],
}

const _: () = assert!(size_of::<Config>() == 128);

impl Config {
    /// [`language_first`](Self::language_first) of a model of one language.
    pub const NO_LANGUAGES: u32 = u32::MAX;

    /// What is the same in all of OpenAI's models; everything else is zero.
    pub const WHISPER: Self = Self {
        n_mels: 0,
        n_audio_ctx: 0,
        n_audio_state: 0,
        n_audio_head: 0,
        n_audio_layer: 0,
        n_vocab: 0,
        n_text_ctx: 0,
        n_text_state: 0,
        n_text_head: 0,
        n_text_layer: 0,
        eot: 0,
        sot: 0,
        language_first: Self::NO_LANGUAGES,
        n_languages: 0,
        translate: 0,
        transcribe: 0,
        sot_lm: 0,
        sot_prev: 0,
        no_speech: 0,
        no_timestamps: 0,
        timestamp_first: 0,
        timestamp_step: 320,
        no_speech_threshold: 0.6,
        no_speech_needs_low_logprob: 1,
        max_initial_timestamp: 50,
        no_previous_text: 0,
        reserved: [0; 6],
    };

    /// Most blocks an encoder or decoder may have.
    pub const MAX_LAYERS: usize = 48;

    /// Reads and checks the bytes of `whisper.config`.
    ///
    /// # Errors
    /// A length other than 128, or the first field with a value it cannot have.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let config: Self = bytemuck::try_pod_read_unaligned(bytes)
            .map_err(|_| ModelError::ConfigLength(bytes.len()))?;
        config.check()?;
        Ok(config)
    }

    /// The bytes of `whisper.config`.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::bytes_of(self)
    }

    fn check(&self) -> Result<(), ModelError> {
        let check = |field, found: u32, valid: bool, expected| {
            if valid { Ok(()) } else { Err(ModelError::Config { field, found, expected }) }
        };
        let within = |field, found: u32, least, most, expected| {
            check(field, found, (least..=most).contains(&found), expected)
        };
        within("n_mels", self.n_mels, 1, 256, "1 to 256")?;
        within("n_audio_ctx", self.n_audio_ctx, 1, 1 << 14, "1 to 16384")?;
        within("n_audio_state", self.n_audio_state, 2, 8192, "2 to 8192")?;
        let layers = Self::MAX_LAYERS as u32;
        within("n_audio_layer", self.n_audio_layer, 1, layers, "1 to 48")?;
        within("n_text_layer", self.n_text_layer, 1, layers, "1 to 48")?;
        within("n_text_ctx", self.n_text_ctx, 4, 1 << 14, "4 to 16384")?;
        within("n_vocab", self.n_vocab, 2, 1 << 20, "2 to 1048576")?;
        let (d, same) = (self.n_text_state, self.n_text_state == self.n_audio_state);
        check("n_text_state", d, same, "n_audio_state")?;
        for (field, heads) in
            [("n_audio_head", self.n_audio_head), ("n_text_head", self.n_text_head)]
        {
            let divides = heads > 0 && d.is_multiple_of(heads);
            check(field, heads, divides, "a divisor of the width")?;
        }
        let vocabulary = self.n_vocab;
        for (field, id) in [
            ("eot", self.eot),
            ("sot", self.sot),
            ("translate", self.translate),
            ("transcribe", self.transcribe),
            ("sot_lm", self.sot_lm),
            ("sot_prev", self.sot_prev),
            ("no_speech", self.no_speech),
            ("no_timestamps", self.no_timestamps),
            ("timestamp_first", self.timestamp_first),
        ] {
            check(field, id, id < vocabulary, "a token id below n_vocab")?;
            let special = field == "timestamp_first" || id < self.timestamp_first;
            check(field, id, special && id >= self.eot, "a special token's id")?;
        }
        if self.language_first != Self::NO_LANGUAGES {
            let end = self.language_first.checked_add(self.n_languages);
            let inside = end.is_some_and(|end| end <= self.timestamp_first);
            let valid = inside && self.language_first > self.eot && self.n_languages > 0;
            check("language_first", self.language_first, valid, "ids of special tokens")?;
        }
        // Windows move on by at least a step, so the smallest bounds their number.
        let hop = crate::network::HOP as u32;
        within("timestamp_step", self.timestamp_step, hop, 1 << 20, "160 to 1048576 samples")?;
        let threshold = self.no_speech_threshold;
        check(
            "no_speech_threshold",
            threshold.to_bits(),
            threshold.is_finite(),
            "a finite number",
        )?;
        within("no_previous_text", self.no_previous_text, 0, 1, "0 or 1")?;
        check("reserved", 1, self.reserved == [0; 6], "zeros")
    }

    /// Width of encoder and decoder.
    pub const fn state(&self) -> usize {
        self.n_audio_state as usize
    }

    /// Encoder positions.
    pub const fn audio_ctx(&self) -> usize {
        self.n_audio_ctx as usize
    }

    /// The keys, or values, of one encoder block.
    pub(crate) fn encoder_heads(&self) -> Option<HeadShape> {
        Self::heads(self.n_audio_head, self.n_audio_state, self.n_audio_ctx)
    }

    /// The keys, or values, of the audio for one decoder block.
    pub(crate) fn cross_heads(&self) -> Option<HeadShape> {
        Self::heads(self.n_text_head, self.n_text_state, self.n_audio_ctx)
    }

    /// The keys, or values, of the tokens of `slots` sequences for one decoder block: the heads of
    /// one after another.
    pub(crate) fn text_heads(&self, slots: usize) -> Option<HeadShape> {
        let shape = Self::heads(self.n_text_head, self.n_text_state, self.n_text_ctx)?;
        HeadShape::new(shape.heads() * slots, shape.width(), shape.positions()).ok()
    }

    /// A shape; there is one for every configuration that [`parse`](Self::parse) accepts.
    fn heads(heads: u32, state: u32, positions: u32) -> Option<HeadShape> {
        let width = state.checked_div(heads)?;
        HeadShape::new(heads as usize, width as usize, positions as usize).ok()
    }

    /// Mel frames of a window.
    pub const fn frames(&self) -> usize {
        2 * self.audio_ctx()
    }

    /// Samples of a window.
    pub const fn window(&self) -> usize {
        self.frames() * crate::network::HOP
    }

    /// Decoder positions.
    pub const fn text_ctx(&self) -> usize {
        self.n_text_ctx as usize
    }

    /// Most tokens decoded for one window, as in Whisper half of the decoder's positions.
    pub const fn sample_len(&self) -> usize {
        self.text_ctx() / 2
    }

    /// Tokens.
    pub const fn vocab(&self) -> usize {
        self.n_vocab as usize
    }

    /// Whether the model knows more than one language.
    pub const fn is_multilingual(&self) -> bool {
        self.language_first != Self::NO_LANGUAGES
    }

    /// Whether `token` stands for one of the model's languages.
    pub const fn is_language(&self, token: u32) -> bool {
        self.is_multilingual()
            && token >= self.language_first
            && token - self.language_first < self.n_languages
    }
}
