//! What calls are told apart by: an operation, a matrix, about how many tokens, how many threads.

use core::fmt;
use core::num::NonZeroU64;

use trit_core::Layout;

/// A product whose variants differ in speed by shape.
///
/// ```
/// use trit_core::Layout;
/// use trit_simd::tune::Operation;
/// use trit_simd::{Cpu, Kernels};
///
/// assert_eq!(Operation::ternary(Layout::T5), Operation::TernaryT5);
/// // They come first among all operations, in this order.
/// let names = Kernels::new(&Cpu::detect()).names();
/// for (operation, prefix) in Operation::ALL.iter().zip(["ternary_t4", "ternary_t5", "matmul_i4"]) {
///     assert!(names[*operation as usize].starts_with(prefix));
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Ternary weights in T4, [`Kernels::ternary`](crate::Kernels::ternary).
    TernaryT4,
    /// Ternary weights in T5, [`Kernels::ternary`](crate::Kernels::ternary).
    TernaryT5,
    /// 4-bit weights, [`Kernels::int4`](crate::Kernels::int4).
    Int4,
    /// Int8 weights, [`Kernels::int8`](crate::Kernels::int8).
    Int8,
}

impl Operation {
    /// All of them, in the order of their tables in [`registry::variants`](crate::registry::variants).
    pub const ALL: [Self; 4] = [Self::TernaryT4, Self::TernaryT5, Self::Int4, Self::Int8];

    /// The product of ternary weights in `layout`.
    pub const fn ternary(layout: Layout) -> Self {
        match layout {
            Layout::T4 => Self::TernaryT4,
            Layout::T5 => Self::TernaryT5,
        }
    }
}

/// Width in bits of each part of a [`Shape`], most significant first.
const ROWS_BITS: u32 = 26;
const K_BITS: u32 = 21;
const TOKENS_BITS: u32 = 5;
const THREADS_BITS: u32 = 9;
const OPERATION_BITS: u32 = 3;

const _: () = {
    assert!(ROWS_BITS + K_BITS + TOKENS_BITS + THREADS_BITS + OPERATION_BITS == u64::BITS);
    assert!(Operation::ALL.len() <= 1 << OPERATION_BITS);
    // The largest k of any product is exact.
    assert!(1 << 20 <= largest(K_BITS));
};

const fn largest(bits: u32) -> usize {
    (1 << bits) - 1
}

/// A bucket of calls: operation, matrix `[rows, k]`, tokens, threads.
///
/// Rows and k are those of the whole matrix, whatever rows of it a call computes. Tokens are told
/// apart by powers of two (1, 2–3, 4–7, …), as kernels take several side by side and the number of
/// blocks is what counts. What is beyond the largest that can be told (2²⁶ − 1 rows, 2²¹ − 1 inputs,
/// 511 threads) shares a bucket with it.
///
/// ```
/// use trit_simd::tune::{Operation, Shape};
///
/// let shape = Shape::new(Operation::TernaryT4, 768, 3072, 100, 2);
/// assert_eq!(shape, Shape::new(Operation::TernaryT4, 768, 3072, 64, 2));
/// assert_eq!((shape.rows(), shape.k(), shape.tokens(), shape.threads()), (768, 3072, 64, 2));
/// assert_eq!(shape.operation(), Operation::TernaryT4);
/// assert_eq!(shape.macs(), 64 * 768 * 3072);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(NonZeroU64);

impl Shape {
    /// The bucket of calls with `tokens` tokens on a matrix `[rows, k]` while `threads` threads are
    /// at work on it.
    #[inline]
    pub const fn new(
        operation: Operation,
        rows: usize,
        k: usize,
        tokens: usize,
        threads: usize,
    ) -> Self {
        const fn part(value: usize, bits: u32) -> u64 {
            let most = largest(bits);
            (if value < most { value } else { most }) as u64
        }
        let bucket = if tokens == 0 { 0 } else { tokens.ilog2() };
        let key = part(rows, ROWS_BITS);
        let key = key << K_BITS | part(k, K_BITS);
        let key = key << TOKENS_BITS | part(bucket as usize, TOKENS_BITS);
        let key = key << THREADS_BITS | part(threads, THREADS_BITS);
        // One more than the operation, so that no key is 0.
        let key = key << OPERATION_BITS | (operation as u64 + 1);
        match NonZeroU64::new(key) {
            Some(key) => Self(key),
            None => Self(NonZeroU64::MAX),
        }
    }

