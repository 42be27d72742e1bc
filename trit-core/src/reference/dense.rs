//! Dense products and the convolution.

use super::dot;
use crate::{F16Matrix, F32Matrix, f16};

/// `y[t, n] = dot(x_t, w_n) + bias[n]`; x `[tokens, k]` row-major, y `[tokens, rows]`.
///
/// Within u·((⌈k/16⌉ + 4)·Σ|x·w| + |y|); the second term is the bias's rounding.
///
/// # Panics
/// If a length does not fit.
pub fn dense_f32(w: &F32Matrix<'_>, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    assert_eq!(x.len() / w.k(), y.len() / w.rows());
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
/// # Panics
/// If a length does not fit.
pub fn dense_f16(w: &F16Matrix<'_>, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    assert_eq!(x.len() / w.k(), y.len() / w.rows());
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
