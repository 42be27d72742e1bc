//! Float operations: generic bodies over 16-lane arrays, with the order of operations that
//! `trit_core::reference` defines. The compiler vectorises them inside `Isa::vectorize`.

pub(crate) mod attention;
pub(crate) mod dense;
pub(crate) mod elementwise;
pub(crate) mod heads;
pub(crate) mod norm;
pub(crate) mod spectrum;

use core::hint::black_box;

use trit_core::reference::{LANES, tree};

/// Adding 1.5·2²³ to |x| < 2²² rounds it half to even and leaves the integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Sixteen virtual lanes.
type Lanes = [f32; LANES];

/// The lanes at the start of `x`.
#[inline(always)]
fn load(x: &[f32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&x[..LANES]);
    lanes
}

/// Fewer than 16 values, followed by +0, which changes no sum that started from +0.
#[inline(always)]
fn load_tail(x: &[f32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes[..x.len()].copy_from_slice(x);
    lanes
}

/// The sum of the lanes by the reference's tree.
///
/// By way of memory: a compiler that sees the tree cuts the sums that lead up to it into the pieces
/// that its first steps take, or keeps them in memory all along.
#[inline(always)]
fn total(lanes: Lanes) -> f32 {
    tree(black_box(lanes))
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The larger of each two lanes N apart.
#[inline(always)]
fn halve<const N: usize>(lanes: &[f32]) -> [f32; N] {
    let mut out = [0.0; N];
    for l in 0..N {
        out[l] = larger(lanes[l], lanes[l + N]);
    }
    out
}

/// The largest lane, the same in any order.
#[inline(always)]
fn fold(lanes: Lanes) -> f32 {
    let [a, b] = halve(&halve::<4>(&halve::<8>(&lanes)));
    larger(a, b)
}

/// The largest lane of all tiles.
#[inline(always)]
fn largest(tiles: &[Lanes]) -> f32 {
    // As many at once as hide the latency of a comparison.
    let mut most = [[f32::NEG_INFINITY; LANES]; 4];
    let (fours, rest) = tiles.as_chunks::<4>();
    for four in fours {
        for i in 0..4 {
            for l in 0..LANES {
                most[i][l] = larger(four[i][l], most[i][l]);
            }
        }
    }
    for tile in rest {
        for l in 0..LANES {
            most[0][l] = larger(tile[l], most[0][l]);
        }
    }
    let [mut all, rest @ ..] = most;
    for most in rest {
        for l in 0..LANES {
            all[l] = larger(most[l], all[l]);
        }
    }
    fold(all)
}

/// |x| < 2²² rounded half to even.
#[inline(always)]
fn integer(x: f32) -> i32 {
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}
