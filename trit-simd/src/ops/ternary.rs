//! Ternary weights × int8 activations, in either layout.

use core::ops::Range;

use trit_core::layout::{TILE_BYTES, row_tile_bytes, t5_tiles_to_t4};
use trit_core::{GroupSize, Layout, Scales, TILE_ROWS, TernaryMatrix};

use super::Input;
use super::packed::{CACHE_BYTES, Packed, from, product};
use crate::arch::Isa;

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − Σ q) + bias[n]`, as `trit_core::reference::ternary`, for T4.
#[inline(always)]
pub(crate) fn t4<I: Isa>(isa: I, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    product(isa, &T4(w), input, y);
}

/// As [`t4`], for T5: its tiles are rewritten as T4 in a small buffer.
#[inline(always)]
pub(crate) fn t5<I: Isa>(isa: I, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    product(isa, &T5(w), input, y);
}

const T4_K: usize = Layout::T4.tile_k();
const T5_K: usize = Layout::T5.tile_k();

/// A matrix in T4.
struct T4<'a>(&'a TernaryMatrix<'a>);

impl Packed for T4<'_> {
    const OFFSET: i32 = 1;
    type Scratch<const R: usize> = ();

    fn scratch<const R: usize>(&self) {}

    #[inline(always)]
    fn k(&self) -> usize {
        self.0.k()
    }

    #[inline(always)]
    fn scales(&self) -> Scales<'_> {
        self.0.scales()
    }

    #[inline(always)]
    fn tiles_at_once(&self) -> usize {
        CACHE_BYTES / row_tile_bytes(Layout::T4, self.k())
    }

    #[inline(always)]
    fn row_tile(&self, tile: usize) -> &[u8] {
        row_tile(self.0, Layout::T4, tile)
    }

    #[inline(always)]
    fn dot<I: Isa, const R: usize, const M: usize>(
        &self,
        isa: I,
        (): &mut (),
        mut tiles: [&[u8]; R],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let at = inputs.start / T4_K * TILE_BYTES..inputs.end.div_ceil(T4_K) * TILE_BYTES;
        for tiles in &mut tiles {
            *tiles = &tiles[at.clone()];
        }
        isa.dot_t4(tiles, from(q, inputs.start))
    }
}

/// A matrix in T5.
struct T5<'a>(&'a TernaryMatrix<'a>);

/// Inputs rewritten at once: whole tiles of both layouts, and whole groups of every size, so that a
/// group never lies in two chunks.
const CHUNK: usize = 1280;
const _: () = assert!(CHUNK.is_multiple_of(4 * T5_K) && CHUNK.is_multiple_of(5 * T4_K));
const _: () = assert!(CHUNK.is_multiple_of(GroupSize::G256.inputs()));

/// A chunk of R row tiles of T5, rewritten as T4: 5 KiB each.
///
/// It serves every token as long as k fits into a chunk. Of wider matrices each block of tokens
/// rewrites all chunks again, which is little work next to the products of 4 or 8 tokens.
struct Rewritten<const R: usize> {
    /// Where the codes of the row tiles lie that `tiles` holds, and which chunk of them.
    holds: Option<([*const u8; R], usize)>,
    tiles: [[u8; CHUNK / T4_K * TILE_BYTES]; R],
}

impl<const R: usize> Rewritten<R> {
    /// The T4 tiles of `chunk` of the row tiles of `k` inputs whose codes are `tiles`.
    #[inline(always)]
    fn chunk<I: Isa>(&mut self, isa: I, k: usize, tiles: [&[u8]; R], chunk: usize) -> [&[u8]; R] {
        let len = row_tile_bytes(Layout::T4, CHUNK.min(k - chunk * CHUNK));
        let holds = Some((tiles.map(<[u8]>::as_ptr), chunk));
        if self.holds != holds {
            for (t4, t5) in self.tiles.iter_mut().zip(tiles) {
                t5_tiles_to_t4(
                    &t5[chunk * CHUNK / T5_K * TILE_BYTES..],
                    &mut t4[..len],
                    #[inline(always)]
                    |t5, t4| isa.t5_block_to_t4(t5, t4),
                );
            }
            self.holds = holds;
        }
        let mut rewritten = [&[][..]; R];
        for r in 0..R {
            rewritten[r] = &self.tiles[r][..len];
        }
        rewritten
    }
}

impl T5<'_> {
    /// As [`Packed::dot`], for inputs of one chunk.
    #[inline(always)]
    fn chunk_dot<I: Isa, const R: usize, const M: usize>(
        &self,
        isa: I,
        scratch: &mut Rewritten<R>,
        tiles: [&[u8]; R],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let chunk = inputs.start / CHUNK;
        let at = |input: usize| (input - chunk * CHUNK).div_ceil(T4_K) * TILE_BYTES;
        let at = at(inputs.start)..at(inputs.end);
        let mut tiles = scratch.chunk(isa, self.0.k(), tiles, chunk);
        for tiles in &mut tiles {
            *tiles = &tiles[at.clone()];
        }
        isa.dot_t4(tiles, from(q, inputs.start))
    }
}

impl Packed for T5<'_> {
    const OFFSET: i32 = 1;
    /// One row tile is rewritten at a time, for 4 KiB of codes, so that streams would take turns.
    const STREAMS: bool = false;
    type Scratch<const R: usize> = Rewritten<R>;

    #[inline(always)]
    fn scratch<const R: usize>(&self) -> Rewritten<R> {
        Rewritten { holds: None, tiles: [[0; CHUNK / T4_K * TILE_BYTES]; R] }
    }

    #[inline(always)]
    fn k(&self) -> usize {
        self.0.k()
    }

    #[inline(always)]
    fn scales(&self) -> Scales<'_> {
        self.0.scales()
    }

    /// One after another, as only one is kept rewritten.
    #[inline(always)]
    fn tiles_at_once(&self) -> usize {
        1
    }

    #[inline(always)]
    fn row_tile(&self, tile: usize) -> &[u8] {
        row_tile(self.0, Layout::T5, tile)
    }

    #[inline(always)]
    fn dot<I: Isa, const R: usize, const M: usize>(
        &self,
        isa: I,
        scratch: &mut Rewritten<R>,
        tiles: [&[u8]; R],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let chunk_end = |input: usize| inputs.end.min((input / CHUNK + 1) * CHUNK);
        let mut end = chunk_end(inputs.start);
        let mut sums = self.chunk_dot(isa, scratch, tiles, inputs.start..end, q);
        // A group is done here. |Σ| ≤ 2·128·2²⁰ = 2²⁸ over all chunks: T5 has no code 3.
        while end < inputs.end {
            let start = end;
            end = chunk_end(start);
            let dots = self.chunk_dot(isa, scratch, tiles, start..end, q);
            for (sum, dot) in sums.as_flattened_mut().iter_mut().zip(dots.as_flattened()) {
                for (sum, dot) in sum.iter_mut().zip(dot) {
                    *sum += dot;
                }
            }
        }
        sums
    }
}

/// The codes of row tile `tile` of a matrix in `layout`.
#[inline(always)]
fn row_tile<'a>(w: &TernaryMatrix<'a>, layout: Layout, tile: usize) -> &'a [u8] {
    let bytes = row_tile_bytes(layout, w.k());
    &w.codes()[tile * bytes..][..bytes]
}
