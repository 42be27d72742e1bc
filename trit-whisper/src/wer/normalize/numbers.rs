//! Numbers in words become digits: "two hundred and five" is 205, "nineteen ninety nine" 1999,
//! "twenty first" 21st, "two point five million dollars" $2500000, "one oh one" 101.
//!
//! Where a rule is odd ("ninth" is no number, "nineteen hundred million" is 1900), it is so in
//! openai-whisper too: error rates are only comparable if texts are normalised the same.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{pattern, replace};

/// What a word says in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Zero,
    /// 1 to 19.
    Unit(u8),
    /// The same with an ending: "threes", "third".
    UnitEnding(u8, &'static str),
    /// 20 to 90.
    Ten(u8),
    TenEnding(u8, &'static str),
    /// A power of ten, by its exponent.
    Power(u8),
    PowerEnding(u8, &'static str),
    /// A sign before a number.
    Sign(char),
    /// A currency or its hundredth after a number.
    Currency(char),
    Per,
    Percent,
    And,
    Point,
    /// So many times the next digit.
    Times(usize),
}

const UNITS: [&str; 19] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 8] =
    ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

const POWERS: [(&str, u8); 12] = [
    ("hundred", 2),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
    ("quadrillion", 15),
    ("quintillion", 18),
    ("sextillion", 21),
    ("septillion", 24),
    ("octillion", 27),
    ("nonillion", 30),
    ("decillion", 33),
];

/// Words that follow no rule.
const OTHERS: [(&str, Part); 29] = [
    ("o", Part::Zero),
    ("oh", Part::Zero),
    ("zero", Part::Zero),
    ("zeroth", Part::UnitEnding(0, "th")),
    ("first", Part::UnitEnding(1, "st")),
    ("second", Part::UnitEnding(2, "nd")),
    ("third", Part::UnitEnding(3, "rd")),
    ("fifth", Part::UnitEnding(5, "th")),
    ("eighth", Part::UnitEnding(8, "th")),
    ("twelfth", Part::UnitEnding(12, "th")),
    ("sixes", Part::UnitEnding(6, "s")),
    ("minus", Part::Sign('-')),
    ("negative", Part::Sign('-')),
    ("plus", Part::Sign('+')),
    ("positive", Part::Sign('+')),
    ("pound", Part::Currency('£')),
    ("pounds", Part::Currency('£')),
    ("euro", Part::Currency('€')),
    ("euros", Part::Currency('€')),
    ("dollar", Part::Currency('$')),
    ("dollars", Part::Currency('$')),
    ("cent", Part::Currency('¢')),
    ("cents", Part::Currency('¢')),
    ("per", Part::Per),
    ("percent", Part::Percent),
    ("and", Part::And),
    ("point", Part::Point),
    ("double", Part::Times(2)),
    ("triple", Part::Times(3)),
];

static PARTS: LazyLock<HashMap<String, Part>> = LazyLock::new(|| {
    let mut parts = HashMap::new();
    for (name, value) in UNITS.into_iter().zip(1..) {
        parts.insert(name.into(), Part::Unit(value));
        if name != "six" {
            parts.insert(format!("{name}s"), Part::UnitEnding(value, "s"));
        }
        if !matches!(value, 1..=3 | 5 | 8 | 12) {
            parts.insert(format!("{name}th"), Part::UnitEnding(value, "th"));
        }
    }
    for (name, value) in TENS.into_iter().zip((20..).step_by(10)) {
        let stem = name.trim_end_matches('y');
        parts.insert(name.into(), Part::Ten(value));
        parts.insert(format!("{stem}ies"), Part::TenEnding(value, "s"));
        parts.insert(format!("{stem}ieth"), Part::TenEnding(value, "th"));
    }
    for (name, exponent) in POWERS {
        parts.insert(name.into(), Part::Power(exponent));
        parts.insert(format!("{name}s"), Part::PowerEnding(exponent, "s"));
        parts.insert(format!("{name}th"), Part::PowerEnding(exponent, "th"));
    }
    parts.extend(OTHERS.map(|(word, part)| (word.to_owned(), part)));
    parts
});

fn part(word: &str) -> Option<Part> {
    PARTS.get(word).copied()
}

struct Patterns {
    and_a_half: Regex,
    letter_digit: Regex,
    digit_letter: Regex,
    digit_ending: Regex,
    with_cents: Regex,
    only_cents: Regex,
    one: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    and_a_half: pattern(r"\band\s+a\s+half\b"),
    letter_digit: pattern(r"([a-z])([0-9])"),
    digit_letter: pattern(r"([0-9])([a-z])"),
    digit_ending: pattern(r"([0-9])\s+(st|nd|rd|th|s)\b"),
    with_cents: pattern(r"([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})\b"),
    only_cents: pattern(r"[€£$]0.([0-9]{1,2})\b"),
    one: pattern(r"\b1(s?)\b"),
});

