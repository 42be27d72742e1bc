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

/// A transcript of one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Transcript {
    /// The file's name as given.
    pub file: String,
    /// The language's code, for models that know more than one.
    pub language: Option<String>,
    /// Seconds of audio.
    pub duration: f64,
    /// All text, trimmed.
    pub text: String,
    /// The segments.
    pub segments: Vec<Line>,
}

impl Transcript {
    /// Adds a finished segment. Bytes that are not UTF-8 become U+FFFD.
    pub fn push(&mut self, segment: &Segment<'_>) {
        let bytes: Vec<u8> = segment.text().flatten().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        // Tokens carry their own spaces; some languages have none.
        let text = if self.text.is_empty() { text.trim_start() } else { &text };
        self.text += text;
        self.text.truncate(self.text.trim_end().len());
        self.segments.push(Line {
            start: segment.start as f64 / SAMPLE_RATE as f64,
            end: segment.end as f64 / SAMPLE_RATE as f64,
            text: text.trim().to_owned(),
            tokens: segment.tokens.to_vec(),
            avg_logprob: segment.avg_logprob,
            no_speech_prob: segment.no_speech_prob,
        });
    }
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
        Format::Srt => subtitles(transcript, srt_cue),
        Format::Vtt => {
            format!("WEBVTT\n\n{}", subtitles(transcript, |_, line| vtt_cue(line)))
        }
        Format::Json => {
            // Strings, numbers and lists always make valid JSON.
            let json = serde_json::to_string_pretty(transcript).unwrap_or_default();
            format!("{json}\n")
        }
    }
}

fn subtitles(transcript: &Transcript, cue: impl Fn(usize, &Line) -> String) -> String {
    let cues = transcript.segments.iter().enumerate();
    cues.map(|(index, line)| format!("{}\n\n", cue(index, line))).collect()
}

/// The text in one line: an empty line would end the cue.
fn one_line(text: &str) -> String {
    let lines = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

fn srt_cue(index: usize, line: &Line) -> String {
    let (start, end) = (clock(line.start, ','), clock(line.end, ','));
    // SubRip has no escapes; an arrow could be taken for a line of times.
    let text = one_line(&line.text).replace("-->", "→");
    format!("{}\n{start} --> {end}\n{text}", index + 1)
}

fn vtt_cue(line: &Line) -> String {
    let (start, end) = (clock(line.start, '.'), clock(line.end, '.'));
    let text = one_line(&line.text);
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{start} --> {end}\n{text}")
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
            segments: vec![line(0.0, 1.0, "one"), line(3661.0405, 3662.0, "two --->\r\n\n& <i>")],
        }
    }

    #[test]
    fn vtt_and_srt() {
        assert_eq!(
            render(&transcript(), Format::Vtt),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\none\n\n\
             01:01:01.041 --> 01:01:02.000\ntwo ---&gt; &amp; &lt;i&gt;\n\n"
        );
        assert_eq!(
            render(&transcript(), Format::Srt),
            "1\n00:00:00,000 --> 00:00:01,000\none\n\n\
             2\n01:01:01,041 --> 01:01:02,000\ntwo -→ & <i>\n\n"
        );
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
