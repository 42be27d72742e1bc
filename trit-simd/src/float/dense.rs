//! Dense f32 and f16 weights × f32 activations.

use core::ops::Range;

use trit_core::f16;
use trit_core::reference::{LANES, tree};

use super::{Lanes, load, load_tail};
use crate::arch::Isa;

/// A dense element that widens to f32 exactly.
pub(crate) trait Element: Copy {
    /// Whether widening takes work, which tokens had better share.
    const NARROW: bool;

    fn widen(self) -> f32;
}

impl Element for f32 {
    const NARROW: bool = false;

    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

/// Half-precision bits.
impl Element for u16 {
    const NARROW: bool = true;

    #[inline(always)]
    fn widen(self) -> f32 {
        f16::to_f32(self)
    }
}

/// Inputs of the longest row that is widened once for all tokens: 16 KiB.
const ROW: usize = 4096;

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
    isa.vectorize(
        #[inline(always)]
        || {
            let width = rows.len();
            let mut widened = [0.0; ROW];
            for (at, row) in rows.enumerate() {
                let w = &w[row * k..][..k];
                let input = Input { x, stride: x_stride, tokens };
                let output = Output { bias: bias.map_or(-0.0, |bias| bias[row]), at, width };
                if E::NARROW && tokens > 1 && k <= ROW {
                    for (to, from) in widened.iter_mut().zip(w) {
                        *to = from.widen();
                    }
                    row_body::<I, f32>(&widened[..k], input, output, y);
                } else {
                    row_body::<I, E>(w, input, output, y);
                }
            }
        },
    );
}

/// Tokens, `stride` apart.
#[derive(Clone, Copy)]
struct Input<'a> {
    x: &'a [f32],
    stride: usize,
    tokens: usize,
}

/// Where the outputs of a row go: column `at` of `width`.
#[derive(Clone, Copy)]
struct Output {
    bias: f32,
    at: usize,
    width: usize,
}

/// One row's outputs for all tokens, in blocks that share the row and give as many sums as hide the
/// latency of an addition.
#[inline(always)]
fn row_body<I: Isa, E: Element>(w: &[E], input: Input<'_>, output: Output, y: &mut [f32]) {
    let mut t = 0;
    while t < input.tokens {
        let left = input.tokens - t;
        t += if I::TOKENS == 8 && left >= 8 {
            block::<E, 8>(w, t, input, output, y)
        } else if left >= 4 {
            block::<E, 4>(w, t, input, output, y)
        } else {
            block::<E, 1>(w, t, input, output, y)
        };
    }
}

/// Tokens `t .. t + M` of one row; returns M.
#[inline(always)]
fn block<E: Element, const M: usize>(
    w: &[E],
    t: usize,
    input: Input<'_>,
    output: Output,
    y: &mut [f32],
) -> usize {
    let mut x = [input.x; M];
    for (m, x) in x.iter_mut().enumerate() {
        *x = &input.x[(t + m) * input.stride..][..w.len()];
    }
    for (m, dot) in dots(x, w).into_iter().enumerate() {
        y[(t + m) * output.width + output.at] = dot + output.bias;
    }
    M
}

/// Dot products of M tokens with one row, all of one length.
#[inline(always)]
fn dots<E: Element, const M: usize>(x: [&[f32]; M], w: &[E]) -> [f32; M] {
    let mut lanes: [Lanes; M] = [[0.0; LANES]; M];
    let whole = w.len() / LANES * LANES;
    let mut at = 0;
    while at < whole {
        // Not by `from_fn`, into which a closure compiled for more instructions is not inlined.
        let mut row = [0.0; LANES];
        for (to, from) in row.iter_mut().zip(&w[at..at + LANES]) {
            *to = from.widen();
        }
        for m in 0..M {
            let x = load(&x[m][at..at + LANES]);
            for l in 0..LANES {
                lanes[m][l] += x[l] * row[l];
            }
        }
        at += LANES;
    }
    if whole < w.len() {
        let mut row = [0.0; LANES];
        for (to, from) in row.iter_mut().zip(&w[whole..]) {
            *to = from.widen();
        }
        for m in 0..M {
            let x = load_tail(&x[m][whole..]);
            for l in 0..LANES {
                lanes[m][l] += x[l] * row[l];
            }
        }
    }
    let mut out = [0.0; M];
    for (out, lanes) in out.iter_mut().zip(lanes) {
        *out = tree(lanes);
    }
    out
}
