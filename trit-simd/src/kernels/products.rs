//! Integer products, and what makes their operands.

use core::ops::Range;

use trit_core::{
    Int4Matrix, Int8Matrix, Layout, MatrixError, QuantizeError, QuantizedActs, QuantizedActsMut,
    TernaryMatrix,
};

use super::Kernels;
use crate::ops::Input;
use crate::registry::{self, Table};
use crate::shapes::check_tokens;
use crate::tune::{Operation, Shape};

impl Kernels {
    /// Runs a product by the variant selected for its shape, or by the default.
    fn product<F: Copy>(
        &self,
        operation: Operation,
        table: &Table<F>,
        choice: &registry::Choice<F>,
        rows: usize,
        input: &Input<'_>,
        run: impl FnOnce(F),
    ) {
        let (tokens, k) = (input.x.tokens(), input.x.k());
        let default = choice.at(tokens);
        let started = self.select.and_then(|(select, threads)| {
            let shape = Shape::new(operation, rows, k, tokens, threads);
            Some((select, select.start(shape, default.name)?))
        });
        match started {
            None => run(default.run),
            Some((select, started)) => {
                run(table.run_at(started.0.place));
                let outputs = tokens as u64 * input.rows as u64;
                select.finish(started, outputs.saturating_mul(k as u64));
            }
        }
    }

