//! How long zlib makes a text, which is how Whisper tells repetition: text that repeats itself is
//! deflated to a small part of its length.
//!
//! Thresholds are tuned to zlib at level 6, so this computes the very length that zlib 1.2 and 1.3 give,
//! without writing anything: its search for matches (lazy, hash chains of 128, RFC 1951), its Huffman
//! codes with their bounded lengths, and its choice between stored, fixed and dynamic blocks.

use super::huffman::code_lengths;
use crate::arena::{Arena, size};
use crate::characters::characters;
use crate::config::Config;

/// Bytes that are looked at. zlib makes one block of them: it takes 16,383 literals and matches to
/// fill one, and distances stay within its window.
pub(crate) const MOST: usize = 16_000;

const MIN_MATCH: usize = 3;
const MAX_MATCH: usize = 258;
/// Farthest that a match may be: the window of 32 KiB less what zlib keeps ahead.
const MAX_DISTANCE: usize = 32_768 - (MAX_MATCH + MIN_MATCH + 1);
/// Matches of three bytes that are farther than this are not worth their bits.
const TOO_FAR: usize = 4096;

/// Level 6: a match this long shortens the search for a better one,
const GOOD: usize = 8;
/// this long ends the search at the next byte,
const LAZY: usize = 16;
/// this long ends it at once;
const NICE: usize = 128;
/// and so many places are looked at.
const CHAIN: usize = 128;

const _: () = assert!(MOST < MAX_DISTANCE && MOST < 16_383 && MOST <= u16::MAX as usize);

/// Hash chains by 10 of the hash's 15 bits; places of another hash are passed over.
const HEADS: usize = 1 << 10;

/// zlib's hash of three bytes: 15 bits, 5 shifted in by each.
fn hash(bytes: &[u8]) -> u16 {
    let [a, b, c] = [bytes[0], bytes[1], bytes[2]].map(u16::from);
    ((a << 10) ^ (b << 5) ^ c) & 0x7FFF
}

/// Buffers for deflating a text.
pub(crate) struct Deflate<'a> {
    /// The text.
    text: &'a mut [u8],
    /// The last place of each chain; 0 is none, as in zlib, which never matches the first byte.
    heads: &'a mut [u16],
    /// The place before each in its chain.
    before: &'a mut [u16],
}

/// Bytes of text that a window may have: 64 a token, which no language needs.
const fn capacity(config: &Config) -> usize {
    let bytes = 64 * config.sample_len();
    if bytes < MOST { bytes } else { MOST }
}

