//! From samples to segments: windows, language, decoding, timestamps.

use trit_simd::Kernels;
use trit_simd::parallel::Join;

use crate::arena::Arena;
use crate::cache::Precision;
use crate::config::Config;
use crate::decode::{Suppressed, apply_rules, greedy, probability};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::Error;
use crate::linear::Compute;
use crate::mel::LogMel;
use crate::model::Model;
use crate::plan::MemoryPlan;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::tokens::TokenTable;
use crate::words::{Timing, Word};

/// A mean log probability below this makes a window without speech believable (Whisper's value).
const LOW_LOGPROB: f32 = -1.0;

/// How to transcribe.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The spoken language's token ([`Model::language`]); `None` detects it in the first window.
    pub language: Option<u32>,
    /// Translate to English instead of transcribing.
    pub translate: bool,
    /// Decode timestamps, and so segments; without them a window is one segment.
    pub timestamps: bool,
    /// How attention keeps keys and values.
    pub precision: Precision,
}

impl Default for Options {
    fn default() -> Self {
        Self { language: None, translate: false, timestamps: true, precision: Precision::default() }
    }
}

/// A stretch of speech.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'t> {
    /// First sample, at 16 kHz, from the beginning of the audio.
    pub start: usize,
    /// One past the last sample.
    pub end: usize,
    /// Its text tokens.
    pub tokens: &'t [u32],
    /// Mean log probability of the window's tokens.
    pub avg_logprob: f32,
    /// Probability that the window holds no speech.
    pub no_speech_prob: f32,
    words: &'t [Timing],
    table: TokenTable<'t>,
}

impl<'t> Segment<'t> {
    /// The text's bytes, token by token; a character may be split between tokens.
    pub fn text(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let table = self.table;
        self.tokens.iter().map(move |&id| table.bytes(id))
    }

    /// Its words in order, if they were asked for; together they have all its tokens.
    pub fn words(&self) -> impl Iterator<Item = Word<'t>> + use<'t> {
        let (tokens, table) = (self.tokens, self.table);
        self.words.iter().map(move |timing| timing.word(tokens, table))
    }
}

/// What a transcription tells while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Event<'t> {
    /// The language, detected or given, of a multilingual model.
    Language {
        /// Its token.
        token: u32,
    },
    /// A window is encoded: the encoder's weights ([`Model::encoder_span`]) are not read until the
    /// next.
    Encoded,
    /// A segment is final.
    Segment(Segment<'t>),
    /// So many samples are done.
    Progress {
        /// Samples done.
        done: usize,
        /// Samples in all, where that is known ([`Samples::total`]).
        total: Option<usize>,
    },
}

/// What a transcription did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Windows encoded.
    pub windows: usize,
    /// Windows skipped for having no speech.
    pub silent: usize,
    /// Tokens decoded.
    pub tokens: usize,
}

/// Transcribes audio with one model in one arena.
pub struct Transcriber<'m, 'a> {
    model: &'m Model<'m>,
    compute: Compute<'m>,
    options: Options,
    mel: LogMel<'a>,
    encoder: Encoder<'a>,
    decoder: Decoder<'a>,
    scratch: Scratch<'a>,
    sampled: &'a mut [u32],
    suppressed: Suppressed<'a>,
}

/// What decoding one window gave, besides the tokens.
struct Decoded {
    tokens: usize,
    avg_logprob: f32,
    no_speech_prob: f32,
}

impl<'m, 'a> Transcriber<'m, 'a> {
    /// Sets up in `arena`, of [`MemoryPlan::with_precision`]`(…).total()` bytes for as many threads
    /// as `join` has and the precision that `options` ask for.
    ///
    /// # Errors
    /// An arena that is too small, or options the model cannot follow.
    pub fn new(
        model: &'m Model<'m>,
        kernels: Kernels,
        join: &'m dyn Join,
        arena: &'a mut [u8],
        options: Options,
    ) -> Result<Self, Error> {
        let config = model.config();
        if options.translate && !config.is_multilingual() {
            return Err(Error::Translate);
        }
        if let Some(token) = options.language
            && !config.is_language(token)
        {
            return Err(Error::LanguageToken(token));
        }
        let found = arena.len();
        let threads = join.threads();
        let expected = MemoryPlan::with_precision(config, threads, options.precision).total();
        let short = Error::Arena { expected, found };
        if found < expected {
            return Err(short);
        }
        let mut arena = Arena::new(arena);
        let before = arena.left();
        let mel = LogMel::new(config, &mut arena).ok_or(short)?;
        let encoder = Encoder::new(config, options.precision, &mut arena).ok_or(short)?;
        let decoder = Decoder::new(config, options.precision, &mut arena).ok_or(short)?;
        let scratch = Scratch::new(config, threads, options.precision, &mut arena).ok_or(short)?;
        let sampled = arena.take(config.text_ctx()).ok_or(short)?;
        let bits = arena.take(config.vocab().div_ceil(32)).ok_or(short)?;
        debug_assert_eq!(before - arena.left() + crate::arena::ALIGNMENT, expected);
        let suppressed = Suppressed::new(model, bits);
        let compute = Compute { kernels, join };
        Ok(Self { model, compute, options, mel, encoder, decoder, scratch, sampled, suppressed })
    }

