//! The activation quantiser.

use crate::QuantizedActsMut;
use crate::activations::BLOCK;
use crate::error::{QuantizeError, check_len};

/// Quantises tokens of `k` floats to int8, one scale per token or per token and group.
///
/// Token t starts at `x[t · x_stride]`; a stride below k makes overlapping patches. scale =
/// absmax / 127; value = x / scale rounded half to even and clamped to ±127. A part whose scale is
/// 0 (all zeros, or so small that absmax / 127 rounds to 0) becomes zeros.
///
/// A value times its scale is within (½ + 2⁻¹⁵)·scale of x, as long as the scale is a normal number;
/// the 2⁻¹⁵ is what rounding the scale and the quotient adds near ±127.
///
/// ```
/// use trit_core::{QuantizeError, QuantizedActsMut, reference};
///
/// // Two tokens of two inputs that overlap by one: [127, -1.5] and [-1.5, 254].
/// let (mut values, mut scales, mut sums) = ([0; 128], [0.0; 2], [0; 4]);
/// let mut acts = QuantizedActsMut::new(2, 2, None, &mut values, &mut scales, &mut sums)?;
/// reference::quantize(&[127.0, -1.5, 254.0], 1, &mut acts)?;
/// let read = acts.as_ref();
/// assert_eq!([&read.token(0)[..2], &read.token(1)[..2]], [[127, -2], [-1, 127]]);
/// assert_eq!([read.scales(0), read.scales(1)], [[1.0], [2.0]]);
/// assert_eq!(read.block_sums(0), [125, 0]);
///
/// let error = reference::quantize(&[1.0, 2.0, f32::NAN], 1, &mut acts);
/// assert_eq!(error, Err(QuantizeError::NonFinite { token: 1, index: 1 }));
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// [`QuantizeError::NonFinite`] names the first value that is NaN or infinite; the outputs are then
/// unspecified. `x` too short is a shape error.
pub fn quantize(
    x: &[f32],
    x_stride: usize,
    out: &mut QuantizedActsMut<'_>,
) -> Result<(), QuantizeError> {
    let (tokens, k) = (out.tokens(), out.k());
    let needed = (tokens - 1).saturating_mul(x_stride).saturating_add(k);
    if x.len() < needed {
        check_len("activations", x.len(), needed)?;
    }
    let part = out.group().map_or(k, |group| group.inputs());
    for (token, (values, scales, sums)) in out.tokens_mut().enumerate() {
        let x = &x[token * x_stride..][..k];
        if let Some(index) = x.iter().position(|x| !x.is_finite()) {
            return Err(QuantizeError::NonFinite { token, index });
        }
        values.fill(0);
        for ((x, values), scale) in x.chunks(part).zip(values.chunks_mut(part)).zip(scales) {
            let absmax = x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            *scale = absmax / 127.0;
            if *scale > 0.0 {
                for (value, x) in values.iter_mut().zip(x) {
                    *value = libm::rintf(x / *scale).clamp(-127.0, 127.0) as i8;
                }
            }
        }
        for (sum, values) in sums.iter_mut().zip(values.chunks_exact(BLOCK)) {
            *sum = values.iter().map(|&value| i32::from(value)).sum();
        }
    }
    Ok(())
}
