//! Layer norm, RMS norm and softmax.

use trit_core::reference::{LANES, math, tree};

use super::Lanes;
use crate::arch::Isa;

/// Sum of `term` over the elements of `x`.
#[inline(always)]
fn sum(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes: Lanes = [0.0; LANES];
    let (whole, tail) = x.split_at(x.len() / LANES * LANES);
    for x in whole.chunks_exact(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(x) {
            *lane += term(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(tail) {
        *lane += term(x);
    }
    tree(lanes)
}

/// As `trit_core::reference::layer_norm`; d = `gain.len()` > 0 divides the lengths.
#[inline(always)]
pub(crate) fn layer_norm<I: Isa>(
    isa: I,
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
    y: &mut [f32],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            let d = gain.len();
            for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
                let mean = sum(x, |x| x) / d as f32;
                let variance = sum(x, |x| (x - mean) * (x - mean)) / d as f32;
                let scale = 1.0 / libm::sqrtf(variance + eps);
                for (((y, x), gain), bias) in y.iter_mut().zip(x).zip(gain).zip(bias) {
                    *y = ((x - mean) * scale) * gain + bias;
                }
            }
        },
    );
}

/// As `trit_core::reference::rms_norm`.
#[inline(always)]
pub(crate) fn rms_norm<I: Isa>(isa: I, x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            let d = gain.len();
            for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
                let square = sum(x, |x| x * x) / d as f32;
                let scale = 1.0 / libm::sqrtf(square + eps);
                for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
                    *y = (x * scale) * gain;
                }
            }
        },
    );
}

/// As `trit_core::reference::softmax`.
#[inline(always)]
pub(crate) fn softmax<I: Isa>(isa: I, x: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || softmax_body(x),
    );
}

/// Softmax for callers that are already vectorised.
#[inline(always)]
pub(super) fn softmax_body(x: &mut [f32]) {
    // The largest value is the same in any order.
    let mut most = [f32::NEG_INFINITY; LANES];
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let (whole, tail) = x.split_at(x.len() / LANES * LANES);
    for x in whole.chunks_exact(LANES) {
        for (most, &x) in most.iter_mut().zip(x) {
            *most = larger(x, *most);
        }
    }
    let most = most.iter().chain(tail).fold(f32::NEG_INFINITY, |most, &x| larger(x, most));
    for x in x.iter_mut() {
        *x = math::exp(*x - most);
    }
    let scale = 1.0 / sum(x, |x| x);
    for x in x {
        *x *= scale;
    }
}
