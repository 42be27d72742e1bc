//! A [`Tuning`] as text, for a file or a page of flash.
//!
//! ```text
//! trit tuning 1
//! device <any one line>
//! <default> <rows> <k> <tokens> <threads> <cost> <rival> <cost> <calls> <verdict>
//! …
//! end <number of choices>
//! ```
//!
//! One line is one [`Choice`], by shape; a cost or rival that is not known is `-`, and the verdict one
//! of `only`, `unbeaten`, `unclear` and `won`. Reading trusts nothing: variants must be ones that this
//! build and CPU have.

use core::fmt;
use core::str::{FromStr, SplitAsciiWhitespace};

use super::bandit::{MOST_CALLS, Verdict};
use super::choice::{Choice, Tuning};
use super::shape::{Operation, Shape};
use super::variants;
use crate::cpu::Cpu;

const MAGIC: &str = "trit tuning ";
const VERSION: &str = "1";
const DEVICE: &str = "device ";
const END: &str = "end";

/// The verdicts by their words.
const VERDICTS: [(&str, Verdict); 4] = [
    ("only", Verdict::Only),
    ("unbeaten", Verdict::Unbeaten),
    ("unclear", Verdict::Unclear),
    ("won", Verdict::Won),
];

/// Why a text is no tuning for this device. It shows parts of the text.
///
/// ```
/// use trit_simd::Cpu;
/// use trit_simd::tune::{Tuning, TuningError};
///
/// let read = |text| Tuning::<8>::parse(text, "board 7", &Cpu::detect()).unwrap_err();
/// assert_eq!(read("[network]"), TuningError::Magic);
/// assert_eq!(read("trit tuning 1\ndevice board 7\n"), TuningError::Truncated);
///
/// let error = read("trit tuning 1\ndevice board 7\nfast 768 768 1 1 - - - 0 only\nend 1\n");
/// assert_eq!(error, TuningError::Variant { line: 3, found: "fast" });
/// assert_eq!(error.to_string(), "line 3: no variant `fast` here");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TuningError<'t> {
    /// It does not begin with `trit tuning`.
    Magic,
    /// It is of another version.
    Version {
        /// Its version.
        found: &'t str,
    },
    /// It is of another device.
    Device {
        /// Its device.
        found: &'t str,
    },
    /// A line ends before a field.
    Missing {
        /// The line, from 1.
        line: usize,
        /// The field.
        what: &'static str,
    },
    /// A field is not what it must be.
    Field {
        /// The line, from 1.
        line: usize,
        /// The field.
        what: &'static str,
        /// What stands there.
        found: &'t str,
    },
    /// This build or CPU has no such variant that could be tuned, or it is of another operation than
    /// the line's first.
    Variant {
        /// The line, from 1.
        line: usize,
        /// The variant's name.
        found: &'t str,
    },
    /// A shape has two lines.
    Twice {
        /// The second, from 1.
        line: usize,
    },
    /// It has more choices than there is room for.
    Full {
        /// The room.
        most: usize,
    },
    /// It ends before its end.
    Truncated,
}

impl fmt::Display for TuningError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("not a tuning file: it does not start with `trit tuning`"),
            Self::Version { found } => {
                write!(f, "version {} of tuning files; this program reads {VERSION}", shown(found))
            }
            Self::Device { found } => write!(f, "made on another device: {}", shown(found)),
            Self::Missing { line, what } => write!(f, "line {line}: {what} is missing"),
            Self::Field { line, what, found } => {
                write!(f, "line {line}: `{}` is no {what}", shown(found))
            }
            Self::Variant { line, found } => {
                write!(f, "line {line}: no variant `{}` here", shown(found))
            }
            Self::Twice { line } => write!(f, "line {line}: this shape has been there before"),
            Self::Full { most } => write!(f, "more than {most} shapes"),
            Self::Truncated => f.write_str("the file ends early"),
        }
    }
}

