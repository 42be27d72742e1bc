//! Words and when they are spoken: how text parts into words, and what is known about the times of
//! words, as in openai-whisper's `timing.py` and `tokenizer.py`.

use core::ops::Range;

use bytemuck::{Pod, Zeroable};
use heapless::Vec;

use crate::SAMPLE_RATE;
use crate::tokens::TokenTable;

/// A word of a segment, or one with the punctuation that belongs to it.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
/// # let model = Model::parse(embedded::model())?;
/// # let options = Options { words: true, ..Options::default() };
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// let mut words = Vec::new();
/// transcriber.transcribe(&samples, &mut |event| {
///     if let Event::Segment(segment) = event {
///         for word in segment.words() {
///             assert!(word.start <= word.end && word.end <= samples.len());
///             words.push(word.text().flatten().copied().collect::<Vec<u8>>());
///         }
///     }
/// })?;
/// assert_eq!(words, [&b" yes"[..], b" no", b" on", b" off"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Word<'t> {
    /// First sample, at 16 kHz, from the beginning of the audio.
    pub start: usize,
    /// One past the last sample; a word as short as the alignment can tell has `end == start`.
    pub end: usize,
    /// Its tokens, a part of the segment's.
    pub tokens: &'t [u32],
    /// Mean probability of its tokens, as in [`Segment::probabilities`](crate::Segment::probabilities).
    ///
    /// openai-whisper takes it from a second reading without timestamps, which makes little of words by a
    /// model that was trained with them alone.
    pub probability: f32,
    table: TokenTable<'t>,
}

impl<'t> Word<'t> {
    /// The text's bytes, token by token, most often with the space before the word.
    pub fn text(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let table = self.table;
        self.tokens.iter().map(move |&id| table.bytes(id))
    }
}

/// A word in the arena: its tokens are `from..to` of the segment's or window's.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Timing {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) probability: f32,
    pub(crate) reserved: u32,
}

impl Timing {
    /// Its tokens' indices.
    pub(crate) fn tokens(&self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// The words of a segment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spoken<'t> {
    pub(crate) words: &'t [Timing],
    /// The tokens that words count in: the text of a window.
    pub(crate) text: &'t [u32],
    /// The segment's first token among them.
    pub(crate) first: usize,
    /// The sample that times count from.
    pub(crate) origin: usize,
}

impl<'t> Spoken<'t> {
    /// The words, with their tokens and text.
    pub(crate) fn words(self, table: TokenTable<'t>) -> impl Iterator<Item = Word<'t>> + use<'t> {
        let Self { words, text, origin, .. } = self;
        words.iter().map(move |timing| Word {
            start: origin + timing.start as usize,
            end: origin + timing.end as usize,
            tokens: text.get(timing.tokens()).unwrap_or_default(),
            probability: timing.probability,
            table,
        })
    }

    /// The words that begin in some of the segment's tokens.
    pub(crate) fn of_tokens(self, tokens: Range<usize>) -> Self {
        let tokens = self.first + tokens.start..self.first + tokens.end;
        let at = |token: usize| self.words.partition_point(|word| (word.from as usize) < token);
        let words = &self.words[at(tokens.start)..at(tokens.end)];
        Self { words, first: tokens.start, ..self }
    }

    /// From the beginning of the first word to the end of the last, if there are words and they take
    /// time.
    pub(crate) fn times(&self) -> Option<Range<usize>> {
        let (first, last) = (self.words.first()?, self.words.last()?);
        let times = self.origin + first.start as usize..self.origin + last.end as usize;
        (!times.is_empty()).then_some(times)
    }