/// The text with its numbers in digits, and single spaces between words.
pub(super) fn in_digits(text: &str) -> String {
    let patterns = &*PATTERNS;
    let mut text = halves(text);
    // Numbers stand apart from letters, except from their endings.
    replace(&mut text, &patterns.letter_digit, "${1} ${2}");
    replace(&mut text, &patterns.digit_letter, "${1} ${2}");
    replace(&mut text, &patterns.digit_ending, "${1}${2}");
    let words: Vec<_> = text.split_whitespace().collect();
    let text = Reader::read(&words).join(" ");
    // Dollars and cents: "$2 and ¢7" is "$2.07".
    let text = patterns.with_cents.replace_all(&text, |found: &Captures<'_>| {
        format!("{}{}.{:0>2}", &found[1], &found[2], &found[3])
    });
    let text = patterns.only_cents.replace_all(&text, |found: &Captures<'_>| {
        let cents = found[1].trim_start_matches('0');
        format!("¢{}", if cents.is_empty() { "0" } else { cents })
    });
    patterns.one.replace_all(&text, "one${1}").into_owned()
}

/// "Two and a half" becomes "two point five".
fn halves(text: &str) -> String {
    let mut parts: Vec<_> = PATTERNS.and_a_half.split(text).collect();
    let last = parts.pop().unwrap_or_default();
    let mut joined = Vec::new();
    for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
        let number = part.split_whitespace().next_back().and_then(self::part);
        joined.push(part);
        joined.push(match number {
            Some(Part::Zero | Part::Unit(_) | Part::Ten(_) | Part::Power(_)) => "point five",
            _ => "and a half",
        });
    }
    if !last.trim().is_empty() {
        joined.push(last);
    }
    joined.join(" ")
}

/// The number that words have said so far.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Whole(u128),
    /// Digits one after the other, or a decimal.
    Digits(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Digits(digits) => f.write_str(digits),
        }
    }
}

impl Value {
    /// With a unit that is said after it, `after_unit` or `after_ten`.
    fn and_unit(&self, unit: u8, after_unit: bool, after_ten: bool) -> Self {
        let round = if unit < 10 { 10 } else { 100 };
        match self {
            Self::Whole(value) if !after_unit && value % round == 0 => self.plus(unit),
            Self::Digits(digits) if after_ten && unit < 10 && digits.ends_with('0') => {
                Self::Digits(format!("{}{unit}", &digits[..digits.len() - 1]))
            }
            _ => Self::Digits(format!("{self}{unit}")),
        }
    }

    /// With 20 to 90 said after it.
    fn and_ten(&self, ten: u8) -> Self {
        match self {
            Self::Whole(value) if value % 100 == 0 => self.plus(ten),
            _ => Self::Digits(format!("{self}{ten}")),
        }
    }

    /// The sum; beyond 128 bits, the digits of both.
    fn plus(&self, other: u8) -> Self {
        let sum = match self {
            Self::Whole(value) => value.checked_add(other.into()),
            Self::Digits(_) => None,
        };
        sum.map_or_else(|| Self::Digits(format!("{self}{other}")), Self::Whole)
    }

