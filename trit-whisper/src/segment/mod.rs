//! How a window's tokens become segments.

mod parts;

use core::ops::Range;

use crate::characters::characters;
use crate::config::Config;
use crate::decode::math;
use crate::options::Options;
use crate::tokens::TokenTable;
use crate::words::{Spoken, Word};

/// A segment's samples, from the beginning of the audio, and its tokens in the window.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Its text tokens.
    pub(crate) text: Range<usize>,
    /// The same with the timestamps around them.
    pub(crate) tokens: Range<usize>,
}

/// How a window is done.
pub(crate) struct Moves {
    /// Samples to move on.
    pub(crate) samples: usize,
    /// Whether nothing is spoken after its segments: it ends in one timestamp alone, or with speech.
    pub(crate) is_over: bool,
    /// Whether text follows its segments, which is left to the next window.
    pub(crate) leaves_text: bool,
}

/// A window as it was decoded, before it is cut into segments.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, audio, embedded};
/// # let model = Model::parse(embedded::model())?;
/// # let options = Options::default();
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// transcriber.transcribe(&samples, &mut |event| {
///     if let Event::Window(window) = event {
///         assert_eq!(window.tokens.len(), window.logprobs.len());
///         assert!(!window.silent && window.no_speech_prob < 0.6 && window.avg_logprob > -1.0);
///     }
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Window<'t> {
    /// First sample, from the beginning of the audio.
    pub start: usize,
    /// One past the last sample.
    pub end: usize,
    /// Its tokens, timestamps included, without the end of text.
    pub tokens: &'t [u32],
    /// Log probability of each token among those that the rules allowed.
    pub logprobs: &'t [f32],
    /// Mean log probability of the tokens, the end of text included.
    pub avg_logprob: f32,
    /// Probability that the window holds no speech.
    pub no_speech_prob: f32,
    /// The temperature it was decoded at: that of the last attempt.
    pub temperature: f32,
    /// Bytes of its text divided by what zlib makes of them.
    pub compression_ratio: f32,
    /// Whether it was skipped for having no speech.
    pub silent: bool,
}

/// A stretch of speech.
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
/// let mut text: Vec<u8> = Vec::new();
/// transcriber.transcribe(&samples, &mut |event| {
///     if let Event::Segment(segment) = event {
///         assert!(segment.start < segment.end);
///         assert!(segment.probabilities().all(|probability| probability > 0.5));
///         text.extend(segment.text().flatten());
///         // Asked for by `Options::words`.
///         assert!(segment.words().is_sorted_by_key(|word| word.start));
///     }
/// })?;
/// assert_eq!(text, b" yes no on off");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Segment<'t> {
    /// First sample, at 16 kHz, from the beginning of the audio.
    pub start: usize,
    /// One past the last sample.
    pub end: usize,
    /// Its text tokens.
    pub tokens: &'t [u32],
    /// Log probability of each token among those that the rules allowed.
    pub logprobs: &'t [f32],
    /// Mean log probability of the window's tokens, the end of text included.
    pub avg_logprob: f32,
    /// Probability that the window holds no speech.
    pub no_speech_prob: f32,
    /// The temperature that the window was decoded at.
    pub temperature: f32,
    /// Bytes of the window's text divided by what zlib makes of them.
    pub compression_ratio: f32,
    words: Spoken<'t>,
    table: TokenTable<'t>,
}

impl<'t> Segment<'t> {
    /// The text's bytes, token by token; a character may be split between tokens.
    pub fn text(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let table = self.table;
        self.tokens.iter().map(move |&id| table.bytes(id))
    }

    /// The bytes of tokens of the same model.
    #[cfg(feature = "std")]
    pub(crate) fn text_of(&self, tokens: &[u32]) -> impl Iterator<Item = &'t [u8]> {
        let table = self.table;
        tokens.iter().map(move |&id| table.bytes(id))
    }

    /// Its words in order, if they were asked for. Together they have all its tokens, but that
    /// punctuation at its beginning may be part of the last word of the segment before.
    pub fn words(&self) -> impl Iterator<Item = Word<'t>> + use<'t> {
        self.words.words(self.table)
    }

    /// The same in audio that begins `samples` earlier.
    #[cfg(feature = "std")]
    pub(crate) fn later(self, samples: usize) -> Self {
        let (start, end) = (self.start + samples, self.end + samples);
        Self { start, end, words: self.words.later(samples), ..self }
    }

    /// The probability of each token among those that the rules allowed, in 0..=1.
    pub fn probabilities(&self) -> impl Iterator<Item = f32> + use<'t> {
        self.logprobs.iter().map(|&logprob| math::exp(logprob))
    }
}

