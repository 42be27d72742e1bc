//! Threads, without this crate having any: callers bring their own fork and join.
//!
//! ```
//! use core::ops::Range;
//! use trit_core::{Layout, MatrixError, QuantizedActs, Scales, TernaryMatrix};
//! # use trit_core::{QuantizedActsMut, activations, layout};
//! use trit_simd::parallel::{Join, Sequential};
//! use trit_simd::{Cpu, Kernels};
//!
//! /// A layer for one token: its rows are halved until there is a part for each thread.
//! struct Layer<'a> {
//!     kernels: Kernels,
//!     weights: TernaryMatrix<'a>,
//!     token: QuantizedActs<'a>,
//! }
//!
//! impl Layer<'_> {
//!     fn run(
//!         &self,
//!         join: &dyn Join,
//!         parts: usize,
//!         rows: Range<usize>,
//!         y: &mut [f32],
//!     ) -> Result<(), MatrixError> {
//!         if parts < 2 || rows.len() < 2 {
//!             return self.kernels.ternary(&self.weights, &self.token, None, rows, y);
//!         }
//!         let half = rows.len() / 2;
//!         let middle = rows.start + half;
//!         let (left, right) = y.split_at_mut(half);
//!         let (mut first, mut second) = (Ok(()), Ok(()));
//!         join.join(
//!             &mut || first = self.run(join, parts / 2, rows.start..middle, left),
//!             &mut || second = self.run(join, parts - parts / 2, middle..rows.end, right),
//!         );
//!         first.and(second)
//!     }
//! }
//!
//! # let mut codes = [0; layout::bytes(Layout::T4, 32, 64).unwrap()];
//! # layout::pack(Layout::T4, 32, 64, &[1; 32 * 64], &mut codes)?;
//! # let weights = TernaryMatrix::new(32, 64, Layout::T4, &codes, Scales::Tensor(0.5))?;
//! # let mut values = [0; activations::values_len(1, 64)];
//! # let (mut scales, mut sums) = ([0.0; 1], [0; activations::sums_len(1, 64)]);
//! # let mut token = QuantizedActsMut::new(1, 64, None, &mut values, &mut scales, &mut sums)?;
//! # let kernels = Kernels::new(&Cpu::detect());
//! # kernels.quantize(&[1.0; 64], 64, &mut token).unwrap();
//! # let token = token.as_ref();
//! let layer = Layer { kernels, weights, token };
//! let (mut whole, mut parts) = ([0.0; 32], [0.0; 32]);
//! layer.run(&Sequential, Sequential.threads(), 0..32, &mut whole)?;
//! layer.run(&Sequential, 3, 0..32, &mut parts)?;
//! assert_eq!(whole, parts);
//! # Ok::<(), MatrixError>(())
//! ```

/// Runs two pieces of work, at the same time if it can.
///
/// Work is split by halving slices, so no kernel needs to know about threads and results do not
/// depend on their number.
///
/// ```
/// use std::thread;
/// use trit_simd::parallel::Join;
///
/// /// A thread more for each piece of work.
/// struct Spawn {
///     threads: usize,
/// }
///
/// impl Join for Spawn {
///     fn threads(&self) -> usize {
///         self.threads
///     }
///
///     fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
///         thread::scope(|scope| {
///             scope.spawn(a);
///             b();
///         });
///     }
/// }
///
/// let (mut left, mut right) = (0, 0);
/// Spawn { threads: 2 }.join(&mut || left = 1, &mut || right = 2);
/// assert_eq!((left, right), (1, 2));
/// ```
pub trait Join: Sync {
    /// How many pieces can run at once.
    ///
    /// ```
    /// use trit_simd::parallel::{Join, Sequential};
    ///
    /// /// Rows for each thread, in whole tiles of 16.
    /// fn share(rows: usize, join: &dyn Join) -> usize {
    ///     rows.div_ceil(join.threads()).next_multiple_of(16)
    /// }
    /// assert_eq!(share(100, &Sequential), 112);
    /// ```
    fn threads(&self) -> usize;

    /// Runs `a` and `b` and returns when both are done.
    ///
    /// ```
    /// use trit_simd::parallel::{Join, Sequential};
    ///
    /// let mut y = [1.0, 2.0, 3.0, 4.0];
    /// let (left, right) = y.split_at_mut(2);
    /// Sequential.join(
    ///     &mut || left.iter_mut().for_each(|y| *y *= 2.0),
    ///     &mut || right.iter_mut().for_each(|y| *y *= 2.0),
    /// );
    /// assert_eq!(y, [2.0, 4.0, 6.0, 8.0]);
    /// ```
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send));
}

/// One thread: `a`, then `b`.
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use trit_simd::parallel::{Join, Sequential};
///
/// let (clock, mut a, mut b) = (AtomicU32::new(1), 0, 0);
/// let tick = || clock.fetch_add(1, Ordering::Relaxed);
/// Sequential.join(&mut || a = tick(), &mut || b = tick());
/// assert_eq!((a, b, Sequential.threads()), (1, 2, 1));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Sequential;

impl Join for Sequential {
    fn threads(&self) -> usize {
        1
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        a();
        b();
    }
}
