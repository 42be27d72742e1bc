//! Packed ternary weights for small CPUs: layouts, scales, quantisers, the `.trit` container,
//! readers of foreign block formats, and the reference operations that define every result.
//!
//! ```
//! use trit_core::{Layout, Scales, TernaryMatrix, layout};
//!
//! // Two rows of four inputs, weights in {-1, 0, 1}.
//! let weights = [1, 0, -1, 1, 0, 0, 1, -1];
//! let mut codes = [0; layout::bytes(Layout::T4, 2, 4).unwrap()];
//! layout::pack(Layout::T4, 2, 4, &weights, &mut codes)?;
//! let scales = [0.5, 0.25, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.];
//! let matrix = TernaryMatrix::new(2, 4, Layout::T4, &codes, Scales::Row(&scales))?;
//! assert_eq!(matrix.weight(1, 3), -1);
//! assert_eq!(matrix.scale(1, 3), 0.25);
//! # Ok::<(), trit_core::MatrixError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("trit reads little-endian files in place and supports little-endian targets only");

pub mod activations;
pub mod container;
mod error;
pub mod f16;
pub mod foreign;
pub mod heads;
pub mod int4;
pub mod layout;
mod matrix;
pub mod quantize;
pub mod reference;
mod scale;

pub use activations::{QuantizedActs, QuantizedActsMut};
pub use error::{MatrixError, QuantizeError, check_len};
pub use heads::{HeadShape, Heads, HeadsMut};
pub use layout::Layout;
pub use matrix::{F16Matrix, F32Matrix, Int4Matrix, Int8Matrix, TernaryMatrix};
pub use scale::{GroupSize, Scales};

/// Rows of one tile; row counts are padded to it.
pub const TILE_ROWS: usize = 16;

/// Largest k of a ternary matrix: `|Σ c·q| ≤ 2·128·2²⁰ = 2²⁸` stays far inside an i32.
pub const MAX_TERNARY_K: usize = 1 << 20;

/// Largest k of an int8 matrix: `|Σ w·q| ≤ 128·128·2¹⁶ = 2³⁰` stays inside an i32.
pub const MAX_INT8_K: usize = 1 << 16;

/// Largest k of a 4-bit matrix, that of activations.
///
/// The arithmetic would bear more: an integer sum never leaves its group of at most 256 inputs, so
/// `|Σ c·q| ≤ 15·128·256 < 2¹⁹` whatever k is, and `|Σ w·q| ≤ 8·128·256 = 2¹⁸` is exact as an f32.
pub const MAX_INT4_K: usize = MAX_TERNARY_K;

/// `rows` rounded up to whole tiles.
///
/// ```
/// assert_eq!(trit_core::padded_rows(16), 16);
/// assert_eq!(trit_core::padded_rows(17), 32);
/// ```
#[inline]
pub const fn padded_rows(rows: usize) -> usize {
    rows.next_multiple_of(TILE_ROWS)
}
