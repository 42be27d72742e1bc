//! Int8 activations: what an activation quantiser writes and a kernel reads.

use crate::MAX_TERNARY_K;
use crate::error::{MatrixError, check_dimension, check_len};
use crate::scale::GroupSize;

/// Inputs of a block whose values are summed by the quantiser.
pub const BLOCK: usize = 32;

/// Tokens beyond this are refused.
const MAX_TOKENS: usize = 1 << 24;

/// Elements from one token to the next: k rounded up to 64.
///
/// ```
/// use trit_core::activations::stride;
///
/// assert_eq!([stride(1), stride(64), stride(65)], [64, 64, 128]);
/// ```
#[inline]
pub const fn stride(k: usize) -> usize {
    match k.checked_next_multiple_of(64) {
        Some(stride) => stride,
        None => usize::MAX,
    }
}

/// Number of int8 values of `tokens` tokens of `k` inputs; `usize::MAX`, which no buffer has, where
/// there are more than fit.
///
/// ```
/// use trit_core::activations::values_len;
///
/// assert_eq!(values_len(3, 80), 3 * 128);
/// assert_eq!(values_len(usize::MAX, 80), usize::MAX);
/// assert_eq!(values_len(1, usize::MAX), usize::MAX);
/// ```
#[inline]
pub const fn values_len(tokens: usize, k: usize) -> usize {
    tokens.saturating_mul(stride(k))
}

/// Number of scales: one a token, or one a token and group; saturates as [`values_len`].
///
/// ```
/// use trit_core::GroupSize;
/// use trit_core::activations::scales_len;
///
/// assert_eq!(scales_len(3, 80, None), 3);
/// assert_eq!(scales_len(3, 80, Some(GroupSize::G32)), 3 * 3);
/// ```
#[inline]
pub const fn scales_len(tokens: usize, k: usize, group: Option<GroupSize>) -> usize {
    match group {
        None => tokens,
        Some(size) => tokens.saturating_mul(k.div_ceil(size.inputs())),
    }
}

/// Number of block sums; saturates as [`values_len`].
///
/// ```
/// use trit_core::activations::sums_len;
///
/// // 80 inputs are padded to 128, four blocks of 32.
/// assert_eq!(sums_len(3, 80), 3 * 4);
/// ```
#[inline]
pub const fn sums_len(tokens: usize, k: usize) -> usize {
    tokens.saturating_mul(stride(k) / BLOCK)
}

fn check(
    tokens: usize,
    k: usize,
    group: Option<GroupSize>,
    values: usize,
    scales: usize,
    sums: usize,
) -> Result<(), MatrixError> {
    check_dimension("tokens", tokens, MAX_TOKENS)?;
    check_dimension("k", k, MAX_TERNARY_K)?;
    check_len("quantised values", values, values_len(tokens, k))?;
    check_len("activation scales", scales, scales_len(tokens, k, group))?;
    check_len("block sums", sums, sums_len(tokens, k))
}

/// Quantised activations `[tokens, k]`.
///
/// ```
/// use trit_core::QuantizedActs;
///
/// // One token of three inputs.
/// let mut values = [0; 64];
/// values[..3].copy_from_slice(&[127, -2, 1]);
/// let acts = QuantizedActs::new(1, 3, None, &values, &[0.5], &[126, 0])?;
/// assert_eq!(acts.token(0)[..4], [127, -2, 1, 0]);
/// assert_eq!(acts.scales(0), [0.5]);
/// assert_eq!(acts.block_sums(0), [126, 0]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct QuantizedActs<'a> {
    tokens: usize,
    k: usize,
    group: Option<GroupSize>,
    values: &'a [i8],
    scales: &'a [f32],
    block_sums: &'a [i32],
}

impl<'a> QuantizedActs<'a> {
    /// A view of
    /// * `values` `[tokens, stride(k)]`, zero beyond k,
    /// * `scales` `[tokens]`, or `[tokens, ⌈k / group⌉]`,
    /// * `block_sums` `[tokens, stride(k) / 32]`, the sum of each 32 values.
    ///
    /// Values beyond k that are not zero, and sums that are not those of the values, would make products
    /// wrong, each backend's in its own way, and do no other harm.
    ///
    /// ```
    /// use trit_core::{MatrixError, QuantizedActs};
    ///
    /// let error = QuantizedActs::new(2, 80, None, &[0; 160], &[1.0; 2], &[0; 8]).unwrap_err();
    /// let what = "quantised values";
    /// assert_eq!(error, MatrixError::Length { what, expected: 2 * 128, found: 160 });
    /// ```
    ///
    /// # Errors
    /// A dimension out of range or a buffer of the wrong length.
    pub fn new(
        tokens: usize,
        k: usize,
        group: Option<GroupSize>,
        values: &'a [i8],
        scales: &'a [f32],
        block_sums: &'a [i32],
    ) -> Result<Self, MatrixError> {
        check(tokens, k, group, values.len(), scales.len(), block_sums.len())?;
        Ok(Self { tokens, k, group, values, scales, block_sums })
    }

