//! Dense products, norms and what works on each value alone.

use core::ops::Range;

use trit_core::{F16Matrix, F32Matrix, MatrixError, check_len};

use super::Kernels;
use crate::shapes::{check_norm, dense};

impl Kernels {
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
}
