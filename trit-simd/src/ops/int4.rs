//! 4-bit group-quantised weights × int8 activations: the vocabulary head.

use core::ops::Range;

use trit_core::int4::{TILE_K, ZERO};
use trit_core::layout::TILE_BYTES;
use trit_core::{Int4Matrix, Scales, TILE_ROWS};

use super::Input;
use super::packed::{CACHE_BYTES, Packed, from, product as packed_product};
use crate::arch::Isa;

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − 8·Σ q) + bias[n]`, as `trit_core::reference::int4`.
#[inline(always)]
pub(crate) fn product<I: Isa>(isa: I, w: &Int4Matrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    packed_product(isa, &I4(w), input, y);
}

struct I4<'a>(&'a Int4Matrix<'a>);

impl I4<'_> {
    /// Bytes of a row tile.
    #[inline(always)]
    fn row_tile_bytes(&self) -> usize {
        self.0.k().div_ceil(TILE_K) * TILE_BYTES
    }
}

impl Packed for I4<'_> {
    const OFFSET: i32 = ZERO as i32;
    type Scratch<const R: usize> = ();

    fn scratch<const R: usize>(&self) {}

    #[inline(always)]
    fn k(&self) -> usize {
        self.0.k()
    }

    #[inline(always)]
    fn scales(&self) -> Scales<'_> {
        Scales::Group { size: self.0.group(), values: self.0.scales() }
    }

    #[inline(always)]
    fn tiles_at_once(&self) -> usize {
        CACHE_BYTES / self.row_tile_bytes()
    }

    #[inline(always)]
    fn row_tile(&self, tile: usize) -> &[u8] {
        let bytes = self.row_tile_bytes();
        &self.0.codes()[tile * bytes..][..bytes]
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
        let at = inputs.start / TILE_K * TILE_BYTES..inputs.end.div_ceil(TILE_K) * TILE_BYTES;
        for tiles in &mut tiles {
            *tiles = &tiles[at.clone()];
        }
        isa.dot_i4(tiles, from(q, inputs.start))
    }
}
