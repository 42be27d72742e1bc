//! Int8 weights × int8 activations: the vocabulary head and the convolutions.

use core::ops::Range;

use trit_core::activations::BLOCK;
use trit_core::{GroupSize, Int8Matrix};

use super::Input;
use super::packed::CACHE_BYTES;
use crate::arch::Isa;

/// `y[m, n] = Σ_g (sx·sw) · (Σ w·q) + bias[n]`, as `trit_core::reference::int8`.
///
/// Panels of tokens that stay in cache in the outer loop, rows inside it, tokens inside them.
#[inline(always)]
pub(crate) fn product<I: Isa>(isa: I, w: &Int8Matrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            let tokens = input.x.tokens();
            let most = (CACHE_BYTES / input.x.stride()).max(TOKENS) / TOKENS * TOKENS;
            let mut first = 0;
            while first < tokens {
                let panel = first..tokens.min(first + most);
                first = panel.end;
                rows(isa, w, input, panel, y);
            }
        },
    );
}

/// The most tokens side by side.
const TOKENS: usize = 4;

/// Rows side by side.
const ROWS: usize = 4;

/// All rows of the tokens `panel`.
///
/// For one token, where weights come from memory, four streams of rows lie a quarter of all rows
/// apart; for several tokens they are neighbours.
#[inline(always)]
fn rows<I: Isa>(isa: I, w: &Int8Matrix<'_>, input: &Input<'_>, panel: Range<usize>, y: &mut [f32]) {
    let steps = input.rows / ROWS;
    let [step, apart] = if panel.len() == 1 { [1, steps] } else { [ROWS, 1] };
    for i in 0..steps {
        let mut rows = [input.first_row + i * step; ROWS];
        for r in 0..ROWS {
            rows[r] += r * apart;
        }
        tokens(isa, w, input, rows, panel.clone(), y);
    }
    for row in input.first_row + ROWS * steps..input.first_row + input.rows {
        tokens(isa, w, input, [row], panel.clone(), y);
    }
}

/// The rows `rows` of the tokens `panel`.
#[inline(always)]
fn tokens<I: Isa, const R: usize>(
    isa: I,
    w: &Int8Matrix<'_>,
    input: &Input<'_>,
    rows: [usize; R],
    panel: Range<usize>,
    y: &mut [f32],
) {
    let mut m = panel.start;
    // Levels with tiles of 8 tokens have 32 registers.
    while I::TOKENS == 8 && m + TOKENS <= panel.end {
        block::<I, R, TOKENS>(isa, w, input, rows, m, y);
        m += TOKENS;
    }
    while m + 2 <= panel.end {
        block::<I, R, 2>(isa, w, input, rows, m, y);
        m += 2;
    }
    if m < panel.end {
        block::<I, R, 1>(isa, w, input, rows, m, y);
    }
}

#[inline(always)]
fn block<I: Isa, const R: usize, const M: usize>(
    isa: I,
    w: &Int8Matrix<'_>,
    input: &Input<'_>,
    rows: [usize; R],
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
        let (mut weights, mut q) = ([&[][..]; R], [&[][..]; M]);
        for r in 0..R {
            weights[r] = &w.values()[rows[r] * stride..][start..end];
        }
        for m in 0..M {
            q[m] = &x.token(first + m)[start..end];
        }
        let dots = isa.dot_i8(weights, q);
        for m in 0..M {
            let sx = x.scales(first + m)[x.group().map_or(0, |group| start / group.inputs())];
            for r in 0..R {
                acc[m][r] += (sx * w.scales()[rows[r]]) * dots[m][r] as f32;
            }
        }
        start = end;
    }
    for m in 0..M {
        let y = &mut y[(first + m) * input.rows..][..input.rows];
        for r in 0..R {
            y[rows[r] - input.first_row] = acc[m][r] + input.bias(rows[r]);
        }
    }
}
