//! Text to tokens: OpenAI's byte-pair encoding, for prompts and the like.
//!
//! As `tiktoken` does for `gpt2` and `multilingual`: text is cut into words, numbers, signs and
//! spaces by one pattern, and in each piece the pair of neighbours whose union has the lowest id is
//! joined, until no two make a token (Sennrich, Haddow and Birch 2016). The way back is
//! [`TokenTable::bytes`], token by token.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;

use regex::Regex;

use crate::model::Model;
use crate::tokens::TokenTable;

/// GPT-2's pattern, but for `\s+(?!\S)`, for which [`Pieces`] gives a character back.
const PIECES: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";

/// Why a text has no tokens.
///
/// ```
/// use trit_whisper::{Model, Tokenizer, UnknownByte, embedded};
///
/// // The embedded model has whole words only.
/// let model = Model::parse(embedded::model())?;
/// let error = Tokenizer::of_model(&model).encode(" yes maybe").unwrap_err();
/// assert_eq!(error, UnknownByte { at: 4, byte: b' ' });
/// assert_eq!(error.to_string(), "the model has no token for the byte 0x20 at 4");
/// # Ok::<(), trit_whisper::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownByte {
    /// Where the byte is in the text.
    pub at: usize,
    /// The byte, which no token of the vocabulary holds alone.
    pub byte: u8,
}

impl fmt::Display for UnknownByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, byte } = self;
        write!(f, "the model has no token for the byte {byte:#04x} at {at}")
    }
}

impl std::error::Error for UnknownByte {}

/// Encodes text with a model's vocabulary.
///
/// ```
/// use trit_whisper::{TokenTable, Tokenizer};
///
/// // A vocabulary of `a`, `b` and `ab`.
/// let table = [3, 0, 1, 2, 4].map(u32::to_le_bytes).concat();
/// let table = [&table[..], b"abab"].concat();
/// let tokenizer = Tokenizer::new(TokenTable::parse(&table, 3)?, 3);
/// assert_eq!(tokenizer.encode("abba"), Ok(vec![2, 1, 0]));
/// assert!(tokenizer.encode("c").is_err());
/// # Ok::<(), trit_whisper::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer<'t> {
    ids: HashMap<&'t [u8], u32>,
    pattern: Regex,
}

impl<'t> Tokenizer<'t> {
    /// A tokenizer of the first `text` tokens of `table`; those from there on are special and no text
    /// makes them.
    pub fn new(table: TokenTable<'t>, text: u32) -> Self {
        Self::of((0..text).map(|id| (table.bytes(id), id)))
    }

