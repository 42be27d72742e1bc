//! Errors of matrices and quantisers.

use core::fmt;

/// Why a matrix view was refused.
///
/// ```
/// use trit_core::{F32Matrix, MatrixError};
///
/// let error = F32Matrix::new(2, 3, &[0.0; 5]).unwrap_err();
/// assert_eq!(error, MatrixError::Length { what: "f32 values", expected: 6, found: 5 });
/// assert_eq!(error.to_string(), "f32 values has 5 elements, expected 6");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixError {
    /// A dimension is zero or beyond what the arithmetic is proven for.
    Dimension {
        /// Which dimension.
        what: &'static str,
        /// The value given.
        found: usize,
        /// The largest value allowed.
        most: usize,
    },
    /// A buffer has the wrong number of elements.
    Length {
        /// Which buffer.
        what: &'static str,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A weight is not −1, 0 or +1.
    NotTernary {
        /// Index of the weight, row-major.
        index: usize,
        /// The value found.
        found: i8,
    },
    /// A weight is not in −8..=7.
    NotInt4 {
        /// Index of the weight, row-major.
        index: usize,
        /// The value found.
        found: i8,
    },
    /// The scale of a key or value is negative or not finite.
    HeadScale,
}

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dimension { what, found, most } => {
                write!(f, "{what} is {found}, expected 1 to {most}")
            }
            Self::Length { what, expected, found } => {
                write!(f, "{what} has {found} elements, expected {expected}")
            }
            Self::NotTernary { index, found } => {
                write!(f, "weight {index} is {found}, expected -1, 0 or 1")
            }
            Self::NotInt4 { index, found } => {
                write!(f, "weight {index} is {found}, expected -8 to 7")
            }
            Self::HeadScale => f.write_str("a head scale is negative or not finite"),
        }
    }
}

impl core::error::Error for MatrixError {}

/// Why values could not be quantised.
///
/// ```
/// use trit_core::{QuantizeError, quantize};
///
/// // Row 1, input 0.
/// let weights = [1.0, 2.0, f32::NAN, 4.0];
/// let error = quantize::int8(2, 2, &weights, &mut [0; 32], &mut [0.0; 16]).unwrap_err();
/// assert_eq!(error, QuantizeError::NonFinite { token: 1, index: 0 });
/// assert_eq!(error.to_string(), "value 0 of token 1 is not a finite number");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantizeError {
    /// A value is NaN or infinite.
    NonFinite {
        /// Token (or row) of the value.
        token: usize,
        /// Index of the value within its token.
        index: usize,
    },
    /// A buffer or a dimension does not fit.
    Shape(MatrixError),
}

impl fmt::Display for QuantizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonFinite { token, index } => {
                write!(f, "value {index} of token {token} is not a finite number")
            }
            Self::Shape(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for QuantizeError {}

impl From<MatrixError> for QuantizeError {
    fn from(error: MatrixError) -> Self {
        Self::Shape(error)
    }
}

/// Checks that a buffer, named `what` in the error, has `expected` elements.
///
/// ```
/// use trit_core::{MatrixError, check_len};
///
/// assert_eq!(check_len("bias", 8, 8), Ok(()));
/// let error = MatrixError::Length { what: "bias", expected: 8, found: 7 };
/// assert_eq!(check_len("bias", 7, 8), Err(error));
/// ```
///
/// # Errors
/// [`MatrixError::Length`] if it has not.
pub fn check_len(what: &'static str, found: usize, expected: usize) -> Result<(), MatrixError> {
    if found == expected { Ok(()) } else { Err(MatrixError::Length { what, expected, found }) }
}

/// Checks that a dimension lies in `1..=most`.
pub(crate) fn check_dimension(
    what: &'static str,
    found: usize,
    most: usize,
) -> Result<(), MatrixError> {
    if (1..=most).contains(&found) {
        Ok(())
    } else {
        Err(MatrixError::Dimension { what, found, most })
    }
}
