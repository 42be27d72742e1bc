//! One product that everybody computes, and what comes out of it.

use anyhow::{Context, Result, ensure};
use trit_core::{
    Layout, QuantizedActs, QuantizedActsMut, Scales, TernaryMatrix, activations, layout,
};
use trit_simd::{Cpu, Kernels};

/// A product of a ternary matrix `[rows, k]` with tokens `[tokens, k]`.
///
/// Scales are 1 and activations whole numbers, with ±127 in every token, so that quantising them to 8
/// bits loses nothing and every output is a whole number that an f32 holds: |Σ| ≤ 127·6912 < 2²⁴.
pub(crate) struct Work {
    pub(crate) rows: usize,
    pub(crate) k: usize,
    pub(crate) tokens: usize,
    /// Weights, row-major.
    pub(crate) trits: Vec<i8>,
    /// Activations, row-major, as 8 bits and as floats.
    pub(crate) integers: Vec<i8>,
    pub(crate) floats: Vec<f32>,
    /// The right outputs `[tokens, rows]`.
    pub(crate) outputs: Vec<f32>,
}

impl Work {
    /// Random operands, and the outputs: trit's, once they are found to be those of the definition.
    pub(crate) fn new(rows: usize, k: usize, tokens: usize) -> Result<Self> {
        ensure!(127 * k < 1 << f32::MANTISSA_DIGITS, "k = {k} is too large for exact outputs");
        let trits = trit_benches::noise(rows * k).map(|byte| (byte % 3) as i8 - 1).collect();
        let byte = |byte: u8| (byte as i8).max(-127);
        let mut integers: Vec<i8> = trit_benches::noise(tokens * k).map(byte).collect();
        for (token, values) in integers.chunks_exact_mut(k).enumerate() {
            values[token % k] = if token.is_multiple_of(2) { 127 } else { -127 };
        }
        let floats = integers.iter().map(|&q| f32::from(q)).collect();
        let mut work = Self { rows, k, tokens, trits, integers, floats, outputs: Vec::new() };
        let mut trit = Trit::new(&work)?;
        trit.quantize()?;
        trit.multiply()?;
        for token in [0, tokens / 2, tokens - 1] {
            let q = &work.integers[token * k..][..k];
            for (row, y) in work.trits.chunks_exact(k).zip(&trit.y[token * rows..]) {
                let sum: i32 = row.iter().zip(q).map(|(&w, &q)| i32::from(w) * i32::from(q)).sum();
                ensure!(*y == sum as f32, "token {token}: {y} instead of {sum}");
            }
        }
        work.outputs = trit.y;
        Ok(work)
    }

    /// Multiply-accumulates.
    pub(crate) fn macs(&self) -> f64 {
        (self.rows * self.k * self.tokens) as f64
    }

    /// How far `y` is from the right outputs: the root mean square of the difference over that of the
    /// outputs.
    pub(crate) fn error(&self, y: &[f32]) -> Result<f64> {
        ensure!(y.len() == self.outputs.len(), "{} outputs", y.len());
        let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
        let both = self.outputs.iter().zip(y);
        let difference = squares(&mut both.map(|(&a, &b)| f64::from(a) - f64::from(b)));
        Ok((difference / squares(&mut self.outputs.iter().map(|&y| f64::from(y)))).sqrt())
    }
}

/// trit's operands of a work.
pub(crate) struct Trit<'a> {
    work: &'a Work,
    kernels: Kernels,
    codes: Vec<u8>,
    values: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
    pub(crate) y: Vec<f32>,
}

impl<'a> Trit<'a> {
    /// With the weights packed as T4.
    pub(crate) fn new(work: &'a Work) -> Result<Self> {
        let &Work { rows, k, tokens, .. } = work;
        let len = layout::bytes(Layout::T4, rows, k).context("the matrix is too large")?;
        let mut codes = vec![0; len];
        layout::pack(Layout::T4, rows, k, &work.trits, &mut codes)?;
        Ok(Self {
            work,
            kernels: Kernels::new(&Cpu::detect()),
            codes,
            values: vec![0; activations::values_len(tokens, k)],
            scales: vec![0.0; activations::scales_len(tokens, k, None)],
            sums: vec![0; activations::sums_len(tokens, k)],
            y: vec![0.0; tokens * rows],
        })
    }

    /// Makes the 8-bit activations from floats.
    pub(crate) fn quantize(&mut self) -> Result<()> {
        let Self { work, values, scales, sums, .. } = self;
        let &Work { k, tokens, ref floats, .. } = *work;
        let mut acts = QuantizedActsMut::new(tokens, k, None, values, scales, sums)?;
        Ok(self.kernels.quantize(floats, k, &mut acts)?)
    }

    /// The product of the 8-bit activations.
    pub(crate) fn multiply(&mut self) -> Result<()> {
        let &Work { rows, k, tokens, .. } = self.work;
        let w = TernaryMatrix::new(rows, k, Layout::T4, &self.codes, Scales::Tensor(1.0))?;
        let x = QuantizedActs::new(tokens, k, None, &self.values, &self.scales, &self.sums)?;
        Ok(self.kernels.ternary(&w, &x, None, 0..rows, &mut self.y)?)
    }
}
