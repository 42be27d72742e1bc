//! Threads for inference, from rayon.

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
    /// # Errors
    /// The system refuses the threads.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new().num_threads(count).build()?;
        Ok(Self { pool })
    }

    /// Runs `work` on one of the threads, so that joining inside it is cheap.
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
