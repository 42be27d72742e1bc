//! Instruction sets: the few operations that the generic bodies cannot express.
//!
//! All `unsafe` of the workspace's kernels is in this folder: `token.rs` makes the
//! proofs that the CPU has a level's instructions, this file checks lengths, and a file for each
//! instruction set holds its kernels over pointers and the derivation of their bounds.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod codes;
mod lines;
mod scalar;
mod token;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
mod weights;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub(crate) use codes::{CodeDot, start};
pub(crate) use lines::{ENTRIES, Tables};
pub(crate) use scalar::Scalar;
pub(crate) use token::{Token, token};
pub(crate) use weights::Block;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::prefetch_output;

use trit_core::layout::{self, PLANE, TILE_BYTES};
use trit_core::reference::LANES;
use trit_core::{GroupSize, TILE_ROWS, f16, int4};

use crate::cpu::Level;

/// Asks for the memory of an output before it is needed, where stable Rust can.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn prefetch_output<T>(_element: &T) {}

/// An instruction set.
///
/// Float bodies are plain Rust over 16-lane arrays: inside [`vectorize`](Token::vectorize) the
/// compiler turns them into this set's vectors, and since nothing may be contracted the bits do not
/// depend on how. Integer products are where sets differ, and each says how.
pub(crate) trait Isa: Token {
    /// Tokens whose products are computed side by side, so that they share unpacked weights.
    const TOKENS: usize = Self::LEVEL.tokens();

    /// Row tiles whose products with one token are computed side by side.
    const GEMV_TILES: usize;

    /// Row tiles whose products with several tokens are computed side by side.
    const GEMM_TILES: usize;

    /// The same, asking for weights nearer ahead of their use.
    type Near: Isa;

