//! Searches in which the true cost of every variant is known. Nothing here takes real time.

use proptest::prelude::*;
use trit_simd::tune::{ARMS, Bandit, MOST_CALLS, Verdict};

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// What a machine does to a call's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noise {
    /// Nothing.
    None,
    /// Normal, 2 %, as on an idle machine.
    Idle,
    /// Normal, 20 %.
    Wide,
    /// One call in 20 is interrupted, for a time of a Pareto distribution that has no mean.
    Interrupts,
    /// Another process has the core or the memory for three calls in ten.
    Busy,
    /// The clock frequency falls by a third over the search.
    Drift,
    /// It falls to half at once, at any call.
    Step,
    /// Two frequencies, changed at random every ten calls or so.
    Modes,
    /// The clock ticks 20 times during a call of the default.
    Coarse,
}

const NOISES: [Noise; 9] = [
    Noise::None,
    Noise::Idle,
    Noise::Wide,
    Noise::Interrupts,
    Noise::Busy,
    Noise::Drift,
    Noise::Step,
    Noise::Modes,
    Noise::Coarse,
];

/// A machine with noise of a kind.
struct Machine {
    noise: Noise,
    random: Random,
    calls: f64,
    step: f64,
    slow: bool,
}

impl Machine {
    fn new(noise: Noise, seed: u64) -> Self {
        let mut random = Random(seed);
        let step = random.unit() * f64::from(MOST_CALLS);
        Self { noise, random, calls: 0.0, step, slow: false }
    }

    /// The time of a call that would take `cost` undisturbed.
    fn time(&mut self, cost: f64) -> f64 {
        self.calls += 1.0;
        let idle = 1.0 + 0.02 * self.random.normal().abs();
        let random = &mut self.random;
        let factor = match self.noise {
            Noise::None | Noise::Coarse => 1.0,
            Noise::Idle => idle,
            Noise::Wide => (0.2 * random.normal()).exp(),
            Noise::Interrupts if random.unit() < 0.05 => idle + 1.0 / (1.0 - random.unit()),
            Noise::Busy if random.unit() < 0.3 => idle * (1.0 + 2.0 * random.unit()),
            Noise::Interrupts | Noise::Busy => idle,
            Noise::Drift => idle * (1.0 + 0.5 * self.calls / f64::from(MOST_CALLS)),
            Noise::Step => idle * if self.calls > self.step { 2.0 } else { 1.0 },
            Noise::Modes => {
                self.slow ^= random.unit() < 0.1;
                idle * if self.slow { 1.3 } else { 1.0 }
            }
        };
        let time = cost * factor;
        if self.noise == Noise::Coarse {
            (time * 20.0 + random.unit()).floor() / 20.0
        } else {
            time
        }
    }
}

/// How a search ended.
#[derive(Debug)]
struct Found {
    arm: usize,
    verdict: Verdict,
    /// Calls of each variant.
    calls: [u32; ARMS],
}

fn search(costs: &[f64], machine: &mut Machine) -> Found {
    let mut bandit = Bandit::new(costs.len());
    let mut calls = [0; ARMS];
    loop {
        let draw = bandit.draw();
        if let Some(verdict) = bandit.verdict() {
            assert_eq!(calls.iter().sum::<u32>(), u32::from(bandit.calls()));
            return Found { arm: draw.arm(), verdict, calls };
        }
        calls[draw.arm()] += 1;
        assert!(calls.iter().sum::<u32>() <= u32::from(MOST_CALLS));
        bandit.record(draw, machine.time(costs[draw.arm()]) as f32);
    }
}

/// Costs of the variants of 20 shapes, the default first: few and many variants, ties, a slightly and
/// a much better one, one that is thousands of times slower.
fn shapes() -> Vec<Vec<f64>> {
    let mut shapes: Vec<Vec<f64>> = vec![
        vec![1.0],
        vec![1.0, 1.0],
        vec![1.0; ARMS],
        vec![1.0, 1.03],
        vec![1.0, 0.97],
        vec![1.0, 1.04, 1.04, 1.04, 50.0],
        vec![1.0, 0.9],
        vec![1.0, 1.5, 0.8, 60.0],
        vec![1.0, 2.1, 4.0, 30.0],
        vec![1.0, 0.5, 0.51, 0.52],
        vec![1.0, 5000.0],
        vec![5.0, 1.0],
    ];
    let mut random = Random(4);
    while shapes.len() < 20 {
        let arms = 4 + random.next() as usize % (ARMS - 3);
        let costs = (1..arms).map(|_| (0.4 * random.normal()).exp());
        shapes.push([1.0].into_iter().chain(costs).collect());
    }
    shapes
}

/// Searches of each shape under each noise.
const SEEDS: u64 = if cfg!(miri) { 1 } else { 400 };

#[test]
fn never_three_percent_slower_than_the_default() {
    let shapes = shapes();
    assert_eq!(shapes.len(), 20);
    for (index, costs) in shapes.iter().enumerate() {
        for noise in NOISES {
            for seed in 0..SEEDS {
                let found = search(costs, &mut Machine::new(noise, seed * 1000 + index as u64));
                let (cost, calls) = (costs[found.arm], found.calls.iter().sum::<u32>());
                assert!(calls < 200, "{calls} calls, shape {index}, {noise:?}, seed {seed}");
                assert!(
                    cost <= 1.03 * costs[0],
                    "{cost} for {}, shape {index}, {noise:?}, seed {seed}: {found:?}",
                    costs[0],
                );
            }
        }
    }
}

