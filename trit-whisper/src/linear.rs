//! Linear layers over any weight type, split over threads by tokens or rows.

use core::ops::Range;

use trit_core::{QuantizedActs, QuantizedActsMut, activations};
use trit_simd::{Kernels, parallel::Join};

use crate::arena::{self, Arena};
use crate::error::Error;
use crate::model::{Linear, Model, Weights};

/// What every layer computes with.
#[derive(Clone, Copy)]
pub(crate) struct Compute<'c> {
    pub(crate) kernels: Kernels,
    pub(crate) join: &'c dyn Join,
}

/// Work on the tokens of a range: their outputs, and scratch.
type TokenWork<'w> = dyn Fn(Range<usize>, &mut [f32], &mut [f32]) -> Result<(), Error> + Sync + 'w;

/// Work on the rows of a range: their outputs.
type RowWork<'w> = dyn Fn(Range<usize>, &mut [f32]) -> Result<(), Error> + Sync + 'w;

/// Runs `work` over `range`, cut into `parts` pieces that may run at once. `y` has `width` values
/// for each index and `scratch` as many equal shares as there are parts.
pub(crate) fn split(
    join: &dyn Join,
    parts: usize,
    range: Range<usize>,
    width: usize,
    y: &mut [f32],
    scratch: &mut [f32],
    work: &TokenWork<'_>,
) -> Result<(), Error> {
    if parts <= 1 || range.len() <= 1 {
        return if range.is_empty() { Ok(()) } else { work(range, y, scratch) };
    }
    let left = parts / 2;
    let middle = range.start + range.len() * left / parts;
    let (y_left, y_right) = y.split_at_mut((middle - range.start) * width);
    let (scratch_left, scratch_right) = scratch.split_at_mut(scratch.len() / parts * left);
    let (mut first, mut second) = (Ok(()), Ok(()));
    join.join(
        &mut || {
            first = split(join, left, range.start..middle, width, y_left, scratch_left, work);
        },
        &mut || {
            let rest = middle..range.end;
            second = split(join, parts - left, rest, width, y_right, scratch_right, work);
        },
    );
    first.and(second)
}

/// Buffers for quantised activations of up to `tokens` tokens of `k` inputs.
pub(crate) struct QuantBuffers<'a> {
    values: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [i32],
}

impl<'a> QuantBuffers<'a> {
    pub(crate) fn bytes(tokens: usize, k: usize) -> usize {
        arena::size::<i8>(activations::values_len(tokens, k))
            + arena::size::<f32>(tokens)
            + arena::size::<i32>(activations::sums_len(tokens, k))
    }

    pub(crate) fn take(arena: &mut Arena<'a>, tokens: usize, k: usize) -> Option<Self> {
        Some(Self {
            values: arena.take(activations::values_len(tokens, k))?,
            scales: arena.take(tokens)?,
            sums: arena.take(activations::sums_len(tokens, k))?,
        })
    }
}

/// Activations of a layer: floats, and their quantised form if some weights need it.
#[derive(Clone, Copy)]
pub(crate) struct Acts<'a> {
    x: &'a [f32],
    stride: usize,
    tokens: usize,
    quantized: Option<QuantizedActs<'a>>,
}

impl<'a> Acts<'a> {
    /// `tokens` tokens of k floats, `stride` apart, quantised into `buffers` if `integer`.
    pub(crate) fn new(
        compute: &Compute<'_>,
        x: &'a [f32],
        stride: usize,
        tokens: usize,
        k: usize,
        integer: bool,
        buffers: &'a mut QuantBuffers<'_>,
    ) -> Result<Self, Error> {
        let mut quantized = None;
        if integer {
            let values = &mut buffers.values[..activations::values_len(tokens, k)];
            let sums = &mut buffers.sums[..activations::sums_len(tokens, k)];
            let scales = &mut buffers.scales[..tokens];
            let mut out = QuantizedActsMut::new(tokens, k, None, values, scales, sums)?;
            compute.kernels.quantize(x, stride, &mut out)?;
            let values = &buffers.values[..activations::values_len(tokens, k)];
            let sums = &buffers.sums[..activations::sums_len(tokens, k)];
            let scales = &buffers.scales[..tokens];
            quantized = Some(QuantizedActs::new(tokens, k, None, values, scales, sums)?);
        }
        Ok(Self { x, stride, tokens, quantized })
    }
}

