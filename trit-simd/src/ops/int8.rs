//! Int8 weights × int8 activations: the vocabulary head and the convolutions.

use trit_core::activations::BLOCK;
use trit_core::{GroupSize, Int8Matrix};

use super::Input;
use crate::arch::Isa;

/// `y[m, n] = Σ_g (sx·sw) · (Σ w·q) + bias[n]`, as `trit_core::reference::int8`.
#[inline(always)]
pub(crate) fn product<I: Isa>(isa: I, w: &Int8Matrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            let last = input.first_row + input.rows;
            let mut row = input.first_row;
            while row + 4 <= last {
                tokens::<I, 4>(isa, w, input, row, y);
                row += 4;
            }
            while row < last {
                tokens::<I, 1>(isa, w, input, row, y);
                row += 1;
            }
        },
    );
}

/// Rows `row .. row + R` of all tokens.
#[inline(always)]
fn tokens<I: Isa, const R: usize>(
    isa: I,
    w: &Int8Matrix<'_>,
    input: &Input<'_>,
    row: usize,
    y: &mut [f32],
) {
    let tokens = input.x.tokens();
    let mut m = 0;
    while m + 2 <= tokens {
        block::<I, R, 2>(isa, w, input, row, m, y);
        m += 2;
    }
    if m < tokens {
        block::<I, R, 1>(isa, w, input, row, m, y);
    }
}

#[inline(always)]
fn block<I: Isa, const R: usize, const M: usize>(
    isa: I,
    w: &Int8Matrix<'_>,
    input: &Input<'_>,
    row: usize,
    first: usize,
    y: &mut [f32],
) {
    let (x, stride) = (&input.x, w.stride());
    let part = x.group().map_or(stride, GroupSize::inputs);
    debug_assert!(part.is_multiple_of(16) && BLOCK.is_multiple_of(16));
    let mut acc = [[0.0f32; R]; M];
    let mut start = 0;
    // Both sides are zero from k to the stride, which adds nothing.
    while start < stride {
        let end = stride.min(start + part);
        let rows: [&[i8]; R] =
            core::array::from_fn(|r| &w.values()[(row + r) * stride..][start..end]);
        let q: [&[i8]; M] = core::array::from_fn(|m| &x.token(first + m)[start..end]);
        let dots = isa.dot_i8(rows, q);
        for m in 0..M {
            let sx = x.scales(first + m)[x.group().map_or(0, |group| start / group.inputs())];
            for r in 0..R {
                acc[m][r] += (sx * w.scales()[row + r]) * dots[m][r] as f32;
            }
        }
        start = end;
    }
    for m in 0..M {
        let at = (first + m) * input.rows + row - input.first_row;
        for r in 0..R {
            y[at + r] = acc[m][r] + input.bias(row + r);
        }
    }
}
