//! What is done to texts before their words are compared, so that spelling, punctuation and ways to
//! write numbers do not count as errors: the rules of appendix C of "Robust Speech Recognition via
//! Large-Scale Weak Supervision" (Radford et al., 2022) as openai-whisper carries them out, to the
//! character in all of some 700 cases that `oracle/normalizer.py` makes and tests compare with. Known to
//! differ: numbers in digits other than 0 to 9, titles before combining marks or superscripts, and
//! fillers and contractions beside numerals that are no decimal digits (`½`, `²`, `①`), which Python
//! counts as part of a word. There is no `split_letters`, which parts a text into its characters.

mod numbers;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

/// Which rules a text is normalised by.
///
/// ```
/// use trit_whisper::wer::Normalizer;
///
/// let apply = |rules: Normalizer| rules.apply("It's ninety-nine, Mr. Brown!");
/// assert_eq!(apply(Normalizer::English), "it is 99 mister brown");
/// assert_eq!(apply(Normalizer::Basic), "it s ninety nine mr brown");
/// assert_eq!(apply(Normalizer::Verbatim), "It's ninety-nine, Mr. Brown!");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalizer {
    /// [`english`].
    English,
    /// [`basic`].
    Basic,
    /// None: the text as it is.
    Verbatim,
}

impl Normalizer {
    /// The text after these rules.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::English => english(text),
            Self::Basic => basic(text),
            Self::Verbatim => text.to_owned(),
        }
    }
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

/// Replaces all matches, as [`Regex::replace_all`] does.
fn replace(text: &mut String, pattern: &Regex, with: &str) {
    if let Cow::Owned(changed) = pattern.replace_all(text, with) {
        *text = changed;
    }
}

/// Words in brackets and in parentheses, which say what is heard and are not spoken.
struct Unspoken {
    brackets: Regex,
    parentheses: Regex,
}

static UNSPOKEN: LazyLock<Unspoken> = LazyLock::new(|| Unspoken {
    brackets: pattern(r"[<\[][^>\]]*[>\]]"),
    parentheses: pattern(r"\([^)]+?\)"),
});

impl Unspoken {
    fn remove(&self, text: &mut String) {
        replace(text, &self.brackets, "");
        replace(text, &self.parentheses, "");
    }
}

/// Words separated by single spaces.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rules for any language: lower case, no words in brackets or parentheses, and neither
/// punctuation nor symbols nor combining marks.
///
/// ```
/// use trit_whisper::wer::basic;
///
/// assert_eq!(basic("Was?! [Musik] Ähm … Das “fünfte” Mal (lacht)."), "was ähm das fünfte mal");
/// ```
pub fn basic(text: &str) -> String {
    static SYMBOLS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{M}\p{S}\p{P}]"));
    let mut text = text.to_lowercase();
    UNSPOKEN.remove(&mut text);
    let mut text: String = text.nfkc().collect();
    replace(&mut text, &SYMBOLS, " ");
    spaced(&text.to_lowercase())
}

/// The rules for English: as [`basic`], and no fillers, contractions and titles written out,
/// American spelling, numbers in digits, no diacritics.
///
/// ```
/// use trit_whisper::wer::english;
///
/// let text = "Um, Mr. Neill wouldn't pay twenty-five dollars for the grey café's catalogue.";
/// let expected = "mister neill would not pay $25 for the gray cafe is catalog";
/// assert_eq!(english(text), expected);
/// ```
pub fn english(text: &str) -> String {
    let rules = &*ENGLISH;
    let mut text = text.to_lowercase();
    UNSPOKEN.remove(&mut text);
    for (pattern, with) in &rules.words {
        replace(&mut text, pattern, with);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.nfkd() {
        match letters(c) {
            Some(letters) => plain += letters,
            None => plain.push(c),
        }
    }
    replace(&mut plain, &rules.accents, "");
    replace(&mut plain, &rules.symbols, " ");
    let text = numbers::in_digits(&plain);
    let american = |word| rules.spellings.get(word).copied().unwrap_or(word);
    let mut text = text.split_whitespace().map(american).collect::<Vec<_>>().join(" ");
    // What marks of numbers are left without one.
    replace(&mut text, &rules.no_number_after, " ${1}");
    replace(&mut text, &rules.no_number_before, "${1} ");
    spaced(&text)
}

/// Letters that have no decomposition, in those of English.
fn letters(c: char) -> Option<&'static str> {
    Some(match c {
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'æ' => "ae",
        'Æ' => "AE",
        'ß' => "ss",
        'ẞ' => "SS",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' | 'Þ' => "th",
        'ł' => "l",
        'Ł' => "L",
        _ => return None,
    })
}

