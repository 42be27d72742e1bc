//! The safe front: checks shapes once, then runs the chosen variants.

use core::fmt;
use core::ops::Range;

use trit_core::heads::Side;
use trit_core::reference::{DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
use trit_core::{
    F16Matrix, F32Matrix, Heads, HeadsMut, Int4Matrix, Int8Matrix, Layout, MatrixError,
    QuantizeError, QuantizedActs, QuantizedActsMut, TernaryMatrix, check_len,
};

use crate::cpu::{Cpu, Level};
use crate::float::attention::{Shape, scratch_len};
use crate::float::heads::scratch_len as heads_scratch_len;
use crate::ops::Input;
use crate::registry::{self, Choices, Table};
use crate::shapes::{check_least, check_norm, check_tokens, dense};
use crate::tune::{Operation, Select, Shape as Bucket};

/// The variants of each operation that a CPU gets. Small, `Copy`, and free to share.
///
/// An operation may have several designs, each the best for some shapes. [`new`](Self::new) takes
/// the one known to be best for the number of tokens, [`with`](Self::with) another.
#[derive(Clone, Copy)]
pub struct Kernels {
    cpu: Cpu,
    chosen: Choices,
    /// Who is asked for the variants of products, and how many threads share their work.
    select: Option<(&'static dyn Select, usize)>,
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (few, many) = (self.names(), self.names_for(usize::MAX));
        let other = many.into_iter().filter(|name| !few.contains(name));
        f.debug_list().entries(few).entries(other).finish()
    }
}

impl Kernels {
    /// The best variants for `cpu`.
    ///
    /// ```
    /// use trit_simd::{Cpu, Kernels, Level};
    ///
    /// let kernels = Kernels::new(&Cpu::detect());
    ///
    /// // Held back to a level, to compare with.
    /// if let Some(cpu) = Cpu::detect().at(Level::Avx2) {
    ///     assert_eq!(Kernels::new(&cpu).names()[0], "ternary_t4_i8_f32__avx2");
    /// }
    /// ```
    pub fn new(cpu: &Cpu) -> Self {
        Self { cpu: *cpu, chosen: Choices::new(cpu), select: None }
    }

    /// The scalar variants, which run anywhere and give the same bits.
    ///
    /// ```
    /// let kernels = trit_simd::Kernels::scalar();
    /// assert!(kernels.names().iter().all(|name| name.contains("__scalar")));
    /// ```
    pub fn scalar() -> Self {
        Self::new(&Cpu::baseline())
    }

    /// The same but for the variant called `name`, which its operation then uses for any number of
    /// tokens, and without [`selecting`](Self::selecting); `None` if this build or CPU lacks it. All
    /// variants give the same bits.
    ///
    /// ```
    /// use trit_simd::{Cpu, Kernels, registry};
    ///
    /// let cpu = Cpu::detect();
    /// let kernels = Kernels::new(&cpu);
    /// for (name, level) in registry::variants() {
    ///     let one = kernels.with(name);
    ///     assert_eq!(one.is_some(), cpu.has(level));
    ///     assert!(one.is_none_or(|one| one.names().contains(&name)));
    /// }
    /// ```
    pub fn with(&self, name: &str) -> Option<Self> {
        Some(Self { chosen: self.chosen.with(&self.cpu, name)?, select: None, ..*self })
    }

    /// Kernels that between them use every variant that `cpu` has, by level, best first: as many of a
    /// level as it has designs of one operation. For comparing variants.
    ///
    /// ```
    /// use trit_simd::{Cpu, Kernels, registry};
    ///
    /// let cpu = Cpu::detect();
    /// for (name, _) in registry::variants().filter(|(_, level)| cpu.has(*level)) {
    ///     assert!(Kernels::every(&cpu).any(|(_, kernels)| kernels.names().contains(&name)));
    /// }
    /// ```
    pub fn every(cpu: &Cpu) -> impl Iterator<Item = (Level, Self)> + use<> {
        let cpu = *cpu;
        Level::ALL.into_iter().filter_map(move |level| Some((level, cpu.at(level)?))).flat_map(
            |(level, cpu)| {
                (0..registry::designs(level)).map(move |index| {
                    (level, Self { cpu, chosen: Choices::design(&cpu, level, index), select: None })
                })
            },
        )
    }

    /// The names of the variants in use for one token, in the order of [`registry::chosen`].
    ///
    /// ```
    /// use trit_simd::{Cpu, Kernels};
    ///
    /// for name in Kernels::new(&Cpu::detect()).names() {
    ///     println!("{name}");
    /// }
    /// ```
    pub fn names(&self) -> [&'static str; registry::OPERATIONS] {
        self.names_for(1)
    }

    /// As [`names`](Self::names), for so many tokens.
    pub fn names_for(&self, tokens: usize) -> [&'static str; registry::OPERATIONS] {
        self.chosen.names(tokens)
    }

    /// The same, but for products `select` says which variant runs, shape by shape, knowing that
    /// `threads` threads share the work of each.
    ///
    /// ```
    /// use trit_simd::tune::Tuning;
    /// use trit_simd::{Cpu, Kernels};
    ///
    /// // Knows no shape yet, so all run their defaults.
    /// static TUNING: Tuning<16> = Tuning::new();
    ///
    /// let kernels = Kernels::new(&Cpu::detect()).selecting(&TUNING, 1);
    /// ```
    pub fn selecting(self, select: &'static dyn Select, threads: usize) -> Self {
        Self { select: Some((select, threads)), ..self }
    }

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
            let shape = Bucket::new(operation, rows, k, tokens, threads);
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
    /// takes 270 KiB of stack, the others a few.
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

    /// Dense f32 weights × f32 activations, `y = x · Wᵀ + bias`, for the few layers that are not
    /// quantised.
    ///
    /// * `w` `[n, k]`, `bias` `[n]`, and `rows` as for [`ternary`](Self::ternary);
    /// * token t of `x` is the k values from `x[t · x_stride]`;
    /// * `y` `[tokens, rows.len()]`, row-major.
    ///
    /// [`trit_core::reference::dense_f32`].
    ///
    /// ```
    /// use trit_core::F32Matrix;
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// let w = F32Matrix::new(2, 2, &[1.0, 2.0, 3.0, 4.0])?;
    /// let x = [1.0, 1.0, 0.0, 2.0];
    /// let mut y = [0.0; 4];
    /// kernels.dense_f32(&w, &x, 2, 2, Some(&[0.5, 0.0]), 0..2, &mut y)?;
    /// assert_eq!(y, [3.5, 7.0, 4.5, 8.0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
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
        (self.chosen.dense_f32.at(tokens).run)(&self.cpu, w.values(), &input, y);
        Ok(())
    }

    /// As [`dense_f32`](Self::dense_f32), with f16 weights, given by their bits and widened exactly;
    /// [`trit_core::reference::dense_f16`].
    ///
    /// ```
    /// use trit_core::{F16Matrix, f16};
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    ///
    /// let weights = [1.0, 0.5].map(f16::from_f32);
    /// let w = F16Matrix::new(1, 2, &weights)?;
    /// let mut y = [0.0];
    /// kernels.dense_f16(&w, &[2.0, 4.0], 2, 1, None, 0..1, &mut y)?;
    /// assert_eq!(y, [4.0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
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
        (self.chosen.dense_f16.at(tokens).run)(&self.cpu, w.values(), &input, y);
        Ok(())
    }

    /// Layer norm of `x` `[tokens, d]` into `y` `[tokens, d]`, with `gain` and `bias` `[d]`;
    /// [`trit_core::reference::layer_norm`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut y = [0.0; 2];
    /// kernels.layer_norm(&[1.0, 3.0], &[1.0, 2.0], &[0.0, 0.5], 0.0, &mut y)?;
    /// assert_eq!(y, [-1.0, 2.5]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A length that does not fit, or d = 0.
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
        (self.chosen.layer_norm.at(1).run)(&self.cpu, x, gain, bias, eps, y);
        Ok(())
    }

    /// RMS norm of `x` `[tokens, d]` into `y` `[tokens, d]`, with `gain` `[d]`;
    /// [`trit_core::reference::rms_norm`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut y = [0.0; 2];
    /// kernels.rms_norm(&[2.0, -2.0], &[1.0, 3.0], 0.0, &mut y)?;
    /// assert_eq!(y, [1.0, -3.0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// A length that does not fit, or d = 0.
    pub fn rms_norm(
        &self,
        x: &[f32],
        gain: &[f32],
        eps: f32,
        y: &mut [f32],
    ) -> Result<(), MatrixError> {
        check_norm(x.len(), gain.len(), y.len())?;
        (self.chosen.rms_norm.at(1).run)(&self.cpu, x, gain, eps, y);
        Ok(())
    }

    /// Softmax of all of `x` in place; [`trit_core::reference::softmax`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut x = [5.0; 4];
    /// kernels.softmax(&mut x);
    /// assert!(x.iter().all(|x| (x - 0.25).abs() < 1e-6));
    /// ```
    pub fn softmax(&self, x: &mut [f32]) {
        (self.chosen.softmax.at(1).run)(&self.cpu, x);
    }

    /// GELU in place, with the exact error function; [`trit_core::reference::gelu`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut x = [0.0, 10.0, -10.0];
    /// kernels.gelu(&mut x);
    /// assert!(x[0] == 0.0 && (x[1] - 10.0).abs() < 1e-5 && x[2].abs() < 1e-5);
    /// ```
    pub fn gelu(&self, x: &mut [f32]) {
        (self.chosen.gelu.at(1).run)(&self.cpu, x);
    }

    /// Squared ReLU in place; [`trit_core::reference::squared_relu`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut x = [-1.0, 3.0];
    /// kernels.squared_relu(&mut x);
    /// assert_eq!(x, [0.0, 9.0]);
    /// ```
    pub fn squared_relu(&self, x: &mut [f32]) {
        (self.chosen.squared_relu.at(1).run)(&self.cpu, x);
    }

    /// `x += y`, the residual sum; [`trit_core::reference::add`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut x = [1.0, 2.0];
    /// kernels.add(&mut x, &[0.5, -2.0])?;
    /// assert_eq!(x, [1.5, 0.0]);
    /// # Ok::<(), trit_core::MatrixError>(())
    /// ```
    ///
    /// # Errors
    /// The lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32]) -> Result<(), MatrixError> {
        check_len("addend", y.len(), x.len())?;
        (self.chosen.add.at(1).run)(&self.cpu, x, y);
        Ok(())
    }

    /// `x = log₁₀(max(x, floor))` in place, floor being a positive normal number;
    /// [`trit_core::reference::math::log10`].
    ///
    /// ```
    /// # use trit_simd::{Cpu, Kernels};
    /// # let kernels = Kernels::new(&Cpu::detect());
    /// let mut x = [100.0, 0.0];
    /// kernels.log10(&mut x, 1e-10);
    /// assert!((x[0] - 2.0).abs() < 1e-5 && (x[1] + 10.0).abs() < 1e-5);
    /// ```
    pub fn log10(&self, x: &mut [f32], floor: f32) {
        (self.chosen.log10.at(1).run)(&self.cpu, x, floor);
    }

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
        let found = values.shape();
        check_len("heads of the values", found.heads(), shape.heads())?;
        check_len("head width of the values", found.width(), shape.width())?;
        check_len("positions of the values", found.positions(), shape.positions())?;
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
