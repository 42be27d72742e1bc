//! Dense products and the convolution.

use super::dot;
use crate::{F16Matrix, F32Matrix, f16};

/// Panics unless `x` numbers are whole tokens of `k`, and `y` as many of `rows`.
fn check(x: usize, k: usize, y: usize, rows: usize, bias: Option<&[f32]>) {
    let (tokens, outputs) = (x / k, y / rows);
    assert!(x == tokens * k && y == outputs * rows, "{x} inputs of {k}, {y} outputs of {rows}");
    assert!(tokens == outputs, "{tokens} tokens, outputs for {outputs}");
    assert!(bias.is_none_or(|bias| bias.len() == rows), "a bias of another length than {rows}");
}

/// `y[t, n] = dot(x_t, w_n) + bias[n]`; x `[tokens, k]` row-major, y `[tokens, rows]`.
///
/// Within u·((⌈k/16⌉ + 4)·Σ|x·w| + |y|); the second term is the bias's rounding.
///
/// ```
/// use trit_core::{F32Matrix, reference};
///
/// let w = F32Matrix::new(2, 2, &[1.0, 2.0, 3.0, 4.0])?;
/// let mut y = [0.0; 2];
/// reference::dense_f32(&w, &[1.0, 10.0], Some(&[0.5, 0.0]), &mut y);
/// assert_eq!(y, [21.5, 43.0]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn dense_f32(w: &F32Matrix<'_>, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    check(x.len(), w.k(), y.len(), w.rows(), bias);
    for (x, y) in x.chunks_exact(w.k()).zip(y.chunks_exact_mut(w.rows())) {
        for (n, y) in y.iter_mut().enumerate() {
            *y = dot(x, w.row(n));
            if let Some(bias) = bias {
                *y += bias[n];
            }
        }
    }
}

/// As [`dense_f32`], each weight widened exactly.
///
/// ```
/// use trit_core::{F16Matrix, f16, reference};
///
/// let values = [1.0, 2.0, 3.0, 4.0].map(f16::from_f32);
/// let w = F16Matrix::new(2, 2, &values)?;
/// let mut y = [0.0; 2];
/// reference::dense_f16(&w, &[1.0, 10.0], None, &mut y);
/// assert_eq!(y, [21.0, 43.0]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn dense_f16(w: &F16Matrix<'_>, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    check(x.len(), w.k(), y.len(), w.rows(), bias);
    for (x, y) in x.chunks_exact(w.k()).zip(y.chunks_exact_mut(w.rows())) {
        for (n, y) in y.iter_mut().enumerate() {
            *y = super::sum(x.iter().zip(w.row(n)).map(|(x, &w)| x * f16::to_f32(w)));
            if let Some(bias) = bias {
                *y += bias[n];
            }
        }
    }
}

/// One-dimensional convolution of kernel 3 and padding 1: x `[frames, channels]`, w
/// `[rows, 3 · channels]` tap-major, y `[⌈frames / stride⌉, rows]`.
///
/// Output t is [`dense_f32`] of the patch of frames `t·stride − 1 ..= t·stride + 1`, frames beyond
/// the ends being zeros that take part in the sum; the bound is that one's with k = 3 · channels.
///
/// ```
/// use trit_core::{F32Matrix, reference};
///
/// // One channel, one row: the taps 1, 2, 3 over the frames 0 | 1 10 100 | 0.
/// let w = F32Matrix::new(1, 3, &[1.0, 2.0, 3.0])?;
/// let mut y = [0.0; 3];
/// reference::conv1d(&w, &[1.0, 10.0, 100.0], 1, 1, None, &mut y);
/// assert_eq!(y, [32.0, 321.0, 210.0]);
/// let mut y = [0.0; 2];
/// reference::conv1d(&w, &[1.0, 10.0, 100.0], 1, 2, None, &mut y);
/// assert_eq!(y, [32.0, 210.0]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn conv1d(
    w: &F32Matrix<'_>,
    x: &[f32],
    channels: usize,
    stride: usize,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    assert_eq!(w.k(), 3 * channels);
    let frames = x.len() / channels;
    assert!(x.len().is_multiple_of(channels), "{} values, {channels} channels", x.len());
    check(frames.div_ceil(stride), 1, y.len(), w.rows(), bias);
    for (t, y) in y.chunks_exact_mut(w.rows()).enumerate() {
        for (n, y) in y.iter_mut().enumerate() {
            let row = w.row(n);
            let products = (0..3 * channels).map(|at| {
                let frame = (t * stride + at / channels).wrapping_sub(1);
                let value = if frame < frames { x[frame * channels + at % channels] } else { 0.0 };
                value * row[at]
            });
            *y = super::sum(products);
            if let Some(bias) = bias {
                *y += bias[n];
            }
        }
    }
}
