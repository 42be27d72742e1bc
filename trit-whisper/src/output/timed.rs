//! Forms with a line or cue for each segment.

use super::Line;

/// The time in whole milliseconds.
fn milliseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1000.0).round() as u64
}

/// Hours, minutes, seconds, milliseconds, with `mark` before the last.
fn clock(seconds: f64, mark: char) -> String {
    let ms = milliseconds(seconds);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{h:02}:{m:02}:{s:02}{mark}{:03}", ms % 1000)
}

/// The start and end of a segment.
pub(super) fn span(line: &Line, mark: char) -> String {
    format!("{} --> {}", clock(line.start, mark), clock(line.end, mark))
}

/// The text in one line: an empty line would end a cue.
pub(super) fn one_line(text: &str) -> String {
    let lines = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

pub(super) fn srt(segments: &[Line]) -> String {
    let cue = |(index, line): (usize, &Line)| {
        // SubRip has no escapes; an arrow could be taken for a line of times.
        let text = one_line(&line.text).replace("-->", "→");
        format!("{}\n{}\n{text}\n\n", index + 1, span(line, ','))
    };
    segments.iter().enumerate().map(cue).collect()
}

pub(super) fn vtt(segments: &[Line]) -> String {
    let cue = |line: &Line| {
        let text = one_line(&line.text);
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("{}\n{text}\n\n", span(line, '.'))
    };
    let cues: String = segments.iter().map(cue).collect();
    format!("WEBVTT\n\n{cues}")
}

/// A line of lyrics stays until the next, so one without text ends what nothing follows at once.
pub(super) fn lrc(segments: &[Line]) -> String {
    let clock = |seconds: f64| {
        let cs = (seconds.max(0.0) * 100.0).round() as u64;
        format!("[{:02}:{:02}.{:02}]", cs / 6000, cs / 100 % 60, cs % 100)
    };
    let mut lines = String::new();
    for (index, line) in segments.iter().enumerate() {
        let (start, end) = (clock(line.start), clock(line.end));
        lines += &format!("{start}{}\n", one_line(&line.text));
        if segments.get(index + 1).is_none_or(|next| clock(next.start) != end) {
            lines += &format!("{end}\n");
        }
    }
    lines
}

pub(super) fn tsv(segments: &[Line]) -> String {
    let row = |line: &Line| {
        let (start, end) = (milliseconds(line.start), milliseconds(line.end));
        format!("{start}\t{end}\t{}\n", one_line(&line.text).replace('\t', " "))
    };
    let rows: String = segments.iter().map(row).collect();
    format!("start\tend\ttext\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> [Line; 2] {
        let line =
            |start, end, text: &str| Line { start, end, text: text.into(), ..Line::default() };
        [line(0.0, 1.0, "one"), line(3661.0405, 3662.0, "two --->\r\n\n&\t<i>")]
    }

    #[test]
    fn cues_keep_their_form_whatever_the_text() {
        assert_eq!(
            vtt(&segments()),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\none\n\n\
             01:01:01.041 --> 01:01:02.000\ntwo ---&gt; &amp;\t&lt;i&gt;\n\n"
        );
        assert_eq!(
            srt(&segments()),
            "1\n00:00:00,000 --> 00:00:01,000\none\n\n\
             2\n01:01:01,041 --> 01:01:02,000\ntwo -→ &\t<i>\n\n"
        );
        assert_eq!(
            tsv(&segments()),
            "start\tend\ttext\n0\t1000\tone\n3661041\t3662000\ttwo ---> & <i>\n"
        );
    }

    #[test]
    fn lyrics_end_where_nothing_follows_at_once() {
        assert_eq!(
            lrc(&segments()),
            "[00:00.00]one\n[00:01.00]\n[61:01.04]two ---> &\t<i>\n[61:02.00]\n"
        );
        let [mut one, two] = segments();
        one.end = two.start;
        assert_eq!(lrc(&[one, two]).lines().count(), 3);
    }

    #[test]
    fn no_segments_leave_heads_alone() {
        assert_eq!((srt(&[]), vtt(&[])), (String::new(), "WEBVTT\n\n".into()));
        assert_eq!((lrc(&[]), tsv(&[])), (String::new(), "start\tend\ttext\n".into()));
    }
}
