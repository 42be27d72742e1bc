//! Multi-head attention in blocks of queries, without a score matrix in memory.

use trit_core::reference::LANES;

use super::norm::softmax_body;
use super::{Lanes, load, load_tail};
use crate::arch::Isa;

/// Queries that share each key and value read.
const QUERIES: usize = 4;

/// Floats of scratch for attention over `ctx` keys.
///
/// ```
/// use trit_simd::attention_scratch_len;
///
/// // Sized at compile time, for the 448 positions of Whisper's decoder: four queries' scores.
/// static SCRATCH: [f32; attention_scratch_len(448)] = [0.0; attention_scratch_len(448)];
/// assert_eq!(SCRATCH.len(), 4 * 448);
/// ```
pub const fn scratch_len(ctx: usize) -> usize {
    QUERIES * ctx.next_multiple_of(LANES)
}

/// Shapes of one call, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) heads: usize,
    pub(crate) d: usize,
    pub(crate) ctx: usize,
    pub(crate) key_stride: usize,
    pub(crate) causal: Option<usize>,
    pub(crate) scale: f32,
}

/// As `trit_core::reference::attention`.
#[inline(always)]
pub(crate) fn attention<I: Isa>(
    isa: I,
    shape: &Shape,
    q: &[f32],
    keys_t: &[f32],
    values: &[f32],
    scratch: &mut [f32],
    out: &mut [f32],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            let tokens = q.len() / shape.d;
            // A head's keys and values stay in cache while its queries pass.
            for head in 0..shape.heads {
                let mut t = 0;
                while t < tokens {
                    t += if tokens - t >= QUERIES {
                        block::<QUERIES>(shape, head, t, q, keys_t, values, scratch, out)
                    } else {
                        block::<1>(shape, head, t, q, keys_t, values, scratch, out)
                    };
                }
            }
        },
    );
}

/// Queries `t .. t + M` of one head; returns M.
#[inline(always)]
fn block<const M: usize>(
    shape: &Shape,
    head: usize,
    t: usize,
    q: &[f32],
    keys_t: &[f32],
    values: &[f32],
    scratch: &mut [f32],
    out: &mut [f32],
) -> usize {
    let Shape { heads, d, ctx, key_stride, causal, scale } = *shape;
    let width = d / heads;
    let column = head * width;
    let padded = ctx.next_multiple_of(LANES);
    let q: [&[f32]; M] = core::array::from_fn(|m| &q[(t + m) * d + column..][..width]);

    // Scores, 16 keys side by side. Keys past the end are computed from padding and not used.
    let mut key = 0;
    while key < ctx {
        let mut scores: [Lanes; M] = [[0.0; LANES]; M];
        let inside = ctx - key >= LANES;
        for i in 0..width {
            let row = &keys_t[(column + i) * key_stride + key..];
            let keys = if inside { load(row) } else { load_tail(&row[..ctx - key]) };
            for m in 0..M {
                let q = q[m][i] * scale;
                for l in 0..LANES {
                    scores[m][l] += q * keys[l];
                }
            }
        }
        for m in 0..M {
            scratch[m * padded + key..][..LANES].copy_from_slice(&scores[m]);
        }
        key += LANES;
    }

    let mut seen = [ctx; M];
    for m in 0..M {
        seen[m] = causal.map_or(ctx, |start| ctx.min(start.saturating_add(t + m + 1)));
        softmax_body(&mut scratch[m * padded..][..seen[m]]);
    }
    // A later query sees all that an earlier one does.
    let (fewest, most) = (seen[0], seen[M - 1]);
    let weights: [&[f32]; M] = core::array::from_fn(|m| &scratch[m * padded..][..most]);

    // Outputs, 16 columns side by side.
    let mut i = 0;
    while i < width {
        let lanes = LANES.min(width - i);
        let mut sums: [Lanes; M] = [[0.0; LANES]; M];
        let columns = |key: usize| {
            let row = &values[key * d + column + i..];
            if lanes == LANES { load(row) } else { load_tail(&row[..lanes]) }
        };
        for key in 0..fewest {
            add_value(&mut sums, weights, key, columns(key), |_| true);
        }
        // Not with a weight of 0 for those that do not see the key: 0 · ∞ is NaN.
        for key in fewest..most {
            add_value(&mut sums, weights, key, columns(key), |m| key < seen[m]);
        }
        for m in 0..M {
            out[(t + m) * d + column + i..][..lanes].copy_from_slice(&sums[m][..lanes]);
        }
        i += LANES;
    }
    M
}

/// Adds the value `row` of `key`, weighted, to the sums of the queries that see it.
#[inline(always)]
fn add_value<const M: usize>(
    sums: &mut [Lanes; M],
    weights: [&[f32]; M],
    key: usize,
    row: Lanes,
    sees: impl Fn(usize) -> bool,
) {
    for m in 0..M {
        if sees(m) {
            let weight = weights[m][key];
            for l in 0..LANES {
                sums[m][l] += weight * row[l];
            }
        }
    }
}
