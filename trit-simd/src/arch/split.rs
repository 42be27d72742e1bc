//! 4-bit codes as two 2-bit ones, for instruction sets without a product of their own for them.
//!
//! c = a + 4·b with a and b in 0..4, so `Σ c·q = Σ a·q + 4·Σ b·q`. The a of two I4 tiles of 8 inputs
//! make one T4 tile of 16, and so do the b:
//!
//! ```text
//! I4 bytes at one offset    x = b₁ a₁ b₀ a₀ (inputs j, 4+j)      y = b₃ a₃ b₂ a₂ (8+j, 12+j)
//! T4 bytes at that offset   a₃ a₂ a₁ a₀     b₃ b₂ b₁ b₀
//! ```

use trit_core::TILE_ROWS;
use trit_core::layout::TILE_BYTES;

use super::Isa;

/// T4 tiles made at once: a group of 128 inputs.
const TILES: usize = 8;

/// As [`Isa::dot_i4`], by way of [`Isa::dot_t4`].
#[inline(always)]
pub(super) fn dot_i4<I: Isa, const M: usize>(
    isa: I,
    tiles: &[u8],
    q: [&[i8]; M],
) -> [[i32; TILE_ROWS]; M] {
    let mut sums = [[0; TILE_ROWS]; M];
    let (tiles, _) = tiles.as_chunks::<TILE_BYTES>();
    for (chunk, tiles) in tiles.chunks(2 * TILES).enumerate() {
        let (mut a, mut b) = ([[0; TILE_BYTES]; TILES], [[0; TILE_BYTES]; TILES]);
        let count = tiles.len().div_ceil(2);
        for ((a, b), pair) in a.iter_mut().zip(&mut b).zip(tiles.chunks(2)) {
            let x = &pair[0];
            // The codes of a missing tile are 0.
            let y = pair.get(1).unwrap_or(&[0; TILE_BYTES]);
            for at in 0..TILE_BYTES {
                let (x, y) = (x[at], y[at]);
                a[at] = (x & 0x03) | (x & 0x30) >> 2 | (y & 0x03) << 4 | (y & 0x30) << 2;
                b[at] = (x & 0x0C) >> 2 | (x & 0xC0) >> 4 | (y & 0x0C) << 2 | (y & 0xC0);
            }
        }
        let q = q.map(|q| &q[chunk * TILES * 16..]);
        let a = isa.dot_t4(a[..count].as_flattened(), q);
        let b = isa.dot_t4(b[..count].as_flattened(), q);
        for m in 0..M {
            for r in 0..TILE_ROWS {
                sums[m][r] += a[m][r] + 4 * b[m][r];
            }
        }
    }
    sums
}
