//! Work split over threads: by tokens, by rows of a matrix, or by heads. Never a sum, so that results
//! do not depend on how many threads there are.

use core::ops::Range;

use trit_simd::parallel::Join;

use super::cache::Cache;
use super::scratch::{Scratch, shares};
use crate::error::Error;

/// Tokens come in blocks of so many to a thread, the largest that a kernel takes at once.
const BLOCK: usize = 32;

/// Work on the tokens from the given one on: their values, and a thread's scratch.
type TokenWork<'w> = dyn Fn(usize, &mut [f32], &mut Scratch<'_>) -> Result<(), Error> + Sync + 'w;

/// Work on the rows of a range: their outputs.
type RowWork<'w> = dyn Fn(Range<usize>, &mut [f32]) -> Result<(), Error> + Sync + 'w;

/// Work on some heads.
type HeadWork<'w> = dyn Fn(&mut Cache<'_>, Share<'_>) -> Result<(), Error> + Sync + 'w;

/// What goes with the heads that a thread works on.
pub(crate) struct Share<'s> {
    /// The first head.
    pub(crate) first: usize,
    /// One token's outputs of these heads, if there are any.
    pub(crate) out: &'s mut [f32],
    /// An equal share of a buffer.
    pub(crate) buffer: &'s mut [f32],
    /// Attention's scratch.
    pub(crate) scores: &'s mut [f32],
}

/// Runs both and gives the first error.
fn both(
    join: &dyn Join,
    mut a: impl FnMut() -> Result<(), Error> + Send,
    mut b: impl FnMut() -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let (mut first, mut second) = (Ok(()), Ok(()));
    join.join(&mut || first = a(), &mut || second = b());
    first.and(second)
}

/// Runs `work` over the tokens `x` `[tokens, d]`, the first of which is `first`, on `parts` threads.
pub(crate) fn over_tokens(
    join: &dyn Join,
    parts: usize,
    first: usize,
    x: &mut [f32],
    d: usize,
    scratch: &mut Scratch<'_>,
    work: &TokenWork<'_>,
) -> Result<(), Error> {
    let left = parts / 2;
    let cut = x.len() / d * left / parts.max(1) / BLOCK * BLOCK;
    if cut == 0 {
        return work(first, x, scratch);
    }
    let (x_left, x_right) = x.split_at_mut(cut * d);
    let (mut scratch_left, mut scratch_right) = scratch.split(left, parts);
    both(
        join,
        || over_tokens(join, left, first, x_left, d, &mut scratch_left, work),
        || over_tokens(join, parts - left, first + cut, x_right, d, &mut scratch_right, work),
    )
}

/// Runs `work` over the rows of `range`, cut at multiples of `step` into up to `parts` parts. `y` has
/// `width` values a row.
pub(crate) fn over_rows(
    join: &dyn Join,
    parts: usize,
    range: Range<usize>,
    step: usize,
    width: usize,
    y: &mut [f32],
    work: &RowWork<'_>,
) -> Result<(), Error> {
    let left = parts / 2;
    let cut = range.len() * left / parts.max(1) / step * step;
    if cut == 0 {
        return work(range, y);
    }
    let middle = range.start + cut;
    let (y_left, y_right) = y.split_at_mut(cut * width);
    both(
        join,
        || over_rows(join, left, range.start..middle, step, width, y_left, work),
        || over_rows(join, parts - left, middle..range.end, step, width, y_right, work),
    )
}

/// Runs `work` over the heads of `cache` on up to `parts` threads, with equal shares of `buffer` and
/// `scores`.
pub(crate) fn over_heads(
    join: &dyn Join,
    parts: usize,
    cache: &mut Cache<'_>,
    share: Share<'_>,
    work: &HeadWork<'_>,
) -> Result<(), Error> {
    let shape = cache.shape();
    let parts = parts.min(shape.heads());
    let left = parts / 2;
    let cut = shape.heads() * left / parts.max(1);
    let Some((mut cache_left, mut cache_right)) = cache.split_at(cut) else {
        return work(cache, share);
    };
    let Share { first, out, buffer, scores } = share;
    let (out_left, out_right) = out.split_at_mut(out.len().min(cut * shape.width()));
    let (buffer_left, buffer_right) = shares(buffer, left, parts);
    let (scores_left, scores_right) = shares(scores, left, parts);
    both(
        join,
        || {
            let share = Share {
                first,
                out: &mut *out_left,
                buffer: &mut *buffer_left,
                scores: &mut *scores_left,
            };
            over_heads(join, left, &mut cache_left, share, work)
        },
        || {
            let share = Share {
                first: first + cut,
                out: &mut *out_right,
                buffer: &mut *buffer_right,
                scores: &mut *scores_right,
            };
            over_heads(join, parts - left, &mut cache_right, share, work)
        },
    )
}