    /// Ternary weights × int8 activations, `y = x · Wᵀ + bias`: a GEMV for one token, else a GEMM.
    ///
    /// * `w` `[n, k]` and `x` `[tokens, k]`, with scales as their types say;
    /// * `bias` `[n]`;
    /// * `rows`, the output rows to compute, any non-empty range in `0..n`: callers with threads of
    ///   their own give each a range;
    /// * `y` `[tokens, rows.len()]`, row-major.
    ///
    /// The definition, to the bit, is [`trit_core::reference::ternary`].
    ///
    /// The design `lookup`, in use for many tokens on some CPUs (see [`names_for`](Self::names_for)),
    /// takes 270 KiB of stack, 340 with NEON's dot products, and the others a few.
    ///
    /// ```
    /// use trit_core::{Layout, QuantizedActsMut, Scales, TernaryMatrix, activations, layout};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// let mut codes = [0; layout::bytes(Layout::T4, 2, 3).unwrap()];
    /// layout::pack(Layout::T4, 2, 3, &[1, -1, 0, 1, 1, 1], &mut codes)?;
    /// let w = TernaryMatrix::new(2, 3, Layout::T4, &codes, Scales::Tensor(0.5))?;
    ///
    /// let (mut values, mut scales, mut sums) = (
    ///     [0; activations::values_len(2, 3)],
    ///     [0.0; activations::scales_len(2, 3, None)],
    ///     [0; activations::sums_len(2, 3)],
    /// );
    /// let mut x = QuantizedActsMut::new(2, 3, None, &mut values, &mut scales, &mut sums)?;
    /// kernels.quantize(&[127.0, 2.0, 3.0, -127.0, 0.0, 1.0], 3, &mut x)?;
    ///
    /// let mut y = [0.0; 4];
    /// kernels.ternary(&w, &x.as_ref(), Some(&[0.0, 1.0]), 0..2, &mut y)?;
    /// assert_eq!(y, [62.5, 67.0, -63.5, -62.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let (table, choice) = match w.layout() {
            Layout::T4 => (&registry::TERNARY_T4, &self.chosen.ternary_t4),
            Layout::T5 => (&registry::TERNARY_T5, &self.chosen.ternary_t5),
        };
        let operation = Operation::ternary(w.layout());
        self.product(operation, table, choice, w.rows(), &input, |run| {
            run(&self.cpu, w, &input, y)
        });
        Ok(())
    }

    /// As [`ternary`](Self::ternary), with 4-bit group-quantised weights;
    /// [`trit_core::reference::int4`].
    ///
    /// ```
    /// use trit_core::{GroupSize, Int4Matrix, QuantizedActsMut, activations, int4, padded_rows};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// let mut codes = [0; int4::bytes(1, 3).unwrap()];
    /// int4::pack(1, 3, &[7, -8, 1], &mut codes)?;
    /// let mut scales = [0.0; padded_rows(1)];
    /// scales[0] = 0.5;
    /// let w = Int4Matrix::new(1, 3, GroupSize::G32, &codes, &scales)?;
    /// # let (mut values, mut scales, mut sums) = (
    /// #     [0; activations::values_len(1, 3)],
    /// #     [0.0; activations::scales_len(1, 3, None)],
    /// #     [0; activations::sums_len(1, 3)],
    /// # );
    /// # let mut x = QuantizedActsMut::new(1, 3, None, &mut values, &mut scales, &mut sums)?;
    /// kernels.quantize(&[127.0, 2.0, 3.0], 3, &mut x)?;
    ///
    /// let mut y = [0.0];
    /// kernels.int4(&w, &x.as_ref(), None, 0..1, &mut y)?;
    /// assert_eq!(y, [(7.0 * 127.0 - 8.0 * 2.0 + 3.0) * 0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let (table, choice) = (&registry::INT4, &self.chosen.int4);
        self.product(Operation::Int4, table, choice, w.rows(), &input, |run| {
            run(&self.cpu, w, &input, y);
        });
        Ok(())
    }

    /// As [`ternary`](Self::ternary), with int8 weights; [`trit_core::reference::int8`].
    ///
    /// ```
    /// use trit_core::{Int8Matrix, QuantizedActsMut, activations, padded_rows};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// let mut weights = [0; Int8Matrix::stride_of(3)];
    /// weights[..3].copy_from_slice(&[10, -20, 30]);
    /// let mut scales = [0.0; padded_rows(1)];
    /// scales[0] = 0.5;
    /// let w = Int8Matrix::new(1, 3, &weights, &scales)?;
    /// # let (mut values, mut scales, mut sums) = (
    /// #     [0; activations::values_len(1, 3)],
    /// #     [0.0; activations::scales_len(1, 3, None)],
    /// #     [0; activations::sums_len(1, 3)],
    /// # );
    /// # let mut x = QuantizedActsMut::new(1, 3, None, &mut values, &mut scales, &mut sums)?;
    /// kernels.quantize(&[127.0, 2.0, 3.0], 3, &mut x)?;
    ///
    /// let mut y = [0.0];
    /// kernels.int8(&w, &x.as_ref(), None, 0..1, &mut y)?;
    /// assert_eq!(y, [(10.0 * 127.0 - 20.0 * 2.0 + 30.0 * 3.0) * 0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let (table, choice) = (&registry::INT8, &self.chosen.int8);
        self.product(Operation::Int8, table, choice, w.rows(), &input, |run| {
            run(&self.cpu, w, &input, y);
        });
        Ok(())
    }

    /// Rewrites whole row tiles of ternary matrices with `k` inputs from T5 to T4, for a caller that
    /// stores the smaller layout and has memory for the faster one; shapes and definition as
    /// [`trit_core::layout::t5_to_t4`].
    ///
    /// ```
    /// use trit_core::{Layout, layout};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// let weights = [1, 0, -1, 1];
    /// let mut t5 = [0; layout::bytes(Layout::T5, 1, 4).unwrap()];
    /// layout::pack(Layout::T5, 1, 4, &weights, &mut t5)?;
    /// let mut t4 = [0; layout::bytes(Layout::T4, 1, 4).unwrap()];
    /// kernels.t5_to_t4(4, &t5, &mut t4)?;
    ///
    /// let mut again = [0; 4];
    /// layout::unpack(Layout::T4, 1, 4, &t4, &mut again)?;
    /// assert_eq!(again, weights);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// k out of range, `t5` not whole row tiles, or `t4` not as many.
    pub fn t5_to_t4(&self, k: usize, t5: &[u8], t4: &mut [u8]) -> Result<(), MatrixError> {
        (self.chosen.convert.at(1).run)(&self.cpu, k, t5, t4)
    }

    /// Quantises tokens of k floats to int8, with a scale per token, or per token and group, as `out`
    /// says. Token t starts at `x[t · x_stride]`; a stride below k makes overlapping patches, as a
    /// convolution needs. [`trit_core::reference::quantize`].
    ///
    /// ```
    /// use trit_core::{QuantizedActsMut, activations};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// // Two patches of 4 values, 2 apart. The largest is 127, so the scale is 1.
    /// let (mut values, mut scales, mut sums) = (
    ///     [0; activations::values_len(2, 4)],
    ///     [0.0; activations::scales_len(2, 4, None)],
    ///     [0; activations::sums_len(2, 4)],
    /// );
    /// let mut out = QuantizedActsMut::new(2, 4, None, &mut values, &mut scales, &mut sums)?;
    /// kernels.quantize(&[1.5, 127.0, -2.5, 0.5, -127.0, 3.0], 2, &mut out)?;
    ///
    /// let out = out.as_ref();
    /// assert_eq!(out.token(0)[..4], [2, 127, -2, 0]);
    /// assert_eq!(out.token(1)[..4], [-2, 0, -127, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        (self.chosen.quantize.at(out.tokens()).run)(&self.cpu, x, x_stride, out)
    }
}
