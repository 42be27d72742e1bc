//! The encoder's output in the form that the decoder's layers take.

use core::ops::Range;

use super::linear::{Acts, Compute, QuantBuffers};
use crate::arena::Arena;
use crate::config::Config;
use crate::error::Error;

/// Audio features `[ctx, d]`, kept from the end of encoding until the audio's keys and values are made of
/// them.
///
/// Every layer quantises them alike, so that where all multiply integers the 8-bit values are all there
/// needs to be, a quarter of the floats. Otherwise they stay where the encoder left them.
pub(crate) struct Features<'a> {
    form: Form<'a>,
    ctx: usize,
    d: usize,
}

enum Form<'a> {
    Integers(QuantBuffers<'a>),
    Floats(&'a [f32]),
}

impl<'a> Features<'a> {
    /// Bytes of those in 8 bits.
    pub(crate) fn bytes(config: &Config) -> usize {
        QuantBuffers::bytes(config.audio_ctx(), config.state())
    }

    /// Keeps the encoder's output `x` `[ctx, d]` in 8 bits, first in `arena`.
    pub(crate) fn keep(
        compute: &Compute<'_>,
        x: &[f32],
        d: usize,
        arena: &mut Arena<'_>,
    ) -> Result<(), Error> {
        let (expected, found) = (x.len(), arena.left());
        let mut buffers =
            QuantBuffers::take(arena, x.len() / d, d).ok_or(Error::Arena { expected, found })?;
        Acts::new(compute, x, d, x.len() / d, d, true, &mut buffers).map(|_| ())
    }

    /// The features of `ctx` positions of `d` values that lie first in `arena`, in 8 bits or as the encoder
    /// left them; `None` when the arena is too small.
    pub(crate) fn kept(ctx: usize, d: usize, in_bits: bool, arena: &mut Arena<'a>) -> Option<Self> {
        let form = if in_bits {
            Form::Integers(QuantBuffers::take(arena, ctx, d)?)
        } else {
            Form::Floats(arena.take(ctx * d)?)
        };
        Some(Self { form, ctx, d })
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

#[cfg(all(test, feature = "std"))]
mod tests {
    use trit_simd::Kernels;
    use trit_simd::parallel::Sequential;

    use super::super::linear::{Layer, linear};
    use super::*;
    use crate::{Model, embedded};

    #[test]
    fn eight_bits_are_all_that_layers_take() {
        let model = Model::parse(embedded::model()).unwrap();
        let (_, cross) = model.decoder[0].cross.unwrap();
        let (layer, d) = (Layer::new(&model, cross.key).unwrap(), model.config().state());
        let ctx = 70;
        let compute =
            Compute { kernels: Kernels::scalar(), join: &Sequential, threads: 1, cancel: None };
        let x: Vec<f32> = (0..ctx * d).map(|n| ((n * n) as f32).sin() * (n % 7) as f32).collect();

        let mut floats = vec![0u8; 4 * x.len() + 128];
        Arena::new(&mut floats).take::<f32>(x.len()).unwrap().copy_from_slice(&x);
        let mut bits = vec![0u8; QuantBuffers::bytes(ctx, d) + 128];
        Features::keep(&compute, &x, d, &mut Arena::new(&mut bits)).unwrap();
        let mut spare = vec![0u8; QuantBuffers::bytes(ctx, d) + 128];
        let mut keys = |memory: &mut [u8], in_bits| {
            let features = Features::kept(ctx, d, in_bits, &mut Arena::new(memory)).unwrap();
            let mut buffers = QuantBuffers::take(&mut Arena::new(&mut spare), ctx, d).unwrap();
            let acts = features.acts(&compute, 3..67, true, &mut buffers).unwrap();
            let mut keys = vec![0.0; 64 * d];
            linear(&compute, &layer, &acts, &mut keys).unwrap();
            keys
        };
        assert_eq!(keys(&mut bits, true), keys(&mut floats, false));
    }
}
