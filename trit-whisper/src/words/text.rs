//! How text parts into words, as in openai-whisper's `tokenizer.py`.

use core::ops::Range;

use bytemuck::Zeroable;
use heapless::Vec;

use super::Timing;
use crate::tokens::TokenTable;

/// Punctuation that goes to the word after it, where it stands apart from the one before.
const PREPENDED: &str = "\"'“¿([{-";

/// Punctuation that goes to the word before it.
const APPENDED: &str = "\"'.。,，!！?？:：”)]}、";

/// Python's `string.punctuation`, by which openai-whisper parts words.
const ASCII: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Languages that openai-whisper parts at characters, because they write no spaces.
const WITHOUT_SPACES: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// Whether words of a language, by its code, are parted by spaces.
pub(crate) fn has_spaces(language: Option<&str>) -> bool {
    language.is_none_or(|code| !WITHOUT_SPACES.contains(&code))
}

/// Text tokens with their bytes.
#[derive(Clone, Copy)]
pub(crate) struct Text<'t> {
    pub(crate) tokens: &'t [u32],
    pub(crate) table: TokenTable<'t>,
}

impl<'t> Text<'t> {
    fn bytes(&self, tokens: Range<usize>) -> impl Iterator<Item = u8> + use<'t> {
        let (tokens, table) = (self.tokens.get(tokens).unwrap_or_default(), self.table);
        tokens.iter().flat_map(move |&id| table.bytes(id)).copied()
    }

    /// Whether the text of these tokens is a part of `marks`; with `trim`, without the spaces around
    /// it. Nothing is a part of everything, as in Python.
    pub(super) fn is_in(&self, tokens: Range<usize>, trim: bool, marks: &str) -> bool {
        // Longer text than all marks together is none of them; a few spaces may be around them.
        let mut buffer = Vec::<u8, 64>::new();
        for byte in self.bytes(tokens) {
            if buffer.push(byte).is_err() {
                return false;
            }
        }
        core::str::from_utf8(&buffer)
            .is_ok_and(|text| marks.contains(if trim { text.trim() } else { text }))
    }

    fn starts_with_space(&self, tokens: Range<usize>) -> bool {
        self.bytes(tokens).next() == Some(b' ')
    }

    fn ends_with_space(&self, tokens: Range<usize>) -> bool {
        self.bytes(tokens).last() == Some(b' ')
    }

    /// Whether the text up to `end`, of which the characters before `start` are whole, ends in a
    /// whole character too, or in bytes that more tokens make no character of.
    fn is_whole(&self, start: usize, end: usize) -> bool {
        let mut decoder = Utf8::default();
        if self.bytes(start..end).any(|byte| !decoder.push(byte)) {
            return true;
        }
        let mut rest = self.bytes(end..self.tokens.len());
        while decoder.is_inside() {
            match rest.next() {
                Some(byte) if decoder.push(byte) => {}
                // Not even the next tokens complete it.
                _ => return true,
            }
            if !decoder.is_inside() {
                return false;
            }
        }
        true
    }

    /// Parts the text into words, which are written to `words` with their tokens alone, and returns
    /// how many: at spaces and ASCII punctuation, or else at characters.
    pub(crate) fn split(&self, spaces: bool, words: &mut [Timing]) -> usize {
        let (mut count, mut start) = (0, 0);
        for end in 1..=self.tokens.len() {
            if !self.is_whole(start, end) {
                continue;
            }
            let joins = spaces
                && !self.starts_with_space(start..end)
                && !self.is_in(start..end, true, ASCII);
            match words.get_mut(..count).and_then(|words| words.last_mut()) {
                Some(last) if joins => last.to = end as u32,
                _ => {
                    let Some(word) = words.get_mut(count) else { return count };
                    *word = Timing { from: start as u32, to: end as u32, ..Timing::zeroed() };
                    count += 1;
                }
            }
            start = end;
        }
        count
    }

    /// Gives punctuation to the words it belongs to; what is left of it has no tokens.
    pub(crate) fn merge_punctuation(&self, words: &mut [Timing]) {
        let mut following = words.len().saturating_sub(1);
        for at in (0..following).rev() {
            let tokens = words[at].tokens();
            if self.starts_with_space(tokens.clone()) && self.is_in(tokens, true, PREPENDED) {
                words[following].from = words[at].from;
                words[at].to = words[at].from;
            } else {
                following = at;
            }
        }
        let mut previous = 0;
        for at in 1..words.len() {
            let tokens = words[at].tokens();
            if !self.ends_with_space(words[previous].tokens())
                && self.is_in(tokens.clone(), false, APPENDED)
            {
                if !tokens.is_empty() {
                    words[previous].to = words[at].to;
                    words[at].from = words[at].to;
                }
            } else {
                previous = at;
            }
        }
    }
}

/// Follows UTF-8 byte by byte.
#[derive(Default)]
struct Utf8 {
    /// Bytes that the character still needs.
    needed: u8,
    /// What the next of them may be.
    least: u8,
    most: u8,
}

