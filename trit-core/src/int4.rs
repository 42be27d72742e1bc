//! The packed layout `I4`: signed 4-bit weights with a scale per row and group of inputs, and how
//! weights get in and out. It is meant for the vocabulary head, the one large matrix that ternary
//! weights ruin.
//!
//! A matrix `[rows, k]` is cut into tiles of one 64-byte cache line, 16 rows × 8 inputs; tiles of
//! the same 16 rows follow each other in ascending k. A weight w in −8..=7 is stored as its code
//! `w + 8`.
//!
//! ```text
//! one tile, 64 bytes: 16 rows × 8 inputs
//!
//!  offset   0   1   2   3 │  4   5   6   7 │ … │ 60  61  62  63
//!  row      0   0   0   0 │  1   1   1   1 │ … │ 15  15  15  15
//!  lane j   0   1   2   3 │  0   1   2   3 │ … │  0   1   2   3
//!
//!  byte of (row, j):   bit 7 6 5 4     3 2 1 0
//!                          p = 1        p = 0       code of input k = 4·p + j
//! ```
//!
//! One mask leaves plane 0 and one shift plane 1, and as in [`T4`](crate::Layout::T4) rows lie in
//! lanes and plane p meets the broadcast of `q[4p..4p+4]`, so nothing is summed across a register.
//! Codes are unsigned and below 128. That suits `vpmaddubsw` and `vpdpbusd`, which want one
//! unsigned operand, and `smlal`, `sdot` and `smmla`, which want signed ones, alike; the offset
//! comes off through the sums that the activation quantiser keeps: `Σ w·q = Σ c·q − 8·Σ q`. For
//! `smmla`, planes 0 and 1 of 4 rows zip to 8 consecutive inputs of 2 rows.
//!
//! Rows are padded to 16 and k to 8 with code 8, the weight 0.
//!
//! # Size
//!
//! A tile stores 128 weights in 64 bytes, and a group of g inputs has an f32 scale a row:
//! 4 + 32/g bits a weight, `⌈rows/16⌉·(⌈k/8⌉·64 + ⌈k/g⌉·64)` bytes in all. A head of
//! 51,865 × 384:
//!
//! | | bits a weight | MB |
//! |---|---|---|
//! | int8, a scale a row | 8.08 | 20.1 |
//! | I4, groups of 32 | 5 | 12.4 |
//! | I4, groups of 64 | 4.5 | 11.2 |
//! | I4, groups of 128 | 4.25 | 10.6 |
//! | I4, groups of 256 (two a row) | 4.17 | 10.4 |
//!
//! Scales are f32 rather than f16, although f16 would save 16/g bits a weight: they are read in
//! place, 16 rows with one load, where AVX2 alone, WebAssembly and plain Rust would have to widen
//! them each time; and the scales of `q4_0` blocks, which are f16, keep their value.

use crate::error::{MatrixError, check_dimension, check_len};
use crate::layout::{PLANE, TILE_BYTES};
use crate::matrix::MAX_ROWS;
use crate::{MAX_INT4_K, TILE_ROWS};

/// Inputs of one tile.
pub const TILE_K: usize = 8;

/// The code of the weight 0, and what is subtracted from a code to get its weight.
pub const ZERO: u8 = 8;

/// Smallest and largest weight.
pub const RANGE: core::ops::RangeInclusive<i8> = -8..=7;

/// Bytes of the packed codes of a matrix `[rows, k]`, or `None` where that overflows.
///
/// ```
/// use trit_core::int4::bytes;
///
/// // 16 rows × 8 inputs in a tile of 64 bytes.
/// assert_eq!(bytes(16, 40), Some(5 * 64));
/// assert_eq!(bytes(17, 41), Some(2 * 6 * 64));
/// assert_eq!(bytes(usize::MAX, usize::MAX), None);
/// ```
pub const fn bytes(rows: usize, k: usize) -> Option<usize> {
    match rows.div_ceil(TILE_ROWS).checked_mul(k.div_ceil(TILE_K)) {
        Some(tiles) => tiles.checked_mul(TILE_BYTES),
        None => None,
    }
}