    /// As [`Near`](Self::Near).
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "a design of x86-64's"))]
    fn near(self) -> Self::Near;

    /// `Σ c·q` of the 16 rows of whole T4 tiles of R row tiles with the same inputs of M tokens.
    ///
    /// Each of `tiles` is consecutive tiles of one row tile, all as many; each `q` has 16 values a
    /// tile. Exact for every code 0 to 3 and every int8, for up to 2¹⁶ tiles. Best with
    /// [`GEMV_TILES`](Self::GEMV_TILES) and one token, or [`GEMM_TILES`](Self::GEMM_TILES) and
    /// [`TOKENS`](Self::TOKENS).
    fn dot_t4<const R: usize, const M: usize>(
        self,
        tiles: [&[u8]; R],
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R];

    /// `Σ c·q` of the 16 rows of whole I4 tiles of R row tiles with the same inputs of M tokens.
    ///
    /// As [`dot_t4`](Self::dot_t4), but for at most a group of 256 inputs; each `q` has 8 values a
    /// tile and, after an odd number of tiles, 8 more. Exact for every code 0 to 15 and every int8.
    fn dot_i4<const R: usize, const M: usize>(
        self,
        tiles: [&[u8]; R],
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R];

    /// `Σ w·q` of R rows and M tokens of int8, all of one length, a multiple of 16 up to 2¹⁶.
    fn dot_i8<const R: usize, const M: usize>(self, w: [&[i8]; R], q: [&[i8]; M]) -> [[i32; R]; M];

    /// Adds to the sums of each row of B tokens a line of each of Q quads, those of the row's
    /// entries, or starts them with that: `sums[r][t] += Σ_quad tables[entries[r][quad]][quad][t]`.
    ///
    /// Entries count modulo 128, and sums may wrap.
    #[inline(always)]
    fn add_lines<const B: usize, const Q: usize, const FIRST: bool>(
        self,
        tables: &Tables<B, Q>,
        entries: &[[u8; Q]],
        sums: &mut [[i16; B]],
    ) {
        lines::add::<B, Q, FIRST>(tables, entries, sums);
    }

    /// The values of half-precision bits, exact: [`f16::to_f32`], or better. Which NaN a NaN becomes is
    /// left open.
    #[inline(always)]
    fn widen_f16(self, values: &[u16; LANES]) -> [f32; LANES] {
        widen_f16(values)
    }

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
    /// As [`Isa::GEMV_TILES`].
    const GEMV_TILES: usize = 1;

    /// As [`Isa::GEMM_TILES`].
    const GEMM_TILES: usize = 1;

    /// As [`Isa::dot_t4`], for one row tile.
    ///
    /// # Safety
    /// `tiles` points to `count` tiles of 64 bytes and each `q` to 16·`count` values.
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M];

    /// As [`Isa::dot_i4`], for one row tile.
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

    /// [`dot_t4`](Self::dot_t4) of several row tiles: one after another, unless a level does better.
    ///
    /// # Safety
    /// As [`dot_t4`](Self::dot_t4) for each of `tiles`.
    #[inline(always)]
    unsafe fn dots_t4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let mut out = [[[0; TILE_ROWS]; M]; R];
        for (out, tiles) in out.iter_mut().zip(tiles) {
            // SAFETY: as the caller's.
            *out = unsafe { self.dot_t4(tiles, count, q) };
        }
        out
    }

    /// [`dot_i4`](Self::dot_i4) of several row tiles: one after another, unless a level does better.
    ///
    /// # Safety
    /// As [`dot_i4`](Self::dot_i4) for each of `tiles`.
    #[inline(always)]
    unsafe fn dots_i4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let mut out = [[[0; TILE_ROWS]; M]; R];
        for (out, tiles) in out.iter_mut().zip(tiles) {
            // SAFETY: as the caller's.
            *out = unsafe { self.dot_i4(tiles, count, q) };
        }
        out
    }

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

    /// [`dots_t4`](Self::dots_t4) that asks for weights nearer ahead of their use, where a level can.
    ///
    /// # Safety
    /// As [`dots_t4`](Self::dots_t4).
    #[inline(always)]
    unsafe fn near_t4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        // SAFETY: as the caller's.
        unsafe { self.dots_t4(tiles, count, q) }
    }

    /// [`dots_i4`](Self::dots_i4) that asks for weights nearer ahead of their use, where a level can.
    ///
    /// # Safety
    /// As [`dots_i4`](Self::dots_i4).
    #[inline(always)]
    unsafe fn near_i4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        // SAFETY: as the caller's.
        unsafe { self.dots_i4(tiles, count, q) }
    }

    /// [`dot_i8`](Self::dot_i8) that asks for weights nearer ahead of their use, where a level can.
    ///
    /// # Safety
    /// As [`dot_i8`](Self::dot_i8).
    #[inline(always)]
    unsafe fn near_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // SAFETY: as the caller's.
        unsafe { self.dot_i8(k, w, q) }
    }

    /// As [`Isa::add_lines`].
    #[inline(always)]
    fn add_lines<const B: usize, const Q: usize, const FIRST: bool>(
        self,
        tables: &Tables<B, Q>,
        entries: &[[u8; Q]],
        sums: &mut [[i16; B]],
    ) {
        lines::add::<B, Q, FIRST>(tables, entries, sums);
    }

    /// As [`Isa::widen_f16`].
    ///
    /// # Safety
    /// None but the token's, that the CPU has the instructions.
    #[inline(always)]
    unsafe fn widen_f16(self, values: &[u16; LANES]) -> [f32; LANES] {
        widen_f16(values)
    }

    /// As [`Isa::t5_block_to_t4`].
    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        layout::t5_block_to_t4(t5, t4);
    }
}

/// Multiply-accumulates in registers alone, for [`probe`](crate::probe).
#[cfg(feature = "probe")]
pub(crate) trait Multiply: Token {
    /// int8 products of an instruction.
    const PRODUCTS: u64;

    /// Runs so many rounds of [`CHAINS`](crate::probe::CHAINS) instructions that do not wait for one
    /// another.
    fn multiply(self, rounds: u64);
}

/// A level whose products with one token ask for weights nearer ahead of their use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near<K>(K);

impl<K: Token> Token for Near<K> {
    const LEVEL: Level = K::LEVEL;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        self.0.vectorize(f)
    }
}

impl<K: DotKernels> DotKernels for Near<K> {
    const GEMV_TILES: usize = K::GEMV_TILES;
    const GEMM_TILES: usize = K::GEMM_TILES;

