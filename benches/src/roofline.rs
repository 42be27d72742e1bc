//! What the benchmark `roofline` measures, for `cargo xtask roofline` to show.

use serde::{Deserialize, Serialize};

/// A core's ceilings, and how fast kernels are beside them. One thread; the best of several rounds,
/// since a ceiling is not a mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Operations a second of a chain of dependent additions and exclusive-ors: cycles a second, as one
    /// takes a cycle. Records made before it was measured lack it.
    #[serde(default)]
    pub clock: Option<f64>,
    /// Multiply-accumulate instructions, best level first.
    pub multiply: Vec<Multiply>,
    /// Reading of so many bytes again and again.
    pub reads: Vec<Read>,
    /// Kernels.
    pub products: Vec<Product>,
}

/// What the multiply-accumulate instructions of a level can do, in registers alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Multiply {
    /// The level's name.
    pub level: String,
    /// int8 products a second.
    pub rate: f64,
}

/// How fast memory is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// The level whose vectors read.
    pub level: String,
    /// Bytes that are read again and again.
    pub bytes: usize,
    /// Parts of them that are read side by side.
    pub streams: usize,
    /// Bytes a second.
    pub rate: f64,
}

/// A product of a matrix with some tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The kernel's name.
    pub kernel: String,
    /// Output rows.
    pub rows: usize,
    /// Inputs of each.
    pub k: usize,
    /// Tokens.
    pub tokens: usize,
    /// Bytes of weights, activations and outputs: what has to be moved once a call at least.
    pub bytes: usize,
    /// Bytes among which a call's weights were touched last: `bytes`, or more where copies of the
    /// matrix take turns.
    pub span: usize,
    /// Multiply-accumulates a second.
    pub rate: f64,
}

impl Product {
    /// Multiply-accumulates for each byte that has to be moved.
    pub fn intensity(&self) -> f64 {
        self.macs() / self.bytes as f64
    }

    /// Multiply-accumulates of a call.
    pub fn macs(&self) -> f64 {
        (self.rows * self.k * self.tokens) as f64
    }
}
