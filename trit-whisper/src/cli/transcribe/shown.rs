//! What a person sees: bars, and colours of confidence.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{Ansi256Color, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use trit_whisper::{Segment, output};

/// Work shorter than this shows no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);

/// A bar on standard error, if that is a terminal, for one file.
pub(crate) struct Progress {
    bar: ProgressBar,
    shows: bool,
    started: Instant,
    /// What the bar is about.
    label: String,
}

impl Progress {
    /// A bar for a file of this name, the `index`th of `files`.
    pub(crate) fn new(quiet: bool, name: &str, index: usize, files: usize) -> Self {
        let label =
            if files > 1 { format!("{} of {files}: {name}", index + 1) } else { name.to_owned() };
        Self {
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            shows: !quiet && io::stderr().is_terminal(),
            started: Instant::now(),
            label,
        }
    }

    pub(crate) fn set(&self, done: usize, total: Option<usize>) {
        if self.shows && self.bar.is_hidden() && self.started.elapsed() > BAR_AFTER {
            self.show();
        }
        if let Some(total) = total {
            self.bar.set_length(total as u64);
        }
        self.bar.set_position(done as u64);
    }

    fn show(&self) {
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta} left") {
            self.bar.set_style(style);
        }
        self.bar.set_message(self.label.clone());
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    /// Writes a line to standard error, above the bar, without its colours if that shows none.
    pub(crate) fn tell(&self, line: &str) {
        // As with all that is told there, a closed standard error is no failure.
        self.bar.suspend(|| drop(writeln!(anstream::stderr(), "{line}")));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The colour of a probability: red, orange, yellow, green. The cube makes most of the scale that of
/// what is nearly certain.
fn color(probability: f32) -> Ansi256Color {
    // 0 to 10; NaN would be 0.
    let step = (probability.powi(3) * 11.0).clamp(0.0, 10.0) as u8;
    let (red, green) = (5.min(10 - step), 5.min(step));
    // The 6 × 6 × 6 cube of the 256 colours.
    Ansi256Color(16 + 36 * red + 6 * green)
}

/// The segment's text, coloured by its tokens' probabilities, without the space before it if it is
/// the `first` of a line.
pub(crate) fn colored(segment: &Segment<'_>, first: bool) -> String {
    let mut pieces = output::pieces(segment);
    if let Some((text, _)) = pieces.first_mut().filter(|_| first) {
        *text = text.trim_start().to_owned();
    }
    let piece = |(text, probability): (String, f32)| {
        let style = Style::new().fg_color(Some(color(probability).into()));
        format!("{style}{text}{style:#}")
    };
    pieces.into_iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_from_red_to_green() {
        let colors = [0.0, 0.5, 0.78, 0.95, 1.0].map(|probability| color(probability).0);
        assert_eq!(colors, [196, 202, 226, 82, 46]);
        assert_eq!((color(f32::NAN).0, color(-1.0).0, color(2.0).0), (196, 196, 46));
    }
}
