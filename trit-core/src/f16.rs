//! IEEE half precision, as bits: exact widening, and narrowing rounded half to even.

/// The value of the half-precision number with these bits; exact, NaN payloads kept.
///
/// ```
/// use trit_core::f16;
///
/// assert_eq!(f16::to_f32(0x3C00), 1.0);
/// assert_eq!(f16::to_f32(0xC000), -2.0);
/// // The largest number, the smallest above 0, and what lies beyond.
/// assert_eq!(f16::to_f32(0x7BFF), 65_504.0);
/// assert_eq!(f16::to_f32(0x0001), 2f32.powi(-24));
/// assert_eq!(f16::to_f32(0x7C00), f32::INFINITY);
/// ```
#[inline]
pub const fn to_f32(bits: u16) -> f32 {
    let sign = (bits as u32 & 0x8000) << 16;
    let exponent = bits as u32 >> 10 & 0x1F;
    let mantissa = bits as u32 & 0x3FF;
    let magnitude = match exponent {
        // Subnormal: mantissa · 2⁻²⁴, exact in single precision.
        0 => (mantissa as f32 * f32::from_bits(0x3380_0000)).to_bits(),
        31 => 0x7F80_0000 | mantissa << 13,
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// The half-precision bits nearest to `value`, ties to even; too large becomes infinity.
///
/// ```
/// use trit_core::f16;
///
/// assert_eq!(f16::from_f32(1.0), 0x3C00);
/// // Between 2048 and 4096 only even numbers exist; ties go to the even mantissa.
/// assert_eq!(f16::to_f32(f16::from_f32(2049.0)), 2048.0);
/// assert_eq!(f16::to_f32(f16::from_f32(2051.0)), 2052.0);
/// // 65520 is half way to 65536, which there is no room for.
/// assert_eq!(f16::from_f32(65_519.0), 0x7BFF);
/// assert_eq!(f16::from_f32(65_520.0), 0x7C00);
/// ```
#[inline]
pub const fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > 0x7F80_0000 {
        return sign | 0x7E00;
    }
    // Rounded to 65536 or above, where half precision ends: 65520 is the tie.
    if magnitude >= 0x477F_F000 {
        return sign | 0x7C00;
    }
    if magnitude < 0x3880_0000 {
        // Below 2⁻¹⁴ a half is subnormal, a multiple of 2⁻²⁴. Adding 0.5 lines the sum's last bit
        // up with 2⁻²⁴, so the addition itself rounds half to even.
        let sum = f32::from_bits(magnitude) + 0.5;
        return sign | (sum.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let even = magnitude >> 13 & 1;
    let rounded = magnitude + 0xFFF + even;
    sign | ((rounded >> 13) - (112 << 10)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_round_trip() {
        for bits in 0..=u16::MAX {
            let value = to_f32(bits);
            if value.is_nan() {
                assert!(to_f32(from_f32(value)).is_nan());
            } else {
                assert_eq!(from_f32(value), bits, "{value}");
            }
        }
    }

    #[test]
    fn narrowing_rounds_half_to_even() {
        assert_eq!(from_f32(1.0 + 1.0 / 2048.0), 0x3C00);
        assert_eq!(from_f32(1.0 + 3.0 / 2048.0), 0x3C02);
        assert_eq!(from_f32(65519.996), 0x7BFF);
        assert_eq!(from_f32(65520.0), 0x7C00);
        assert_eq!(from_f32(-1e9), 0xFC00);
        assert_eq!(from_f32(2f32.powi(-25)), 0);
        assert_eq!(from_f32(2f32.powi(-25) * 1.5), 1);
        assert_eq!(from_f32(6.103_515_6e-5), 0x0400);
    }

    #[test]
    fn known_values() {
        assert_eq!(to_f32(0x3C00), 1.0);
        assert_eq!(to_f32(0xC000), -2.0);
        assert_eq!(to_f32(0x0001), 5.960_464_5e-8);
        assert_eq!(to_f32(0x7BFF), 65504.0);
        assert_eq!(to_f32(0x7C00), f32::INFINITY);
    }
}
