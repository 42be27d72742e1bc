//! The activation quantiser, as `trit_core::reference::quantize`.

use trit_core::activations::BLOCK;
use trit_core::{QuantizeError, QuantizedActsMut};

use crate::arch::Isa;

/// Adding 1.5·2²³ to |x| ≤ 127 rounds it half to even and leaves the integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Bits of infinity: |x| with bits at or above is not finite.
const INFINITY_BITS: u32 = 0x7F80_0000;

/// Quantises; `x` is long enough for all tokens.
#[inline(always)]
pub(crate) fn quantize<I: Isa>(
    isa: I,
    x: &[f32],
    x_stride: usize,
    out: &mut QuantizedActsMut<'_>,
) -> Result<(), QuantizeError> {
    let k = out.k();
    let part = out.group().map_or(k, |group| group.inputs());
    for (token, (values, scales, sums)) in out.tokens_mut().enumerate() {
        let x = &x[token * x_stride..][..k];
        let finite = isa.vectorize(
            #[inline(always)]
            || token_body(x, part, values, scales, sums),
        );
        if !finite {
            let index = x.iter().position(|x| !x.is_finite()).unwrap_or(0);
            return Err(QuantizeError::NonFinite { token, index });
        }
    }
    Ok(())
}

/// One token; false if a value is not finite.
#[inline(always)]
fn token_body(
    x: &[f32],
    part: usize,
    values: &mut [i8],
    scales: &mut [f32],
    sums: &mut [i32],
) -> bool {
    for ((x, values), scale) in x.chunks(part).zip(values.chunks_mut(part)).zip(scales) {
        // Magnitudes order as their bits do, and NaN lies above infinity.
        let bits = x.iter().fold(0u32, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF));
        if bits >= INFINITY_BITS {
            return false;
        }
        *scale = f32::from_bits(bits) / 127.0;
        if *scale > 0.0 {
            for (value, &x) in values.iter_mut().zip(x) {
                let q = x / *scale;
                let q = if q > 127.0 { 127.0 } else { q };
                let q = if q < -127.0 { -127.0 } else { q };
                *value = ((q + ROUND).to_bits() as i32 - ROUND.to_bits() as i32) as i8;
            }
        } else {
            values[..x.len()].fill(0);
        }
    }
    values[x.len()..].fill(0);
    for (sum, values) in sums.iter_mut().zip(values.chunks_exact(BLOCK)) {
        *sum = values.iter().map(|&value| i32::from(value)).sum();
    }
    true
}
