//! Transcripts in the forms that other programs read: plain text, SubRip, WebVTT, LRC, JSON and
//! tab-separated values.
//!
//! ```
//! use trit_whisper::output::{Format, render};
//! use trit_whisper::{Whisper, audio};
//!
//! # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
//! # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
//! # let audio_ctx = trit_whisper::AudioCtx::Positions(40.try_into()?);
//! # let options = trit_whisper::Options { audio_ctx, ..Default::default() };
//! # let mut whisper = Whisper::embedded()?.options(options);
//! let transcript = whisper.transcribe(samples)?;
//! assert_eq!(render(&transcript, Format::Txt), "yes\n");
//! assert!(render(&transcript, Format::Vtt).starts_with("WEBVTT\n\n00:00:00."));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod timed;

use serde::Serialize;

use crate::{SAMPLE_RATE, Segment};

/// A word and when it is spoken.
///
/// ```
/// use trit_whisper::output::TimedWord;
///
/// let word = TimedWord { start: 0.5, end: 0.75, word: " yes".into(), probability: 0.5 };
/// let json = serde_json::to_string(&word)?;
/// assert_eq!(json, r#"{"start":0.5,"end":0.75,"word":" yes","probability":0.5}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimedWord {
    /// Seconds from the beginning of the audio.
    pub start: f64,
    /// Seconds from the beginning of the audio.
    pub end: f64,
    /// The word with its punctuation and, most often, the space before it.
    pub word: String,
    /// Mean probability of its tokens.
    pub probability: f32,
}

/// A finished segment, with its text.
///
/// ```
/// use trit_whisper::output::{Format, Line, Transcript, render};
///
/// // Subtitles of another program's segments.
/// let line = Line { start: 61.5, end: 62.0, text: "yes".into(), ..Line::default() };
/// let transcript = Transcript { segments: vec![line], ..Transcript::default() };
/// assert_eq!(render(&transcript, Format::Tsv), "start\tend\ttext\n61500\t62000\tyes\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Line {
    /// Seconds from the beginning of the audio.
    pub start: f64,
    /// Seconds from the beginning of the audio.
    pub end: f64,
    /// The text, trimmed.
    pub text: String,
    /// Token ids.
    pub tokens: Vec<u32>,
    /// The probability of each token.
    pub token_probabilities: Vec<f32>,
    /// Mean log probability of the window's tokens.
    pub avg_logprob: f32,
    /// Probability that the window holds no speech.
    pub no_speech_prob: f32,
    /// The temperature that its window was decoded at.
    pub temperature: f32,
    /// Bytes of its window's text divided by what zlib makes of them.
    pub compression_ratio: f32,
    /// The words, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<TimedWord>,
}

/// A transcript of one file.
///
/// ```
/// use trit_whisper::output::{Format, Line, Transcript, render};
///
/// let line = Line { start: 0.5, end: 1.25, text: "Ja.".into(), ..Line::default() };
/// let transcript = Transcript {
///     file: "answer.wav".into(),
///     language: Some("de".into()),
///     duration: 1.5,
///     text: "Ja.".into(),
///     segments: vec![line],
///     ..Transcript::default()
/// };
/// let json: serde_json::Value = serde_json::from_str(&render(&transcript, Format::Json))?;
/// assert_eq!(json["language"], "de");
/// assert_eq!(json["segments"][0]["end"], 1.25);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Transcript {
    /// The file's name as given.
    pub file: String,
    /// The language's code, for models that know more than one, if it was given or speech was found.
    pub language: Option<String>,
    /// How probable it is among the model's languages; 1 if it was given.
    pub language_probability: Option<f32>,
    /// Seconds of audio.
    pub duration: f64,
    /// All text, trimmed.
    pub text: String,
    /// The segments.
    pub segments: Vec<Line>,
}

