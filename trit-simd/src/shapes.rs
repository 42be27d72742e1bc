//! Checks of what callers pass, once for each call, so that no kernel has to.

use core::ops::Range;

use trit_core::{MatrixError, check_len};

use crate::ops::check_rows;
use crate::registry::Dense;

/// Checks for `least` elements or more.
pub(crate) fn check_least(
    what: &'static str,
    found: usize,
    least: usize,
) -> Result<(), MatrixError> {
    if found >= least { Ok(()) } else { check_len(what, found, least) }
}

/// Checks that `tokens` tokens of k values, `stride` apart, fit into `found` values.
pub(crate) fn check_tokens(
    found: usize,
    stride: usize,
    tokens: usize,
    k: usize,
) -> Result<(), MatrixError> {
    let Some(before) = tokens.checked_sub(1) else { return Ok(()) };
    check_least("activations", found, before.saturating_mul(stride).saturating_add(k))
}

/// Checks the lengths of a norm over tokens of d values.
pub(crate) fn check_norm(x: usize, d: usize, y: usize) -> Result<(), MatrixError> {
    if d == 0 {
        return Err(MatrixError::Dimension { what: "norm gain", found: 0, most: usize::MAX });
    }
    check_len("values beyond whole tokens", x % d, 0)?;
    check_len("outputs", y, x)
}

/// The operands of a dense product, checked.
pub(crate) fn dense<'a>(
    matrix: (usize, usize),
    x: &'a [f32],
    x_stride: usize,
    tokens: usize,
    bias: Option<&'a [f32]>,
    rows: Range<usize>,
    y: usize,
) -> Result<Dense<'a>, MatrixError> {
    check_rows(matrix.0, bias, &rows)?;
    check_tokens(x.len(), x_stride, tokens, matrix.1)?;
    check_len("outputs", y, tokens.saturating_mul(rows.len()))?;
    Ok(Dense { k: matrix.1, x, x_stride, tokens, bias, first_row: rows.start, rows: rows.len() })
}
