//! Dense f32 and f16 weights × f32 activations.
//!
//! The 16 lanes of a sum meet in its tree alone, so a tile of R rows × M tokens passes over its inputs
//! 16 / L times and adds up L lanes of each sum, as many as a vector has. That way registers hold sums of
//! more rows and tokens, and a load serves more products: with AVX2, 4 rows × 2 tokens make 8
//! multiplications of 6 loads. A tile of 3 × 2 with all lanes makes 12 of 10, but takes every one of the 16
//! registers and spills.
//!
//! Several tokens go in blocks: of [`TOKENS`] tokens, B rows and [`INPUTS`] inputs. Weights are widened
//! once a block, and they and a tile's activations stay in the first cache; sums wait in memory for the
//! inputs of the next block. For one token there is nothing to share, and rows go one by one.

use core::array;
use core::hint::black_box;
use core::ops::Range;

use trit_core::reference::{LANES, tree};

use super::{Lanes, load_tail, total};
use crate::arch::Isa;
use crate::cpu::Level;

/// A dense element that widens to f32 exactly.
pub(crate) trait Element: Copy + Default {
    /// A step's weights as f32.
    fn widen<I: Isa>(isa: I, values: &[Self; LANES]) -> Lanes;

    /// A block's weights of a row as f32: the row itself, or its copy in `wide`.
    fn wide<'a, I: Isa>(isa: I, row: &'a [Self], wide: &'a mut [f32; INPUTS]) -> &'a [f32];
}

impl Element for f32 {
    #[inline(always)]
    fn widen<I: Isa>(_: I, values: &[Self; LANES]) -> Lanes {
        *values
    }

    #[inline(always)]
    fn wide<'a, I: Isa>(_: I, row: &'a [Self], _: &'a mut [f32; INPUTS]) -> &'a [f32] {
        row
    }
}

/// Half-precision bits.
impl Element for u16 {
    #[inline(always)]
    fn widen<I: Isa>(isa: I, values: &[Self; LANES]) -> Lanes {
        isa.widen_f16(values)
    }

    #[inline(always)]
    fn wide<'a, I: Isa>(isa: I, row: &'a [Self], wide: &'a mut [f32; INPUTS]) -> &'a [f32] {
        let (steps, tail) = row.as_chunks();
        let (to, _) = wide.as_chunks_mut();
        for (to, from) in to.iter_mut().zip(steps) {
            *to = isa.widen_f16(from);
        }
        if !tail.is_empty() {
            to[steps.len()] = isa.widen_f16(&padded(tail));
        }
        &wide[..row.len()]
    }
}

/// Inputs of a block: 3 KiB of a row as f32. Some hundred more or less make no difference, and many models
/// have rows of a multiple.
const INPUTS: usize = 768;
// All blocks but the last consist of whole steps.
const _: () = assert!(INPUTS.is_multiple_of(LANES));

/// Tokens of a block, as many as the encoder's chunks have.
const TOKENS: usize = 64;

/// What the tiles of a block share, on a cache line's boundary, so that no vector lies across two: 7 KiB
/// a row.
#[repr(C, align(64))]
struct Block<const B: usize> {
    wide: [[f32; INPUTS]; B],
    sums: [[Lanes; B]; TOKENS],
}

/// `y[t, n] = dot(x_t, w_n) + bias[n]` for the rows `rows` of w `[_, k]`; token t of x starts at
/// `t · x_stride`; y is `[tokens, rows.len()]`. Shapes have been checked.
#[inline(always)]
pub(crate) fn dense<I: Isa, E: Element>(
    isa: I,
    w: &[E],
    k: usize,
    x: &[f32],
    x_stride: usize,
    tokens: usize,
    bias: Option<&[f32]>,
    rows: Range<usize>,
    y: &mut [f32],
) {
    let weights = Weights { w, k, bias, rows };
    let input = Input { x, stride: x_stride, tokens };
    isa.vectorize(
        #[inline(always)]
        || match I::LEVEL {
            // 32 registers, of 16 lanes and of 4.
            Level::Avx512Vbmi | Level::Avx512Vnni => {
                all::<I, E, 4, 4, 16, 8>(isa, weights, input, y)
            }
            Level::I8mm | Level::Sve | Level::Dotprod | Level::Neon => {
                all::<I, E, 4, 4, 4, 4>(isa, weights, input, y);
            }
            // 16, of 8 lanes and of 4.
            Level::AvxVnni | Level::Avx2 => all::<I, E, 4, 2, 8, 4>(isa, weights, input, y),
            Level::Simd128 | Level::Scalar => all::<I, E, 2, 4, 4, 4>(isa, weights, input, y),
        },
    );
}

