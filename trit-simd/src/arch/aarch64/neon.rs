//! NEON of ARMv8.0 (Cortex-A53, A72, A73): 16-byte vectors, 32 registers, no dot product.
//!
//! Latency, and how many a cycle:
//!
//! | instruction | what for | Cortex-A72, A73 | Cortex-A53 |
//! |---|---|---|---|
//! | `smlal`, `smlal2` | 8 products of i8 added to i16 | 5, 1 | 6, 1 |
//! | `sadalp` | i16 pairs added to i32 | 4, 1 | 6, 1 |
//! | `and`, `ushr` | unpacking | 3, 2 | 6, 1 |
//! | `ld4r.4s` | the four activations of each plane to every row | 9, 1/2 | 5, 1/2 |
//! | `ldr q` | 64 codes | 5, 1 | 4, 1 |
//!
//! From LLVM 19's scheduling models: `llvm-mca -mcpu=cortex-a73 -instruction-tables`, and so on.
//!
//! A quarter of a T4 tile is one vector: 4 rows of 4 bytes, each byte four codes, plane p at bits
//! 2p. Plane p meets the same four activations in every row:
//!
//! ```text
//! lane     r0j0 r0j1 r0j2 r0j3 │ r1j0 … │ r2j0 … │ r3j0 …
//! code      c    c    c    c   │
//! q        4p  4p+1 4p+2 4p+3  │ the same │ …
//! smlal    → i16 r0 r0 r0 r0 r1 r1 r1 r1     smlal2 → i16 r2 r2 r2 r2 r3 r3 r3 r3
//! sadalp   → i32 r0 r0 r1 r1                 addp   → i32 r0 r1 r2 r3
//! ```
//!
//! So it goes with a quarter of an I4 tile and its two planes, `and 0x0F` and `ushr 4`.
//!
//! The bound is 8 products a cycle: one of a Cortex-A73's two vector units multiplies, 8 bytes at a
//! time in whatever form (`mla` of 16 bytes takes it twice), and a tile needs 32 of these. The 24
//! operations of unpacking go to the other unit. So for one token all four quarters are taken
//! together, which share the activations in all lanes and have eight sums to wait for instead of
//! two; four tokens share the unpacking of a quarter instead.

use core::arch::aarch64::*;

use trit_core::TILE_ROWS;
use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::reference::LANES;

use super::asm::neon;
use super::lines;
use crate::arch::{DotKernels, Tables};
use crate::cpu::Neon;

/// Tiles between widenings: an i16 lane takes one product of at most 3·128 = 384 a plane, 1536 a
/// tile; 21 tiles reach 32,256 < 2¹⁵.
const TILES_I16: usize = 21;
const _: () = assert!(TILES_I16 * 4 * (3 * 128) < 1 << 15);

/// I4 tiles between widenings: an i16 lane takes one product of at most 15·128 = 1920 a plane, 3840
/// a tile; 8 tiles reach 30,720 < 2¹⁵.
const I4_TILES_I16: usize = 8;
const _: () = assert!(I4_TILES_I16 * 2 * (15 * 128) < 1 << 15);

