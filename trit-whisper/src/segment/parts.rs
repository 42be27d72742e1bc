//! How a segment is cut into parts of so many characters.

use super::{Cutter, Segment};

impl Cutter<'_> {
    /// Tells a segment to `emit` in parts of no more characters than the options allow, as far as
    /// tokens can be told apart. Parts that would take no time share that of the part after them, or
    /// before them at the end, by their characters.
    pub(crate) fn split<'t>(&self, segment: Segment<'t>, emit: &mut dyn FnMut(Segment<'t>)) {
        if self.options.max_segment_chars.is_none() {
            return emit(segment);
        }
        let tokens = segment.tokens.len();
        let chars = |tokens: &[u32]| -> usize {
            tokens.iter().map(|&id| begun(segment.table.bytes(id))).sum()
        };
        let all = chars(segment.tokens);
        let length = segment.end - segment.start;
        // Times are in proportion to the characters before; there is one at least, or all are blank.
        let time = |before: usize| {
            segment.start + (length as u64 * before as u64 / all.max(1) as u64) as usize
        };
        // A run that takes time, and what follows it, which takes none so far.
        let (mut last, mut open) = (None::<Run>, None::<Run>);
        let (mut from, mut before) = (0, 0);
        while from < tokens {
            let (to, here) = self.part(&segment, from);
            let times = segment.words.times_of(from..to, chars);
            let times = times.unwrap_or(time(before)..time(before + here));
            let start = if from == 0 { segment.start } else { times.start };
            let end = if to == tokens { segment.end } else { times.end };
            let mut run = open.take().unwrap_or(Run { from, to, start, end, chars: 0 });
            (run.to, run.end, run.chars) = (to, end, run.chars + here);
            // A sample for each character lets parts be told apart.
            if run.end.saturating_sub(run.start) >= run.chars.max(1) {
                if let Some(last) = last.replace(run) {
                    self.tell(&segment, last, emit);
                }
            } else {
                open = Some(run);
            }
            (from, before) = (to, before + here);
        }
        match (last, open) {
            // The silence between them is time enough.
            (Some(last), Some(open)) if open.end.saturating_sub(last.end) >= open.chars.max(1) => {
                self.tell(&segment, last, emit);
                self.tell(&segment, Run { start: last.end, ..open }, emit);
            }
            (Some(Run { from, start, chars, .. }), Some(open)) => {
                let chars = chars + open.chars;
                self.tell(&segment, Run { from, start, chars, ..open }, emit);
            }
            (last, open) => {
                for run in last.into_iter().chain(open) {
                    self.tell(&segment, run, emit);
                }
            }
        }
    }

    /// Tells the parts of a run.
    fn tell<'t>(&self, segment: &Segment<'t>, run: Run, emit: &mut dyn FnMut(Segment<'t>)) {
        let length = run.end.saturating_sub(run.start) as u64;
        let (mut from, mut before) = (run.from, 0);
        while from < run.to {
            let (to, here) = self.part(segment, from);
            let time = |before: usize| {
                run.start + (length * before as u64 / run.chars.max(1) as u64) as usize
            };
            let (start, end) =
                (time(before), if to == run.to { run.end } else { time(before + here) });
            let words = segment.words.of_tokens(from..to);
            // A part that shares its time has its words in it.
            let is_alone = (from, to) == (run.from, run.to);
            emit(Segment {
                start,
                end,
                tokens: &segment.tokens[from..to],
                logprobs: &segment.logprobs[from..to],
                words: if is_alone { words } else { words.within(start, end) },
                ..*segment
            });
            (from, before) = (to, before + here);
        }
    }

    /// Where the part ends that begins at token `from`: at the last place to cut within the limit, or the
    /// first beyond it. With its number of characters.
    fn part(&self, segment: &Segment<'_>, from: usize) -> (usize, usize) {
        let (tokens, table) = (segment.tokens, segment.table);
        let most = self.options.max_segment_chars.unwrap_or(usize::MAX);
        let may_begin = |id: u32| {
            let first = table.bytes(id).first();
            let at_word = first.is_some_and(|byte| byte.is_ascii_whitespace());
            first.is_some_and(|&byte| !is_continuation(byte))
                && (at_word || !self.options.split_on_word)
        };
        let (mut to, mut here) = (from, 0);
        let mut cut = None;
        while to < tokens.len() {
            if to > from && may_begin(tokens[to]) && (cut.is_none() || here <= most) {
                cut = Some((to, here));
            }
            if here > most && cut.is_some() {
                break;
            }
            here += begun(table.bytes(tokens[to]));
            to += 1;
        }
        match cut {
            Some(cut) if here > most => cut,
            _ => (to, here),
        }
    }
}

