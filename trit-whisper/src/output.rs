//! Transcripts as plain text, SubRip, WebVTT and JSON.

use serde::Serialize;

use crate::{SAMPLE_RATE, Segment};

/// A finished segment, with its text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Seconds from the beginning of the audio.
    pub start: f64,
    /// Seconds from the beginning of the audio.
    pub end: f64,
    /// The text, trimmed.
    pub text: String,
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Mean log probability of the window's tokens.
    pub avg_logprob: f32,
    /// Probability that the window holds no speech.
    pub no_speech_prob: f32,
}

impl From<&Segment<'_>> for Line {
    fn from(segment: &Segment<'_>) -> Self {
        let bytes: Vec<u8> = segment.text().flatten().copied().collect();
        Self {
            start: segment.start as f64 / SAMPLE_RATE as f64,
            end: segment.end as f64 / SAMPLE_RATE as f64,
            text: String::from_utf8_lossy(&bytes).trim().to_owned(),
            tokens: segment.tokens.to_vec(),
            avg_logprob: segment.avg_logprob,
            no_speech_prob: segment.no_speech_prob,
        }
    }
}

/// A transcript of one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Transcript {
    /// The file's name as given.
    pub file: String,
    /// The language's code, for models that know more than one.
    pub language: Option<String>,
    /// Seconds of audio.
    pub duration: f64,
    /// All text, segments joined by spaces.
    pub text: String,
    /// The segments.
    pub segments: Vec<Line>,
}

/// How to write a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text alone, one line.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// One JSON object: `docs/output.md`.
    Json,
}

impl Format {
    /// The file name extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Json => "json",
        }
    }
}

/// Hours, minutes, seconds, milliseconds, with `mark` before the last.
fn clock(seconds: f64, mark: char) -> String {
    let ms = (seconds.max(0.0) * 1000.0).round() as u64;
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{h:02}:{m:02}:{s:02}{mark}{:03}", ms % 1000)
}

/// The transcript in `format`, ending in a line break.
///
/// ```
/// use trit_whisper::output::{Format, Line, Transcript, render};
///
/// let line = Line {
///     start: 0.5,
///     end: 1.25,
///     text: "yes".into(),
///     tokens: vec![0],
///     avg_logprob: -0.1,
///     no_speech_prob: 0.0,
/// };
/// let transcript = Transcript { text: "yes".into(), segments: vec![line], ..Default::default() };
/// assert_eq!(render(&transcript, Format::Txt), "yes\n");
/// assert_eq!(render(&transcript, Format::Srt), "1\n00:00:00,500 --> 00:00:01,250\nyes\n\n");
/// ```
pub fn render(transcript: &Transcript, format: Format) -> String {
    match format {
        Format::Txt => format!("{}\n", transcript.text),
        Format::Srt => subtitles(transcript, ',', true),
        Format::Vtt => format!("WEBVTT\n\n{}", subtitles(transcript, '.', false)),
        Format::Json => {
            // Strings, numbers and lists always make valid JSON.
            let json = serde_json::to_string_pretty(transcript).unwrap_or_default();
            format!("{json}\n")
        }
    }
}

fn subtitles(transcript: &Transcript, mark: char, numbered: bool) -> String {
    let mut text = String::new();
    for (index, line) in transcript.segments.iter().enumerate() {
        if numbered {
            text += &format!("{}\n", index + 1);
        }
        // An arrow within the text would end a cue's text in WebVTT.
        let words = line.text.replace("-->", "->");
        text += &format!("{} --> {}\n{words}\n\n", clock(line.start, mark), clock(line.end, mark));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        let line = |start, end, text: &str| Line {
            start,
            end,
            text: text.into(),
            tokens: vec![1],
            avg_logprob: -0.5,
            no_speech_prob: 0.25,
        };
        Transcript {
            file: "a.wav".into(),
            language: None,
            duration: 4000.0,
            text: "one two".into(),
            segments: vec![line(0.0, 1.0, "one"), line(3661.0405, 3662.0, "two --> three")],
        }
    }

    #[test]
    fn vtt_and_srt() {
        assert_eq!(
            render(&transcript(), Format::Vtt),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\none\n\n\
             01:01:01.041 --> 01:01:02.000\ntwo -> three\n\n"
        );
        assert!(render(&transcript(), Format::Srt).contains("2\n01:01:01,041 --> 01:01:02,000\n"));
    }

    #[test]
    fn json_has_the_documented_fields() {
        let json: serde_json::Value =
            serde_json::from_str(&render(&transcript(), Format::Json)).unwrap();
        assert_eq!(json["segments"][1]["start"], 3661.0405);
        assert_eq!(json["text"], "one two");
        assert!(json["language"].is_null());
    }
}
