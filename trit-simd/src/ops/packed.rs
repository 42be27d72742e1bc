//! The product of weights packed with 16 rows in lanes and int8 activations: GEMV and GEMM, for any
//! layout and any scales.

use core::ops::Range;

use trit_core::activations::BLOCK;
use trit_core::{GroupSize, Scales, TILE_ROWS};

use super::Input;
use crate::arch::Isa;

/// Weights in row tiles of 16 rows, stored as codes that exceed them by a constant.
pub(super) trait Packed {
    /// What a code exceeds its weight by.
    const OFFSET: i32;

    /// What is kept from one product to the next.
    type Scratch;

    fn scratch(&self) -> Self::Scratch;

    /// Inputs of a row.
    fn k(&self) -> usize;

    /// The scales of the weights.
    fn scales(&self) -> Scales<'_>;

    /// `Σ c·q` over the inputs `inputs`, which start at a multiple of 32 and end at one or at k, for
    /// the 16 rows of row tile `tile` and M tokens. `q` are whole tokens, padding included.
    fn dot<I: Isa, const M: usize>(
        &self,
        isa: I,
        scratch: &mut Self::Scratch,
        tile: usize,
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M];
}

/// How far to shift an input right for the index of its group; without groups, to 0.
#[inline(always)]
fn shift(group: Option<GroupSize>) -> u32 {
    group.map_or(usize::BITS - 1, |group| group.inputs().trailing_zeros())
}

/// Scales of any granularity, 16 rows at a time.
struct RowScales<'a> {
    /// The one scale of a matrix that has no other.
    tensor: [f32; TILE_ROWS],
    rows: &'a [[f32; TILE_ROWS]],
    /// Elements of `rows` that a row tile has.
    groups: usize,
    shift: u32,
}

impl<'a> RowScales<'a> {
    #[inline(always)]
    fn new(scales: Scales<'a>, k: usize) -> Self {
        let (tensor, values, groups) = match scales {
            Scales::Tensor(scale) => (scale, &[][..], 0),
            Scales::Row(values) => (0.0, values, 1),
            Scales::Group { size, values } => (0.0, values, k.div_ceil(size.inputs())),
        };
        let (rows, shift) = (values.as_chunks().0, shift(scales.group()));
        Self { tensor: [tensor; TILE_ROWS], rows, groups, shift }
    }

    /// The scales of row tile `tile` at `input`.
    #[inline(always)]
    fn at(&self, tile: usize, input: usize) -> &[f32; TILE_ROWS] {
        self.rows.get(tile * self.groups + (input >> self.shift)).unwrap_or(&self.tensor)
    }
}

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − offset · Σ q) + bias[n]`, compiled for the instruction set.
///
/// Walks row tiles in the outer loop, so that weights stream through once, and tokens in blocks
/// that share unpacked weights.
#[inline(always)]
pub(super) fn product<I: Isa, W: Packed>(isa: I, w: &W, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            let mut scratch = w.scratch();
            let scales = RowScales::new(w.scales(), w.k());
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
                        block::<I, W, 8>(isa, w, &scales, &mut scratch, input, row..end, m, y)
                    } else if left >= 4 {
                        block::<I, W, 4>(isa, w, &scales, &mut scratch, input, row..end, m, y)
                    } else {
                        block::<I, W, 1>(isa, w, &scales, &mut scratch, input, row..end, m, y)
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
    w: &W,
    scales: &RowScales<'_>,
    scratch: &mut W::Scratch,
    input: &Input<'_>,
    rows: Range<usize>,
    first: usize,
    y: &mut [f32],
) -> usize {
    let (x, k) = (&input.x, w.k());
    let tile = rows.start / TILE_ROWS;
    let q: [&[i8]; M] = core::array::from_fn(|m| x.token(first + m));
    let groups = [w.scales().group(), x.group()];
    let part = groups.into_iter().flatten().min().map_or(k, GroupSize::inputs);
    let x_shift = shift(x.group());

    let mut acc = [[0.0f32; TILE_ROWS]; M];
    let mut start = 0;
    while start < k {
        let end = k.min(start + part);
        let dots = w.dot(isa, scratch, tile, start..end, q);
        let sw = *scales.at(tile, start);
        for m in 0..M {
            let blocks = &x.block_sums(first + m)[start / BLOCK..end.div_ceil(BLOCK)];
            let offset = W::OFFSET * blocks.iter().sum::<i32>();
            let sx = x.scales(first + m)[start >> x_shift];
            accumulate(&mut acc[m], &dots[m], offset, &sw, sx);
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

/// Adds one group of a token to 16 rows.
#[inline(always)]
fn accumulate(
    acc: &mut [f32; TILE_ROWS],
    dots: &[i32; TILE_ROWS],
    offset: i32,
    sw: &[f32; TILE_ROWS],
    sx: f32,
) {
    for r in 0..TILE_ROWS {
        acc[r] += (sx * sw[r]) * (dots[r] - offset) as f32;
    }
}
