//! Transcribes audio while it comes.
//!
//! A voice activity detector cuts the audio into utterances. What has been said of one can be asked
//! for at any time, and it is final when silence has ended it, or when it fills the model's window:
//! then all but what comes after its last whole segment is. Of two partial results in a row, what they
//! agree on at the beginning is stable ("local agreement", Liu, Spanakis and Niehues 2020; Macháček,
//! Dabre and Bojar 2023).
//!
//! Memory is bounded by a window of samples and the texts of two windows and of a prompt. Utterances are
//! decoded each for itself, or as if they were windows of one audio ([`StreamOptions::keep_context`]).

use core::ops::Range;

use crate::error::Error;
use crate::samples::Samples;
use crate::segment::Segment;
use crate::tokens::TokenTable;
use crate::transcribe::{Carry, Event, Transcriber};
use crate::vad::{self, Stretch, Vad, VadOptions};

/// How to transcribe a stream. Lengths are samples at 16 kHz.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{Error, MemoryPlan, Model, Options, Transcriber, embedded};
/// # use trit_whisper::{Stream, StreamOptions, VadOptions};
/// # let model = Model::parse(embedded::model())?;
/// # let options = Options::default();
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
///
/// // What is being said every half second, and utterances that end after 0.4 s of silence.
/// let vad = VadOptions { min_silence: 6_400, ..VadOptions::LIVE };
/// let options = StreamOptions { vad, partial_every: 8_000, ..StreamOptions::default() };
/// let stream = Stream::new(transcriber, options)?;
/// assert_eq!(stream.position(), 0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamOptions {
    /// How utterances are found. The padding before them is kept back while nobody speaks.
    pub vad: VadOptions,
    /// Give a partial result each time so much of an utterance has come; 0 gives none but those that
    /// are asked for ([`Stream::partial`]).
    pub partial_every: usize,
    /// Show the model the text of the utterances before, as that of the windows before in a file
    /// ([`Options::condition_on_previous`](crate::Options::condition_on_previous), which it takes). Names
    /// are spelt alike then, and a model that repeats itself has more to repeat. Otherwise the initial
    /// prompt comes before every utterance.
    pub keep_context: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { vad: VadOptions::LIVE, partial_every: 0, keep_context: false }
    }
}

/// An utterance that is not over yet.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{AudioCtx, MemoryPlan, Model, Options, Transcriber, audio, embedded};
/// # use trit_whisper::{Stream, StreamEvent, StreamOptions};
/// # let model = Model::parse(embedded::model())?;
/// # // The first word, and a window no longer than that.
/// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
/// # let options = Options { audio_ctx, ..Options::default() };
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
/// # let transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// let mut stream = Stream::new(transcriber, StreamOptions::default())?;
/// stream.push(samples, &mut |_| {})?;
/// assert!(stream.is_speaking());
/// stream.partial(&mut |event| {
///     if let StreamEvent::Partial(partial) = event {
///         let text: Vec<u8> = partial.text().flatten().copied().collect();
///         assert_eq!(String::from_utf8_lossy(&text), " yes");
///         // There was no partial result before that it could agree with.
///         assert_eq!((partial.stable, partial.end), (0, samples.len()));
///     }
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Partial<'t> {
    /// First sample, from the beginning of the stream.
    pub start: usize,
    /// One past the last sample heard.
    pub end: usize,
    /// Text tokens so far.
    pub tokens: &'t [u32],
    /// How many of them the partial result before had too, at its beginning.
    pub stable: usize,
    table: TokenTable<'t>,
}

impl<'t> Partial<'t> {
    /// The text's bytes, token by token; a character may be split between tokens.
    pub fn text(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let table = self.table;
        self.tokens.iter().map(move |&id| table.bytes(id))
    }
}