    /// Transcribes 16 kHz mono samples in −1..1, telling `tell` of segments as they are done.
    ///
    /// Audio longer than the model's window is taken window by window, each beginning where the
    /// last complete segment ended, as in openai-whisper.
    ///
    /// # Errors
    /// No samples, a sample that is not finite, or unusable weights.
    pub fn transcribe(
        &mut self,
        mut samples: &[f32],
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Summary, Error> {
        if let Some(index) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::Sample { index });
        }
        self.transcribe_from(&mut samples, tell)
    }

    /// As [`transcribe`](Self::transcribe), with samples that are asked for a window at a time, so
    /// that the audio need not be in memory as a whole.
    ///
    /// # Errors
    /// As for `transcribe`, at the window where it comes up, and samples that cannot be had.
    pub fn transcribe_from(
        &mut self,
        samples: &mut dyn Samples,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Summary, Error> {
        let config = *self.model.config();
        let mut summary = Summary::default();
        let mut language = self.options.language;
        let mut seek = 0;
        loop {
            let window = samples.window(seek, config.window()).ok_or(Error::Samples)?;
            let window = &window[..window.len().min(config.window())];
            if window.is_empty() {
                break;
            }
            if let Some(index) = window.iter().position(|sample| !sample.is_finite()) {
                return Err(Error::Sample { index: seek + index });
            }
            let length = window.len();
            self.encode(window)?;
            tell(Event::Encoded);
            if config.is_multilingual() && summary.windows == 0 {
                let token = match language {
                    Some(token) => token,
                    None => self.detect_language()?,
                };
                language = Some(token);
                tell(Event::Language { token });
            }
            let decoded = self.decode(language)?;
            summary.windows += 1;
            summary.tokens += decoded.tokens;
            let silent = decoded.no_speech_prob > config.no_speech_threshold
                && (config.no_speech_needs_low_logprob == 0 || decoded.avg_logprob < LOW_LOGPROB);
            let advance = if silent {
                summary.silent += 1;
                length
            } else {
                self.segments(&decoded, seek, length, tell)
            };
            // A window always moves on, whatever its timestamps say.
            seek += advance.max(config.timestamp_step as usize).min(length);
            tell(Event::Progress { done: seek, total: samples.total() });
        }
        if seek == 0 { Err(Error::EmptyAudio) } else { Ok(summary) }
    }

    /// Computes the log-mel of up to a window of samples and encodes it.
    ///
    /// # Errors
    /// Unusable weights.
    pub fn encode(&mut self, samples: &[f32]) -> Result<(), Error> {
        let filters = self.model.mel_filters()?;
        self.mel.compute(&self.compute.kernels, filters, samples)?;
        let (mel, scratch) = (self.mel.padded(), &mut self.scratch);
        self.encoder.run(&self.compute, self.model, mel, scratch)?;
        self.decoder.start(&self.compute, self.model, self.encoder.output(), scratch)
    }

    /// The log-mel `[frames, mels]` of the last window encoded.
    pub fn log_mel(&self) -> &[f32] {
        self.mel.values()
    }

    /// The encoder's output `[n_audio_ctx, width]` for the last window.
    pub fn encoded(&self) -> &[f32] {
        self.encoder.output()
    }

    /// Feeds a token to the decoder and returns the logits `[n_vocab]` of the next, or `None` when
    /// the decoder is full or there is no such token. A window begins with an empty decoder.
    ///
    /// # Errors
    /// Unusable weights.
    pub fn feed(&mut self, token: u32) -> Result<Option<&[f32]>, Error> {
        if !self.decoder.has_room(self.model) || token >= self.model.config().n_vocab {
            return Ok(None);
        }
        self.decoder.step(&self.compute, self.model, token, &mut self.scratch)?;
        Ok(Some(self.decoder.logits()))
    }

    fn detect_language(&mut self) -> Result<u32, Error> {
        let config = self.model.config();
        self.feed(config.sot)?;
        let first = config.language_first;
        let logits = &self.decoder.logits()[first as usize..][..config.n_languages as usize];
        let (best, _) = greedy(logits);
        self.decoder.rewind();
        Ok(first + best)
    }

    /// Decodes the window greedily; the tokens, without the end, are in `sampled`.
    fn decode(&mut self, language: Option<u32>) -> Result<Decoded, Error> {
        let config = self.model.config();
        let mut prompt = [config.sot; 4];
        let mut len = 1;
        if let Some(language) = language {
            let task = if self.options.translate { config.translate } else { config.transcribe };
            prompt[1..3].copy_from_slice(&[language, task]);
            len = 3;
        }
        if !self.options.timestamps {
            prompt[len] = config.no_timestamps;
            len += 1;
        }
        let mut no_speech_prob = 0.0;
        for (index, &token) in prompt[..len].iter().enumerate() {
            self.decoder.step(&self.compute, self.model, token, &mut self.scratch)?;
            if index == 0 {
                no_speech_prob = probability(self.decoder.logits(), config.no_speech);
            }
        }
        let (mut count, mut logprob) = (0, 0.0);
        loop {
            let logits = self.decoder.logits();
            let sampled = &self.sampled[..count];
            apply_rules(self.model, &self.suppressed, self.options.timestamps, sampled, logits);
            let (token, token_logprob) = greedy(logits);
            logprob += token_logprob;
            if token == config.eot || count == config.sample_len() {
                break;
            }
            self.sampled[count] = token;
            count += 1;
            if !self.decoder.has_room(self.model) {
                break;
            }
            self.decoder.step(&self.compute, self.model, token, &mut self.scratch)?;
        }
        Ok(Decoded { tokens: count, avg_logprob: logprob / (count + 1) as f32, no_speech_prob })
    }

    /// Tells the segments of the window at `seek`, of `length` samples, and returns how far to
    /// move on.
    fn segments(
        &self,
        decoded: &Decoded,
        seek: usize,
        length: usize,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> usize {
        let tokens = &self.sampled[..decoded.tokens];
        let config = self.model.config();
        let step = config.timestamp_step as usize;
        let time = |id: u32| (id - config.timestamp_first) as usize * step;
        let mut emit = |start: usize, end: usize, slice: &[u32]| {
            let is_text = |id: &u32| *id < config.eot;
            let from = slice.iter().position(is_text).unwrap_or(slice.len());
            let text = slice[from..].split(|id| !is_text(id)).next().unwrap_or(&[]);
            if !text.is_empty() && start < end {
                tell(Event::Segment(Segment {
                    start: seek + start.min(length),
                    end: seek + end.min(length),
                    tokens: text,
                    avg_logprob: decoded.avg_logprob,
                    no_speech_prob: decoded.no_speech_prob,
                    words: &[],
                    table: self.model.tokens(),
                }));
            }
        };
        match cut(config, tokens) {
            Cut::Whole { end } => {
                // openai-whisper starts such a segment at 0 whatever its first timestamp says.
                let start = tokens.first().filter(|&&id| is_timestamp(config, id));
                emit(start.map_or(0, |&id| time(id)), end.map_or(length, time), tokens);
                length
            }
            Cut::Pairs { complete, single_ending } => {
                let mut from = 0;
                for to in (Pairs { config, tokens, at: 1, single_ending }) {
                    let slice = &tokens[from..to];
                    if let [first, .., last] = slice {
                        emit(time(*first), time(*last), slice);
                    }
                    from = to;
                }
                if single_ending { length } else { time(tokens[complete - 1]) }
            }
        }
    }
}

/// How a window's tokens divide into segments.
enum Cut {
    /// One segment, up to the timestamp `end` if there is one.
    Whole { end: Option<u32> },
    /// Segments between pairs of timestamps; the first `complete` tokens make whole segments.
    Pairs { complete: usize, single_ending: bool },
}

fn is_timestamp(config: &Config, id: u32) -> bool {
    id >= config.timestamp_first
}

fn cut(config: &Config, tokens: &[u32]) -> Cut {
    let stamp = |id: &u32| is_timestamp(config, *id);
    let single_ending = matches!(tokens, [.., a, b] if !stamp(a) && stamp(b));
    let pair = |at: &usize| stamp(&tokens[at - 1]) && stamp(&tokens[*at]);
    match (1..tokens.len()).rev().find(pair) {
        Some(complete) => Cut::Pairs { complete, single_ending },
        None => {
            let last = tokens.iter().rev().copied().find(|id| stamp(id));
            Cut::Whole { end: last.filter(|&id| id != config.timestamp_first) }
        }
    }
}

/// Ends of the segments of `tokens`: between the timestamps of each pair, and the end of all if it
/// is a single timestamp.
struct Pairs<'c> {
    config: &'c Config,
    tokens: &'c [u32],
    at: usize,
    single_ending: bool,
}

impl Iterator for Pairs<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.at < self.tokens.len() {
            let at = self.at;
            self.at += 1;
            let stamp = |at: usize| is_timestamp(self.config, self.tokens[at]);
            if stamp(at - 1) && stamp(at) {
                return Some(at);
            }
        }
        core::mem::take(&mut self.single_ending).then_some(self.tokens.len())
    }
}