impl core::error::Error for TuningError<'_> {}

/// What of a foreign text is shown: printable, and not too long.
fn shown(text: &str) -> impl fmt::Display {
    const MOST: usize = 80;
    fmt::from_fn(move |f| {
        let mut characters = text.chars();
        for character in characters.by_ref().take(MOST) {
            let character = if character.is_control() { '\u{FFFD}' } else { character };
            fmt::Write::write_char(f, character)?;
        }
        if characters.next().is_some() { f.write_str("…") } else { Ok(()) }
    })
}

impl<const SHAPES: usize> Tuning<SHAPES> {
    /// Writes it as text, with a line of the caller's that says which device it is for.
    ///
    /// ```
    /// use trit_simd::Cpu;
    /// use trit_simd::tune::{Tuning, TuningError};
    ///
    /// let mut text = String::new();
    /// Tuning::<8>::new().write("board 7", &mut text).unwrap();
    /// assert_eq!(text, "trit tuning 1\ndevice board 7\nend 0\n");
    /// assert!(Tuning::<8>::new().write("board\n7", &mut text.clone()).is_err());
    ///
    /// let cpu = Cpu::detect();
    /// assert!(Tuning::<8>::parse(&text, "board 7", &cpu).unwrap().is_empty());
    /// let other = Tuning::<8>::parse(&text, "board 8", &cpu);
    /// assert_eq!(other.unwrap_err(), TuningError::Device { found: "board 7" });
    /// ```
    ///
    /// # Errors
    /// Those of `out`, and a device of more than one line.
    pub fn write(&self, device: &str, out: &mut impl fmt::Write) -> fmt::Result {
        if device.contains(['\n', '\r']) {
            return Err(fmt::Error);
        }
        writeln!(out, "{MAGIC}{VERSION}\n{DEVICE}{device}")?;
        for choice in self.iter() {
            let shape = choice.shape;
            let (rows, k, tokens) = (shape.rows(), shape.k(), shape.tokens());
            write!(out, "{} {rows} {k} {tokens} {} ", choice.default(), shape.threads())?;
            match choice.default_cost {
                Some(cost) => write!(out, "{cost} ")?,
                None => out.write_str("- ")?,
            }
            match choice.rival() {
                Some((name, cost)) => write!(out, "{name} {cost} ")?,
                None => out.write_str("- - ")?,
            }
            let mut words = VERDICTS.iter().filter(|(_, verdict)| *verdict == choice.verdict);
            let word = words.next().map_or("", |(word, _)| word);
            writeln!(out, "{} {word}", choice.calls)?;
        }
        writeln!(out, "{END} {}", self.len())
    }

    /// Reads what [`write`](Self::write) wrote for `device`, with variants that `cpu` has.
    ///
    /// # Errors
    /// A text that is not exactly that.
    pub fn parse<'t>(text: &'t str, device: &str, cpu: &Cpu) -> Result<Self, TuningError<'t>> {
        let mut lines = text.lines().zip(1..);
        let mut header = |key| lines.next().map(|(line, _)| line.strip_prefix(key));
        let version = header(MAGIC).flatten().ok_or(TuningError::Magic)?;
        if version != VERSION {
            return Err(TuningError::Version { found: version });
        }
        let missing = TuningError::Missing { line: 2, what: "the device" };
        let found = header(DEVICE).ok_or(TuningError::Truncated)?.ok_or(missing)?;
        if found != device {
            return Err(TuningError::Device { found });
        }
        let mut tuning = Self::new();
        for (text, number) in lines.by_ref() {
            let mut line = Line { fields: text.split_ascii_whitespace(), number };
            if text.split_ascii_whitespace().next() == Some(END) {
                line.next(END)?;
                let count: usize = line.number("number of shapes")?;
                line.end()?;
                // Lines are missing, or there are others after the end.
                if count != tuning.len() || lines.next().is_some() {
                    return Err(TuningError::Truncated);
                }
                return Ok(tuning);
            }
            let choice = line.choice(cpu)?;
            if tuning.get(choice.shape).is_some() {
                return Err(TuningError::Twice { line: number });
            }
            if !tuning.insert(choice) {
                return Err(TuningError::Full { most: SHAPES });
            }
        }
        Err(TuningError::Truncated)
    }
}

