//! Colours of confidence.

use anstyle::{Ansi256Color, Style};
use trit_whisper::{Segment, output};

/// The colour of a probability: red, orange, yellow, green. The cube makes most of the scale that of
/// what is nearly certain.
fn color(probability: f32) -> Ansi256Color {
    // 0 to 10; NaN would be 0.
    let step = (probability.powi(3) * 11.0).clamp(0.0, 10.0) as u8;
    let (red, green) = (5.min(10 - step), 5.min(step));
    // The 6 × 6 × 6 cube of the 256 colours.
    Ansi256Color(16 + 36 * red + 6 * green)
}

/// The segment's text in one line, coloured by its tokens' probabilities, without the space before it if
/// it is the `first` of a line.
pub(crate) fn colored(segment: &Segment<'_>, first: bool) -> String {
    let mut pieces = output::pieces(segment);
    if let Some((text, _)) = pieces.first_mut().filter(|_| first) {
        *text = text.trim_start().to_owned();
    }
    let piece = |(text, probability): (String, f32)| {
        let style = Style::new().fg_color(Some(color(probability).into()));
        let text = text.replace(['\r', '\n'], " ");
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
