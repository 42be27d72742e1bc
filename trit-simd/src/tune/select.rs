//! How kernels ask for a variant, call by call.

use super::bandit::Draw;
use super::shape::Shape;
use super::variants;

/// A clock. Only differences and their ratios count, so the unit is free: nanoseconds, cycles. One
/// that goes by coarse steps or wraps now and then costs accuracy, not correctness.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use trit_simd::tune::Clock;
///
/// /// Counted up by a timer's interrupt.
/// struct Ticks(AtomicU64);
///
/// impl Clock for Ticks {
///     fn now(&self) -> u64 {
///         self.0.load(Ordering::Relaxed)
///     }
/// }
///
/// let ticks = Ticks(AtomicU64::new(41));
/// ticks.0.fetch_add(1, Ordering::Relaxed);
/// assert_eq!(ticks.now(), 42);
/// ```
pub trait Clock {
    /// The time now.
    fn now(&self) -> u64;
}

/// A variant to run, and what is to be learnt from it.
///
/// ```
/// use trit_simd::tune::{Operation, Shape, Tuner};
/// use trit_simd::{Cpu, Kernels};
///
/// let cpu = Cpu::detect();
/// let kernels = Kernels::new(&cpu);
/// let default = kernels.names()[Operation::Int4 as usize];
/// let shape = Shape::new(Operation::Int4, 768, 768, 1, 1);
/// let mut tuner = Tuner::<8>::new(&cpu);
/// for _ in 0..10 {
///     if let Some(trial) = tuner.start(shape, default) {
///         // One that this CPU runs, or no trial.
///         assert!(kernels.with(trial.variant()).is_some());
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    pub(crate) shape: Shape,
    /// The variant's place in the operation's table.
    pub(crate) place: u8,
    /// Of the search that wants to know the time; `None` from a finished [`Tuning`](super::Tuning).
    pub(crate) draw: Option<Draw>,
}

impl Trial {
    /// The variant's name.
    pub fn variant(&self) -> &'static str {
        variants::name(self.shape.operation(), self.place)
    }
}

/// Says which variant a product is to run, shape by shape; see
/// [`Kernels::selecting`](crate::Kernels::selecting).
///
/// A [`Tuning`](super::Tuning) is one, for what has been tuned before, and with the feature `std`
/// a `Shared` tuner. Without `std`, a tuner behind whatever lock the system has becomes one:
///
/// ```
/// use core::cell::RefCell;
/// use trit_simd::tune::{Select, Shape, Trial, Tuner};
/// # struct Mutex<T>(std::sync::Mutex<T>);
/// # impl<T> Mutex<T> {
/// #     fn try_with<R>(&self, run: impl FnOnce(&T) -> R) -> Option<R> {
/// #         Some(run(&*self.0.try_lock().ok()?))
/// #     }
/// # }
/// # fn cycles() -> u64 { 0 }
///
/// struct Tuning(Mutex<RefCell<Tuner<8>>>);
///
/// impl Select for Tuning {
///     fn start(&self, shape: Shape, default: &'static str) -> Option<(Trial, u64)> {
///         let trial = self.0.try_with(|tuner| tuner.borrow_mut().start(shape, default))??;
///         Some((trial, cycles()))
///     }
///
///     fn finish(&self, (trial, start): (Trial, u64), macs: u64) {
///         let time = cycles().wrapping_sub(start);
///         self.0.try_with(|tuner| tuner.borrow_mut().finish(trial, time, macs));
///     }
/// }
/// ```
pub trait Select: Sync {
    /// Begins a call: the variant to run and the time now, or `None` to run the default, of the name
    /// given. Called for every product, by any thread, so it must not wait.
    fn start(&self, shape: Shape, default: &'static str) -> Option<(Trial, u64)>;

    /// Ends a call of `macs` multiply-accumulates that [`start`](Self::start) began.
    fn finish(&self, started: (Trial, u64), macs: u64);
}
