//! SVE (Fujitsu A64FX): vectors of 128 to 2048 bits, the length known only when running.
//!
//! | instruction | what for | A64FX: latency, how many a cycle |
//! |---|---|---|
//! | `sdot` | four codes × four activations in each row | 9, 2 |
//! | `sdot` by element | the same without `ld1rw` | 15, 1 |
//! | `ld1rw` | four activations to every row | 11, 2 |
//! | `ld1b` under a predicate | codes | 11, 2 |
//! | `and`, `lsr` | unpacking | 4, 2 |
//! | `whilelo` | a predicate from two numbers | 4, 1 |
//!
//! From LLVM 19's scheduling model: `llvm-mca -mcpu=a64fx -instruction-tables`. As `sdot` by element
//! would take twice as long there, activations come from `ld1rw`.
//!
//! Of the CPUs that rustc 1.95 knows, A64FX alone has SVE and not FEAT_I8MM, so it alone gets these
//! kernels: `smmla` on 128 bits makes as many products as `sdot` on 256. A Neoverse V1, with four
//! pipes of 128 bits that make two of 256, reaches 128 products a cycle with `smmla` and 64 with
//! `sdot`, NEON's or SVE's. Where SVE has 128 bits it gains nothing over NEON.
//!
//! A vector holds as many rows of a T4 tile, from one of the four segments on, as it has 32-bit
//! lanes, and `whilelo` ends it at the tile:
//!
//! ```text
//! byte of the tile    0       16      32      48      64
//! 128 bits            │ 1     │ 2     │ 3     │ 4     │     passes over the tiles
//! 256                 │ 1             │ 2             │
//! 384                 │ 1                     │ 2     ┊       ┊     beyond the tile: off
//! 512                 │ 1                             │
//! 1024                │ 1                             ┊                               ┊
//!
//! byte          p3 p2 p1 p0    four 2-bit codes
//! & 0x03                 p0    ×1
//! & 0x0C              p1 ··    ×4
//! & 0x30           p2 ·· ··    ×16
//! >> 6                   p3    ×1
//! ```
//!
//! Every plane has a sum of its own, which is shifted at the end: exact, as its terms are multiples
//! of 4 or 16. So a step has as many sums as it takes to cover most of `sdot`'s 9 cycles: 16 with
//! four tokens, 8 with two tiles of one.
//!
//! An I4 tile has two planes, `& 0x0F` and `>> 4`, and several tokens unpack it each for itself: its
//! product is that of a vocabulary head, which mostly meets one token.
//!
//! Beyond 512 bits lanes stay empty; two tiles at once would fill 1024. The passes of vectors
//! shorter than 512 bits read activations again.

use trit_core::layout::TILE_BYTES;
use trit_core::{GroupSize, MAX_INT8_K, MAX_TERNARY_K, TILE_ROWS};

use super::asm::sve;
use crate::arch::DotKernels;
use crate::cpu::Sve;

// One plane of four is ×16: |Σ| ≤ 48·128·2²⁰ / 4 = 1,610,612,736 < 2³¹.
const _: () = assert!(48 * 128 * (MAX_TERNARY_K as u64 / 4) < 1 << 31);
// A group of I4: |c·q| ≤ 15·128.
const _: () = assert!(15 * 128 * GroupSize::G256.inputs() < 1 << 31);
// All products of a row: 2¹⁴·2¹⁶ = 2³⁰, in whatever lanes.
const _: () = assert!(128 * 128 * (MAX_INT8_K as u64) < 1 << 31);

impl DotKernels for Sve {
    #[target_feature(enable = "sve")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        for row in (0..TILE_ROWS).step_by(sve::vector_bytes() * TILE_ROWS / TILE_BYTES) {
            // SAFETY: `row` is a multiple of the 4 rows of 128 bits, and below 16; the rest is
            // as promised to this function.
            unsafe {
                if let Ok(q) = <[*const i8; 4]>::try_from(&q[..]) {
                    sve::t4_four_tokens(tiles, count, row, q, out.as_mut_ptr());
                } else {
                    for (q, out) in q.into_iter().zip(&mut out) {
                        sve::t4_token(tiles, count, row, q, out.as_mut_ptr());
                    }
                }
            }
        }
        out
    }

    #[target_feature(enable = "sve")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        for row in (0..TILE_ROWS).step_by(sve::vector_bytes() * TILE_ROWS / TILE_BYTES) {
            for (q, out) in q.into_iter().zip(&mut out) {
                // SAFETY: `row` is a multiple of the 4 rows of 128 bits, and below 16; the rest is
                // as promised to this function.
                unsafe { sve::i4_token(tiles, count, row, q, out.as_mut_ptr()) };
            }
        }
        out
    }

    #[target_feature(enable = "sve")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        let mut out = [[0; R]; M];
        // SAFETY: as promised to this function.
        unsafe {
            match (<[*const i8; 4]>::try_from(&w[..]), <[*const i8; 2]>::try_from(&q[..])) {
                (Ok(w), Ok(q)) => {
                    for (out, sums) in out.iter_mut().zip(sve::int8_4x2(k, w, q)) {
                        out.copy_from_slice(&sums);
                    }
                }
                (Ok(w), Err(_)) => {
                    for (out, q) in out.iter_mut().zip(q) {
                        out.copy_from_slice(&sve::int8_4x1(k, w, q));
                    }
                }
                (Err(_), _) => {
                    for (out, q) in out.iter_mut().zip(q) {
                        for (out, w) in out.iter_mut().zip(w) {
                            *out = sve::int8_1x1(k, w, q);
                        }
                    }
                }
            }
        }
        out
    }
}
