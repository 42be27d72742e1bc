//! Values of options: what each may be, and that it is said where a value is not.

use std::fmt::Display;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::thread::available_parallelism;

use clap::{Arg, Command};
use regex::Regex;
use trit_core::GroupSize;
use trit_whisper::{AudioCtx, SAMPLE_RATE};

/// Lets options have negative numbers as values, so that `--beam-size -1` is told what it may be
/// instead of that there is no option `-1`.
pub(super) fn take_negative_numbers(command: Command) -> Command {
    command.mut_args(|arg: Arg| {
        let has_value = arg.get_action().takes_values() && !arg.is_positional();
        if has_value { arg.allow_negative_numbers(true) } else { arg }
    })
}

/// Reads a whole number of a range.
pub(super) fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from {} to {}", range.start(), range.end())),
    }
}

/// Reads a number that `is` allowed.
fn number(text: &str, expected: &str, is: impl Fn(f32) -> bool) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if is(number) => Ok(number),
        _ => Err(format!("expected {expected}")),
    }
}

/// Reads a number from 0 to 1.
pub(super) fn fraction(text: &str) -> Result<f32, String> {
    number(text, "a number from 0 to 1", |number| (0.0..=1.0).contains(&number))
}

/// Reads a finite number above 0.
pub(super) fn factor(text: &str) -> Result<f32, String> {
    number(text, "a finite number above 0", |number| number.is_finite() && number > 0.0)
}

/// Reads a temperature.
pub(super) fn temperature(text: &str) -> Result<f32, String> {
    number(text, "a finite number from 0 on", |number| number.is_finite() && number >= 0.0)
}

/// Reads a threshold, which may be infinite.
pub(super) fn threshold(text: &str) -> Result<f32, String> {
    number(text, "a number, or inf or -inf", |number| !number.is_nan())
}

/// Reads seconds as samples.
pub(super) fn samples(text: &str) -> Result<usize, String> {
    let most = f64::from(u32::MAX);
    match text.parse() {
        // 2³² s are far beyond any audio, and their samples fit 64 bits; where a pointer has 32, the
        // conversion saturates.
        Ok(seconds) if (0.0..=most).contains(&seconds) => {
            Ok((seconds * SAMPLE_RATE as f64).round() as usize)
        }
        _ => Err(format!("expected a number of seconds from 0 to {most}")),
    }
}

/// Reads seconds as samples, one or more.
pub(super) fn samples_above_0(text: &str) -> Result<usize, String> {
    match samples(text) {
        Ok(0) => Err(format!("expected at least {} s", 1.0 / SAMPLE_RATE as f64)),
        read => read,
    }
}

/// Most threads that are started: more than any CPU this is made for has.
const MAX_THREADS: usize = 256;

/// Reads a number of threads; 0 gives the number of cores.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    let cores = || available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    whole(0..=MAX_THREADS)(text).map(|count| if count == 0 { cores() } else { count })
}

/// Reads a number of threads that decode.
pub(super) fn decoder_threads(text: &str) -> Result<usize, String> {
    whole(1..=MAX_THREADS)(text)
}

/// Reads how much of a window is encoded.
pub(super) fn audio_ctx(text: &str) -> Result<AudioCtx, &'static str> {
    match text {
        "full" => Ok(AudioCtx::Full),
        "auto" => Ok(AudioCtx::Auto),
        number => {
            let number = number.parse().map_err(|_| "expected auto, full or a number from 1 on")?;
            Ok(AudioCtx::Positions(number))
        }
    }
}

/// Reads a number of inputs that share a scale.
pub(super) fn group(text: &str) -> Result<GroupSize, &'static str> {
    let inputs = text.parse().ok().and_then(GroupSize::new);
    inputs.ok_or("expected 32, 64, 128 or 256")
}

/// Token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenIds(pub(super) Vec<i64>);

impl FromStr for TokenIds {
    type Err = &'static str;

    /// Ids with commas between them; nothing is none, as for openai-whisper.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        let ids: Result<_, _> = text.split(',').map(|id| id.trim().parse()).collect();
        ids.map(Self).map_err(|_| "expected token ids with commas between them, or nothing")
    }
}

/// Reads a regular expression.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        // Of several lines that show where it went wrong, the last one says what did.
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default();
        format!("expected a regular expression: {}", last.trim_start_matches("error: "))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_of_ranges_count() {
        let of_three = whole(1..=3u32);
        let found =
            ["0", "1", "3", "4", "-1", "1.5", "", " 1", "1e99"].map(|text| of_three(text).ok());
        assert_eq!(found, [None, Some(1), Some(3), None, None, None, None, None, None]);
        assert_eq!(of_three("4").unwrap_err(), "expected a whole number from 1 to 3");
        assert_eq!(fraction("1").unwrap() + fraction("0").unwrap(), 1.0);
        assert!(fraction("1.0001").is_err() && fraction("nan").is_err());
        assert!(factor("0").is_err() && factor("1e-99").is_err() && factor("1e99").is_err());
        assert_eq!(temperature("-0").unwrap(), 0.0);
        assert!(temperature("-0.1").is_err() && temperature("inf").is_err());
        assert_eq!(threshold("-inf").unwrap(), f32::NEG_INFINITY);
        assert_eq!(samples("1e-5").unwrap() + samples("0.5").unwrap(), 8_000);
        assert!(samples("4294967296").is_err() && samples("-1e-9").is_err());
        assert!(samples_above_0("0").is_err() && samples_above_0("3e-5").is_err());
        assert_eq!(samples_above_0("4e-5"), Ok(1));
        assert!(threads("0").unwrap() >= 1 && threads("257").is_err());
        assert!(decoder_threads("0").is_err() && audio_ctx("0").is_err() && group("33").is_err());
    }

    #[test]
    fn what_is_wrong_with_a_regular_expression_fits_a_line() {
        assert_eq!(regex("(").unwrap_err(), "expected a regular expression: unclosed group");
        let huge = regex("(a{9999}){9999}").unwrap_err();
        assert!(
            huge.starts_with("expected a regular expression: ") && !huge.contains('\n'),
            "{huge}"
        );
    }

    proptest! {
        /// Whatever is typed is a value or is told what one may be.
        #[test]
        fn no_text_is_too_odd(text in "\\PC*") {
            let told = |error: &str| assert!(error.starts_with("expected ") && !error.contains('\n'));
            for read in [fraction, factor, temperature, threshold] {
                read(&text).map_or_else(|error| told(&error), |number| assert!(!number.is_nan()));
            }
            regex(&text).map_or_else(|error| told(&error), |_| ());
            samples(&text).map_or_else(|error| told(&error), |_| ());
            text.parse::<TokenIds>().map_or_else(told, |_| ());
            audio_ctx(&text).map_or_else(told, |_| ());
            group(&text).map_or_else(told, |_| ());
        }

        #[test]
        fn ids_are_read_as_they_are_written(ids in prop::collection::vec(any::<i64>(), 0..9)) {
            let written = ids.iter().map(i64::to_string).collect::<Vec<_>>();
            for between in [",", ", "] {
                prop_assert_eq!(written.join(between).parse(), Ok(TokenIds(ids.clone())));
            }
            if !ids.is_empty() {
                let trailing = written.join(",") + ",";
                prop_assert!(trailing.parse::<TokenIds>().is_err());
            }
        }
    }
}
