//! The decoder: tokens of one sequence or of several at once, with caches of keys and values.
//!
//! Each sequence has a slot: a cache of its own for its tokens. The audio's cache is shared. Rows are
//! independent but for the caches, so that a token has the same bits however many pass with it.

use core::ops::Range;

use heapless::Vec;
use trit_core::heads::Side;

use super::cache::{Cache, Caches, Precision};
use super::encoder::{Mlp, Projections, mlp, norm, project};
use super::features::Features;
use super::linear::{Acts, Compute, Layer, any_integer, linear};
use super::scratch::{CHUNK, Scratch};
use super::split::Share;
use crate::arena::Arena;
use crate::config::Config;
use crate::error::Error;
use crate::model::Model;
use crate::plan::MemoryPlan;
use crate::words::Aligner;

/// Most tokens that are fed at once: half a chunk, since the residual stream lies in the other half
/// of a buffer for one.
pub(crate) const MOST_ROWS: usize = CHUNK / 2;

/// A token to feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) token: u32,
    /// The sequence's slot.
    pub(crate) slot: usize,
    /// The token's place in the sequence.
    pub(crate) position: usize,
}

/// The decoder's caches and logits.
pub(crate) struct Decoder<'a> {
    /// Of the audio; while it is encoded, all that encoding takes.
    cross: Caches<'a>,
    /// Of the tokens, the heads of every slot, one slot after another; before the first token, the
    /// audio's features.
    own: Caches<'a>,
    /// Whether the encoder's output goes to `own` in 8 bits; otherwise the encoder works there.
    apart: bool,
    /// Whether `own` holds something else than keys and values.
    lent: bool,
    /// Positions of the audio in `cross`: none until there is some.
    audio_ctx: usize,
    slots: usize,
    /// `[slots, n_vocab]`.
    logits: &'a mut [f32],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(
        config: &Config,
        precision: Precision,
        slots: usize,
        plan: &MemoryPlan,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let blocks = config.n_text_layer as usize;
        let (cross, own) = (config.cross_heads()?, config.text_heads(slots)?);
        Some(Self {
            cross: Caches::take(cross, precision, blocks, plan.cross_region(), arena)?,
            own: Caches::take(own, precision, blocks, plan.self_region(), arena)?,
            apart: plan.has_features(),
            lent: true,
            audio_ctx: 0,
            slots,
            logits: arena.take(slots * config.vocab())?,
        })
    }

    /// Whether the encoder works in the memory of the audio's caches, and its output goes to that of the
    /// tokens' as [`Features`].
    pub(crate) fn keeps_features(&self) -> bool {
        self.apart
    }

    /// The memory of the audio's caches and of the tokens', which hold nothing until the next
    /// [`start`](Self::start).
    pub(crate) fn lend(&mut self) -> (Arena<'_>, Arena<'_>) {
        (self.lent, self.audio_ctx) = (true, 0);
        (self.cross.lend(), self.own.lend())
    }

    /// Takes the new audio, whose [`Features`] of `ctx` positions lie first in the memory of the tokens'
    /// caches. The first token fed overwrites them.
    pub(crate) fn start(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        ctx: usize,
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        let (d, mut own) = (model.config().state(), self.own.lend());
        let (expected, found) = (ctx * d, own.left());
        let features = Features::kept(ctx, d, self.apart, &mut own);
        let features = features.ok_or(Error::Arena { expected, found })?;
        for (block, mut cache) in model.decoder.iter().zip(self.cross.renewed()) {
            let Some((_, attn)) = &block.cross else { continue };
            let (key, value) = (Layer::new(model, attn.key)?, Layer::new(model, attn.value)?);
            let integer = any_integer(&[key, value]);
            let round = compute.threads * CHUNK;
            for first in (0..ctx).step_by(round) {
                let positions = first..ctx.min(first + round);
                let acts = features.acts(compute, positions, integer, &mut scratch.quant)?;
                cache.project(compute, [&key, &value], &acts, first, scratch.wide)?;
            }
        }
        self.audio_ctx = ctx;
        Ok(())
    }

    /// Whether there is audio to decode.
    pub(crate) fn has_audio(&self) -> bool {
        self.audio_ctx > 0
    }

    /// Makes the positions `positions` of slot `to` those of slot `from`. Before them the two hold
    /// the same.
    pub(crate) fn copy(&mut self, from: usize, to: usize, positions: Range<usize>) {
        for mut own in self.own.iter() {
            own.copy_slot(self.slots, from, to, positions.clone());
        }
    }

    /// Feeds up to [`MOST_ROWS`] tokens: of one sequence in ascending order, or one each of several.
    ///
    /// Tokens, slots and positions are valid, and there is audio.
    pub(crate) fn feed(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        rows: &[Row],
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        self.feed_recorded(compute, model, rows, scratch, None)
    }

    /// As [`feed`](Self::feed), and keeps in `aligner` what its heads ask of the audio.
    pub(crate) fn feed_recorded(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        rows: &[Row],
        scratch: &mut Scratch<'_>,
        mut aligner: Option<&mut Aligner<'_>>,
    ) -> Result<(), Error> {
        compute.check()?;
        let config = model.config();
        let (d, n, audio_ctx) = (config.state(), rows.len(), self.audio_ctx);
        if core::mem::take(&mut self.lent) {
            self.own.renewed().for_each(drop);
        }
        let (normed, x) = scratch.normed.split_at_mut(MOST_ROWS * d);
        let (normed, x) = (&mut normed[..n * d], &mut x[..n * d]);
        let (embedding, positions) = (model.embedding()?, model.text_positions()?);
        for ((row, x), normed) in
            rows.iter().zip(x.chunks_exact_mut(d)).zip(normed.chunks_exact_mut(d))
        {
            embedding.copy_row(row.token as usize, x);
            positions.copy_row(row.position, normed);
        }
        compute.kernels.add(x, normed)?;

        let caches = self.own.iter().zip(self.cross.iter());
        for (layer, (block, (mut own, mut cross))) in model.decoder.iter().zip(caches).enumerate() {
            let attn = Projections::new(model, &block.attn)?;
            norm(compute, model, block.attn_ln, x, normed)?;
            let integer = any_integer(&[attn.query, attn.key, attn.value]);
            let acts = Acts::new(compute, normed, d, n, d, integer, &mut scratch.quant)?;
            let mixed = &mut scratch.mixed[..n * d];
            let (wide, scores) = (&mut *scratch.wide, &mut *scratch.scores);
            let layers = [&attn.query, &attn.key, &attn.value];
            if let [Row { slot, position, .. }] = *rows {
                let share = Share { first: 0, out: &mut *mixed, buffer: wide, scores };
                own.slot(self.slots, slot).attend_self(compute, layers, &acts, position, share)?;
            } else {
                let (queries, wide) = wide.split_at_mut(n * d);
                let (keys, wide) = wide.split_at_mut(n * d);
                let values = &mut wide[..n * d];
                for (layer, y) in layers.into_iter().zip([&mut *queries, &mut *keys, &mut *values])
                {
                    linear(compute, layer, &acts, y)?;
                }
                let keys_and_values = keys.chunks_exact(d).zip(values.chunks_exact(d));
                for (row, (key, value)) in rows.iter().zip(keys_and_values) {
                    let mut own = own.slot(self.slots, row.slot);
                    own.store(compute, key, Side::Keys, row.position)?;
                    own.store(compute, value, Side::Values, row.position)?;
                }
                let outputs = mixed.chunks_exact_mut(d);
                for ((row, q), out) in rows.iter().zip(queries.chunks_exact(d)).zip(outputs) {
                    let mut own = own.slot(self.slots, row.slot);
                    own.attend_token(compute, q, row.position + 1, scores, out)?;
                }
            }
            project(compute, &attn.out, mixed, d, &mut scratch.quant, normed, x)?;

            if let Some((cross_ln, attn)) = &block.cross {
                norm(compute, model, *cross_ln, x, normed)?;
                let (query, out) = (Layer::new(model, attn.query)?, Layer::new(model, attn.out)?);
                let integer = query.weights.is_integer();
                let acts = Acts::new(compute, normed, d, n, d, integer, &mut scratch.quant)?;
                let mixed = &mut scratch.mixed[..n * d];
                let (wide, scores) = (&mut *scratch.wide, &mut *scratch.scores);
                if let Some(aligner) = &mut aligner {
                    // Once more and whole: one token's are computed in parts below.
                    let queries = &mut wide[..n * d];
                    linear(compute, &query, &acts, queries)?;
                    for (row, queries) in rows.iter().zip(queries.chunks_exact(d)) {
                        aligner.record(layer, row.position, queries);
                    }
                }
                if n == 1 {
                    let share = Share { first: 0, out: &mut *mixed, buffer: wide, scores };
                    cross.attend_cross(compute, &query, &acts, audio_ctx, share)?;
                } else {
                    let queries = &mut wide[..n * d];
                    linear(compute, &query, &acts, queries)?;
                    for (q, out) in queries.chunks_exact(d).zip(mixed.chunks_exact_mut(d)) {
                        cross.attend_token(compute, q, audio_ctx, scores, out)?;
                    }
                }
                project(compute, &out, mixed, d, &mut scratch.quant, normed, x)?;
            }

            let layers = Mlp::new(model, block)?;
            mlp(compute, &layers, x, normed, scratch.wide, &mut scratch.quant)?;
        }
        Ok(())
    }

    /// Aligns the tokens fed with the first `frames` frames: [`Aligner::align`].
    pub(crate) fn align(
        &mut self,
        aligner: &mut Aligner<'_>,
        tokens: Range<usize>,
        frames: usize,
        first: &mut [u32],
    ) {
        let frames = frames.min(self.audio_ctx);
        let mut caches = Vec::<Cache<'_>, { Config::MAX_LAYERS }>::new();
        // A configuration has no more blocks.
        caches.extend(self.cross.iter().take(Config::MAX_LAYERS));
        aligner.align(&caches, tokens, frames, first);
    }

    /// The logits computed last, from the first row on, as they have been changed since.
    pub(crate) fn computed(&mut self) -> &mut [f32] {
        self.logits
    }

    /// Computes the logits `[rows, n_vocab]` of the tokens that follow the rows `rows` of those fed last, as
    /// many as there are slots at most.
    pub(crate) fn logits(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        rows: Range<usize>,
        scratch: &mut Scratch<'_>,
    ) -> Result<&mut [f32], Error> {
        let (d, n) = (model.config().state(), rows.len());
        let (normed, x) = scratch.normed.split_at_mut(MOST_ROWS * d);
        let normed = &mut normed[..n * d];
        norm(compute, model, model.ln, &x[rows.start * d..rows.end * d], normed)?;
        let embedding = model.embedding()?;
        let integer = embedding.is_integer();
        let acts = Acts::new(compute, normed, d, n, d, integer, &mut scratch.quant)?;
        let logits = &mut self.logits[..n * model.config().vocab()];
        linear(compute, &Layer { weights: embedding, bias: None }, &acts, logits)?;
        if logits.iter().all(|logit| logit.is_finite()) {
            Ok(logits)
        } else {
            Err(Error::NonFinite)
        }
    }
}
