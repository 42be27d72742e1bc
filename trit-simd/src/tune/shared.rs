//! One tuner for all threads of a program.

use std::sync::Mutex;
use std::time::Instant;

use super::choice::Tuning;
use super::select::{Clock, Select, Trial};
use super::shape::Shape;
use super::tuner::Tuner;
use crate::cpu::Cpu;

/// The system's monotonic clock, in nanoseconds.
///
/// ```
/// use trit_simd::tune::{Clock, SystemClock};
///
/// let clock = SystemClock::default();
/// let before = clock.now();
/// assert!(before <= clock.now());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        // Wraps after 584 years.
        self.0.elapsed().as_nanos() as u64
    }
}

/// A [`Tuner`] that threads share without waiting: while one thread asks it, another runs the default.
///
/// ```
/// use std::sync::OnceLock;
/// use trit_simd::tune::{Shared, SystemClock};
/// use trit_simd::{Cpu, Kernels};
///
/// static TUNER: OnceLock<Shared<SystemClock, 64>> = OnceLock::new();
///
/// let cpu = Cpu::detect();
/// let tuner = TUNER.get_or_init(|| Shared::new(&cpu, SystemClock::default()));
/// let kernels = Kernels::new(&cpu).selecting(tuner, 1);
/// // Now products explore; what they found can be kept for later runs:
/// let tuning = tuner.tuning();
/// let (shapes, chosen) = tuner.progress();
/// assert!(chosen <= shapes && tuning.len() == chosen);
/// # let _ = kernels;
/// ```
#[derive(Debug)]
pub struct Shared<C, const SHAPES: usize> {
    tuner: Mutex<Tuner<SHAPES>>,
    clock: C,
}

impl<C: Clock, const SHAPES: usize> Shared<C, SHAPES> {
    /// A tuner of the variants that `cpu` has.
    pub fn new(cpu: &Cpu, clock: C) -> Self {
        Self { tuner: Mutex::new(Tuner::new(cpu)), clock }
    }

    /// Shapes that have come up, and those of them whose variant has been chosen.
    pub fn progress(&self) -> (usize, usize) {
        self.with(|tuner| (tuner.shapes(), tuner.choices().count()))
    }

    /// What has been chosen so far.
    pub fn tuning(&self) -> Tuning<SHAPES> {
        self.with(|tuner| tuner.tuning())
    }

    /// Waits for the tuner; the numbers in it are good even if a thread panicked over them.
    fn with<R>(&self, ask: impl FnOnce(&Tuner<SHAPES>) -> R) -> R {
        ask(&self.tuner.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl<C: Clock + Sync, const SHAPES: usize> Select for Shared<C, SHAPES> {
    fn start(&self, shape: Shape, default: &'static str) -> Option<(Trial, u64)> {
        let trial = self.tuner.try_lock().ok()?.start(shape, default)?;
        Some((trial, self.clock.now()))
    }

    fn finish(&self, (trial, start): (Trial, u64), macs: u64) {
        let time = self.clock.now().wrapping_sub(start);
        // Once the choice is made, there is nothing to tell.
        if trial.draw.is_some_and(|draw| draw.is_trial())
            && let Ok(mut tuner) = self.tuner.try_lock()
        {
            tuner.finish(trial, time, macs);
        }
    }
}
