//! Normalisation, softmax and element-wise functions.

use super::{math, sum};

/// Layer norm (Ba et al. 2016) of each token of x `[tokens, d]`, d = `gain.len()`:
/// `y = ((x − μ) · (1 / √(σ² + eps))) · gain + bias`, μ and σ² sums divided by d, σ² of x − μ.
///
/// With S = √(σ² + eps) and z = (x − μ)/S, within
/// u·((⌈d/16⌉ + 9) · (1 + mean|x|/S) · (1 + |z|) · |gain| + |y|). The factor mean|x|/S is what
/// subtracting a mean far larger than the deviation costs.
///
/// ```
/// // Mean 2, deviation 1.
/// let mut y = [0.0; 2];
/// trit_core::reference::layer_norm(&[1.0, 3.0], &[1.0, 5.0], &[0.0, 10.0], 0.0, &mut y);
/// assert_eq!(y, [-1.0, 15.0]);
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], eps: f32, y: &mut [f32]) {
    let d = gain.len();
    assert!(bias.len() == d && x.len() == y.len() && x.len().is_multiple_of(d));
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let mean = sum(x.iter().copied()) / d as f32;
        let variance = sum(x.iter().map(|x| (x - mean) * (x - mean))) / d as f32;
        let scale = 1.0 / libm::sqrtf(variance + eps);
        for (i, y) in y.iter_mut().enumerate() {
            *y = ((x[i] - mean) * scale) * gain[i] + bias[i];
        }
    }
}

/// RMS norm (Zhang & Sennrich 2019): `y = (x · (1 / √(mean(x²) + eps))) · gain`.
///
/// Nothing cancels: within (⌈d/16⌉/2 + 7)·u·|y|, so ⌈d/16⌉/2 + 7 ULP.
///
/// ```
/// // The root of the mean square is 2.
/// let mut y = [0.0; 2];
/// trit_core::reference::rms_norm(&[2.0, -2.0], &[1.0, 5.0], 0.0, &mut y);
/// assert_eq!(y, [1.0, -5.0]);
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn rms_norm(x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]) {
    let d = gain.len();
    assert!(x.len() == y.len() && x.len().is_multiple_of(d));
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let square = sum(x.iter().map(|x| x * x)) / d as f32;
        let scale = 1.0 / libm::sqrtf(square + eps);
        for (i, y) in y.iter_mut().enumerate() {
            *y = (x[i] * scale) * gain[i];
        }
    }
}

/// Softmax in place: `exp(x − max) · (1 / Σ exp(x − max))`.
///
/// Of n values, a weight w is within (max − x + ln n + ⌈n/16⌉ + 13)·u·w + 2·10⁻³⁸: rounding x − max
/// costs more the further x lies below, and from 87 below on the weight is that of 87.
///
/// ```
/// use trit_core::reference::softmax;
///
/// let mut x = [7.0, 7.0, f32::NEG_INFINITY];
/// softmax(&mut x);
/// assert_eq!(x[..2], [0.5, 0.5]);
/// assert!(x[2] < 1e-37);
/// ```
pub fn softmax(x: &mut [f32]) {
    let most = x.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
    for x in x.iter_mut() {
        *x = math::exp(*x - most);
    }
    let scale = 1.0 / sum(x.iter().copied());
    for x in x {
        *x *= scale;
    }
}

/// GELU with the exact error function (Hendrycks & Gimpel 2016): `(x/2) · (1 + erf(x / √2))`.
///
/// Within 3.5·10⁻⁷·|x|; for negative x the sum cancels, so the result's own digits go.
///
/// ```
/// let mut x = [-10.0, 0.0, 1.0, 10.0];
/// trit_core::reference::gelu(&mut x);
/// assert_eq!([x[0], x[1], x[3]], [0.0, 0.0, 10.0]);
/// assert!((x[2] - 0.841_344_8).abs() < 3.5e-7);
/// ```
pub fn gelu(x: &mut [f32]) {
    for x in x {
        *x = (0.5 * *x) * (1.0 + math::erf(*x * core::f32::consts::FRAC_1_SQRT_2));
    }
}

/// `max(x, 0)²`, correctly rounded: within ½ ULP.
///
/// ```
/// let mut x = [-2.0, 0.5, 3.0];
/// trit_core::reference::squared_relu(&mut x);
/// assert_eq!(x, [0.0, 0.25, 9.0]);
/// ```
pub fn squared_relu(x: &mut [f32]) {
    for x in x {
        let positive = if *x > 0.0 { *x } else { 0.0 };
        *x = positive * positive;
    }
}

/// `x += y`, element by element, correctly rounded: within ½ ULP.
///
/// ```
/// let mut x = [1.0, 2.0];
/// trit_core::reference::add(&mut x, &[10.0, 20.0]);
/// assert_eq!(x, [11.0, 22.0]);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len());
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
