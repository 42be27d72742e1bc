//! The safe front: checks shapes once, then runs the chosen variants.

use core::fmt;
use core::ops::Range;

use trit_core::reference::{DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
use trit_core::{
    F16Matrix, F32Matrix, Int4Matrix, Int8Matrix, Layout, MatrixError, QuantizeError,
    QuantizedActs, QuantizedActsMut, TernaryMatrix, check_len,
};

use crate::cpu::Cpu;
use crate::float::attention::{Shape, scratch_len};
use crate::ops::{Input, check_rows};
use crate::registry::{self, Dense, Kernel};

/// The variant of each operation that a CPU gets. Small, `Copy`, and free to share.
#[derive(Clone, Copy)]
pub struct Kernels {
    cpu: Cpu,
    ternary_t4: Kernel<registry::TernaryFn>,
    ternary_t5: Kernel<registry::TernaryT5Fn>,
    int4: Kernel<registry::Int4Fn>,
    int8: Kernel<registry::Int8Fn>,
    convert: Kernel<registry::ConvertFn>,
    quantize: Kernel<registry::QuantizeFn>,
    dense_f32: Kernel<registry::DenseF32Fn>,
    dense_f16: Kernel<registry::DenseF16Fn>,
    layer_norm: Kernel<registry::LayerNormFn>,
    rms_norm: Kernel<registry::RmsNormFn>,
    softmax: Kernel<registry::SoftmaxFn>,
    gelu: Kernel<registry::GeluFn>,
    squared_relu: Kernel<registry::SquaredReluFn>,
    add: Kernel<registry::AddFn>,
    log10: Kernel<registry::Log10Fn>,
    attention: Kernel<registry::AttentionFn>,
    mel: Kernel<registry::MelFn>,
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Kernels {
    /// The best variants for `cpu`.
    pub fn new(cpu: &Cpu) -> Self {
        Self {
            cpu: *cpu,
            ternary_t4: registry::TERNARY_T4.choose(cpu),
            ternary_t5: registry::TERNARY_T5.choose(cpu),
            int4: registry::INT4.choose(cpu),
            int8: registry::INT8.choose(cpu),
            convert: registry::CONVERT.choose(cpu),
            quantize: registry::QUANTIZE.choose(cpu),
            dense_f32: registry::DENSE_F32.choose(cpu),
            dense_f16: registry::DENSE_F16.choose(cpu),
            layer_norm: registry::LAYER_NORM.choose(cpu),
            rms_norm: registry::RMS_NORM.choose(cpu),
            softmax: registry::SOFTMAX.choose(cpu),
            gelu: registry::GELU.choose(cpu),
            squared_relu: registry::SQUARED_RELU.choose(cpu),
            add: registry::ADD.choose(cpu),
            log10: registry::LOG10.choose(cpu),
            attention: registry::ATTENTION.choose(cpu),
            mel: registry::MEL.choose(cpu),
        }
    }

    /// The scalar variants, which run anywhere and give the same bits.
    pub fn scalar() -> Self {
        Self::new(&Cpu::baseline())
    }

    /// The names of the variants in use, in the order of [`registry::chosen`].
    pub fn names(&self) -> [&'static str; registry::OPERATIONS] {
        [
            self.ternary_t4.name,
            self.ternary_t5.name,
            self.int4.name,
            self.int8.name,
            self.convert.name,
            self.quantize.name,
            self.dense_f32.name,
            self.dense_f16.name,
            self.layer_norm.name,
            self.rms_norm.name,
            self.softmax.name,
            self.gelu.name,
            self.squared_relu.name,
            self.add.name,
            self.log10.name,
            self.attention.name,
            self.mel.name,
        ]
    }

    /// Ternary weights `[n, k]` × int8 activations `[tokens, k]`: the output rows `rows` into y
    /// `[tokens, rows.len()]`, row-major. `bias` has n elements. The definition, to the bit, is
    /// [`trit_core::reference::ternary`].
    ///
    /// # Errors
    /// A length or range that does not fit.
    pub fn ternary(
        &self,
        w: &TernaryMatrix<'_>,
        x: &QuantizedActs<'_>,
        bias: Option<&[f32]>,
        rows: Range<usize>,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        let input = Input::new((w.rows(), w.k()), x, bias, rows, y.len())?;
        match w.layout() {
            Layout::T4 => (self.ternary_t4.run)(&self.cpu, w, &input, y),
            Layout::T5 => (self.ternary_t5.run)(&self.cpu, w, &input, y),
        }
        Ok(())
    }

    /// As [`ternary`](Self::ternary), with 4-bit group-quantised weights;
    /// [`trit_core::reference::int4`].
    ///
    /// # Errors
    /// A length or range that does not fit.
    pub fn int4(
        &self,
        w: &Int4Matrix<'_>,
        x: &QuantizedActs<'_>,
        bias: Option<&[f32]>,
        rows: Range<usize>,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        let input = Input::new((w.rows(), w.k()), x, bias, rows, y.len())?;
        (self.int4.run)(&self.cpu, w, &input, y);
        Ok(())
    }

    /// As [`ternary`](Self::ternary), with int8 weights; [`trit_core::reference::int8`].
    ///
    /// # Errors
    /// A length or range that does not fit.
    pub fn int8(
        &self,
        w: &Int8Matrix<'_>,
        x: &QuantizedActs<'_>,
        bias: Option<&[f32]>,
        rows: Range<usize>,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        let input = Input::new((w.rows(), w.k()), x, bias, rows, y.len())?;
        (self.int8.run)(&self.cpu, w, &input, y);
        Ok(())
    }

    /// Rewrites whole row tiles of ternary matrices with `k` inputs from T5 to T4, for a caller that
    /// stores the smaller layout and has memory for the faster one; shapes and definition as
    /// [`trit_core::layout::t5_to_t4`].
    ///
    /// # Errors
    /// k out of range, `t5` not whole row tiles, or `t4` not as many.
    pub fn t5_to_t4(&self, k: usize, t5: &[u8], t4: &mut [u8]) -> Result<(), MatrixError> {
        (self.convert.run)(&self.cpu, k, t5, t4)
    }

    /// Quantises tokens of k floats to int8; token t starts at `x[t · x_stride]`, and a stride
    /// below k makes overlapping patches. [`trit_core::reference::quantize`].
    ///
    /// # Errors
    /// A value that is not finite, or `x` too short.
    pub fn quantize(
        &self,
        x: &[f32],
        x_stride: usize,
        out: &mut QuantizedActsMut<'_>,
    ) -> Result<(), QuantizeError> {
        check_tokens(x.len(), x_stride, out.tokens(), out.k())?;
        (self.quantize.run)(&self.cpu, x, x_stride, out)
    }

    /// Dense f32 weights `[n, k]` × f32 activations, the output rows `rows` into y
    /// `[tokens, rows.len()]`; [`trit_core::reference::dense_f32`].
    ///
    /// # Errors
    /// A length or range that does not fit.
    pub fn dense_f32(
        &self,
        w: &F32Matrix<'_>,
        x: &[f32],
        x_stride: usize,
        tokens: usize,
        bias: Option<&[f32]>,
        rows: Range<usize>,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        let input = dense((w.rows(), w.k()), x, x_stride, tokens, bias, rows, y.len())?;
        (self.dense_f32.run)(&self.cpu, w.values(), &input, y);
        Ok(())
    }

    /// As [`dense_f32`](Self::dense_f32), with f16 weights widened exactly.
    ///
    /// # Errors
    /// A length or range that does not fit.
    pub fn dense_f16(
        &self,
        w: &F16Matrix<'_>,
        x: &[f32],
        x_stride: usize,
        tokens: usize,
        bias: Option<&[f32]>,
        rows: Range<usize>,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        let input = dense((w.rows(), w.k()), x, x_stride, tokens, bias, rows, y.len())?;
        (self.dense_f16.run)(&self.cpu, w.values(), &input, y);
        Ok(())
    }

    /// Layer norm of x `[tokens, d]` into y, d = `gain.len()`;
    /// [`trit_core::reference::layer_norm`].
    ///
    /// # Errors
    /// A length that does not fit.
    pub fn layer_norm(
        &self,
        x: &[f32],
        gain: &[f32],
        bias: &[f32],
        eps: f32,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        check_len("norm bias", bias.len(), gain.len())?;
        check_norm(x.len(), gain.len(), y.len())?;
        (self.layer_norm.run)(&self.cpu, x, gain, bias, eps, y);
        Ok(())
    }

    /// RMS norm of x `[tokens, d]` into y; [`trit_core::reference::rms_norm`].
    ///
    /// # Errors
    /// A length that does not fit.
    pub fn rms_norm(
        &self,
        x: &[f32],
        gain: &[f32],
        eps: f32,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        check_norm(x.len(), gain.len(), y.len())?;
        (self.rms_norm.run)(&self.cpu, x, gain, eps, y);
        Ok(())
    }

    /// Softmax in place; [`trit_core::reference::softmax`].
    pub fn softmax(&self, x: &mut [f32]) {
        (self.softmax.run)(&self.cpu, x);
    }

    /// GELU in place; [`trit_core::reference::gelu`].
    pub fn gelu(&self, x: &mut [f32]) {
        (self.gelu.run)(&self.cpu, x);
    }

    /// Squared ReLU in place; [`trit_core::reference::squared_relu`].
    pub fn squared_relu(&self, x: &mut [f32]) {
        (self.squared_relu.run)(&self.cpu, x);
    }

    /// `x += y`; [`trit_core::reference::add`].
    ///
    /// # Errors
    /// The lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32]) -> Result<(), MatrixError> {
        check_len("addend", y.len(), x.len())?;
        (self.add.run)(&self.cpu, x, y);
        Ok(())
    }

    /// `x = log₁₀(max(x, floor))` in place, floor being a positive normal number;
    /// [`trit_core::reference::math::log10`].
    pub fn log10(&self, x: &mut [f32], floor: f32) {
        (self.log10.run)(&self.cpu, x, floor);
    }

    /// Multi-head attention; shapes and definition as [`trit_core::reference::attention`].
    /// `scratch` needs [`attention_scratch_len`](crate::attention_scratch_len)`(ctx)` floats.
    ///
    /// # Errors
    /// A length that does not fit.
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
        (self.attention.run)(&self.cpu, &shape, q, keys_t, values, scratch, out);
        Ok(())
    }

    /// Mel energies of 16 frames side by side: `frames[n]` holds windowed sample n of each frame,
    /// `filters` is `[mels, 201]`, and `out[m]` gets mel m of each frame;
    /// [`trit_core::reference::power_spectrum`] and [`trit_core::reference::mel_project`].
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
        (self.mel.run)(&self.cpu, table, filters, frames, out);
        Ok(())
    }
}

