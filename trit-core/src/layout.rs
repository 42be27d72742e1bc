//! The packed layouts `T4` (2 bits a weight) and `T5` (1.6 bits), and how weights get in and out.
//!
//! A matrix `[rows, k]` is cut into tiles of one 64-byte cache line. A tile holds 16 rows; tiles of
//! the same 16 rows follow each other in ascending k. A weight w is stored as its code `w + 1`.
//!
//! ```text
//! one tile, 64 bytes                    T4: 16 rows × 16 inputs    T5: 16 rows × 20 inputs
//!
//!  offset   0   1   2   3 │  4   5   6   7 │ … │ 60  61  62  63
//!  row      0   0   0   0 │  1   1   1   1 │ … │ 15  15  15  15
//!  lane j   0   1   2   3 │  0   1   2   3 │ … │  0   1   2   3
//!
//!  T4 byte of (row, j):   bit 7 6   5 4   3 2   1 0
//!                          p = 3     2     1     0      code of input k = 4·p + j
//!
//!  T5 byte of (row, j):   ⌈v·256 / 243⌉,  v = 81·d₀ + 27·d₁ + 9·d₂ + 3·d₃ + d₄
//!                          dₚ = code of input k = 4·p + j
//! ```
//!
//! T5 digits come out most significant first: with `b` the byte, each step multiplies by 3; the
//! digit is the part beyond 8 bits and the rest goes on.
//!
//! Rows are padded to 16 and k to the tile with code 1, the weight 0.

use crate::error::{MatrixError, check_dimension, check_len};
use crate::matrix::MAX_ROWS;
use crate::{MAX_TERNARY_K, TILE_ROWS};

/// Bytes of a tile, in either layout.
pub const TILE_BYTES: usize = 64;

/// Inputs that share a plane: lane j of plane p is input `4·p + j`.
pub const PLANE: usize = 4;

/// How trits lie in a 64-byte tile of 16 rows.
///
/// ```
/// use trit_core::layout::Layout;
///
/// assert_eq!((Layout::T4.planes(), Layout::T4.tile_k()), (4, 16));
/// assert_eq!((Layout::T5.planes(), Layout::T5.tile_k()), (5, 20));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// 2 bits a weight, 16 inputs a tile: the layout kernels compute on.
    T4,
    /// 1.6 bits a weight, 20 inputs a tile: for storage and matrices bound by memory bandwidth.
    T5,
}

impl Layout {
    /// Inputs of one tile.
    ///
    /// ```
    /// use trit_core::layout::Layout;
    ///
    /// assert_eq!([Layout::T4.tile_k(), Layout::T5.tile_k()], [16, 20]);
    /// ```
    #[inline]
    pub const fn tile_k(self) -> usize {
        self.planes() * PLANE
    }

    /// Planes of one tile: codes in one byte.
    ///
    /// ```
    /// use trit_core::layout::Layout;
    ///
    /// assert_eq!([Layout::T4.planes(), Layout::T5.planes()], [4, 5]);
    /// ```
    #[inline]
    pub const fn planes(self) -> usize {
        match self {
            Self::T4 => 4,
            Self::T5 => 5,
        }
    }

    /// The code of plane `p` in `byte`.
    ///
    /// ```
    /// use trit_core::layout::Layout;
    ///
    /// assert_eq!([0, 1, 2, 3].map(|p| Layout::T4.code(0b10_01_00_01, p)), [1, 0, 1, 2]);
    /// // v = 81·2 + 27·0 + 9·1 + 3·0 + 2 = 173, and ⌈173·256 / 243⌉ = 183.
    /// assert_eq!([0, 1, 2, 3, 4].map(|p| Layout::T5.code(183, p)), [2, 0, 1, 0, 2]);
    /// ```
    #[inline]
    pub const fn code(self, byte: u8, p: usize) -> u8 {
        match self {
            Self::T4 => byte >> (2 * p) & 3,
            Self::T5 => {
                const POWERS: [u16; 5] = [1, 3, 9, 27, 81];
                let v = (byte as u16 * POWERS[p]) & 0xFF;
                ((v * 3) >> 8) as u8
            }
        }
    }