/// What a stream tells.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{AudioCtx, MemoryPlan, Model, Options, Transcriber, audio, embedded};
/// # use trit_whisper::{Stream, StreamEvent, StreamOptions};
/// # let model = Model::parse(embedded::model())?;
/// # // The first word, and a window no longer than that.
/// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
/// # let options = Options { audio_ctx, ..Options::default() };
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
/// # let transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// let (mut text, mut utterances) = (Vec::new(), Vec::new());
/// let mut tell = |event: StreamEvent<'_>| match event {
///     StreamEvent::Segment(segment) => text.extend(segment.text().flatten().copied()),
///     StreamEvent::Utterance { start, end } => utterances.push(start..end),
///     _ => {}
/// };
/// let mut stream = Stream::new(transcriber, StreamOptions::default())?;
/// stream.push(samples, &mut tell)?;
/// stream.finish(&mut tell)?;
/// assert_eq!(String::from_utf8_lossy(&text), " yes");
/// assert!(utterances.len() == 1 && utterances[0].end <= samples.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StreamEvent<'t> {
    /// What is being said; it may change.
    Partial(Partial<'t>),
    /// A segment is final. Its times count from the beginning of the stream.
    Segment(Segment<'t>),
    /// An utterance is over, and all its segments were told.
    Utterance {
        /// Where speech began, with padding.
        start: usize,
        /// Where it ended, with padding.
        end: usize,
    },
}

/// Transcribes audio that comes in pieces of any size.
///
/// ```
/// use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// use trit_whisper::{
///     MemoryPlan, Model, Options, Stream, StreamEvent, StreamOptions, Transcriber, embedded,
/// };
///
/// let model = Model::parse(embedded::model())?;
/// let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
/// let (kernels, options) = (Kernels::new(&Cpu::detect()), Options::default());
/// let transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
///
/// let mut stream = Stream::new(transcriber, StreamOptions::default())?;
/// let mut tell = |event: StreamEvent<'_>| {
///     if let StreamEvent::Segment(segment) = event {
///         let text: Vec<u8> = segment.text().flatten().copied().collect();
///         println!("{}", String::from_utf8_lossy(&text));
///     }
/// };
/// for piece in [0.0; 16_000].chunks(700) {
///     stream.push(piece, &mut tell)?;
/// }
/// // Of silence no more is held than the padding before speech, and a little.
/// assert!(stream.position() == 16_000 && !stream.is_speaking());
/// assert!(stream.held() < 6_000);
/// stream.finish(&mut tell)?;
/// # Ok::<(), trit_whisper::Error>(())
/// ```
pub struct Stream<'m, 'a> {
    transcriber: Transcriber<'m, 'a>,
    table: TokenTable<'m>,
    options: StreamOptions,
    vad: Vad,
    /// At most a window of samples, of which the first has index `first` in the stream.
    held: Vec<f32>,
    first: usize,
    /// Samples of a window.
    window: usize,
    /// Samples of the utterance that no partial result has heard.
    unheard: usize,
    /// Text of the last partial result of this utterance, and of the one before.
    text: Vec<u32>,
    before: Vec<u32>,
    /// What the next utterance goes on from, if it does.
    carry: Option<Carry>,
}

/// A part of a stream: no more than its window is asked for, and nothing once speech is over.
struct Utterance<'s> {
    samples: &'s [f32],
    /// Where its windows may begin.
    starts: usize,
}

impl Samples for Utterance<'_> {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        if start >= self.starts {
            return Some(&[]);
        }
        let rest = self.samples.get(start..).unwrap_or_default();
        Some(&rest[..len.min(rest.len())])
    }
}

