//! How far the work on a file is, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
