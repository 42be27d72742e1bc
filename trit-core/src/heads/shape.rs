//! Heads, columns and positions, and where their codes lie.

use super::{MAX_POSITIONS, QUAD, TILE};
use crate::error::{MatrixError, check_dimension, check_len};
use crate::{MAX_INT8_K, TILE_ROWS};

/// Heads, columns of a head, positions.
///
/// ```
/// use trit_core::HeadShape;
///
/// let shape = HeadShape::new(6, 64, 448)?;
/// assert_eq!(shape.columns(), 384);
/// assert_eq!(shape.codes_len(), 384 * 448);
/// assert_eq!(shape.scales_len(), 6 * 448);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    heads: usize,
    width: usize,
    positions: usize,
}

impl HeadShape {
    /// A shape of `heads` heads of `width` columns and up to `positions` positions.
    ///
    /// ```
    /// use trit_core::{HeadShape, MatrixError};
    ///
    /// assert!(HeadShape::new(6, 64, 448).is_ok());
    /// let error = MatrixError::Dimension { what: "positions", found: 0, most: 1 << 20 };
    /// assert_eq!(HeadShape::new(6, 64, 0), Err(error));
    /// ```
    ///
    /// # Errors
    /// A dimension that is 0 or too large: 2¹⁶ for `heads` and `width`, 2²⁰ for `positions`, and
    /// more codes in all than can be addressed.
    pub const fn new(heads: usize, width: usize, positions: usize) -> Result<Self, MatrixError> {
        let dimensions = [
            ("heads", heads, MAX_INT8_K),
            ("head width", width, MAX_INT8_K),
            ("positions", positions, MAX_POSITIONS),
        ];
        let mut index = 0;
        while index < dimensions.len() {
            let (what, found, most) = dimensions[index];
            if found == 0 || found > most {
                return Err(MatrixError::Dimension { what, found, most });
            }
            index += 1;
        }
        let shape = Self { heads, width, positions };
        match shape.padded_width().checked_mul(heads) {
            Some(columns) if columns.checked_mul(shape.padded_positions()).is_some() => Ok(shape),
            _ => Err(MatrixError::Dimension { what: "head width", found: width, most: MAX_INT8_K }),
        }
    }

    /// The same of another number of heads, no more than it has.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.with_heads(1).columns(), 20);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If it has fewer, or `heads` is 0.
    pub const fn with_heads(&self, heads: usize) -> Self {
        assert!(heads > 0 && heads <= self.heads);
        Self { heads, ..*self }
    }

    /// Number of heads.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.heads(), 2);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn heads(&self) -> usize {
        self.heads
    }

    /// Columns of a head.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.width(), 20);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Most positions.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.positions(), 30);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Columns of all heads.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.columns(), 2 * 20);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn columns(&self) -> usize {
        self.heads * self.width
    }

    /// Columns of a head with padding, a multiple of 16.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.padded_width(), 32);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn padded_width(&self) -> usize {
        self.width.next_multiple_of(TILE_ROWS)
    }

    /// Positions with padding, a multiple of 16.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.padded_positions(), 32);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn padded_positions(&self) -> usize {
        self.positions.next_multiple_of(TILE_ROWS)
    }

    /// How many positions `x` values `[positions, columns]` fill from `start` on.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.check_rows(3 * 40, 27)?, 3);
    /// // Beyond the last position, and one value too many.
    /// assert!(shape.check_rows(3 * 40, 28).is_err());
    /// assert!(shape.check_rows(3 * 40 + 1, 0).is_err());
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// No whole number of positions, or more than there are.
    pub fn check_rows(&self, x: usize, start: usize) -> Result<usize, MatrixError> {
        check_len("values beyond whole positions", x % self.columns(), 0)?;
        let rows = x / self.columns();
        let end = start.saturating_add(rows);
        if end > self.positions {
            check_dimension("position", end, self.positions)?;
        }
        Ok(rows)
    }

    /// Checks that values of the shape `values` go with keys of this one.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let keys = HeadShape::new(2, 20, 30)?;
    /// assert!(keys.check_values(&keys).is_ok());
    /// assert!(keys.check_values(&HeadShape::new(2, 20, 31)?).is_err());
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// Another number of heads, width or number of positions.
    pub fn check_values(&self, values: &Self) -> Result<(), MatrixError> {
        check_len("heads of the values", values.heads, self.heads)?;
        check_len("head width of the values", values.width, self.width)?;
        check_len("positions of the values", values.positions, self.positions)
    }

    /// Codes of all heads, for keys and for values alike.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.codes_len(), 2 * 32 * 32);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn codes_len(&self) -> usize {
        self.heads * self.padded_width() * self.padded_positions()
    }

    /// Scales of all heads, for keys and for values alike.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.scales_len(), 2 * 32);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn scales_len(&self) -> usize {
        self.heads * self.padded_positions()
    }

    /// Where the code of a key's column is.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// // Lane 1; the next four columns lie a tile of 64 bytes on.
    /// assert_eq!(shape.key_at(0, 1, 2), 4 + 2);
    /// assert_eq!(shape.key_at(0, 1, 6), 64 + 4 + 2);
    /// assert_eq!(shape.key_at(1, 0, 0), 32 * 32);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline(always)]
    pub const fn key_at(&self, head: usize, position: usize, column: usize) -> usize {
        let (tile, lane) = (position / TILE_ROWS, position % TILE_ROWS);
        let row = head * self.padded_positions() + tile * TILE_ROWS;
        row * self.padded_width() + at(column, lane)
    }

    /// Where the code of a value's column is.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// // Lane 2; the next four positions lie a tile of 64 bytes on.
    /// assert_eq!(shape.value_at(0, 1, 2), 4 * 2 + 1);
    /// assert_eq!(shape.value_at(0, 5, 2), 64 + 4 * 2 + 1);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline(always)]
    pub const fn value_at(&self, head: usize, position: usize, column: usize) -> usize {
        let (tile, lane) = (column / TILE_ROWS, column % TILE_ROWS);
        let row = head * self.padded_width() + tile * TILE_ROWS;
        row * self.padded_positions() + at(position, lane)
    }

    /// Where the scale of a key or value is.
    ///
    /// ```
    /// use trit_core::HeadShape;
    ///
    /// let shape = HeadShape::new(2, 20, 30)?;
    /// assert_eq!(shape.scale_at(1, 3), 32 + 3);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    #[inline(always)]
    pub const fn scale_at(&self, head: usize, position: usize) -> usize {
        head * self.padded_positions() + position
    }
}

/// Byte of the element at `inner` in lane `lane` of a row of tiles.
#[inline(always)]
const fn at(inner: usize, lane: usize) -> usize {
    inner / QUAD * TILE + lane * QUAD + inner % QUAD
}
