//! What the targets share: operands drawn from fuzz input, every kernel level of this CPU, outputs
//! between guard bands, and comparison as bits.

pub mod ggml_bin;
pub mod hugging_face;
pub mod import;
pub mod model_file;
mod operands;

use std::fmt::Debug;
use std::sync::OnceLock;

use trit_simd::{Cpu, Kernels, Level, registry};

pub use operands::{Activations, Operands};

/// Every variant this CPU has: the kernels of every level, and of every design of a level.
///
/// # Panics
/// If a variant that the CPU could run is in none of them, and so would go untested.
pub fn levels() -> &'static [(Level, Kernels)] {
    static LEVELS: OnceLock<Vec<(Level, Kernels)>> = OnceLock::new();
    LEVELS.get_or_init(|| {
        let cpu = Cpu::detect();
        let levels: Vec<_> = Kernels::every(&cpu).collect();
        for (name, level) in registry::variants().filter(|(_, level)| cpu.has(*level)) {
            let used = levels.iter().any(|(_, kernels)| kernels.names().contains(&name));
            assert!(used, "{name} of {level} is chosen at no level");
        }
        levels
    })
}

/// What outputs and guard bands hold before a kernel runs.
pub trait Poison: Copy + PartialEq + Debug {
    /// A value that kernels are unlikely to write.
    const POISON: Self;

    /// Whether this is still [`POISON`](Self::POISON), as bits.
    fn is_poison(self) -> bool {
        self == Self::POISON
    }
}

impl Poison for f32 {
    /// A NaN that no operation makes: [`Operands::floats`] draws the default NaN only.
    const POISON: Self = Self::from_bits(0x7FC0_DEAD);

    fn is_poison(self) -> bool {
        self.to_bits() == Self::POISON.to_bits()
    }
}

impl Poison for u8 {
    /// A byte that packing cannot produce: two bits of 3.
    const POISON: Self = 0xF0;
}

impl Poison for i8 {
    /// Quantisers write −127..=127.
    const POISON: Self = -128;
}

impl Poison for i32 {
    const POISON: Self = i32::MIN;
}

/// Elements before and after an output. Odd, so that outputs are not aligned.
const BAND: usize = 33;

/// An output buffer between guard bands.
pub struct Guarded<T> {
    buffer: Vec<T>,
}

impl<T: Poison> Guarded<T> {
    /// Room for `len` elements, all poison.
    pub fn new(len: usize) -> Self {
        Self { buffer: vec![T::POISON; len + 2 * BAND] }
    }

    /// The elements between the bands.
    pub fn inner(&mut self) -> &mut [T] {
        let end = self.buffer.len() - BAND;
        &mut self.buffer[BAND..end]
    }

    /// The output, after the bands and the output itself have been looked at.
    ///
    /// # Panics
    /// If a band was written to, or an element of the output was not.
    pub fn finish(mut self) -> Vec<T> {
        let end = self.buffer.len() - BAND;
        let bands = self.buffer[..BAND].iter().chain(&self.buffer[end..]);
        assert!(bands.into_iter().all(|x| x.is_poison()), "a guard band was written to");
        let unwritten = self.inner().iter().position(|x| x.is_poison());
        assert_eq!(unwritten, None, "an element was not written");
        self.inner().to_vec()
    }
}

/// What `kernel` writes into `len` elements between guard bands.
pub fn guarded<T: Poison>(len: usize, kernel: impl FnOnce(&mut [T])) -> Vec<T> {
    let mut output = Guarded::new(len);
    kernel(output.inner());
    output.finish()
}

/// Checks that two outputs have the same bits; any NaN equals any other, for which NaN an operation
/// gives is left open by IEEE 754 and by Rust.
///
/// # Panics
/// If they differ.
pub fn assert_same(found: &[f32], expected: &[f32], what: impl Debug) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
        assert!(same, "{what:?}: {index} is {found:e}, expected {expected:e}");
    }
}
