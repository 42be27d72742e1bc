//! The decoder: one token at a time, with caches of keys and values.

use heapless::Vec;
use trit_core::HeadShape;

use crate::arena::Arena;
use crate::cache::{Cache, Precision};
use crate::config::Config;
use crate::encoder::{Mlp, Projections, mlp, norm, project};
use crate::error::Error;
use crate::linear::{Acts, Compute, Layer, any_integer, linear};
use crate::model::Model;
use crate::scratch::{CHUNK, Scratch};
use crate::split::Share;

/// Keys and values of each block.
type Caches<'a> = Vec<Cache<'a>, { Config::MAX_LAYERS }>;

/// The decoder's caches and logits.
pub(crate) struct Decoder<'a> {
    cross: Caches<'a>,
    own: Caches<'a>,
    /// Tokens in the caches.
    position: usize,
    logits: &'a mut [f32],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(
        config: &Config,
        precision: Precision,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let mut caches = |shape: HeadShape| {
            let mut caches = Caches::new();
            for _ in 0..config.n_text_layer {
                caches.push(Cache::take(shape, precision, arena)?).ok()?;
            }
            Some(caches)
        };
        let (cross, own) = (caches(config.cross_heads()?)?, caches(config.text_heads()?)?);
        Some(Self { cross, own, position: 0, logits: arena.take(config.vocab())? })
    }

    /// Logits of the token that follows the last one fed.
    pub(crate) fn logits(&mut self) -> &mut [f32] {
        self.logits
    }

    /// Takes new audio `[ctx, d]` and forgets all tokens.
    pub(crate) fn start(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        audio: &[f32],
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        let d = model.config().state();
        self.position = 0;
        for (block, cache) in model.decoder.iter().zip(&mut self.cross) {
            let Some((_, attn)) = &block.cross else { continue };
            let (key, value) = (Layer::new(model, attn.key)?, Layer::new(model, attn.value)?);
            let integer = any_integer(&[key, value]);
            let round = compute.join.threads() * CHUNK;
            for (index, audio) in audio.chunks(round * d).enumerate() {
                let tokens = audio.len() / d;
                let acts = Acts::new(compute, audio, d, tokens, d, integer, &mut scratch.quant)?;
                cache.project(compute, [&key, &value], &acts, index * round, scratch.wide)?;
            }
        }
        Ok(())
    }

    /// Whether another token fits.
    pub(crate) fn has_room(&self, model: &Model<'_>) -> bool {
        self.position < model.config().text_ctx()
    }

    /// Forgets all tokens and keeps the audio.
    pub(crate) fn rewind(&mut self) {
        self.position = 0;
    }

    /// Feeds one token and computes the logits of the next.
    ///
    /// `token` is a valid id and [`has_room`](Self::has_room) is true.
    pub(crate) fn step(
        &mut self,
        compute: &Compute<'_>,
        model: &Model<'_>,
        token: u32,
        scratch: &mut Scratch<'_>,
    ) -> Result<(), Error> {
        let config = model.config();
        let (d, audio_ctx) = (config.state(), config.audio_ctx());
        let position = self.position;
        // The residual stream takes the second row of `normed`, which chunks of one token leave
        // free.
        let (normed, x) = scratch.normed.split_at_mut(d);
        let x = &mut x[..d];
        let embedding = model.embedding()?;
        embedding.copy_row(token as usize, x);
        model.text_positions()?.copy_row(position, normed);
        compute.kernels.add(x, normed)?;

        for ((block, own), cross) in model.decoder.iter().zip(&mut self.own).zip(&mut self.cross) {
            let attn = Projections::new(model, &block.attn)?;
            norm(compute, model, block.attn_ln, x, normed)?;
            let integer = any_integer(&[attn.query, attn.key, attn.value]);
            let acts = Acts::new(compute, normed, d, 1, d, integer, &mut scratch.quant)?;
            let mixed = &mut scratch.mixed[..d];
            let (buffer, scores) = (&mut *scratch.wide, &mut *scratch.scores);
            let share = Share { first: 0, out: mixed, buffer, scores };
            let layers = [&attn.query, &attn.key, &attn.value];
            own.attend_self(compute, layers, &acts, position, share)?;
            project(compute, &attn.out, mixed, d, &mut scratch.quant, normed, x)?;

            if let Some((cross_ln, attn)) = &block.cross {
                norm(compute, model, *cross_ln, x, normed)?;
                let (query, out) = (Layer::new(model, attn.query)?, Layer::new(model, attn.out)?);
                let integer = query.weights.is_integer();
                let acts = Acts::new(compute, normed, d, 1, d, integer, &mut scratch.quant)?;
                let mixed = &mut scratch.mixed[..d];
                let (buffer, scores) = (&mut *scratch.wide, &mut *scratch.scores);
                let share = Share { first: 0, out: mixed, buffer, scores };
                cross.attend_cross(compute, &query, &acts, audio_ctx, share)?;
                project(compute, &out, mixed, d, &mut scratch.quant, normed, x)?;
            }

            let layers = Mlp::new(model, block)?;
            mlp(compute, &layers, x, normed, scratch.wide, &mut scratch.quant)?;
        }
        self.position += 1;

        norm(compute, model, model.ln, x, normed)?;
        let integer = embedding.is_integer();
        let acts = Acts::new(compute, normed, d, 1, d, integer, &mut scratch.quant)?;
        linear(compute, &Layer { weights: embedding, bias: None }, &acts, self.logits)?;
        if self.logits.iter().all(|logit| logit.is_finite()) {
            Ok(())
        } else {
            Err(Error::NonFinite)
        }
    }
}
