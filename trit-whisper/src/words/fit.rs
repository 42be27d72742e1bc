//! What is known about the times of words, as in openai-whisper's `timing.py`.

use core::ops::Range;

use super::Timing;
use super::text::Text;
use crate::SAMPLE_RATE;

/// Marks at which a sentence ends.
const SENTENCE_ENDS: &str = ".。!！?？";

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
    use bytemuck::Zeroable;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::testing::{counts, table};
    use super::*;
    use crate::tokens::TokenTable;

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
            include_str!("../../tests/fixtures/dense/words.json"),
            include_str!("../../tests/fixtures/ternary/words.json"),
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

    proptest! {
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
