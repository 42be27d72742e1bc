//! exp, erf and log₁₀ in single precision, from separately rounded operations only, and 2⁻ˣ in 16 bits.
//!
//! The polynomials are minimax fits made for these intervals (iteratively reweighted least squares
//! in double precision). Every function is free of branches, so it vectorises, and gives the same
//! bits on every target.

/// Adding and subtracting 1.5·2²³ rounds |x| < 2²² to the nearest integer, ties to even.
const ROUND: f32 = 12_582_912.0;

/// eˣ within 2 ULP (0.91 seen) for x in [−87, 88]; arguments outside are clamped to that interval.
///
/// ```
/// use trit_core::reference::math::exp;
///
/// assert_eq!(exp(0.0), 1.0);
/// assert!((exp(1.0) - std::f32::consts::E).abs() < 1e-6);
/// // Clamped, so never 0 and never infinite.
/// assert_eq!(exp(f32::INFINITY), exp(88.0));
/// assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
/// ```
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // ln 2 in two parts; the first has few enough bits that n times it is exact for |n| < 2⁹.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let rounded = x * core::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.991_471_2e-4;
    p = p * r + 1.394_631e-3;
    p = p * r + 8.333_271e-3;
    p = p * r + 4.166_626_6e-2;
    p = p * r + 0.166_666_67;
    p = p * r + 0.5;
    let fraction = 1.0 + (r + (r * r) * p);
    // The low bits of `rounded` hold n, in [−126, 127], so 2ⁿ is normal.
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    let power = f32::from_bits(exponent << 23);
    fraction * power
}

/// `a·b / 2¹⁵`, rounded half up: `pmulhrsw`, or `sqrdmulh` for a·b < 2³⁰.
///
/// ```
/// use trit_core::reference::math::multiply_q15;
///
/// assert_eq!(multiply_q15(1 << 14, 1 << 14), 1 << 13);
/// // Half up: 0.5 becomes 1, and -0.5 becomes 0.
/// assert_eq!([multiply_q15(1, 1 << 14), multiply_q15(-1, 1 << 14)], [1, 0]);
/// ```
#[inline(always)]
pub const fn multiply_q15(a: i16, b: i16) -> i16 {
    ((((a as i32 * b as i32) >> 14) + 1) >> 1) as i16
}

/// A minimax fit of 2⁻ᶠ for 0 ≤ f < 1 by powers of f, in units of 2⁻¹⁵: from 32,766 down to 16,431.
pub const EXP2_FIT: [i16; 4] = [32_766, -22_620, 7_460, -1_220];

/// `2^(−below / 256)` in units of 2⁻¹⁴, for `below` from 0 to 4095: 16,383 at most and 0 from 15 octaves on.
///
/// Within 0.02 % and half a unit.
///
/// ```
/// use trit_core::reference::math::exp2_q14;
///
/// // 1, a half, a quarter of 2¹⁴, the first one short.
/// assert_eq!([0, 256, 512].map(exp2_q14), [16_383, 8192, 4096]);
/// assert_eq!(exp2_q14(15 * 256), 0);
/// ```
#[inline(always)]
pub const fn exp2_q14(below: u16) -> i16 {
    let f = ((below & 0xFF) << 7) as i16;
    let power = EXP2_FIT[2] + multiply_q15(f, EXP2_FIT[3]);
    let power = EXP2_FIT[0] + multiply_q15(f, EXP2_FIT[1] + multiply_q15(f, power));
    multiply_q15(power, 0x4000 >> (below >> 8))
}

