//! Instruction sets: the few operations that the generic bodies cannot express.
//!
//! All `unsafe` of the workspace's kernels is in this folder: `token.rs` makes the
//! proofs that the CPU has a level's instructions, this file checks lengths, and a file for each
//! instruction set holds its kernels over pointers and the derivation of their bounds.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod scalar;
mod token;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub(crate) use scalar::Scalar;
pub(crate) use token::{Token, token};

use trit_core::layout::{self, PLANE, TILE_BYTES};
use trit_core::{GroupSize, TILE_ROWS, int4};

/// An instruction set.
///
/// Float bodies are plain Rust over 16-lane arrays: inside [`vectorize`](Token::vectorize) the
/// compiler turns them into this set's vectors, and since nothing may be contracted the bits do not
/// depend on how. Integer products are where sets differ, and each says how.
pub(crate) trait Isa: Token {
    /// Tokens whose products are computed side by side, so that they share unpacked weights.
    const TOKENS: usize = Self::LEVEL.tokens();

    /// `Σ c·q` of the 16 rows of whole T4 tiles with the same inputs of M tokens.
    ///
    /// `tiles` are consecutive tiles of one row tile; each `q` has 16 values a tile. Exact for
    /// every code 0 to 3 and every int8, for up to 2¹⁶ tiles. `M` is 1 or [`TOKENS`](Self::TOKENS).
    fn dot_t4<const M: usize>(self, tiles: &[u8], q: [&[i8]; M]) -> [[i32; TILE_ROWS]; M];

    /// `Σ c·q` of the 16 rows of whole I4 tiles with the same inputs of M tokens.
    ///
    /// `tiles` are consecutive tiles of one row tile, at most a group of 256 inputs; each `q` has 8
    /// values a tile and, after an odd number of tiles, 8 more. Exact for every code 0 to 15 and
    /// every int8. `M` is 1 or [`TOKENS`](Self::TOKENS).
    fn dot_i4<const M: usize>(self, tiles: &[u8], q: [&[i8]; M]) -> [[i32; TILE_ROWS]; M];

    /// `Σ w·q` of R rows and M tokens of int8, all of one length, a multiple of 16 up to 2¹⁶.
    fn dot_i8<const R: usize, const M: usize>(self, w: [&[i8]; R], q: [&[i8]; M]) -> [[i32; R]; M];

    /// Rewrites 80 inputs of 16 rows from T5 to T4: [`layout::t5_block_to_t4`], or better.
    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        layout::t5_block_to_t4(t5, t4);
    }
}

/// Integer products over pointers, as an instruction set's file gives them; [`Isa`] is their front.
///
/// Implementations carry `#[target_feature]` and `#[inline]`, so that they merge into the
/// vectorised body that calls them. On WebAssembly, where a whole module is compiled for one set,
/// `#[inline(always)]` does.
pub(crate) trait DotKernels: Token {
    /// As [`Isa::dot_t4`].
    ///
    /// # Safety
    /// `tiles` points to `count` tiles of 64 bytes and each `q` to 16·`count` values.
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M];

    /// As [`Isa::dot_i4`].
    ///
    /// # Safety
    /// `tiles` points to `count` tiles of 64 bytes, at most 32, and each `q` to 8·`count` values
    /// rounded up to 16.
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M];

    /// As [`Isa::dot_i8`].
    ///
    /// # Safety
    /// Every pointer leads to `k` values, a multiple of 16.
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M];

    /// As [`Isa::t5_block_to_t4`].
    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        layout::t5_block_to_t4(t5, t4);
    }
}

impl<K: DotKernels> Isa for K {
    #[inline(always)]
    fn dot_t4<const M: usize>(self, tiles: &[u8], q: [&[i8]; M]) -> [[i32; TILE_ROWS]; M] {
        let count = tiles.len() / TILE_BYTES;
        for q in q {
            assert!(q.len() >= count * 4 * PLANE, "16 activations a tile");
        }
        // SAFETY: the token proves the instructions; `tiles` holds `count` tiles and every q
        // 16·count values.
        unsafe { DotKernels::dot_t4(self, tiles.as_ptr(), count, q.map(<[i8]>::as_ptr)) }
    }

    #[inline(always)]
    fn dot_i4<const M: usize>(self, tiles: &[u8], q: [&[i8]; M]) -> [[i32; TILE_ROWS]; M] {
        let count = tiles.len() / TILE_BYTES;
        assert!(count <= GroupSize::G256.inputs() / int4::TILE_K, "at most a group of tiles");
        for q in q {
            let values = (count * int4::TILE_K).next_multiple_of(16);
            assert!(q.len() >= values, "8 activations a tile");
        }
        // SAFETY: the token proves the instructions; `tiles` holds `count` tiles, at most 32, and
        // every q 8·count values rounded up to 16.
        unsafe { DotKernels::dot_i4(self, tiles.as_ptr(), count, q.map(<[i8]>::as_ptr)) }
    }

    #[inline(always)]
    fn dot_i8<const R: usize, const M: usize>(self, w: [&[i8]; R], q: [&[i8]; M]) -> [[i32; R]; M] {
        let k = w[0].len() / 16 * 16;
        for slice in w.iter().chain(&q) {
            assert!(slice.len() >= k, "rows and tokens have one length");
        }
        // SAFETY: the token proves the instructions; every slice holds at least k values, a
        // multiple of 16.
        unsafe { DotKernels::dot_i8(self, k, w.map(<[i8]>::as_ptr), q.map(<[i8]>::as_ptr)) }
    }

    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        DotKernels::t5_block_to_t4(self, t5, t4);
    }
}
