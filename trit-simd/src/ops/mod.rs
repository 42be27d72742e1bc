//! Drivers of the integer operations: blocking and epilogue, generic over the instruction set.

pub(crate) mod convert;
pub(crate) mod int4;
pub(crate) mod int8;
pub(crate) mod lookup;
mod packed;
pub(crate) mod quantize;
pub(crate) mod ternary;

use core::ops::Range;

use trit_core::{MatrixError, QuantizedActs, check_len};

/// What a matrix product reads besides the weights, with shapes already checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) x: QuantizedActs<'a>,
    pub(crate) bias: Option<&'a [f32]>,
    /// First output row; the number of rows follows from the length of y.
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
}

impl<'a> Input<'a> {
    /// Checks shapes once, so that no driver has to.
    pub(crate) fn new(
        matrix: (usize, usize),
        x: &QuantizedActs<'a>,
        bias: Option<&'a [f32]>,
        rows: Range<usize>,
        y: usize,
    ) -> Result<Self, MatrixError> {
        check_rows(matrix.0, bias, &rows)?;
        check_len("inputs of a token", x.k(), matrix.1)?;
        check_len("outputs", y, x.tokens().saturating_mul(rows.len()))?;
        Ok(Self { x: *x, bias, first_row: rows.start, rows: rows.len() })
    }

    /// The bias of output row `row`, or −0, which changes nothing when added.
    #[inline(always)]
    pub(crate) fn bias(&self, row: usize) -> f32 {
        self.bias.map_or(-0.0, |bias| bias[row])
    }
}

/// Checks a bias and a range against the number of rows.
pub(crate) fn check_rows(
    rows: usize,
    bias: Option<&[f32]>,
    range: &Range<usize>,
) -> Result<(), MatrixError> {
    if let Some(bias) = bias {
        check_len("bias", bias.len(), rows)?;
    }
    if range.is_empty() {
        return Err(MatrixError::Dimension {
            what: "the length of the row range",
            found: 0,
            most: rows,
        });
    }
    if range.end > rows {
        return Err(MatrixError::Dimension {
            what: "the end of the row range",
            found: range.end,
            most: rows,
        });
    }
    Ok(())
}
