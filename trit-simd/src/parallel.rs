//! Threads, without this crate having any: callers bring their own fork and join.

/// Runs two pieces of work, at the same time if it can.
///
/// Work is split by halving slices, so no kernel needs to know about threads and results do not
/// depend on their number.
pub trait Join: Sync {
    /// How many pieces can run at once.
    fn threads(&self) -> usize;

    /// Runs `a` and `b` and returns when both are done.
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send));
}

/// One thread: `a`, then `b`.
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