impl DotKernels for Neon {
    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as promised to this function; a tile has 4 planes, and the loops are given one
        // tile at least.
        unsafe {
            dot::<4, TILES_I16, M>(
                tiles,
                count,
                q,
                |tiles, count, q, sums| neon::t4_token(tiles, count, q, sums),
                |quarters, count, q, sums| neon::t4_four_tokens(quarters, count, q, sums),
            )
        }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as promised to this function; a tile has 2 planes, and the loops are given one
        // tile at least.
        unsafe {
            dot::<2, I4_TILES_I16, M>(
                tiles,
                count,
                q,
                |tiles, count, q, sums| neon::i4_token(tiles, count, q, sums),
                |quarters, count, q, sums| neon::i4_four_tokens(quarters, count, q, sums),
            )
        }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        // A product is at most 2¹⁴ and fits an i16; a lane sums 4 of them a step: 2¹⁶·2¹² = 2²⁸.
        let mut sums = [[vdupq_n_s32(0); R]; M];
        for at in (0..k).step_by(16) {
            // SAFETY: at + 16 ≤ k.
            let load = |p: *const i8| unsafe { vld1q_s8(p.add(at)) };
            let w = w.map(load);
            for m in 0..M {
                let q = load(q[m]);
                for r in 0..R {
                    let lower = vmull_s8(vget_low_s8(w[r]), vget_low_s8(q));
                    let upper = vmull_high_s8(w[r], q);
                    sums[m][r] = vpadalq_s16(vpadalq_s16(sums[m][r], lower), upper);
                }
            }
        }
        sums.map(|sums| sums.map(|sum| vaddvq_s32(sum)))
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn widen_f16(self, values: &[u16; LANES]) -> [f32; LANES] {
        let mut wide = [0.0; LANES];
        for (wide, values) in wide.as_chunks_mut::<4>().0.iter_mut().zip(values.as_chunks::<4>().0)
        {
            // SAFETY: both are 4 values.
            unsafe {
                let four = vreinterpret_f16_u16(vld1_u16(values.as_ptr()));
                vst1q_f32(wide.as_mut_ptr(), vcvt_f32_f16(four));
            }
        }
        wide
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

/// `Σ c·q` of the 16 rows of tiles with P planes, and of M tokens; sums widen every WIDEN tiles.
///
/// `token` adds the products of some tiles and one token to two sums a quarter; `four_tokens` those
/// of one quarter of some tiles and four tokens to two sums a token.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values; `token` and
/// `four_tokens` read no more than the tiles and activations that they are given, which are those of
/// one tile at least.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn dot<const P: usize, const WIDEN: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    token: impl Fn(*const u8, usize, *const i8, &mut [int16x8_t; 8]),
    four_tokens: impl Fn(*const u8, usize, [*const i8; 4], &mut [int16x8_t; 8]),
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    if let Ok(q) = <[*const i8; 4]>::try_from(&q[..]) {
        for quarter in 0..4 {
            let rows = widened::<WIDEN>(count, |start, count, sums| {
                // SAFETY: start < count, so the tiles and activations from there on are there.
                let (from, q) = unsafe {
                    let from = tiles.add(start * TILE_BYTES + quarter * 16);
                    (from, q.map(|q| q.add(start * P * PLANE)))
                };
                four_tokens(from, count, q, sums);
            });
            for (out, rows) in out.iter_mut().zip(rows) {
                // SAFETY: `out` has 16 values; the quarter's 4 start at 4·quarter.
                unsafe { vst1q_s32(out.as_mut_ptr().add(quarter * 4), rows) };
            }
        }
    } else {
        for (q, out) in q.into_iter().zip(&mut out) {
            let quarters = widened::<WIDEN>(count, |start, count, sums| {
                // SAFETY: start < count, so the tiles and activations from there on are there.
                let (from, q) =
                    unsafe { (tiles.add(start * TILE_BYTES), q.add(start * P * PLANE)) };
                token(from, count, q, sums);
            });
            for (quarter, rows) in quarters.into_iter().enumerate() {
                // SAFETY: `out` has 16 values; the quarter's 4 start at 4·quarter.
                unsafe { vst1q_s32(out.as_mut_ptr().add(quarter * 4), rows) };
            }
        }
    }
    out
}

/// Sums over `count` tiles: `add` adds the products of some, from one on, to eight sums of 16 bits,
/// and every two of these give the sums of 4 rows.
#[target_feature(enable = "neon")]
#[inline]
fn widened<const WIDEN: usize>(
    count: usize,
    add: impl Fn(usize, usize, &mut [int16x8_t; 8]),
) -> [int32x4_t; 4] {
    let mut wide = [vdupq_n_s32(0); 8];
    for start in (0..count).step_by(WIDEN) {
        let mut sums = [vdupq_n_s16(0); 8];
        add(start, WIDEN.min(count - start), &mut sums);
        for (wide, sums) in wide.iter_mut().zip(sums) {
            *wide = vpadalq_s16(*wide, sums);
        }
    }
    let [a, b, c, d, e, f, g, h] = wide;
    [vpaddq_s32(a, b), vpaddq_s32(c, d), vpaddq_s32(e, f), vpaddq_s32(g, h)]
}
