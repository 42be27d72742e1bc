//! Multi-head attention (Vaswani et al. 2017).

use super::{math, softmax, sum};
use crate::heads::{BLOCK, MOST, OFFSET, Side};
use crate::{Heads, HeadsMut, QuantizeError, check_len};

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

/// A block of positions whose largest weight lies below this adds nothing: next to the weight of the
/// largest score it is nothing, and dividing by it might overflow.
pub const LEAST_WEIGHT: f32 = 1e-30;

/// `x` in units of `scale`, rounded half to even and clamped to ±`most`.
fn units(x: f32, scale: f32, most: f32) -> i8 {
    if scale > 0.0 { libm::rintf(x / scale).clamp(-most, most) as i8 } else { 0 }
}

fn absmax(x: &[f32]) -> f32 {
    x.iter().fold(0.0f32, |most, x| most.max(x.abs()))
}

fn check_finite(x: &[f32], columns: usize) -> Result<(), QuantizeError> {
    match x.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(QuantizeError::NonFinite { token: at / columns, index: at % columns }),
        None => Ok(()),
    }
}

/// Quantises keys or values x `[tokens, heads · width]` of the positions from `start` on to 7 bits
/// ([`crate::heads`]): scale = absmax / 63 of each position and head; the number stored is x / scale
/// rounded half to even and clamped to ±63, or 0 where the scale is 0.
///
/// A number times its scale is within (½ + 2⁻¹⁶)·scale of x, as long as the scale is a normal number.
///
/// # Errors
/// A value that is NaN or infinite, no whole number of tokens, or tokens beyond the last position.
pub fn store_heads(
    x: &[f32],
    side: Side,
    start: usize,
    out: &mut HeadsMut<'_>,
) -> Result<(), QuantizeError> {
    let shape = out.shape();
    shape.check_rows(x.len(), start)?;
    check_finite(x, shape.columns())?;
    for (token, x) in x.chunks_exact(shape.columns()).enumerate() {
        for (head, x) in x.chunks_exact(shape.width()).enumerate() {
            let (position, scale) = (start + token, absmax(x) / MOST);
            out.set_scale(head, position, scale);
            for (column, &x) in x.iter().enumerate() {
                out.set(side, head, position, column, units(x, scale, MOST));
            }
        }
    }
    Ok(())
}

/// Attention over the first `ctx` positions of keys and values in 7 bits, of queries and weights in
/// 8; `q` and `out` `[tokens, heads · width]`. For each query and head:
///
/// * the query becomes int8: unit u = absmax / 127, numbers q / u rounded half to even, clamped to
///   ±127;
/// * score = n · ((u · scale) · key scale), n = Σ number · key number, exact;
/// * e = [`exp`](math::exp)(score − largest score), total = [`sum`](fn@sum) of e;
/// * weight = e · value scale; over each block of 64 positions, with m the largest weight, it becomes
///   round(weight · (127 / m)), half to even, in 0 to 127, or 0 if m is below [`LEAST_WEIGHT`];
/// * out = (1 / total) · Σ (m / 127) · n over ascending blocks, from +0, n = Σ weight · value number,
///   exact.
///
/// The operations after quantising are exact or as [`attention`]'s; what quantising itself costs
/// depends on the operands. Of 500 normal keys it is 2 % of the output's norm at most, for scores that
/// deviate by up to 1, and 5 % for scores that deviate by 5 (`trit-simd/tests/registry/attention.rs`).
///
/// # Errors
/// A query that is not finite, or shapes that do not fit.
pub fn attention_u7(
    q: &[f32],
    keys: &Heads<'_>,
    values: &Heads<'_>,
    ctx: usize,
    scale: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) -> Result<(), QuantizeError> {
    let shape = keys.shape();
    let (columns, width) = (shape.columns(), shape.width());
    check_len("outputs", out.len(), q.len())?;
    shape.check_rows(columns, ctx.wrapping_sub(1))?;
    check_finite(q, columns)?;
    let number = |code: u8| i32::from(code) - i32::from(OFFSET);
    let weights = &mut scratch[..ctx];
    for (q, out) in q.chunks_exact(columns).zip(out.chunks_exact_mut(columns)) {
        for head in 0..shape.heads() {
            let (q, out) = (&q[head * width..][..width], &mut out[head * width..][..width]);
            let unit = absmax(q) / 127.0;
            for (key, weight) in weights.iter_mut().enumerate() {
                let products = (0..width).map(|column| {
                    let code = keys.codes()[shape.key_at(head, key, column)];
                    i32::from(units(q[column], unit, 127.0)) * number(code)
                });
                let n: i32 = products.sum();
                *weight = n as f32 * ((unit * scale) * keys.scales()[shape.scale_at(head, key)]);
            }
            let most = weights.iter().fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m });
            for weight in weights.iter_mut() {
                *weight = math::exp(*weight - most);
            }
            let total = sum(weights.iter().copied());
            for (key, weight) in weights.iter_mut().enumerate() {
                *weight *= values.scales()[shape.scale_at(head, key)];
            }
            for (column, out) in out.iter_mut().enumerate() {
                *out = 0.0;
                for (block, weights) in weights.chunks(BLOCK).enumerate() {
                    let most = weights.iter().fold(0.0f32, |m, &x| if x > m { x } else { m });
                    if most >= LEAST_WEIGHT {
                        let factor = 127.0 / most;
                        let products = weights.iter().enumerate().map(|(key, weight)| {
                            let at = shape.value_at(head, block * BLOCK + key, column);
                            libm::rintf(weight * factor) as i32 * number(values.codes()[at])
                        });
                        let n: i32 = products.sum();
                        *out += (most / 127.0) * n as f32;
                    }
                }
                *out *= 1.0 / total;
            }
        }
    }
    Ok(())
}