impl Utf8 {
    fn is_inside(&self) -> bool {
        self.needed > 0
    }

    /// Takes a byte; false if it is wrong where it stands (Unicode 16, table 3-7).
    fn push(&mut self, byte: u8) -> bool {
        if self.needed > 0 {
            self.needed -= 1;
            let valid = (self.least..=self.most).contains(&byte);
            (self.least, self.most) = (0x80, 0xBF);
            return valid;
        }
        (self.needed, self.least, self.most) = match byte {
            0..=0x7F => (0, 0x80, 0xBF),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return false,
        };
        true
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::testing::{counts, table};
    use super::*;

    /// Texts in twelve languages, whole and without their last token, as openai-whisper parts them.
    /// It loses the tokens of a character that is cut off; here they are words.
    #[test]
    fn text_parts_into_openais_words() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/words.json")).unwrap();
        for case in fixture["splits"].as_array().unwrap() {
            let tokens: std::vec::Vec<std::vec::Vec<u8>> = case["tokens"]
                .as_array()
                .unwrap()
                .iter()
                .map(|token| {
                    let hex = token.as_str().unwrap().as_bytes();
                    let byte = |pair: &[u8]| core::str::from_utf8(pair).unwrap().to_owned();
                    hex.chunks(2).map(|b| u8::from_str_radix(&byte(b), 16).unwrap()).collect()
                })
                .collect();
            let bytes = table(&tokens);
            let ids: std::vec::Vec<u32> = (0..tokens.len() as u32).collect();
            let table = TokenTable::parse(&bytes, tokens.len()).unwrap();
            let text = Text { tokens: &ids, table };
            let mut words = [Timing::zeroed(); 100];
            let language = case["language"].as_str();
            let count = text.split(has_spaces(language), &mut words);
            let words = &mut words[..count];
            let lengths = |words: &[Timing]| -> std::vec::Vec<usize> {
                words.iter().map(|word| word.tokens().len()).collect()
            };
            let shown = std::string::String::from_utf8_lossy(&tokens.concat()).into_owned();
            let expected = counts(&case["words"]);
            assert!(lengths(words).starts_with(&expected), "{shown}: {words:?}");
            let lost = expected.iter().sum::<usize>() < tokens.len();
            assert_eq!(lengths(words).len() > expected.len(), lost, "{shown}");
            text.merge_punctuation(words);
            assert!(lengths(words).starts_with(&counts(&case["merged"])), "{shown}");
        }
    }

    #[test]
    fn no_more_words_than_there_is_room_for() {
        let table = [1, 0, 2].map(u32::to_le_bytes).concat();
        let table = [&table[..], b" a"].concat();
        let text = Text { tokens: &[0; 5], table: TokenTable::parse(&table, 1).unwrap() };
        assert_eq!(text.split(true, &mut [Timing::zeroed(); 3]), 3);
        assert_eq!(text.split(true, &mut []), 0);
    }

    /// Characters in pieces, and what is part of none.
    const PARTS: &[&[u8]] = &[b"\xE6", b"\x97\xA5", b"\xE6\x97", b"\xA5", b"\xFF"];

    /// Tokens that cut characters, have several words, punctuation or nothing in them.
    fn any_tokens() -> impl Strategy<Value = std::vec::Vec<std::vec::Vec<u8>>> {
        let piece = prop_oneof![
            prop::sample::select(
                &[" a", "b", "'s", " \"", ".", "…", " ", "", "?!", " (", "。", "-"][..]
            )
            .prop_map(|text| text.as_bytes().to_vec()),
            "\\PC{0,3}".prop_map(String::into_bytes),
            prop::sample::select(PARTS).prop_map(<[u8]>::to_vec),
        ];
        prop::collection::vec(piece, 1..24)
    }

    proptest! {
        #[test]
        fn words_have_all_tokens_in_order(tokens in any_tokens(), spaces in any::<bool>()) {
            let bytes = table(&tokens);
            let ids: std::vec::Vec<u32> = (0..tokens.len() as u32).collect();
            let text = Text { tokens: &ids, table: TokenTable::parse(&bytes, ids.len()).unwrap() };
            let mut words = [Timing::zeroed(); 24];
            let count = text.split(spaces, &mut words);
            let words = &mut words[..count];
            let check = |words: &[Timing]| {
                let mut next = 0;
                for word in words.iter().filter(|word| word.from < word.to) {
                    assert_eq!(word.from, next, "{words:?}");
                    next = word.to;
                }
                assert_eq!(next as usize, tokens.len(), "{words:?}");
            };
            check(words);
            prop_assert!(words.iter().all(|word| word.from < word.to));
            let is_text = |tokens: &[std::vec::Vec<u8>]| String::from_utf8(tokens.concat()).is_ok();
            if is_text(&tokens) {
                prop_assert!(words.iter().all(|word| is_text(&tokens[word.tokens()])), "{:?}", words);
            }
            text.merge_punctuation(words);
            check(words);
        }
    }
}
