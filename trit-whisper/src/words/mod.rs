//! Words and when they are spoken.

mod align;
mod fit;
#[cfg(all(test, feature = "std"))]
mod testing;
mod text;
mod times;

use core::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::tokens::TokenTable;

pub(crate) use align::Aligner;
pub use times::Alignment;
pub(crate) use times::WordTimes;

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
    /// Where all words are, from the origin, if they are cut to it.
    pub(crate) bounds: Option<(usize, usize)>,
}

impl<'t> Spoken<'t> {
    /// The words, with their tokens and text.
    pub(crate) fn words(self, table: TokenTable<'t>) -> impl Iterator<Item = Word<'t>> + use<'t> {
        let Self { words, text, origin, bounds, .. } = self;
        let (earliest, latest) = bounds.unwrap_or((0, usize::MAX));
        let time = move |time: u64| origin + (time as usize).max(earliest).min(latest);
        words.iter().map(move |timing| Word {
            start: time(timing.start),
            end: time(timing.end),
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

    /// The same, cut to these samples of the audio.
    pub(crate) fn within(self, start: usize, end: usize) -> Self {
        let at = |sample: usize| sample.saturating_sub(self.origin);
        Self { bounds: Some((at(start), at(end))), ..self }
    }

    /// When some of the segment's tokens are spoken, if it has words; one word's tokens take parts of it
    /// in proportion to their `chars`. What takes no time lasts until the next word begins. The times
    /// of tokens that follow each other do too.
    pub(crate) fn times_of(
        &self,
        tokens: Range<usize>,
        chars: impl Fn(&[u32]) -> usize,
    ) -> Option<Range<usize>> {
        let (from, to) = (self.first + tokens.start, self.first + tokens.end);
        let last = self.words.last()?;
        let within = |word: &Timing, token: usize| {
            let chars = |tokens: Range<usize>| self.text.get(tokens).map_or(0, &chars) as u64;
            let (before, all) = (chars(word.from as usize..token), chars(word.tokens()));
            word.start + word.end.saturating_sub(word.start) * before / all.max(1)
        };
        // The first word that is not over at the first token, and the first that begins after the last.
        let begun = self.words.partition_point(|word| word.to as usize <= from);
        let next = self.words.partition_point(|word| (word.from as usize) < to);
        let start = match self.words.get(begun) {
            Some(word) if (word.from as usize) < from => within(word, from),
            Some(word) => word.start,
            None => last.end,
        };
        let end = match self.words[..next].last() {
            Some(word) if word.to as usize > to => within(word, to),
            Some(word) if word.end > start => word.end,
            _ => self.words.get(next).map_or(start, |word| word.start),
        };
        Some(self.origin + start as usize..self.origin + end.max(start) as usize)
    }

    /// The same in audio that begins `samples` earlier.
    #[cfg(feature = "std")]
    pub(crate) fn later(self, samples: usize) -> Self {
        Self { origin: self.origin + samples, ..self }
    }
}