impl<'a> Deflate<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config) -> usize {
        size::<u8>(capacity(config)) + size::<u16>(HEADS) + size::<u16>(capacity(config))
    }

    /// Room for a window's text; `None` when the arena is too small.
    pub(crate) fn take(config: &Config, arena: &mut Arena<'a>) -> Option<Self> {
        let text = arena.take(capacity(config))?;
        Some(Self { text, heads: arena.take(HEADS)?, before: arena.take(capacity(config))? })
    }

    /// The length of a text without the blanks around it, divided by what zlib makes of it. What is no
    /// UTF-8 counts as the three bytes of U+FFFD, as in openai-whisper. Of a text that is longer than
    /// there is room for, the beginning counts.
    pub(crate) fn ratio<'t>(&mut self, pieces: impl Iterator<Item = &'t [u8]>) -> f32 {
        let (mut len, mut trimmed) = (0, 0);
        for c in characters(pieces.flatten()).skip_while(|c| c.is_whitespace()) {
            let Some(to) = self.text.get_mut(len..len + c.len_utf8()) else { break };
            c.encode_utf8(to);
            len += to.len();
            if !c.is_whitespace() {
                trimmed = len;
            }
        }
        trimmed as f32 / self.deflated(trimmed) as f32
    }

    /// The length of what zlib makes of the first `len` bytes of the text.
    fn deflated(&mut self, len: usize) -> usize {
        let mut symbols = Symbols::new();
        self.search(len, &mut symbols);
        // Two bytes of header before, four of checksum after.
        2 + symbols.block_len(len) + 4
    }

    /// zlib's `deflate_slow`: a match is taken unless the one at the next byte is longer.
    fn search(&mut self, len: usize, symbols: &mut Symbols) {
        self.heads.fill(0);
        let (mut at, mut waiting) = (0, false);
        let (mut found, mut start) = (2, 0);
        while at < len {
            let left = len - at;
            let chain = self.insert(at, len);
            let (last, last_start) = (found, start);
            found = 2;
            if chain != 0 && last < LAZY {
                (found, start) = self.longest(chain, at, left, last, start);
                if found == MIN_MATCH && at - start > TOO_FAR {
                    found = 2;
                }
            }
            if last >= MIN_MATCH && found <= last {
                symbols.add_match(last, at - 1 - last_start);
                // The match began a byte ago; its last byte but one is the last that is passed.
                for passed in at + 1..at + last - 1 {
                    self.insert(passed, len);
                }
                at += last - 1;
                waiting = false;
                found = 2;
            } else {
                if waiting {
                    symbols.add_literal(self.text[at - 1]);
                }
                waiting = true;
                at += 1;
            }
        }
        if waiting {
            symbols.add_literal(self.text[at - 1]);
        }
    }

    /// Enters the three bytes at `at` into their chain and returns the place before, or 0.
    fn insert(&mut self, at: usize, len: usize) -> usize {
        if at + MIN_MATCH > len {
            return 0;
        }
        let hash = hash(&self.text[at..]);
        let head = usize::from(hash) % HEADS;
        let first = self.heads[head];
        self.before[at] = first;
        self.heads[head] = at as u16;
        self.same(first.into(), hash)
    }

    /// The first place of a chain, from `place` on, whose hash is this; 0 if there is none.
    fn same(&self, mut place: usize, hash_here: u16) -> usize {
        while place != 0 && hash(&self.text[place..]) != hash_here {
            place = self.before[place].into();
        }
        place
    }

    /// The longest match of what is at `at` from `chain` on that is longer than `last` bytes, the
    /// first of several, as length and place.
    fn longest(
        &self,
        mut chain: usize,
        at: usize,
        left: usize,
        last: usize,
        last_start: usize,
    ) -> (usize, usize) {
        let text = &self.text[..at + left];
        let hash = hash(&text[at..]);
        let nice = NICE.min(left);
        let mut tries = if last >= GOOD { CHAIN / 4 } else { CHAIN };
        let (mut best, mut start) = (last, last_start);
        while best < left {
            let most = MAX_MATCH.min(left);
            let pairs = text[chain..].iter().zip(&text[at..at + most]);
            let length = pairs.take_while(|(a, b)| a == b).count();
            if length > best {
                (best, start) = (length, chain);
                if length >= nice {
                    break;
                }
            }
            chain = self.same(self.before[chain].into(), hash);
            tries -= 1;
            if chain == 0 || tries == 0 {
                break;
            }
        }
        (best.min(left), start)
    }
}

pub(super) const LITERALS: usize = 286;
const DISTANCES: usize = 30;
pub(super) const LENGTHS: usize = 19;
const END_OF_BLOCK: usize = 256;

/// The order in which lengths of codes' own codes are sent.
const LENGTH_ORDER: [usize; LENGTHS] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// How often each symbol of a block occurs.
struct Symbols {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

/// The symbol of a match's length (RFC 1951, 3.2.5).
fn length_symbol(length: usize) -> usize {
    if length == MAX_MATCH { 285 } else { 257 + logarithmic(length - MIN_MATCH, 2) }
}

/// The symbol of a distance.
fn distance_symbol(distance: usize) -> usize {
    logarithmic(distance - 1, 1)
}

/// Symbols of numbers from 0 on: one for each of the first 2ˢ⁺¹, then 2ˢ for each power of two.
fn logarithmic(number: usize, s: u32) -> usize {
    if number < 2 << s {
        return number;
    }
    let extra = number.ilog2() - s;
    ((extra as usize) << s) + (number >> extra)
}

/// Bits after a literal's or length's symbol.
fn literal_extra(symbol: usize) -> u64 {
    match symbol {
        265..=284 => (symbol as u64 - 261) / 4,
        _ => 0,
    }
}

/// Bits after a distance's symbol.
fn distance_extra(symbol: usize) -> u64 {
    (symbol as u64 / 2).saturating_sub(1)
}

/// Bits after the symbol of a code length.
fn length_extra(symbol: usize) -> u64 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// The fixed code's bits of a literal or length.
fn fixed_bits(symbol: usize) -> u64 {
    match symbol {
        0..=143 | 280.. => 8,
        144..=255 => 9,
        256..=279 => 7,
    }
}

impl Symbols {
    fn new() -> Self {
        let mut symbols = Self { literals: [0; LITERALS], distances: [0; DISTANCES] };
        symbols.literals[END_OF_BLOCK] = 1;
        symbols
    }

