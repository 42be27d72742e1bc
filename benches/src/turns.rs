//! Timing in turns: what is compared runs alternately, so that a clock that drifts hits all alike.

use std::time::{Duration, Instant};

/// Calls of a measurement at most.
const MOST_CALLS: u32 = 1_000_000;

/// Things to time, in turns.
pub struct Turns<'a> {
    least: Duration,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    run: Box<dyn FnMut() + 'a>,
    calls: u32,
    /// Seconds a call, of each round.
    times: Vec<f64>,
}

impl<'a> Turns<'a> {
    /// Measurements that take at least so long each, as many calls as that is.
    pub fn new(least: Duration) -> Self {
        Self { least, entries: Vec::new() }
    }

    /// Takes in one thing to time. It runs to warm up, and to see how many calls are long enough: twice as
    /// many again and again, until they are so two times in a row, since an interruption can make any one
    /// measurement long.
    pub fn add(&mut self, mut run: impl FnMut() + 'a) {
        run();
        let mut calls = 1;
        while calls < MOST_CALLS && (0..2).any(|_| time(&mut run, calls) < self.least.as_secs_f64())
        {
            calls = (2 * calls).min(MOST_CALLS);
        }
        self.entries.push(Entry { run: Box::new(run), calls, times: Vec::new() });
    }

    /// Times each once more, after a call that brings its operands back to the caches that another's had; the
    /// order turns by one a round.
    pub fn round(&mut self) {
        let count = self.entries.len();
        let first = self.entries.first().map_or(0, |entry| entry.times.len());
        for turn in 0..count {
            let entry = &mut self.entries[(first + turn) % count];
            (entry.run)();
            let took = time(&mut entry.run, entry.calls);
            entry.times.push(took / f64::from(entry.calls));
        }
    }

    /// Seconds of a call of each, in the order they were added; nothing before the first round.
    pub fn times(self) -> Vec<Times> {
        let sorted = |mut entry: Entry<'_>| {
            entry.times.sort_by(f64::total_cmp);
            Times(entry.times)
        };
        self.entries.into_iter().map(sorted).collect()
    }
}

/// Seconds that so many calls take.
fn time(run: &mut impl FnMut(), calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        run();
    }
    start.elapsed().as_secs_f64()
}

/// Seconds of a call, by rounds, the least first.
#[derive(Debug, Clone, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// The least; infinite without a round.
    pub fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::INFINITY)
    }

    /// The median; infinite without a round.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::thread;

    use super::*;

    #[test]
    fn everything_runs_once_a_round_in_an_order_that_turns() {
        let order = RefCell::new(Vec::new());
        let mut turns = Turns::new(Duration::ZERO);
        for name in 0..3 {
            turns.add({
                let order = &order;
                move || order.borrow_mut().push(name)
            });
        }
        for _ in 0..3 {
            turns.round();
        }
        let times = turns.times();
        assert!(times.iter().all(|times| times.0.len() == 3 && times.least() <= times.median()));
        // To warm up and twice to find out how long it takes, and in each round once before it is timed.
        let calls =
            [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 1, 1, 2, 2, 1, 1, 2, 2, 0, 0, 2, 2, 0, 0, 1, 1];
        assert_eq!(order.into_inner(), calls);
    }

    #[test]
    fn an_interruption_does_not_make_measurements_short() {
        let mut runs = 0;
        let mut turns = Turns::new(Duration::from_millis(1));
        turns.add(|| {
            runs += 1;
            // The first call that is timed, and a later one.
            if runs == 2 || runs == 20 {
                thread::sleep(Duration::from_millis(5));
            }
        });
        assert!(turns.entries[0].calls > 100, "{}", turns.entries[0].calls);
    }

    #[test]
    fn nothing_timed_is_no_time() {
        let mut turns = Turns::new(Duration::ZERO);
        turns.round();
        turns.add(|| {});
        let times = turns.times();
        assert_eq!((times[0].least(), times[0].median()), (f64::INFINITY, f64::INFINITY));
    }
}
