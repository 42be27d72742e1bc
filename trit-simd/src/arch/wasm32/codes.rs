//! Products of 7-bit codes and int8 on WebAssembly.
//!
//! | instruction | what for | x86-64 | aarch64 |
//! |---|---|---|---|
//! | `i16x8.extmul_{low,high}_i8x16_s` | i8 × i8 to i16 | 2 `pmovsxbw`, `pmullw` | `smull`, `smull2` |
//! | `i32x4.extadd_pairwise_i16x8_s` | i16 pairs to i32 | `pmaddwd` with ones | `saddlp` |
//! | `v128.load32_splat` | four values to every row | `movd`, `pshufd` | `ld1r` |
//!
//! A quarter of a tile is one vector: 4 rows in 32-bit lanes, a byte per input. A code, at most 127,
//! is an int8 as it is.

use core::arch::wasm32::*;

use trit_core::TILE_ROWS;
use trit_core::heads::TILE;
use trit_core::layout::PLANE;

use crate::arch::codes::CodeKernels;
use crate::cpu::Simd128;

impl CodeKernels for Simd128 {
    #[inline(always)]
    unsafe fn dot_u7<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut out = [[0; TILE_ROWS]; M];
        for quarter in 0..4 {
            let mut sums = [[i32x4_splat(0); 2]; M];
            for tile in 0..count {
                // SAFETY: tile < count, so the 16 bytes of this quarter lie within the tiles.
                let codes = unsafe { v128_load(tiles.add(tile * TILE + quarter * 16).cast()) };
                for m in 0..M {
                    // SAFETY: tile < count, so its 4 values are readable.
                    let q = unsafe { v128_load32_splat(q[m].add(tile * PLANE).cast()) };
                    let pairs =
                        [i16x8_extmul_low_i8x16(codes, q), i16x8_extmul_high_i8x16(codes, q)];
                    for (sum, pairs) in sums[m].iter_mut().zip(pairs) {
                        *sum = i32x4_add(*sum, i32x4_extadd_pairwise_i16x8(pairs));
                    }
                }
            }
            for m in 0..M {
                let [lower, upper] = sums[m];
                let rows = i32x4_add(
                    i32x4_shuffle::<0, 2, 4, 6>(lower, upper),
                    i32x4_shuffle::<1, 3, 5, 7>(lower, upper),
                );
                let rows = i32x4_add(rows, i32x4_splat(starts[m]));
                // SAFETY: `out[m]` has 16 values; the quarter's 4 start at 4·quarter.
                unsafe { v128_store(out[m].as_mut_ptr().add(quarter * 4).cast(), rows) };
            }
        }
        out
    }
}
