//! Instruction sets: a token each, and the few operations that the generic bodies cannot express.
//!
//! A token is a zero-sized proof that the CPU has the instructions. All `unsafe` of the workspace's
//! kernels is in the files below this folder.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::Neon;
pub(crate) use scalar::Scalar;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{Avx2, Avx512Vnni};

use trit_core::TILE_ROWS;

/// An instruction set.
///
/// Float bodies are plain Rust over 16-lane arrays: inside [`vectorize`](Self::vectorize) the
/// compiler turns them into this set's vectors, and since nothing may be contracted the bits do not
/// depend on how. Integer products are where sets differ, and each says how.
pub(crate) trait Isa: Copy {
    /// Tokens whose products are computed side by side, so that they share unpacked weights.
    const TOKENS: usize;

    /// Calls `f`, compiled for this instruction set.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;

    /// `Σ c·q` of the 16 rows of whole T4 tiles with the same inputs of M tokens.
    ///
    /// `tiles` are consecutive tiles of one row tile; each `q` has 16 values a tile. Exact for
    /// every code 0 to 3 and every int8, for up to 2¹⁶ tiles. `M` is 1 or [`TOKENS`](Self::TOKENS).
    fn dot_t4<const M: usize>(self, tiles: &[u8], q: [&[i8]; M]) -> [[i32; TILE_ROWS]; M];

    /// `Σ w·q` of R rows and M tokens of int8, all of one length, a multiple of 16 up to 2¹⁶.
    fn dot_i8<const R: usize, const M: usize>(self, w: [&[i8]; R], q: [&[i8]; M]) -> [[i32; R]; M];
}
