//! Kernels for networks with ternary weights, equal bit for bit on every instruction set.
//!
//! [`Kernels`] holds the fastest variant of each operation for a [`Cpu`]. Weights and activations
//! are views over the caller's memory, of types from [`trit_core`]; results go into the caller's
//! buffers; nothing is allocated and nothing is kept. All of it is safe, and whatever the lengths
//! and ranges passed, the answer is a result or an error.
//!
//! ```
//! use trit_core::{Layout, QuantizedActsMut, Scales, TernaryMatrix, activations, layout};
//! use trit_simd::{Cpu, Kernels};
//!
//! let kernels = Kernels::new(&Cpu::detect());
//!
//! // A layer of 16 rows and 64 inputs, all weights +1, scale 0.5.
//! let mut codes = [0; layout::bytes(Layout::T4, 16, 64).unwrap()];
//! layout::pack(Layout::T4, 16, 64, &[1; 16 * 64], &mut codes)?;
//! let weights = TernaryMatrix::new(16, 64, Layout::T4, &codes, Scales::Tensor(0.5))?;
//!
//! // One token, quantised to int8 into buffers of ours.
//! let mut values = [0; activations::values_len(1, 64)];
//! let (mut scales, mut sums) = ([0.0; 1], [0; activations::sums_len(1, 64)]);
//! let mut token = QuantizedActsMut::new(1, 64, None, &mut values, &mut scales, &mut sums)?;
//! kernels.quantize(&[1.0; 64], 64, &mut token).unwrap();
//!
//! let mut y = [0.0; 16];
//! kernels.ternary(&weights, &token.as_ref(), None, 0..16, &mut y)?;
//! assert!(y.iter().all(|y| (y - 32.0).abs() < 1e-4));
//! # Ok::<(), trit_core::MatrixError>(())
//! ```
//!
//! # Without std
//!
//! Without the default feature `std` the crate needs neither `std` nor `alloc`, and [`Cpu::detect`]
//! tells what the crate was compiled for (`-C target-cpu` or `-C target-feature`). So it does on
//! WebAssembly in any case: its kernels are there in a module compiled with
//! `-C target-feature=+simd128`.
//!
//! # Threads
//!
//! A product takes the range of output rows to compute, and a slice for them alone, so it can be
//! split over whatever threads a program has; [`parallel`] names what `trit-whisper` asks of them.
//! The bits do not depend on the split.
//!
//! # Ceilings
//!
//! The feature `probe` adds a module of that name, which says how fast this core multiplies and reads:
//! what `cargo xtask roofline` holds the kernels against.
//!
//! # Examples
//!
//! * `examples/bitnet_layer.rs`: RMS norm → int8 → ternary gate and up → squared ReLU → ternary
//!   down, in arrays of fixed size;
//! * `examples/own_threads.rs`: one product on a user's own thread pool.
#![no_std]
#![cfg_attr(
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "designs that only vector instructions make worth it"
    )
)]

#[cfg(feature = "std")]
extern crate std;

mod arch;
mod cpu;
mod float;
mod kernels;
mod ops;
pub mod parallel;
#[cfg(feature = "probe")]
pub mod probe;
pub mod registry;
mod shapes;
pub mod tune;

pub use cpu::{Cpu, Level, Levels};
pub use float::attention::scratch_len as attention_scratch_len;
pub use float::heads::scratch_len as attention_u7_scratch_len;
pub use kernels::Kernels;
