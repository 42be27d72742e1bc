//! Ternary weights × int8 activations, in either layout.

use core::ops::Range;

use trit_core::layout::{TILE_BYTES, row_tile_bytes, t5_tiles_to_t4};
use trit_core::{GroupSize, Layout, Scales, TILE_ROWS, TernaryMatrix};

use super::Input;
use super::packed::{Packed, product};
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
    type Scratch = ();

    fn scratch(&self) {}

    #[inline(always)]
    fn k(&self) -> usize {
        self.0.k()
    }

    #[inline(always)]
    fn scales(&self) -> Scales<'_> {
        self.0.scales()
    }

    #[inline(always)]
    fn dot<I: Isa, const M: usize>(
        &self,
        isa: I,
        (): &mut (),
        tile: usize,
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let tiles = row_tile(self.0, Layout::T4, tile);
        let tiles =
            &tiles[inputs.start / T4_K * TILE_BYTES..inputs.end.div_ceil(T4_K) * TILE_BYTES];
        isa.dot_t4(tiles, q.map(|q| &q[inputs.start..]))
    }
}

/// A matrix in T5.
struct T5<'a>(&'a TernaryMatrix<'a>);

/// Inputs rewritten at once: whole tiles of both layouts, and whole groups of every size, so that a
/// group never lies in two chunks.
const CHUNK: usize = 1280;
const _: () = assert!(CHUNK.is_multiple_of(4 * T5_K) && CHUNK.is_multiple_of(5 * T4_K));
const _: () = assert!(CHUNK.is_multiple_of(GroupSize::G256.inputs()));

/// A chunk of a row tile of T5, rewritten as T4: 5 KiB.
///
/// It serves every token as long as k fits into a chunk. Of wider matrices each block of tokens
/// rewrites all chunks again, which is little work next to the products of 4 or 8 tokens.
struct Rewritten {
    /// Row tile and chunk that `tiles` holds.
    holds: Option<(usize, usize)>,
    tiles: [u8; CHUNK / T4_K * TILE_BYTES],
}

impl Rewritten {
    /// The T4 tiles of `chunk` of row tile `tile`.
    #[inline(always)]
    fn chunk<I: Isa>(&mut self, isa: I, w: &TernaryMatrix<'_>, tile: usize, chunk: usize) -> &[u8] {
        let inputs = CHUNK.min(w.k() - chunk * CHUNK);
        let tiles = &mut self.tiles[..row_tile_bytes(Layout::T4, inputs)];
        if self.holds != Some((tile, chunk)) {
            let from = &row_tile(w, Layout::T5, tile)[chunk * CHUNK / T5_K * TILE_BYTES..];
            t5_tiles_to_t4(
                from,
                tiles,
                #[inline(always)]
                |t5, t4| isa.t5_block_to_t4(t5, t4),
            );
            self.holds = Some((tile, chunk));
        }
        tiles
    }
}

impl T5<'_> {
    /// As [`Packed::dot`], for inputs of one chunk.
    #[inline(always)]
    fn chunk_dot<I: Isa, const M: usize>(
        &self,
        isa: I,
        scratch: &mut Rewritten,
        tile: usize,
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let chunk = inputs.start / CHUNK;
        let tiles = scratch.chunk(isa, self.0, tile, chunk);
        let at = |input: usize| (input - chunk * CHUNK).div_ceil(T4_K) * TILE_BYTES;
        isa.dot_t4(&tiles[at(inputs.start)..at(inputs.end)], q.map(|q| &q[inputs.start..]))
    }
}

impl Packed for T5<'_> {
    const OFFSET: i32 = 1;
    type Scratch = Rewritten;

    #[inline(always)]
    fn scratch(&self) -> Rewritten {
        Rewritten { holds: None, tiles: [0; CHUNK / T4_K * TILE_BYTES] }
    }

    #[inline(always)]
    fn k(&self) -> usize {
        self.0.k()
    }

    #[inline(always)]
    fn scales(&self) -> Scales<'_> {
        self.0.scales()
    }

    #[inline(always)]
    fn dot<I: Isa, const M: usize>(
        &self,
        isa: I,
        scratch: &mut Rewritten,
        tile: usize,
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let chunk_end = |input: usize| inputs.end.min((input / CHUNK + 1) * CHUNK);
        let mut end = chunk_end(inputs.start);
        let mut sums = self.chunk_dot(isa, scratch, tile, inputs.start..end, q);
        // A group is done here. |Σ| ≤ 2·128·2²⁰ = 2²⁸ over all chunks: T5 has no code 3.
        while end < inputs.end {
            let start = end;
            end = chunk_end(start);
            let dots = self.chunk_dot(isa, scratch, tile, start..end, q);
            for (sums, dots) in sums.iter_mut().zip(dots) {
                for (sum, dot) in sums.iter_mut().zip(dots) {
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