/// The text of a segment's or word's tokens. Bytes that are not UTF-8 become U+FFFD.
fn text<'t>(tokens: impl Iterator<Item = &'t [u8]>) -> String {
    let bytes: Vec<u8> = tokens.flatten().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn seconds(samples: usize) -> f64 {
    samples as f64 / SAMPLE_RATE as f64
}

impl Line {
    /// The segment, with times in seconds and text in UTF-8.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{AudioCtx, Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # // The first word, and a window no longer than that.
    /// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
    /// # let options = Options { audio_ctx, ..Options::default() };
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// use trit_whisper::output::Line;
    ///
    /// let mut lines = Vec::new();
    /// transcriber.transcribe(samples, &mut |event| {
    ///     if let Event::Segment(segment) = event {
    ///         lines.push(Line::new(&segment));
    ///     }
    /// })?;
    /// let line = &lines[0];
    /// assert_eq!((&*line.text, line.tokens.len(), line.token_probabilities.len()), ("yes", 1, 1));
    /// assert!(0.0 < line.start && line.end <= 0.8 && line.words.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(segment: &Segment<'_>) -> Self {
        let words = segment.words().map(|word| TimedWord {
            start: seconds(word.start),
            end: seconds(word.end),
            word: text(word.text()),
            probability: word.probability,
        });
        Self {
            start: seconds(segment.start),
            end: seconds(segment.end),
            text: text(segment.text()).trim().to_owned(),
            tokens: segment.tokens.to_vec(),
            token_probabilities: segment.probabilities().collect(),
            avg_logprob: segment.avg_logprob,
            no_speech_prob: segment.no_speech_prob,
            temperature: segment.temperature,
            compression_ratio: segment.compression_ratio,
            words: words.collect(),
        }
    }
}

impl Transcript {
    /// Adds a finished segment and returns it. The text is that of all segments as it is, without the
    /// blanks around it, as in openai-whisper.
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
    /// # use trit_whisper::{AudioCtx, Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
    /// # let model = Model::parse(embedded::model())?;
    /// # // The first word, and a window no longer than that.
    /// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
    /// # let options = Options { audio_ctx, ..Options::default() };
    /// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
    /// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
    /// use trit_whisper::output::{Transcript, span};
    ///
    /// let mut transcript = Transcript::default();
    /// transcriber.transcribe(samples, &mut |event| {
    ///     if let Event::Segment(segment) = event {
    ///         let line = transcript.push(&segment);
    ///         println!("[{}] {}", span(line), line.text);
    ///     }
    /// })?;
    /// assert_eq!((&*transcript.text, transcript.segments.len()), ("yes", 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push(&mut self, segment: &Segment<'_>) -> &Line {
        // Tokens carry their own spaces, before or after the text; some languages have none.
        if let Some(line) = self.segments.last()
            && !self.text.is_empty()
        {
            let before = text(segment.text_of(&line.tokens));
            self.text += &before[before.trim_end().len()..];
        }
        let text = text(segment.text());
        self.text += if self.text.is_empty() { text.trim_start() } else { &text };
        self.text.truncate(self.text.trim_end().len());
        self.segments.push(Line::new(segment));
        &self.segments[self.segments.len() - 1]
    }
}

/// How to write a transcript.
///
/// ```
/// use trit_whisper::output::{Format, Transcript, render};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// for format in [Format::Txt, Format::Srt, Format::Vtt, Format::Lrc, Format::Json, Format::Tsv] {
///     let path = folder.join("speech").with_extension(format.extension());
///     std::fs::write(path, render(&Transcript::default(), format))?;
/// }
/// assert!(folder.join("speech.srt").exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The text alone, one line.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// Lyrics, which have a time for each line.
    Lrc,
    /// One JSON object: `docs/output.md`.
    Json,
    /// Start and end in milliseconds and the text of each segment, after a line of these names.
    Tsv,
}

impl Format {
    /// The file name extension.
    ///
    /// ```
    /// use trit_whisper::output::Format;
    ///
    /// let path = std::path::Path::new("speech.flac").with_extension(Format::Vtt.extension());
    /// assert_eq!(path.to_str(), Some("speech.vtt"));
    /// ```
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Lrc => "lrc",
            Self::Json => "json",
            Self::Tsv => "tsv",
        }
    }

    /// Whether transcripts in this form may follow each other in one stream: one line each, or one
    /// JSON object each.
    ///
    /// ```
    /// use trit_whisper::output::Format;
    ///
    /// // Cues are numbered from 1 in each file of subtitles.
    /// assert!(Format::Json.is_joinable() && !Format::Srt.is_joinable());
    /// ```
    pub const fn is_joinable(self) -> bool {
        matches!(self, Self::Txt | Self::Json)
    }
}

