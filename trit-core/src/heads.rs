//! Keys and values of attention heads in 7 bits: what a cache holds and attention reads.
//!
//! A key or value of one head and position has `width` numbers and one scale, absmax / 63. A number
//! is stored as the code `round(x / scale) + 64`, in 1 to 127; padding may be any code, 0 to 127.
//!
//! A tile is one 64-byte cache line of 16 × 4 codes. Of keys, 16 positions lie in lanes, so that a
//! query's scores come out side by side; of values, 16 columns do, so that outputs come out so:
//!
//! ```text
//! byte 4·r + j of a tile      r in 0..16, j in 0..4
//! keys     position 16·t + r, column 4·p + j       tiles ordered by head, then t, then p
//! values   column 16·t + r, position 4·p + j       tiles ordered by head, then t, then p
//! ```
//!
//! Seven bits and not eight, because then two products with an int8 fit an i16
//! (2·127·128 = 32,512), which is what the byte products of CPUs without a dot product
//! instruction hold, and a code is a valid int8 where both operands are signed.

use core::ops::Range;

use crate::error::{MatrixError, check_dimension, check_len};
use crate::{MAX_INT8_K, TILE_ROWS};

/// The code of 0.
pub const OFFSET: u8 = 64;

/// The largest magnitude of a quantised number.
pub const MOST: f32 = 63.0;

/// The largest code.
pub const MAX_CODE: u8 = 127;

/// Positions whose weights are quantised together.
pub const BLOCK: usize = 64;

/// Columns of a key, or positions of a value, whose codes lie side by side.
const QUAD: usize = 4;

/// Bytes of a tile.
pub const TILE: usize = TILE_ROWS * QUAD;

/// Most positions of a cache.
const MAX_POSITIONS: usize = 1 << 20;

// |Σ c·q| ≤ 127·128·k over a head's columns or a block of positions.
const _: () = assert!(127 * 128 * (MAX_INT8_K as u64) < 1 << 31);

/// What a cache holds.
///
/// ```
/// use trit_core::heads::Side;
/// use trit_core::{HeadShape, HeadsMut};
///
/// let shape = HeadShape::new(1, 4, 4)?;
/// let (mut codes, mut scales) = ([0; 256], [0.0; 16]);
/// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
/// // Column 2 of position 1: lane 1 of keys, lane 2 of values.
/// heads.set(Side::Keys, 0, 1, 2, 5);
/// heads.set(Side::Values, 0, 1, 2, -5);
/// assert_eq!(codes[4 + 2], 64 + 5);
/// assert_eq!(codes[4 * 2 + 1], 64 - 5);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Keys: positions in lanes.
    Keys,
    /// Values: columns in lanes.
    Values,
}

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
    /// 2⁴⁰ codes in all.
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

/// Keys or values of all heads, to read.
///
/// ```
/// use trit_core::{HeadShape, HeadsMut};
///
/// let shape = HeadShape::new(2, 4, 4)?;
/// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
/// let heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
/// let keys = heads.as_ref();
/// assert_eq!(keys.shape(), shape);
/// assert_eq!((keys.codes().len(), keys.scales().len()), (512, 32));
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a> {
    shape: HeadShape,
    codes: &'a [u8],
    scales: &'a [f32],
}

impl<'a> Heads<'a> {
    /// The shape.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// assert_eq!(heads.as_ref().shape(), shape);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn shape(&self) -> HeadShape {
        self.shape
    }

    /// All codes, 0 to 127.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// assert_eq!(heads.as_ref().codes(), [64; 512]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// Scales `[heads, padded positions]`.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// assert_eq!(heads.as_ref().scales(), [0.0; 32]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn scales(&self) -> &'a [f32] {
        self.scales
    }
}

/// Keys or values of all heads, to write.
///
/// ```
/// use trit_core::heads::Side;
/// use trit_core::{HeadShape, HeadsMut, reference};
///
/// // One head of two columns, one position.
/// let shape = HeadShape::new(1, 2, 1)?;
/// let (mut codes, mut scales) = ([0; 256], [0.0; 16]);
/// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
/// reference::store_heads(&[63.0, -31.5], Side::Keys, 0, &mut heads)?;
/// assert_eq!((&codes[..2], scales[0]), (&[64 + 63, 64 - 32][..], 1.0));
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
#[derive(Debug)]
pub struct HeadsMut<'a> {
    shape: HeadShape,
    codes: &'a mut [u8],
    scales: &'a mut [f32],
}

