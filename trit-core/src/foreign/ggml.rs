//! Blocks of ggml tensors.
//!
//! A tensor is a sequence of blocks along its rows; every block carries its scale. Nibbles and
//! crumbs of a block are interleaved, not consecutive:
//!
//! ```text
//! q4_0   f16 d │ 16 bytes                  w[j] = (lo(b[j]) − 8)·d, w[j+16] = (hi(b[j]) − 8)·d
//! q4_1   f16 d │ f16 m │ 16 bytes          w[j] = lo(b[j])·d + m, w[j+16] = hi(b[j])·d + m
//! q5_0   f16 d │ u32 h │ 16 bytes          as q4_0, bit j (j+16) of h is bit 4, − 16
//! q5_1   f16 d │ f16 m │ u32 h │ 16 bytes  as q4_1, bit j (j+16) of h is bit 4
//! q8_0   f16 d │ 32 × i8                   w[j] = b[j]·d
//! q2_0   f16 d │ 16 bytes                  64 weights, w[j] = ((b[j/4] >> 2·(j mod 4) & 3) − 1)·d
//! tq1_0  48 bytes │ 4 bytes │ f16 d        256 weights, five (then four) base-3 digits a byte
//! tq2_0  64 bytes │ f16 d                  w[128g + 32l + m] = ((b[32g + m] >> 2l & 3) − 1)·d
//! ```

use super::{ForeignError, whole};
use crate::error::check_len;
use crate::f16;
use crate::layout::{self, Layout};

/// Type of a ggml tensor.
///
/// ```
/// use trit_core::foreign::ggml::GgmlType;
///
/// // A block of 32 weights: the scale in two bytes, and 4 bits each.
/// let kind = GgmlType::new(2).unwrap();
/// assert_eq!((kind.name(), kind.block_len(), kind.block_bytes()), ("q4_0", 32, 2 + 16));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are ggml's own")]
pub enum GgmlType {
    F32,
    F16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Tq1_0,
    Tq2_0,
    Q2_0,
}

