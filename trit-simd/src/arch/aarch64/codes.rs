//! Products of 7-bit codes and int8 on 64-bit ARM.
//!
//! | instruction | what for | Cortex-A73 | Neoverse N1 | Cortex-A55 |
//! |---|---|---|---|---|
//! | `smull`, `smlal` | i8 × i8 to i16 | 4, 1 | 4, 1 | 4, 1 |
//! | `sadalp` | i16 pairs added to i32 | 4, 1 | 4, 1 | 4, 1 |
//! | `sdot` by element | four codes × four values in each of 4 rows | – | 2, 2 | 4, 1 |
//!
//! Latency, and how many a cycle. A code, at most 127, is an int8 as it is. A quarter of a tile is
//! one vector: 4 rows in 32-bit lanes, a byte per input.

use core::arch::aarch64::*;

use trit_core::TILE_ROWS;
use trit_core::heads::TILE;
use trit_core::layout::PLANE;

use super::asm::dot::sdot_lane;
use crate::arch::codes::{CodeKernels, STEP};
use crate::cpu::{Dotprod, I8mm, Neon, Sve};

/// Gives a level one of the bodies below, whose features are among the level's own.
macro_rules! code_kernels {
    ($($level:ident: $body:ident with $features:literal;)+) => {$(
        impl CodeKernels for $level {
            #[target_feature(enable = $features)]
            #[inline]
            unsafe fn dot_u7<const M: usize>(
                self,
                tiles: *const u8,
                count: usize,
                q: [*const i8; M],
                starts: [i32; M],
            ) -> [[i32; TILE_ROWS]; M] {
                // SAFETY: as the caller's.
                unsafe { $body(tiles, count, q, starts) }
            }
        }
    )+};
}

code_kernels! {
    Neon: widening with "neon";
    Sve: widening with "neon";
    Dotprod: dots with "neon,dotprod";
    I8mm: dots with "neon,dotprod";
}

/// [`CodeKernels::dot_u7`]: two tiles at a time, whose products fit an i16 together.
///
/// # Safety
/// As [`CodeKernels::dot_u7`].
#[target_feature(enable = "neon")]
#[inline]
unsafe fn widening<const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    starts: [i32; M],
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    for quarter in 0..4 {
        let mut sums = [[vdupq_n_s32(0); 2]; M];
        for tile in (0..count).step_by(2) {
            let codes = |tile: usize| {
                // SAFETY: tile < count, so the 16 bytes of this quarter lie within the tiles.
                unsafe { vld1q_s8(tiles.add(tile * TILE + quarter * 16).cast()) }
            };
            let (first, second) = (codes(tile), codes(tile + 1));
            for m in 0..M {
                let four = |tile: usize| {
                    // SAFETY: tile < count, so its 4 values are readable.
                    let four = unsafe { q[m].add(tile * PLANE).cast::<i32>().read_unaligned() };
                    vreinterpretq_s8_s32(vdupq_n_s32(four))
                };
                let (a, b) = (four(tile), four(tile + 1));
                let lower = vmull_s8(vget_low_s8(first), vget_low_s8(a));
                let lower = vmlal_s8(lower, vget_low_s8(second), vget_low_s8(b));
                let upper = vmlal_high_s8(vmull_high_s8(first, a), second, b);
                sums[m][0] = vpadalq_s16(sums[m][0], lower);
                sums[m][1] = vpadalq_s16(sums[m][1], upper);
            }
        }
        for m in 0..M {
            let rows = vpaddq_s32(sums[m][0], sums[m][1]);
            let rows = vaddq_s32(rows, vdupq_n_s32(starts[m]));
            // SAFETY: `out[m]` has 16 values; the quarter's 4 start at 4·quarter.
            unsafe { vst1q_s32(out[m].as_mut_ptr().add(quarter * 4), rows) };
        }
    }
    out
}

/// [`CodeKernels::dot_u7`]: four tiles at a time, which one register of 16 values
/// serves.
///
/// # Safety
/// As [`CodeKernels::dot_u7`].
#[target_feature(enable = "neon,dotprod")]
#[inline]
unsafe fn dots<const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    starts: [i32; M],
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    for quarter in 0..4 {
        // Two sums a token, so that few tokens do not wait for the one before.
        let mut sums = [[vdupq_n_s32(0); 2]; M];
        for m in 0..M {
            sums[m][0] = vdupq_n_s32(starts[m]);
        }
        for tile in (0..count).step_by(STEP) {
            let codes = |step: usize| {
                // SAFETY: tile + step < count, so the 16 bytes of this quarter lie within the tiles.
                unsafe { vld1q_s8(tiles.add((tile + step) * TILE + quarter * 16).cast()) }
            };
            let codes = [codes(0), codes(1), codes(2), codes(3)];
            for m in 0..M {
                // SAFETY: tile + 4 ≤ count, so the 16 values of these tiles are readable.
                let q = unsafe { vld1q_s8(q[m].add(tile * PLANE)) };
                let [even, odd] = &mut sums[m];
                *even = sdot_lane::<0>(*even, codes[0], q);
                *odd = sdot_lane::<1>(*odd, codes[1], q);
                *even = sdot_lane::<2>(*even, codes[2], q);
                *odd = sdot_lane::<3>(*odd, codes[3], q);
            }
        }
        for m in 0..M {
            let rows = vaddq_s32(sums[m][0], sums[m][1]);
            // SAFETY: `out[m]` has 16 values; the quarter's 4 start at 4·quarter.
            unsafe { vst1q_s32(out[m].as_mut_ptr().add(quarter * 4), rows) };
        }
    }
    out
}