/// Parts of a segment that follow each other, and the time they take together.
#[derive(Clone, Copy)]
struct Run {
    /// Its tokens in the segment.
    from: usize,
    to: usize,
    start: usize,
    end: usize,
    chars: usize,
}

/// Characters that begin in some bytes.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| !is_continuation(byte)).count()
}

/// Whether a byte of UTF-8 goes on with a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use bytemuck::Zeroable;

    use super::*;
    use crate::config::Config;
    use crate::options::Options;
    use crate::segment::{Span, Window};
    use crate::tokens::TokenTable;
    use crate::tokens::testing::table;
    use crate::words::{Spoken, Timing};

    /// When the parts of a segment of 3200 samples are said, and the words in them, of words that are
    /// said in these times.
    fn parts(times: [[u64; 2]; 4]) -> std::vec::Vec<[usize; 4]> {
        let bytes = table(&[" ab", " c", " def", " g"]);
        let table = TokenTable::parse(&bytes, 4).unwrap();
        let window = Window {
            start: 1000,
            end: 4200,
            tokens: &[0, 1, 2, 3],
            logprobs: &[0.0; 4],
            avg_logprob: 0.0,
            no_speech_prob: 0.0,
            temperature: 0.0,
            compression_ratio: 1.0,
            silent: false,
        };
        let words = [0, 1, 2, 3].map(|at: u32| Timing {
            start: times[at as usize][0],
            end: times[at as usize][1],
            from: at,
            to: at + 1,
            ..Timing::zeroed()
        });
        let (text, bounds) = (window.tokens, None);
        let spoken = Spoken { words: &words, text, first: 0, origin: 1000, bounds };
        let span = Span { start: 1000, end: 4200, text: 0..4, tokens: 0..4 };
        let options = Options { max_segment_chars: Some(3), ..Options::default() };
        let cutter = Cutter { config: &Config::WHISPER, options: &options, over: usize::MAX };
        let mut found = std::vec::Vec::new();
        cutter.split(window.segment(&span, spoken, table), &mut |part| {
            let [word] = part.words().collect::<std::vec::Vec<_>>()[..] else { panic!("one word") };
            found.push([part.start, part.end, word.start, word.end].map(|at| at - 1000));
        });
        found
    }

    #[test]
    fn parts_of_a_segment_take_time() {
        let plain = parts([[0, 640], [640, 960], [960, 1600], [1600, 3200]]);
        let whole = |start, end| [start, end, start, end];
        assert_eq!(plain, [whole(0, 640), whole(640, 960), whole(960, 1600), whole(1600, 3200)]);
        // By their characters, with the one after them and at the end with those before.
        let shared = parts([[0, 0], [0, 0], [0, 3200], [3200, 3200]]);
        let expected = [
            [0, 872, 0, 0],
            [872, 1454, 872, 872],
            [1454, 2618, 1454, 2618],
            [2618, 3200, 3200, 3200],
        ];
        assert_eq!(shared, expected);
        // The last has the silence before it.
        let silence = parts([[0, 640], [640, 960], [960, 1600], [3200, 3200]]);
        assert_eq!(silence[2..], [[960, 1600, 960, 1600], [1600, 3200, 3200, 3200]]);
        let none = parts([[3200, 3200]; 4]);
        assert!(none.is_sorted_by(|a, b| a[0] < a[1] && a[1] <= b[0]), "{none:?}");
    }
}