/// A linear layer's weights and bias where they lie in the file, found once for all its tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) bias: Option<&'a [f32]>,
}

impl<'a> Layer<'a> {
    pub(crate) fn new(model: &Model<'a>, linear: Linear) -> Result<Self, Error> {
        let (weights, bias) = model.linear(linear)?;
        Ok(Self { weights, bias })
    }
}

/// Whether any of `layers` multiplies integers.
pub(crate) fn any_integer(layers: &[Layer<'_>]) -> bool {
    layers.iter().any(|layer| layer.weights.is_integer())
}

/// `y = x · Wᵀ + bias`, y `[tokens, rows]`.
pub(crate) fn linear(
    compute: &Compute<'_>,
    layer: &Layer<'_>,
    acts: &Acts<'_>,
    y: &mut [f32],
) -> Result<(), Error> {
    let Layer { weights, bias } = layer;
    let rows = weights.rows();
    let threads = compute.join.threads();
    if acts.tokens == 1 {
        // Whole tiles a part, so that no two threads unpack the same weights.
        let tiles = rows.div_ceil(trit_core::TILE_ROWS);
        return split_rows(compute.join, threads.min(tiles), 0..rows, y, &|range, y| {
            part(compute, weights, *bias, acts, 0..1, range, y)
        });
    }
    split(compute.join, threads, 0..acts.tokens, rows, y, &mut [], &|range, y, _| {
        part(compute, weights, *bias, acts, range, 0..rows, y)
    })
}

/// As [`split`], over rows, at multiples of a tile.
fn split_rows(
    join: &dyn Join,
    parts: usize,
    range: Range<usize>,
    y: &mut [f32],
    work: &RowWork<'_>,
) -> Result<(), Error> {
    let left = parts / 2;
    let cut = range.len() * left / parts.max(1) / trit_core::TILE_ROWS * trit_core::TILE_ROWS;
    if parts <= 1 || cut == 0 {
        return work(range, y);
    }
    let middle = range.start + cut;
    let (y_left, y_right) = y.split_at_mut(cut);
    let (mut first, mut second) = (Ok(()), Ok(()));
    join.join(
        &mut || first = split_rows(join, left, range.start..middle, y_left, work),
        &mut || second = split_rows(join, parts - left, middle..range.end, y_right, work),
    );
    first.and(second)
}

/// The rows `rows` of the tokens `tokens`.
fn part(
    compute: &Compute<'_>,
    weights: &Weights<'_>,
    bias: Option<&[f32]>,
    acts: &Acts<'_>,
    tokens: Range<usize>,
    rows: Range<usize>,
    y: &mut [f32],
) -> Result<(), Error> {
    let kernels = &compute.kernels;
    let x = &acts.x[tokens.start * acts.stride..];
    let count = tokens.len();
    match (weights, &acts.quantized) {
        (Weights::Ternary(w), Some(q)) => kernels.ternary(w, &q.slice(tokens), bias, rows, y)?,
        (Weights::Int8(w), Some(q)) => kernels.int8(w, &q.slice(tokens), bias, rows, y)?,
        (Weights::F32(w), _) => kernels.dense_f32(w, x, acts.stride, count, bias, rows, y)?,
        (Weights::F16(w), _) => kernels.dense_f16(w, x, acts.stride, count, bias, rows, y)?,
        (Weights::Ternary(_) | Weights::Int8(_), None) => return Err(Error::NonFinite),
    }
    Ok(())
}
