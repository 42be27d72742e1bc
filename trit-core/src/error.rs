//! Errors of matrices and quantisers.

use core::fmt;

/// Why a matrix view was refused.
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
        }
    }
}

impl core::error::Error for MatrixError {}

/// Why values could not be quantised.
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