impl GgmlType {
    /// The type with ggml's `number`, if it is one of these.
    ///
    /// ```
    /// use trit_core::foreign::ggml::GgmlType;
    ///
    /// assert_eq!(GgmlType::new(8), Some(GgmlType::Q8_0));
    /// assert_eq!(GgmlType::new(4), None);
    /// ```
    pub const fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            34 => Self::Tq1_0,
            35 => Self::Tq2_0,
            42 => Self::Q2_0,
            _ => return None,
        })
    }

    /// ggml's name of the type.
    ///
    /// ```
    /// use trit_core::foreign::ggml::GgmlType;
    ///
    /// assert_eq!(GgmlType::Tq2_0.name(), "tq2_0");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
            Self::Tq1_0 => "tq1_0",
            Self::Tq2_0 => "tq2_0",
            Self::Q2_0 => "q2_0",
        }
    }

    /// Weights of a block.
    ///
    /// ```
    /// use trit_core::foreign::ggml::GgmlType;
    ///
    /// assert_eq!(GgmlType::F16.block_len(), 1);
    /// assert_eq!(GgmlType::Q2_0.block_len(), 64);
    /// ```
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q2_0 => 64,
            Self::Tq1_0 | Self::Tq2_0 => 256,
        }
    }

    /// Bytes of a block.
    ///
    /// ```
    /// use trit_core::foreign::ggml::GgmlType;
    ///
    /// assert_eq!(GgmlType::Q8_0.block_bytes(), 2 + 32);
    /// assert_eq!(GgmlType::Tq2_0.block_bytes(), 64 + 2);
    /// ```
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2_0 => 18,
            Self::Tq1_0 => 54,
            Self::Tq2_0 => 66,
        }
    }

    /// Bytes of `elements` weights, or `None` where they are not whole blocks or that overflows.
    ///
    /// ```
    /// use trit_core::foreign::ggml::GgmlType;
    ///
    /// assert_eq!(GgmlType::Q4_0.bytes(64), Some(2 * 18));
    /// assert_eq!(GgmlType::Q4_0.bytes(65), None);
    /// ```
    pub const fn bytes(self, elements: usize) -> Option<usize> {
        if elements.is_multiple_of(self.block_len()) {
            (elements / self.block_len()).checked_mul(self.block_bytes())
        } else {
            None
        }
    }

    /// Whether the weights are trits with a scale.
    ///
    /// ```
    /// use trit_core::foreign::ggml::GgmlType;
    ///
    /// assert!(GgmlType::Tq1_0.is_ternary() && !GgmlType::Q4_0.is_ternary());
    /// ```
    pub const fn is_ternary(self) -> bool {
        matches!(self, Self::Tq1_0 | Self::Tq2_0 | Self::Q2_0)
    }
}

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::to_f32(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn check(kind: GgmlType, bytes: &[u8], weights: usize) -> Result<(), ForeignError> {
    whole("the number of weights", weights, kind.block_len())?;
    check_len("bytes", bytes.len(), kind.bytes(weights).unwrap_or(usize::MAX))?;
    Ok(())
}

/// Dequantises whole blocks into f32: each weight is one product, and one addition where the
/// format has an offset. Ternary blocks with a code +2 come out as twice the scale, as in ggml.
///
/// ```
/// use trit_core::foreign::ggml::{GgmlType, dequantize};
///
/// // The scale 0.5 in half precision, then 32 bytes.
/// let mut block = [3; 34];
/// block[..3].copy_from_slice(&[0x00, 0x38, -2i8 as u8]);
/// let mut weights = [0.0; 32];
/// dequantize(GgmlType::Q8_0, &block, &mut weights)?;
/// assert_eq!(weights[..3], [-1.0, 1.5, 1.5]);
/// # Ok::<(), trit_core::foreign::ForeignError>(())
/// ```
///
/// # Errors
/// The buffers are not the same whole number of blocks.
pub fn dequantize(kind: GgmlType, bytes: &[u8], weights: &mut [f32]) -> Result<(), ForeignError> {
    check(kind, bytes, weights.len())?;
    // Floats all at once, so that they are widened in vectors: heads have tens of millions.
    let blocks = if kind.block_len() == 1 { weights.len().max(1) } else { 1 };
    let (block_bytes, block_len) = (blocks * kind.block_bytes(), blocks * kind.block_len());
    for (b, w) in bytes.chunks_exact(block_bytes).zip(weights.chunks_exact_mut(block_len)) {
        match kind {
            GgmlType::F32 => {
                for (w, b) in w.iter_mut().zip(b.as_chunks().0) {
                    *w = f32::from_le_bytes(*b);
                }
            }
            GgmlType::F16 => {
                for (w, b) in w.iter_mut().zip(b.as_chunks().0) {
                    *w = f16::to_f32(u16::from_le_bytes(*b));
                }
            }
            GgmlType::Q4_0 | GgmlType::Q5_0 => {
                let (at, offset) = if kind == GgmlType::Q4_0 { (2, 8) } else { (6, 16) };
                for (j, w) in w.iter_mut().enumerate() {
                    *w = (nibble(&b[2..], at - 2, j) as i32 - offset) as f32 * half(b, 0);
                }
            }
            GgmlType::Q4_1 | GgmlType::Q5_1 => {
                let at = if kind == GgmlType::Q4_1 { 0 } else { 4 };
                for (j, w) in w.iter_mut().enumerate() {
                    *w = nibble(&b[4..], at, j) as f32 * half(b, 0) + half(b, 2);
                }
            }
            GgmlType::Q8_0 => {
                for (w, &q) in w.iter_mut().zip(&b[2..]) {
                    *w = f32::from(q as i8) * half(b, 0);
                }
            }
            GgmlType::Tq1_0 | GgmlType::Tq2_0 | GgmlType::Q2_0 => {
                let scale = ternary_scale(kind, b);
                for (j, w) in w.iter_mut().enumerate() {
                    *w = (f32::from(ternary_code(kind, b, j)) - 1.0) * scale;
                }
            }
        }
    }
    Ok(())
}

/// Weight `j` of 32: a nibble of the 16 bytes at `at`, with its fifth bit from the u32 before them
/// where there is one (`at` is 4).
fn nibble(b: &[u8], at: usize, j: usize) -> u32 {
    let byte = b[at + j % 16];
    let low = u32::from(if j < 16 { byte & 15 } else { byte >> 4 });
    if at == 0 {
        return low;
    }
    let high = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    low | (high >> j & 1) << 4
}

fn ternary_scale(kind: GgmlType, b: &[u8]) -> f32 {
    half(b, if kind == GgmlType::Q2_0 { 0 } else { b.len() - 2 })
}

/// Code of weight `j` of a ternary block.
fn ternary_code(kind: GgmlType, b: &[u8], j: usize) -> u8 {
    match kind {
        GgmlType::Q2_0 => b[2 + j / 4] >> (2 * (j % 4)) & 3,
        GgmlType::Tq2_0 => b[32 * (j / 128) + j % 32] >> (2 * (j % 128 / 32)) & 3,
        _ => {
            // Bytes of base-3 digits as T5 has them, most significant digit first.
            let (byte, digit) = match j {
                0..160 => (b[j % 32], j / 32),
                160..240 => (b[32 + (j - 160) % 16], (j - 160) / 16),
                _ => (b[48 + (j - 240) % 4], (j - 240) / 4),
            };
            Layout::T5.code(byte, digit)
        }
    }
}

/// Reads whole ternary blocks exactly: `codes` gets −1, 0 or +1 a weight and `scales` one scale a
/// block, widened from half precision.
///
/// ```
/// use trit_core::foreign::ForeignError;
/// use trit_core::foreign::ggml::{GgmlType, ternary};
///
/// // The scale 0.5 in half precision, then 64 weights, the first in the lowest bits.
/// let mut block = [0b10_01_00_01; 18];
/// block[..2].copy_from_slice(&[0x00, 0x38]);
/// let (mut codes, mut scales) = ([9; 64], [0.0]);
/// ternary(GgmlType::Q2_0, &block, &mut codes, &mut scales)?;
/// assert_eq!((&codes[..4], scales), (&[0, -1, 0, 1][..], [0.5]));
///
/// block[17] = 0b11_01_01_01;
/// let error = ternary(GgmlType::Q2_0, &block, &mut codes, &mut scales);
/// assert_eq!(error, Err(ForeignError::NotTernary { index: 63, weight: 2 }));
/// # Ok::<(), trit_core::foreign::ForeignError>(())
/// ```
///
/// # Errors
/// The type is not ternary, a buffer does not fit, a code is +2, or a scale is not finite.
pub fn ternary(
    kind: GgmlType,
    bytes: &[u8],
    codes: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ForeignError> {
    if !kind.is_ternary() {
        return Err(ForeignError::Dense);
    }
    check(kind, bytes, codes.len())?;
    check_len("scales", scales.len(), codes.len() / kind.block_len())?;
    for (block, ((b, codes), scale)) in bytes
        .chunks_exact(kind.block_bytes())
        .zip(codes.chunks_exact_mut(kind.block_len()))
        .zip(scales)
        .enumerate()
    {
        *scale = ternary_scale(kind, b);
        if !scale.is_finite() {
            return Err(ForeignError::Scale { block });
        }
        let weight = |code: u8| code.cast_signed() - 1;
        if kind == GgmlType::Q2_0 {
            for (weights, &byte) in codes.as_chunks_mut().0.iter_mut().zip(&b[2..]) {
                *weights = [0, 2, 4, 6].map(|shift| weight(byte >> shift & 3));
            }
        } else {
            for (j, code) in codes.iter_mut().enumerate() {
                *code = weight(ternary_code(kind, b, j));
            }
        }
        if let Some(j) = layout::first(codes, |&weight| weight > 1) {
            let index = block * kind.block_len() + j;
            return Err(ForeignError::NotTernary { index, weight: codes[j] });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// d = 0.5 as little-endian half precision.
    const HALF: [u8; 2] = [0x00, 0x38];

    fn read(kind: GgmlType, bytes: &[u8]) -> Vec<f32> {
        let mut weights = vec![9.0; kind.block_len()];
        dequantize(kind, bytes, &mut weights).unwrap();
        weights
    }

    #[test]
    fn q4_0_halves_are_16_apart() {
        let mut b = HALF.to_vec();
        b.extend([0x88; 16]);
        b[2 + 3] = 0xF1;
        let w = read(GgmlType::Q4_0, &b);
        assert_eq!((w[3], w[19], w[0], w[31]), (-3.5, 3.5, 0.0, 0.0));
    }

    #[test]
    fn q4_1_adds_the_minimum() {
        let mut b = HALF.to_vec();
        b.extend([0x00, 0xBC]);
        b.extend([0; 16]);
        b[4] = 0x2F;
        let w = read(GgmlType::Q4_1, &b);
        assert_eq!((w[0], w[16], w[1]), (6.5, 0.0, -1.0));
    }

    #[test]
    fn q5_takes_its_fifth_bit_from_the_mask() {
        let mut b = HALF.to_vec();
        b.extend((1u32 << 1 | 1 << 17).to_le_bytes());
        b.extend([0; 16]);
        b[6 + 1] = 0x52;
        let w = read(GgmlType::Q5_0, &b);
        assert_eq!((w[0], w[1], w[17]), (-8.0, 1.0, 2.5));

        let mut b = HALF.to_vec();
        b.extend([0x00, 0x3C]);
        b.extend((1u32 << 31).to_le_bytes());
        b.extend([0; 16]);
        let w = read(GgmlType::Q5_1, &b);
        assert_eq!((w[0], w[31]), (1.0, 9.0));
    }

    #[test]
    fn q8_0_and_floats() {
        let mut b = HALF.to_vec();
        b.extend([0; 32]);
        b[2] = 0x80;
        b[33] = 127;
        let w = read(GgmlType::Q8_0, &b);
        assert_eq!((w[0], w[31]), (-64.0, 63.5));
        assert_eq!(read(GgmlType::F16, &[0x00, 0xC0]), [-2.0]);
        assert_eq!(read(GgmlType::F32, &1.5f32.to_le_bytes()), [1.5]);
        let mut several = [9.0; 3];
        dequantize(GgmlType::F16, &[0, 0xC0, 0, 0x3C, 1, 0], &mut several).unwrap();
        assert_eq!(several, [-2.0, 1.0, 2f32.powi(-24)]);
        dequantize(GgmlType::F16, &[], &mut []).unwrap();
    }

    #[test]
    fn q2_0_is_four_consecutive_weights_a_byte() {
        let mut b = HALF.to_vec();
        b.extend([0b01_01_01_01; 16]);
        b[2] = 0b00_10_01_10;
        let (mut codes, mut scales) = ([9; 64], [0.0; 1]);
        ternary(GgmlType::Q2_0, &b, &mut codes, &mut scales).unwrap();
        assert_eq!((&codes[..5], scales[0]), (&[1, 0, 1, -1, 0][..], 0.5));
        b[2 + 15] = 0b11_01_01_01;
        let error = ternary(GgmlType::Q2_0, &b, &mut codes, &mut scales);
        assert_eq!(error, Err(ForeignError::NotTernary { index: 63, weight: 2 }));
    }

    #[test]
    fn every_byte_of_q2_0_is_its_four_codes_less_one() {
        for byte in 0..=u8::MAX {
            let mut b = HALF.to_vec();
            b.extend([byte; 16]);
            let w = read(GgmlType::Q2_0, &b);
            let (mut codes, mut scales) = ([9; 64], [0.0; 1]);
            let found = ternary(GgmlType::Q2_0, &b, &mut codes, &mut scales);
            match w.iter().position(|&w| w == 1.0) {
                Some(index) => {
                    assert_eq!(found, Err(ForeignError::NotTernary { index, weight: 2 }));
                }
                None => assert!(codes.iter().zip(&w).all(|(&code, w)| f32::from(code) / 2.0 == *w)),
            }
        }
    }

    #[test]
    fn q2_0_with_a_bad_scale_is_refused() {
        let mut b = vec![0x00, 0x7C];
        b.extend([0b01_01_01_01; 16]);
        let error = ternary(GgmlType::Q2_0, &b, &mut [0; 64], &mut [0.0; 1]);
        assert_eq!(error, Err(ForeignError::Scale { block: 0 }));
    }

    #[test]
    fn tq2_0_planes_are_32_apart() {
        let mut b = vec![0b01_01_01_01; 64];
        b[32 + 5] = 0b10_01_00_01;
        b.extend(HALF);
        let w = read(GgmlType::Tq2_0, &b);
        assert_eq!((w[133], w[165], w[197], w[229]), (0.0, -0.5, 0.0, 0.5));
        assert_eq!(w.iter().filter(|w| **w != 0.0).count(), 2);
    }

    #[test]
    fn tq1_0_digits_are_in_three_parts() {
        let digits = |d: [u16; 5]| {
            let v = d.iter().fold(0, |v, d| v * 3 + d);
            (v * 256).div_ceil(243) as u8
        };
        let mut b = vec![digits([1; 5]); 52];
        b[2] = digits([0, 1, 2, 1, 0]);
        b[32 + 3] = digits([2, 1, 1, 1, 0]);
        b[48 + 1] = digits([0, 1, 1, 2, 0]);
        b.extend(HALF);
        let (mut codes, mut scales) = ([9; 256], [0.0; 1]);
        ternary(GgmlType::Tq1_0, &b, &mut codes, &mut scales).unwrap();
        let found: Vec<_> =
            codes.iter().enumerate().filter(|(_, c)| **c != 0).map(|(i, c)| (i, *c)).collect();
        let expected = [(2, -1), (66, 1), (130, -1), (163, 1), (227, -1), (241, -1), (253, 1)];
        assert_eq!(found, expected);
    }

    #[test]
    fn dense_types_have_no_trits_and_part_blocks_are_refused() {
        let error = ternary(GgmlType::Q8_0, &[0; 34], &mut [0; 32], &mut [0.0]);
        assert_eq!(error, Err(ForeignError::Dense));
        let error = dequantize(GgmlType::Q8_0, &[0; 34], &mut [0.0; 31]);
        assert!(matches!(error, Err(ForeignError::NotWhole { block: 32, .. })));
    }
}
