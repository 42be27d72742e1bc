//! The encoder: two convolutions, positions, transformer blocks, a norm.
//!
//! Tokens (positions) pass in chunks, so that wide intermediate values stay small; only the
//! residual stream and one block's keys and values span the window.

use trit_simd::attention_scratch_len;

use crate::arena::Arena;
use crate::config::Config;
use crate::error::Error;
use crate::linear::{Acts, Compute, Layer, QuantBuffers, any_integer, linear, split};
use crate::model::{Attention, Block, Linear, Model, Norm};

/// Tokens that pass at once.
pub(crate) const CHUNK: usize = 64;

/// Layer norm's ε in Whisper.
pub(crate) const EPS: f32 = 1e-5;

/// Buffers of one chunk, shared by encoder and decoder.
pub(crate) struct Scratch<'a> {
    /// `[CHUNK, d]`.
    pub(crate) normed: &'a mut [f32],
    /// `[CHUNK, d]`.
    pub(crate) mixed: &'a mut [f32],
    /// `[CHUNK, 4·d]`.
    pub(crate) wide: &'a mut [f32],
    /// Attention's, a share per thread.
    pub(crate) scores: &'a mut [f32],
    pub(crate) quant: QuantBuffers<'a>,
}

impl<'a> Scratch<'a> {
    pub(crate) fn new(config: &Config, threads: usize, arena: &mut Arena<'a>) -> Option<Self> {
        let d = config.state();
        let ctx = config.audio_ctx().max(config.text_ctx());
        let widest = (4 * d).max(3 * config.n_mels as usize);
        Some(Self {
            normed: arena.take(CHUNK * d)?,
            mixed: arena.take(CHUNK * d)?,
            wide: arena.take(CHUNK * 4 * d)?,
            scores: arena.take(threads.max(1) * attention_scratch_len(ctx))?,
            quant: QuantBuffers::take(arena, CHUNK, widest)?,
        })
    }
}

/// The encoder's own buffers.
pub(crate) struct Encoder<'a> {
    /// Residual stream `[ctx, d]`, and the result.
    x: &'a mut [f32],
    /// The first convolution's output with a frame of zeros on each side, `[2·ctx + 2, d]`; then
    /// one block's keys, transposed `[d, ctx]`, and values `[ctx, d]`.
    shared: &'a mut [f32],
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(config: &Config, arena: &mut Arena<'a>) -> Option<Self> {
        let d = config.state();
        Some(Self {
            x: arena.take(config.audio_ctx() * d)?,
            shared: arena.take((config.frames() + 2) * d)?,
        })
    }

    /// The encoded audio `[ctx, d]`.
    pub(crate) fn output(&self) -> &[f32] {
        self.x
    }

    /// Encodes a log-mel `[2·ctx + 2, mels]` that has a frame of zeros on each side.
    pub(crate) fn run(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        mel: &[f32],
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        let config = model.config();
        let (d, mels) = (config.state(), config.n_mels as usize);
        let (ctx, frames) = (config.audio_ctx(), config.frames());

        // A patch of 3 frames is contiguous, so a convolution is a linear layer over rows that
        // overlap.
        self.shared[..d].fill(0.0);
        self.shared[(frames + 1) * d..].fill(0.0);
        let inner = &mut self.shared[d..(frames + 1) * d];
        convolve(compute, model, model.conv1, mel, mels, mels, d, inner, scratch)?;
        convolve(compute, model, model.conv2, self.shared, 2 * d, d, d, self.x, scratch)?;

        let positions = model.audio_positions()?;
        let row = &mut scratch.normed[..d];
        for (t, x) in self.x.chunks_exact_mut(d).enumerate() {
            positions.copy_row(t, row);
            compute.kernels.add(x, row)?;
        }

        let (keys, rest) = self.shared.split_at_mut(ctx * d);
        let values = &mut rest[..ctx * d];
        for block in &model.encoder {
            self_attention(compute, model, block, self.x, keys, values, scratch)?;
            let layers = Mlp::new(model, block)?;
            for x in self.x.chunks_mut(CHUNK * d) {
                let Scratch { normed, wide, quant, .. } = scratch;
                mlp(compute, &layers, x, normed, wide, quant)?;
            }
        }
        let (gain, bias) = model.norm(model.ln_post)?;
        for x in self.x.chunks_mut(CHUNK * d) {
            let normed = &mut scratch.normed[..x.len()];
            compute.kernels.layer_norm(x, gain, bias, EPS, normed)?;
            x.copy_from_slice(normed);
        }
        Ok(())
    }
}

