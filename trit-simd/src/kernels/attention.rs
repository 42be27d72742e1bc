//! Attention, its keys and values, and the log-mel's energies.

use trit_core::heads::Side;
use trit_core::reference::{DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
use trit_core::{Heads, HeadsMut, MatrixError, QuantizeError, check_len};

use super::Kernels;
use crate::float::attention::{Shape, scratch_len};
use crate::float::heads::scratch_len as heads_scratch_len;
use crate::shapes::check_least;

impl Kernels {
    /// Multi-head attention, `softmax(q · Kᵀ · scale) · V` head by head, over the first `ctx` keys.
    ///
    /// * `q` and `out` `[tokens, d]`; head h owns columns `h·d/heads ..`;
    /// * `keys_t` `[d, key_stride]`, keys transposed, so that a cache grows by a column;
    /// * `values` `[ctx, d]`;
    /// * with `causal`, query t sees the first `causal + t + 1` keys only;
    /// * `scratch` has [`attention_scratch_len`](crate::attention_scratch_len)`(ctx)` floats at least,
    ///   whatever they hold.
    ///
    /// The definition, to the bit, is [`trit_core::reference::attention`].
    ///
    /// ```
    /// use trit_simd::attention_scratch_len;
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// // One head of width 2, two keys alike.
    /// let keys_t = [1.0, 1.0, 0.0, 0.0];
    /// let values = [2.0, 4.0, 4.0, 8.0];
    /// let (q, mut out, mut scratch) = ([1.0, 0.0], [0.0; 2], [0.0; attention_scratch_len(2)]);
    /// kernels.attention(
    ///     &q, &keys_t, 2, &values, 1, 2, 2, None, 0.5, &mut scratch, &mut out,
    /// )?;
    /// assert_eq!(out, [3.0, 6.0]);
    ///
    /// // The first query of a causal run sees the first key only.
    /// kernels.attention(
    ///     &q, &keys_t, 2, &values, 1, 2, 2, Some(0), 0.5, &mut scratch, &mut out,
    /// )?;
    /// assert_eq!(out, [2.0, 4.0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A length that does not fit, d not a multiple of `heads`, or `ctx` 0 or above `key_stride`.
    pub fn attention(
        &self,
        q: &[f32],
        keys_t: &[f32],
        key_stride: usize,
        values: &[f32],
        heads: usize,
        d: usize,
        ctx: usize,
        causal: Option<usize>,
        scale: f32,
        scratch: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), MatrixError> {
        if heads == 0 || d == 0 || !d.is_multiple_of(heads) {
            return Err(MatrixError::Dimension { what: "heads", found: heads, most: d });
        }
        if ctx == 0 || ctx > key_stride {
            return Err(MatrixError::Dimension { what: "keys", found: ctx, most: key_stride });
        }
        check_len("queries", q.len() % d, 0)?;
        check_len("outputs", out.len(), q.len())?;
        check_least("keys", keys_t.len(), d.saturating_mul(key_stride))?;
        check_least("values", values.len(), ctx.saturating_mul(d))?;
        check_least("scratch", scratch.len(), scratch_len(ctx))?;
        let shape = Shape { heads, d, ctx, key_stride, causal, scale };
        (self.chosen.attention.at(q.len() / d).run)(
            &self.cpu, &shape, q, keys_t, values, scratch, out,
        );
        Ok(())
    }

    /// Stores keys or values `x` `[tokens, heads · width]` of the positions from `start` on in 7 bits
    /// ([`trit_core::heads`]), for [`attention_u7`](Self::attention_u7);
    /// [`trit_core::reference::store_heads`].
    ///
    /// # Errors
    /// A value that is not finite, no whole number of tokens, or tokens beyond the last position.
    pub fn store_heads(
        &self,
        x: &[f32],
        side: Side,
        start: usize,
        out: &mut HeadsMut<'_>,
    ) -> Result<(), QuantizeError> {
        out.shape().check_rows(x.len(), start)?;
        (self.chosen.heads.at(1).run)(&self.cpu, x, side, start, out)
    }

    /// Multi-head attention over the first `ctx` positions of keys and values in 7 bits, of queries
    /// and weights in 8.
    ///
    /// * `q` and `out` `[tokens, heads · width]`;
    /// * `keys` and `values`, of one shape, as [`store_heads`](Self::store_heads) fills them;
    /// * `scratch` has [`attention_u7_scratch_len`](crate::attention_u7_scratch_len) floats of that
    ///   shape at least, whatever they hold.
    ///
    /// The definition, to the bit, is [`trit_core::reference::attention_u7`].
    ///
    /// ```
    /// use trit_core::heads::{HeadShape, HeadsMut, Side};
    /// use trit_simd::attention_u7_scratch_len;
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// // One head of width 2 and room for 16 positions, of which two are used.
    /// const SHAPE: HeadShape = match HeadShape::new(1, 2, 16) {
    ///     Ok(shape) => shape,
    ///     Err(_) => unreachable!(),
    /// };
    /// let mut codes = [[0; SHAPE.codes_len()]; 2];
    /// let mut scales = [[0.0; SHAPE.scales_len()]; 2];
    /// let [key_codes, value_codes] = &mut codes;
    /// let [key_scales, value_scales] = &mut scales;
    /// let mut keys = HeadsMut::new(SHAPE, key_codes, key_scales)?;
    /// let mut values = HeadsMut::new(SHAPE, value_codes, value_scales)?;
    /// kernels.store_heads(&[1.0, 0.0, 1.0, 0.0], Side::Keys, 0, &mut keys)?;
    /// kernels.store_heads(&[2.0, 4.0, 4.0, 8.0], Side::Values, 0, &mut values)?;
    ///
    /// // Two keys alike: the mean of the values.
    /// let (mut scratch, mut out) = ([0.0; attention_u7_scratch_len(&SHAPE)], [0.0; 2]);
    /// let (keys, values) = (keys.as_ref(), values.as_ref());
    /// kernels.attention_u7(&[1.0, 0.0], &keys, &values, 2, 0.5, &mut scratch, &mut out)?;
    /// assert!((out[0] - 3.0).abs() < 0.05 && (out[1] - 6.0).abs() < 0.1);
    /// # Ok::<(), trit_core::QuantizeError>(())
    /// ```
    ///
    /// # Errors
    /// A query that is not finite, a length that does not fit, keys and values of two shapes, or
    /// `ctx` 0 or beyond the last position.
    pub fn attention_u7(
        &self,
        q: &[f32],
        keys: &Heads<'_>,
        values: &Heads<'_>,
        ctx: usize,
        scale: f32,
        scratch: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), QuantizeError> {
        let shape = keys.shape();
        shape.check_values(&values.shape())?;
        if ctx == 0 || ctx > shape.positions() {
            let (found, most) = (ctx, shape.positions());
            return Err(MatrixError::Dimension { what: "keys", found, most }.into());
        }
        check_len("queries", q.len() % shape.columns(), 0)?;
        check_len("outputs", out.len(), q.len())?;
        check_least("scratch", scratch.len(), heads_scratch_len(&shape))?;
        let tokens = q.len() / shape.columns();
        let run = self.chosen.attention_u7.at(tokens).run;
        run(&self.cpu, q, keys, values, ctx, scale, scratch, out)
    }

    /// Mel energies of 16 frames side by side.
    ///
    /// * `frames[n]` holds windowed sample n of each frame;
    /// * `filters` `[mels, 201]`, a weight for each bin of the power spectrum;
    /// * `out[m]` gets mel m of each frame.
    ///
    /// [`trit_core::reference::power_spectrum`] and [`trit_core::reference::mel_project`].
    ///
    /// ```
    /// use trit_core::reference::{DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// // A filter that takes the mean alone, and frames of ones: (Σ 1)² = 400².
    /// let mut filters = [0.0; SPECTRUM_SIZE];
    /// filters[0] = 1.0;
    /// let mut out = [[0.0; LANES]];
    /// kernels.mel(&DftTable::new(), &filters, &[[1.0; LANES]; FFT_SIZE], &mut out)?;
    /// assert!(out[0].iter().all(|energy| (energy - 160_000.0).abs() < 1.0));
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// `filters` or `out` does not fit.
    pub fn mel(
        &self,
        table: &DftTable,
        filters: &[f32],
        frames: &[[f32; LANES]; FFT_SIZE],
        out: &mut [[f32; LANES]],
    ) -> Result<(), MatrixError> {
        check_len("mel filters", filters.len(), out.len() * SPECTRUM_SIZE)?;
        (self.chosen.mel.at(1).run)(&self.cpu, table, filters, frames, out);
        Ok(())
    }
}
