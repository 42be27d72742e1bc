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