impl<'m, 'a> Stream<'m, 'a> {
    /// A stream that has not begun. The transcriber's own voice activity detector is switched off, and
    /// its offset and duration are those of no stream.
    ///
    /// # Errors
    /// Options that cannot be followed: a prefix is what one window begins with, and nobody knows what
    /// the first utterance of a stream will.
    pub fn new(
        mut transcriber: Transcriber<'m, 'a>,
        options: StreamOptions,
    ) -> Result<Self, Error> {
        options.vad.check()?;
        if !transcriber.options().prefix.is_empty() {
            return Err(Error::Option { option: "prefix", expected: "empty in a stream" });
        }
        transcriber.decode_all();
        let model = transcriber.model();
        let window = transcriber.options().audio_ctx.window(model.config());
        let (texts, table) = (model.config().sample_len(), model.tokens());
        Ok(Self {
            table,
            transcriber,
            options,
            vad: Vad::new(options.vad),
            held: Vec::with_capacity(window),
            first: 0,
            window,
            unheard: 0,
            text: Vec::with_capacity(texts),
            before: Vec::with_capacity(texts),
            carry: None,
        })
    }

    /// Samples taken so far.
    pub fn position(&self) -> usize {
        self.vad.position()
    }

    /// Samples held in memory, never more than the model's window.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether somebody is speaking, as far as is known.
    pub fn is_speaking(&self) -> bool {
        self.vad.speaking_since().is_some()
    }

