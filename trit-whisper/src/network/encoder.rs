//! The encoder: two convolutions, positions, transformer blocks, a norm.
//!
//! Tokens (positions) pass in chunks, so that wide intermediate values stay small; only the
//! residual stream and one block's keys and values span the window.

use super::cache::{Cache, Precision};
use super::linear::{Acts, Compute, Layer, QuantBuffers, any_integer, linear};
use super::scratch::{CHUNK, Scratch};
use super::split::{over_rows, over_tokens};
use crate::arena::Arena;
use crate::config::Config;
use crate::error::Error;
use crate::model::{Attention, Block, Linear, Model, Norm};

/// Layer norm's ε in Whisper.
pub(crate) const EPS: f32 = 1e-5;

/// The encoder's buffers for one window.
pub(crate) struct Encoder<'a> {
    /// One block's keys and values.
    cache: Cache<'a>,
    /// Residual stream `[ctx, d]`, and the result.
    x: &'a mut [f32],
}

impl<'a> Encoder<'a> {
    /// An encoder of `ctx` positions, whose residual stream may lie in memory of its own.
    pub(crate) fn new(
        config: &Config,
        ctx: usize,
        precision: Precision,
        arena: &mut Arena<'a>,
        stream: Option<&mut Arena<'a>>,
    ) -> Option<Self> {
        let cache = Cache::take(config.encoder_heads()?, precision, arena)?;
        Some(Self { cache, x: stream.unwrap_or(arena).take(ctx * config.state())? })
    }

    /// Encodes a log-mel `[2·ctx + 2, mels]` that has a frame of zeros on each side.
    pub(crate) fn run(
        mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        mel: &[f32],
        scratch: &mut Scratch<'_>,
    ) -> Result<&'a [f32], Error> {
        let (d, alone) = (model.config().state(), compute.alone());
        let threads = compute.threads;
        let positions = model.audio_positions()?;
        over_tokens(compute.join, threads, 0, self.x, d, scratch, &|first, x, scratch| {
            for (chunk, x) in x.chunks_mut(CHUNK * d).enumerate() {
                let first = first + chunk * CHUNK;
                convolutions(&alone, model, mel, first, x, scratch)?;
                let row = &mut scratch.normed[..d];
                for (t, x) in x.chunks_exact_mut(d).enumerate() {
                    positions.copy_row(first + t, row);
                    alone.kernels.add(x, row)?;
                }
            }
            Ok(())
        })?;
        for block in &model.encoder {
            compute.check()?;
            self.block(compute, model, block, scratch)?;
        }
        let (gain, bias) = model.norm(model.ln_post)?;
        over_tokens(compute.join, threads, 0, self.x, d, scratch, &|_, x, scratch| {
            for x in x.chunks_mut(CHUNK * d) {
                let normed = &mut scratch.normed[..x.len()];
                alone.kernels.layer_norm(x, gain, bias, EPS, normed)?;
                x.copy_from_slice(normed);
            }
            Ok(())
        })?;
        Ok(self.x)
    }

    /// One block: the keys and values of all tokens, then the rest token by token.
    fn block(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        block: &Block,
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        let Self { x, cache } = self;
        let d = model.config().state();
        let ctx = x.len() / d;
        let (alone, threads) = (compute.alone(), compute.threads);
        let Projections { query, key, value, out } = Projections::new(model, &block.attn)?;
        let (gain, bias) = model.norm(block.attn_ln)?;
        let integer = any_integer(&[key, value]);
        let round = threads * CHUNK;
        for (index, x) in x.chunks(round * d).enumerate() {
            let (tokens, normed) = (x.len() / d, &mut scratch.normed[..x.len()]);
            over_rows(compute.join, threads, 0..tokens, 1, d, normed, &|range, y| {
                let x = &x[range.start * d..range.end * d];
                Ok(alone.kernels.layer_norm(x, gain, bias, EPS, y)?)
            })?;
            let acts = Acts::new(compute, normed, d, tokens, d, integer, &mut scratch.quant)?;
            cache.project(compute, [&key, &value], &acts, index * round, scratch.wide)?;
        }

        let (integer, layers) = (any_integer(&[query]), Mlp::new(model, block)?);
        over_tokens(compute.join, threads, 0, x, d, scratch, &|_, x, scratch| {
            for x in x.chunks_mut(CHUNK * d) {
                let Scratch { normed, mixed, wide, scores, quant } = scratch;
                let tokens = x.len() / d;
                alone.kernels.layer_norm(x, gain, bias, EPS, &mut normed[..x.len()])?;
                let acts = Acts::new(&alone, &normed[..x.len()], d, tokens, d, integer, quant)?;
                let (queries, mixed) = (&mut wide[..x.len()], &mut mixed[..x.len()]);
                linear(&alone, &query, &acts, queries)?;
                cache.attend(&alone, queries, ctx, scores, mixed)?;
                project(&alone, &out, mixed, d, quant, normed, x)?;
                mlp(&alone, &layers, x, normed, wide, quant)?;
            }
            Ok(())
        })
    }
}

