//! Which of a few variants is the fastest, from few and noisy timings: a state machine without
//! clock, memory or randomness.
//!
//! 1. **Warm-up**: two calls of the default, not counted, which meet cold caches and unmapped pages.
//! 2. **Elimination**: all variants take turns, a call each a round, so that what slows the machine
//!    for a while slows them alike. Each is judged by its least cost, since disturbances only ever add
//!    time (Chen and Revels, Robust benchmarking in noisy environments, arXiv:1608.04295). After
//!    round m ≥ 2, those whose least cost is over 1 + 1/m times the best of all drop out, as in
//!    successive elimination (Even-Dar, Mannor and Mansour, Action elimination and stopping
//!    conditions for the multi-armed bandit and reinforcement learning problems, JMLR 7, 2006); the
//!    radius is 1/m instead of the paper's √(ln m / m) because the least of m times approaches its
//!    bound that fast where their density does not vanish there.
//! 3. **Duel**: the best variant besides the default, if its cost was at least 1 % lower, meets the
//!    default in pairs of calls, first and second in turn (0110 0110 …), so that a steady drift
//!    favours neither. It wins a pair if it is at least 1 % faster. Wald's sequential test (Sequential
//!    tests of statistical hypotheses, Ann. Math. Statist. 16, 1945) of "wins half of the pairs"
//!    against "wins three of four" ends the duel; whatever else ends it, the default stays.
//!
//! The duel makes no assumption on the noise but that it treats both calls of a pair alike. A variant
//! that is no faster than the default is therefore taken with a probability under 10⁻⁴, and a slower
//! one with a smaller one still: noise alone does not lead away from the default. Fresh timings
//! decide, so a variant does not profit from having been the luckiest of many.

/// The most variants among which one is chosen; further ones are not tried.
pub const ARMS: usize = 24;

/// Calls of the default before anything is measured.
const WARM_UP: u8 = 2;

/// Rounds of elimination at most, and calls in them at most.
const ROUNDS: u8 = 8;
const ROUND_CALLS: u8 = 96;

/// Calls after which a bandit is settled whatever happens: its choice no longer changes. The duel has
/// all that the rounds leave of them.
pub const MOST_CALLS: u8 = 198;

const _: () = {
    assert!(MOST_CALLS < 200);
    // Four rounds at least, even if nothing drops out.
    assert!(4 * ARMS <= ROUND_CALLS as usize);
    assert!(ARMS <= u32::BITS as usize);
    // A duel can be lost a few times and won still.
    assert!((MOST_CALLS - WARM_UP - ROUND_CALLS) as i16 / 2 * WON > 2 * TAKE);
};

/// What counts as faster.
const FASTER: f32 = 0.99;

/// Wald's test in units of ln 1.5 / 7: a pair won adds ln(¾ / ½) = ln 1.5, one lost takes
/// ln(½ / ¼) = ln 2, here rounded up. Errors of 10⁻⁴ for taking the challenger wrongly and 0.05 for
/// missing it put the bounds at ln(0.95 / 10⁻⁴) = 9.16 = 158.1 units and ln(0.05) = −3.00 = −51.7
/// units.
const WON: i16 = 7;
const LOST: i16 = 12;
const TAKE: i16 = 161;
const LEAVE: i16 = -52;

/// Why a variant was chosen.
///
/// ```
/// use trit_simd::tune::{Bandit, Verdict};
///
/// fn verdict(costs: &[f32]) -> Option<Verdict> {
///     let mut bandit = Bandit::new(costs.len());
///     while bandit.verdict().is_none() {
///         let draw = bandit.draw();
///         bandit.record(draw, costs[draw.arm()]);
///     }
///     bandit.verdict()
/// }
/// assert_eq!(verdict(&[1.0]), Some(Verdict::Only));
/// assert_eq!(verdict(&[1.0, 0.995]), Some(Verdict::Unbeaten));
/// assert_eq!(verdict(&[1.0, 0.9]), Some(Verdict::Won));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// There is no other variant than the default.
    Only,
    /// The default: no other was 1 % faster.
    Unbeaten,
    /// The default: the fastest other did not win the duel clearly.
    Unclear,
    /// The fastest other, which won the duel against the default.
    Won,
}

