//! The encoder's output in the form that the decoder's layers take.

use core::ops::Range;

use super::linear::{Acts, Compute, QuantBuffers};
use crate::arena::{Arena, size};
use crate::config::Config;
use crate::error::Error;

/// Audio features `[ctx, d]`, kept from the end of encoding until the audio's keys and values are made of
/// them.
///
/// Every layer quantises them alike, so that where all multiply integers the 8-bit values are all there
/// needs to be, a quarter of the floats.
pub(crate) struct Features<'a> {
    form: Form<'a>,
    ctx: usize,
    d: usize,
}

enum Form<'a> {
    Integers(QuantBuffers<'a>),
    Floats(&'a mut [f32]),
}

impl<'a> Features<'a> {
    /// Bytes that [`take`](Self::take) takes at most.
    pub(crate) fn bytes(config: &Config, integer: bool) -> usize {
        let (ctx, d) = (config.audio_ctx(), config.state());
        if integer { QuantBuffers::bytes(ctx, d) } else { size::<f32>(ctx * d) }
    }

    /// Room for `ctx` positions of `d` values, or what was kept in that room; `None` when the arena is
    /// too small.
    pub(crate) fn take(ctx: usize, d: usize, integer: bool, arena: &mut Arena<'a>) -> Option<Self> {
        let form = if integer {
            Form::Integers(QuantBuffers::take(arena, ctx, d)?)
        } else {
            Form::Floats(arena.take(ctx * d)?)
        };
        Some(Self { form, ctx, d })
    }

    /// Keeps the encoder's output.
    pub(crate) fn keep(&mut self, compute: &Compute<'_>, x: &[f32]) -> Result<(), Error> {
        match &mut self.form {
            Form::Integers(buffers) => {
                Acts::new(compute, x, self.d, self.ctx, self.d, true, buffers)?;
            }
            Form::Floats(kept) => kept.copy_from_slice(x),
        }
        Ok(())
    }

    /// The features of some positions; `buffers` are for those that are kept as floats where some layer
    /// needs integers.
    pub(crate) fn acts<'s>(
        &'s self,
        compute: &Compute<'_>,
        positions: Range<usize>,
        integer: bool,
        buffers: &'s mut QuantBuffers<'_>,
    ) -> Result<Acts<'s>, Error> {
        let d = self.d;
        match &self.form {
            Form::Integers(kept) => Ok(Acts::quantized(kept, self.ctx, d)?.slice(positions)),
            Form::Floats(x) => {
                let x = &x[positions.start * d..positions.end * d];
                Acts::new(compute, x, d, positions.len(), d, integer, buffers)
            }
        }
    }
}
