//! bitnet.cpp's I2_S: 2-bit codes `w + 1` of a whole tensor, then one f32 scale.
//!
//! Files of one name hold three layouts, by the machine and the options that wrote them, and do not
//! say which. The caller must.

use super::{ForeignError, weight_of, whole};
use crate::error::check_len;

/// Which of the three layouts a tensor `[rows, k]` is in.
///
/// ```
/// use trit_core::foreign::i2_s::{I2sLayout, read};
///
/// // 128 weights, all 0 but one, then the scale 1.0.
/// let mut tensor = [0b01_01_01_01; 36];
/// tensor[0] = 0b01_01_01_10;
/// tensor[32..].copy_from_slice(&1f32.to_le_bytes());
/// // The two lowest bits of byte 0 are another weight in each layout.
/// for (layout, index) in [(I2sLayout::Blocks128, 96), (I2sLayout::Blocks64, 48)] {
///     let mut codes = [0; 128];
///     read(layout, 1, 128, &tensor, &mut codes)?;
///     assert_eq!(codes.iter().position(|&code| code == 1), Some(index));
/// }
/// # Ok::<(), trit_core::foreign::ForeignError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum I2sLayout {
    /// 128 weights in 32 bytes: weight j in byte j mod 32, at bit 6 − 2·(j / 32). Written on x86.
    #[default]
    Blocks128,
    /// 64 weights in 16 bytes: weight j in byte j mod 16, at bit 6 − 2·(j / 16). Written on ARM.
    Blocks64,
    /// Four rows in a byte: column c of rows 4r … 4r + 3 in byte r·k + c, the first row at bit 6.
    Rows4,
}

/// Bytes of a tensor: the codes and the scale. Files pad this to 32 bytes more than the codes.
///
/// ```
/// use trit_core::foreign::i2_s::bytes;
///
/// assert_eq!(bytes(4, 128), Some(4 * 128 / 4 + 4));
/// assert_eq!(bytes(usize::MAX, 2), None);
/// ```
pub const fn bytes(rows: usize, k: usize) -> Option<usize> {
    match rows.checked_mul(k) {
        Some(weights) => (weights / 4).checked_add(4),
        None => None,
    }
}

/// Reads a tensor `[rows, k]` into row-major `codes`, −1, 0 or +1 each, and returns its scale.
///
/// ```
/// use trit_core::foreign::i2_s::{I2sLayout, read};
///
/// // Four rows of one column, the first at bit 6, and the scale.
/// let mut tensor = [0b10_01_00_01, 0, 0, 0, 0];
/// tensor[1..].copy_from_slice(&0.5f32.to_le_bytes());
/// let mut codes = [9; 4];
/// assert_eq!(read(I2sLayout::Rows4, 4, 1, &tensor, &mut codes)?, 0.5);
/// assert_eq!(codes, [1, 0, -1, 0]);
/// // Not whole blocks of 128.
/// assert!(read(I2sLayout::Blocks128, 4, 1, &tensor, &mut codes).is_err());
/// # Ok::<(), trit_core::foreign::ForeignError>(())
/// ```
///
/// # Errors
/// A shape that is not whole blocks, a buffer that does not fit, a code that is not ternary (often
/// a sign of the wrong layout), or a scale that is not finite.
pub fn read(
    layout: I2sLayout,
    rows: usize,
    k: usize,
    tensor: &[u8],
    codes: &mut [i8],
) -> Result<f32, ForeignError> {
    match layout {
        I2sLayout::Blocks128 => whole("k", k, 128)?,
        I2sLayout::Blocks64 => whole("k", k, 64)?,
        I2sLayout::Rows4 => whole("rows", rows, 4)?,
    }
    let needed = bytes(rows, k).unwrap_or(usize::MAX);
    check_len("codes", codes.len(), rows.saturating_mul(k))?;
    check_len("bytes", tensor.len(), needed)?;
    let (packed, scale) = tensor.split_at(needed - 4);
    let scale = f32::from_le_bytes([scale[0], scale[1], scale[2], scale[3]]);
    if !scale.is_finite() {
        return Err(ForeignError::Scale { block: 0 });
    }
    let blocks = |index: usize, len: usize| {
        let (block, j) = (index / len, index % len);
        (block * len / 4 + j % (len / 4), 6 - 2 * (j / (len / 4)))
    };
    for (index, code) in codes.iter_mut().enumerate() {
        let (byte, shift) = match layout {
            I2sLayout::Blocks128 => blocks(index, 128),
            I2sLayout::Blocks64 => blocks(index, 64),
            I2sLayout::Rows4 => {
                let (row, column) = (index / k, index % k);
                (row / 4 * k + column, 6 - 2 * (row % 4))
            }
        };
        *code = weight_of(packed[byte] >> shift & 3, index)?;
    }
    Ok(scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn tensor(codes: usize, byte: usize, value: u8) -> Vec<u8> {
        let mut bytes = vec![0b01_01_01_01; codes / 4];
        bytes[byte] = value;
        bytes.extend(0.25f32.to_le_bytes());
        bytes
    }

    fn nonzero(codes: &[i8]) -> Vec<(usize, i8)> {
        codes.iter().enumerate().filter(|(_, c)| **c != 0).map(|(i, c)| (i, *c)).collect()
    }

    #[test]
    fn three_layouts_of_one_byte() {
        let mut codes = vec![0; 512];
        let bytes = tensor(512, 33, 0b10_00_01_10);
        let scale = read(I2sLayout::Blocks128, 4, 128, &bytes, &mut codes).unwrap();
        assert_eq!((scale, nonzero(&codes)), (0.25, vec![(129, 1), (161, -1), (225, 1)]));
        read(I2sLayout::Blocks64, 4, 128, &bytes, &mut codes).unwrap();
        assert_eq!(nonzero(&codes), [(129, 1), (145, -1), (177, 1)]);
        read(I2sLayout::Rows4, 4, 128, &bytes, &mut codes).unwrap();
        assert_eq!(nonzero(&codes), [(33, 1), (128 + 33, -1), (3 * 128 + 33, 1)]);
    }

    #[test]
    fn bad_tensors_are_refused() {
        let mut codes = vec![0; 512];
        let bytes = tensor(512, 0, 0b11_01_01_01);
        let error = read(I2sLayout::Blocks128, 4, 128, &bytes, &mut codes);
        assert_eq!(error, Err(ForeignError::NotTernary { index: 0, weight: 2 }));
        let error = read(I2sLayout::Blocks128, 8, 64, &bytes, &mut codes);
        assert!(matches!(error, Err(ForeignError::NotWhole { what: "k", .. })));
        let error = read(I2sLayout::Rows4, 4, 128, &bytes[1..], &mut codes);
        assert!(matches!(error, Err(ForeignError::Shape(_))));
    }
}