impl<'t> Window<'t> {
    /// The segment of a span.
    pub(crate) fn segment(
        &self,
        span: &Span,
        words: Spoken<'t>,
        table: TokenTable<'t>,
    ) -> Segment<'t> {
        Segment {
            start: span.start,
            end: span.end,
            tokens: &self.tokens[span.text.clone()],
            logprobs: &self.logprobs[span.text.clone()],
            avg_logprob: self.avg_logprob,
            no_speech_prob: self.no_speech_prob,
            temperature: self.temperature,
            compression_ratio: self.compression_ratio,
            words,
            table,
        }
    }
}

/// Cuts windows into segments.
pub(crate) struct Cutter<'c> {
    pub(crate) config: &'c Config,
    pub(crate) options: &'c Options<'c>,
    /// The first sample that no window begins at: speech is over, as far as is known.
    pub(crate) over: usize,
}

/// A part of a window's tokens with text in it, and the samples of the window that its timestamps say.
struct Piece {
    start: usize,
    end: usize,
    text: Range<usize>,
    tokens: Range<usize>,
}

impl Cutter<'_> {
    /// Tells the segments of a window to `emit`. What has no text or no length is no segment.
    ///
    /// What follows the last pair of timestamps is left to the next window, which begins there, as in
    /// openai-whisper. Where speech is over there is no such window, and it is the last segment.
    ///
    /// A window is padded with silence, and timestamps may lie in it, beyond the end of the audio.
    /// openai-whisper leaves them there. Here a segment ends with the audio, and those that would begin
    /// after that share what is left of it after the segment before, which ends a step earlier for each.
    pub(crate) fn cut(
        &self,
        table: TokenTable<'_>,
        window: &Window<'_>,
        emit: &mut dyn FnMut(Span),
    ) -> Moves {
        let Self { config, .. } = *self;
        let (tokens, length) = (window.tokens, window.end - window.start);
        let step = config.timestamp_step as usize;
        // Text where the rules put a timestamp, which comes first, would be at the beginning.
        let time = |id: u32| id.saturating_sub(config.timestamp_first) as usize * step;
        let cut = cut(config, tokens);
        let moves = match cut {
            Cut::Whole { .. } => Moves {
                samples: length,
                is_over: ends_in_one_timestamp(config, tokens),
                leaves_text: false,
            },
            Cut::Pairs { complete, single_ending } => {
                let samples = time(tokens[complete - 1]);
                let has_rest = text(config, table, tokens, complete..tokens.len()).is_some();
                if single_ending || has_rest && self.is_over(window.start, samples) {
                    Moves { samples: length, is_over: true, leaves_text: false }
                } else {
                    Moves { samples, is_over: false, leaves_text: has_rest }
                }
            }
        };
        let times = |piece: &Range<usize>| match cut {
            Cut::Whole { end } => {
                // openai-whisper starts such a segment at 0 whatever its first timestamp says; here
                // that counts, unless it is the only one, which it takes for the end.
                let end = end.map_or(length, time);
                let start = tokens.first().filter(|&&id| is_timestamp(config, id));
                let start = start.map_or(0, |&id| time(id));
                (if start < end { start } else { 0 }, end)
            }
            Cut::Pairs { .. } => {
                let (start, last) = (time(tokens[piece.start]), tokens[piece.end - 1]);
                // To the end of the window, or beyond it where the beginning is.
                let end =
                    if is_timestamp(config, last) { time(last) } else { length.max(start + 1) };
                (start, end)
            }
        };
        let pieces = || {
            let to_the_end = moves.is_over || matches!(cut, Cut::Whole { .. });
            let mut from = 0;
            let ends = Ends { config, tokens, at: 1, to_the_end };
            ends.map(move |to| core::mem::replace(&mut from, to)..to).filter_map(|piece| {
                let (start, end) = times(&piece);
                let text = text(config, table, tokens, piece.clone()).filter(|_| start < end)?;
                Some(Piece { start, end, text, tokens: piece })
            })
        };
        let mut beyond = pieces().filter(|piece| piece.start >= length).count();
        let mut before = 0;
        for Piece { start, end, text, tokens } in pieces() {
            let is_beyond = start >= length;
            let start = if is_beyond { before } else { start };
            beyond -= usize::from(is_beyond);
            let share = step.min(length.saturating_sub(start) / (beyond + 1));
            let end = end.min(length - beyond * share);
            // Of audio with fewer samples than segments, the last has them all.
            let start = start.min(end.saturating_sub(1));
            before = end;
            emit(Span { start: window.start + start, end: window.start + end, text, tokens });
        }
        moves
    }

    /// Whether no window follows one that begins at `start` and moves on by so many samples.
    pub(crate) fn is_over(&self, start: usize, samples: usize) -> bool {
        // A window always moves on, whatever its timestamps say.
        start + samples.max(self.config.timestamp_step as usize) >= self.over
    }
}