/// The rows `rows` of a matrix `[_, k]`.
struct Weights<'a, E> {
    w: &'a [E],
    k: usize,
    bias: Option<&'a [f32]>,
    rows: Range<usize>,
}

impl<'a, E> Weights<'a, E> {
    #[inline(always)]
    fn row(&self, row: usize) -> &'a [E] {
        &self.w[row * self.k..][..self.k]
    }

    /// What is added to a row's dot product; −0 changes none.
    #[inline(always)]
    fn bias(&self, row: usize) -> f32 {
        self.bias.map_or(-0.0, |bias| bias[row])
    }
}

/// Tokens, `stride` apart.
#[derive(Clone, Copy)]
struct Input<'a> {
    x: &'a [f32],
    stride: usize,
    tokens: usize,
}

/// All outputs: in tiles of R rows × M tokens and L lanes, in blocks of B rows.
#[inline(always)]
fn all<I: Isa, E: Element, const R: usize, const M: usize, const L: usize, const B: usize>(
    isa: I,
    weights: Weights<'_, E>,
    input: Input<'_>,
    y: &mut [f32],
) {
    const { assert!(B.is_multiple_of(R) && TOKENS.is_multiple_of(M) && LANES.is_multiple_of(L)) };
    if input.tokens == 1 {
        return one_token(isa, &weights, input.x, y);
    }
    let mut shared = Block { wide: [[0.0; INPUTS]; B], sums: [[[0.0; LANES]; B]; TOKENS] };
    let Range { start, end } = weights.rows;
    // Outside, so that its tokens stay in the second cache while the rows pass.
    for first in (0..input.tokens).step_by(TOKENS) {
        let tokens = first..input.tokens.min(first + TOKENS);
        for row in (start..end).step_by(B) {
            let rows = row..end.min(row + B);
            block::<I, E, R, M, L, B>(isa, &weights, rows, input, tokens.clone(), &mut shared, y);
        }
    }
}

/// The outputs of at most B rows and [`TOKENS`] tokens.
#[inline(always)]
fn block<I: Isa, E: Element, const R: usize, const M: usize, const L: usize, const B: usize>(
    isa: I,
    weights: &Weights<'_, E>,
    rows: Range<usize>,
    input: Input<'_>,
    tokens: Range<usize>,
    shared: &mut Block<B>,
    y: &mut [f32],
) {
    let Block { wide, sums } = shared;
    let sums = &mut sums[..tokens.len()];
    for at in (0..weights.k).step_by(INPUTS) {
        let inputs = at..weights.k.min(at + INPUTS);
        let mut w = [&[][..]; B];
        for ((w, wide), row) in w.iter_mut().zip(&mut *wide).zip(rows.clone()) {
            *w = E::wide(isa, &weights.row(row)[inputs.clone()], wide);
        }
        let w = &w[..rows.len()];
        let (groups, rest) = sums.as_chunks_mut();
        for (group, sums) in groups.iter_mut().enumerate() {
            tiles::<R, M, L, B>(w, input, tokens.start + group * M, inputs.clone(), sums);
        }
        for (token, sums) in (tokens.start + groups.len() * M..).zip(rest) {
            tiles::<R, 1, L, B>(w, input, token, inputs.clone(), array::from_mut(sums));
        }
    }
    // By way of memory, as `total` does.
    let (sums, width) = (black_box(&*sums), weights.rows.len());
    for (token, sums) in tokens.zip(sums) {
        let y = &mut y[token * width + rows.start - weights.rows.start..][..rows.len()];
        for ((y, &lanes), row) in y.iter_mut().zip(sums).zip(rows.clone()) {
            *y = tree(lanes) + weights.bias(row);
        }
    }
}