/// The error function within 4·10⁻⁷ absolute and 8 ULP (6.6 seen, all floats tried): x·P(x²) / Q(x²).
///
/// Two polynomials and a division are half the operations of a polynomial near 0 beside an exponential
/// for the rest.
///
/// ```
/// use trit_core::reference::math::erf;
///
/// assert_eq!(erf(0.0), 0.0);
/// assert_eq!([erf(5.0), erf(f32::NEG_INFINITY)], [1.0, -1.0]);
/// assert!((erf(-1.0) + 0.842_700_8).abs() < 4e-7);
/// ```
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    // From here on it is 1 in single precision, and the quotient is 1 here.
    const ONE: f32 = 3.915;
    let x = if x < -ONE { -ONE } else { x };
    let x = if x > ONE { ONE } else { x };
    let s = x * x;
    let mut p = 3.153_342_5e-8;
    p = p * s - 3.204_819_7e-6;
    p = p * s + 2.430_204_8e-4;
    p = p * s + 6.584_335e-3;
    p = p * s + 8.501_568_4e-2;
    p = p * s + 0.341_754_05;
    p = p * s + 1.861_825_1;
    let mut q = 1.684_810_8e-3;
    q = q * s + 2.468_058_3e-2;
    q = q * s + 0.194_650_64;
    q = q * s + 0.852_868;
    q = q * s + 1.649_999_7;
    (x * p) / q
}

/// log₁₀ of a positive normal number, within 2·10⁻⁷ absolute plus 2 ULP (0.8 of it seen).
///
/// ```
/// use trit_core::reference::math::log10;
///
/// assert_eq!(log10(1.0), 0.0);
/// assert!((log10(1000.0) - 3.0).abs() < 1e-6);
/// assert!((log10(1e-10) + 10.0).abs() < 4e-6);
/// ```
#[inline(always)]
pub fn log10(x: f32) -> f32 {
    const LOG10_2: f32 = core::f32::consts::LOG10_2;
    // x = m · 2ᵉ with m in [√½, √2): the offset moves the exponent step to √½.
    const SQRT_HALF: i32 = 0x3F35_04F3;
    let bits = x.to_bits() as i32;
    let e = (bits.wrapping_sub(SQRT_HALF)) >> 23;
    let m = f32::from_bits((bits.wrapping_sub(e << 23)) as u32);
    let f = m - 1.0;
    let mut p = 6.912_967e-2;
    p = p * f - 0.117_889_45;
    p = p * f + 0.118_735_34;
    p = p * f - 0.123_845_21;
    p = p * f + 0.142_186_1;
    p = p * f - 0.166_692_4;
    p = p * f + 0.200_022_28;
    p = p * f - 0.249_999_87;
    p = p * f + 0.333_333_1;
    let s = f * f;
    let ln = f + (s * f * p - 0.5 * s);
    ln * core::f32::consts::LOG10_E + e as f32 * LOG10_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(value: f32, exact: f64) -> f64 {
        let ulp = f64::from(f32::from_bits((exact.abs() as f32).to_bits() + 1))
            - f64::from(exact.abs() as f32);
        ((f64::from(value) - exact) / ulp).abs()
    }

    #[test]
    fn exp_is_within_two_ulp() {
        let mut worst = 0.0f64;
        for step in -870_000..=880_000 {
            let x = step as f32 * 1e-4;
            worst = worst.max(ulps(exp(x), libm::exp(f64::from(x))));
        }
        assert!(worst <= 2.0, "{worst} ULP");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e30), exp(-87.0));
        assert_eq!(exp(1e30), exp(88.0));
    }

    #[test]
    fn erf_is_within_its_bound() {
        let mut worst = 0.0f64;
        for step in -600_000..=600_000 {
            let x = step as f32 * 1e-5;
            worst = worst.max((f64::from(erf(x)) - libm::erf(f64::from(x))).abs());
        }
        assert!(worst <= 4e-7, "{worst}");
        assert_eq!(erf(0.0), 0.0);
        // Where arguments begin to be cut.
        assert_eq!([3.915, -3.915, 3.915_000_2].map(erf), [1.0, -1.0, 1.0]);
        assert_eq!(erf(-1e30), -1.0);
        assert_eq!(erf(7.0), 1.0);
    }

    #[test]
    fn log10_is_within_its_bound() {
        for exponent in -126..=127 {
            for step in 0..1000 {
                let x = (1.0 + step as f32 / 1000.0) * 2f32.powi(exponent);
                let exact = libm::log10(f64::from(x));
                let error = (f64::from(log10(x)) - exact).abs();
                assert!(error <= 2e-7 + exact.abs() * 2.4e-7, "{x}: {error}");
            }
        }
        assert_eq!(log10(1.0), 0.0);
    }
}