    /// Number of tokens.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// assert_eq!(acts.tokens(), 2);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inputs of a token.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// assert_eq!(acts.k(), 80);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Elements from one token to the next.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// assert_eq!(acts.stride(), 128);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn stride(&self) -> usize {
        stride(self.k)
    }

    /// Inputs that share a scale; `None` when a token has one scale.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// assert_eq!(acts.group(), Some(GroupSize::G64));
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn group(&self) -> Option<GroupSize> {
        self.group
    }

    /// The values of `token`, padding included.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// assert_eq!(acts.token(1), [1; 128]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If `token` is out of range.
    #[inline]
    pub fn token(&self, token: usize) -> &'a [i8] {
        &self.values[token * self.stride()..][..self.stride()]
    }

    /// The scales of `token`.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// // Groups of 64 and of 16 inputs.
    /// assert_eq!(acts.scales(1), [0.5; 2]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If `token` is out of range.
    #[inline]
    pub fn scales(&self, token: usize) -> &'a [f32] {
        let each = scales_len(1, self.k, self.group);
        &self.scales[token * each..][..each]
    }

    /// The block sums of `token`.
    ///
    /// ```
    /// use trit_core::{GroupSize, QuantizedActs};
    ///
    /// let acts = QuantizedActs::new(2, 80, Some(GroupSize::G64), &[1; 256], &[0.5; 4], &[32; 8])?;
    /// assert_eq!(acts.block_sums(1), [32; 4]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If `token` is out of range.
    #[inline]
    pub fn block_sums(&self, token: usize) -> &'a [i32] {
        let each = sums_len(1, self.k);
        &self.block_sums[token * each..][..each]
    }

    /// The tokens `range` alone.
    ///
    /// ```
    /// use trit_core::QuantizedActs;
    ///
    /// let acts = QuantizedActs::new(3, 8, None, &[0; 192], &[1.0, 2.0, 3.0], &[0; 6])?;
    /// let last = acts.slice(1..3);
    /// assert_eq!(last.tokens(), 2);
    /// assert_eq!(last.scales(0), [2.0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If the range is out of bounds.
    #[inline]
    #[must_use]
    pub fn slice(&self, range: core::ops::Range<usize>) -> Self {
        // So that no product below can overflow.
        assert!(
            range.start <= range.end && range.end <= self.tokens,
            "tokens {range:?} of {}",
            self.tokens
        );
        let part = |each: usize| range.start * each..range.end * each;
        Self {
            tokens: range.len(),
            values: &self.values[part(self.stride())],
            scales: &self.scales[part(scales_len(1, self.k, self.group))],
            block_sums: &self.block_sums[part(sums_len(1, self.k))],
            ..*self
        }
    }
}

/// Buffers for quantised activations `[tokens, k]`, to be filled by a quantiser.
///
/// ```
/// use trit_core::{QuantizedActsMut, reference};
///
/// // Two tokens of two inputs.
/// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
/// let mut acts = QuantizedActsMut::new(2, 2, None, &mut values, &mut scales, &mut sums)?;
/// reference::quantize(&[127.0, -2.0, 0.0, 254.0], 2, &mut acts)?;
/// let acts = acts.as_ref();
/// assert_eq!((&acts.token(0)[..3], acts.scales(0)), (&[127, -2, 0][..], &[1.0][..]));
/// assert_eq!((&acts.token(1)[..3], acts.scales(1)), (&[0, 127, 0][..], &[2.0][..]));
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
#[derive(Debug)]
pub struct QuantizedActsMut<'a> {
    tokens: usize,
    k: usize,
    group: Option<GroupSize>,
    values: &'a mut [i8],
    scales: &'a mut [f32],
    block_sums: &'a mut [i32],
}