fn check_least(what: &'static str, found: usize, least: usize) -> Result<(), MatrixError> {
    if found >= least { Ok(()) } else { check_len(what, found, least) }
}

/// Checks that `tokens` tokens of k values, `stride` apart, fit into `found` values.
fn check_tokens(found: usize, stride: usize, tokens: usize, k: usize) -> Result<(), MatrixError> {
    let last = tokens.saturating_sub(1).saturating_mul(stride);
    check_least("activations", found, last.saturating_add(k))
}

fn check_norm(x: usize, d: usize, y: usize) -> Result<(), MatrixError> {
    if d == 0 {
        return Err(MatrixError::Dimension { what: "norm gain", found: 0, most: usize::MAX });
    }
    check_len("values beyond whole tokens", x % d, 0)?;
    check_len("outputs", y, x)
}

fn dense<'a>(
    matrix: (usize, usize),
    x: &'a [f32],
    x_stride: usize,
    tokens: usize,
    bias: Option<&'a [f32]>,
    rows: Range<usize>,
    y: usize,
) -> Result<Dense<'a>, MatrixError> {
    check_rows(matrix.0, bias, &rows)?;
    check_tokens(x.len(), x_stride, tokens, matrix.1)?;
    check_len("outputs", y, tokens.saturating_mul(rows.len()))?;
    Ok(Dense { k: matrix.1, x, x_stride, tokens, bias, first_row: rows.start, rows: rows.len() })
}
