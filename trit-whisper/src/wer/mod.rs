//! Word error rate: how many words of a transcript are wrong.
//!
//! ```
//! use trit_whisper::wer::{Normalizer, WordErrors};
//!
//! let texts = [("Turn left!", "turn left"), ("Stop at No. 3", "stop at number two")];
//! let words = |text| Normalizer::English.apply(text);
//! let errors: WordErrors =
//!     texts.map(|(said, heard)| WordErrors::of(&words(said), &words(heard))).into_iter().sum();
//! assert_eq!((errors.words, errors.errors()), (6, 2));
//! ```

mod normalize;

use std::collections::HashMap;
use std::iter::Sum;
use std::ops::Add;

pub use normalize::{Normalizer, basic, english};

/// What it takes to turn the reference's words into the transcript's.
///
/// ```
/// use trit_whisper::wer::WordErrors;
///
/// let errors = WordErrors::of("go left stop", "go right and stop");
/// assert_eq!(errors, WordErrors { words: 3, substitutions: 1, insertions: 1, deletions: 0 });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// Words of the reference.
    pub words: usize,
    /// Words that are other words in the transcript.
    pub substitutions: usize,
    /// Words of the transcript that the reference does not have.
    pub insertions: usize,
    /// Words of the reference that the transcript does not have.
    pub deletions: usize,
}

impl WordErrors {
    /// Compares two texts word by word, where words are what lies between white space.
    ///
    /// Of the alignments with the fewest errors, it counts one with the most substitutions. It takes
    /// time in the product of the two lengths and memory in that of the transcript.
    ///
    /// ```
    /// use trit_whisper::wer::{WordErrors, english};
    ///
    /// let reference = english("The colour of Mr. Brown's car, isn't it £5?");
    /// let errors = WordErrors::of(&reference, &english("the color of mister browns car is it £5"));
    /// assert_eq!((errors.words, errors.deletions), (11, 2));
    /// assert_eq!(errors.rate(), Some(3.0 / 11.0));
    /// ```
    pub fn of(reference: &str, transcript: &str) -> Self {
        let mut numbers = HashMap::new();
        let [reference, transcript] = [reference, transcript].map(|text| {
            let mut number = |word| {
                let next = numbers.len();
                *numbers.entry(word).or_insert(next)
            };
            text.split_whitespace().map(&mut number).collect::<Vec<_>>()
        });
        align(&reference, &transcript)
    }

    /// Errors in all.
    ///
    /// ```
    /// use trit_whisper::wer::WordErrors;
    ///
    /// let errors = WordErrors::of("one two three", "two four") + WordErrors::of("five", "five");
    /// assert_eq!((errors.words, errors.errors()), (4, 2));
    /// ```
    pub const fn errors(&self) -> usize {
        self.substitutions + self.insertions + self.deletions
    }

    /// Errors for each word of the reference, which may be more than 1; `None` without words.
    ///
    /// ```
    /// use trit_whisper::wer::WordErrors;
    ///
    /// assert_eq!(WordErrors::of("yes", "yes no no").rate(), Some(2.0));
    /// assert_eq!(WordErrors::of("", "yes").rate(), None);
    /// ```
    pub fn rate(&self) -> Option<f64> {
        (self.words > 0).then(|| self.errors() as f64 / self.words as f64)
    }
}

impl Add for WordErrors {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            words: self.words + other.words,
            substitutions: self.substitutions + other.substitutions,
            insertions: self.insertions + other.insertions,
            deletions: self.deletions + other.deletions,
        }
    }
}

impl Sum for WordErrors {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Levenshtein's distance by the row, with the counts of the path that leads to each cell.
fn align(reference: &[usize], transcript: &[usize]) -> WordErrors {
    // Before the first word of the reference all words are inserted.
    let mut row: Vec<WordErrors> = (0..=transcript.len())
        .map(|insertions| WordErrors { insertions, ..WordErrors::default() })
        .collect();
    for (index, word) in reference.iter().enumerate() {
        let words = index + 1;
        // The cell before this one in the row above.
        let mut before = row[0];
        row[0] = WordErrors { words, deletions: words, ..WordErrors::default() };
        for (at, other) in transcript.iter().enumerate() {
            let (above, left) = (row[at + 1], row[at]);
            let wrong = usize::from(word != other);
            let diagonal =
                WordErrors { words, substitutions: before.substitutions + wrong, ..before };
            let deleted = WordErrors { words, deletions: above.deletions + 1, ..above };
            let inserted = WordErrors { words, insertions: left.insertions + 1, ..left };
            // With as many errors, fewer deletions are fewer insertions and more substitutions.
            row[at + 1] = [diagonal, deleted, inserted]
                .into_iter()
                .min_by_key(|cell| (cell.errors(), cell.deletions))
                .unwrap_or(diagonal);
            before = above;
        }
    }
    row[transcript.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(reference: &str, transcript: &str) -> [usize; 4] {
        let found = WordErrors::of(reference, transcript);
        [found.words, found.substitutions, found.insertions, found.deletions]
    }

    #[test]
    fn words_are_aligned() {
        assert_eq!(counts("", ""), [0; 4]);
        assert_eq!(counts("a b c", "a b c"), [3, 0, 0, 0]);
        assert_eq!(counts("a b c", ""), [3, 0, 0, 3]);
        assert_eq!(counts("", "a b"), [0, 0, 2, 0]);
        assert_eq!(counts("a b c d", "a x c"), [4, 1, 0, 1]);
        assert_eq!(counts("a b c", "b c"), [3, 0, 0, 1]);
        assert_eq!(counts("b  c", "a b\nc d"), [2, 0, 2, 0]);
        assert_eq!(counts("one two three four", "four three two one"), [4, 4, 0, 0]);
        assert_eq!(counts("a b a", "b c a b"), [3, 2, 1, 0]);
        assert_eq!(WordErrors::of("", "a").rate(), None);
        let sum: WordErrors =
            [("a b", "a"), ("c", "d e")].map(|(r, t)| WordErrors::of(r, t)).into_iter().sum();
        assert_eq!((sum.words, sum.errors(), sum.rate()), (3, 3, Some(1.0)));
    }

    /// The distance over a whole table, as in the textbook.
    fn distance(a: &[usize], b: &[usize]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                table[i][j] = match (i, j) {
                    (0, _) | (_, 0) => i + j,
                    _ => (table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]))
                        .min(table[i - 1][j] + 1)
                        .min(table[i][j - 1] + 1),
                };
            }
        }
        table[a.len()][b.len()]
    }

    proptest::proptest! {
        #[test]
        fn errors_are_the_fewest(
            a in proptest::collection::vec(0usize..4, 0..12),
            b in proptest::collection::vec(0usize..4, 0..12),
        ) {
            let found = align(&a, &b);
            assert_eq!(found.errors(), distance(&a, &b));
            assert_eq!(found.words, a.len());
            assert_eq!(a.len() + found.insertions, b.len() + found.deletions);
        }
    }
}