/// How a window's tokens divide into segments.
enum Cut {
    /// One segment, up to the timestamp `end` if there is one.
    Whole { end: Option<u32> },
    /// Segments between pairs of timestamps; the first `complete` tokens make whole segments.
    Pairs { complete: usize, single_ending: bool },
}

fn is_timestamp(config: &Config, id: u32) -> bool {
    id >= config.timestamp_first
}

fn ends_in_one_timestamp(config: &Config, tokens: &[u32]) -> bool {
    let stamp = |id: &u32| is_timestamp(config, *id);
    matches!(tokens, [.., a, b] if !stamp(a) && stamp(b))
}

fn cut(config: &Config, tokens: &[u32]) -> Cut {
    let stamp = |id: &u32| is_timestamp(config, *id);
    let single_ending = ends_in_one_timestamp(config, tokens);
    let pair = |at: &usize| stamp(&tokens[at - 1]) && stamp(&tokens[*at]);
    match (1..tokens.len()).rev().find(pair) {
        Some(complete) => Cut::Pairs { complete, single_ending },
        None => {
            let last = tokens.iter().rev().copied().find(|id| stamp(id));
            Cut::Whole { end: last.filter(|&id| id != config.timestamp_first) }
        }
    }
}

/// The first text in some of the tokens, if there is more to it than blanks.
fn text(
    config: &Config,
    table: TokenTable<'_>,
    tokens: &[u32],
    piece: Range<usize>,
) -> Option<Range<usize>> {
    let is_text = |id: &u32| *id < config.eot;
    let skip = tokens[piece.clone()].iter().position(is_text)?;
    let from = piece.start + skip;
    let text = tokens[from..piece.end].split(|id| !is_text(id)).next()?;
    // As of Python's `strip`, and of all tokens together: a character may be split between them.
    let bytes = text.iter().flat_map(|&id| table.bytes(id));
    let blank = characters(bytes).all(char::is_whitespace);
    (!blank).then_some(from..from + text.len())
}

/// Ends of the segments of `tokens`: between the timestamps of each pair, and the end of all if that
/// is asked for.
struct Ends<'c> {
    config: &'c Config,
    tokens: &'c [u32],
    at: usize,
    to_the_end: bool,
}

