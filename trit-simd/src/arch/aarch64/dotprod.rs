//! NEON with FEAT_DotProd (Cortex-A55, A75 and A76 on, Neoverse N1): four products into each i32.
//!
//! Latency, and how many a cycle:
//!
//! | instruction | what for | Neoverse N1 | Neoverse V1 | Cortex-A55 |
//! |---|---|---|---|---|
//! | `sdot` by element | four codes × four activations in each of 4 rows | 2, 2 | 2, 4 | 4, 1 |
//! | `sdot` | 16 int8 weights × activations | 2, 2 | 2, 4 | 4, 1 |
//! | `and` | unpacking | 2, 2 | 2, 4 | 1, 1 |
//! | `ushr` | unpacking | 2, 1 | 2, 2 | 2, 2 |
//! | `ldr q` | 64 codes, or a token's 16 activations | 5, 2 | 6, 3 | 3, 1 |
//!
//! From LLVM 19's scheduling models: `llvm-mca -mcpu=neoverse-n1 -instruction-tables`, and so on.
//!
//! A quarter of a T4 tile is one vector: 4 rows in 32-bit lanes, a byte of four codes for each input
//! j mod 4. `sdot` by element multiplies plane p in every row with bytes 4p to 4p + 3 of one
//! register, so a single load of a token's 16 activations serves the four planes:
//!
//! ```text
//! plane p   │ r0: j0 j1 j2 j3 │ r1: j0 j1 j2 j3 │ r2 …   │ r3 …   │  i8, 0 to 12 (or 48)
//! q.4b[p]   │ 4p … 4p+3       │ 4p … 4p+3       │ same   │ same   │  i8
//! sum       │ r0              │ r1              │ r2     │ r3     │  i32
//! ```
//!
//! Planes are not all brought down to the unit, since a sum can be shifted once at its end: every
//! term of a sum of planes ×s is a multiple of s, so that is exact.
//!
//! ```text
//! byte          p3 p2 p1 p0    four 2-bit codes
//!
//! one token: 4 operations, none waiting for another, 12 sums for the whole tile
//! & 0x03                 p0    ×1
//! & 0x0C              p1 ··    ×4
//! & 0x30           p2 ·· ··    ×16
//! >> 6                   p3    ×1
//!
//! several tokens: 5 operations, and 2 sums a token, which leave registers for 8 tokens
//! & 0x03                 p0    ×1      >> 4, & 0x03         p2    ×1
//! & 0x0C              p1 ··    ×4      >> 4, & 0x0C      p3 ··    ×4
//! ```
//!
//! An I4 tile has two planes, 8 inputs, so with several tokens one register of activations serves
//! two tiles.
//!
//! With 8 tokens a quarter tile takes 32 `sdot` and 5 operations of unpacking; one token, 4 and 4.
//! A Neoverse N1 makes two of either a cycle, which bounds it at 27.7 products a cycle with 8 tokens
//! and at 16 with one, and both loops reach that; 32 would be all `sdot`. A Cortex-A55 makes one
//! a cycle, in order.

use core::arch::aarch64::*;

use trit_core::layout::TILE_BYTES;
use trit_core::{GroupSize, MAX_INT8_K, MAX_TERNARY_K, TILE_ROWS, int4};

use super::asm::dot::{sdot, sdot_lane};
use super::asm::dotprod;
use super::lines;
use crate::arch::{DotKernels, Tables};
use crate::cpu::Dotprod;

// One plane of four is ×16, |c·q| ≤ 48·128, and the largest k has 2¹⁶ tiles with 4 such products
// each in a lane: 1,610,612,736 < 2³¹. Of a token among several, two planes are ×4.
const _: () = assert!(48 * 128 * (MAX_TERNARY_K as u64 / 4) < 1 << 31);
const _: () = assert!(12 * 128 * (MAX_TERNARY_K as u64 / 2) < 1 << 31);
// A group of I4: |c·q| ≤ 15·128.
const _: () = assert!(15 * 128 * GroupSize::G256.inputs() < 1 << 31);
// All products of a row: 2¹⁴·2¹⁶ = 2³⁰.
const _: () = assert!(128 * 128 * (MAX_INT8_K as u64) < 1 << 31);

impl DotKernels for Dotprod {
    #[target_feature(enable = "neon,dotprod")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        if M == 1 {
            // SAFETY: as promised to this function.
            q.map(|q| unsafe { token(tiles, count, q) })
        } else {
            // SAFETY: as promised to this function.
            unsafe { tokens(tiles, count, q) }
        }
    }

    #[target_feature(enable = "neon,dotprod")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as promised to this function.
        unsafe { four_bits(tiles, count, q) }
    }

    #[target_feature(enable = "neon,dotprod")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // SAFETY: as promised to this function.
        unsafe { eight_bits(k, w, q) }
    }

    #[inline(always)]
    fn add_lines<const B: usize, const Q: usize, const FIRST: bool>(
        self,
        tables: &Tables<B, Q>,
        entries: &[[u8; Q]],
        sums: &mut [[i16; B]],
    ) {
        lines::add::<B, Q, FIRST>(tables, entries, sums);
    }
}

/// [`DotKernels::dot_t4`] of one token: a tile at a time.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and `q` to 16·`count` values.
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(super) unsafe fn token(tiles: *const u8, count: usize, q: *const i8) -> [i32; TILE_ROWS] {
    let mut sums = [[vdupq_n_s32(0); 4]; 3];
    if count > 0 {
        // SAFETY: as promised to this function.
        unsafe { dotprod::t4_token(tiles, count, q, &mut sums) };
    }
    let [s1, s4, s16] = sums;
    let mut out = [0; TILE_ROWS];
    for quarter in 0..4 {
        let rows = vsraq_n_s32::<2>(s1[quarter], s4[quarter]);
        let rows = vsraq_n_s32::<4>(rows, s16[quarter]);
        // SAFETY: `out` has 16 values; the quarter's 4 start at 4·quarter.
        unsafe { vst1q_s32(out.as_mut_ptr().add(quarter * 4), rows) };
    }
    out
}

