//! Words and when they are spoken.

use bytemuck::{Pod, Zeroable};

use crate::tokens::TokenTable;

/// A word of a segment, or one with the punctuation that belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Word<'t> {
    /// First sample, at 16 kHz, from the beginning of the audio.
    pub start: usize,
    /// One past the last sample; a word as short as the alignment can tell has `end == start`.
    pub end: usize,
    /// Its tokens, a part of the segment's.
    pub tokens: &'t [u32],
    /// Mean probability of its tokens among all text tokens.
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
    /// The word, with its tokens and their text.
    pub(crate) fn word<'t>(&self, tokens: &'t [u32], table: TokenTable<'t>) -> Word<'t> {
        let tokens = tokens.get(self.from as usize..self.to as usize).unwrap_or_default();
        let (start, end) = (self.start as usize, self.end as usize);
        Word { start, end, tokens, probability: self.probability, table }
    }
}
