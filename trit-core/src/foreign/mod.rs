//! Readers of other projects' weight formats: exact, and never silently mis-scaled.
//!
//! * [`ggml`]: blocks of ggml tensors, in `.bin` and GGUF files.
//! * [`i2_s`]: bitnet.cpp's whole-tensor format, of which three incompatible layouts share a name.
//! * [`bitnet`]: the packing of BitNet models on Hugging Face.

pub mod bitnet;
pub mod ggml;
pub mod i2_s;

use core::fmt;

use crate::MatrixError;

/// Why foreign weights were refused.
///
/// ```
/// use trit_core::foreign::{ForeignError, bitnet};
///
/// // The code 3 stands for +2.
/// let error = bitnet::read(4, 1, &[0b11_01_01_01], &mut [0; 4]).unwrap_err();
/// assert_eq!(error, ForeignError::NotTernary { index: 3, weight: 2 });
/// assert_eq!(error.to_string(), "weight 3 is +2, expected -1, 0 or 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignError {
    /// A buffer does not fit the shape.
    Shape(MatrixError),
    /// A dimension is not a multiple of the format's block.
    NotWhole {
        /// Which dimension.
        what: &'static str,
        /// Its value.
        found: usize,
        /// What it must be a multiple of.
        block: usize,
    },
    /// A code stands for a weight other than −1, 0 and +1.
    NotTernary {
        /// Index of the weight within the slice given.
        index: usize,
        /// The weight the code stands for.
        weight: i8,
    },
    /// A scale is NaN or infinite.
    Scale {
        /// The block, or 0 for a scale per tensor.
        block: usize,
    },
    /// The format holds no trits.
    Dense,
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Shape(error) => error.fmt(f),
            Self::NotWhole { what, found, block } => {
                write!(f, "{what} is {found}, expected a multiple of {block}")
            }
            Self::NotTernary { index, weight } => {
                write!(f, "weight {index} is {weight:+}, expected -1, 0 or 1")
            }
            Self::Scale { block } => write!(f, "the scale of block {block} is not finite"),
            Self::Dense => f.write_str("the format holds no ternary weights"),
        }
    }
}

impl core::error::Error for ForeignError {}

impl From<MatrixError> for ForeignError {
    fn from(error: MatrixError) -> Self {
        Self::Shape(error)
    }
}

/// The weight of a 2-bit code, refused if it is +2.
fn weight_of(code: u8, index: usize) -> Result<i8, ForeignError> {
    match code {
        0..=2 => Ok(code as i8 - 1),
        _ => Err(ForeignError::NotTernary { index, weight: code as i8 - 1 }),
    }
}

fn whole(what: &'static str, found: usize, block: usize) -> Result<(), ForeignError> {
    if found.is_multiple_of(block) {
        Ok(())
    } else {
        Err(ForeignError::NotWhole { what, found, block })
    }
}
