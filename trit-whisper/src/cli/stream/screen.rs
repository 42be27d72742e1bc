//! Text as it comes: final lines, and on a terminal one line that changes.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Failure, print};

/// Characters of a partial text that are shown, its last: less than a narrow terminal's width.
const SHOWN: usize = 76;

/// Standard output.
pub(super) struct Screen {
    /// The line that changes; hidden where standard output is no terminal.
    line: ProgressBar,
    live: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let live = io::stdout().is_terminal();
        let target = if live { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        let line = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            line.set_style(style);
        }
        Self { line, live }
    }

    /// Whether partial text is seen.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Shows partial text in place of what was shown before.
    pub(super) fn partial<'t>(&self, text: impl Iterator<Item = &'t [u8]>) {
        self.line.set_message(tail(&shown(text)));
        self.line.tick();
    }

    /// Prints final text as a line.
    pub(super) fn line<'t>(&self, text: impl Iterator<Item = &'t [u8]>) -> Result<(), Failure> {
        self.line.set_message("");
        let text = shown(text);
        self.line.suspend(|| print(&format!("{text}\n")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

/// The text without what would move a terminal's cursor.
fn shown<'t>(text: impl Iterator<Item = &'t [u8]>) -> String {
    let bytes: Vec<u8> = text.flatten().copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

/// The end of a text too long to be shown.
fn tail(text: &str) -> String {
    match text.char_indices().rev().nth(SHOWN - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_move_the_cursor() {
        let tokens: [&[u8]; 3] = [b" a\x1b[2J", "é".as_bytes(), b"\r\n\xff "];
        assert_eq!(shown(tokens.into_iter()), "a [2Jé  \u{FFFD}");
    }

    #[test]
    fn of_long_text_the_end_is_shown() {
        let text = "é".repeat(SHOWN);
        assert_eq!(tail(&text), text);
        assert_eq!(tail(&format!("x{text}")), format!("…{text}"));
        assert_eq!(tail(""), "");
    }
}
