//! Linear layers over any weight type.

use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use trit_core::{QuantizedActs, QuantizedActsMut, TILE_ROWS, activations};
use trit_simd::Kernels;
use trit_simd::parallel::{Join, Sequential};

use super::scratch::shares;
use super::split::over_rows;
use crate::arena::{self, Arena};
use crate::error::Error;
use crate::model::{Linear, Model, Weights};

/// Tokens of a thread's share from which on it is worth more than a share of the rows: kernels take
/// so many at once.
const BLOCK: usize = 8;

/// What every layer computes with.
#[derive(Clone, Copy)]
pub(crate) struct Compute<'c> {
    pub(crate) kernels: Kernels,
    pub(crate) join: &'c dyn Join,
    /// How many of the threads work; at least 1.
    pub(crate) threads: usize,
    /// Work stops once this is true.
    pub(crate) cancel: Option<&'c AtomicBool>,
}

impl Compute<'_> {
    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.cancel {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }

    /// The same on one thread, for work that has been split already.
    pub(crate) fn alone(&self) -> Compute<'static> {
        Compute { kernels: self.kernels, join: &Sequential, threads: 1, cancel: None }
    }
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

    /// The first `left` of `parts` equal shares, and the others.
    pub(crate) fn split(
        &mut self,
        left: usize,
        parts: usize,
    ) -> (QuantBuffers<'_>, QuantBuffers<'_>) {
        let Self { values, scales, sums } = self;
        let (values, scales) = (shares(values, left, parts), shares(scales, left, parts));
        let sums = shares(sums, left, parts);
        (
            QuantBuffers { values: values.0, scales: scales.0, sums: sums.0 },
            QuantBuffers { values: values.1, scales: scales.1, sums: sums.1 },
        )
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
            let (values, sums) =
                (activations::values_len(tokens, k), activations::sums_len(tokens, k));
            let QuantBuffers { values: v, scales: s, sums: b } = buffers;
            let (v, s, b) = (&mut v[..values], &mut s[..tokens], &mut b[..sums]);
            let mut out = QuantizedActsMut::new(tokens, k, None, v, s, b)?;
            compute.kernels.quantize(x, stride, &mut out)?;
            quantized = Some(QuantizedActs::new(tokens, k, None, v, s, b)?);
        }
        Ok(Self { x, stride, tokens, quantized })
    }

    /// `tokens` tokens of k inputs that have been quantised into `buffers`, for layers of integers alone.
    pub(crate) fn quantized(
        buffers: &'a QuantBuffers<'_>,
        tokens: usize,
        k: usize,
    ) -> Result<Self, Error> {
        let QuantBuffers { values, scales, sums } = buffers;
        let acts = QuantizedActs::new(tokens, k, None, values, scales, sums)?;
        Ok(Self { x: &[], stride: 0, tokens, quantized: Some(acts) })
    }

    /// Some of the tokens.
    pub(crate) fn slice(&self, tokens: Range<usize>) -> Self {
        Self {
            x: &self.x[tokens.start * self.stride..],
            tokens: tokens.len(),
            quantized: self.quantized.map(|acts| acts.slice(tokens)),
            ..*self
        }
    }

    /// Number of tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
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

/// `y = x · Wᵀ + bias`, y `[tokens, rows]`, split over threads by rows, or by tokens where there are many.
pub(crate) fn linear(
    compute: &Compute<'_>,
    layer: &Layer<'_>,
    acts: &Acts<'_>,
    y: &mut [f32],
) -> Result<(), Error> {
    let (rows, threads) = (layer.weights.rows(), compute.threads);
    if threads == 1 {
        return linear_rows(compute, layer, acts, 0..rows, y);
    }
    if acts.tokens >= threads * BLOCK {
        return over_rows(compute.join, threads, 0..acts.tokens, 1, rows, y, &|tokens, y| {
            linear_rows(compute, layer, &acts.slice(tokens), 0..rows, y)
        });
    }
    // Outputs of several tokens lie row by row, so that a range of rows has no slice of its own: few
    // tokens go one by one.
    for (token, y) in y.chunks_exact_mut(rows).enumerate() {
        let acts = acts.slice(token..token + 1);
        // Whole tiles a part, so that no two threads unpack the same weights.
        over_rows(compute.join, threads, 0..rows, TILE_ROWS, 1, y, &|rows, y| {
            linear_rows(compute, layer, &acts, rows, y)
        })?;
    }
    Ok(())
}

/// The rows `rows` of [`linear`], y `[tokens, rows.len()]`, on one thread.
pub(crate) fn linear_rows(
    compute: &Compute<'_>,
    layer: &Layer<'_>,
    acts: &Acts<'_>,
    rows: Range<usize>,
    y: &mut [f32],
) -> Result<(), Error> {
    let (kernels, Layer { weights, bias }) = (&compute.kernels, layer);
    let Acts { x, stride, tokens, quantized } = *acts;
    match (weights, &quantized) {
        (Weights::Ternary(w), Some(q)) => kernels.ternary(w, q, *bias, rows, y)?,
        (Weights::Int8(w), Some(q)) => kernels.int8(w, q, *bias, rows, y)?,
        (Weights::Int4(w), Some(q)) => kernels.int4(w, q, *bias, rows, y)?,
        (Weights::F32(w), _) => kernels.dense_f32(w, x, stride, tokens, *bias, rows, y)?,
        (Weights::F16(w), _) => kernels.dense_f16(w, x, stride, tokens, *bias, rows, y)?,
        (Weights::Ternary(_) | Weights::Int8(_) | Weights::Int4(_), None) => {
            return Err(Error::NonFinite);
        }
    }
    Ok(())
}