    /// The byte that holds the codes of its planes, each 0, 1 or 2.
    const fn byte(self, codes: [u8; 5]) -> u8 {
        match self {
            Self::T4 => codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6,
            Self::T5 => {
                let mut v = 0u16;
                let mut p = 0;
                while p < 5 {
                    v = v * 3 + codes[p] as u16;
                    p += 1;
                }
                (v * 256).div_ceil(243) as u8
            }
        }
    }

    /// Whether `byte` is one that packing can produce: no 2-bit code 3, no T5 byte without digits.
    ///
    /// ```
    /// use trit_core::layout::Layout;
    ///
    /// assert!(Layout::T4.is_canonical(0b10_01_00_01));
    /// assert!(!Layout::T4.is_canonical(0b11_01_00_01));
    /// // 3⁵ = 243 of the 256 bytes hold five digits.
    /// assert_eq!((0..=255).filter(|&byte| Layout::T5.is_canonical(byte)).count(), 243);
    /// ```
    #[inline]
    pub const fn is_canonical(self, byte: u8) -> bool {
        match self {
            Self::T4 => byte & byte >> 1 & 0x55 == 0,
            Self::T5 => {
                let digits = [
                    self.code(byte, 0),
                    self.code(byte, 1),
                    self.code(byte, 2),
                    self.code(byte, 3),
                    self.code(byte, 4),
                ];
                self.byte(digits) == byte
            }
        }
    }

    /// The first of `bytes` that is not [canonical](Self::is_canonical).
    ///
    /// ```
    /// use trit_core::layout::Layout;
    ///
    /// assert_eq!(Layout::T4.first_not_canonical(&[0x55, 0x56, 0x57]), Some(2));
    /// assert_eq!(Layout::T4.first_not_canonical(&[0x55, 0x56]), None);
    /// ```
    pub fn first_not_canonical(self, bytes: &[u8]) -> Option<usize> {
        const T5: [bool; 256] = {
            let mut wrong = [false; 256];
            let mut byte = 0;
            while byte < 256 {
                wrong[byte] = !Layout::T5.is_canonical(byte as u8);
                byte += 1;
            }
            wrong
        };
        match self {
            Self::T4 => first(bytes, |&byte| !Self::T4.is_canonical(byte)),
            Self::T5 => first(bytes, |&byte| T5[usize::from(byte)]),
        }
    }
}

/// The first of `values` that is `wrong`. Looks at a block as a whole before it looks at single
/// values, so that a model's megabytes pass at the speed of vectors.
pub(crate) fn first<T>(values: &[T], wrong: impl Fn(&T) -> bool) -> Option<usize> {
    const BLOCK: usize = 1024;
    let any = |block: &[T]| block.iter().fold(false, |any, value| any | wrong(value));
    let first = values.chunks(BLOCK).position(any)? * BLOCK;
    values[first..].iter().position(wrong).map(|index| first + index)
}

/// Bytes of a packed matrix `[rows, k]`, or `None` where that overflows.
///
/// ```
/// use trit_core::layout::{Layout, bytes};
///
/// // A tile is 64 bytes: 16 rows × 16 inputs, or 16 rows × 20 inputs.
/// assert_eq!(bytes(Layout::T4, 16, 80), Some(5 * 64));
/// assert_eq!(bytes(Layout::T5, 16, 80), Some(4 * 64));
/// assert_eq!(bytes(Layout::T5, 17, 81), Some(2 * 5 * 64));
/// assert_eq!(bytes(Layout::T4, usize::MAX, usize::MAX), None);
/// ```
pub const fn bytes(layout: Layout, rows: usize, k: usize) -> Option<usize> {
    match rows.div_ceil(TILE_ROWS).checked_mul(k.div_ceil(layout.tile_k())) {
        Some(tiles) => tiles.checked_mul(TILE_BYTES),
        None => None,
    }
}

/// Bytes of one row tile: 16 rows and all `k` inputs.
///
/// ```
/// use trit_core::layout::{Layout, bytes, row_tile_bytes};
///
/// assert_eq!(row_tile_bytes(Layout::T4, 17), 2 * 64);
/// assert_eq!(Some(3 * row_tile_bytes(Layout::T4, 17)), bytes(Layout::T4, 48, 17));
/// ```
#[inline]
pub const fn row_tile_bytes(layout: Layout, k: usize) -> usize {
    k.div_ceil(layout.tile_k()) * TILE_BYTES
}