impl Iterator for Ends<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.at < self.tokens.len() {
            let at = self.at;
            self.at += 1;
            let stamp = |at: usize| is_timestamp(self.config, self.tokens[at]);
            if stamp(at - 1) && stamp(at) {
                return Some(at);
            }
        }
        core::mem::take(&mut self.to_the_end).then_some(self.tokens.len())
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::tokens::testing::table;
    use crate::{Model, embedded};

    /// Where the segments of some tokens are in a window of `length` samples that begins at 1000.
    /// Numbers from 1000 on stand for timestamps.
    fn places(length: usize, tokens: &[u32]) -> std::vec::Vec<[usize; 2]> {
        places_before(usize::MAX, length, tokens).0
    }

    /// The same where no window begins at sample `over` of this one, and how it is done.
    fn places_before(
        over: usize,
        length: usize,
        tokens: &[u32],
    ) -> (std::vec::Vec<[usize; 2]>, Moves) {
        let model = Model::parse(embedded::model()).unwrap();
        // Steps as Whisper's.
        let config = &Config { timestamp_step: 320, ..*model.config() };
        let options = Options::default();
        let stamp = |id: u32| id.checked_sub(1000).map_or(id, |step| config.timestamp_first + step);
        let tokens: std::vec::Vec<_> = tokens.iter().map(|&id| stamp(id)).collect();
        let window = Window {
            start: 1000,
            end: 1000 + length,
            tokens: &tokens,
            logprobs: &std::vec![0.0; tokens.len()],
            avg_logprob: 0.0,
            no_speech_prob: 0.0,
            temperature: 0.0,
            compression_ratio: 1.0,
            silent: false,
        };
        let mut found = std::vec::Vec::new();
        let cutter = Cutter { config, options: &options, over: over.saturating_add(1000) };
        let moves = cutter.cut(model.tokens(), &window, &mut |span| {
            assert!(!window.tokens[span.text.clone()].is_empty());
            found.push([span.start - 1000, span.end - 1000]);
        });
        (found, moves)
    }

    #[test]
    fn segments_lie_in_the_audio_and_take_time() {
        assert_eq!(places(9600, &[1005, 3, 1010, 1010, 4, 1020]), [[1600, 3200], [3200, 6400]]);
        // The last begins with the end of the audio, or beyond it.
        assert_eq!(places(3500, &[1005, 3, 1008, 1011, 4, 1020]), [[1600, 2560], [2560, 3500]]);
        assert_eq!(places(3200, &[1005, 3, 1008, 1010, 4, 1020]), [[1600, 2560], [2560, 3200]]);
        // What lies beyond it takes a step each from what lies in it, and none overlap.
        let twice = places(3200, &[1005, 3, 1012, 1012, 4, 1020, 1020, 5, 1030]);
        assert_eq!(twice, [[1600, 2560], [2560, 2880], [2880, 3200]]);
        let later = places(4000, &[1005, 3, 1008, 1020, 4, 1021, 1021, 5, 1030]);
        assert_eq!(later, [[1600, 2560], [2560, 3680], [3680, 4000]]);
        // There may be no whole step between the beginning of one and the end.
        let close = places(1100, &[1003, 3, 1006, 1006, 4, 1009]);
        assert_eq!(close, [[960, 1030], [1030, 1100]]);
        assert_eq!(places(2, &[1000, 3, 1005, 1005, 4, 1009, 1009, 5, 1010]).len(), 3);
        // Alone, it has all of the window, however short that is.
        assert_eq!(places(100, &[1005, 3, 1008]), [[0, 100]]);
        assert_eq!(places(100, &[3]), [[0, 100]]);
        // What has no length by its own timestamps is no segment, as in openai-whisper.
        assert_eq!(places(9600, &[1005, 3, 1005, 1005, 4, 1020]), [[1600, 6400]]);
    }

    #[test]
    fn blanks_of_any_script_are_no_text() {
        let config = &Config { eot: 9, timestamp_first: 10, ..Config::WHISPER };
        // A space of CJK, whole and in two tokens, one that does not break, and the rest of a character.
        let pieces = ["\u{3000}".as_bytes(), b"\xE3\x80", b"\x80", "\u{A0} \t".as_bytes(), b"\x81"];
        let table = table(&pieces);
        let table = TokenTable::parse(&table, pieces.len()).unwrap();
        let found = |tokens: &[u32]| text(config, table, tokens, 0..tokens.len());
        for blank in [&[10, 0][..], &[1, 2], &[11, 3, 0, 1, 2, 3, 12], &[10]] {
            assert_eq!(found(blank), None, "{blank:?}");
        }
        // "、", and what is no character.
        assert_eq!((found(&[11, 1, 4, 12]), found(&[2])), (Some(1..3), Some(0..1)));
    }

    /// Text after the last pair of timestamps, which the next window begins with if there is one.
    #[test]
    fn text_is_told_where_speech_is_over() {
        let tokens = [1000, 3, 1010, 1010, 4];
        let (found, moves) = places_before(3201, 9600, &tokens);
        assert_eq!(found, [[0, 3200]]);
        assert!(moves.samples == 3200 && moves.leaves_text && !moves.is_over);
        for over in [3200, 3000, 0] {
            let (found, moves) = places_before(over, 9600, &tokens);
            assert_eq!(found, [[0, 3200], [3200, 9600]]);
            assert!(moves.samples == 9600 && !moves.leaves_text && moves.is_over);
        }
        // Its beginning may lie beyond the audio.
        assert_eq!(places_before(3100, 3200, &tokens).0, [[0, 2880], [2880, 3200]]);
        // A window moves on by a step, whatever it says.
        assert_eq!(places_before(320, 9600, &[1000, 1000, 4]).0, [[0, 9600]]);
        // Nothing is left.
        let (found, moves) = places_before(0, 9600, &[1000, 3, 1010, 1010]);
        assert!(found == [[0, 3200]] && moves.samples == 3200 && !moves.leaves_text);
        let (found, moves) = places_before(0, 9600, &[1000, 3, 1010, 1010, 4, 1020]);
        assert_eq!((found.last(), moves.samples), (Some(&[3200, 6400]), 9600));
    }
}
