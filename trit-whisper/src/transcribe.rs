//! From samples to segments: windows, language, decoding, timestamps.

use trit_simd::Kernels;
use trit_simd::parallel::Join;

use crate::arena::Arena;
use crate::decode::rules::{Suppressed, apply_rules};
use crate::decode::sampling::{Softmax, likeliest, probability};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::Error;
use crate::language::Languages;
use crate::linear::Compute;
use crate::mel::LogMel;
use crate::model::Model;
use crate::options::Options;
use crate::plan::MemoryPlan;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::segment::{Segment, Window, segments};

/// What a transcription tells while it runs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'t> {
    /// The language, detected or given, of a multilingual model; it comes before any segment.
    Language {
        /// Its token.
        token: u32,
        /// How probable it is among the model's languages: 1 for a given one.
        probability: f32,
    },
    /// A window is encoded: the encoder's weights ([`Model::encoder_span`]) are not read until the
    /// next.
    Encoded,
    /// A window is decoded; its segments, if it is not silent, come next.
    Window(Window<'t>),
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
    options: Options<'m>,
    mel: LogMel<'a>,
    encoder: Encoder<'a>,
    decoder: Decoder<'a>,
    scratch: Scratch<'a>,
    suppressed: Suppressed<'a>,
    sampled: &'a mut [u32],
    logprobs: &'a mut [f32],
}

/// What decoding one window gave, besides the tokens.
struct Decoded {
    len: usize,
    avg_logprob: f32,
    no_speech_prob: f32,
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
        let config = model.config();
        options.check(config)?;
        let found = arena.len();
        let threads = join.threads();
        let expected = MemoryPlan::with_options(config, threads, &options).total();
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
        let bits = arena.take(Suppressed::words(config)).ok_or(short)?;
        let sampled = arena.take(config.sample_len()).ok_or(short)?;
        let logprobs = arena.take(config.sample_len()).ok_or(short)?;
        debug_assert_eq!(before - arena.left() + crate::arena::ALIGNMENT, expected);
        let suppressed = Suppressed::new(model, &options, bits);
        let compute = Compute { kernels, join };
        Ok(Self {
            model,
            compute,
            options,
            mel,
            encoder,
            decoder,
            scratch,
            suppressed,
            sampled,
            logprobs,
        })
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
        check_finite(samples, 0)?;
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
        if let Some(token) = language {
            tell(Event::Language { token, probability: 1.0 });
        }
        let mut seek = 0;
        loop {
            let window = samples.window(seek, config.window()).ok_or(Error::Samples)?;
            let window = &window[..window.len().min(config.window())];
            if window.is_empty() {
                break;
            }
            check_finite(window, seek)?;
            let length = window.len();
            self.encode(window)?;
            tell(Event::Encoded);
            let detected = match language {
                None if config.is_multilingual() => Some(self.languages()?.best()),
                _ => None,
            };
            let decoded = self.decode(language.or(detected.map(|(token, _)| token)))?;
            let Decoded { len, avg_logprob, no_speech_prob } = decoded;
            let silent = self.options.is_silent(&config, no_speech_prob, avg_logprob);
            summary.windows += 1;
            summary.silent += usize::from(silent);
            summary.tokens += len;
            // What a silent window seems to be spoken in says nothing of the others.
            if let Some((token, probability)) = detected
                && !silent
            {
                language = Some(token);
                tell(Event::Language { token, probability });
            }
            let window = Window {
                start: seek,
                end: seek + length,
                tokens: &self.sampled[..len],
                logprobs: &self.logprobs[..len],
                avg_logprob,
                no_speech_prob,
                silent,
            };
            tell(Event::Window(window));
            let advance = if silent {
                length
            } else {
                segments(&config, self.model.tokens(), &window, &mut |segment| {
                    tell(Event::Segment(segment));
                })
            };
            // A window always moves on, whatever its timestamps say.
            seek += advance.max(config.timestamp_step as usize).min(length);
            tell(Event::Progress { done: seek, total: samples.total() });
        }
        if seek == 0 { Err(Error::EmptyAudio) } else { Ok(summary) }
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
        let samples = &samples[..samples.len().min(self.model.config().window())];
        check_finite(samples, 0)?;
        self.encode(samples)?;
        self.languages()
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

    /// The languages' probabilities in the window encoded last.
    fn languages(&mut self) -> Result<Languages<'_>, Error> {
        self.decoder.rewind();
        let config = self.model.config();
        self.decoder.step(&self.compute, self.model, config.sot, &mut self.scratch)?;
        Ok(Languages::new(config, self.decoder.logits()))
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
        self.decoder.rewind();
        let mut no_speech_prob = 0.0;
        for (index, &token) in prompt[..len].iter().enumerate() {
            self.decoder.step(&self.compute, self.model, token, &mut self.scratch)?;
            if index == 0 {
                no_speech_prob = probability(self.decoder.logits(), config.no_speech);
            }
        }
        let most = self.options.sample_len(config);
        let (mut len, mut sum) = (0, 0.0);
        while len < most {
            let logits = self.decoder.logits();
            let sampled = &self.sampled[..len];
            apply_rules(self.model, &self.options, &self.suppressed, sampled, logits);
            // A window in which no token may come next is at its end.
            let Some(softmax) = Softmax::new(logits) else { break };
            let token = likeliest(logits);
            let logprob = softmax.logprob(logits[token as usize]);
            sum += logprob;
            if token == config.eot {
                break;
            }
            self.sampled[len] = token;
            self.logprobs[len] = logprob;
            len += 1;
            if !self.decoder.has_room(self.model) {
                break;
            }
            self.decoder.step(&self.compute, self.model, token, &mut self.scratch)?;
        }
        Ok(Decoded { len, avg_logprob: sum / (len + 1) as f32, no_speech_prob })
    }
}

/// Refuses samples, the first of which has index `first`, that are not all finite.
fn check_finite(samples: &[f32], first: usize) -> Result<(), Error> {
    match samples.iter().position(|sample| !sample.is_finite()) {
        Some(index) => Err(Error::Sample { index: first + index }),
        None => Ok(()),
    }
}