/// The buffers of one token: values (padding included), scales, block sums.
///
/// ```
/// use trit_core::activations::TokenMut;
///
/// fn clear((values, scales, sums): TokenMut<'_>) {
///     values.fill(0);
///     scales.fill(0.0);
///     sums.fill(0);
/// }
/// let mut values = [3; 64];
/// clear((&mut values, &mut [0.5], &mut [96, 96]));
/// assert_eq!(values, [0; 64]);
/// ```
pub type TokenMut<'t> = (&'t mut [i8], &'t mut [f32], &'t mut [i32]);

impl<'a> QuantizedActsMut<'a> {
    /// Buffers of the lengths that [`values_len`], [`scales_len`] and [`sums_len`] give.
    ///
    /// ```
    /// use trit_core::QuantizedActsMut;
    /// use trit_core::activations::{scales_len, sums_len, values_len};
    ///
    /// let mut values = vec![0; values_len(5, 80)];
    /// let mut scales = vec![0.0; scales_len(5, 80, None)];
    /// let mut sums = vec![0; sums_len(5, 80)];
    /// let acts = QuantizedActsMut::new(5, 80, None, &mut values, &mut scales, &mut sums)?;
    /// assert_eq!((acts.tokens(), acts.k()), (5, 80));
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A dimension out of range or a buffer of the wrong length.
    pub fn new(
        tokens: usize,
        k: usize,
        group: Option<GroupSize>,
        values: &'a mut [i8],
        scales: &'a mut [f32],
        block_sums: &'a mut [i32],
    ) -> Result<Self, MatrixError> {
        check(tokens, k, group, values.len(), scales.len(), block_sums.len())?;
        Ok(Self { tokens, k, group, values, scales, block_sums })
    }

    /// Number of tokens.
    ///
    /// ```
    /// use trit_core::QuantizedActsMut;
    ///
    /// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
    /// let acts = QuantizedActsMut::new(2, 8, None, &mut values, &mut scales, &mut sums)?;
    /// assert_eq!(acts.tokens(), 2);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inputs of a token.
    ///
    /// ```
    /// use trit_core::QuantizedActsMut;
    ///
    /// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
    /// let acts = QuantizedActsMut::new(2, 8, None, &mut values, &mut scales, &mut sums)?;
    /// assert_eq!(acts.k(), 8);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Inputs that share a scale; `None` when a token has one scale.
    ///
    /// ```
    /// use trit_core::QuantizedActsMut;
    ///
    /// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
    /// let acts = QuantizedActsMut::new(2, 8, None, &mut values, &mut scales, &mut sums)?;
    /// assert_eq!(acts.group(), None);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub const fn group(&self) -> Option<GroupSize> {
        self.group
    }

    /// The buffers of each token in turn.
    ///
    /// ```
    /// use trit_core::QuantizedActsMut;
    ///
    /// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
    /// let mut acts = QuantizedActsMut::new(2, 8, None, &mut values, &mut scales, &mut sums)?;
    /// for (values, scales, sums) in acts.tokens_mut() {
    ///     assert_eq!((values.len(), scales.len(), sums.len()), (64, 1, 2));
    ///     (values[0], scales[0], sums[0]) = (5, 0.5, 5);
    /// }
    /// assert_eq!(acts.as_ref().block_sums(1), [5, 0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub fn tokens_mut(&mut self) -> impl Iterator<Item = TokenMut<'_>> {
        self.values
            .chunks_exact_mut(stride(self.k))
            .zip(self.scales.chunks_exact_mut(scales_len(1, self.k, self.group)))
            .zip(self.block_sums.chunks_exact_mut(sums_len(1, self.k)))
            .map(|((values, scales), sums)| (values, scales, sums))
    }

    /// What was written, for a kernel.
    ///
    /// ```
    /// use trit_core::QuantizedActsMut;
    ///
    /// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
    /// let acts = QuantizedActsMut::new(2, 8, None, &mut values, &mut scales, &mut sums)?;
    /// assert_eq!(acts.as_ref().token(1), [0; 64]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline]
    pub fn as_ref(&self) -> QuantizedActs<'_> {
        QuantizedActs {
            tokens: self.tokens,
            k: self.k,
            group: self.group,
            values: self.values,
            scales: self.scales,
            block_sums: self.block_sums,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2⁴⁴ values: more than 32 bits count, and no fewer for it.
    #[test]
    fn more_values_than_memory_are_refused() {
        let refused = QuantizedActs::new(MAX_TOKENS, MAX_TERNARY_K, None, &[], &[], &[]);
        let expected = values_len(MAX_TOKENS, MAX_TERNARY_K);
        assert_eq!(
            refused.unwrap_err(),
            MatrixError::Length { what: "quantised values", found: 0, expected }
        );
    }
}
