//! Segments one by one, as they are asked for.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;

use super::Transcriber;
use super::transcription::{Event, Summary, Transcription};
use crate::error::Error;
use crate::output::Line;
use crate::samples::Samples;
use crate::threads::Threads;

/// An iterator over the segments of some audio, made by
/// [`Whisper::segments`](crate::Whisper::segments) or [`Transcriber::into_segments`].
///
/// It does a window of audio when it is asked for a segment and has none left of the windows before:
/// memory is bounded by the segments of a window, and dropping it ends the work. It gives the segments
/// that [`Transcriber::transcribe_from`] tells, and no more after the first error.
///
/// ```
/// use trit_whisper::{Whisper, audio};
///
/// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
/// let mut whisper = Whisper::embedded()?;
/// let mut segments = whisper.segments(audio::Reader::open(&path)?)?;
/// for segment in &mut segments {
///     let segment = segment?;
///     println!("{:.1} s to {:.1} s: {}", segment.start, segment.end, segment.text);
/// }
/// // The model knows one language only.
/// assert_eq!((segments.summary().windows, segments.language()), (1, None));
/// let position = segments.position();
/// let reader = segments.samples_mut();
/// assert!(position == reader.len() && reader.warning().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Segments<'m, 'a, S> {
    transcriber: Transcriber<'m, 'a>,
    /// Threads to work on, where the transcriber was not made to be called on one of them.
    threads: Option<&'m Threads>,
    transcription: Transcription,
    samples: S,
    /// Whether there is nothing more to do.
    ended: bool,
    /// The last window's segments, as far as they have not been asked for.
    ready: VecDeque<Line>,
    language: Option<(u32, f32)>,
}

impl<S> fmt::Debug for Segments<'_, '_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments")
            .field("position", &self.position())
            .field("ended", &self.ended)
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}

impl<'m, 'a, S> Segments<'m, 'a, S> {
    pub(crate) fn new(
        mut transcriber: Transcriber<'m, 'a>,
        threads: Option<&'m Threads>,
        samples: S,
    ) -> Self {
        let mut language = None;
        let transcription = transcriber.begin(&mut |event| note_language(&event, &mut language));
        let ready = VecDeque::new();
        Self { transcriber, threads, transcription, samples, ended: false, ready, language }
    }

    /// The language's code and how probable it is among the model's languages, 1 for a given one.
    /// `None` for a model of one language, and where it has not been detected yet: it is once there is a
    /// segment.
    pub fn language(&self) -> Option<(&'m str, f32)> {
        let (token, probability) = self.language?;
        Some((self.transcriber.model().language_code(token)?, probability))
    }

    /// Samples done so far, from the beginning of the audio.
    pub fn position(&self) -> usize {
        self.transcription.position()
    }

    /// What has been done so far.
    pub fn summary(&self) -> Summary {
        self.transcription.summary()
    }

    /// The audio: an [`audio::Reader`](crate::audio::Reader) knows why there was an
    /// [`Error::Samples`].
    pub fn samples_mut(&mut self) -> &mut S {
        &mut self.samples
    }

    /// The transcriber, for other audio. Segments that have not been asked for are lost.
    pub fn into_transcriber(self) -> Transcriber<'m, 'a> {
        self.transcriber
    }
}

impl<S: Samples + Send> Segments<'_, '_, S> {
    /// Transcribes a window. `false` when there is none.
    fn step(&mut self) -> Result<bool, Error> {
        let Self { transcriber, threads, transcription, samples, ready, language, .. } = self;
        let mut tell = |event: Event<'_>| {
            note_language(&event, language);
            if let Event::Segment(segment) = event {
                ready.push_back(Line::new(&segment));
            }
        };
        let mut work = || transcriber.step(transcription, samples, &mut tell);
        match threads {
            Some(threads) => threads.install(work),
            None => work(),
        }
    }
}

impl<S: Samples + Send> Iterator for Segments<'_, '_, S> {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.ended {
            match self.step() {
                Ok(more) => self.ended = !more,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl<S: Samples + Send> FusedIterator for Segments<'_, '_, S> {}

fn note_language(event: &Event<'_>, language: &mut Option<(u32, f32)>) {
    if let Event::Language { token, probability } = *event {
        *language = Some((token, probability));
    }
}