/// A variant to run, by its number; 0 is the default.
///
/// ```
/// use trit_simd::tune::Bandit;
///
/// let mut bandit = Bandit::new(3);
/// // Two calls of the default warm up; then variants take turns, and their times count.
/// let draws = [(); 5].map(|()| bandit.draw());
/// assert_eq!(draws.map(|draw| draw.arm()), [0, 0, 0, 1, 2]);
/// assert_eq!(draws.map(|draw| draw.is_trial()), [false, false, true, true, true]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    arm: u8,
    counts: Counts,
}

impl Draw {
    /// The number of the variant to run.
    pub const fn arm(self) -> usize {
        self.arm as usize
    }

    /// Whether the time of this call is asked for.
    pub const fn is_trial(self) -> bool {
        !matches!(self.counts, Counts::Nothing)
    }
}

/// What the time of a call decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Nothing,
    Round,
    Pair,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// `turn` goes over all arms in each round, beginning one further each time.
    Rounds {
        round: u8,
        turn: u8,
    },
    /// `waiting` holds the costs of default and challenger in the present pair.
    Duel {
        challenger: u8,
        calls: u8,
        score: i16,
        waiting: [Option<f32>; 2],
    },
    Settled {
        arm: u8,
        verdict: Verdict,
    },
}

/// The search for the fastest of up to [`ARMS`] variants, of which number 0 is the default.
///
/// ```
/// use trit_simd::tune::{ARMS, Bandit, MOST_CALLS, Verdict};
///
/// // Variant 2 is the fastest of four.
/// let costs = [1.0, 5.0, 0.8, 0.9];
/// let mut bandit = Bandit::new(4);
/// while bandit.verdict().is_none() {
///     let draw = bandit.draw();
///     bandit.record(draw, costs[draw.arm()]);
/// }
/// assert_eq!((bandit.draw().arm(), bandit.verdict()), (2, Some(Verdict::Won)));
/// assert!(bandit.calls() <= MOST_CALLS);
/// assert_eq!((bandit.rival(), bandit.cost(2)), (Some(2), Some(0.8)));
///
/// // Of more than it has room for, the last are not tried.
/// assert_eq!(format!("{:?}", Bandit::new(100)), format!("{:?}", Bandit::new(ARMS)));
/// ```
#[derive(Debug, Clone)]
pub struct Bandit {
    arms: u8,
    calls: u8,
    /// A bit for each arm that is still in the rounds.
    active: u32,
    samples: [u8; ARMS],
    /// The least cost of each arm; infinite before the first.
    least: [f32; ARMS],
    stage: Stage,
}

impl Bandit {
    /// The search among `arms` variants, at least one and at most [`ARMS`]: numbers beyond are taken
    /// for the nearest.
    pub const fn new(arms: usize) -> Self {
        let arms = if arms > ARMS { ARMS } else { arms };
        let stage = if arms <= 1 {
            Stage::Settled { arm: 0, verdict: Verdict::Only }
        } else {
            Stage::Rounds { round: 0, turn: 0 }
        };
        Self {
            arms: arms as u8,
            calls: 0,
            active: ((1_u64 << arms) - 1) as u32,
            samples: [0; ARMS],
            least: [f32::INFINITY; ARMS],
            stage,
        }
    }

    /// The variant to run now.
    pub fn draw(&mut self) -> Draw {
        loop {
            match &mut self.stage {
                Stage::Settled { arm, .. } => {
                    return Draw { arm: *arm, counts: Counts::Nothing };
                }
                _ if self.calls < WARM_UP => {
                    self.calls += 1;
                    return Draw { arm: 0, counts: Counts::Nothing };
                }
                Stage::Rounds { round, turn } if *turn < self.arms => {
                    let arm = (*round + *turn) % self.arms;
                    *turn += 1;
                    if self.active & (1 << arm) != 0 {
                        self.calls += 1;
                        return Draw { arm, counts: Counts::Round };
                    }
                }
                Stage::Rounds { round, .. } => {
                    let rounds = *round + 1;
                    self.end_round(rounds);
                }
                Stage::Duel { challenger, calls, .. } if self.calls < MOST_CALLS => {
                    let challengers_turn = matches!(*calls % 4, 1 | 2);
                    *calls += 1;
                    self.calls += 1;
                    let arm = if challengers_turn { *challenger } else { 0 };
                    return Draw { arm, counts: Counts::Pair };
                }
                Stage::Duel { .. } => self.settle(0, Verdict::Unclear),
            }
        }
    }

