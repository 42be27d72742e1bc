//! NEON with FEAT_I8MM (Neoverse N2, V1, V2; Cortex-A510, A710, X2 on): 2×8 · 8×2 products.
//!
//! Latency, and how many a cycle:
//!
//! | instruction | what for | Neoverse V1 | Neoverse N2 | Cortex-A510 |
//! |---|---|---|---|---|
//! | `smmla` | 2 tokens × 2 rows × 8 inputs | 3, 4 | 3, 2 | 4, 2 |
//! | `sdot` | as in [`dotprod`](super::dotprod) | 2, 4 | 3, 2 | 4, 2 |
//! | `zip1`, `zip2` | pairing | 2, 4 | 2, 2 | 4, 2 |
//! | `and` | unpacking | 2, 4 | 2, 2 | 3, 2 |
//! | `ushr` | unpacking | 2, 2 | 2, 1 | 3, 2 |
//!
//! From LLVM 19's scheduling models: `llvm-mca -mcpu=neoverse-v1 -mattr=+i8mm -instruction-tables`,
//! and so on.
//!
//! `smmla` makes 32 products where `sdot` makes 16, but wants 8 inputs of a row side by side, and a
//! T4 plane has 4. Eight come from the same plane of two tiles. Pairing bytes of codes before they
//! are unpacked takes 2 `zip` for 32 bytes; pairing the planes of one tile afterwards would take 8:
//!
//! ```text
//! tile t     r0 r1 r2 r3     zip1   r0 of t, t+1 │ r1 of t, t+1     4 + 4 bytes a row
//! tile t+1   r0 r1 r2 r3     zip2   r2 of t, t+1 │ r3 of t, t+1
//!
//! plane p of zip1    row 0: 4 inputs of t, 4 of t+1   │ row 1: the same inputs
//! activations        token a: the same 8 inputs       │ token b
//! smmla              a·r0  a·r1  b·r0  b·r1                        i32
//! ```
//!
//! Activations are brought into that order once for the 32 rows of two row tiles: 8 `zip` for two
//! tokens and two tiles, through a panel on the stack that stays in the first cache. For 8 tokens and
//! two tiles of each that makes 256 `smmla` and 128 other operations (32 for the panel, 16 `zip` and
//! 80 of unpacking), where `dotprod` needs 512 `sdot` and 80: the gain is 1.54, not 2. A layout with
//! 8 inputs a plane, or activations reordered once for all rows, would come nearer to 2.
//!
//! One token would leave half of every `smmla` empty, and two rows of int8 weights have to be paired
//! by as many `zip` as that saves `sdot`, since no more than two tokens come at a time: both are
//! `dotprod`'s. So is the product with 4-bit weights, those of a vocabulary head, which mostly meets
//! one token.

use core::arch::aarch64::*;
use core::mem::MaybeUninit;

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{MAX_TERNARY_K, TILE_ROWS};

use super::asm::dot::smmla;
use super::dotprod;
use crate::arch::DotKernels;
use crate::cpu::{I8mm, Level};

/// Inputs of a T4 tile.
const TILE_K: usize = 4 * PLANE;

/// Pairs of tokens at most.
const PAIRS: usize = Level::I8mm.tokens() / 2;

/// Pairs of tiles whose activations are brought into order at once: 4 KiB of them.
const PANEL: usize = 16;

/// What stands for the second tile where the number of tiles is odd: weights and activations of 0.
const NO_TILE: [u8; 16] = [0; 16];

// The ×4 half of the planes: |Σ| ≤ 12·128·2²⁰ / 2 < 2³⁰.
const _: () = assert!(12 * 128 * (MAX_TERNARY_K as u64 / 2) < 1 << 31);

impl DotKernels for I8mm {
    const GEMM_TILES: usize = 2;

    #[target_feature(enable = "neon,dotprod,i8mm")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as promised to this function.
        let [out] = unsafe { self.dots_t4([tiles], count, q) };
        out
    }

    #[target_feature(enable = "neon,dotprod,i8mm")]
    #[inline]
    unsafe fn dots_t4<const R: usize, const M: usize>(
        self,
        tiles: [*const u8; R],
        count: usize,
        q: [*const i8; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        if M == 1 {
            // SAFETY: as promised to this function.
            tiles.map(|tiles| q.map(|q| unsafe { dotprod::token(tiles, count, q) }))
        } else {
            // SAFETY: as promised to this function.
            unsafe { tokens(tiles, count, q) }
        }
    }

    #[target_feature(enable = "neon,dotprod,i8mm")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as promised to this function.
        unsafe { dotprod::four_bits(tiles, count, q) }
    }

    #[target_feature(enable = "neon,dotprod,i8mm")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // SAFETY: as promised to this function.
        unsafe { dotprod::eight_bits(k, w, q) }
    }
}

