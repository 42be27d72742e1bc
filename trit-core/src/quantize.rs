//! Weight quantisers: ternary by absmean or threshold or with scales from outside, int8 and 4 bits.
//!
//! Each takes row-major `weights` `[rows, k]` and writes row-major codes `[rows, k]` in −1..=1,
//! which [`layout::pack`](crate::layout::pack) packs (in −7..=7 and
//! [`int4::pack`](crate::int4::pack) for 4 bits), and scales in the order that
//! [`Scales`] wants. Sums are taken in f64 in ascending k, so results do not depend on a platform.

use crate::error::{QuantizeError, check_dimension, check_len};
use crate::matrix::MAX_ROWS;
use crate::scale::{GroupSize, Scales};
use crate::{Int8Matrix, MAX_TERNARY_K, padded_rows};

/// Weights that share one scale.
///
/// ```
/// use trit_core::GroupSize;
/// use trit_core::quantize::Granularity;
///
/// // A matrix [20, 384].
/// assert_eq!(Granularity::Tensor.scales_len(20, 384), 1);
/// assert_eq!(Granularity::Row.scales_len(20, 384), 32);
/// assert_eq!(Granularity::Group(GroupSize::G128).scales_len(20, 384), 3 * 32);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// The whole matrix.
    Tensor,
    /// One row.
    Row,
    /// Consecutive inputs of a row.
    Group(GroupSize),
}

impl Granularity {
    /// Number of scales a matrix `[rows, k]` needs, padding included.
    ///
    /// ```
    /// use trit_core::quantize::Granularity;
    ///
    /// // Rows are padded to tiles of 16.
    /// assert_eq!(Granularity::Row.scales_len(1, 384), 16);
    /// ```
    pub const fn scales_len(self, rows: usize, k: usize) -> usize {
        match self {
            Self::Tensor => 1,
            Self::Row => Scales::len(rows, k, None),
            Self::Group(size) => Scales::len(rows, k, Some(size)),
        }
    }

    /// The view of `values`, scales in this granularity.
    ///
    /// ```
    /// use trit_core::Scales;
    /// use trit_core::quantize::Granularity;
    ///
    /// let values = [0.5; 16];
    /// assert_eq!(Granularity::Tensor.scales(&values[..1]), Scales::Tensor(0.5));
    /// assert_eq!(Granularity::Row.scales(&values), Scales::Row(&values));
    /// ```
    pub fn scales(self, values: &[f32]) -> Scales<'_> {
        match self {
            Self::Tensor => Scales::Tensor(values.first().copied().unwrap_or(0.0)),
            Self::Row => Scales::Row(values),
            Self::Group(size) => Scales::Group { size, values },
        }
    }
}

/// How weights become trits.
///
/// ```
/// use trit_core::quantize::{Granularity, TernaryRule, ternary};
///
/// let weights = [2.0, -1.0, 0.5, 0.5];
/// let (mut codes, mut scale) = ([0; 4], [0.0]);
/// // The mean of |w| is 1: both rules keep 2 and -1. The scale is that mean, or what they kept's.
/// for (rule, expected) in [(TernaryRule::Absmean, 1.0), (TernaryRule::Twn, 1.5)] {
///     ternary(rule, Granularity::Tensor, 1, 4, &weights, &mut codes, &mut scale)?;
///     assert_eq!((codes, scale), ([1, -1, 0, 0], [expected]));
/// }
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TernaryRule {
    /// BitNet b1.58 (Ma et al. 2024, eq. 1): scale γ = mean |w|, code = round(w / γ) clipped to ±1,
    /// ties to even.
    Absmean,
    /// Ternary Weight Networks (Li et al. 2016, eq. 6): zero up to Δ = 0.7 · mean |w|, scale = mean
    /// of the |w| above Δ.
    Twn,
}