/// How often a search must come within 5 % of the best, where that is 10 % better than the default.
fn least_hits(noise: Noise) -> f64 {
    match noise {
        // The default is kept unless the other is clearly better, and this is not clear.
        Noise::Wide => 0.7,
        Noise::Busy => 0.9,
        _ => 0.97,
    }
}

#[test]
fn a_clearly_better_variant_is_found() {
    for noise in NOISES {
        let (mut hits, mut searches) = (0, 0);
        for (index, costs) in shapes().iter().enumerate() {
            let best = costs.iter().copied().fold(f64::INFINITY, f64::min);
            if best > 0.9 * costs[0] {
                continue;
            }
            for seed in 0..SEEDS.min(100) {
                let found = search(costs, &mut Machine::new(noise, seed * 77 + index as u64));
                hits += u32::from(costs[found.arm] <= 1.05 * best);
                searches += 1;
            }
        }
        let share = f64::from(hits) / f64::from(searches);
        println!("{noise:?}: {share:.3} of {searches} searches");
        assert!(cfg!(miri) || share >= least_hits(noise), "{noise:?}: {hits} of {searches}");
    }
}

#[test]
fn noise_alone_does_not_lead_away_from_the_default() {
    // Two and many variants that are all alike, or of which the others are a little slower.
    let (mut searches, mut taken) = (0, 0);
    for costs in [&[1.0; 2][..], &[1.0; 10], &[1.0, 1.01, 1.02], &[1.0, 1.04]] {
        for noise in NOISES {
            for seed in 0..SEEDS * 2 {
                let found = search(costs, &mut Machine::new(noise, seed));
                searches += 1;
                taken += u32::from(found.verdict == Verdict::Won);
            }
        }
    }
    assert!(f64::from(taken) <= 1e-4 * f64::from(searches) + 1.0, "{taken} of {searches}");
}

#[test]
fn what_is_much_slower_is_hardly_called() {
    for seed in 0..SEEDS {
        // Interrupts may hide it for a round.
        for (noise, most) in [(Noise::None, 2), (Noise::Idle, 2), (Noise::Interrupts, 4)] {
            let costs = [1.0, 0.9, 3.0, 1000.0, 1.0, 3.0];
            let found = search(&costs, &mut Machine::new(noise, seed));
            for arm in [2, 3, 5] {
                assert!(found.calls[arm] <= most, "{noise:?}, seed {seed}: {found:?}");
            }
        }
    }
}

#[test]
fn the_first_calls_are_the_default() {
    let mut bandit = Bandit::new(9);
    for _ in 0..3 {
        assert_eq!(bandit.draw().arm(), 0);
    }
}

#[test]
fn a_clock_that_stands_still_leaves_the_default() {
    let found = search(&[0.0; 5], &mut Machine::new(Noise::None, 0));
    assert_eq!((found.arm, found.verdict), (0, Verdict::Unbeaten));
}

/// As when another thread's call of the last round is still running.
#[test]
fn a_call_that_ends_in_the_duel_does_not_change_who_won_it() {
    let costs = [100.0, 90.0, 100.0];
    let mut bandit = Bandit::new(costs.len());
    let mut late = None;
    while bandit.verdict().is_none() {
        let draw = bandit.draw();
        // Two calls to warm up and eight rounds.
        match bandit.calls() {
            24..=26 if draw.arm() == 2 => {
                late = Some(draw);
                continue;
            }
            27 => bandit.record(late.unwrap(), 80.0),
            _ => {}
        }
        bandit.record(draw, costs[draw.arm()]);
    }
    let choice = (bandit.verdict(), bandit.draw().arm(), bandit.rival());
    assert_eq!(choice, (Some(Verdict::Won), 1, Some(1)));
}

#[test]
fn a_search_that_is_told_nothing_ends() {
    let mut bandit = Bandit::new(ARMS);
    while bandit.verdict().is_none() {
        bandit.draw();
    }
    assert_eq!((bandit.draw().arm(), bandit.verdict()), (0, Some(Verdict::Unbeaten)));
    assert!(bandit.calls() <= MOST_CALLS && bandit.rival().is_none());
}

#[test]
fn numbers_of_variants_that_cannot_be_are_taken_for_the_nearest() {
    assert_eq!(Bandit::new(0).verdict(), Some(Verdict::Only));
    let mut bandit = Bandit::new(usize::MAX);
    for _ in 0..ARMS + 2 {
        assert!(bandit.draw().arm() < ARMS);
    }
}

proptest! {
    /// Calls that overlap, are told of late or never, with any cost: the search ends in time and
    /// chooses a variant there is.
    #[test]
    fn any_order_and_any_cost_is_survived(
        arms in 1..=ARMS,
        told in proptest::collection::vec((0..4usize, any::<f32>()), 400),
    ) {
        let mut bandit = Bandit::new(arms);
        let mut open = std::collections::VecDeque::new();
        for (late, cost) in told {
            let before = bandit.verdict().is_some();
            let draw = bandit.draw();
            prop_assert!(draw.arm() < arms);
            prop_assert!(!before || !draw.is_trial());
            open.push_back(draw);
            if open.len() > late {
                bandit.record(open.pop_front().unwrap(), cost);
            }
        }
        prop_assert!(bandit.verdict().is_some());
        prop_assert!(bandit.calls() <= MOST_CALLS);
        let chosen = bandit.draw();
        // Nothing told afterwards changes it.
        for draw in open {
            bandit.record(draw, 0.0);
        }
        prop_assert_eq!(bandit.draw(), chosen);
    }
}