    /// Takes the cost of a call, in any unit of time per work: time by multiply-accumulate, if calls
    /// differ in them. Calls may overlap and need not all be told of; a cost that is no number, or
    /// of a stage that is over, is left out.
    pub fn record(&mut self, draw: Draw, cost: f32) {
        let arm = draw.arm();
        if !cost.is_finite() || cost < 0.0 || !draw.is_trial() || arm >= ARMS {
            return;
        }
        let counts = match self.stage {
            Stage::Rounds { .. } => Counts::Round,
            Stage::Duel { .. } => Counts::Pair,
            Stage::Settled { .. } => Counts::Nothing,
        };
        if draw.counts != counts {
            return;
        }
        self.samples[arm] = self.samples[arm].saturating_add(1);
        self.least[arm] = self.least[arm].min(cost);
        let Stage::Duel { challenger, score, waiting, .. } = &mut self.stage else { return };
        if draw.arm != 0 && draw.arm != *challenger {
            return;
        }
        waiting[usize::from(draw.arm != 0)] = Some(cost);
        let [Some(default), Some(challenging)] = *waiting else { return };
        *waiting = [None; 2];
        *score += if challenging < default * FASTER { WON } else { -LOST };
        if *score >= TAKE {
            let arm = *challenger;
            self.settle(arm, Verdict::Won);
        } else if *score <= LEAVE {
            self.settle(0, Verdict::Unclear);
        }
    }

    /// Why the choice was made; `None` before it is.
    pub const fn verdict(&self) -> Option<Verdict> {
        match self.stage {
            Stage::Settled { verdict, .. } => Some(verdict),
            Stage::Rounds { .. } | Stage::Duel { .. } => None,
        }
    }

    /// Calls drawn before the choice was made.
    pub const fn calls(&self) -> u8 {
        self.calls
    }

    /// The least cost told of a variant.
    pub fn cost(&self, arm: usize) -> Option<f32> {
        self.least.get(arm).copied().filter(|cost| cost.is_finite())
    }

    /// The fastest variant besides the default, if any was timed.
    pub fn rival(&self) -> Option<usize> {
        let others = (1..usize::from(self.arms)).filter(|&arm| self.cost(arm).is_some());
        others.min_by(|&a, &b| self.least[a].total_cmp(&self.least[b]))
    }

    fn settle(&mut self, arm: u8, verdict: Verdict) {
        self.stage = Stage::Settled { arm, verdict };
    }

    /// Drops the clearly slower after `rounds` rounds, then begins another round or the duel.
    fn end_round(&mut self, rounds: u8) {
        let is_active = |active: u32, arm: usize| active & (1 << arm) != 0;
        let arms = 0..usize::from(self.arms);
        let active = arms.clone().filter(|&arm| is_active(self.active, arm));
        let best = active.map(|arm| self.least[arm]).fold(f32::INFINITY, f32::min);
        let most = best * (1.0 + 1.0 / f32::from(rounds));
        for arm in arms {
            if self.samples[arm] >= 2 && self.least[arm] > most {
                self.active &= !(1 << arm);
            }
        }
        let left = self.active.count_ones();
        let used = u32::from(self.calls - WARM_UP);
        if left > 1 && rounds < ROUNDS && used + left <= u32::from(ROUND_CALLS) {
            self.stage = Stage::Rounds { round: rounds, turn: 0 };
            return;
        }
        match self.rival() {
            Some(rival) if self.least[rival] < self.least[0] * FASTER => {
                let challenger = rival as u8;
                self.stage = Stage::Duel { challenger, calls: 0, score: 0, waiting: [None; 2] };
            }
            _ => self.settle(0, Verdict::Unbeaten),
        }
    }
}
