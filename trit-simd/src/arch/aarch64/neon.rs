//! NEON of ARMv8.0 (Cortex-A53, A72, A73): 16-byte vectors, 32 registers, no dot product.
//!
//! | instruction | what for | latency, throughput (Cortex-A73) |
//! |---|---|---|
//! | `smlal`, `smlal2` | i8 × i8 added to i16 | 4, 1 a cycle |
//! | `sadalp` | i16 pairs added to i32 | 4, 1 a cycle |
//! | `ld1r.4s` | four activations to every row | 5 load |
//! | `ushr`, `and` | unpacking | 3 / 3, 1 / 2 a cycle |
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

use core::arch::aarch64::*;

use trit_core::TILE_ROWS;
use trit_core::layout::{PLANE, TILE_BYTES};

use crate::arch::DotKernels;
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
        let mask = vdupq_n_u8(3);
        let planes = |bytes| {
            [
                vandq_u8(bytes, mask),
                vandq_u8(vshrq_n_u8::<2>(bytes), mask),
                vandq_u8(vshrq_n_u8::<4>(bytes), mask),
                vshrq_n_u8::<6>(bytes),
            ]
        };
        // SAFETY: as promised to this function; a tile has 4 planes.
        unsafe { dot::<4, TILES_I16, M>(tiles, count, q, planes) }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mask = vdupq_n_u8(0x0F);
        let planes = |bytes| [vandq_u8(bytes, mask), vshrq_n_u8::<4>(bytes)];
        // SAFETY: as promised to this function; a tile has 2 planes.
        unsafe { dot::<2, I4_TILES_I16, M>(tiles, count, q, planes) }
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
}

/// `Σ c·q` of the 16 rows of tiles with P planes, and of M tokens; sums widen every WIDEN tiles.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn dot<const P: usize, const WIDEN: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    planes: impl Fn(uint8x16_t) -> [uint8x16_t; P],
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    for quarter in 0..4 {
        let mut wide = [[vdupq_n_s32(0); 2]; M];
        let mut start = 0;
        while start < count {
            let end = count.min(start + WIDEN);
            let mut sums = [[vdupq_n_s16(0); 2]; M];
            for tile in start..end {
                // SAFETY: tile < count, so the 16 bytes of this quarter lie within the tiles.
                let bytes = unsafe { vld1q_u8(tiles.add(tile * TILE_BYTES + quarter * 16)) };
                let planes = planes(bytes).map(|plane| vreinterpretq_s8_u8(plane));
                for m in 0..M {
                    for (p, &plane) in planes.iter().enumerate() {
                        // SAFETY: tile < count, so the 4 values of this plane are readable.
                        let four = unsafe {
                            q[m].add((tile * P + p) * PLANE).cast::<i32>().read_unaligned()
                        };
                        let four = vreinterpretq_s8_s32(vdupq_n_s32(four));
                        let [lower, upper] = &mut sums[m];
                        *lower = vmlal_s8(*lower, vget_low_s8(plane), vget_low_s8(four));
                        *upper = vmlal_high_s8(*upper, plane, four);
                    }
                }
            }
            for m in 0..M {
                wide[m][0] = vpadalq_s16(wide[m][0], sums[m][0]);
                wide[m][1] = vpadalq_s16(wide[m][1], sums[m][1]);
            }
            start = end;
        }
        for m in 0..M {
            let rows = vpaddq_s32(wide[m][0], wide[m][1]);
            // SAFETY: `out[m]` has 16 values; the quarter's 4 start at 4·quarter.
            unsafe { vst1q_s32(out[m].as_mut_ptr().add(quarter * 4), rows) };
        }
    }
    out
}