/// Byte offset and plane of the code of (`row`, `input`) in a matrix whose rows have `k` inputs.
///
/// ```
/// use trit_core::layout::{Layout, position};
///
/// // Of 32 inputs, input 6 of row 17 lies in tile 2, at row 1, plane 1 and lane 2.
/// assert_eq!(position(Layout::T4, 32, 17, 6), (2 * 64 + 4 + 2, 1));
/// ```
#[inline]
pub const fn position(layout: Layout, k: usize, row: usize, input: usize) -> (usize, usize) {
    let tile = row / TILE_ROWS * k.div_ceil(layout.tile_k()) + input / layout.tile_k();
    let within = input % layout.tile_k();
    (tile * TILE_BYTES + PLANE * (row % TILE_ROWS) + within % PLANE, within / PLANE)
}

fn check(
    layout: Layout,
    rows: usize,
    k: usize,
    weights: usize,
    codes: usize,
) -> Result<(), MatrixError> {
    check_dimension("k", k, MAX_TERNARY_K)?;
    check_dimension("rows", rows, MAX_ROWS)?;
    check_len("weights", weights, rows.saturating_mul(k))?;
    let needed = bytes(layout, rows, k);
    check_len("codes", codes, needed.unwrap_or(usize::MAX))
}

/// Packs row-major `weights` `[rows, k]`, each −1, 0 or +1, into `codes`.
///
/// ```
/// use trit_core::MatrixError;
/// use trit_core::layout::{self, Layout};
///
/// let mut codes = [0; 64];
/// layout::pack(Layout::T4, 1, 4, &[1, 0, -1, 1], &mut codes)?;
/// // Codes 2, 1, 0, 2 in plane 0 of the row's four lanes; the rest is padding, code 1.
/// assert_eq!(codes[..5], [0b01_01_01_10, 0b01_01_01_01, 0b01_01_01_00, 0b01_01_01_10, 0x55]);
///
/// let error = layout::pack(Layout::T4, 1, 4, &[1, 0, 2, 1], &mut codes).unwrap_err();
/// assert_eq!(error, MatrixError::NotTernary { index: 2, found: 2 });
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, a dimension out of range, or a weight that is not ternary.
pub fn pack(
    layout: Layout,
    rows: usize,
    k: usize,
    weights: &[i8],
    codes: &mut [u8],
) -> Result<(), MatrixError> {
    check(layout, rows, k, weights.len(), codes.len())?;
    if let Some(index) = first(weights, |w| !(-1..=1).contains(w)) {
        return Err(MatrixError::NotTernary { index, found: weights[index] });
    }
    // Rows of padding stay so; planes and lanes of padding are 1 in the tiles they share.
    codes.fill(layout.byte([1; 5]));
    let row_tiles = codes.chunks_exact_mut(row_tile_bytes(layout, k));
    for (codes, weights) in row_tiles.zip(weights.chunks(TILE_ROWS * k)) {
        for (row, inputs) in weights.chunks_exact(k).enumerate() {
            let tiles = codes.as_chunks_mut::<TILE_BYTES>().0;
            for (tile, inputs) in tiles.iter_mut().zip(inputs.chunks(layout.tile_k())) {
                let mut planes = [[1; PLANE]; 5];
                for (code, weight) in planes.as_flattened_mut().iter_mut().zip(inputs) {
                    *code = (weight + 1).cast_unsigned();
                }
                for (j, byte) in tile[PLANE * row..][..PLANE].iter_mut().enumerate() {
                    *byte = layout.byte(planes.map(|plane| plane[j]));
                }
            }
        }
    }
    Ok(())
}

/// Unpacks `codes` into row-major `weights` `[rows, k]`; a 2-bit code 3 comes out as +2.
///
/// ```
/// use trit_core::layout::{self, Layout};
///
/// let mut codes = [0; 64];
/// layout::pack(Layout::T5, 1, 4, &[1, 0, -1, 1], &mut codes)?;
/// let mut weights = [9; 4];
/// layout::unpack(Layout::T5, 1, 4, &codes, &mut weights)?;
/// assert_eq!(weights, [1, 0, -1, 1]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length or a dimension out of range.
pub fn unpack(
    layout: Layout,
    rows: usize,
    k: usize,
    codes: &[u8],
    weights: &mut [i8],
) -> Result<(), MatrixError> {
    check(layout, rows, k, weights.len(), codes.len())?;
    for (row, inputs) in weights.chunks_exact_mut(k).enumerate() {
        for (input, weight) in inputs.iter_mut().enumerate() {
            let (offset, plane) = position(layout, k, row, input);
            *weight = layout.code(codes[offset], plane) as i8 - 1;
        }
    }
    Ok(())
}