    /// Times 10 to the `exponent`, said after it: of a whole number, what is below a thousand. `None`
    /// if it does not give a whole number, or one of more than 128 bits.
    fn times(&self, exponent: u8) -> Option<u128> {
        match self {
            Self::Digits(digits) => scaled(digits, exponent),
            Self::Whole(value) => {
                let residual = (value % 1000).checked_mul(power(exponent))?;
                (value / 1000 * 1000).checked_add(residual)
            }
        }
    }

    /// What is written before more digits: nothing for the number 0.
    fn digits(value: Option<&Self>) -> String {
        match value {
            None | Some(Self::Whole(0)) => String::new(),
            Some(value) => value.to_string(),
        }
    }
}

/// 10 to the `exponent`, which is at most 33: less than 2¹¹⁰.
fn power(exponent: u8) -> u128 {
    10u128.pow(exponent.into())
}

const _: () = assert!(POWERS[POWERS.len() - 1].1 == 33 && 10u128.pow(33) < 1 << 110);

/// A decimal times 10 to the `exponent`, if that is a whole number of up to 128 bits.
fn scaled(decimal: &str, exponent: u8) -> Option<u128> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let zeros = usize::from(exponent).checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}{}", "0".repeat(zeros));
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

/// Whether a word is digits, perhaps with a point and more digits.
fn is_arabic(word: &str) -> bool {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    [whole, fraction]
        .iter()
        .all(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Reads words and writes them, numbers in digits.
#[derive(Default)]
struct Reader {
    written: Vec<String>,
    /// A sign or currency of the number to come.
    prefix: Option<char>,
    value: Option<Value>,
}

impl Reader {
    fn read(words: &[&str]) -> Vec<String> {
        let mut reader = Self::default();
        let mut skip = false;
        for (index, word) in words.iter().enumerate() {
            if std::mem::take(&mut skip) {
                continue;
            }
            let before = index.checked_sub(1).and_then(|index| part(words[index]));
            let next = words.get(index + 1).copied();
            skip = reader.word(word, before, next);
        }
        reader.end_number();
        reader.written
    }

    /// Writes a word or number, with the prefix there is.
    fn write(&mut self, text: impl fmt::Display) {
        let prefix = self.prefix.take();
        self.written
            .push(prefix.map_or_else(|| text.to_string(), |prefix| format!("{prefix}{text}")));
        self.value = None;
    }

    fn end_number(&mut self) {
        if let Some(value) = self.value.take() {
            self.write(value);
        }
    }

    /// Reads a word that follows `before`, and says whether it took the next as well.
    fn word(&mut self, word: &str, before: Option<Part>, next: Option<&str>) -> bool {
        let prefix = word.chars().next().filter(|c| "-+£€$¢".contains(*c));
        let bare = &word[prefix.map_or(0, char::len_utf8)..];
        if is_arabic(bare) {
            self.arabic(word, prefix, bare);
            return false;
        }
        let Some(part) = part(word) else {
            self.end_number();
            self.write(word);
            return false;
        };
        let after_unit = matches!(before, Some(Part::Unit(_)));
        let after_ten = matches!(before, Some(Part::Ten(_)));
        let next_part = next.and_then(self::part);
        let next_is_number = next.is_some_and(is_arabic);
        match part {
            Part::Zero => {
                self.value = Some(Value::Digits(Value::digits(self.value.as_ref()) + "0"));
            }
            Part::Unit(unit) => {
                self.value = Some(match &self.value {
                    None => Value::Whole(unit.into()),
                    Some(value) => value.and_unit(unit, after_unit, after_ten),
                });
            }
            Part::UnitEnding(unit, ending) => match self.value.take() {
                None => self.write(format_args!("{unit}{ending}")),
                Some(value) => {
                    let value = value.and_unit(unit, after_unit, after_ten);
                    self.write(format_args!("{value}{ending}"));
                }
            },
            Part::Ten(ten) => {
                self.value = Some(match &self.value {
                    None => Value::Whole(ten.into()),
                    Some(value) => value.and_ten(ten),
                });
            }
            Part::TenEnding(ten, ending) => match self.value.take() {
                None => self.write(format_args!("{ten}{ending}")),
                Some(value) => self.write(format_args!("{}{ending}", value.and_ten(ten))),
            },
            Part::Power(exponent) => self.power(exponent),
            Part::PowerEnding(exponent, ending) => match self.value.take() {
                None => self.write(format_args!("{}{ending}", power(exponent))),
                Some(value) => match value.times(exponent) {
                    Some(product) => self.write(format_args!("{product}{ending}")),
                    None => {
                        self.write(value);
                        self.write(format_args!("{}{ending}", power(exponent)));
                    }
                },
            },
            Part::Sign(sign) => {
                self.end_number();
                if next_part.is_some() || next_is_number {
                    self.prefix = Some(sign);
                } else {
                    self.write(word);
                }
            }
            Part::Currency(sign) if self.value.is_some() => {
                self.prefix = Some(sign);
                self.end_number();
            }
            Part::Percent | Part::Per if self.value.is_some() => {
                let is_percent = part == Part::Percent || next == Some("cent");
                match self.value.take() {
                    Some(value) if is_percent => self.write(format_args!("{value}%")),
                    value => {
                        self.value = value;
                        self.end_number();
                        self.write(word);
                    }
                }
                return part == Part::Per && is_percent;
            }
            Part::Currency(_) | Part::Per | Part::Percent => self.write(word),
            // The others count only before what may be a number.
            _ if next_part.is_none() && !next_is_number => {
                self.end_number();
                self.write(word);
            }
            // It says nothing after hundreds, thousands and so on.
            Part::And if matches!(before, Some(Part::Power(_))) => {}
            Part::And => {
                self.end_number();
                self.write(word);
            }
            Part::Times(count) => {
                let digit = match next_part {
                    Some(Part::Zero) => 0,
                    Some(Part::Unit(unit)) => unit,
                    _ => {
                        self.end_number();
                        self.write(word);
                        return false;
                    }
                };
                let digits = digit.to_string().repeat(count);
                let value = Value::digits(self.value.as_ref()) + &digits;
                self.value = Some(Value::Digits(value));
                return true;
            }
            Part::Point => {
                let is_digit = matches!(next_part, Some(Part::Zero | Part::Unit(_) | Part::Ten(_)));
                if is_digit || next_is_number {
                    self.value = Some(Value::Digits(Value::digits(self.value.as_ref()) + "."));
                }
            }
        }
        false
    }

    /// Reads a number in digits.
    fn arabic(&mut self, word: &str, prefix: Option<char>, bare: &str) {
        if let Some(Value::Digits(digits)) = &mut self.value
            && digits.ends_with('.')
        {
            digits.push_str(word);
            return;
        }
        self.end_number();
        self.prefix = prefix.or(self.prefix);
        self.value =
            Some(scaled(bare, 0).map_or_else(|| Value::Digits(bare.to_owned()), Value::Whole));
    }

    /// Reads a power of ten.
    fn power(&mut self, exponent: u8) {
        let product = match &self.value {
            None => None,
            Some(Value::Whole(0)) => Some(0),
            Some(value) => value.times(exponent),
        };
        if product.is_none() {
            self.end_number();
        }
        self.value = Some(Value::Whole(product.unwrap_or_else(|| power(exponent))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_are_numbers() {
        let all = POWERS.map(|(name, _)| name).join(" ");
        let again = format!("nine {all} {all}");
        assert!(!in_digits(&again).is_empty());
        assert_eq!(in_digits("nine hundred decillion"), format!("9{}", "0".repeat(35)));
        // 2¹²⁸ has 39 digits.
        let long = "9".repeat(39);
        assert_eq!(in_digits(&format!("{long} thousand")), format!("{long} 1000"));
        assert_eq!(scaled(".", 3), None);
        assert_eq!(
            (scaled(".5", 0), scaled(".5", 1), scaled("0.000", 0)),
            (None, Some(5), Some(0))
        );
        assert_eq!(scaled(&u128::MAX.to_string(), 0), Some(u128::MAX));
        assert_eq!(scaled(&u128::MAX.to_string(), 1), None);
    }
}