    /// Takes the next samples, 16 kHz mono in −1..1, and decodes what they complete.
    ///
    /// # Errors
    /// A sample that is not finite, unusable weights, or [`Error::Cancelled`]. After the first, the
    /// stream is as if the samples had not come; after the others, it is of no use.
    pub fn push(
        &mut self,
        samples: &[f32],
        tell: &mut dyn FnMut(StreamEvent<'_>),
    ) -> Result<(), Error> {
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::Sample { index: self.position() + at });
        }
        // Up to the end of a frame or of the window at a time, whatever the pieces: so an utterance is
        // cut out before samples of the next come, and the same samples are decoded.
        let mut rest = samples;
        while !rest.is_empty() {
            if self.held.len() >= self.window {
                self.make_room(tell)?;
            }
            let len = rest.len().min(self.vad.missing()).min(self.window - self.held.len());
            let (piece, later) = rest.split_at(len);
            rest = later;
            self.held.extend_from_slice(piece);
            self.unheard += piece.len();
            let mut ended = None;
            self.vad.listen(piece, &mut |stretch| ended = Some(stretch));
            if self.vad.missing() == Vad::FRAME {
                self.scored(ended, tell)?;
            }
        }
        Ok(())
    }

    /// Does what the score of a frame asks for, which may have `ended` an utterance.
    fn scored(
        &mut self,
        ended: Option<Stretch>,
        tell: &mut dyn FnMut(StreamEvent<'_>),
    ) -> Result<(), Error> {
        if let Some(stretch) = ended {
            self.end(stretch, tell)?;
        }
        let Some(start) = self.vad.speaking_since() else {
            // Speech may begin with the frame before last. Silence never fills the window.
            let padding = self.vad.padding() + 2 * Vad::FRAME;
            self.keep_last(padding.min(self.window.saturating_sub(Vad::FRAME)));
            self.forget_text();
            return Ok(());
        };
        self.drop_before(start);
        if self.options.partial_every > 0 && self.unheard >= self.options.partial_every {
            self.partial(tell)?;
        }
        Ok(())
    }

    /// Decodes what has come of an utterance and tells it, if somebody is speaking and has said more
    /// since the last time.
    ///
    /// # Errors
    /// Unusable weights, or [`Error::Cancelled`].
    pub fn partial(&mut self, tell: &mut dyn FnMut(StreamEvent<'_>)) -> Result<(), Error> {
        if !self.is_speaking() || self.unheard == 0 || self.held.is_empty() {
            return Ok(());
        }
        self.unheard = 0;
        std::mem::swap(&mut self.text, &mut self.before);
        self.text.clear();
        let (text, eot) = (&mut self.text, self.transcriber.model().config().eot);
        let mut utterance = Utterance { samples: &self.held, starts: 1 };
        let mut note = |event: Event<'_>| {
            // Not the segments: the newest words are in none, until a timestamp follows them.
            if let Event::Window(window) = event
                && !window.silent
            {
                text.extend(window.tokens.iter().filter(|&&id| id < eot));
            }
        };
        // What may change is nothing to go on from.
        let carry = self.carry.as_ref();
        self.transcriber.transcribe_on(carry, usize::MAX, &mut utterance, &mut note)?;
        let same = self.text.iter().zip(&self.before).take_while(|(a, b)| a == b).count();
        tell(StreamEvent::Partial(Partial {
            start: self.first,
            end: self.first + self.held.len(),
            tokens: &self.text,
            stable: same,
            table: self.table,
        }));
        Ok(())
    }

    /// Decodes what is left at the end of the stream. What comes afterwards is another stream, whose
    /// samples are counted on.
    ///
    /// # Errors
    /// Unusable weights, or [`Error::Cancelled`].
    pub fn finish(&mut self, tell: &mut dyn FnMut(StreamEvent<'_>)) -> Result<(), Error> {
        if let Some(stretch) = self.vad.last() {
            self.end(stretch, tell)?;
        }
        self.keep_last(0);
        self.forget_text();
        self.carry = None;
        Ok(())
    }

    /// Decodes what is left of an utterance and forgets it.
    fn end(
        &mut self,
        Stretch { range: Range { start, end }, spoken }: Stretch,
        tell: &mut dyn FnMut(StreamEvent<'_>),
    ) -> Result<(), Error> {
        self.drop_before(start);
        let first = start.max(self.first);
        // Of a long utterance, all but silence may have been decoded.
        if first < spoken {
            let len = end.saturating_sub(first).min(self.held.len());
            let spoken = spoken - first;
            self.decode(len, spoken, vad::over(spoken, len), tell)?;
        }
        self.drop_before(end);
        self.forget_text();
        tell(StreamEvent::Utterance { start, end });
        Ok(())
    }

    /// Decodes a window of an utterance that goes on, and keeps what comes after its last whole
    /// segment.
    fn make_room(&mut self, tell: &mut dyn FnMut(StreamEvent<'_>)) -> Result<(), Error> {
        let silence = self.vad.silent_since().map(|at| at.saturating_sub(self.first));
        let done = self.decode(self.held.len(), 1, silence.unwrap_or(usize::MAX), tell)?;
        self.drop_before(self.first + done.max(Vad::FRAME));
        self.forget_text();
        Ok(())
    }

    /// Tells the segments of the first `len` samples held, in windows that begin before `starts`, and
    /// returns how far they go. At `over` and later samples no window will begin, now or later.
    fn decode(
        &mut self,
        len: usize,
        starts: usize,
        over: usize,
        tell: &mut dyn FnMut(StreamEvent<'_>),
    ) -> Result<usize, Error> {
        let (first, mut done) = (self.first, 0);
        let mut utterance = Utterance { samples: &self.held[..len], starts };
        let mut note = |event: Event<'_>| match event {
            Event::Segment(segment) => tell(StreamEvent::Segment(segment.later(first))),
            Event::Progress { done: so_far, .. } => done = so_far,
            _ => {}
        };
        let before = self.carry.as_ref();
        let carry = self.transcriber.transcribe_on(before, over, &mut utterance, &mut note)?;
        if self.options.keep_context {
            self.carry = Some(carry);
        }
        Ok(done)
    }

    /// Drops samples before `position`.
    fn drop_before(&mut self, position: usize) {
        let count = position.saturating_sub(self.first).min(self.held.len());
        self.held.drain(..count);
        self.first += count;
    }

    /// Drops all but the last `count` samples.
    fn keep_last(&mut self, count: usize) {
        self.drop_before(self.first + self.held.len().saturating_sub(count));
    }

    fn forget_text(&mut self) {
        self.unheard = 0;
        self.text.clear();
        self.before.clear();
    }
}