/// Byte offset and plane of the code of (`row`, `input`) in a matrix whose rows have `k` inputs.
///
/// ```
/// use trit_core::int4::position;
///
/// // Of 16 inputs, input 6 of row 17 lies in tile 2, at row 1, plane 1 and lane 2.
/// assert_eq!(position(16, 17, 6), (2 * 64 + 4 + 2, 1));
/// ```
#[inline]
pub const fn position(k: usize, row: usize, input: usize) -> (usize, usize) {
    let tile = row / TILE_ROWS * k.div_ceil(TILE_K) + input / TILE_K;
    let within = input % TILE_K;
    (tile * TILE_BYTES + PLANE * (row % TILE_ROWS) + within % PLANE, within / PLANE)
}

/// The code of plane `p`, 0 or 1, in `byte`.
///
/// ```
/// use trit_core::int4::{ZERO, code};
///
/// assert_eq!(code(0x8F, 0), 15);
/// assert_eq!(code(0x8F, 1), ZERO);
/// ```
#[inline]
pub const fn code(byte: u8, p: usize) -> u8 {
    byte >> (4 * p) & 0x0F
}

fn check(rows: usize, k: usize, weights: usize, codes: usize) -> Result<(), MatrixError> {
    check_dimension("k", k, MAX_INT4_K)?;
    check_dimension("rows", rows, MAX_ROWS)?;
    check_len("weights", weights, rows.saturating_mul(k))?;
    check_len("codes", codes, bytes(rows, k).unwrap_or(usize::MAX))
}

/// Packs row-major `weights` `[rows, k]`, each in −8..=7, into `codes` of [`bytes`] bytes.
///
/// ```
/// use trit_core::{GroupSize, Int4Matrix, int4, quantize};
///
/// // One row of 40 inputs: a group of 32 and one of 8.
/// let weights: [f32; 40] = core::array::from_fn(|i| if i < 32 { -0.7 } else { 3.5 });
/// let (mut values, mut scales) = ([0; 40], [0.0; 32]);
/// quantize::int4(GroupSize::G32, 1, 40, &weights, &mut values, &mut scales)?;
///
/// let mut codes = [0; int4::bytes(1, 40).unwrap()];
/// int4::pack(1, 40, &values, &mut codes)?;
/// let matrix = Int4Matrix::new(1, 40, GroupSize::G32, &codes, &scales)?;
/// assert_eq!((matrix.weight(0, 31), matrix.scale(0, 31)), (-7, 0.1));
/// assert_eq!((matrix.weight(0, 32), matrix.scale(0, 32)), (7, 0.5));
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length, a dimension out of range, or a weight that 4 bits cannot hold.
pub fn pack(rows: usize, k: usize, weights: &[i8], codes: &mut [u8]) -> Result<(), MatrixError> {
    check(rows, k, weights.len(), codes.len())?;
    if let Some(index) = weights.iter().position(|w| !RANGE.contains(w)) {
        return Err(MatrixError::NotInt4 { index, found: weights[index] });
    }
    codes.fill(ZERO | ZERO << 4);
    for (row, inputs) in weights.chunks_exact(k).enumerate() {
        for (input, &weight) in inputs.iter().enumerate() {
            let (offset, plane) = position(k, row, input);
            let byte = &mut codes[offset];
            // Flips the bits in which this code differs from that of 0.
            *byte ^= ((weight as u8).wrapping_add(ZERO) ^ ZERO) << (4 * plane);
        }
    }
    Ok(())
}

/// Unpacks `codes` into row-major `weights` `[rows, k]`.
///
/// ```
/// use trit_core::int4;
///
/// let mut codes = [0; 64];
/// int4::pack(1, 3, &[-8, 0, 7], &mut codes)?;
/// let mut weights = [9; 3];
/// int4::unpack(1, 3, &codes, &mut weights)?;
/// assert_eq!(weights, [-8, 0, 7]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Errors
/// A buffer of the wrong length or a dimension out of range.
pub fn unpack(rows: usize, k: usize, codes: &[u8], weights: &mut [i8]) -> Result<(), MatrixError> {
    check(rows, k, weights.len(), codes.len())?;
    for (row, inputs) in weights.chunks_exact_mut(k).enumerate() {
        for (input, weight) in inputs.iter_mut().enumerate() {
            let (offset, plane) = position(k, row, input);
            *weight = code(codes[offset], plane) as i8 - ZERO as i8;
        }
    }
    Ok(())
}