/// Rewrites whole row tiles of matrices with `k` inputs from T5 to T4: all of a matrix, or any range
/// cut out at multiples of [`row_tile_bytes`].
///
/// The weights are the same, and what [`pack`] would have written is what comes out. Nothing is
/// allocated.
///
/// ```
/// use trit_core::layout::{self, Layout, bytes, row_tile_bytes};
///
/// let weights: [i8; 40 * 30] = core::array::from_fn(|i| (i % 3) as i8 - 1);
/// let mut t5 = [0; bytes(Layout::T5, 40, 30).unwrap()];
/// layout::pack(Layout::T5, 40, 30, &weights, &mut t5)?;
///
/// // Rows 16 to 39 are the row tiles 1 and 2.
/// let mut t4 = [0; 2 * row_tile_bytes(Layout::T4, 30)];
/// layout::t5_to_t4(30, &t5[row_tile_bytes(Layout::T5, 30)..], &mut t4)?;
///
/// let mut again = [0; 24 * 30];
/// layout::unpack(Layout::T4, 24, 30, &t4, &mut again)?;
/// assert_eq!(again, weights[16 * 30..]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Errors
/// k out of range, `t5` not whole row tiles, or `t4` not as many.
#[inline(always)]
pub fn t5_to_t4(k: usize, t5: &[u8], t4: &mut [u8]) -> Result<(), MatrixError> {
    t5_to_t4_by(k, t5, t4, t5_block_to_t4)
}

/// As [`t5_to_t4`], with `block` in place of [`t5_block_to_t4`], whose results it has.
///
/// ```
/// use trit_core::layout::{t5_block_to_t4, t5_to_t4, t5_to_t4_by};
///
/// // One row tile of 20 inputs: one tile of T5, two of T4. 255 is five codes 2.
/// let (mut t4, mut same) = ([0; 128], [1; 128]);
/// t5_to_t4_by(20, &[255; 64], &mut t4, t5_block_to_t4)?;
/// t5_to_t4(20, &[255; 64], &mut same)?;
/// assert_eq!(t4, same);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Errors
/// As [`t5_to_t4`].
#[inline(always)]
pub fn t5_to_t4_by(
    k: usize,
    t5: &[u8],
    t4: &mut [u8],
    block: impl Fn([&[u8; TILE_BYTES]; 4], &mut [[u8; TILE_BYTES]; 5]),
) -> Result<(), MatrixError> {
    check_dimension("k", k, MAX_TERNARY_K)?;
    let (from, to) = (row_tile_bytes(Layout::T5, k), row_tile_bytes(Layout::T4, k));
    let row_tiles = t5.len() / from;
    check_len("t5 codes", t5.len(), row_tiles * from)?;
    check_len("t4 codes", t4.len(), row_tiles.saturating_mul(to))?;
    for (t5, t4) in t5.chunks_exact(from).zip(t4.chunks_exact_mut(to)) {
        t5_tiles_to_t4(t5, t4, &block);
    }
    Ok(())
}

