//! The product of weights packed with 16 rows in lanes and int8 activations: GEMV and GEMM, for any
//! layout and any scales.

use core::ops::Range;

use trit_core::activations::BLOCK;
use trit_core::{GroupSize, TILE_ROWS};

use super::Input;
use crate::arch::Isa;

/// Weights in row tiles of 16 rows, stored as codes that exceed them by a constant.
pub(super) trait Packed: Copy {
    /// What a code exceeds its weight by.
    const OFFSET: i32;

    /// What is kept from one product to the next.
    type Scratch;

    fn scratch(self) -> Self::Scratch;

    /// Inputs of a row.
    fn k(self) -> usize;

    /// Inputs that share a scale, if not all do.
    fn group(self) -> Option<GroupSize>;

    /// Scales of the 16 rows of row tile `tile` at `input`.
    fn scales(self, tile: usize, input: usize) -> [f32; TILE_ROWS];

    /// `Σ c·q` over the inputs `inputs`, which start at a multiple of 32 and end at one or at k, for
    /// the 16 rows of row tile `tile` and M tokens. `q` are whole tokens, padding included.
    fn dot<I: Isa, const M: usize>(
        self,
        isa: I,
        scratch: &mut Self::Scratch,
        tile: usize,
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M];
}

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − offset · Σ q) + bias[n]`, compiled for the instruction set.
///
/// Walks row tiles in the outer loop, so that weights stream through once, and tokens in blocks
/// that share unpacked weights.
#[inline(always)]
pub(super) fn product<I: Isa, W: Packed>(isa: I, w: W, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            let mut scratch = w.scratch();
            let last_row = input.first_row + input.rows;
            let mut row = input.first_row;
            while row < last_row {
                let end = last_row.min((row / TILE_ROWS + 1) * TILE_ROWS);
                let tokens = input.x.tokens();
                let mut m = 0;
                while m < tokens {
                    let left = tokens - m;
                    // A constant for each instruction set, so one of the branches is compiled.
                    m += if I::TOKENS == 8 && left >= 8 {
                        block::<I, W, 8>(isa, w, &mut scratch, input, row..end, m, y)
                    } else if left >= 4 {
                        block::<I, W, 4>(isa, w, &mut scratch, input, row..end, m, y)
                    } else {
                        block::<I, W, 1>(isa, w, &mut scratch, input, row..end, m, y)
                    };
                }
                row = end;
            }
        },
    );
}

/// The rows `rows`, all of one tile, of tokens `first .. first + M`; returns M.
#[inline(always)]
fn block<I: Isa, W: Packed, const M: usize>(
    isa: I,
    w: W,
    scratch: &mut W::Scratch,
    input: &Input<'_>,
    rows: Range<usize>,
    first: usize,
    y: &mut [f32],
) -> usize {
    let (x, k) = (&input.x, w.k());
    let tile = rows.start / TILE_ROWS;
    let q: [&[i8]; M] = core::array::from_fn(|m| x.token(first + m));
    let part = [w.group(), x.group()].into_iter().flatten().min().map_or(k, GroupSize::inputs);

    let mut acc = [[0.0f32; TILE_ROWS]; M];
    let mut start = 0;
    while start < k {
        let end = k.min(start + part);
        let dots = w.dot(isa, scratch, tile, start..end, q);
        let sw = w.scales(tile, start);
        for m in 0..M {
            let blocks = &x.block_sums(first + m)[start / BLOCK..end.div_ceil(BLOCK)];
            let offset = W::OFFSET * blocks.iter().sum::<i32>();
            let sx = x.scales(first + m)[x.group().map_or(0, |group| start / group.inputs())];
            for r in 0..TILE_ROWS {
                acc[m][r] += (sx * sw[r]) * (dots[m][r] - offset) as f32;
            }
        }
        start = end;
    }
    for (m, acc) in acc.iter().enumerate() {
        let y = &mut y[(first + m) * input.rows..][..input.rows];
        for row in rows.clone() {
            y[row - input.first_row] = acc[row % TILE_ROWS] + input.bias(row);
        }
    }
    M
}