/// Both convolutions for the outputs `x` from token `first` on, at most a chunk.
///
/// The second reads three frames of the first, two apart, so n outputs take 2n + 1 frames, the first
/// of them shared with the token before. They lie in `scratch.wide`.
fn convolutions(
    compute: &Compute<'_>,
    model: &Model<'_>,
    mel: &[f32],
    first: usize,
    x: &mut [f32],
    scratch: &mut Scratch<'_>,
) -> Result<(), Error> {
    let (d, mels) = (model.config().state(), model.config().n_mels as usize);
    let Scratch { wide, quant, .. } = scratch;
    // Before the window there is a frame of zeros.
    let missing = usize::from(first == 0);
    wide[..missing * d].fill(0.0);
    let frames = &mut wide[missing * d..d + 2 * x.len()];
    let mel = &mel[(2 * first + missing - 1) * mels..];
    for (part, frames) in frames.chunks_mut(CHUNK * d).enumerate() {
        let mel = &mel[part * CHUNK * mels..];
        convolve(compute, model, model.conv1, mel, mels, mels, frames, quant)?;
    }
    convolve(compute, model, model.conv2, wide, 2 * d, d, x, quant)
}

/// A convolution of kernel 3 and its GELU for up to a chunk of outputs: output t reads the three
/// frames from `x[t · stride]` on, of `channels` values each.
///
/// Such a patch is contiguous, so a convolution is a linear layer over rows that overlap.
fn convolve(
    compute: &Compute<'_>,
    model: &Model<'_>,
    conv: Linear,
    x: &[f32],
    stride: usize,
    channels: usize,
    y: &mut [f32],
    quant: &mut QuantBuffers<'_>,
) -> Result<(), Error> {
    let conv = Layer::new(model, conv)?;
    let (tokens, k) = (y.len() / conv.weights.rows(), 3 * channels);
    let acts = Acts::new(compute, x, stride, tokens, k, any_integer(&[conv]), quant)?;
    linear(compute, &conv, &acts, y)?;
    compute.kernels.gelu(y);
    Ok(())
}

/// Norm of a chunk into `scratch.normed`.
pub(crate) fn norm(
    compute: &Compute<'_>,
    model: &Model<'_>,
    norm: Norm,
    x: &[f32],
    normed: &mut [f32],
) -> Result<(), Error> {
    let (gain, bias) = model.norm(norm)?;
    Ok(compute.kernels.layer_norm(x, gain, bias, EPS, normed)?)
}

/// The layers of an attention.
pub(crate) struct Projections<'a> {
    pub(crate) query: Layer<'a>,
    pub(crate) key: Layer<'a>,
    pub(crate) value: Layer<'a>,
    pub(crate) out: Layer<'a>,
}

impl<'a> Projections<'a> {
    pub(crate) fn new(model: &Model<'a>, attn: &Attention) -> Result<Self, Error> {
        Ok(Self {
            query: Layer::new(model, attn.query)?,
            key: Layer::new(model, attn.key)?,
            value: Layer::new(model, attn.value)?,
            out: Layer::new(model, attn.out)?,
        })
    }
}

/// `x += mixed · Wᵀ + bias`, through `buffer`.
pub(crate) fn project(
    compute: &Compute<'_>,
    out: &Layer<'_>,
    mixed: &[f32],
    k: usize,
    quant: &mut QuantBuffers<'_>,
    buffer: &mut [f32],
    x: &mut [f32],
) -> Result<(), Error> {
    let integer = out.weights.is_integer();
    let acts = Acts::new(compute, mixed, k, mixed.len() / k, k, integer, quant)?;
    let y = &mut buffer[..x.len()];
    linear(compute, out, &acts, y)?;
    Ok(compute.kernels.add(x, y)?)
}

/// The layers of a block's perceptron.
pub(crate) struct Mlp<'a> {
    gain: &'a [f32],
    bias: &'a [f32],
    widen: Layer<'a>,
    narrow: Layer<'a>,
}

impl<'a> Mlp<'a> {
    pub(crate) fn new(model: &Model<'a>, block: &Block) -> Result<Self, Error> {
        let (gain, bias) = model.norm(block.mlp_ln)?;
        let widen = Layer::new(model, block.mlp_in)?;
        Ok(Self { gain, bias, widen, narrow: Layer::new(model, block.mlp_out)? })
    }
}

/// `x += mlp(norm(x))` of a chunk.
pub(crate) fn mlp(
    compute: &Compute<'_>,
    layers: &Mlp<'_>,
    x: &mut [f32],
    normed: &mut [f32],
    wide: &mut [f32],
    quant: &mut QuantBuffers<'_>,
) -> Result<(), Error> {
    let d = layers.gain.len();
    let normed = &mut normed[..x.len()];
    compute.kernels.layer_norm(x, layers.gain, layers.bias, EPS, normed)?;
    let integer = layers.widen.weights.is_integer();
    let acts = Acts::new(compute, normed, d, x.len() / d, d, integer, quant)?;
    let wide = &mut wide[..4 * x.len()];
    linear(compute, &layers.widen, &acts, wide)?;
    compute.kernels.gelu(wide);
    project(compute, &layers.narrow, wide, 4 * d, quant, normed, x)
}