/// Adds the products of a block's rows `w` with the inputs `inputs` of M tokens from token `first` on.
#[inline(always)]
fn tiles<const R: usize, const M: usize, const L: usize, const B: usize>(
    w: &[&[f32]],
    input: Input<'_>,
    first: usize,
    inputs: Range<usize>,
    sums: &mut [[Lanes; B]; M],
) {
    let mut x = [input.x; M];
    for (m, x) in x.iter_mut().enumerate() {
        *x = &input.x[(first + m) * input.stride..][inputs.clone()];
    }
    let fresh = inputs.start == 0;
    let (groups, rest) = w.as_chunks();
    for (group, w) in groups.iter().enumerate() {
        tile::<R, M, L, B>(w, &x, fresh, group * R, sums);
    }
    for (row, &w) in (groups.len() * R..).zip(rest) {
        tile::<1, M, L, B>(&[w], &x, fresh, row, sums);
    }
}

/// Adds the products of R rows and M tokens, all of one length, to the sums of the rows from the
/// block's row `row` on, or starts them with that.
#[inline(always)]
fn tile<const R: usize, const M: usize, const L: usize, const B: usize>(
    w: &[&[f32]; R],
    x: &[&[f32]; M],
    fresh: bool,
    row: usize,
    sums: &mut [[Lanes; B]; M],
) {
    let len = w[0].len();
    let (steps, whole) = (len / LANES, len / LANES * LANES);
    // Loops over arrays and not `map`, into which a closure compiled for more instructions is not
    // inlined.
    let (mut w_steps, mut x_steps) = ([&[][..]; R], [&[][..]; M]);
    for (steps_of, w) in w_steps.iter_mut().zip(w) {
        *steps_of = &w.as_chunks::<LANES>().0[..steps];
    }
    for (steps_of, x) in x_steps.iter_mut().zip(x) {
        *steps_of = &x.as_chunks::<LANES>().0[..steps];
    }
    for piece in 0..LANES / L {
        let mut lanes = [[[0.0; L]; R]; M];
        if !fresh {
            for m in 0..M {
                for r in 0..R {
                    lanes[m][r] = sums[m][row + r].as_chunks().0[piece];
                }
            }
        }
        for step in 0..steps {
            let mut x = [[0.0; L]; M];
            for m in 0..M {
                x[m] = x_steps[m][step].as_chunks().0[piece];
            }
            for r in 0..R {
                let w: [f32; L] = w_steps[r][step].as_chunks().0[piece];
                for m in 0..M {
                    for l in 0..L {
                        lanes[m][r][l] += x[m][l] * w[l];
                    }
                }
            }
        }
        for m in 0..M {
            for r in 0..R {
                sums[m][row + r].as_chunks_mut().0[piece] = lanes[m][r];
            }
        }
    }
    if whole < len {
        for m in 0..M {
            let x = load_tail(&x[m][whole..]);
            for r in 0..R {
                add(&mut sums[m][row + r], &x, &load_tail(&w[r][whole..]));
            }
        }
    }
}

/// All outputs of one token, row by row: a single stream comes from memory the fastest.
#[inline(always)]
fn one_token<I: Isa, E: Element>(isa: I, weights: &Weights<'_, E>, x: &[f32], y: &mut [f32]) {
    let (steps, tail) = x[..weights.k].as_chunks();
    for (y, row) in y.iter_mut().zip(weights.rows.clone()) {
        let (w_steps, w_tail) = weights.row(row).as_chunks();
        let mut lanes = [0.0; LANES];
        for (x, w) in steps.iter().zip(w_steps) {
            add(&mut lanes, x, &E::widen(isa, w));
        }
        if !tail.is_empty() {
            add(&mut lanes, &load_tail(tail), &E::widen(isa, &padded(w_tail)));
        }
        *y = total(lanes) + weights.bias(row);
    }
}

/// Adds a step's products.
#[inline(always)]
fn add(lanes: &mut Lanes, x: &Lanes, w: &Lanes) {
    for l in 0..LANES {
        lanes[l] += x[l] * w[l];
    }
}

/// Fewer than 16 elements, followed by zeros, whose products with zeros change no sum.
#[inline(always)]
fn padded<E: Element>(values: &[E]) -> [E; LANES] {
    let mut padded = [E::default(); LANES];
    padded[..values.len()].copy_from_slice(values);
    padded
}
