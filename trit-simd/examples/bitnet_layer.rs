//! The feed-forward layer of a BitNet model, without allocation: RMS norm → int8 → ternary gate and
//! up → squared ReLU → RMS norm → int8 → ternary down → residual sum (Ma et al. 2025).
//!
//! `cargo run --release -p trit-simd --example bitnet_layer`

use trit_core::{
    Layout, MatrixError, QuantizeError, QuantizedActsMut, Scales, TernaryMatrix, activations,
    layout,
};
use trit_simd::{Cpu, Kernels};

/// Width of the model.
const D: usize = 640;
/// Width between gate and down; not a multiple of a tile of T5 or of 64.
const H: usize = 1728;
const EPS: f32 = 1e-5;

/// Weights of the layer: views over packed trits, wherever those lie.
struct FeedForward<'a> {
    norm: &'a [f32; D],
    gate: TernaryMatrix<'a>,
    up: TernaryMatrix<'a>,
    inner_norm: &'a [f32; H],
    down: TernaryMatrix<'a>,
}

/// Everything the layer writes besides its result. Sizes are known at compile time.
struct Scratch {
    normed: [f32; D],
    gate: [f32; H],
    up: [f32; H],
    inner: [f32; H],
    out: [f32; D],
    values: [i8; activations::values_len(1, H)],
    sums: [i32; activations::sums_len(1, H)],
}

impl Scratch {
    const fn new() -> Self {
        Self {
            normed: [0.0; D],
            gate: [0.0; H],
            up: [0.0; H],
            inner: [0.0; H],
            out: [0.0; D],
            values: [0; activations::values_len(1, H)],
            sums: [0; activations::sums_len(1, H)],
        }
    }
}

/// A layer fails on shapes that do not fit and on activations that are not finite.
#[derive(Debug)]
#[expect(dead_code, reason = "read by Debug alone")]
enum Error {
    Shape(MatrixError),
    Activations(QuantizeError),
}

impl From<MatrixError> for Error {
    fn from(error: MatrixError) -> Self {
        Self::Shape(error)
    }
}

impl From<QuantizeError> for Error {
    fn from(error: QuantizeError) -> Self {
        Self::Activations(error)
    }
}

impl FeedForward<'_> {
    /// Adds the layer's output for one token to `x` `[D]`.
    fn forward(&self, kernels: &Kernels, x: &mut [f32; D], s: &mut Scratch) -> Result<(), Error> {
        kernels.rms_norm(x, self.norm, EPS, &mut s.normed)?;
        let mut scale = [0.0];
        let (values, sums) = (
            &mut s.values[..activations::values_len(1, D)],
            &mut s.sums[..activations::sums_len(1, D)],
        );
        let mut token = QuantizedActsMut::new(1, D, None, values, &mut scale, sums)?;
        kernels.quantize(&s.normed, D, &mut token)?;
        kernels.ternary(&self.gate, &token.as_ref(), None, 0..H, &mut s.gate)?;
        kernels.ternary(&self.up, &token.as_ref(), None, 0..H, &mut s.up)?;

        kernels.squared_relu(&mut s.gate);
        for (up, gate) in s.up.iter_mut().zip(&s.gate) {
            *up *= gate;
        }

        kernels.rms_norm(&s.up, self.inner_norm, EPS, &mut s.inner)?;
        let mut token = QuantizedActsMut::new(1, H, None, &mut s.values, &mut scale, &mut s.sums)?;
        kernels.quantize(&s.inner, H, &mut token)?;
        kernels.ternary(&self.down, &token.as_ref(), None, 0..D, &mut s.out)?;
        kernels.add(x, &s.out)?;
        Ok(())
    }
}

/// Packed trits `[rows, k]`, repeatable and a third of each kind.
fn trits(rows: usize, k: usize, layout: Layout) -> Result<Vec<u8>, MatrixError> {
    let weights: Vec<i8> = (0..rows * k)
        .map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 16) % 3)
        .map(|trit| trit as i8 - 1)
        .collect();
    let mut codes = vec![0; layout::bytes(layout, rows, k).expect("the sizes above are small")];
    layout::pack(layout, rows, k, &weights, &mut codes)?;
    Ok(codes)
}

fn main() -> Result<(), Error> {
    // Down is kept in 1.6 bits a weight; its scale, like the others, comes with the model.
    let (gate, up, down) =
        (trits(H, D, Layout::T4)?, trits(H, D, Layout::T4)?, trits(D, H, Layout::T5)?);
    let layer = FeedForward {
        norm: &[1.0; D],
        gate: TernaryMatrix::new(H, D, Layout::T4, &gate, Scales::Tensor(0.02))?,
        up: TernaryMatrix::new(H, D, Layout::T4, &up, Scales::Tensor(0.03))?,
        inner_norm: &[1.0; H],
        down: TernaryMatrix::new(D, H, Layout::T5, &down, Scales::Tensor(0.01))?,
    };
    let token: [f32; D] = core::array::from_fn(|i| (i as f32 * 0.37).sin());

    let run = |kernels: Kernels| -> Result<[f32; D], Error> {
        let (mut x, mut scratch) = (token, Scratch::new());
        layer.forward(&kernels, &mut x, &mut scratch)?;
        Ok(x)
    };
    let fast = run(Kernels::new(&Cpu::detect()))?;
    let scalar = run(Kernels::scalar())?;
    println!("y[0..4] = {:?}", &fast[..4]);
    assert_eq!(
        fast.map(f32::to_bits),
        scalar.map(f32::to_bits),
        "the bits do not depend on the CPU"
    );
    println!("{} values, the same bits with {:?} and in plain Rust", D, Cpu::detect().level());
    Ok(())
}