    /// The bits of a part that has `below` bits beneath it.
    const fn part(self, bits: u32, below: u32) -> usize {
        (self.0.get() >> below) as usize & largest(bits)
    }

    /// The operation.
    pub const fn operation(self) -> Operation {
        let number = self.part(OPERATION_BITS, 0);
        // Made from an operation, so 1 to 4.
        Operation::ALL[(number + Operation::ALL.len() - 1) % Operation::ALL.len()]
    }

    /// Threads that work at once.
    pub const fn threads(self) -> usize {
        self.part(THREADS_BITS, OPERATION_BITS)
    }

    /// The fewest tokens of the bucket, a power of two.
    pub const fn tokens(self) -> usize {
        1 << self.part(TOKENS_BITS, OPERATION_BITS + THREADS_BITS)
    }

    /// The most tokens of the bucket.
    pub(crate) const fn most_tokens(self) -> usize {
        // At most 2³² − 1.
        self.tokens() + (self.tokens() - 1)
    }

    /// Inputs.
    pub const fn k(self) -> usize {
        self.part(K_BITS, OPERATION_BITS + THREADS_BITS + TOKENS_BITS)
    }

    /// Output rows of the matrix.
    pub const fn rows(self) -> usize {
        self.part(ROWS_BITS, OPERATION_BITS + THREADS_BITS + TOKENS_BITS + K_BITS)
    }

    /// Multiply-accumulates of a call with the fewest tokens of the bucket and all rows.
    pub const fn macs(self) -> u64 {
        // At most 2²⁶ · 2²¹ · 2³¹ > 2⁶⁴.
        (self.rows() as u64 * self.k() as u64).saturating_mul(self.tokens() as u64)
    }

    /// A number that spreads shapes evenly over `0..n`: Fibonacci hashing (Knuth, The Art of Computer
    /// Programming, vol. 3, 6.4), with the high bits of the product.
    pub(crate) const fn spread(self, n: usize) -> usize {
        let hash = self.0.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        ((hash * n as u64) >> 32) as usize
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, threads) = (self.operation(), self.threads());
        write!(f, "{operation:?} [{}, {}] × {}", self.rows(), self.k(), self.tokens())?;
        write!(f, " tokens, {threads} threads")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_comes_back() {
        for operation in Operation::ALL {
            for rows in [0, 1, 768, 51_865, largest(ROWS_BITS)] {
                for k in [0, 1, 80, 1 << 20, largest(K_BITS)] {
                    for threads in [0, 1, 256, largest(THREADS_BITS)] {
                        let shape = Shape::new(operation, rows, k, 64, threads);
                        assert_eq!(shape.operation(), operation);
                        let parts = (shape.rows(), shape.k(), shape.tokens(), shape.threads());
                        assert_eq!(parts, (rows, k, 64, threads));
                    }
                }
            }
        }
    }

    #[test]
    fn tokens_fall_into_powers_of_two() {
        let bucket = |tokens| Shape::new(Operation::Int8, 16, 16, tokens, 1).tokens();
        let found = [0, 1, 2, 3, 4, 7, 8, 63, 64, 1500, u32::MAX as usize].map(bucket);
        assert_eq!(found, [1, 1, 2, 2, 4, 4, 8, 32, 64, 1024, 1 << 31]);
    }

    #[test]
    fn what_is_too_large_shares_a_bucket() {
        let most = Shape::new(Operation::Int4, usize::MAX, usize::MAX, usize::MAX, usize::MAX);
        assert_eq!(most.rows(), largest(ROWS_BITS));
        assert_eq!(most.k(), largest(K_BITS));
        assert_eq!(most.threads(), largest(THREADS_BITS));
        assert!(most.tokens().is_power_of_two());
        assert_eq!(most.operation(), Operation::Int4);
        assert_eq!(most.macs(), u64::MAX);
    }
}