/// Words that are others in full.
const CONTRACTIONS: [(&str, &str); 14] = [
    ("won't", "will not"),
    ("can't", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("ma'am", "madam"),
];

/// Titles and what else stands before or after a name.
const TITLES: [(&str, &str); 21] = [
    ("mr", "mister"),
    ("mrs", "missus"),
    ("st", "saint"),
    ("dr", "doctor"),
    ("prof", "professor"),
    ("capt", "captain"),
    ("gov", "governor"),
    ("ald", "alderman"),
    ("gen", "general"),
    ("sen", "senator"),
    ("rep", "representative"),
    ("pres", "president"),
    ("rev", "reverend"),
    ("hon", "honorable"),
    ("asst", "assistant"),
    ("assoc", "associate"),
    ("lt", "lieutenant"),
    ("col", "colonel"),
    ("jr", "junior"),
    ("sr", "senior"),
    ("esq", "esquire"),
];

/// Endings after an apostrophe: first where the next word tells which of two words it is.
const ENDINGS: [(&str, &str); 14] = [
    ("'d been", "had been"),
    ("'s been", "has been"),
    ("'d gone", "had gone"),
    ("'s gone", "has gone"),
    ("'d done", "had done"),
    ("'s got", "has got"),
    ("n't", "not"),
    ("'re", "are"),
    ("'s", "is"),
    ("'d", "would"),
    ("'ll", "will"),
    ("'t", "not"),
    ("'ve", "have"),
    ("'m", "am"),
];

/// British spellings and the American ones, a pair a line, in openai-whisper's list
/// (`spellings.LICENSE`), which is that of www.tysto.com/uk-us-spelling-list.html.
const SPELLINGS: &str = include_str!("spellings.txt");

struct English {
    /// Replaced one after the other.
    words: Vec<(Regex, String)>,
    accents: Regex,
    symbols: Regex,
    spellings: HashMap<&'static str, &'static str>,
    no_number_after: Regex,
    no_number_before: Regex,
}

static ENGLISH: LazyLock<English> = LazyLock::new(|| {
    let mut words = vec![
        (pattern(r"\b(hmm|mm|mhm|mmm|uh|um)\b"), String::new()),
        // An apostrophe belongs to what is before it.
        (pattern(r"\s+'"), "'".into()),
    ];
    let whole = |word: &str| pattern(&format!(r"\b{word}\b"));
    words.extend(CONTRACTIONS.map(|(word, full)| (whole(word), full.into())));
    words.extend(TITLES.map(|(word, full)| (whole(word), format!("{full} "))));
    let ending = |end: &str| pattern(&format!(r"{end}\b"));
    words.extend(ENDINGS.map(|(end, full)| (ending(end), format!(" {full}"))));
    // Commas between digits, and points that no digit follows.
    words.push((pattern(r"(\d),(\d)"), "${1}${2}".into()));
    words.push((pattern(r"\.([^0-9]|$)"), " ${1}".into()));
    English {
        words,
        accents: pattern(r"\p{Mn}"),
        // All but the marks of numbers.
        symbols: pattern(r"[\p{M}\p{S}\p{P}--.%$¢€£]"),
        spellings: SPELLINGS.lines().filter_map(|line| line.split_once(' ')).collect(),
        no_number_after: pattern(r"[.$¢€£]([^0-9])"),
        no_number_before: pattern(r"([^0-9])%"),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizers_do_as_they_say() {
        let text = "Mr. Brown’s colour — [noise] it's 3,000!";
        assert_eq!(Normalizer::English.apply(text), "mister brown s color it is 3000");
        assert_eq!(Normalizer::Basic.apply(text), "mr brown s colour it s 3 000");
        assert_eq!(Normalizer::Verbatim.apply(text), text);
        assert_eq!((english(""), basic(" \n")), (String::new(), String::new()));
    }

    #[test]
    fn spellings_are_pairs() {
        assert_eq!(ENGLISH.spellings.len(), SPELLINGS.lines().count());
        assert_eq!(english("Analyse the theatre's manoeuvre"), "analyze the theater is maneuver");
    }
}
