//! Shapes, operands and timing shared by the benchmarks.

pub mod roofline;
pub mod turns;

use trit_core::{Layout, QuantizedActs, Scales, TernaryMatrix, activations, layout, padded_rows};

/// Matrices `[rows, k]` of real models: Whisper small's and BitNet 2B's.
pub const SHAPES: [(usize, usize); 6] =
    [(768, 768), (3072, 768), (768, 3072), (2560, 2560), (6912, 2560), (2560, 6912)];

/// Numbers of tokens: decoding, and a block of an encoder.
pub const TOKENS: [usize; 2] = [1, 128];

/// A ternary matrix with random trits and a scale per row.
#[derive(Debug, Clone)]
pub struct Weights {
    rows: usize,
    k: usize,
    layout: Layout,
    codes: Vec<u8>,
    scales: Vec<f32>,
}

/// Repeatable pseudo-random bytes.
pub fn noise(n: usize) -> impl Iterator<Item = u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    (0..n).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
}

impl Weights {
    /// A matrix `[rows, k]` in `layout`.
    ///
    /// # Panics
    /// Never for the shapes above.
    pub fn new(layout: Layout, rows: usize, k: usize) -> Self {
        let trits: Vec<i8> = noise(rows * k).map(|byte| (byte % 3) as i8 - 1).collect();
        let mut codes = vec![0; layout::bytes(layout, rows, k).expect("the shape is small")];
        layout::pack(layout, rows, k, &trits, &mut codes).expect("the codes fit the shape");
        Self { rows, k, layout, codes, scales: vec![0.01; padded_rows(rows)] }
    }

    /// The matrix as kernels take it.
    ///
    /// # Panics
    /// Never for the shapes above.
    pub fn view(&self) -> TernaryMatrix<'_> {
        let scales = Scales::Row(&self.scales);
        TernaryMatrix::new(self.rows, self.k, self.layout, &self.codes, scales)
            .expect("the buffers were sized for the shape")
    }
}

/// Quantised activations.
#[derive(Debug)]
pub struct Acts {
    tokens: usize,
    k: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

impl Acts {
    /// Random activations `[tokens, k]`.
    pub fn new(tokens: usize, k: usize) -> Self {
        let mut values: Vec<i8> =
            noise(activations::values_len(tokens, k)).map(|byte| byte as i8).collect();
        for token in values.chunks_exact_mut(activations::stride(k)) {
            token[k..].fill(0);
        }
        let blocks = values.chunks_exact(activations::BLOCK);
        let sums = blocks.map(|block| block.iter().map(|&q| i32::from(q)).sum()).collect();
        Self { tokens, k, values, scales: vec![0.02; tokens], sums }
    }

    /// The activations as kernels take them.
    ///
    /// # Panics
    /// Never: the buffers are sized for the shape.
    pub fn view(&self) -> QuantizedActs<'_> {
        QuantizedActs::new(self.tokens, self.k, None, &self.values, &self.scales, &self.sums)
            .expect("the buffers were sized for the shape")
    }
}
