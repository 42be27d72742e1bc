//! Dense f32 and f16 weights × f32 activations.

use core::ops::Range;

use trit_core::f16;
use trit_core::reference::{LANES, tree};

use super::{Lanes, load, load_tail};
use crate::arch::Isa;

/// A dense element that widens to f32 exactly.
pub(crate) trait Element: Copy {
    fn widen(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

/// Half-precision bits.
impl Element for u16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f16::to_f32(self)
    }
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
    isa.vectorize(
        #[inline(always)]
        || {
            let width = rows.len();
            for row in rows.clone() {
                let w = &w[row * k..][..k];
                let bias = bias.map_or(-0.0, |bias| bias[row]);
                let mut t = 0;
                while t < tokens {
                    let left = tokens - t;
                    let token = |m: usize| &x[(t + m) * x_stride..][..k];
                    let at = |m: usize| (t + m) * width + row - rows.start;
                    if left >= 4 {
                        let dots = dots([token(0), token(1), token(2), token(3)], w);
                        for (m, dot) in dots.into_iter().enumerate() {
                            y[at(m)] = dot + bias;
                        }
                        t += 4;
                    } else {
                        let [dot] = dots([token(0)], w);
                        y[at(0)] = dot + bias;
                        t += 1;
                    }
                }
            }
        },
    );
}

/// Dot products of M tokens with one row, all of one length.
#[inline(always)]
fn dots<E: Element, const M: usize>(x: [&[f32]; M], w: &[E]) -> [f32; M] {
    let mut lanes: [Lanes; M] = [[0.0; LANES]; M];
    let whole = w.len() / LANES * LANES;
    let mut at = 0;
    while at < whole {
        let row: Lanes = core::array::from_fn(|l| w[at + l].widen());
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
    lanes.map(tree)
}