    /// The tokenizer of a model's text tokens.
    ///
    /// ```
    /// use trit_whisper::{Model, Options, Tokenizer, embedded};
    ///
    /// let model = Model::parse(embedded::model())?;
    /// let prompt = Tokenizer::of_model(&model).encode(" left right")?;
    /// assert_eq!(prompt.len(), 2);
    /// let options = Options { initial_prompt: &prompt, ..Options::default() };
    /// assert!(options.check(model.config()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_model(model: &Model<'t>) -> Self {
        Self::new(model.tokens(), model.config().eot)
    }

    /// A tokenizer of these tokens' bytes and ids; a token without bytes is left out, and of two with
    /// the same bytes the later is.
    ///
    /// ```
    /// use trit_whisper::Tokenizer;
    ///
    /// let tokenizer = Tokenizer::of([(&b"tri"[..], 7), (b"t", 9)]);
    /// assert_eq!(tokenizer.encode("tri"), Ok(vec![7]));
    /// ```
    pub fn of(tokens: impl IntoIterator<Item = (&'t [u8], u32)>) -> Self {
        let mut ids = HashMap::new();
        for (bytes, id) in tokens {
            if !bytes.is_empty() {
                ids.entry(bytes).or_insert(id);
            }
        }
        let pattern = Regex::new(PIECES).expect("the pattern is a constant");
        Self { ids, pattern }
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// A byte that no token holds; a vocabulary of OpenAI's has a token for every byte.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, UnknownByte> {
        let mut ids = Vec::new();
        for piece in self.pieces(text) {
            self.encode_piece(piece.as_bytes(), &mut ids).map_err(|(at, byte)| UnknownByte {
                at: piece.as_ptr() as usize - text.as_ptr() as usize + at,
                byte,
            })?;
        }
        Ok(ids)
    }

    /// The pieces of `text`, end to end.
    fn pieces<'p>(&'p self, text: &'p str) -> impl Iterator<Item = &'p str> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let mut piece = self.pattern.find_at(text, at)?.as_str();
            // Of several spaces before a word the last is the word's own.
            if let Some((last, space)) = piece.char_indices().next_back()
                && space.is_whitespace()
                && last > 0
                && at + piece.len() < text.len()
            {
                piece = &piece[..last];
            }
            at += piece.len();
            Some(piece)
        })
    }

    /// Appends the tokens of one piece; the position and value of a byte that has none otherwise.
    fn encode_piece(&self, piece: &[u8], ids: &mut Vec<u32>) -> Result<(), (usize, u8)> {
        if let Some(&id) = self.ids.get(piece) {
            ids.push(id);
            return Ok(());
        }
        // Parts by their first byte: where the next one starts, and where the one before did.
        let mut next: Vec<usize> = (1..=piece.len()).collect();
        let mut before: Vec<usize> = (0..piece.len()).map(|at| at.saturating_sub(1)).collect();
        let joined = |at: usize, next: &[usize]| -> Option<(u32, usize, usize)> {
            let end = *next.get(*next.get(at)?)?;
            Some((*self.ids.get(&piece[at..end])?, at, end))
        };
        let pairs = (0..piece.len()).filter_map(|at| joined(at, &next)).map(Reverse);
        let mut pairs: BinaryHeap<_> = pairs.collect();
        // 0 marks a part that was joined to the one before: no part ends there.
        while let Some(Reverse((_, at, end))) = pairs.pop() {
            let middle = next[at];
            // Either part may have been joined to another since.
            if middle == 0 || next.get(middle).is_none_or(|&found| found != end) {
                continue;
            }
            next[at] = end;
            next[middle] = 0;
            if let Some(after) = before.get_mut(end) {
                *after = at;
            }
            let left = if at > 0 { joined(before[at], &next) } else { None };
            pairs.extend([left, joined(at, &next)].into_iter().flatten().map(Reverse));
        }
        let mut at = 0;
        while at < piece.len() {
            let part = &piece[at..next[at]];
            ids.push(*self.ids.get(part).ok_or((at, part[0]))?);
            at = next[at];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        Tokenizer::of([]).pieces(text).map(str::to_owned).collect()
    }

    #[test]
    fn text_is_cut_as_by_gpt_2() {
        assert_eq!(pieces("It's  here"), ["It", "'s", " ", " here"]);
        assert_eq!(pieces("a\n\n b \n"), ["a", "\n\n", " b", " \n"]);
        assert_eq!(pieces("x\n\ny"), ["x", "\n", "\n", "y"]);
        assert_eq!(pieces("1,000 l'été…"), ["1", ",", "000", " l", "'", "été", "…"]);
        assert_eq!(pieces("\u{3000}\u{3000}你好"), ["\u{3000}", "\u{3000}", "你好"]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn the_lowest_id_is_joined_first() {
        let tokens = ["a", "b", "c", "bc", "ab", "abc"].map(str::as_bytes);
        let ids = |tokens: &[&'static [u8]]| Tokenizer::of(tokens.iter().copied().zip(0..));
        // As one token; as a and bc; and, where bc comes after ab, as ab and c.
        assert_eq!(ids(&tokens).encode("abc"), Ok(vec![5]));
        assert_eq!(ids(&tokens[..5]).encode("abc"), Ok(vec![0, 3]));
        let [a, b, c, bc, ab, _] = tokens;
        assert_eq!(ids(&[a, b, c, ab, bc]).encode("abc"), Ok(vec![3, 2]));
        assert_eq!(
            ids(&[a, b, c, ab, bc]).encode("aab cab"),
            Err(UnknownByte { at: 3, byte: b' ' })
        );
    }

    /// Joining takes n log n steps: a million letters without a space are no attack.
    #[test]
    fn long_pieces_take_no_long() {
        let tokenizer = Tokenizer::of([b"a".as_slice(), b"aa", b"aaaa"].into_iter().zip(0..));
        let ids = tokenizer.encode(&"a".repeat(1_000_003)).unwrap();
        assert_eq!((ids.len(), ids[0], &ids[250_000..]), (250_002, 2, &[1, 0][..]));
    }
}
