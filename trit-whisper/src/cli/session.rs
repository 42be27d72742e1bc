//! A model made ready to transcribe one file after the other.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use trit_simd::parallel::Join;
use trit_whisper::audio::{AudioError, Reader};
use trit_whisper::output::{Line, Transcript};
use trit_whisper::threads::Threads;
use trit_whisper::{
    Error, Event, MemoryPlan, Model, Options, SAMPLE_RATE, Samples, Segment, Summary, Transcriber,
};

use super::tuning::Tuned;
use super::{Failure, ModelBytes, count, languages, machine};

/// The audio at `path`, `-` for standard input.
fn open(path: &Path) -> Result<Reader, AudioError> {
    if path == Path::new("-") { Reader::from_stream(io::stdin()) } else { Reader::open(path) }
}

/// The token of a language by its code or English name, if the model, which messages call `name`, knows it.
pub(crate) fn language(
    model: &Model<'_>,
    name: &str,
    language: Option<&str>,
) -> Result<Option<u32>, Failure> {
    let Some(language) = language.filter(|code| !code.eq_ignore_ascii_case("auto")) else {
        return Ok(None);
    };
    let config = model.config();
    if !config.is_multilingual() {
        return Err(Failure::Usage(format!(
            "--language {language}: {name} knows one language only; leave it out"
        )));
    }
    model.language(&languages::code(language)).map(Some).map_err(|_| {
        let last = config.language_first + config.n_languages;
        let known: Vec<_> =
            (config.language_first..last).filter_map(|id| model.language_code(id)).collect();
        let known = known.join(" ");
        Failure::Usage(format!("--language {language}: {name} does not know it, only {known}"))
    })
}

/// What all files have in common.
pub(crate) struct Session<'s> {
    pub(crate) bytes: &'s ModelBytes,
    pub(crate) model: &'s Model<'s>,
    pub(crate) threads: Threads,
    pub(crate) tuned: Tuned,
    pub(crate) options: Options<'s>,
    pub(crate) arena: Vec<u8>,
}

/// What is told while a file is transcribed.
pub(crate) enum News<'n> {
    /// A segment is final; it is this line of the transcript.
    Segment(&'n Segment<'n>, &'n Line),
    /// So many samples are done, of so many in all if that is known.
    Progress { done: usize, total: Option<usize> },
}

/// A file's transcript and what it took.
pub(crate) struct Done {
    pub(crate) transcript: Transcript,
    /// Seconds of audio that were to be transcribed.
    pub(crate) heard: f64,
    pub(crate) summary: Summary,
    /// What was wrong with the audio that could be used nevertheless.
    pub(crate) warning: Option<String>,
    pub(crate) spent: Duration,
    /// The parts of it until windows were encoded, and after.
    pub(crate) encoding: Duration,
    pub(crate) decoding: Duration,
}

impl<'s> Session<'s> {
    /// Has memory for `options`, which every file uses in its turn.
    pub(crate) fn new(
        bytes: &'s ModelBytes,
        model: &'s Model<'s>,
        threads: Threads,
        tuned: Tuned,
        options: Options<'s>,
    ) -> Result<Self, Failure> {
        let plan = MemoryPlan::with_options(model, threads.threads(), &options);
        let arena = super::arena(plan.total())?;
        Ok(Self { bytes, model, threads, tuned, options, arena })
    }