/// [`DotKernels::dot_t4`] of four or eight tokens: a quarter of the rows at a time.
///
/// # Safety
/// As [`DotKernels::dot_t4`].
#[target_feature(enable = "neon,dotprod")]
#[inline]
unsafe fn tokens<const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    if count == 0 {
        return out;
    }
    for quarter in 0..4 {
        let mut sums = [[vdupq_n_s32(0); 2]; M];
        // SAFETY: a tile has 4 quarters of 16 bytes; the rest is as promised to this function.
        unsafe {
            let quarters = tiles.add(quarter * 16);
            for (q, sums) in q.as_chunks::<8>().0.iter().zip(sums.as_chunks_mut::<8>().0) {
                dotprod::t4_eight_tokens(quarters, count, *q, sums);
            }
            let (q, sums) = (q.as_chunks::<8>().1, sums.as_chunks_mut::<8>().1);
            for (q, sums) in q.as_chunks::<4>().0.iter().zip(sums.as_chunks_mut::<4>().0) {
                dotprod::t4_four_tokens(quarters, count, *q, sums);
            }
        }
        for (out, [s1, s4]) in out.iter_mut().zip(sums) {
            // SAFETY: `out` has 16 values; the quarter's 4 start at 4·quarter.
            unsafe {
                vst1q_s32(out.as_mut_ptr().add(quarter * 4), vsraq_n_s32::<2>(s1, s4));
            }
        }
    }
    out
}

/// The four planes of bytes of codes: ×1, ×4, ×1, ×4.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn planes(bytes: uint8x16_t) -> [int8x16_t; 4] {
    let (low, high) = (vdupq_n_u8(0x03), vdupq_n_u8(0x0C));
    let upper = vshrq_n_u8::<4>(bytes);
    [vandq_u8(bytes, low), vandq_u8(bytes, high), vandq_u8(upper, low), vandq_u8(upper, high)]
        .map(|plane| vreinterpretq_s8_u8(plane))
}

/// [`DotKernels::dot_i4`] of one token: a tile at a time.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and `q` to 8·`count` values.
#[target_feature(enable = "neon,dotprod")]
#[inline]
unsafe fn four_bit_token(tiles: *const u8, count: usize, q: *const i8) -> [i32; TILE_ROWS] {
    let mut sums = [[vdupq_n_s32(0); 4]; 2];
    if count > 0 {
        // SAFETY: as promised to this function.
        unsafe { dotprod::i4_token(tiles, count, q, &mut sums) };
    }
    let [lower, upper] = sums;
    let mut out = [0; TILE_ROWS];
    for quarter in 0..4 {
        let rows = vaddq_s32(lower[quarter], upper[quarter]);
        // SAFETY: `out` has 16 values; the quarter's 4 start at 4·quarter.
        unsafe { vst1q_s32(out.as_mut_ptr().add(quarter * 4), rows) };
    }
    out
}

/// [`DotKernels::dot_i4`]: of several tokens a quarter of the rows at a time.
///
/// # Safety
/// As [`DotKernels::dot_i4`].
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(super) unsafe fn four_bits<const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
) -> [[i32; TILE_ROWS]; M] {
    if M == 1 {
        // SAFETY: as promised to this function.
        return q.map(|q| unsafe { four_bit_token(tiles, count, q) });
    }
    let low = vdupq_n_u8(0x0F);
    let mut out = [[0; TILE_ROWS]; M];
    for quarter in 0..4 {
        let mut sums = [[vdupq_n_s32(0); 2]; M];
        let split = |tile: usize| {
            // SAFETY: tile < count, so the 16 bytes of this quarter lie within the tiles.
            let bytes = unsafe { vld1q_u8(tiles.add(tile * TILE_BYTES + quarter * 16)) };
            [vandq_u8(bytes, low), vshrq_n_u8::<4>(bytes)].map(|plane| vreinterpretq_s8_u8(plane))
        };
        for tile in (0..count).step_by(2) {
            let first = split(tile);
            let second = (tile + 1 < count).then(|| split(tile + 1));
            for m in 0..M {
                // SAFETY: tile < count is even, so the 16 values at 8·tile are readable.
                let q = unsafe { vld1q_s8(q[m].add(tile * int4::TILE_K)) };
                sums[m][0] = sdot_lane::<0>(sums[m][0], first[0], q);
                sums[m][1] = sdot_lane::<1>(sums[m][1], first[1], q);
                if let Some(second) = second {
                    sums[m][0] = sdot_lane::<2>(sums[m][0], second[0], q);
                    sums[m][1] = sdot_lane::<3>(sums[m][1], second[1], q);
                }
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

/// [`DotKernels::dot_i8`].
///
/// # Safety
/// As [`DotKernels::dot_i8`].
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(super) unsafe fn eight_bits<const R: usize, const M: usize>(
    k: usize,
    w: [*const i8; R],
    q: [*const i8; M],
) -> [[i32; R]; M] {
    let mut sums = [[vdupq_n_s32(0); R]; M];
    for at in (0..k).step_by(16) {
        // SAFETY: at + 16 ≤ k.
        let load = |p: *const i8| unsafe { vld1q_s8(p.add(at)) };
        let w = w.map(load);
        for m in 0..M {
            let q = load(q[m]);
            for r in 0..R {
                sums[m][r] = sdot(sums[m][r], w[r], q);
            }
        }
    }
    sums.map(|sums| sums.map(|sum| vaddvq_s32(sum)))
}