/// Rewrites T5 tiles of the same 16 rows as the T4 tiles `t4` of the same inputs, both whole tiles.
///
/// The first input of both must be the same, so it is a multiple of 80. `t4` says how many inputs
/// to rewrite; those that `t5` does not have get the weight 0. `block` is [`t5_block_to_t4`], or does
/// the same.
///
/// ```
/// use trit_core::layout::{t5_block_to_t4, t5_tiles_to_t4};
///
/// // 20 inputs of weight +1 as 32: 16 with code 2, then 4 with code 2 and 12 with code 1.
/// let mut t4 = [0; 128];
/// t5_tiles_to_t4(&[255; 64], &mut t4, t5_block_to_t4);
/// assert_eq!(t4[..64], [0b10_10_10_10; 64]);
/// assert_eq!(t4[64..], [0b01_01_01_10; 64]);
/// ```
#[inline(always)]
pub fn t5_tiles_to_t4(
    t5: &[u8],
    t4: &mut [u8],
    block: impl Fn([&[u8; TILE_BYTES]; 4], &mut [[u8; TILE_BYTES]; 5]),
) {
    // Five codes 1: ⌈121·256 / 243⌉.
    const ZERO_WEIGHTS: [u8; TILE_BYTES] = [128; TILE_BYTES];
    let (t5, t4) = (t5.as_chunks::<TILE_BYTES>().0, t4.as_chunks_mut::<TILE_BYTES>().0);
    let tile = |index| t5.get(index).unwrap_or(&ZERO_WEIGHTS);
    let tiles = |first| [tile(first), tile(first + 1), tile(first + 2), tile(first + 3)];
    // 80 inputs are 4 tiles of T5 and 5 of T4.
    let (blocks, rest) = t4.as_chunks_mut::<5>();
    for (index, t4) in blocks.iter_mut().enumerate() {
        block(tiles(4 * index), t4);
    }
    if !rest.is_empty() {
        let mut t4 = [[0; TILE_BYTES]; 5];
        block(tiles(4 * blocks.len()), &mut t4);
        rest.copy_from_slice(&t4[..rest.len()]);
    }
}

/// Rewrites 80 inputs of 16 rows. All is done byte by byte in 8 bits, so it vectorises at any width.
///
/// ```
/// use trit_core::layout::t5_block_to_t4;
///
/// // All weights 0, then all +1.
/// let mut t4 = [[0; 64]; 5];
/// t5_block_to_t4([&[128; 64]; 4], &mut t4);
/// assert_eq!(t4, [[0b01_01_01_01; 64]; 5]);
/// t5_block_to_t4([&[255; 64]; 4], &mut t4);
/// assert_eq!(t4, [[0b10_10_10_10; 64]; 5]);
/// ```
#[inline(always)]
pub fn t5_block_to_t4(t5: [&[u8; TILE_BYTES]; 4], out: &mut [[u8; TILE_BYTES]; 5]) {
    for at in 0..TILE_BYTES {
        let [a0, a1, a2, a3, a4] = t5_digits(t5[0][at]);
        let [b0, b1, b2, b3, b4] = t5_digits(t5[1][at]);
        let [c0, c1, c2, c3, c4] = t5_digits(t5[2][at]);
        let [d0, d1, d2, d3, d4] = t5_digits(t5[3][at]);
        out[0][at] = a0 | a1 << 2 | a2 << 4 | a3 << 6;
        out[1][at] = a4 | b0 << 2 | b1 << 4 | b2 << 6;
        out[2][at] = b3 | b4 << 2 | c0 << 4 | c1 << 6;
        out[3][at] = c2 | c3 << 2 | c4 << 4 | d0 << 6;
        out[4][at] = d1 | d2 << 2 | d3 << 4 | d4 << 6;
    }
}

/// The five codes of a T5 byte, as [`Layout::code`] gives them: ⌊3v / 256⌋ is 1 from v = 86 and 2
/// from v = 171 on.
#[inline(always)]
fn t5_digits(byte: u8) -> [u8; 5] {
    let mut v = byte;
    let mut digits = [0; 5];
    // A loop rather than `array::from_fn`, whose closure is at times not inlined, and then the
    // caller is not vectorised.
    for digit in &mut digits {
        *digit = u8::from(v > 85) + u8::from(v > 170);
        v = v.wrapping_mul(3);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_byte_is_found_wherever_it_is() {
        for (layout, good, wrong) in [(Layout::T4, 0x56, 0x57), (Layout::T5, 0x80, 0x01)] {
            assert!(layout.is_canonical(good) && !layout.is_canonical(wrong));
            let mut bytes = [good; 2100];
            assert_eq!(layout.first_not_canonical(&bytes), None);
            assert_eq!(layout.first_not_canonical(&[]), None);
            for at in [2099, 2048, 2047, 1024, 1023, 1, 0] {
                bytes[at] = wrong;
                assert_eq!(layout.first_not_canonical(&bytes), Some(at));
            }
        }
    }
}
