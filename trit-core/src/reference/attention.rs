//! Multi-head attention (Vaswani et al. 2017).

use super::math::{self, exp2_q14, multiply_q15};
use super::{softmax, sum};
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
/// ```
/// use trit_core::reference::attention;
///
/// // One head of one column. The query 0 gives every key the same weight.
/// let (keys_t, values) = ([5.0, -7.0], [1.0, 3.0]);
/// let (mut scratch, mut out) = ([0.0; 2], [0.0]);
/// attention(&[0.0], &keys_t, 2, &values, 1, 1, 2, None, 1.0, &mut scratch, &mut out);
/// assert_eq!(out, [2.0]);
/// // At the first position it sees the first key only.
/// attention(&[0.0], &keys_t, 2, &values, 1, 1, 2, Some(0), 1.0, &mut scratch, &mut out);
/// assert_eq!(out, [1.0]);
/// ```
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
    assert!(d.is_multiple_of(heads), "{d} columns of {heads} heads");
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

/// Values of a block of positions whose largest scale lies below this count for nothing: next to it, a
/// number in 16 bits might overflow.
pub const LEAST_SCALE: f32 = 1e-30;

/// How far a score may lie below its block's largest, in 256ths of an octave; from there on its weight is 0.
pub const LOWEST: f32 = 4095.0;

/// The largest magnitude of the factor that makes scores of sums, times a key's scale.
///
/// |score| ≤ 127·128·2¹⁶·1e28 is then finite, whatever the scale is.
pub const MOST_FACTOR: f32 = 1e28;

/// The factor by which weights become int8, of which `most` is the largest: `code = weight · factor / 2¹⁵`
/// is 127 at most.
///
/// ```
/// use trit_core::reference::code_factor;
/// use trit_core::reference::math::multiply_q15;
///
/// assert_eq!(code_factor(254), 1 << 14);
/// assert_eq!(multiply_q15(254, code_factor(254)), 127);
/// // Small weights keep their size.
/// assert_eq!(code_factor(100), i16::MAX);
/// ```
#[inline(always)]
pub const fn code_factor(most: i16) -> i16 {
    // most·factor + 2¹⁴ ≤ 127·2¹⁵ + 2¹⁴ < 128·2¹⁵, and below 128 a factor less than 1 leaves 127 at most.
    let factor = (127 << 15) / if most > 1 { most as i32 } else { 1 };
    if factor < i16::MAX as i32 { factor as i16 } else { i16::MAX }
}

/// 256ths of an octave as natural logarithms.
pub const OCTAVE: f32 = core::f32::consts::LN_2 / 256.0;

/// The factor that makes scores of sums, times a key's scale: `unit · scale` in 256ths of an octave, at most
/// [`MOST_FACTOR`] / `largest`, of all key scales.
///
/// ```
/// use trit_core::reference::{MOST_FACTOR, OCTAVE, score_factor};
///
/// // A score of 1 in 256ths of an octave, and back.
/// assert!((score_factor(1.0, 1.0, 1.0) * OCTAVE - 1.0).abs() < 1e-6);
/// assert_eq!(score_factor(1e30, 1.0, 1e20), MOST_FACTOR / 1e20);
/// ```
#[inline(always)]
pub fn score_factor(unit: f32, scale: f32, largest: f32) -> f32 {
    let limit = MOST_FACTOR / largest;
    let limit = if limit < f32::MAX { limit } else { f32::MAX };
    let factor = (unit * scale) * (256.0 * core::f32::consts::LOG2_E);
    let factor = if factor < limit { factor } else { limit };
    if factor > -limit { factor } else { -limit }
}

/// How far `score` lies below `top`, rounded half to even and at most [`LOWEST`].
fn below(top: f32, score: f32) -> u16 {
    let below = top - score;
    libm::rintf(if below < LOWEST { below } else { LOWEST }) as u16
}

