//! Choosing the fastest variant of a product, shape by shape, on the device at hand.
//!
//! Every CPU gets a good default ([`registry::chosen`](crate::registry::chosen)), but which of the
//! variants it can run is the fastest for a matrix also depends on its caches, its memory and its
//! other cores. As all variants give the same bits, a program can try them while it works:
//!
//! * a [`Bandit`] finds the fastest of a few variants in under 200 calls, and is settled then;
//! * a [`Tuner`] has one for every [`Shape`] that comes up;
//! * a [`Tuning`] is what was found. [`Kernels::selecting`](crate::Kernels::selecting) runs by it, or
//!   by anything else that is [`Select`].
//!
//! All of it lives in arrays of fixed size, needs neither std nor memory, and takes the time from a
//! [`Clock`] of the caller's.
//!
//! What the search guarantees: the first calls run the default; a variant other than the default is
//! chosen only if it won a sequential test against it, with which noise alone succeeds less often than
//! once in 10,000 times; and a search ends after [`MOST_CALLS`] calls, whatever was timed. A
//! thousandfold slower variant is called twice.
//!
//! ```
//! use trit_simd::tune::{Operation, Shape, Tuner};
//! use trit_simd::{Cpu, Kernels};
//!
//! let cpu = Cpu::detect();
//! let shape = Shape::new(Operation::TernaryT4, 768, 768, 1, 1);
//! let mut kernels = Kernels::new(&cpu);
//! let default = kernels.names()[Operation::TernaryT4 as usize];
//!
//! let mut tuner = Tuner::<8>::new(&cpu);
//! while tuner.choices().next().is_none() {
//!     // `None` for a call that runs the default and need not be timed.
//!     if let Some(trial) = tuner.start(shape, default) {
//!         // Time the product with `kernels.with(trial.variant())`; here scalar code takes longer.
//!         let time = if trial.variant().ends_with("scalar") { 1000 } else { 100 };
//!         tuner.finish(trial, time, shape.macs());
//!     }
//! }
//! let choice = tuner.choices().next().unwrap();
//! assert_eq!(choice.variant(), default, "as fast as others, and left for none");
//! ```

mod bandit;
mod choice;
mod map;
mod select;
mod shape;
#[cfg(feature = "std")]
mod shared;
mod text;
mod tuner;
mod variants;

pub use bandit::{ARMS, Bandit, Draw, MOST_CALLS, Verdict};
pub use choice::{Choice, Tuning};
pub use select::{Clock, Select, Trial};
pub use shape::{Operation, Shape};
#[cfg(feature = "std")]
pub use shared::{Shared, SystemClock};
pub use text::TuningError;
pub use tuner::Tuner;
