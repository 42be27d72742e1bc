//! Carves buffers out of one block of memory.

use bytemuck::Pod;
use trit_core::heads::MAX_CODE;
use trit_core::{HeadShape, HeadsMut};

/// Every buffer starts at a multiple of this.
pub(crate) const ALIGNMENT: usize = 64;

/// Bytes of a buffer of `count` elements, alignment included; as many as no arena has, if they cannot be
/// counted.
pub(crate) const fn size<T>(count: usize) -> usize {
    match count.saturating_mul(size_of::<T>()).checked_next_multiple_of(ALIGNMENT) {
        Some(bytes) => bytes,
        None => usize::MAX,
    }
}

/// Memory that has not been given out yet.
pub(crate) struct Arena<'a> {
    rest: &'a mut [u8],
}

impl<'a> Arena<'a> {
    /// All of `memory` from its first aligned byte on.
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        let skip = memory.as_ptr().align_offset(ALIGNMENT).min(memory.len());
        Self { rest: &mut memory[skip..] }
    }

    /// Bytes left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next buffer, of `count` elements; `None` when there is too little left.
    pub(crate) fn take<T: Pod>(&mut self, count: usize) -> Option<&'a mut [T]> {
        let bytes = size::<T>(count);
        if bytes > self.rest.len() {
            return None;
        }
        let (taken, rest) = core::mem::take(&mut self.rest).split_at_mut(bytes);
        self.rest = rest;
        bytemuck::try_cast_slice_mut(&mut taken[..count * size_of::<T>()]).ok()
    }

    /// The next keys or values, of this shape; `None` when there is too little left. What the memory
    /// holds may be anything, and becomes valid.
    pub(crate) fn heads(&mut self, shape: HeadShape) -> Option<HeadsMut<'a>> {
        let codes = self.take(shape.codes_len())?;
        if codes.iter().any(|&code| code > MAX_CODE) {
            codes.fill(0);
        }
        HeadsMut::resume(shape, codes, self.take(shape.scales_len())?).ok()
    }

    /// The next keys or values, of this shape, where [`heads`](Self::heads) has laid them out and
    /// as they were left.
    pub(crate) fn heads_again(&mut self, shape: HeadShape) -> Option<HeadsMut<'a>> {
        HeadsMut::resume(shape, self.take(shape.codes_len())?, self.take(shape.scales_len())?).ok()
    }
}
