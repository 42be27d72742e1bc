//! Codes and scales of all heads, to read and to write.

use core::ops::Range;

use super::{HeadShape, MAX_CODE, OFFSET, QUAD, Side, TILE};
use crate::TILE_ROWS;
use crate::error::{MatrixError, check_dimension, check_len};

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
    /// scales[15] = -1.0;
    /// assert!(HeadsMut::new(shape, &mut [127; 256], &mut scales).is_err());
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A buffer of the wrong length, a code above 127, or a scale that is negative or not finite.
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
        // Of floats that are neither negative nor NaN, bits are in the order of values; −0 is refused too.
        let most = |most: u32, scale: &f32| most.max(scale.to_bits());
        if heads.scales.iter().fold(0, most) > f32::MAX.to_bits() {
            return Err(MatrixError::HeadScale);
        }
        Ok(heads)
    }

    /// As [`new`](Self::new), without a look at the codes: for memory that another view of this
    /// shape has left and nothing has written to since, such as a cache put aside between two
    /// tokens. Codes above 127, and scales that are negative or not finite, would make products wrong, each
    /// backend's in its own way, and do no other harm.
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
        let after = self.shape.heads().checked_sub(head).filter(|&after| after > 0)?;
        if head == 0 {
            return None;
        }
        let (first, second) = (self.shape.with_heads(head), self.shape.with_heads(after));
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
        let codes = &mut self.codes[before * (shape.codes_len() / shape.heads())..];
        let scales = &mut self.scales[before * (shape.scales_len() / shape.heads())..];
        HeadsMut {
            shape,
            codes: &mut codes[..shape.codes_len()],
            scales: &mut scales[..shape.scales_len()],
        }
    }

    /// Copies the heads `from` to as many from head `to` on, at the positions `positions`; up to 15
    /// positions before and after them are copied too, codes and scales.
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
        assert!(positions.end <= shape.positions() && from.end <= shape.heads());
        assert!(to <= shape.heads() && from.len() <= shape.heads() - to);
        if positions.is_empty() {
            return;
        }
        // Codes of keys lie in tiles of 16 positions, those of values in quads.
        let step = match side {
            Side::Keys => TILE_ROWS,
            Side::Values => QUAD,
        };
        let (first, last) = (positions.start / step * step, positions.end.next_multiple_of(step));
        for (from, to) in from.zip(to..) {
            match side {
                Side::Keys => {
                    let len = (last - first) * shape.padded_width();
                    let at = shape.key_at(from, first, 0);
                    self.codes.copy_within(at..at + len, shape.key_at(to, first, 0));
                }
                Side::Values => {
                    let len = (last - first) * TILE_ROWS;
                    for column in (0..shape.padded_width()).step_by(TILE_ROWS) {
                        let at = shape.value_at(from, first, column);
                        self.codes.copy_within(at..at + len, shape.value_at(to, first, column));
                    }
                }
            }
            let at = shape.scale_at(from, first);
            self.scales.copy_within(at..at + (last - first), shape.scale_at(to, first));
        }
    }

    /// Sets the scale of a key or value, a finite number from 0 on: of others, products differ from backend to
    /// backend.
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
        self.check(head, position, 0, 1);
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
        self.check(head, position, column, 1);
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
        self.check(head, position, column, numbers.len());
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
        self.check(head, position, column, lanes);
        let mut tile = [[0; QUAD]; TILE_ROWS];
        for (lane, codes) in tile.iter_mut().enumerate() {
            for (code, numbers) in codes.iter_mut().zip(numbers) {
                *code = encode(numbers[lane]);
            }
        }
        let codes = &mut self.codes[self.shape.value_at(head, position, column)..][..TILE];
        codes[..lanes * QUAD].copy_from_slice(&tile.as_flattened()[..lanes * QUAD]);
    }

    /// Panics if `columns` columns from `column` on of a key or value are not its head's; places are
    /// computed, and those of another head are places as well.
    #[inline(always)]
    fn check(&self, head: usize, position: usize, column: usize, columns: usize) {
        let shape = &self.shape;
        assert!(head < shape.heads() && position < shape.padded_positions());
        assert!(column < shape.padded_width() && columns <= shape.padded_width() - column);
    }
}

/// The code of a number in −63 to 63, and some code of any other.
#[inline(always)]
fn encode(value: i8) -> u8 {
    (value as u8).wrapping_add(OFFSET) & MAX_CODE
}
