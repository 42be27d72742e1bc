//! A transcription that goes on by a window at a time.
//!
//! [`Transcriber::step`] does a window and keeps what the next one depends on in a [`Transcription`]:
//! whoever calls that, a loop with a callback or an iterator, decides when, and may stop in between.

use core::ops::Range;

use super::Transcriber;
use crate::decode::search::Machine;
use crate::decode::window::Decoded;
use crate::error::Error;
use crate::model::Model;
use crate::repeats::Repeats;
use crate::samples::Samples;
use crate::segment::{Cutter, Segment, Span, Window};
use crate::vad::Gate;
use crate::words::Spoken;

/// What a transcription tells while it runs.
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
/// let (mut windows, mut done) = (0, 0);
/// transcriber.transcribe(&samples, &mut |event| match event {
///     Event::Window(_) => windows += 1,
///     Event::Progress { done: samples, .. } => done = samples,
///     _ => {}
/// })?;
/// assert!(windows > 0 && done == samples.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// A window is encoded: some weights ([`Model::encoding_spans`]) are not read until the
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
/// let summary = transcriber.transcribe(&samples, &mut |_| {})?;
/// assert_eq!((summary.windows, summary.silent), (1, 0));
/// assert!(summary.tokens > 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Windows encoded.
    pub windows: usize,
    /// Windows skipped for having no speech.
    pub silent: usize,
    /// Tokens decoded.
    pub tokens: usize,
    /// Samples left out for having no speech ([`Options::vad`](crate::Options::vad)).
    pub skipped: usize,
}

/// What has been done of some audio. It belongs to one transcriber, and to audio that it goes on with.
pub(super) struct Transcription {
    gate: Gate,
    /// The sample that the next window begins at, or that speech is looked for from.
    seek: usize,
    /// The language, once it is known.
    language: Option<u32>,
    repeats: Repeats,
    summary: Summary,
}

impl Transcription {
    /// What has been done so far.
    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    /// Samples done, from the beginning of the audio.
    #[cfg(feature = "std")]
    pub(super) fn position(&self) -> usize {
        self.seek
    }
}

/// What the windows of some audio leave to those of audio that goes on from it.
#[cfg(feature = "std")]
#[derive(Debug)]
pub(crate) struct Carry {
    /// What the next window is shown.
    text: Vec<u32>,
    repeats: Repeats,
}