impl<'a> HeadsMut<'a> {
    /// A view of [`codes_len`](HeadShape::codes_len) codes and
    /// [`scales_len`](HeadShape::scales_len) scales. What they hold is kept; zeros will do.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(1, 16, 16)?;
    /// let mut scales = [0.0; 16];
    /// assert!(HeadsMut::new(shape, &mut [127; 256], &mut scales).is_ok());
    /// assert!(HeadsMut::new(shape, &mut [128; 256], &mut scales).is_err());
    /// assert!(HeadsMut::new(shape, &mut [0; 255], &mut scales).is_err());
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A buffer of the wrong length, or a code above 127.
    pub fn new(
        shape: HeadShape,
        codes: &'a mut [u8],
        scales: &'a mut [f32],
    ) -> Result<Self, MatrixError> {
        let heads = Self::resume(shape, codes, scales)?;
        let most = |most, &code| if code > most { code } else { most };
        let largest = heads.codes.iter().fold(0, most);
        if largest > MAX_CODE {
            check_dimension("head code", largest.into(), MAX_CODE.into())?;
        }
        Ok(heads)
    }

    /// As [`new`](Self::new), without a look at the codes: for memory that another view of this
    /// shape has left and nothing has written to since, such as a cache put aside between two
    /// tokens. Codes above 127 would make products wrong, and do no other harm.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(1, 16, 16)?;
    /// let mut scales = [0.0; 16];
    /// assert!(HeadsMut::resume(shape, &mut [0; 256], &mut scales).is_ok());
    /// assert!(HeadsMut::resume(shape, &mut [0; 255], &mut scales).is_err());
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A buffer of the wrong length.
    pub fn resume(
        shape: HeadShape,
        codes: &'a mut [u8],
        scales: &'a mut [f32],
    ) -> Result<Self, MatrixError> {
        check_len("head codes", codes.len(), shape.codes_len())?;
        check_len("head scales", scales.len(), shape.scales_len())?;
        Ok(Self { shape, codes, scales })
    }