    fn add_literal(&mut self, byte: u8) {
        self.literals[usize::from(byte)] += 1;
    }

    fn add_match(&mut self, length: usize, distance: usize) {
        self.literals[length_symbol(length)] += 1;
        self.distances[distance_symbol(distance)] += 1;
    }

    /// Bytes of the block of these symbols, which stand for `stored` bytes: the shortest of the three
    /// kinds, as zlib's `_tr_flush_block` chooses.
    fn block_len(&self, stored: usize) -> usize {
        let (mut literal_bits, mut distance_bits) = ([0; LITERALS], [0; DISTANCES]);
        code_lengths(&self.literals, 15, &mut literal_bits);
        code_lengths(&self.distances, 15, &mut distance_bits);

        let (mut dynamic, mut fixed) = (0, 0);
        for (symbol, (&count, &bits)) in self.literals.iter().zip(&literal_bits).enumerate() {
            dynamic += u64::from(count) * (u64::from(bits) + literal_extra(symbol));
            fixed += u64::from(count) * (fixed_bits(symbol) + literal_extra(symbol));
        }
        for (symbol, (&count, &bits)) in self.distances.iter().zip(&distance_bits).enumerate() {
            dynamic += u64::from(count) * (u64::from(bits) + distance_extra(symbol));
            fixed += u64::from(count) * (5 + distance_extra(symbol));
        }
        dynamic += header_bits(&literal_bits, &distance_bits);
        // Three bits say which kind it is; a stored block has a byte for them and four of length.
        let bytes = |bits: u64| (bits + 3).div_ceil(8) as usize;
        let coded = bytes(dynamic.min(fixed));
        if stored + 4 <= coded { 5 + stored } else { coded }
    }
}

/// Bits that a dynamic block's codes take: how many there are, and their lengths, which are coded
/// with runs and a Huffman code of their own.
fn header_bits(literals: &[u8; LITERALS], distances: &[u8; DISTANCES]) -> u64 {
    let mut counts = [0; LENGTHS];
    for lengths in [&literals[..], &distances[..]] {
        count_runs(lengths, &mut counts);
    }
    let mut bits = [0; LENGTHS];
    code_lengths(&counts, 7, &mut bits);
    // Three lengths are sent at least, of the runs.
    let last = LENGTH_ORDER.iter().rposition(|&symbol| bits[symbol] != 0).unwrap_or(0);
    let sent = last.max(2) + 1;
    let coded = counts.iter().zip(&bits).enumerate().map(|(symbol, (&count, &bits))| {
        u64::from(count) * (u64::from(bits) + length_extra(symbol))
    });
    5 + 5 + 4 + 3 * sent as u64 + coded.sum::<u64>()
}

/// Counts the symbols that code lengths are sent with: 16 repeats the last 3 to 6 times, 17 is 3 to
/// 10 zeros, 18 is 11 to 138 of them. As zlib's `scan_tree`, up to the last length that is not 0.
fn count_runs(lengths: &[u8], counts: &mut [u32; LENGTHS]) {
    let used = lengths.iter().rposition(|&length| length != 0).map_or(0, |last| last + 1);
    let (mut before, mut rest) = (None, &lengths[..used]);
    while let [length, ..] = *rest {
        let most = if length == 0 {
            138
        } else if before == Some(length) {
            6
        } else {
            7
        };
        let run = rest.iter().take(most).take_while(|&&next| next == length).count();
        let least = if length == 0 || before == Some(length) { 3 } else { 4 };
        if run < least {
            counts[usize::from(length)] += run as u32;
        } else if length != 0 {
            counts[usize::from(length)] += u32::from(before != Some(length));
            counts[16] += 1;
        } else {
            counts[if run <= 10 { 17 } else { 18 }] += 1;
        }
        before = Some(length);
        rest = &rest[run..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deflated(text: &[u8]) -> usize {
        let config = Config { n_text_ctx: 448, ..Config::WHISPER };
        let mut memory = vec![0; Deflate::bytes(&config) + 64];
        let mut deflate = Deflate::take(&config, &mut Arena::new(&mut memory)).unwrap();
        deflate.text[..text.len()].copy_from_slice(text);
        deflate.deflated(text.len())
    }

    /// Lines of zlib's length, how often a text is repeated, and the text, from
    /// `oracle/zlib_lengths.py`.
    #[test]
    fn lengths_are_those_of_zlib() {
        let lines = include_str!("../../tests/fixtures/zlib.txt");
        for line in lines.lines() {
            let mut parts = line.splitn(3, '\t');
            let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok()).unwrap();
            let (expected, times) = (number(), number());
            let text = parts.next().unwrap().repeat(times);
            assert_eq!(deflated(text.as_bytes()), expected, "{line}");
        }
        assert!(lines.lines().count() > 50);
    }

    #[test]
    fn blanks_around_a_text_do_not_count() {
        let config = Config { n_text_ctx: 448, ..Config::WHISPER };
        let mut memory = vec![0; Deflate::bytes(&config) + 64];
        let mut deflate = Deflate::take(&config, &mut Arena::new(&mut memory)).unwrap();
        assert_eq!(deflate.ratio([].into_iter()), 0.0);
        let plain = deflate.ratio([&b"again and "[..], b"again"].into_iter());
        assert_eq!(deflate.ratio([&b" "[..], b"again and again", b"\n "].into_iter()), plain);
        assert_eq!(deflate.ratio(["\u{3000}again and again\u{A0}".as_bytes()].into_iter()), plain);
        // Far beyond what there is room for.
        let many = core::iter::repeat_n(&b" so"[..], 100_000);
        assert!(deflate.ratio(many) > 100.0);
    }

    /// What Python's zlib makes of the text that Python's `decode(errors="replace")` gives.
    #[test]
    fn what_is_no_text_counts_as_python_shows_it() {
        let config = Config { n_text_ctx: 448, ..Config::WHISPER };
        let mut memory = vec![0; Deflate::bytes(&config) + 64];
        let mut deflate = Deflate::take(&config, &mut Arena::new(&mut memory)).unwrap();
        let mut ratio = |text: &[u8]| deflate.ratio(text.chunks(2));
        assert_eq!(ratio(b" \xFF again"), 9.0 / 17.0);
        let thanks = "谢谢".repeat(6);
        assert_eq!(ratio(thanks.as_bytes()), 36.0 / 14.0);
        assert_eq!(ratio(&thanks.as_bytes()[..35]), 36.0 / 17.0);
        let lone: [u8; 40] = core::array::from_fn(|at| 0x80 + at as u8);
        assert_eq!(ratio(&lone), 120.0 / 14.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// No text grows by more than a stored block's frame, and none shrinks more than deflate can.
        #[test]
        fn ratios_are_those_of_texts(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..20),
                    prop::collection::vec(prop::sample::select(&b"ab \xC3\xA9"[..]), 0..20),
                ],
                0..30,
            ),
            times in 1usize..200,
            n_text_ctx in 4u32..448,
        ) {
            let config = Config { n_text_ctx, ..Config::WHISPER };
            let mut memory = std::vec![0; Deflate::bytes(&config) + 64];
            let mut deflate = Deflate::take(&config, &mut Arena::new(&mut memory)).unwrap();
            let text = || pieces.iter().map(std::vec::Vec::as_slice);
            let repeated = (0..times).flat_map(|_| text());
            let ratio = deflate.ratio(repeated);
            // 258 bytes take two bits at best.
            prop_assert!((0.0..=1032.0).contains(&ratio), "{}", ratio);
            // What was there before does not count.
            let again = deflate.ratio((0..times).flat_map(|_| text()));
            prop_assert_eq!(ratio.to_bits(), again.to_bits());
            let all = pieces.concat();
            if all.len() <= deflate.text.len() {
                deflate.text[..all.len()].copy_from_slice(&all);
                prop_assert!(deflate.deflated(all.len()) <= all.len() + 11);
            }
        }
    }
}
