//! Plain Rust for any target.

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{Layout, TILE_ROWS, int4};

use super::{Isa, Token};
use crate::cpu::Level;

/// Token of the target's baseline, which every CPU has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar;

impl Token for Scalar {
    const LEVEL: Level = Level::Scalar;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

impl Isa for Scalar {
    const GEMV_TILES: usize = 1;
    const GEMM_TILES: usize = 1;
    type Near = Self;

    #[inline(always)]
    fn near(self) -> Self {
        self
    }

    #[inline(always)]
    fn dot_t4<const R: usize, const M: usize>(
        self,
        tiles: [&[u8]; R],
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        // |Σ| ≤ 3·128·2²⁰ < 2²⁹.
        tiles.map(|tiles| dot(tiles, q, Layout::T4.planes(), |byte, p| Layout::T4.code(byte, p)))
    }

    #[inline(always)]
    fn dot_i4<const R: usize, const M: usize>(
        self,
        tiles: [&[u8]; R],
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R] {
        // |Σ| ≤ 15·128·256 < 2¹⁹.
        tiles.map(|tiles| dot(tiles, q, int4::TILE_K / PLANE, int4::code))
    }

    #[inline(always)]
    fn dot_i8<const R: usize, const M: usize>(self, w: [&[i8]; R], q: [&[i8]; M]) -> [[i32; R]; M] {
        q.map(|q| w.map(|w| w.iter().zip(q).map(|(&w, &q)| i32::from(w) * i32::from(q)).sum()))
    }
}

/// `Σ c·q` of the tiles of one row tile, with `planes` codes a byte.
#[inline(always)]
fn dot<const M: usize>(
    tiles: &[u8],
    q: [&[i8]; M],
    planes: usize,
    code: impl Fn(u8, usize) -> u8,
) -> [[i32; TILE_ROWS]; M] {
    let mut sums = [[0; TILE_ROWS]; M];
    for (tile, bytes) in tiles.chunks_exact(TILE_BYTES).enumerate() {
        for p in 0..planes {
            let at = (tile * planes + p) * PLANE;
            for (sums, q) in sums.iter_mut().zip(q) {
                let q = &q[at..at + PLANE];
                for (sum, bytes) in sums.iter_mut().zip(bytes.chunks_exact(PLANE)) {
                    for (&byte, &q) in bytes.iter().zip(q) {
                        *sum += i32::from(code(byte, p)) * i32::from(q);
                    }
                }
            }
        }
    }
    sums
}