    #[inline(always)]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's.
        let [out] = unsafe { self.0.near_t4([tiles], count, q) };
        out
    }

    #[inline(always)]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's.
        let [out] = unsafe { self.0.near_i4([tiles], count, q) };
        out
    }

    #[inline(always)]
    unsafe fn dots_t4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        // SAFETY: as the caller's.
        unsafe { self.0.near_t4(tiles, count, q) }
    }

    #[inline(always)]
    unsafe fn dots_i4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        // SAFETY: as the caller's.
        unsafe { self.0.near_i4(tiles, count, q) }
    }

    #[inline(always)]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // SAFETY: as the caller's.
        unsafe { self.0.near_i8(k, w, q) }
    }

    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        self.0.t5_block_to_t4(t5, t4);
    }
}

impl<K: DotKernels> Isa for K {
    const GEMV_TILES: usize = K::GEMV_TILES;
    const GEMM_TILES: usize = K::GEMM_TILES;
    type Near = Near<K>;

    #[inline(always)]
    fn near(self) -> Near<K> {
        Near(self)
    }

    #[inline(always)]
    fn dot_t4<const R: usize, const M: usize>(
        self,
        tiles: [&[u8]; R],
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let count = count(&tiles);
        for q in q {
            assert!(q.len() >= count * 4 * PLANE, "16 activations a tile");
        }
        // SAFETY: the token proves the instructions; each of `tiles` holds `count` tiles and every
        // q 16·count values.
        unsafe { self.dots_t4(pointers(tiles), count, pointers(q)) }
    }

    #[inline(always)]
    fn dot_i4<const R: usize, const M: usize>(
        self,
        tiles: [&[u8]; R],
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        let count = count(&tiles);
        assert!(count <= GroupSize::G256.inputs() / int4::TILE_K, "at most a group of tiles");
        for q in q {
            let values = (count * int4::TILE_K).next_multiple_of(16);
            assert!(q.len() >= values, "8 activations a tile");
        }
        // SAFETY: the token proves the instructions; each of `tiles` holds `count` tiles, at most
        // 32, and every q 8·count values rounded up to 16.
        unsafe { self.dots_i4(pointers(tiles), count, pointers(q)) }
    }

    #[inline(always)]
    fn dot_i8<const R: usize, const M: usize>(self, w: [&[i8]; R], q: [&[i8]; M]) -> [[i32; R]; M] {
        let k = w[0].len() / 16 * 16;
        for slice in w.iter().chain(&q) {
            assert!(slice.len() >= k, "rows and tokens have one length");
        }
        // SAFETY: the token proves the instructions; every slice holds at least k values, a
        // multiple of 16.
        unsafe { DotKernels::dot_i8(self, k, pointers(w), pointers(q)) }
    }

    #[inline(always)]
    fn add_lines<const B: usize, const Q: usize, const FIRST: bool>(
        self,
        tables: &Tables<B, Q>,
        entries: &[[u8; Q]],
        sums: &mut [[i16; B]],
    ) {
        DotKernels::add_lines::<B, Q, FIRST>(self, tables, entries, sums);
    }

    #[inline(always)]
    fn widen_f16(self, values: &[u16; LANES]) -> [f32; LANES] {
        // SAFETY: the token proves the instructions.
        unsafe { DotKernels::widen_f16(self, values) }
    }

    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        DotKernels::t5_block_to_t4(self, t5, t4);
    }
}

/// [`f16::to_f32`] of each value.
#[inline(always)]
fn widen_f16(values: &[u16; LANES]) -> [f32; LANES] {
    // Not by `map`, into which a closure compiled for more instructions is not inlined.
    let mut wide = [0.0; LANES];
    for (wide, &value) in wide.iter_mut().zip(values) {
        *wide = f16::to_f32(value);
    }
    wide
}

/// Whole tiles that each of `tiles` holds.
#[inline(always)]
fn count<const R: usize>(tiles: &[&[u8]; R]) -> usize {
    let len = tiles[0].len();
    for tiles in tiles {
        assert!(tiles.len() == len, "row tiles have one length");
    }
    len / TILE_BYTES
}

/// Where each slice starts. A loop, as `map` over an array is not always inlined.
#[inline(always)]
fn pointers<T, const N: usize>(slices: [&[T]; N]) -> [*const T; N] {
    let mut pointers = [core::ptr::null(); N];
    for (pointer, slice) in pointers.iter_mut().zip(slices) {
        *pointer = slice.as_ptr();
    }
    pointers
}