#[cfg(feature = "std")]
impl Transcriber<'_, '_> {
    /// As [`transcribe_from`](Self::transcribe_from), of audio that goes on from what left `carry`, if
    /// there is any such. At `over` and later samples no window will begin.
    pub(crate) fn transcribe_on(
        &mut self,
        carry: Option<&Carry>,
        over: usize,
        samples: &mut dyn Samples,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Carry, Error> {
        let mut transcription = self.begin(tell);
        transcription.gate.end_at(over);
        if let Some(Carry { text, repeats }) = carry {
            self.context.clear();
            self.context.push(text);
            transcription.repeats = *repeats;
        }
        while self.step(&mut transcription, samples, tell)? {}
        Ok(Carry { text: self.context.tokens().to_vec(), repeats: transcription.repeats })
    }
}

impl<'m> Transcriber<'m, '_> {
    /// Forgets all audio before, and begins at the beginning of some other.
    pub(super) fn begin(&mut self, tell: &mut dyn FnMut(Event<'_>)) -> Transcription {
        let options = self.options;
        if let Some(token) = options.language {
            tell(Event::Language { token, probability: 1.0 });
        }
        self.context.clear();
        if let Some(words) = &mut self.words {
            words.start();
        }
        if !options.carry_initial_prompt {
            self.context.push(options.initial_prompt);
        }
        let end = options.duration.map_or(usize::MAX, |d| options.offset.saturating_add(d));
        Transcription {
            gate: Gate::new(options.vad, options.offset..end),
            seek: options.offset,
            language: options.language,
            repeats: Repeats::default(),
            summary: Summary::default(),
        }
    }

    /// Transcribes the next window. `false` when there is none.
    ///
    /// # Errors
    /// No samples at all, samples that cannot be had or are not finite, or unusable weights. There is
    /// no going on after an error.
    pub(super) fn step(
        &mut self,
        transcription: &mut Transcription,
        samples: &mut dyn Samples,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<bool, Error> {
        let config = *self.model.config();
        let Transcription { gate, seek, language, repeats, summary } = transcription;
        let next = gate.next(samples, *seek, self.options.audio_ctx.window(&config))?;
        let at = next.as_ref().map_or(gate.end(*seek), |window| window.start);
        if at > *seek {
            summary.skipped += at - *seek;
            *seek = at;
            tell(Event::Progress { done: *seek, total: samples.total() });
        }
        let Some(Range { end, .. }) = next else {
            return if *seek == self.options.offset { Err(Error::EmptyAudio) } else { Ok(false) };
        };
        let window = samples.window(*seek, end - *seek).ok_or(Error::Samples)?;
        let length = window.len().min(end - *seek);
        self.encode_finite(&window[..length])?;
        tell(Event::Encoded);
        let detected = match *language {
            None if config.is_multilingual() => Some(self.languages()?.best()),
            _ => None,
        };
        let is_first = summary.windows == 0;
        let spoken = language.or(detected.map(|(token, _)| token));
        let decoded = self.decode(spoken, is_first, *seek)?;
        summary.windows += 1;
        summary.silent += usize::from(decoded.silent);
        summary.tokens += decoded.decoded;
        // What a silent window seems to be spoken in says nothing of the others.
        if let Some((token, probability)) = detected
            && !decoded.silent
        {
            *language = Some(token);
            tell(Event::Language { token, probability });
        }
        let (place, over) = (*seek..*seek + length, gate.over());
        let advance = self.tell_window(place, over, &decoded, spoken, repeats, tell)?;
        // A window always moves on, whatever its timestamps say.
        *seek += advance.max(config.timestamp_step as usize).min(length);
        tell(Event::Progress { done: *seek, total: samples.total() });
        Ok(true)
    }

    /// Tells of the window decoded last, which was decoded in the language `spoken`, and of its
    /// segments. Returns how many samples to move on; no window will begin at `over` or later.
    fn tell_window(
        &mut self,
        place: Range<usize>,
        over: usize,
        decoded: &Decoded,
        spoken: Option<u32>,
        repeats: &mut Repeats,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<usize, Error> {
        let Self { model, decoding, options, decoder, scratch, context, window, words, .. } = self;
        let (model, config, length): (&Model<'m>, _, _) = (model, model.config(), place.len());
        let (tokens, logprobs) = window.tokens(decoded.len);
        let window = Window {
            start: place.start,
            end: place.end,
            tokens,
            logprobs,
            avg_logprob: decoded.avg_logprob,
            no_speech_prob: decoded.no_speech_prob,
            temperature: decoded.temperature,
            compression_ratio: decoded.compression_ratio,
            silent: decoded.silent,
        };
        tell(Event::Window(window));
        if decoded.silent {
            return Ok(length);
        }
        let cutter = Cutter { config, options, over };
        let table = model.tokens();
        let mut emit = |span: &Span, words: Spoken<'_>| {
            context.push(&window.tokens[span.tokens.clone()]);
            let segment = window.segment(span, words, table);
            cutter.split(segment, &mut |part| tell(Event::Segment(part)));
        };
        let advance = if let Some(words) = words {
            let mut machine = Machine { compute: decoding, model, options, decoder, scratch };
            let found = words.find(&mut machine, &cutter, &window, spoken)?;
            for index in 0..found.spans {
                let (span, words) = words.span(index);
                emit(&span, words);
            }
            found.advance
        } else {
            cutter.cut(table, &window, &mut |span| emit(&span, Spoken::default())).samples
        };
        let looping = repeats.see(config, tokens);
        // Text of a window that could hardly be decoded, or that repeats itself from window to window,
        // would lead the next one astray.
        let unsure = decoded.temperature > options.prompt_reset_temperature;
        let conditions = options.condition_on_previous && config.no_previous_text == 0;
        if !conditions || unsure || looping {
            context.clear();
        }
        Ok(if looping && advance < length / 30 { length } else { advance })
    }
}
