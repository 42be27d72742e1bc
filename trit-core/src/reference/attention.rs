//! Multi-head attention (Vaswani et al. 2017).

use super::softmax;

/// Attention of `heads` heads over `ctx` keys.
///
/// * `q` `[tokens, d]`; head h owns columns `h·d/heads ..`.
/// * `keys_t` `[d, key_stride]`: keys transposed, the first `ctx` columns in use, so that a score
///   is a sum over the head's columns in ascending order, with keys side by side.
/// * `values` `[ctx, d]`.
/// * With `causal`, query t sees the first `causal + t + 1` keys only.
///
/// score = Σ (q · scale) · k, from +0; weights by [`softmax`]; out `[tokens, d]` = Σ weight · value
/// over ascending keys, from +0.
///
/// With S the largest Σ|q · scale · k| of a key, within
/// u · max|value| · (2·(d/heads + 2)·S + 2·ctx + 32).
///
/// # Panics
/// If a length does not fit.
pub fn attention(
    q: &[f32],
    keys_t: &[f32],
    key_stride: usize,
    values: &[f32],
    heads: usize,
    d: usize,
    ctx: usize,
    causal: Option<usize>,
    scale: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    let width = d / heads;
    assert!(q.len() == out.len() && q.len().is_multiple_of(d) && ctx <= key_stride);
    for (t, (q, out)) in q.chunks_exact(d).zip(out.chunks_exact_mut(d)).enumerate() {
        let seen = causal.map_or(ctx, |start| ctx.min(start.saturating_add(t + 1)));
        for head in 0..heads {
            let columns = head * width..(head + 1) * width;
            let weights = &mut scratch[..seen];
            for (key, weight) in weights.iter_mut().enumerate() {
                *weight = 0.0;
                for i in columns.clone() {
                    *weight += (q[i] * scale) * keys_t[i * key_stride + key];
                }
            }
            softmax(weights);
            for i in columns {
                out[i] = 0.0;
                for (key, weight) in weights.iter().enumerate() {
                    out[i] += weight * values[key * d + i];
                }
            }
        }
    }
}