    /// The shape.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// assert_eq!(heads.shape(), shape);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub const fn shape(&self) -> HeadShape {
        self.shape
    }

    /// The same, to read.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// heads.set_scale(1, 3, 0.5);
    /// assert_eq!(heads.as_ref().scales()[shape.scale_at(1, 3)], 0.5);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub fn as_ref(&self) -> Heads<'_> {
        Heads { shape: self.shape, codes: self.codes, scales: self.scales }
    }

    /// The heads before `head`, and those from it on; `None` unless each part has some.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// let (first, second) = heads.split_at(1).unwrap();
    /// assert_eq!((first.shape().heads(), second.shape().heads()), (1, 1));
    /// assert!(heads.split_at(0).is_none() && heads.split_at(2).is_none());
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    pub fn split_at(&mut self, head: usize) -> Option<(HeadsMut<'_>, HeadsMut<'_>)> {
        let after = self.shape.heads.checked_sub(head).filter(|&after| after > 0)?;
        if head == 0 {
            return None;
        }
        let (first, second) =
            (HeadShape { heads: head, ..self.shape }, HeadShape { heads: after, ..self.shape });
        let (first_codes, second_codes) = self.codes.split_at_mut(first.codes_len());
        let (first_scales, second_scales) = self.scales.split_at_mut(first.scales_len());
        Some((
            HeadsMut { shape: first, codes: first_codes, scales: first_scales },
            HeadsMut { shape: second, codes: second_codes, scales: second_scales },
        ))
    }

    /// Some of the heads.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// heads.part(1..2).set_scale(0, 3, 0.5);
    /// assert_eq!(scales[shape.scale_at(1, 3)], 0.5);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If `heads` is empty or out of range.
    pub fn part(&mut self, heads: Range<usize>) -> HeadsMut<'_> {
        let (before, shape) = (heads.start, self.shape.with_heads(heads.len()));
        let codes = &mut self.codes[before * shape.codes_len() / shape.heads..];
        let scales = &mut self.scales[before * shape.scales_len() / shape.heads..];
        HeadsMut {
            shape,
            codes: &mut codes[..shape.codes_len()],
            scales: &mut scales[..shape.scales_len()],
        }
    }

    /// Copies the heads `from` to as many from head `to` on, at the positions `positions`; up to 15
    /// positions before and after them are copied too.
    ///
    /// ```
    /// use trit_core::heads::Side;
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// heads.set(Side::Keys, 0, 3, 2, 5);
    /// heads.copy(Side::Keys, 0..1, 1, 0..4);
    /// assert_eq!(codes[shape.key_at(1, 3, 2)], 64 + 5);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If something is out of range.
    pub fn copy(&mut self, side: Side, from: Range<usize>, to: usize, positions: Range<usize>) {
        let shape = self.shape;
        assert!(positions.end <= shape.positions && from.end <= shape.heads);
        if positions.is_empty() {
            return;
        }
        for (from, to) in from.zip(to..) {
            match side {
                Side::Keys => {
                    let first = positions.start / TILE_ROWS * TILE_ROWS;
                    let last = positions.end.next_multiple_of(TILE_ROWS);
                    let len = (last - first) * shape.padded_width();
                    let at = shape.key_at(from, first, 0);
                    self.codes.copy_within(at..at + len, shape.key_at(to, first, 0));
                }
                Side::Values => {
                    let first = positions.start / QUAD * QUAD;
                    let len = (positions.end.next_multiple_of(QUAD) - first) * TILE_ROWS;
                    for column in (0..shape.padded_width()).step_by(TILE_ROWS) {
                        let at = shape.value_at(from, first, column);
                        self.codes.copy_within(at..at + len, shape.value_at(to, first, column));
                    }
                }
            }
            let at = shape.scale_at(from, 0);
            let scales = at + positions.start..at + positions.end;
            self.scales.copy_within(scales, shape.scale_at(to, positions.start));
        }
    }

    /// Sets the scale of a key or value.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// heads.set_scale(1, 3, 0.5);
    /// assert_eq!(scales[shape.scale_at(1, 3)], 0.5);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If `head` or `position` is out of range.
    #[inline(always)]
    pub fn set_scale(&mut self, head: usize, position: usize, scale: f32) {
        self.scales[self.shape.scale_at(head, position)] = scale;
    }

    /// Stores one quantised number, in −63 to 63.
    ///
    /// ```
    /// use trit_core::heads::Side;
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// heads.set(Side::Values, 1, 3, 2, -63);
    /// assert_eq!(codes[shape.value_at(1, 3, 2)], 1);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If `head`, `position` or `column` is out of range.
    pub fn set(&mut self, side: Side, head: usize, position: usize, column: usize, number: i8) {
        let at = match side {
            Side::Keys => self.shape.key_at(head, position, column),
            Side::Values => self.shape.value_at(head, position, column),
        };
        self.codes[at] = encode(number);
    }

    /// Stores up to 16 quantised numbers of a key or value of one head, each in −63 to 63, from
    /// `column`, a multiple of 16, on.
    ///
    /// ```
    /// use trit_core::heads::Side;
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// heads.set_lanes(Side::Keys, 1, 3, 0, &[-63, 0, 62, 63]);
    /// assert_eq!(codes[shape.key_at(1, 3, 0)..][..4], [1, 64, 126, 127]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If something is out of range.
    #[inline(always)]
    pub fn set_lanes(
        &mut self,
        side: Side,
        head: usize,
        position: usize,
        column: usize,
        numbers: &[i8],
    ) {
        assert!(numbers.len() <= TILE_ROWS && column.is_multiple_of(TILE_ROWS));
        match side {
            Side::Keys => {
                let codes = &mut self.codes[self.shape.key_at(head, position, column)..];
                if let Some(numbers) = numbers.as_array::<TILE_ROWS>() {
                    let codes = &mut codes[..(TILE_ROWS / QUAD - 1) * TILE + QUAD];
                    for (tile, quad) in numbers.as_chunks::<QUAD>().0.iter().enumerate() {
                        codes[tile * TILE..][..QUAD].copy_from_slice(&quad.map(encode));
                    }
                } else {
                    for (tile, quad) in codes.chunks_mut(TILE).zip(numbers.chunks(QUAD)) {
                        for (code, &number) in tile.iter_mut().zip(quad) {
                            *code = encode(number);
                        }
                    }
                }
            }
            Side::Values => {
                let first = self.shape.value_at(head, position, column);
                let codes = self.codes[first..].iter_mut().step_by(QUAD);
                for (code, &number) in codes.zip(numbers) {
                    *code = encode(number);
                }
            }
        }
    }

    /// Stores up to 16 quantised numbers of the values of four positions of one head, each in −63 to
    /// 63: the columns from `column`, a multiple of 16, on, `lanes` of them, and the positions from
    /// `position`, a multiple of 4, on.
    ///
    /// ```
    /// use trit_core::{HeadShape, HeadsMut};
    ///
    /// let shape = HeadShape::new(2, 4, 4)?;
    /// let (mut codes, mut scales) = ([64; 512], [0.0; 32]);
    /// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
    /// // Two columns of positions 0 to 3.
    /// heads.set_value_tile(1, 0, 0, 2, &[[1; 16], [2; 16], [3; 16], [4; 16]]);
    /// assert_eq!(codes[shape.value_at(1, 0, 0)..][..9], [65, 66, 67, 68, 65, 66, 67, 68, 64]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Panics
    /// If something is out of range.
    #[inline(always)]
    pub fn set_value_tile(
        &mut self,
        head: usize,
        position: usize,
        column: usize,
        lanes: usize,
        numbers: &[[i8; TILE_ROWS]; QUAD],
    ) {
        assert!(position.is_multiple_of(QUAD) && column.is_multiple_of(TILE_ROWS));
        let mut tile = [[0; QUAD]; TILE_ROWS];
        for (lane, codes) in tile.iter_mut().enumerate() {
            for (code, numbers) in codes.iter_mut().zip(numbers) {
                *code = encode(numbers[lane]);
            }
        }
        let codes = &mut self.codes[self.shape.value_at(head, position, column)..][..TILE];
        codes[..lanes * QUAD].copy_from_slice(&tile.as_flattened()[..lanes * QUAD]);
    }
}

