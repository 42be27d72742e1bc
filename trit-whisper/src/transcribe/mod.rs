//! The transcriber: what works on a window, and the memory it works in.

#[cfg(feature = "std")]
mod segments;
mod transcription;

use core::ops::Deref;
use core::sync::atomic::AtomicBool;

use trit_simd::Kernels;
use trit_simd::parallel::Join;

use crate::arena::Arena;
use crate::decode::prompt::Context;
use crate::decode::sampling::Random;
use crate::decode::search::Machine;
use crate::decode::window::{Decoded, WindowDecoder};
use crate::error::Error;
use crate::language::Languages;
use crate::model::Model;
use crate::network::{Compute, Decoder, Encoder, Features, LogMel, Row, Scratch};
use crate::options::Options;
use crate::plan::MemoryPlan;
use crate::samples::Samples;
use crate::words::{Alignment, WordTimes};

#[cfg(feature = "std")]
pub use segments::Segments;
#[cfg(feature = "std")]
pub(crate) use transcription::Carry;
pub use transcription::{Event, Summary};

/// A model that is lent, or the transcriber's own.
enum Held<'m> {
    Lent(&'m Model<'m>),
    #[cfg(feature = "std")]
    Own(Box<Model<'m>>),
}

impl<'m> Deref for Held<'m> {
    type Target = Model<'m>;

    fn deref(&self) -> &Model<'m> {
        match self {
            Self::Lent(model) => model,
            #[cfg(feature = "std")]
            Self::Own(model) => model,
        }
    }
}

/// Transcribes audio with one model in one arena.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{AudioCtx, MemoryPlan, Model, Options, Transcriber, audio, embedded};
/// # let model = Model::parse(embedded::model())?;
/// # // The first word, and a window no longer than that.
/// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
/// # let options = Options { audio_ctx, ..Options::default() };
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// // Greedy decoding by hand, without the rules of timestamps; `transcribe` has them.
/// let config = model.config();
/// let (mut token, mut text) = (config.sot, String::new());
/// transcriber.encode(samples)?;
/// while token != config.eot {
///     let Some(logits) = transcriber.feed(token)? else { break };
///     let likeliest = logits.iter().zip(0..).max_by(|a, b| a.0.total_cmp(b.0));
///     token = likeliest.map_or(config.eot, |(_, token)| token);
///     if token < config.eot {
///         text += &String::from_utf8_lossy(model.tokens().bytes(token));
///     }
/// }
/// assert_eq!(text, " yes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Transcriber<'m, 'a> {
    model: Held<'m>,
    /// For encoding.
    compute: Compute<'m>,
    /// For decoding.
    decoding: Compute<'m>,
    options: Options<'m>,
    mel: LogMel,
    decoder: Decoder<'a>,
    scratch: Scratch<'a>,
    /// Tokens that [`feed`](Self::feed) has fed since the last window was encoded.
    fed: usize,
    context: Context<'a>,
    window: WindowDecoder<'a>,
    words: Option<WordTimes<'a>>,
}

impl<'m, 'a> Transcriber<'m, 'a> {
    /// Sets up in `arena`, of [`MemoryPlan::with_options`]`(…).total()` bytes for as many threads as
    /// `join` has.
    ///
    /// # Errors
    /// An arena that is too small, or options the model cannot follow.
    pub fn new(
        model: &'m Model<'m>,
        kernels: Kernels,
        join: &'m dyn Join,
        arena: &'a mut [u8],
        options: Options<'m>,
    ) -> Result<Self, Error> {
        Self::with(Held::Lent(model), kernels, join, arena, options)
    }

    /// As [`new`](Self::new), with a model of its own.
    #[cfg(feature = "std")]
    pub(crate) fn owning(
        model: Model<'m>,
        kernels: Kernels,
        join: &'m dyn Join,
        arena: &'a mut [u8],
        options: Options<'m>,
    ) -> Result<Self, Error> {
        Self::with(Held::Own(Box::new(model)), kernels, join, arena, options)
    }