/// Quantises `weights` `[rows, k]` to trits by `rule`, with one scale per `granularity`.
///
/// `scales` has [`Granularity::scales_len`] elements; padding is set to 0.
///
/// ```
/// use trit_core::quantize::{Granularity, TernaryRule, ternary};
///
/// // Two rows of two inputs, a scale each; 14 scales are padding.
/// let weights = [1.0, -3.0, 0.0, 0.5];
/// let (mut codes, mut scales) = ([0; 4], [9.0; 16]);
/// ternary(TernaryRule::Absmean, Granularity::Row, 2, 2, &weights, &mut codes, &mut scales)?;
/// // 1.0 is half of the mean 2: a tie, and the even side is 0.
/// assert_eq!(codes, [0, -1, 0, 1]);
/// assert_eq!(scales[..3], [2.0, 0.25, 0.0]);
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, or a weight that is not finite.
pub fn ternary(
    rule: TernaryRule,
    granularity: Granularity,
    rows: usize,
    k: usize,
    weights: &[f32],
    codes: &mut [i8],
    scales: &mut [f32],
) -> Result<(), QuantizeError> {
    each_part(granularity, rows, k, weights, codes, scales, |part| {
        let mean = part.sum(|w| f64::from(w.abs())) / part.len() as f64;
        let (threshold, scale) = match rule {
            TernaryRule::Absmean => (0.5 * mean, mean),
            TernaryRule::Twn => {
                let threshold = 0.7 * mean;
                let above = |w: &f32| f64::from(w.abs()) > threshold;
                let sum = part.sum(|w| if above(&w) { f64::from(w.abs()) } else { 0.0 });
                let count = part.sum(|w| if above(&w) { 1.0 } else { 0.0 });
                (threshold, if count > 0.0 { sum / count } else { 0.0 })
            }
        };
        // round(w / γ) ties to even, so |w| = γ / 2 goes to 0: the comparison is strict in both.
        part.codes(|w| if f64::from(w.abs()) > threshold { sign(w) } else { 0 });
        scale as f32
    })
}

/// Quantises `weights` `[rows, k]` to trits with `scales` learned elsewhere, which are kept as they
/// are: code = round(w / scale) clipped to ±1, ties to even; a scale of 0 gives zeros.
///
/// ```
/// use trit_core::quantize::{Granularity, ternary_with_scales};
///
/// let weights = [2.0, -1.0, 0.5, -9.0];
/// let mut codes = [0; 4];
/// ternary_with_scales(Granularity::Tensor, 1, 4, &weights, &mut codes, &[1.5])?;
/// assert_eq!(codes, [1, -1, 0, -1]);
/// ternary_with_scales(Granularity::Tensor, 1, 4, &weights, &mut codes, &[-1.5])?;
/// assert_eq!(codes, [-1, 1, 0, 1]);
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, or a weight or scale that is not finite.
pub fn ternary_with_scales(
    granularity: Granularity,
    rows: usize,
    k: usize,
    weights: &[f32],
    codes: &mut [i8],
    scales: &[f32],
) -> Result<(), QuantizeError> {
    check_matrix(rows, k, weights.len(), codes.len())?;
    check_len("scales", scales.len(), granularity.scales_len(rows, k))?;
    check_finite(k, weights)?;
    for (index, (&w, code)) in weights.iter().zip(codes).enumerate() {
        let (row, input) = (index / k, index % k);
        let scale = scales[scale_index(granularity, k, row, input)];
        if !scale.is_finite() {
            return Err(QuantizeError::NonFinite { token: row, index: input });
        }
        let half = 0.5 * f64::from(scale.abs());
        *code = if half > 0.0 && f64::from(w.abs()) > half {
            if scale > 0.0 { sign(w) } else { -sign(w) }
        } else {
            0
        };
    }
    Ok(())
}

/// Trits and scales of `weights` `[rows, k]` whose every part already holds only −s, 0 and +s.
///
/// Nothing is rounded. Returns `Ok(false)`, with the buffers unspecified, when the weights are not
/// of that form.
///
/// ```
/// use trit_core::quantize::{Granularity, ternary_exact};
///
/// let (mut codes, mut scale) = ([0; 4], [0.0]);
/// let mut exact = |weights: &[f32]| {
///     ternary_exact(Granularity::Tensor, 1, 4, weights, &mut codes, &mut scale)
/// };
/// assert!(!exact(&[0.25, -0.25, 0.0, 0.5])?);
/// assert!(exact(&[0.25, -0.25, 0.0, 0.25])?);
/// assert_eq!((codes, scale), ([1, -1, 0, 1], [0.25]));
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, or a weight that is not finite.
pub fn ternary_exact(
    granularity: Granularity,
    rows: usize,
    k: usize,
    weights: &[f32],
    codes: &mut [i8],
    scales: &mut [f32],
) -> Result<bool, QuantizeError> {
    let mut exact = true;
    each_part(granularity, rows, k, weights, codes, scales, |part| {
        let mut scale = 0.0f32;
        part.sum(|w| {
            if scale == 0.0 {
                scale = w.abs();
            }
            exact &= w == 0.0 || w.abs() == scale;
            0.0
        });
        part.codes(|w| if w == 0.0 { 0 } else { sign(w) });
        scale
    })?;
    Ok(exact)
}