/// The code of a number in −63 to 63, and some code of any other.
#[inline(always)]
fn encode(value: i8) -> u8 {
    (value as u8).wrapping_add(OFFSET) & MAX_CODE
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn every_code_has_a_place_of_its_own() {
        let shape = HeadShape::new(3, 21, 37).unwrap();
        for place in [HeadShape::key_at, HeadShape::value_at] {
            let mut taken = vec![false; shape.codes_len()];
            for head in 0..3 {
                for position in 0..shape.padded_positions() {
                    for column in 0..shape.padded_width() {
                        let at = place(&shape, head, position, column);
                        assert!(!core::mem::replace(&mut taken[at], true));
                    }
                }
            }
            assert!(taken.into_iter().all(|taken| taken));
        }
    }

    #[test]
    fn numbers_are_stored_where_the_shape_says() {
        let shape = HeadShape::new(2, 18, 20).unwrap();
        let mut row = [0i8; 18];
        for (column, number) in row.iter_mut().enumerate() {
            *number = column as i8 * 7 - 63;
        }
        let (mut codes, mut scales) = (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
        let mut keys = HeadsMut::new(shape, &mut codes, &mut scales).unwrap();
        keys.set_lanes(Side::Keys, 1, 17, 0, &row[..16]);
        keys.set_lanes(Side::Keys, 1, 17, 16, &row[16..]);
        keys.set_scale(1, 17, 0.5);
        for (column, &number) in row.iter().enumerate() {
            let code = keys.as_ref().codes()[shape.key_at(1, 17, column)];
            assert_eq!(i32::from(code) - i32::from(OFFSET), i32::from(number));
        }
        assert_eq!(keys.as_ref().scales()[shape.scale_at(1, 17)], 0.5);
        let (mut codes, mut scales) = (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
        let mut values = HeadsMut::new(shape, &mut codes, &mut scales).unwrap();
        for (column, &number) in row.iter().enumerate() {
            values.set(Side::Values, 1, 17, column, number);
        }
        for (column, &number) in row.iter().enumerate() {
            let code = values.as_ref().codes()[shape.value_at(1, 17, column)];
            assert_eq!(i32::from(code) - i32::from(OFFSET), i32::from(number));
        }
    }

    #[test]
    fn parts_hold_the_heads_of_the_whole() {
        let shape = HeadShape::new(3, 5, 18).unwrap();
        let mut buffers = (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
        let mut whole = HeadsMut::new(shape, &mut buffers.0, &mut buffers.1).unwrap();
        assert!(whole.split_at(0).is_none() && whole.split_at(3).is_none());
        assert!(whole.split_at(usize::MAX).is_none());
        let (mut first, mut second) = whole.split_at(1).unwrap();
        assert_eq!((first.shape().heads(), second.shape().heads()), (1, 2));
        first.set(Side::Values, 0, 17, 4, 9);
        second.set(Side::Keys, 1, 17, 4, -9);
        second.set_scale(1, 17, 0.25);
        let whole = whole.as_ref();
        assert_eq!(whole.codes()[shape.value_at(0, 17, 4)], OFFSET + 9);
        assert_eq!(whole.codes()[shape.key_at(2, 17, 4)], OFFSET - 9);
        assert_eq!(whole.scales()[shape.scale_at(2, 17)], 0.25);
    }

    #[test]
    fn parts_and_copies_are_whole_heads() {
        let shape = HeadShape::new(6, 18, 37).unwrap();
        for side in [Side::Keys, Side::Values] {
            let (mut codes, mut scales) =
                (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
            let mut whole = HeadsMut::new(shape, &mut codes, &mut scales).unwrap();
            let number = |head: usize, position: usize, column: usize| {
                ((head * 41 + position * 7 + column) % 127) as i8 - 63
            };
            for slot in 0..3 {
                let mut part = whole.part(slot * 2..slot * 2 + 2);
                assert_eq!(part.shape().heads(), 2);
                for head in 0..2 {
                    for position in 0..37 {
                        part.set_scale(head, position, (slot * 2 + head) as f32);
                        for column in 0..18 {
                            part.set(
                                side,
                                head,
                                position,
                                column,
                                number(slot * 2 + head, position, column),
                            );
                        }
                    }
                }
            }
            // The last two heads become the second two from position 21 on.
            whole.copy(side, 2..4, 4, 21..37);
            let whole = whole.as_ref();
            for head in 0..6 {
                for position in
                    (0..37).filter(|&position| head < 4 || !(16..21).contains(&position))
                {
                    let source = if head >= 4 && position >= 21 { head - 2 } else { head };
                    assert_eq!(whole.scales()[shape.scale_at(head, position)], source as f32);
                    for column in 0..18 {
                        let at = match side {
                            Side::Keys => shape.key_at(head, position, column),
                            Side::Values => shape.value_at(head, position, column),
                        };
                        let found = i32::from(whole.codes()[at]) - i32::from(OFFSET);
                        assert_eq!(found, i32::from(number(source, position, column)));
                    }
                }
            }
        }
    }

    #[test]
    fn misfits_are_errors() {
        assert!(HeadShape::new(0, 1, 1).is_err() && HeadShape::new(1, 1, (1 << 20) + 1).is_err());
        let shape = HeadShape::new(1, 4, 4).unwrap();
        let mut codes = vec![0; shape.codes_len()];
        assert!(HeadsMut::new(shape, &mut codes[1..], &mut [0.0; 16]).is_err());
        assert!(HeadsMut::new(shape, &mut codes, &mut [0.0; 15]).is_err());
        codes[9] = 128;
        assert!(HeadsMut::new(shape, &mut codes, &mut [0.0; 16]).is_err());
        assert!(HeadsMut::resume(shape, &mut codes, &mut [0.0; 16]).is_ok());
        assert!(HeadsMut::resume(shape, &mut codes[1..], &mut [0.0; 16]).is_err());
        assert!(HeadsMut::resume(shape, &mut codes, &mut [0.0; 15]).is_err());
    }
}
