//! The packing of BitNet models on Hugging Face: uint8 `[rows / 4, k]`.
//!
//! Bits 2i..2i+1 of packed row r hold the code `w + 1` of output row `r + i · (rows / 4)`. The one
//! scale of the tensor, `weight_scale`, means the opposite in the two kinds of checkpoint.

use super::{ForeignError, weight_of, whole};
use crate::error::check_len;

/// What a checkpoint's `weight_scale` means.
///
/// ```
/// use trit_core::foreign::bitnet::ScaleConvention;
///
/// // The same number in a file, and what codes are multiplied with.
/// assert_eq!(ScaleConvention::Multiplies.scale(4.0)?, 4.0);
/// assert_eq!(ScaleConvention::Divides.scale(4.0)?, 0.25);
/// # Ok::<(), trit_core::foreign::ForeignError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleConvention {
    /// The output is multiplied by it: `linear_class: autobitlinear`.
    Multiplies,
    /// The output is divided by it: plain `quant_method: bitnet`.
    Divides,
}

impl ScaleConvention {
    /// The scale to multiply codes with.
    ///
    /// ```
    /// use trit_core::foreign::bitnet::ScaleConvention;
    ///
    /// assert_eq!(ScaleConvention::Multiplies.scale(0.0)?, 0.0);
    /// assert!(ScaleConvention::Divides.scale(0.0).is_err());
    /// assert!(ScaleConvention::Divides.scale(f32::INFINITY).is_err());
    /// # Ok::<(), trit_core::foreign::ForeignError>(())
    /// ```
    ///
    /// # Errors
    /// The scale is not finite, or is so small where it divides that its reciprocal is not.
    pub fn scale(self, weight_scale: f32) -> Result<f32, ForeignError> {
        let scale = match self {
            Self::Multiplies => weight_scale,
            Self::Divides => 1.0 / weight_scale,
        };
        if weight_scale.is_finite() && scale.is_finite() {
            Ok(scale)
        } else {
            Err(ForeignError::Scale { block: 0 })
        }
    }
}

/// Reads a packed matrix into row-major `codes` `[rows, k]`, −1, 0 or +1 each.
///
/// ```
/// use trit_core::foreign::bitnet;
///
/// // Eight rows of one input in two bytes: byte 0 holds rows 0, 2, 4 and 6, the first lowest.
/// let mut codes = [9; 8];
/// bitnet::read(8, 1, &[0b01_10_00_01, 0b01_01_01_10], &mut codes)?;
/// assert_eq!(codes, [0, 1, -1, 0, 1, 0, 0, 0]);
/// # Ok::<(), trit_core::foreign::ForeignError>(())
/// ```
///
/// # Errors
/// `rows` is not a multiple of 4, a buffer does not fit, or a code is not ternary.
pub fn read(rows: usize, k: usize, packed: &[u8], codes: &mut [i8]) -> Result<(), ForeignError> {
    whole("rows", rows, 4)?;
    check_len("codes", codes.len(), rows.saturating_mul(k))?;
    check_len("bytes", packed.len(), (rows / 4).saturating_mul(k))?;
    for (index, code) in codes.iter_mut().enumerate() {
        let (row, column) = (index / k, index % k);
        let (field, packed_row) = (row / (rows / 4), row % (rows / 4));
        *code = weight_of(packed[packed_row * k + column] >> (2 * field) & 3, index)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_a_quarter_of_the_rows_apart() {
        let mut codes = [9; 8 * 2];
        let packed = [0b01_01_01_01, 0b01_01_01_01, 0b10_01_00_01, 0b01_01_01_01];
        read(8, 2, &packed, &mut codes).unwrap();
        let mut expected = [0; 16];
        // Packed row 1, column 0: rows 1, 3, 5, 7.
        expected[3 * 2] = -1;
        expected[7 * 2] = 1;
        assert_eq!(codes, expected);
    }

    #[test]
    fn both_scale_conventions() {
        assert_eq!(ScaleConvention::Multiplies.scale(0.5), Ok(0.5));
        assert_eq!(ScaleConvention::Divides.scale(0.5), Ok(2.0));
        assert_eq!(ScaleConvention::Divides.scale(0.0), Err(ForeignError::Scale { block: 0 }));
    }

    #[test]
    fn code_three_is_refused() {
        let error = read(4, 1, &[0b11_01_01_01], &mut [0; 4]);
        assert_eq!(error, Err(ForeignError::NotTernary { index: 3, weight: 2 }));
    }
}
