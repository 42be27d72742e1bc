//! The safe front: checks shapes once, then runs the chosen variants. This file chooses; the others
//! run the integer products, the float operations, and attention with the log-mel.

mod attention;
mod float;
mod products;

use core::fmt;

use crate::cpu::{Cpu, Level};
use crate::registry::{self, Choices};
use crate::tune::Select;

/// The variants of each operation that a CPU gets: a few KiB, `Copy`, and free to share.
///
/// An operation may have several designs, each the best for some shapes. [`new`](Self::new) takes
/// the one known to be best for the number of tokens, [`with`](Self::with) another.
///
/// ```
/// use trit_simd::{Cpu, Kernels};
///
/// let kernels = Kernels::new(&Cpu::detect());
/// let (mut fast, mut plain) = ([0.1; 100], [0.1; 100]);
/// kernels.softmax(&mut fast);
/// Kernels::scalar().softmax(&mut plain);
/// // Not about the same: the same bits.
/// assert_eq!(fast.map(f32::to_bits), plain.map(f32::to_bits));
/// ```
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
    ///
    /// ```
    /// use trit_simd::{Cpu, Kernels, Level};
    ///
    /// if let Some(cpu) = Cpu::detect().at(Level::Avx2) {
    ///     let names = Kernels::new(&cpu).names_for(128);
    ///     assert_eq!(names[0], "ternary_t4_i8_f32__avx2_lookup");
    /// }
    /// ```
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
}