    /// The same in audio that begins `samples` earlier.
    #[cfg(feature = "std")]
    pub(crate) fn later(self, samples: usize) -> Self {
        Self { origin: self.origin + samples, ..self }
    }
}

/// Punctuation that goes to the word after it, where it stands apart from the one before.
const PREPENDED: &str = "\"'“¿([{-";

/// Punctuation that goes to the word before it.
const APPENDED: &str = "\"'.。,，!！?？:：”)]}、";

/// Marks at which a sentence ends.
const SENTENCE_ENDS: &str = ".。!！?？";

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
    fn is_in(&self, tokens: Range<usize>, trim: bool, marks: &str) -> bool {
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

/// Longest that the middle of the words' lengths counts as: 0.7 s.
const LONGEST_MEDIAN: u64 = 7 * SAMPLE_RATE as u64 / 10;

/// How far a segment's own time may lie from its words' before it counts more: 0.5 s.
const SLACK: u64 = SAMPLE_RATE as u64 / 2;

/// The middle of the words' lengths that are not 0, at most 0.7 s, and 0 if there are none; `lengths`
/// has room for all.
pub(crate) fn median_length(words: &[Timing], lengths: &mut [u64]) -> u64 {
    let mut count = 0;
    let found = words.iter().map(|word| word.end - word.start).filter(|&length| length > 0);
    for (to, length) in lengths.iter_mut().zip(found) {
        *to = length;
        count += 1;
    }
    let lengths = &mut lengths[..count];
    lengths.sort_unstable();
    match count {
        0 => 0,
        _ => ((lengths[(count - 1) / 2] + lengths[count / 2]) / 2).min(LONGEST_MEDIAN),
    }
}

/// Shortens words next to the end of a sentence that are longer than twice the median: the silence
/// after it is no part of them.
pub(crate) fn shorten_at_sentences(text: &Text<'_>, words: &mut [Timing], median: u64) {
    let most = 2 * median;
    if words.iter().all(|word| word.end == word.start) {
        return;
    }
    for at in 1..words.len() {
        if words[at].end - words[at].start > most {
            if text.is_in(words[at].tokens(), false, SENTENCE_ENDS) {
                words[at].end = words[at].start + most;
            } else if text.is_in(words[at - 1].tokens(), false, SENTENCE_ENDS) {
                words[at].start = words[at].end - most;
            }
        }
    }
}

/// Brings the times of a segment and of its words together: words after a pause are not longer than
/// twice the median, and where the segment's own time is half a second off, it counts. Speech before
/// the segment ended at `last_speech`.
pub(crate) fn fit_segment(
    segment: &mut Range<u64>,
    words: &mut [Timing],
    median: u64,
    last_speech: u64,
) {
    let most = 2 * median;
    let (Some(first), second) = (words.first().copied(), words.get(1).copied()) else { return };
    let pause = first.end.saturating_sub(last_speech) > 4 * median;
    let long = first.end - first.start > most
        || second.is_some_and(|second| second.end.saturating_sub(first.start) > 2 * most);
    if pause && long {
        if let Some(second) = second
            && second.end - second.start > most
        {
            let boundary = (second.end / 2).max(second.end - most);
            (words[0].end, words[1].start) = (boundary, boundary);
        }
        words[0].start = words[0].end.saturating_sub(most);
    }
    if segment.start < words[0].end && segment.start > words[0].start + SLACK {
        words[0].start = words[0].end.saturating_sub(median).min(segment.start);
    } else {
        segment.start = words[0].start;
    }
    if let Some(last) = words.last_mut() {
        if segment.end > last.start && segment.end + SLACK < last.end {
            last.end = segment.end.max(last.start + median);
        } else {
            segment.end = last.end;
        }
    }
}

/// Brings words into the times of their segment, from its beginning to its end.
pub(crate) fn fit_words(segment: &Range<u64>, words: &mut [Timing]) {
    for word in words.iter_mut() {
        word.start = word.start.clamp(segment.start, segment.end);
        word.end = word.end.clamp(segment.start, segment.end);
    }
    if let Some(first) = words.first_mut() {
        first.start = segment.start;
    }
    if let Some(last) = words.last_mut() {
        last.end = segment.end;
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use serde_json::Value;

    use proptest::prelude::*;

    use super::*;

    /// Counts in a list of the fixture.
    fn counts(value: &Value) -> std::vec::Vec<usize> {
        value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
    }

    /// Texts in twelve languages, whole and without their last token, as openai-whisper parts them.
    /// It loses the tokens of a character that is cut off; here they are words.
    #[test]
    fn text_parts_into_openais_words() {
        let fixture: Value =
            serde_json::from_str(include_str!("../tests/fixtures/words.json")).unwrap();
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
            let mut table = (tokens.len() as u32).to_le_bytes().to_vec();
            let mut offset = 0u32;
            table.extend(offset.to_le_bytes());
            for token in &tokens {
                offset += token.len() as u32;
                table.extend(offset.to_le_bytes());
            }
            table.extend(tokens.concat());
            let ids: std::vec::Vec<u32> = (0..tokens.len() as u32).collect();
            let table = TokenTable::parse(&table, tokens.len()).unwrap();
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

    fn timing(start: u64, end: u64) -> Timing {
        Timing { start, end, ..Timing::zeroed() }
    }

    #[test]
    fn the_median_leaves_out_words_of_no_length() {
        let words = [timing(0, 320), timing(320, 320), timing(320, 1_280)];
        assert_eq!(median_length(&words, &mut [0; 3]), 640);
        assert_eq!(median_length(&words[1..2], &mut [0; 3]), 0);
        assert_eq!(median_length(&[timing(0, 64_000)], &mut [0; 3]), LONGEST_MEDIAN);
    }

    #[test]
    fn long_words_after_a_pause_are_cut() {
        let mut segment = 0..48_000;
        let mut words = [timing(0, 40_000), timing(40_000, 44_000), timing(44_000, 48_000)];
        fit_segment(&mut segment, &mut words, 4_000, 0);
        assert_eq!((words[0].start, words[0].end, segment), (32_000, 40_000, 32_000..48_000));
        // A segment that begins half a second and more after its first word counts more.
        let mut segment = 30_000..60_000;
        let mut words = [timing(10_000, 34_000), timing(34_000, 80_000)];
        fit_segment(&mut segment, &mut words, 4_000, 33_000);
        assert_eq!((words[0].start, words[1].end), (30_000, 60_000));
        assert_eq!(segment, 30_000..60_000);
    }

    /// The times that openai-whisper's `add_word_timestamps` gives from the same first frames.
    #[test]
    fn times_of_words_and_segments_are_openais() {
        for fixture in [
            include_str!("../tests/fixtures/dense/words.json"),
            include_str!("../tests/fixtures/ternary/words.json"),
        ] {
            let fixture: Value = serde_json::from_str(fixture).unwrap();
            let first = counts(&fixture["first"]);
            // The window starts at 1 s.
            let at = |frame: usize| 16_000 + 320 * frame as u64;
            let mut words: std::vec::Vec<_> =
                first.windows(2).map(|pair| timing(at(pair[0]), at(pair[1]))).collect();
            let median = median_length(&words, &mut [0; 100]);
            let half = fixture["half"].as_u64().unwrap() as usize;
            let end = 16_000 + 160 * fixture["frames"].as_u64().unwrap();
            let middle = (16_000 + end) / 2;
            let mut last_speech = 0;
            let (one, two) = words.split_at_mut(half);
            let segments = fixture["segments"].as_array().unwrap();
            for ((mut times, words), expected) in
                [(16_000..middle, one), (middle..end, two)].into_iter().zip(segments)
            {
                fit_segment(&mut times, words, median, last_speech);
                last_speech = times.end;
                // openai-whisper rounds to hundredths of a second.
                let same = |found: u64, expected: &Value| {
                    let expected = expected.as_f64().unwrap();
                    assert!(
                        (found as f64 / 16_000.0 - expected).abs() < 0.0051,
                        "{found} {expected}"
                    );
                };
                same(times.start, &expected["start"]);
                same(times.end, &expected["end"]);
                for (word, expected) in words.iter().zip(expected["words"].as_array().unwrap()) {
                    same(word.start, &expected[0]);
                    same(word.end, &expected[1]);
                }
            }
        }
    }

    /// A token table of these bytes.
    fn table(tokens: &[std::vec::Vec<u8>]) -> std::vec::Vec<u8> {
        let mut bytes = (tokens.len() as u32).to_le_bytes().to_vec();
        let mut offset = 0u32;
        bytes.extend(offset.to_le_bytes());
        for token in tokens {
            offset += token.len() as u32;
            bytes.extend(offset.to_le_bytes());
        }
        bytes.extend(tokens.concat());
        bytes
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

        /// Words that follow one another still do once they are shortened and brought together with
        /// their segment.
        #[test]
        fn times_of_words_stay_in_order(
            lengths in prop::collection::vec(
                (0u64..200, prop_oneof![Just(0u64), 1u64..100]).prop_map(|(n, pause)| (320 * n, 320 * pause)),
                1..20,
            ),
            ends in prop::collection::vec(any::<bool>(), 20),
            (start, length) in (0u64..900_000, 1u64..600_000),
            last_speech in 0u64..900_000,
            first in 0u64..900_000,
        ) {
            let bytes = table(&[b".".to_vec(), b" a".to_vec()]);
            let ids: std::vec::Vec<u32> = ends.iter().map(|&end| u32::from(!end)).collect();
            let text = Text { tokens: &ids, table: TokenTable::parse(&bytes, 2).unwrap() };
            let mut now = first;
            let mut words: std::vec::Vec<_> = (0u32..)
                .zip(&lengths)
                .map(|(at, (length, pause))| {
                    let start = now;
                    now += length + pause;
                    Timing { from: at, to: at + 1, ..timing(start, start + length) }
                })
                .collect();
            let check = |words: &[Timing]| {
                assert!(words.iter().all(|word| word.start <= word.end), "{words:?}");
                assert!(words.windows(2).all(|pair| pair[0].end <= pair[1].start), "{words:?}");
            };
            let median = median_length(&words, &mut [0; 20]);
            prop_assert!(median <= LONGEST_MEDIAN);
            shorten_at_sentences(&text, &mut words, median);
            check(&words);
            let mut fitted = words.clone();
            let mut segment = start..start + length;
            fit_segment(&mut segment, &mut fitted, median, last_speech);
            check(&fitted);
            fit_words(&(start..start + length), &mut words);
            check(&words);
            prop_assert!(words.iter().all(|word| start <= word.start && word.end <= start + length));
        }
    }
}