/// A convolution of kernel 3 and its GELU: output t reads the three frames from `x[t · stride]` on,
/// of `channels` values each.
fn convolve(
    compute: &Compute<'_>,
    model: &Model<'_>,
    conv: Linear,
    x: &[f32],
    stride: usize,
    channels: usize,
    d: usize,
    y: &mut [f32],
    scratch: &mut Scratch<'_>,
) -> Result<(), Error> {
    let conv = Layer::new(model, conv)?;
    let integer = any_integer(&[conv]);
    for (chunk, y) in y.chunks_mut(CHUNK * d).enumerate() {
        let x = &x[chunk * CHUNK * stride..];
        let (tokens, k) = (y.len() / d, 3 * channels);
        let acts = Acts::new(compute, x, stride, tokens, k, integer, &mut scratch.quant)?;
        linear(compute, &conv, &acts, y)?;
        compute.kernels.gelu(y);
    }
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

/// Keys `[tokens, d]` of the positions from `start` on, into the transposed cache `[d, stride]`.
pub(crate) fn transpose(keys: &[f32], d: usize, start: usize, stride: usize, to: &mut [f32]) {
    for (column, to) in to.chunks_exact_mut(stride).enumerate() {
        for (to, key) in to[start..].iter_mut().zip(keys.chunks_exact(d)) {
            *to = key[column];
        }
    }
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

fn self_attention(
    compute: &Compute<'_>,
    model: &Model<'_>,
    block: &Block,
    x: &mut [f32],
    keys_t: &mut [f32],
    values: &mut [f32],
    scratch: &mut Scratch<'_>,
) -> Result<(), Error> {
    let config = model.config();
    let (d, ctx) = (config.state(), config.audio_ctx());
    let Projections { query, key, value, out } = Projections::new(model, &block.attn)?;
    let integer = any_integer(&[query, key, value]);
    for (chunk, (x, values)) in x.chunks(CHUNK * d).zip(values.chunks_mut(CHUNK * d)).enumerate() {
        let normed = &mut scratch.normed[..x.len()];
        norm(compute, model, block.attn_ln, x, normed)?;
        let acts = Acts::new(compute, normed, d, x.len() / d, d, integer, &mut scratch.quant)?;
        let keys = &mut scratch.mixed[..x.len()];
        linear(compute, &key, &acts, keys)?;
        transpose(keys, d, chunk * CHUNK, ctx, keys_t);
        linear(compute, &value, &acts, values)?;
    }
    for x in x.chunks_mut(CHUNK * d) {
        let normed = &mut scratch.normed[..x.len()];
        norm(compute, model, block.attn_ln, x, normed)?;
        let acts = Acts::new(compute, normed, d, x.len() / d, d, integer, &mut scratch.quant)?;
        let queries = &mut scratch.wide[..x.len()];
        linear(compute, &query, &acts, queries)?;
        let mixed = &mut scratch.mixed[..x.len()];
        let heads = config.n_audio_head as usize;
        attend(compute, queries, keys_t, ctx, values, heads, d, ctx, scratch.scores, mixed)?;
        project(compute, &out, mixed, d, &mut scratch.quant, scratch.normed, x)?;
    }
    Ok(())
}

/// Attention without a mask, split over threads by queries.
pub(crate) fn attend(
    compute: &Compute<'_>,
    q: &[f32],
    keys_t: &[f32],
    key_stride: usize,
    values: &[f32],
    heads: usize,
    d: usize,
    ctx: usize,
    scores: &mut [f32],
    out: &mut [f32],
) -> Result<(), Error> {
    let scale = 1.0 / libm::sqrtf((d / heads) as f32);
    let tokens = q.len() / d;
    let threads = compute.join.threads();
    split(compute.join, threads, 0..tokens, d, out, scores, &|range, out, scores| {
        let q = &q[range.start * d..range.end * d];
        Ok(compute
            .kernels
            .attention(q, keys_t, key_stride, values, heads, d, ctx, None, scale, scores, out)?)
    })
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
