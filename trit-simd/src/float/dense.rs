//! Dense f32 and f16 weights × f32 activations.

use core::hint::black_box;
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

/// Inputs of the longest row that is widened once for all tokens: 16 KiB, for each of the rows side by
/// side.
const ROW: usize = 4096;

/// Widened rows, on a cache line's boundary, so that no vector lies across two.
#[repr(C, align(64))]
struct Wide<const R: usize>([[f32; ROW]; R]);

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
    let input = Input { x, stride: x_stride, tokens };
    isa.vectorize(
        #[inline(always)]
        || match I::TOKENS {
            // Such levels have 32 registers.
            8 => all::<E, 4, 4>(w, k, input, bias, rows, y),
            _ => all::<E, 1, 4>(w, k, input, bias, rows, y),
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

/// Where the outputs of rows go: from column `at` of `width` on.
#[derive(Clone, Copy)]
struct Output<'a> {
    bias: Option<&'a [f32]>,
    at: usize,
    width: usize,
}

/// The rows `rows`, R of them at a time, which stay in cache while the tokens pass, M of them at a
/// time.
#[inline(always)]
fn all<E: Element, const R: usize, const M: usize>(
    w: &[E],
    k: usize,
    input: Input<'_>,
    bias: Option<&[f32]>,
    rows: Range<usize>,
    y: &mut [f32],
) {
    let output = |first: usize| Output {
        bias: bias.map(|bias| &bias[first..]),
        at: first - rows.start,
        width: rows.len(),
    };
    let whole = rows.start + rows.len() / R * R;
    if E::NARROW && input.tokens > 1 && k <= ROW {
        let mut wide = Wide([[0.0; ROW]; R]);
        for first in (rows.start..whole).step_by(R) {
            let wide = widen::<E, R>(weights(w, k, first), &mut wide.0);
            side_by_side::<f32, R, M>(wide, input, output(first), y);
        }
        for first in whole..rows.end {
            let wide = widen::<E, 1>(weights(w, k, first), &mut wide.0);
            side_by_side::<f32, 1, M>(wide, input, output(first), y);
        }
    } else {
        for first in (rows.start..whole).step_by(R) {
            side_by_side::<E, R, M>(weights(w, k, first), input, output(first), y);
        }
        for first in whole..rows.end {
            side_by_side::<E, 1, M>(weights(w, k, first), input, output(first), y);
        }
    }
}

/// R rows from row `first` on.
#[inline(always)]
fn weights<E, const R: usize>(w: &[E], k: usize, first: usize) -> [&[E]; R] {
    let mut rows = [&[][..]; R];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = &w[(first + r) * k..][..k];
    }
    rows
}

/// The rows as f32, in `wide`.
#[inline(always)]
fn widen<'a, E: Element, const R: usize>(
    rows: [&[E]; R],
    wide: &'a mut [[f32; ROW]],
) -> [&'a [f32]; R] {
    let mut out = [&[][..]; R];
    for ((out, row), wide) in out.iter_mut().zip(rows).zip(wide) {
        let wide = &mut wide[..row.len()];
        for (to, from) in wide.iter_mut().zip(row) {
            *to = from.widen();
        }
        *out = wide;
    }
    out
}

/// R rows' outputs for all tokens.
#[inline(always)]
fn side_by_side<E: Element, const R: usize, const M: usize>(
    w: [&[E]; R],
    input: Input<'_>,
    output: Output<'_>,
    y: &mut [f32],
) {
    let whole = input.tokens / M * M;
    for first in (0..whole).step_by(M) {
        block::<E, R, M>(w, first, input, output, y);
    }
    for token in whole..input.tokens {
        block::<E, R, 1>(w, token, input, output, y);
    }
}

/// R rows' outputs for M tokens from token `first` on.
#[inline(always)]
fn block<E: Element, const R: usize, const M: usize>(
    w: [&[E]; R],
    first: usize,
    input: Input<'_>,
    output: Output<'_>,
    y: &mut [f32],
) {
    let mut x = [input.x; M];
    for (m, x) in x.iter_mut().enumerate() {
        *x = &input.x[(first + m) * input.stride..][..w[0].len()];
    }
    let lanes = dots(x, w);
    for m in 0..M {
        let y = &mut y[(first + m) * output.width + output.at..][..R];
        for r in 0..R {
            y[r] = tree(lanes[m][r]) + output.bias.map_or(-0.0, |bias| bias[r]);
        }
    }
}

/// Dot products of M tokens with R rows, all of one length, in lanes.
#[inline(always)]
fn dots<E: Element, const R: usize, const M: usize>(
    x: [&[f32]; M],
    w: [&[E]; R],
) -> [[Lanes; R]; M] {
    let mut lanes: [[Lanes; R]; M] = [[[0.0; LANES]; R]; M];
    let k = w[0].len();
    let whole = k / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let mut rows = [[0.0; LANES]; R];
        for r in 0..R {
            // Not by `from_fn`, into which a closure compiled for more instructions is not inlined.
            for (to, from) in rows[r].iter_mut().zip(&w[r][at..at + LANES]) {
                *to = from.widen();
            }
        }
        for m in 0..M {
            let x = load(&x[m][at..at + LANES]);
            add(&mut lanes[m], x, &rows);
        }
    }
    if whole < k {
        let mut rows = [[0.0; LANES]; R];
        for r in 0..R {
            for (to, from) in rows[r].iter_mut().zip(&w[r][whole..k]) {
                *to = from.widen();
            }
        }
        for m in 0..M {
            add(&mut lanes[m], load_tail(&x[m][whole..k]), &rows);
        }
    }
    // By way of memory, as `total` does.
    black_box(lanes)
}

/// Adds the products of a token with R rows.
#[inline(always)]
fn add<const R: usize>(lanes: &mut [Lanes; R], x: Lanes, rows: &[Lanes; R]) {
    for r in 0..R {
        for l in 0..LANES {
            lanes[r][l] += x[l] * rows[r][l];
        }
    }
}
