//! Plain operations that define every result.
//!
//! Nothing here is fast. A kernel is right when it gives the same bits as the function here of the
//! same name; for integer sums that is exactness, for f32 it is the order of operations written in
//! each function. The f32 policy: no fused multiply-add; each operation is one rounded IEEE single
//! operation; a sum over k uses [`LANES`] virtual lanes and one tree ([`sum`], [`dot`]).
//!
//! Each float operation states how far its result may lie from the formula's real value, with u =
//! 2⁻²⁴ (half an ULP of 1), for finite operands whose intermediate results neither overflow nor
//! lose bits to underflow. Where terms cancel, an error has no bound in ULP of the result; it is
//! then stated relative to the sizes of the terms. `tests/accuracy.rs` holds every statement against
//! double precision.

mod attention;
mod dense;
mod integer;
pub mod math;
mod norm;
mod quantize;
mod spectrum;

pub use attention::{
    LEAST_SCALE, LOWEST, MOST_FACTOR, OCTAVE, attention, attention_u7, code_factor, score_factor,
    store_heads,
};
pub use dense::{conv1d, dense_f16, dense_f32};
pub use integer::{int4, int8, ternary};
pub use norm::{add, gelu, layer_norm, rms_norm, softmax, squared_relu};
pub use quantize::quantize;
pub use spectrum::{DftTable, FFT_SIZE, SPECTRUM_SIZE, mel_project, power_spectrum};

/// Virtual lanes of a sum.
pub const LANES: usize = 16;

/// Adds `lanes` up by the tree l += l+8, l += l+4, l += l+2, l += l+1.
///
/// ```
/// use trit_core::reference::tree;
///
/// assert_eq!(tree(std::array::from_fn(|lane| lane as f32)), 120.0);
/// ```
#[inline(always)]
pub fn tree(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Sum of `terms`: lane l adds terms l, l + 16, … in ascending order from +0, then [`tree`].
///
/// Of n terms, within (⌈n/16⌉ + 3)·u·Σ|term|.
///
/// ```
/// use trit_core::reference::sum;
///
/// // Lanes 0 and 2 meet before lane 1 joins them; from left to right the 1 would be lost.
/// let terms = [1e8, 1.0, -1e8];
/// assert_eq!(sum(terms.into_iter()), 1.0);
/// assert_eq!(terms.iter().sum::<f32>(), 0.0);
/// ```
pub fn sum(terms: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0; LANES];
    for (index, term) in terms.enumerate() {
        lanes[index % LANES] += term;
    }
    tree(lanes)
}

/// Dot product of `a` and `b` (the shorter length): products rounded, then [`sum`].
///
/// Within (⌈k/16⌉ + 4)·u·Σ|a·b|.
///
/// ```
/// use trit_core::reference::dot;
///
/// assert_eq!(dot(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 32.0);
/// assert_eq!(dot(&[1.0, 2.0, 3.0], &[4.0]), 4.0);
/// ```
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum(a.iter().zip(b).map(|(a, b)| a * b))
}