/// [`DotKernels::dots_t4`] of an even number of tokens.
///
/// # Safety
/// As [`DotKernels::dots_t4`].
#[target_feature(enable = "neon,i8mm")]
#[inline]
unsafe fn tokens<const R: usize, const M: usize>(
    tiles: [*const u8; R],
    count: usize,
    q: [*const i8; M],
) -> [[[i32; TILE_ROWS]; M]; R] {
    const {
        assert!(M == 1 || M.is_multiple_of(2) && M / 2 <= PAIRS, "one token is `dot_t4`'s own case")
    };
    // The two sums, ×1 and ×4, of a pair of tokens and the two pairs of rows of each quarter of each
    // row tile.
    let mut sums = [[[[[vdupq_n_s32(0); 2]; 2]; PAIRS]; 4]; R];
    let mut panel = [[[const { MaybeUninit::uninit() }; 4]; PAIRS]; PANEL];

    for first in (0..count).step_by(2 * PANEL) {
        let steps = (count - first).div_ceil(2).min(PANEL);
        for (step, panel) in panel[..steps].iter_mut().enumerate() {
            for (pair, planes) in panel[..M / 2].iter_mut().enumerate() {
                let tile = first + 2 * step;
                let side_by_side = |m: usize| {
                    // SAFETY: tile < count, and the next one is below it or none: 16 values each.
                    unsafe {
                        let this = q[2 * pair + m].add(tile * TILE_K);
                        let next = if tile + 1 < count {
                            this.add(TILE_K)
                        } else {
                            NO_TILE.as_ptr().cast()
                        };
                        interleave(vld1q_s8(this), vld1q_s8(next))
                    }
                };
                let (a, b) = (side_by_side(0), side_by_side(1));
                for half in 0..2 {
                    planes[2 * half].write(vreinterpretq_s8_s64(vzip1q_s64(a[half], b[half])));
                    planes[2 * half + 1].write(vreinterpretq_s8_s64(vzip2q_s64(a[half], b[half])));
                }
            }
        }
        for (tiles, sums) in tiles.into_iter().zip(&mut sums) {
            for (quarter, sums) in sums.iter_mut().enumerate() {
                let mut part = *sums;
                for (step, panel) in panel[..steps].iter().enumerate() {
                    let tile = first + 2 * step;
                    // SAFETY: tile < count, and the next one is below it or none: 16 bytes each.
                    let rows = unsafe {
                        let this = tiles.add(tile * TILE_BYTES + quarter * 16).cast::<i8>();
                        let next = if tile + 1 < count {
                            this.add(TILE_BYTES)
                        } else {
                            NO_TILE.as_ptr().cast()
                        };
                        interleave(vld1q_s8(this), vld1q_s8(next))
                    };
                    let rows = rows.map(|bytes| dotprod::planes(vreinterpretq_u8_s64(bytes)));
                    for (sums, q) in part[..M / 2].iter_mut().zip(panel) {
                        // SAFETY: the panel has been written for every step and pair.
                        let q = q.map(|q| unsafe { q.assume_init() });
                        for (sums, planes) in sums.iter_mut().zip(rows) {
                            sums[0] = smmla(sums[0], q[0], planes[0]);
                            sums[1] = smmla(sums[1], q[1], planes[1]);
                            sums[0] = smmla(sums[0], q[2], planes[2]);
                            sums[1] = smmla(sums[1], q[3], planes[3]);
                        }
                    }
                }
                *sums = part;
            }
        }
    }

    sums.map(|sums| rows(sums))
}

/// The rows of a row tile, in order, for each of M tokens.
#[target_feature(enable = "neon,i8mm")]
#[inline]
fn rows<const M: usize>(sums: [[[[int32x4_t; 2]; 2]; PAIRS]; 4]) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    for (quarter, sums) in sums.iter().enumerate() {
        for pair in 0..M / 2 {
            // For two rows, of token a and then of token b.
            let [upper, lower] =
                sums[pair].map(|[s1, s4]| vreinterpretq_s64_s32(vsraq_n_s32::<2>(s1, s4)));
            let (a, b) = (vzip1q_s64(upper, lower), vzip2q_s64(upper, lower));
            for (out, rows) in out[2 * pair..].iter_mut().zip([a, b]) {
                // SAFETY: `out` has 16 values; the quarter's 4 start at 4·quarter.
                unsafe {
                    vst1q_s32(out.as_mut_ptr().add(quarter * 4), vreinterpretq_s32_s64(rows));
                }
            }
        }
    }
    out
}

/// The 32-bit lanes of two vectors in turn, as halves of 8 bytes: a0 b0, a1 b1; a2 b2, a3 b3.
#[target_feature(enable = "neon")]
#[inline]
fn interleave(a: int8x16_t, b: int8x16_t) -> [int64x2_t; 2] {
    let (a, b) = (vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b));
    [vzip1q_s32(a, b), vzip2q_s32(a, b)].map(|lanes| vreinterpretq_s64_s32(lanes))
}