/// A value's scale as a share of the largest, `most`, in 32767ths.
fn share(scale: f32, most: f32) -> i16 {
    if most >= LEAST_SCALE { libm::rintf(scale * (32_767.0 / most)) as i16 } else { 0 }
}

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
/// ```
/// use trit_core::heads::Side;
/// use trit_core::{HeadShape, HeadsMut, reference};
///
/// // One head of two columns; its second position.
/// let shape = HeadShape::new(1, 2, 2)?;
/// let (mut codes, mut scales) = ([0; 256], [0.0; 16]);
/// let mut values = HeadsMut::new(shape, &mut codes, &mut scales)?;
/// reference::store_heads(&[126.0, -63.0], Side::Values, 1, &mut values)?;
/// // -63 / 2 is a tie: -32.
/// assert_eq!(codes[shape.value_at(0, 1, 0)], 64 + 63);
/// assert_eq!(codes[shape.value_at(0, 1, 1)], 64 - 32);
/// assert_eq!(scales[..2], [0.0, 2.0]);
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
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
/// * score = n · (f · key scale), n = Σ number · key number, exact, and f = (u · scale) · (256 / ln 2),
///   at most [`MOST_FACTOR`] / the largest key scale: scores count 256ths of an octave.
///
/// Then block by block of 64 positions, with m the largest score in it:
///
/// * e = [`exp2_q14`](math::exp2_q14)(m − score), the difference rounded half to even and at most [`LOWEST`];
/// * weight = [`multiply_q15`](math::multiply_q15)(e, v), v = value scale · (32767 / s) rounded half to even, with s the
///   largest value scale of the block, or 0 if s is below [`LEAST_SCALE`];
/// * code = [`multiply_q15`](math::multiply_q15)(weight, c), 0 to 127, c = [`code_factor`] of the largest weight.
///
/// And over all blocks:
///
/// * g = [`exp`](math::exp)((m − largest m) · (ln 2 / 256));
/// * total = [`sum`](fn@sum) of g · (Σ e · 2⁻¹⁴), Σ e exact;
/// * out = (1 / total) · Σ ((g · (s · 2)) / c) · n over ascending blocks, from +0, n = Σ code · value
///   number, exact.
///
/// Exponentials in 16 bits lie within 0.2 %, where half a step of a code is 0.4 % of the largest; what
/// quantising costs depends on the operands. Of 500 normal keys it is 2 % of the output's norm at most, for
/// scores that deviate by up to 1, and 5 % for scores that deviate by 5
/// (`trit-simd/tests/registry/attention.rs`).
///
/// `scratch` has `ctx` numbers.
///
/// ```
/// use trit_core::heads::Side;
/// use trit_core::{HeadShape, HeadsMut, reference};
///
/// // One head of one column, two positions with equal keys.
/// let shape = HeadShape::new(1, 1, 2)?;
/// let (mut key_codes, mut key_scales) = ([0; 256], [0.0; 16]);
/// let (mut value_codes, mut value_scales) = ([0; 256], [0.0; 16]);
/// let mut keys = HeadsMut::new(shape, &mut key_codes, &mut key_scales)?;
/// let mut values = HeadsMut::new(shape, &mut value_codes, &mut value_scales)?;
/// reference::store_heads(&[1.0, 1.0], Side::Keys, 0, &mut keys)?;
/// reference::store_heads(&[1.0, 3.0], Side::Values, 0, &mut values)?;
///
/// let (keys, values) = (keys.as_ref(), values.as_ref());
/// let (mut scratch, mut out) = ([0.0; 2], [0.0]);
/// reference::attention_u7(&[5.0], &keys, &values, 2, 1.0, &mut scratch, &mut out)?;
/// assert!((out[0] - 2.0).abs() < 0.02);
/// # Ok::<(), trit_core::QuantizeError>(())
/// ```
///
/// # Errors
/// A query that is not finite, or shapes and lengths that do not fit.
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
    shape.check_values(&values.shape())?;
    check_len("queries", q.len() % columns, 0)?;
    check_len("outputs", out.len(), q.len())?;
    check_len("scratch", scratch.len(), ctx)?;
    shape.check_rows(columns, ctx.wrapping_sub(1))?;
    check_finite(q, columns)?;
    let number = |code: u8| i32::from(code) - i32::from(OFFSET);
    let largest = |x: &[f32]| x.iter().fold(f32::MIN, |most, &x| if x > most { x } else { most });
    let scores = &mut scratch[..ctx];
    for (q, out) in q.chunks_exact(columns).zip(out.chunks_exact_mut(columns)) {
        for head in 0..shape.heads() {
            let (q, out) = (&q[head * width..][..width], &mut out[head * width..][..width]);
            let key_scales = &keys.scales()[shape.scale_at(head, 0)..][..ctx];
            let value_scales = &values.scales()[shape.scale_at(head, 0)..][..ctx];
            let unit = absmax(q) / 127.0;
            let factor = score_factor(unit, scale, largest(key_scales));
            for (key, score) in scores.iter_mut().enumerate() {
                let products = (0..width).map(|column| {
                    let code = keys.codes()[shape.key_at(head, key, column)];
                    i32::from(units(q[column], unit, 127.0)) * number(code)
                });
                let n: i32 = products.sum();
                *score = n as f32 * (factor * key_scales[key]);
            }
            let most = largest(scores);
            let blocks = || scores.chunks(BLOCK).zip(value_scales.chunks(BLOCK));
            let gain = |top: f32| math::exp((top - most) * OCTAVE);
            let total = sum(blocks().map(|(scores, _)| {
                let top = largest(scores);
                let e: i32 =
                    scores.iter().map(|&score| i32::from(exp2_q14(below(top, score)))).sum();
                gain(top) * (e as f32 * (1.0 / 16_384.0))
            }));
            for (column, out) in out.iter_mut().enumerate() {
                *out = 0.0;
                for (block, (scores, scales)) in blocks().enumerate() {
                    let (top, scale) = (largest(scores), largest(scales));
                    let weight = |(&score, &value): (&f32, &f32)| {
                        multiply_q15(exp2_q14(below(top, score)), share(value, scale))
                    };
                    let weights = || scores.iter().zip(scales).map(weight);
                    let factor = code_factor(weights().fold(0, i16::max));
                    let products = weights().enumerate().map(|(key, weight)| {
                        let at = shape.value_at(head, block * BLOCK + key, column);
                        i32::from(multiply_q15(weight, factor)) * number(values.codes()[at])
                    });
                    let n: i32 = products.sum();
                    *out += ((gain(top) * (scale * 2.0)) / f32::from(factor)) * n as f32;
                }
                *out *= 1.0 / total;
            }
        }
    }
    Ok(())
}
