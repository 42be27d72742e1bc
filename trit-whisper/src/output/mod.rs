//! Transcripts in the forms that other programs read: plain text, SubRip, WebVTT, LRC, JSON and
//! tab-separated values.

mod timed;

use serde::Serialize;

use crate::{SAMPLE_RATE, Segment};

/// A word and when it is spoken.
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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Transcript {
    /// The file's name as given.
    pub file: String,
    /// The language's code, for models that know more than one.
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
    /// Adds a finished segment and returns it.
    pub fn push(&mut self, segment: &Segment<'_>) -> &Line {
        let text = text(segment.text());
        // Tokens carry their own spaces; some languages have none.
        self.text += if self.text.is_empty() { text.trim_start() } else { &text };
        self.text.truncate(self.text.trim_end().len());
        self.segments.push(Line::new(segment));
        &self.segments[self.segments.len() - 1]
    }
}

/// How to write a transcript.
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
/// assert_eq!(render(&transcript, Format::Srt), "1\n00:00:00,500 --> 00:00:01,250\nyes\n\n");
/// assert_eq!(render(&transcript, Format::Lrc), "[00:00.50]yes\n[00:01.25]\n");
/// ```
pub fn render(transcript: &Transcript, format: Format) -> String {
    match format {
        Format::Txt => format!("{}\n", transcript.text),
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
