//! Int8 activations: what an activation quantiser writes and a kernel reads.

use crate::MAX_TERNARY_K;
use crate::error::{MatrixError, check_dimension, check_len};
use crate::scale::GroupSize;

/// Inputs of a block whose values are summed by the quantiser.
pub const BLOCK: usize = 32;

/// Tokens beyond this are refused.
const MAX_TOKENS: usize = 1 << 24;

/// Elements from one token to the next: k rounded up to 64.
#[inline]
pub const fn stride(k: usize) -> usize {
    k.next_multiple_of(64)
}

/// Number of int8 values of `tokens` tokens of `k` inputs; `usize::MAX`, which no buffer has, where
/// there are more than fit.
#[inline]
pub const fn values_len(tokens: usize, k: usize) -> usize {
    tokens.saturating_mul(stride(k))
}

/// Number of scales: one a token, or one a token and group; saturates as [`values_len`].
#[inline]
pub const fn scales_len(tokens: usize, k: usize, group: Option<GroupSize>) -> usize {
    match group {
        None => tokens,
        Some(size) => tokens.saturating_mul(k.div_ceil(size.inputs())),
    }
}

/// Number of block sums; saturates as [`values_len`].
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
    #[inline]
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inputs of a token.
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Elements from one token to the next.
    #[inline]
    pub const fn stride(&self) -> usize {
        stride(self.k)
    }

    /// Inputs that share a scale; `None` when a token has one scale.
    #[inline]
    pub const fn group(&self) -> Option<GroupSize> {
        self.group
    }

    /// The values of `token`, padding included.
    ///
    /// # Panics
    /// If `token` is out of range.
    #[inline]
    pub fn token(&self, token: usize) -> &'a [i8] {
        &self.values[token * self.stride()..][..self.stride()]
    }

    /// The scales of `token`.
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
    /// # Panics
    /// If `token` is out of range.
    #[inline]
    pub fn block_sums(&self, token: usize) -> &'a [i32] {
        let each = sums_len(1, self.k);
        &self.block_sums[token * each..][..each]
    }

    /// The tokens `range` alone.
    ///
    /// # Panics
    /// If the range is out of bounds.
    #[inline]
    #[must_use]
    pub fn slice(&self, range: core::ops::Range<usize>) -> Self {
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
pub type TokenMut<'t> = (&'t mut [i8], &'t mut [f32], &'t mut [i32]);

impl<'a> QuantizedActsMut<'a> {
    /// Buffers of the lengths that [`values_len`], [`scales_len`] and [`sums_len`] give.
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
    #[inline]
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inputs of a token.
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Inputs that share a scale; `None` when a token has one scale.
    #[inline]
    pub const fn group(&self) -> Option<GroupSize> {
        self.group
    }

    /// The buffers of each token in turn.
    #[inline]
    pub fn tokens_mut(&mut self) -> impl Iterator<Item = TokenMut<'_>> {
        self.values
            .chunks_exact_mut(stride(self.k))
            .zip(self.scales.chunks_exact_mut(scales_len(1, self.k, self.group)))
            .zip(self.block_sums.chunks_exact_mut(sums_len(1, self.k)))
            .map(|((values, scales), sums)| (values, scales, sums))
    }

    /// What was written, for a kernel.
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
