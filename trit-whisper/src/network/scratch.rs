//! Buffers for what lies between layers, a share for each thread.

use super::cache::{Precision, scratch_len};
use super::linear::QuantBuffers;
use crate::arena::{Arena, size};
use crate::config::Config;

/// Tokens that pass at once, per thread.
pub(crate) const CHUNK: usize = 64;

/// Buffers of one chunk for each of some threads.
pub(crate) struct Scratch<'a> {
    /// `[CHUNK, d]` a thread.
    pub(crate) normed: &'a mut [f32],
    /// `[CHUNK, d]` a thread.
    pub(crate) mixed: &'a mut [f32],
    /// `[CHUNK, 4·d]` a thread.
    pub(crate) wide: &'a mut [f32],
    /// Attention's.
    pub(crate) scores: &'a mut [f32],
    pub(crate) quant: QuantBuffers<'a>,
}

impl<'a> Scratch<'a> {
    /// Bytes that [`new`](Self::new) takes.
    pub(crate) fn bytes(config: &Config, threads: usize, precision: Precision) -> usize {
        let (d, tokens) = (config.state(), threads.max(1) * CHUNK);
        2 * size::<f32>(tokens * d)
            + size::<f32>(tokens * 4 * d)
            + size::<f32>(threads.max(1) * scratch_len(config, precision))
            + QuantBuffers::bytes(tokens, widest(config))
    }

    pub(crate) fn new(
        config: &Config,
        threads: usize,
        precision: Precision,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let (d, tokens) = (config.state(), threads.max(1) * CHUNK);
        Some(Self {
            normed: arena.take(tokens * d)?,
            mixed: arena.take(tokens * d)?,
            wide: arena.take(tokens * 4 * d)?,
            scores: arena.take(threads.max(1) * scratch_len(config, precision))?,
            quant: QuantBuffers::take(arena, tokens, widest(config))?,
        })
    }

    /// The shares of the first `left` of `parts` threads, and those of the others.
    pub(crate) fn split(&mut self, left: usize, parts: usize) -> (Scratch<'_>, Scratch<'_>) {
        let Self { normed, mixed, wide, scores, quant } = self;
        let (normed, mixed) = (shares(normed, left, parts), shares(mixed, left, parts));
        let (wide, scores) = (shares(wide, left, parts), shares(scores, left, parts));
        let quant = quant.split(left, parts);
        (
            Scratch {
                normed: normed.0,
                mixed: mixed.0,
                wide: wide.0,
                scores: scores.0,
                quant: quant.0,
            },
            Scratch {
                normed: normed.1,
                mixed: mixed.1,
                wide: wide.1,
                scores: scores.1,
                quant: quant.1,
            },
        )
    }
}

/// The first `left` of `parts` equal shares of a buffer, and the others.
pub(crate) fn shares<T>(buffer: &mut [T], left: usize, parts: usize) -> (&mut [T], &mut [T]) {
    buffer.split_at_mut(buffer.len() / parts * left)
}

/// Inputs of the widest layer.
fn widest(config: &Config) -> usize {
    (4 * config.state()).max(3 * config.n_mels as usize)
}
