//! The encoder: two convolutions, positions, transformer blocks, a norm.
//!
//! Tokens (positions) pass in chunks, so that wide intermediate values stay small; only the
//! residual stream and one block's keys and values span the window.

use trit_core::heads::Side;

use crate::arena::Arena;
use crate::cache::{Cache, Precision, scratch_len};
use crate::config::Config;
use crate::error::Error;
use crate::linear::{Acts, Compute, Layer, QuantBuffers, any_integer, linear};
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
    pub(crate) fn new(
        config: &Config,
        threads: usize,
        precision: Precision,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let d = config.state();
        let widest = (4 * d).max(3 * config.n_mels as usize);
        Some(Self {
            normed: arena.take(CHUNK * d)?,
            mixed: arena.take(CHUNK * d)?,
            wide: arena.take(CHUNK * 4 * d)?,
            scores: arena.take(threads.max(1) * scratch_len(config, precision))?,
            quant: QuantBuffers::take(arena, CHUNK, widest)?,
        })
    }
}

/// The encoder's own buffers.
pub(crate) struct Encoder<'a> {
    /// Residual stream `[ctx, d]`, and the result.
    x: &'a mut [f32],
    /// One block's keys and values.
    cache: Cache<'a>,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(
        config: &Config,
        precision: Precision,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let x = arena.take(config.audio_ctx() * config.state())?;
        Some(Self { x, cache: Cache::take(config.encoder_heads()?, precision, arena)? })
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
        let d = model.config().state();
        for (chunk, x) in self.x.chunks_mut(CHUNK * d).enumerate() {
            convolutions(compute, model, mel, chunk, x, scratch)?;
        }

        let positions = model.audio_positions()?;
        let row = &mut scratch.normed[..d];
        for (t, x) in self.x.chunks_exact_mut(d).enumerate() {
            positions.copy_row(t, row);
            compute.kernels.add(x, row)?;
        }

        for block in &model.encoder {
            self.attention(compute, model, block, scratch)?;
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

    /// Self-attention of one block, added to the residual stream.
    fn attention(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        block: &Block,
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        let Self { x, cache } = self;
        let (d, ctx) = (model.config().state(), model.config().audio_ctx());
        let Projections { query, key, value, out } = Projections::new(model, &block.attn)?;
        let integer = any_integer(&[query, key, value]);
        for (chunk, x) in x.chunks(CHUNK * d).enumerate() {
            let normed = &mut scratch.normed[..x.len()];
            norm(compute, model, block.attn_ln, x, normed)?;
            let acts = Acts::new(compute, normed, d, x.len() / d, d, integer, &mut scratch.quant)?;
            let projected = &mut scratch.mixed[..x.len()];
            linear(compute, &key, &acts, projected)?;
            cache.store(compute, projected, Side::Keys, chunk * CHUNK)?;
            linear(compute, &value, &acts, projected)?;
            cache.store(compute, projected, Side::Values, chunk * CHUNK)?;
        }
        for x in x.chunks_mut(CHUNK * d) {
            let normed = &mut scratch.normed[..x.len()];
            norm(compute, model, block.attn_ln, x, normed)?;
            let acts = Acts::new(compute, normed, d, x.len() / d, d, integer, &mut scratch.quant)?;
            let queries = &mut scratch.wide[..x.len()];
            linear(compute, &query, &acts, queries)?;
            let mixed = &mut scratch.mixed[..x.len()];
            cache.attend(compute, queries, ctx, scratch.scores, mixed)?;
            project(compute, &out, mixed, d, &mut scratch.quant, scratch.normed, x)?;
        }
        Ok(())
    }
}

/// Both convolutions for the outputs `x` of chunk `chunk`.
///
/// The second reads three frames of the first, two apart, so n outputs take 2n + 1 frames. They lie
/// in `scratch.wide`, after whose first frame, the last of the chunk before or zeros, 2n are new.
fn convolutions(
    compute: &Compute<'_>,
    model: &Model<'_>,
    mel: &[f32],
    chunk: usize,
    x: &mut [f32],
    scratch: &mut Scratch<'_>,
) -> Result<(), Error> {
    let (d, mels) = (model.config().state(), model.config().n_mels as usize);
    let Scratch { wide, quant, .. } = scratch;
    if chunk == 0 {
        wide[..d].fill(0.0);
    } else {
        wide.copy_within(2 * CHUNK * d..(2 * CHUNK + 1) * d, 0);
    }
    let frames = &mut wide[d..][..2 * x.len()];
    let mel = &mel[chunk * 2 * CHUNK * mels..];
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