    fn with(
        model: Held<'m>,
        kernels: Kernels,
        join: &'m dyn Join,
        arena: &'a mut [u8],
        options: Options<'m>,
    ) -> Result<Self, Error> {
        let config = model.config();
        options.check(config)?;
        let found = arena.len();
        let threads = join.threads().max(1);
        let plan = MemoryPlan::with_options(&model, threads, &options);
        let expected = plan.total();
        let short = Error::Arena { expected, found };
        if found < expected {
            return Err(short);
        }
        let mut arena = Arena::new(arena);
        let before = arena.left();
        let (precision, slots) = (options.precision, options.slots());
        let decoder = Decoder::new(config, precision, slots, &plan, &mut arena).ok_or(short)?;
        let scratch = Scratch::new(config, threads, options.precision, &mut arena).ok_or(short)?;
        let context = Context::take(config, &mut arena).ok_or(short)?;
        let window = WindowDecoder::take(&model, &options, &mut arena).ok_or(short)?;
        let words = if options.words {
            Some(WordTimes::take(&model, &mut arena).ok_or(short)?)
        } else {
            None
        };
        debug_assert_eq!(before - arena.left() + crate::arena::ALIGNMENT, expected);
        let compute = Compute { kernels, join, threads, cancel: None };
        let decoding = Compute { threads: options.decoder_threads(threads), ..compute };
        Ok(Self {
            mel: LogMel::new(config),
            model,
            compute,
            decoding,
            options,
            decoder,
            scratch,
            fed: 0,
            context,
            window,
            words,
        })
    }

    /// The model.
    #[cfg(feature = "std")]
    pub(crate) fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Leaves nothing out: somebody else has looked for speech.
    #[cfg(feature = "std")]
    pub(crate) fn decode_all(&mut self) {
        self.options = Options { vad: None, offset: 0, duration: None, ..self.options };
    }