/// The transcript in `format`, ending in a line break.
///
/// ```
/// use trit_whisper::output::{Format, Line, Transcript, render};
///
/// let line = Line { start: 0.5, end: 1.25, text: "yes".into(), ..Line::default() };
/// let transcript = Transcript { text: "yes".into(), segments: vec![line], ..Default::default() };
/// assert_eq!(render(&transcript, Format::Txt), "yes\n");
/// let lines = Transcript { text: "yes\nno".into(), ..Default::default() };
/// assert_eq!(render(&lines, Format::Txt), "yes no\n");
/// assert_eq!(render(&transcript, Format::Srt), "1\n00:00:00,500 --> 00:00:01,250\nyes\n\n");
/// assert_eq!(render(&transcript, Format::Lrc), "[00:00.50]yes\n[00:01.25]\n");
/// ```
pub fn render(transcript: &Transcript, format: Format) -> String {
    match format {
        Format::Txt => format!("{}\n", timed::one_line(&transcript.text)),
        Format::Srt => timed::srt(&transcript.segments),
        Format::Vtt => timed::vtt(&transcript.segments),
        Format::Lrc => timed::lrc(&transcript.segments),
        Format::Json => {
            // Strings, numbers and lists always make valid JSON.
            let json = serde_json::to_string_pretty(transcript).unwrap_or_default();
            format!("{json}\n")
        }
        Format::Tsv => timed::tsv(&transcript.segments),
    }
}

/// The times of a segment, for people to read.
///
/// ```
/// use trit_whisper::output::{Line, span};
///
/// let line = Line { start: 61.5, end: 62.0, ..Line::default() };
/// assert_eq!(span(&line), "00:01:01.500 --> 00:01:02.000");
/// ```
pub fn span(line: &Line) -> String {
    timed::span(line, '.')
}

/// The text of a segment in pieces of whole characters, each with the least probability of the
/// tokens that it comes from: a token may be a part of a character.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{AudioCtx, Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
/// # let model = Model::parse(embedded::model())?;
/// # // The first word, and a window no longer than that.
/// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
/// # let options = Options { audio_ctx, ..Options::default() };
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// use trit_whisper::output::pieces;
///
/// let mut text = String::new();
/// transcriber.transcribe(samples, &mut |event| {
///     if let Event::Segment(segment) = event {
///         for (piece, probability) in pieces(&segment) {
///             text += &if probability > 0.5 { piece } else { format!("{piece}(?)") };
///         }
///     }
/// })?;
/// assert_eq!(text, " yes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pieces(segment: &Segment<'_>) -> Vec<(String, f32)> {
    let mut pieces = Vec::new();
    let mut pending: (Vec<u8>, f32) = (Vec::new(), 1.0);
    for (bytes, probability) in segment.text().zip(segment.probabilities()) {
        pending.0.extend(bytes);
        pending.1 = pending.1.min(probability);
        let is_cut = std::str::from_utf8(&pending.0).is_err_and(|e| e.error_len().is_none());
        if !is_cut {
            let (bytes, probability) = std::mem::replace(&mut pending, (Vec::new(), 1.0));
            pieces.push((String::from_utf8_lossy(&bytes).into_owned(), probability));
        }
    }
    if !pending.0.is_empty() {
        pieces.push((String::from_utf8_lossy(&pending.0).into_owned(), pending.1));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::{Span, Window};
    use crate::tokens::TokenTable;
    use crate::tokens::testing::table;
    use crate::words::Spoken;

    /// As they come, and not run together where the blank between two is at the end of the first.
    #[test]
    fn texts_are_joined_as_they_are() {
        let bytes = table(&[" yes", "no ", "on", " \u{3000}"]);
        let table = TokenTable::parse(&bytes, 4).unwrap();
        let text = |segments: &[&[u32]]| {
            let mut transcript = Transcript::default();
            for tokens in segments {
                let window = Window {
                    start: 0,
                    end: 1,
                    tokens,
                    logprobs: &[0.0; 8][..tokens.len()],
                    avg_logprob: 0.0,
                    no_speech_prob: 0.0,
                    temperature: 0.0,
                    compression_ratio: 1.0,
                    silent: false,
                };
                let span =
                    Span { start: 0, end: 1, text: 0..tokens.len(), tokens: 0..tokens.len() };
                transcript.push(&window.segment(&span, Spoken::default(), table));
            }
            transcript.text
        };
        assert_eq!(text(&[&[0], &[0], &[1]]), "yes yesno");
        assert_eq!(text(&[&[1], &[2], &[1]]), "no onno");
        assert_eq!(text(&[&[2, 3], &[2], &[3]]), "on \u{3000}on");
    }
}
