//! Threads for inference, from rayon.
//!
//! ```
//! use trit_simd::{Cpu, Kernels, parallel::Join};
//! use trit_whisper::threads::Threads;
//! use trit_whisper::{MemoryPlan, Model, Options, Transcriber, embedded};
//!
//! let model = Model::parse(embedded::model())?;
//! let threads = Threads::new(2)?;
//! // Each has scratch of its own in the arena.
//! let mut arena = vec![0; MemoryPlan::with_threads(model.config(), threads.threads()).total()];
//! let (kernels, options) = (Kernels::new(&Cpu::detect()), Options::default());
//! let mut transcriber = Transcriber::new(&model, kernels, &threads, &mut arena, options)?;
//! let summary = threads.install(|| transcriber.transcribe(&[0.0; 16_000], &mut |_| {}))?;
//! assert_eq!(summary.windows, 0, "silence");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::num::NonZero;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use trit_simd::parallel::Join;

/// A fixed number of threads.
///
/// ```
/// use trit_simd::parallel::Join;
/// use trit_whisper::threads::Threads;
///
/// let threads = Threads::new(2)?;
/// assert_eq!(threads.threads(), 2);
/// // Inside, the work may be shared by both.
/// let sum: i32 = threads.install(|| (1..=4).sum());
/// assert_eq!(sum, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Threads {
    pool: ThreadPool,
}

impl Threads {
    /// A pool of `count` threads; 0 means as many as the machine has cores.
    ///
    /// ```
    /// use trit_simd::parallel::Join;
    /// use trit_whisper::threads::Threads;
    ///
    /// assert!(Threads::new(0)?.threads() >= 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The system refuses the threads.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        // Not rayon's own way, which an environment variable for other programs changes.
        let count = if count > 0 { count } else { available_parallelism().map_or(1, NonZero::get) };
        let pool = ThreadPoolBuilder::new().num_threads(count).build()?;
        Ok(Self { pool })
    }

    /// Runs `work` on one of the threads, so that joining inside it is cheap.
    ///
    /// ```
    /// use trit_simd::parallel::Join;
    /// use trit_whisper::threads::Threads;
    ///
    /// let threads = Threads::new(2)?;
    /// let (mut left, mut right) = ([1, 2], [3, 4]);
    /// // On one of them already, so nothing waits for another to wake up.
    /// threads.install(|| threads.join(&mut || left.reverse(), &mut || right.reverse()));
    /// assert_eq!((left, right), ([2, 1], [4, 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}

impl Join for Threads {
    fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        self.pool.join(a, b);
    }
}
