//! Products of 7-bit codes, 16 rows in lanes, and int8: attention's scores and weighted sums.

use trit_core::TILE_ROWS;
use trit_core::heads::{MAX_CODE, OFFSET, TILE};
use trit_core::layout::PLANE;

use super::Scalar;
use super::weights::BlockWeights;

/// Tiles in a step: 16 activations, a register of the narrowest vectors.
pub(super) const STEP: usize = 4;

// Two products fit an i16, which byte products without a dot product instruction sum first.
const _: () = assert!(2 * MAX_CODE as i32 * 128 < 1 << 15);

/// An instruction set's products of 7-bit codes.
pub(crate) trait CodeDot: BlockWeights {
    /// `Σ (c − 64)·q` of the 16 rows of `tiles`, a multiple of 4 tiles of 16 rows × 4 inputs, with the
    /// same inputs of M tokens; each `q` has 4 values a tile, and its [`start`] is in `starts`.
    ///
    /// Exact for every code 0 to 127 and every int8, for up to 2¹⁶ inputs.
    fn dot_u7<const M: usize>(
        self,
        tiles: &[u8],
        q: [&[i8]; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M];

    /// As [`dot_u7`](Self::dot_u7), for values w of 0 to 127.
    #[inline(always)]
    fn dot_weights<const M: usize>(
        self,
        tiles: &[u8],
        w: [&[i8]; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        self.dot_u7(tiles, w, starts)
    }
}

/// Where a sum of products with values of this sum starts, so that codes count as numbers.
#[inline(always)]
pub(crate) const fn start(sum: i32) -> i32 {
    -(OFFSET as i32) * sum
}

/// As [`CodeDot`], over pointers, as an instruction set's file gives it.
pub(crate) trait CodeKernels: BlockWeights {
    /// As [`CodeDot::dot_u7`].
    ///
    /// # Safety
    /// `tiles` points to `count` tiles of 64 bytes, a multiple of 4, and each `q` to 4·`count`
    /// values.
    unsafe fn dot_u7<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M];

    /// As [`CodeDot::dot_weights`]: by [`dot_u7`](Self::dot_u7), unless a level does better.
    ///
    /// # Safety
    /// As [`dot_u7`](Self::dot_u7).
    #[inline(always)]
    unsafe fn dot_weights<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        w: [*const i8; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's.
        unsafe { self.dot_u7(tiles, count, w, starts) }
    }
}

impl<K: CodeKernels> CodeDot for K {
    #[inline(always)]
    fn dot_u7<const M: usize>(
        self,
        tiles: &[u8],
        q: [&[i8]; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let count = count(tiles, &q);
        // SAFETY: the token proves the instructions; `tiles` holds `count` tiles, a multiple of 4,
        // and every q 4·count values.
        unsafe { CodeKernels::dot_u7(self, tiles.as_ptr(), count, q.map(<[i8]>::as_ptr), starts) }
    }

    #[inline(always)]
    fn dot_weights<const M: usize>(
        self,
        tiles: &[u8],
        w: [&[i8]; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let count = count(tiles, &w);
        let w = w.map(<[i8]>::as_ptr);
        // SAFETY: as for `dot_u7`.
        unsafe { CodeKernels::dot_weights(self, tiles.as_ptr(), count, w, starts) }
    }
}

/// Whole steps of tiles, for which each q has values.
#[inline(always)]
fn count<const M: usize>(tiles: &[u8], q: &[&[i8]; M]) -> usize {
    let count = tiles.len() / TILE / STEP * STEP;
    for q in q {
        assert!(q.len() >= count * PLANE, "4 values a tile");
    }
    count
}

impl CodeDot for Scalar {
    #[inline(always)]
    fn dot_u7<const M: usize>(
        self,
        tiles: &[u8],
        q: [&[i8]; M],
        starts: [i32; M],
    ) -> [[i32; TILE_ROWS]; M] {
        let mut sums = starts.map(|start| [start; TILE_ROWS]);
        for (sums, q) in sums.iter_mut().zip(q) {
            for (tile, q) in tiles.chunks_exact(TILE).zip(q.chunks_exact(PLANE)) {
                for (sum, codes) in sums.iter_mut().zip(tile.chunks_exact(PLANE)) {
                    for (&code, &q) in codes.iter().zip(q) {
                        // |Σ| ≤ (127 + 64)·128·2¹⁶ < 2³¹.
                        *sum += i32::from(code) * i32::from(q);
                    }
                }
            }
        }
        sums
    }
}