/// Quantises `weights` `[rows, k]` to int8 with one scale a row: scale = absmax / 127, rounded half
/// to even. `values` is `[rows, stride]` and `scales` `[round16(rows)]`, as [`Int8Matrix`] wants.
///
/// ```
/// use trit_core::quantize;
///
/// // One row of three inputs: a stride of 16, and scales for 16 rows.
/// let (mut values, mut scales) = ([0; 16], [0.0; 16]);
/// quantize::int8(1, 3, &[127.0, -63.5, 1.2], &mut values, &mut scales)?;
/// assert_eq!(values[..4], [127, -64, 1, 0]);
/// assert_eq!(scales[..2], [1.0, 0.0]);
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, or a weight that is not finite.
pub fn int8(
    rows: usize,
    k: usize,
    weights: &[f32],
    values: &mut [i8],
    scales: &mut [f32],
) -> Result<(), QuantizeError> {
    check_matrix(rows, k, weights.len(), rows.saturating_mul(k))?;
    let stride = Int8Matrix::stride_of(k);
    check_len("int8 values", values.len(), rows.saturating_mul(stride))?;
    check_len("row scales", scales.len(), padded_rows(rows))?;
    check_finite(k, weights)?;
    scales.fill(0.0);
    values.fill(0);
    for ((weights, values), scale) in
        weights.chunks_exact(k).zip(values.chunks_exact_mut(stride)).zip(scales)
    {
        *scale = weights.iter().fold(0.0f32, |most, w| most.max(w.abs())) / 127.0;
        if *scale > 0.0 {
            for (value, w) in values.iter_mut().zip(weights) {
                *value = libm::rintf(w / *scale).clamp(-127.0, 127.0) as i8;
            }
        }
    }
    Ok(())
}

/// Quantises `weights` `[rows, k]` to 4 bits with a scale per row and group: scale = absmax / 7,
/// value = w / scale rounded half to even, −7 to 7. A group whose scale is 0 (all zeros, or so
/// small that absmax / 7 rounds to 0) becomes zeros.
///
/// The value −8, which [`Int4Matrix`](crate::Int4Matrix) can hold, is left to formats that use it:
/// weights are as often positive, and ±7 quantises w and −w alike. `scales` has
/// [`Granularity::scales_len`] elements; padding is set to 0.
///
/// ```
/// use trit_core::{GroupSize, quantize};
///
/// let (mut values, mut scales) = ([0; 3], [0.0; 16]);
/// quantize::int4(GroupSize::G32, 1, 3, &[-7.0, 3.5, 1.2], &mut values, &mut scales)?;
/// assert_eq!(values, [-7, 4, 1]);
/// assert_eq!(scales[..2], [1.0, 0.0]);
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, or a weight that is not finite.
pub fn int4(
    group: GroupSize,
    rows: usize,
    k: usize,
    weights: &[f32],
    values: &mut [i8],
    scales: &mut [f32],
) -> Result<(), QuantizeError> {
    each_part(Granularity::Group(group), rows, k, weights, values, scales, |part| {
        let scale = part.weights.iter().fold(0.0f32, |most, w| most.max(w.abs())) / 7.0;
        part.codes(|w| if scale > 0.0 { libm::rintf(w / scale).clamp(-7.0, 7.0) as i8 } else { 0 });
        scale
    })
}

fn sign(w: f32) -> i8 {
    if w > 0.0 { 1 } else { -1 }
}

fn check_matrix(rows: usize, k: usize, weights: usize, codes: usize) -> Result<(), QuantizeError> {
    check_dimension("k", k, MAX_TERNARY_K)?;
    check_dimension("rows", rows, MAX_ROWS)?;
    let elements = rows.saturating_mul(k);
    check_len("weights", weights, elements)?;
    check_len("codes", codes, elements)?;
    Ok(())
}

fn check_finite(k: usize, weights: &[f32]) -> Result<(), QuantizeError> {
    match weights.iter().position(|w| !w.is_finite()) {
        None => Ok(()),
        Some(at) => Err(QuantizeError::NonFinite { token: at / k, index: at % k }),
    }
}

fn scale_index(granularity: Granularity, k: usize, row: usize, input: usize) -> usize {
    match granularity {
        Granularity::Tensor => 0,
        Granularity::Row => row,
        Granularity::Group(size) => Scales::group_index(k, size, row, input),
    }
}

/// The weights that share a scale, and where their codes go.
struct Part<'p> {
    weights: &'p [f32],
    codes: &'p mut [i8],
}

impl Part<'_> {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn sum(&self, mut term: impl FnMut(f32) -> f64) -> f64 {
        self.weights.iter().fold(0.0, |sum, &w| sum + term(w))
    }

    fn codes(&mut self, code: impl Fn(f32) -> i8) {
        for (to, &w) in self.codes.iter_mut().zip(self.weights) {
            *to = code(w);
        }
    }
}

