//! 4-bit group-quantised weights × int8 activations: the vocabulary head.

use core::ops::Range;

use trit_core::int4::{TILE_K, ZERO};
use trit_core::layout::TILE_BYTES;
use trit_core::{Int4Matrix, Scales, TILE_ROWS};

use super::Input;
use super::packed::{Packed, product as packed_product};
use crate::arch::Isa;

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − 8·Σ q) + bias[n]`, as `trit_core::reference::int4`.
#[inline(always)]
pub(crate) fn product<I: Isa>(isa: I, w: &Int4Matrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    packed_product(isa, &I4(w), input, y);
}

struct I4<'a>(&'a Int4Matrix<'a>);

impl Packed for I4<'_> {
    const OFFSET: i32 = ZERO as i32;
    type Scratch = ();

    fn scratch(&self) {}

    #[inline(always)]
    fn k(&self) -> usize {
        self.0.k()
    }

    #[inline(always)]
    fn scales(&self) -> Scales<'_> {
        Scales::Group { size: self.0.group(), values: self.0.scales() }
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
        let row_tile = self.k().div_ceil(TILE_K);
        let first = tile * row_tile + inputs.start / TILE_K;
        let count = (inputs.end - inputs.start).div_ceil(TILE_K);
        let tiles = &self.0.codes()[first * TILE_BYTES..][..count * TILE_BYTES];
        isa.dot_i4(tiles, q.map(|q| &q[inputs.start..]))
    }
}