    /// Transcribes the audio at `path`, `-` for standard input; messages call it `shown`.
    pub(crate) fn transcribe(
        &mut self,
        path: &Path,
        shown: &str,
        tell: &mut (dyn FnMut(News<'_>) + Send),
    ) -> Result<Done, Failure> {
        let failure = |error| Failure::Audio(format!("{shown}: {error}"));
        let started = Instant::now();
        let mut reader = open(path).map_err(failure)?;
        let (bytes, model) = (self.bytes, self.model);
        let mut transcript =
            Transcript { file: path.display().to_string(), ..Transcript::default() };
        let (mut encoding, mut decoding) = (Duration::ZERO, Duration::ZERO);
        let mut last = started;
        let mut lap = |part: &mut Duration| {
            let now = Instant::now();
            *part += now - std::mem::replace(&mut last, now);
        };
        let result = self.threads.install(|| {
            let kernels = self.tuned.kernels;
            let mut transcriber =
                Transcriber::new(model, kernels, &self.threads, &mut self.arena, self.options)?;
            transcriber.transcribe_from(&mut reader, &mut |event| match event {
                Event::Language { token, probability } => {
                    transcript.language = model.language_code(token).map(str::to_owned);
                    transcript.language_probability =
                        transcript.language.is_some().then_some(probability);
                }
                Event::Encoded => {
                    bytes.set_encoding_aside(model);
                    lap(&mut encoding);
                }
                Event::Segment(segment) => {
                    tell(News::Segment(&segment, transcript.push(&segment)));
                }
                Event::Progress { done, total } => {
                    // What the decoder reads need not stay while the next window is encoded.
                    bytes.release(0..model.container().file_len());
                    lap(&mut decoding);
                    tell(News::Progress { done, total });
                }
                _ => {}
            })
        });
        let summary = match (result, reader.take_error()) {
            (Ok(summary), _) => summary,
            (Err(_), Some(error)) => return Err(failure(error)),
            (Err(error), None) => return Err(self.failure(shown, error)),
        };
        let seconds = |samples: usize| samples as f64 / SAMPLE_RATE as f64;
        let Options { offset, duration, .. } = self.options;
        let end = duration.map_or(usize::MAX, |duration| offset.saturating_add(duration));
        // A file that does not say its length was read no farther than was asked for.
        let all = reader.total().unwrap_or_else(|| reader.len().min(end));
        transcript.duration = seconds(all);
        let heard = seconds(all.min(end).saturating_sub(offset));
        let warning = reader.warning().map(str::to_owned);
        let spent = started.elapsed();
        Ok(Done { transcript, heard, summary, warning, spent, encoding, decoding })
    }

    /// How probable each language is in the first window from the offset on, likeliest first.
    pub(crate) fn languages(
        &mut self,
        path: &Path,
        shown: &str,
    ) -> Result<Vec<(String, f32)>, Failure> {
        let failure = |error| Failure::Audio(format!("{shown}: {error}"));
        let mut reader = open(path).map_err(failure)?;
        let model = self.model;
        let most = model.config().window().min(self.options.duration.unwrap_or(usize::MAX));
        let samples = reader.window(self.options.offset, most).map(<[f32]>::to_vec);
        let samples = match (samples, reader.take_error()) {
            (Some(samples), _) => samples,
            (None, Some(error)) => return Err(failure(error)),
            (None, None) => Vec::new(),
        };
        let found = self.threads.install(|| {
            let kernels = self.tuned.kernels;
            let mut transcriber =
                Transcriber::new(model, kernels, &self.threads, &mut self.arena, self.options)?;
            let languages = transcriber.detect_language(&samples)?;
            let code = |token| model.language_code(token).unwrap_or_default().to_owned();
            Ok(languages.iter().map(|(token, p)| (code(token), p)).collect::<Vec<_>>())
        });
        let mut found = found.map_err(|error: Error| self.failure(shown, error))?;
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(found)
    }

    /// The audio's failure, or else the model's.
    fn failure(&self, shown: &str, error: Error) -> Failure {
        match error {
            Error::EmptyAudio | Error::Sample { .. } => Failure::Audio(format!("{shown}: {error}")),
            error => Failure::Model(format!("{}: {error}", self.bytes.name())),
        }
    }

    /// A line of figures about a file.
    pub(crate) fn figures(&self, shown: &str, done: &Done) -> String {
        let (heard, spent) = (done.heard, done.spent.as_secs_f64());
        format!(
            "{shown}: {heard:.1} s of audio in {spent:.3} s, real-time factor {:.3}; {}, {} silent, \
             {}; {}, peak memory {}, {}",
            spent / heard,
            count(done.summary.windows, "window"),
            done.summary.silent,
            count(done.summary.tokens, "token"),
            count(self.threads.threads(), "thread"),
            machine::peak_memory(),
            self.tuned.summary(),
        )
    }
}