/// Calls `quantise` for each part that shares a scale and stores the scale it returns.
fn each_part(
    granularity: Granularity,
    rows: usize,
    k: usize,
    weights: &[f32],
    codes: &mut [i8],
    scales: &mut [f32],
    mut quantise: impl FnMut(&mut Part<'_>) -> f32,
) -> Result<(), QuantizeError> {
    check_matrix(rows, k, weights.len(), codes.len())?;
    check_len("scales", scales.len(), granularity.scales_len(rows, k))?;
    check_finite(k, weights)?;
    scales.fill(0.0);
    let (outer, inner) = match granularity {
        Granularity::Tensor => (rows * k, rows * k),
        Granularity::Row => (k, k),
        Granularity::Group(size) => (k, size.inputs()),
    };
    for (row, (weights, codes)) in
        weights.chunks_exact(outer).zip(codes.chunks_exact_mut(outer)).enumerate()
    {
        for (part, (weights, codes)) in
            weights.chunks(inner).zip(codes.chunks_mut(inner)).enumerate()
        {
            let scale = quantise(&mut Part { weights, codes });
            scales[scale_index(granularity, k, row, part * inner)] = scale;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absmean_by_hand() {
        // mean |w| = 0.5: 0.25 is the tie and goes to even, 0.
        let w = [1.0, -0.26, 0.25, 0.49];
        let (mut codes, mut scales) = ([9; 4], [9.0; 1]);
        ternary(TernaryRule::Absmean, Granularity::Tensor, 1, 4, &w, &mut codes, &mut scales)
            .unwrap();
        assert_eq!((codes, scales), ([1, -1, 0, 1], [0.5]));
    }

    #[test]
    fn twn_by_hand() {
        // Row 0: mean 0.5, threshold 0.35, scale (1 + 0.5) / 2.
        let w = [1.0, -0.5, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0];
        let (mut codes, mut scales) = ([9; 8], [9.0; 16]);
        ternary(TernaryRule::Twn, Granularity::Row, 2, 4, &w, &mut codes, &mut scales).unwrap();
        assert_eq!(codes, [1, -1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&scales[..3], &[0.75, 0.0, 0.0]);
    }

    #[test]
    fn groups_have_their_own_scales() {
        let mut w = [0.5f32; 2 * 40];
        w[32..40].fill(-2.0);
        let mut codes = [0; 80];
        let mut scales = [9.0; 32];
        let group = Granularity::Group(GroupSize::G32);
        assert!(ternary_exact(group, 2, 40, &w, &mut codes, &mut scales).unwrap());
        assert_eq!((scales[0], scales[1], scales[16], scales[17]), (0.5, 0.5, 2.0, 0.5));
        assert_eq!(scales[2], 0.0);
        assert_eq!((codes[0], codes[32], codes[40]), (1, -1, 1));
        let mut again = [9; 80];
        ternary_with_scales(group, 2, 40, &w, &mut again, &scales).unwrap();
        assert_eq!(again, codes);
        w[3] = 0.4;
        assert!(!ternary_exact(group, 2, 40, &w, &mut codes, &mut scales).unwrap());
    }

    #[test]
    fn int8_rounds_half_to_even_and_pads() {
        let w = [127.0, 0.5, 1.5, -2.5];
        let (mut values, mut scales) = ([9; 16], [9.0; 16]);
        int8(1, 4, &w, &mut values, &mut scales).unwrap();
        assert_eq!(&values[..5], &[127, 0, 2, -2, 0]);
        assert_eq!((scales[0], scales[1]), (1.0, 0.0));
    }

    #[test]
    fn int4_rounds_half_to_even_by_group() {
        let mut w = [0.0f32; 40];
        w[..6].copy_from_slice(&[7.0, 0.5, 1.5, -2.5, -7.0, 6.5]);
        w[32] = -1e-45;
        let (mut values, mut scales) = ([9; 40], [9.0; 32]);
        int4(GroupSize::G32, 1, 40, &w, &mut values, &mut scales).unwrap();
        assert_eq!(&values[..7], &[7, 0, 2, -2, -7, 6, 0]);
        // The smallest number divided by 7 is 0.
        assert_eq!((values[32], scales[16]), (0, 0.0));
        assert_eq!((scales[0], scales[1]), (1.0, 0.0));
        w[33] = f32::INFINITY;
        let error = int4(GroupSize::G32, 1, 40, &w, &mut values, &mut scales);
        assert_eq!(error, Err(QuantizeError::NonFinite { token: 0, index: 33 }));
    }

    #[test]
    fn non_finite_weights_are_named() {
        let w = [0.0, 1.0, 2.0, f32::NAN];
        let (mut codes, mut scales) = ([0; 4], [0.0; 16]);
        let error = ternary(TernaryRule::Twn, Granularity::Row, 2, 2, &w, &mut codes, &mut scales);
        assert_eq!(error, Err(QuantizeError::NonFinite { token: 1, index: 1 }));
    }
}
