//! Operands and outputs that show what kernels get wrong.

use core::ops::Deref;

use proptest::prelude::*;
use trit_core::{GroupSize, QuantizedActs, activations};
use trit_simd::{Cpu, Kernels};

/// Miri runs a few small cases; everything else runs many of all sizes. `PROPTEST_CASES` says how
/// many instead.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(if cfg!(miri) { 2 } else { cases });
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A value that no kernel writes, put around outputs.
pub(crate) const GUARD: f32 = f32::from_bits(0x7FC0_DEAD);

/// Every variant this CPU has: the kernels of every level, and of every design of a level.
pub(crate) fn levels() -> impl Iterator<Item = Kernels> {
    Kernels::every(&Cpu::detect()).map(|(_, kernels)| kernels)
}

/// xorshift64*: cheap and repeatable bulk data from one proptest seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn floats(&mut self, n: usize) -> Odd<f32> {
        Odd::new(n, |_| self.unit())
    }
}

/// Elements that start one element after where an allocation does, so that no vector of them is
/// aligned.
pub(crate) struct Odd<T>(Vec<T>);

impl<T> Odd<T> {
    pub(crate) fn new(n: usize, mut element: impl FnMut(usize) -> T) -> Self {
        // The element in front is never read.
        Self(core::iter::once(0).chain(0..n).map(&mut element).collect())
    }

    pub(crate) fn as_mut(&mut self) -> &mut [T] {
        &mut self.0[1..]
    }
}

impl<T> Deref for Odd<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0[1..]
    }
}

/// Bits, so that −0, +0 and NaN are told apart.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs `kernel` on an output of `len` elements inside guard bands and returns it.
pub(crate) fn banded<T: Copy + PartialEq>(
    guard: T,
    len: usize,
    kernel: impl FnOnce(&mut [T]),
) -> Vec<T> {
    let mut buffer = vec![guard; len + 64];
    // An odd offset, so that outputs are not aligned.
    kernel(&mut buffer[33..33 + len]);
    let (before, rest) = buffer.split_at(33);
    let (output, after) = rest.split_at(len);
    assert!(before.iter().chain(after).all(|&x| x == guard), "guard overwritten");
    output.to_vec()
}

/// As [`banded`] for floats, as bits: NaN is not equal to itself.
pub(crate) fn guarded(len: usize, kernel: impl FnOnce(&mut [f32])) -> Vec<u32> {
    banded(GUARD.to_bits(), len, |bits| kernel(bytemuck::cast_slice_mut(bits)))
}

/// What int8 values look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fill {
    Random,
    /// −128, which no quantiser of ours writes.
    Lowest,
    /// −128, but −127 once in every 256.
    AlmostLowest,
    /// 127.
    Highest,
    /// −127.
    Mirrored,
    /// 127 and −127 in turn.
    Alternating,
}

impl Fill {
    pub(crate) fn value(self, random: &mut Random, at: usize) -> i8 {
        match self {
            Self::Random => random.next() as i8,
            Self::Lowest => -128,
            Self::AlmostLowest if at.is_multiple_of(256) => -127,
            Self::AlmostLowest => -128,
            Self::Highest => 127,
            Self::Mirrored => -127,
            Self::Alternating if at.is_multiple_of(2) => 127,
            Self::Alternating => -127,
        }
    }
}

pub(crate) fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        8 => Just(Fill::Random),
        2 => Just(Fill::Lowest),
        1 => Just(Fill::AlmostLowest),
        1 => Just(Fill::Highest),
        1 => Just(Fill::Mirrored),
        1 => Just(Fill::Alternating),
    ]
}

pub(crate) fn size() -> impl Strategy<Value = GroupSize> {
    prop::sample::select(GroupSize::ALL.as_slice())
}

/// One scale for all, or one a group of any size.
pub(crate) fn group() -> impl Strategy<Value = Option<GroupSize>> {
    prop_oneof![1 => Just(None), 4 => size().prop_map(Some)]
}

/// Rows, inputs, tokens: around every boundary, and the awkward sizes of real models.
pub(crate) fn shape() -> BoxedStrategy<(usize, usize, usize)> {
    if cfg!(miri) {
        return (1usize..35, 1usize..100, 1usize..20).boxed();
    }
    let k = prop_oneof![
        6 => 1usize..300,
        // Around the chunk of 1280 in which T5 is rewritten.
        1 => 1270usize..1300,
        1 => Just(768),
        1 => Just(80),
        1 => Just(6912),
        1 => Just(8640),
    ];
    // More rows than any level has side by side, and often one token.
    let rows = prop_oneof![2 => 1usize..70, 1 => 70usize..200];
    // Few, and around the blocks of 32 of the designs for many.
    let tokens = prop_oneof![2 => Just(1), 4 => 1usize..20, 1 => 20usize..80];
    (rows, k, tokens).boxed()
}

/// Quantised activations.
pub(crate) struct Acts {
    values: Odd<i8>,
    pub(crate) scales: Odd<f32>,
    sums: Odd<i32>,
    tokens: usize,
    k: usize,
    group: Option<GroupSize>,
}

impl Acts {
    pub(crate) fn new(
        random: &mut Random,
        tokens: usize,
        k: usize,
        group: Option<GroupSize>,
        fill: Fill,
    ) -> Self {
        let stride = activations::stride(k);
        let value = |at: usize| if at % stride < k { fill.value(random, at) } else { 0 };
        let values = Odd::new(activations::values_len(tokens, k), value);
        let block = |at: usize| &values[at * 32..][..32];
        let sums = Odd::new(activations::sums_len(tokens, k), |at| {
            block(at).iter().map(|&q| i32::from(q)).sum()
        });
        let scales = random.floats(activations::scales_len(tokens, k, group));
        Self { values, scales, sums, tokens, k, group }
    }

    pub(crate) fn view(&self) -> QuantizedActs<'_> {
        QuantizedActs::new(self.tokens, self.k, self.group, &self.values, &self.scales, &self.sums)
            .unwrap()
    }
}