    /// How it transcribes.
    #[cfg(feature = "std")]
    pub(crate) fn options(&self) -> &Options<'m> {
        &self.options
    }

    /// Stops with [`Error::Cancelled`], at the next encoder block or token, as soon as `flag` is true;
    /// whoever sets it, a callback or another thread, clears it before the next audio.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// # use std::sync::atomic::AtomicBool;
    /// let stop = AtomicBool::new(true);
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// transcriber.cancel_with(&stop);
    /// let error = transcriber.transcribe(&samples, &mut |_| {}).unwrap_err();
    /// assert_eq!(error, trit_whisper::Error::Cancelled);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_with(&mut self, flag: &'m AtomicBool) {
        self.compute.cancel = Some(flag);
        self.decoding.cancel = Some(flag);
    }

    /// Transcribes 16 kHz mono samples in −1..1, telling `tell` of segments as they are done.
    ///
    /// Audio longer than the model's window is taken window by window, each beginning where the
    /// last complete segment ended, as in openai-whisper.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// let mut text = String::new();
    /// transcriber.transcribe(&samples, &mut |event| {
    ///     if let Event::Segment(segment) = event {
    ///         segment.text().for_each(|bytes| text += &String::from_utf8_lossy(bytes));
    ///     }
    /// })?;
    /// assert_eq!(text, " yes no on off");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// No samples, a sample that is not finite, or unusable weights.
    pub fn transcribe(
        &mut self,
        mut samples: &[f32],
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Summary, Error> {
        check_finite(samples, 0)?;
        self.transcribe_from(&mut samples, tell)
    }

    /// As [`transcribe`](Self::transcribe), with samples that are asked for a window at a time, so
    /// that the audio need not be in memory as a whole.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Error, MemoryPlan, Model, Options, Samples, Transcriber, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    ///
    /// /// A microphone that was unplugged.
    /// struct Unplugged;
    ///
    /// impl Samples for Unplugged {
    ///     fn window(&mut self, _: usize, _: usize) -> Option<&[f32]> {
    ///         None
    ///     }
    /// }
    /// let result = transcriber.transcribe_from(&mut Unplugged, &mut |_| {});
    /// assert_eq!(result, Err(Error::Samples));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As for `transcribe`, at the window where it comes up, and samples that cannot be had.
    pub fn transcribe_from(
        &mut self,
        samples: &mut dyn Samples,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Summary, Error> {
        let mut transcription = self.begin(tell);
        while self.step(&mut transcription, samples, tell)? {}
        Ok(transcription.summary())
    }

    /// The segments of some audio one by one, each window being done when it is asked for.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
    /// # let (kernels, options) = (Kernels::new(&Cpu::detect()), Options::default());
    /// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
    /// let transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// let mut segments = transcriber.into_segments(audio::Reader::open(&path)?);
    /// while let Some(segment) = segments.next() {
    ///     println!("{} up to sample {}", segment?.text, segments.position());
    /// }
    /// let transcriber = segments.into_transcriber();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "std")]
    pub fn into_segments<S: Samples>(self, samples: S) -> Segments<'m, 'a, S> {
        Segments::new(self, None, samples)
    }

    /// How probable each of the model's languages is in up to a window of samples.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Error, MemoryPlan, Model, Options, Transcriber, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
    /// # let (kernels, options) = (Kernels::new(&Cpu::detect()), Options::default());
    /// let mut transcriber =
    ///     Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// match transcriber.detect_language(&[0.0; 16_000]) {
    ///     Ok(languages) => {
    ///         for (token, probability) in languages.iter() {
    ///             println!("{:?} {probability}", model.language_code(token));
    ///         }
    ///     }
    ///     Err(error) => assert_eq!(error, Error::OneLanguage),
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// A model of one language, no samples or one that is not finite, unusable weights.
    pub fn detect_language(&mut self, samples: &[f32]) -> Result<Languages<'_>, Error> {
        if !self.model.config().is_multilingual() {
            return Err(Error::OneLanguage);
        }
        if samples.is_empty() {
            return Err(Error::EmptyAudio);
        }
        let most = self.options.audio_ctx.window(self.model.config());
        let samples = &samples[..samples.len().min(most)];
        self.encode(samples)?;
        self.languages()
    }

    /// Encodes up to a window of samples, in as many positions as [`Options::audio_ctx`] says, for the
    /// tokens that [`feed`](Self::feed) takes.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// assert!(transcriber.feed(model.config().sot)?.is_none(), "nothing is encoded");
    /// transcriber.encode(&samples)?;
    /// assert!(transcriber.feed(model.config().sot)?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is not finite, unusable weights.
    pub fn encode(&mut self, samples: &[f32]) -> Result<(), Error> {
        check_finite(samples, 0)?;
        self.encode_finite(samples)
    }

    /// As [`encode`](Self::encode), of samples that were looked at as they came.
    fn encode_finite(&mut self, samples: &[f32]) -> Result<(), Error> {
        let (d, compute, apart) =
            (self.model.config().state(), self.compute, self.decoder.keeps_features());
        let (audio, mut rest) = self.run_encoder(samples)?;
        let ctx = audio.len() / d;
        if apart {
            Features::keep(&compute, audio, d, &mut rest)?;
        }
        let Self { model, decoder, scratch, .. } = self;
        decoder.start(&compute, model, ctx, scratch)
    }

    /// The encoder's output `[positions, width]` for up to a window of samples, in as many positions as
    /// [`Options::audio_ctx`] says. What has been encoded before is forgotten.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// let positions = model.config().audio_ctx();
    /// let features = transcriber.audio_features(&samples)?;
    /// assert_eq!(features.len(), positions * model.config().state());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is not finite, unusable weights.
    pub fn audio_features(&mut self, samples: &[f32]) -> Result<&[f32], Error> {
        check_finite(samples, 0)?;
        Ok(self.run_encoder(samples)?.0)
    }

    /// The encoder's output, and the memory that it leaves to the tokens' caches.
    fn run_encoder(&mut self, samples: &[f32]) -> Result<(&[f32], Arena<'_>), Error> {
        self.fed = 0;
        let Self { model, compute, options, mel, decoder, scratch, .. } = self;
        let config = model.config();
        let ctx = options.audio_ctx.positions(config, samples.len());
        let apart = decoder.keeps_features();
        let (mut memory, mut rest) = decoder.lend();
        let (filters, frames) = (model.mel_filters()?, 2 * ctx);
        let mel = mel.compute(&compute.kernels, filters, samples, frames, &mut memory)?;
        let (expected, found) = (config.state() * ctx, memory.left());
        let (stream, precision) = (if apart { None } else { Some(&mut rest) }, options.precision);
        let encoder = Encoder::new(config, ctx, precision, &mut memory, stream)
            .ok_or(Error::Arena { expected, found })?;
        Ok((encoder.run(compute, model, mel, scratch)?, rest))
    }

    /// The log-mel `[frames, n_mels]` of up to a window of samples. What has been encoded before is
    /// forgotten.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// let mel = transcriber.log_mel(&samples)?;
    /// assert_eq!(mel.len(), model.config().frames() * 80);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is not finite, unusable weights.
    pub fn log_mel(&mut self, samples: &[f32]) -> Result<&[f32], Error> {
        check_finite(samples, 0)?;
        let config = self.model.config();
        let (mels, filters) = (config.n_mels as usize, self.model.mel_filters()?);
        let (mut memory, _) = self.decoder.lend();
        let kernels = &self.compute.kernels;
        let mel = self.mel.compute(kernels, filters, samples, config.frames(), &mut memory)?;
        Ok(&mel[mels..mel.len() - mels])
    }

    /// Forced alignment: when each of these text tokens is spoken in the window encoded last, of
    /// `samples` samples. `None` if there are none, more than a window has, or one that is not text, or
    /// when nothing is encoded. Then no more tokens can be [fed](Self::feed) to that window.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Error, MemoryPlan, Model, Options, Transcriber, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// let options = Options { words: true, ..Options::default() };
    /// let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut transcriber =
    ///     Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// transcriber.encode(&[0.0; 16_000])?;
    /// let yes = model.tokens().find(b" yes").unwrap();
    /// let alignment = transcriber.align(None, &[yes, yes], 16_000)?.unwrap();
    /// assert_eq!(alignment.starts().count(), 3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Options without `words`, a language that is none of the model's, unusable weights.
    pub fn align(
        &mut self,
        language: Option<u32>,
        tokens: &[u32],
        samples: usize,
    ) -> Result<Option<Alignment<'_>>, Error> {
        let config = self.model.config();
        if let Some(token) = language.filter(|&token| !config.is_language(token)) {
            return Err(Error::LanguageToken(token));
        }
        let Self { model, decoding: compute, options, decoder, scratch, words, fed, .. } = self;
        let Some(words) = words else {
            return Err(Error::Option { option: "words", expected: "true to align text" });
        };
        if !decoder.has_audio() {
            return Ok(None);
        }
        // The text takes the place of the tokens that were fed.
        *fed = model.config().text_ctx();
        let mut machine = Machine { compute, model, options, decoder, scratch };
        words.align_text(&mut machine, language, tokens, samples)
    }

    /// Feeds a token to the decoder and returns the logits `[n_vocab]` of the next, or `None` when
    /// nothing is encoded, the decoder is full or there is no such token. A window begins with an
    /// empty decoder.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # let options = Options::default();
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// assert!(transcriber.feed(model.config().sot)?.is_none(), "nothing is encoded");
    /// transcriber.encode(&samples)?;
    /// let logits = transcriber.feed(model.config().sot)?.unwrap();
    /// assert_eq!(logits.len(), model.config().vocab());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Unusable weights.
    pub fn feed(&mut self, token: u32) -> Result<Option<&[f32]>, Error> {
        let config = self.model.config();
        let has_room = self.decoder.has_audio() && self.fed < config.text_ctx();
        if !has_room || token >= config.n_vocab {
            return Ok(None);
        }
        let position = self.fed;
        self.fed += 1;
        let mut machine = self.machine();
        machine.feed(&[Row { token, slot: 0, position }])?;
        machine.logits(0..1)?;
        Ok(Some(&self.decoder.computed()[..self.model.config().vocab()]))
    }

    fn machine(&mut self) -> Machine<'_, 'm, 'a> {
        Machine {
            compute: &self.decoding,
            model: &self.model,
            options: &self.options,
            decoder: &mut self.decoder,
            scratch: &mut self.scratch,
        }
    }

    /// The languages' probabilities in the window encoded last.
    fn languages(&mut self) -> Result<Languages<'_>, Error> {
        let token = self.model.config().sot;
        let mut machine = self.machine();
        machine.feed(&[Row { token, slot: 0, position: 0 }])?;
        machine.logits(0..1)?;
        Ok(Languages::new(self.model.config(), self.decoder.computed()))
    }

    /// Decodes the window encoded last, whose first sample is `seek`.
    fn decode(
        &mut self,
        language: Option<u32>,
        is_first: bool,
        seek: usize,
    ) -> Result<Decoded, Error> {
        let Self { model, decoding, options, decoder, scratch, context, window, .. } = self;
        let prompt = context.prompt(model.config(), options, language, is_first);
        let random = Random::new(options.seed).of(seek);
        window.run(
            &mut Machine { compute: decoding, model, options, decoder, scratch },
            prompt,
            random,
        )
    }
}

/// Refuses samples, the first of which has index `first`, that are not all finite.
fn check_finite(samples: &[f32], first: usize) -> Result<(), Error> {
    match samples.iter().position(|sample| !sample.is_finite()) {
        Some(index) => Err(Error::Sample { index: first + index }),
        None => Ok(()),
    }
}