/// What is left of a line.
struct Line<'t> {
    fields: SplitAsciiWhitespace<'t>,
    number: usize,
}

impl<'t> Line<'t> {
    fn next(&mut self, what: &'static str) -> Result<&'t str, TuningError<'t>> {
        self.fields.next().ok_or(TuningError::Missing { line: self.number, what })
    }

    fn field(&self, what: &'static str, found: &'t str) -> TuningError<'t> {
        TuningError::Field { line: self.number, what, found }
    }

    fn number<T: FromStr>(&mut self, what: &'static str) -> Result<T, TuningError<'t>> {
        let found = self.next(what)?;
        found.parse().map_err(|_| self.field(what, found))
    }

    /// A cost; `-` is none.
    fn cost(&mut self) -> Result<Option<f32>, TuningError<'t>> {
        let found = self.next("cost")?;
        if found == "-" {
            return Ok(None);
        }
        let cost = found.parse().ok().filter(|cost: &f32| cost.is_finite() && *cost >= 0.0);
        cost.map(Some).ok_or(self.field("cost", found))
    }

    /// The place of a variant that this build and `cpu` have, and its operation.
    fn variant(&self, cpu: &Cpu, name: &'t str) -> Result<(Operation, u8), TuningError<'t>> {
        let find = |&operation: &Operation| {
            let mut built = variants::built(operation);
            let (place, ..) = built.find(|&(_, other, level)| other == name && cpu.has(level))?;
            Some((operation, place))
        };
        let found = Operation::ALL.iter().find_map(find);
        found.ok_or(TuningError::Variant { line: self.number, found: name })
    }

    fn choice(&mut self, cpu: &Cpu) -> Result<Choice, TuningError<'t>> {
        let name = self.next("the default")?;
        let (operation, default) = self.variant(cpu, name)?;
        let rows = self.number("number of rows")?;
        let k = self.number("number of inputs")?;
        let tokens = self.number("number of tokens")?;
        let threads = self.number("number of threads")?;
        let shape = Shape::new(operation, rows, k, tokens, threads);
        if (rows, k, tokens, threads) != (shape.rows(), shape.k(), shape.tokens(), shape.threads())
        {
            return Err(self.field("shape", name));
        }
        let default_cost = self.cost()?;
        let rival_name = self.next("the rival")?;
        let rival_cost = self.cost()?;
        let rival = match (rival_name, rival_cost) {
            ("-", None) => None,
            (name, Some(cost)) if name != "-" => match self.variant(cpu, name)? {
                (other, place) if other == operation && place != default => Some((place, cost)),
                _ => return Err(TuningError::Variant { line: self.number, found: name }),
            },
            (name, _) => return Err(self.field("rival", name)),
        };
        let calls = self.next("the number of calls")?;
        let in_range = calls.parse().ok().filter(|&calls: &u8| calls <= MOST_CALLS);
        let calls = in_range.ok_or(self.field("number of calls", calls))?;
        let word = self.next("the verdict")?;
        let known = VERDICTS.iter().find(|(other, _)| *other == word);
        let fits = |&&(_, verdict): &&(&str, Verdict)| verdict != Verdict::Won || rival.is_some();
        let &(_, verdict) = known.filter(fits).ok_or(self.field("verdict", word))?;
        self.end()?;
        Ok(Choice { shape, default, default_cost, rival, calls, verdict })
    }

    fn end(&mut self) -> Result<(), TuningError<'t>> {
        self.fields.next().map_or(Ok(()), |more| Err(self.field("field of it", more)))
    }
}
