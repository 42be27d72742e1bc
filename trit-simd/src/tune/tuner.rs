//! Exploring: a [`Bandit`] for each shape that comes up.

use super::bandit::{ARMS, Bandit};
use super::choice::{Choice, Tuning};
use super::map::Map;
use super::select::{Clock, Trial};
use super::shape::{Operation, Shape};
use super::variants;
use crate::cpu::Cpu;
use crate::kernels::Kernels;
use crate::registry;

/// The variants of an operation that a CPU has, by their place in the operation's table: those for
/// any number of tokens first, best first, then those for many alone.
#[derive(Debug, Clone, Copy)]
struct Candidates {
    places: [u8; ARMS],
    len: usize,
}

impl Candidates {
    fn new(cpu: &Cpu, operation: Operation) -> Self {
        let mut candidates = Self { places: [0; ARMS], len: 0 };
        for (place, _, level) in variants::built(operation) {
            if cpu.has(level) && candidates.len < ARMS {
                candidates.places[candidates.len] = place;
                candidates.len += 1;
            }
        }
        let places = &mut candidates.places[..candidates.len];
        places.sort_unstable_by_key(|&place| (registry::fewest_tokens(operation, place), place));
        candidates
    }

    /// How many of them are tried for a shape: those that are a design of their own for the most
    /// tokens of its bucket.
    fn tried(&self, shape: Shape) -> usize {
        let fits =
            |&place: &u8| registry::fewest_tokens(shape.operation(), place) <= shape.most_tokens();
        self.places[..self.len].partition_point(fits)
    }

    /// Where the variant called `name` stands among them.
    fn position(&self, operation: Operation, name: &str) -> Option<u8> {
        let place = variants::place(operation, name)?;
        let position = self.places[..self.len].iter().position(|&other| other == place)?;
        u8::try_from(position).ok()
    }

    /// The place of a bandit's arm: the default is arm 0, and the others follow in their order.
    fn place(&self, default: u8, arm: usize) -> u8 {
        let default = usize::from(default);
        let position = match arm {
            0 => default,
            arm if arm <= default => arm - 1,
            arm => arm,
        };
        self.places[position.min(ARMS - 1)]
    }
}

/// One shape's search.
#[derive(Debug, Clone)]
struct Search {
    /// The default's position among the candidates.
    default: u8,
    bandit: Bandit,
}

/// Finds the fastest variant for each of up to `SHAPES` shapes while a program runs.
///
/// All variants give the same bits, so it may run in production: the first calls of a shape run the
/// default, some of the next ones another variant, and after at most [`MOST_CALLS`](super::MOST_CALLS)
/// calls always the winner. Further shapes, when all `SHAPES` are taken, run the default.
///
/// Its memory is its own size, 160 bytes a shape. It is for one thread; to share it, see
/// [`Select`](super::Select), and the type `Shared` with the feature `std`.
///
/// ```
/// use trit_core::{Layout, QuantizedActsMut, Scales, TernaryMatrix, activations, layout};
/// use trit_simd::tune::{Clock, Operation, Shape, Tuner};
/// use trit_simd::{Cpu, Kernels};
///
/// # let mut codes = [0; layout::bytes(Layout::T4, 16, 64).unwrap()];
/// # layout::pack(Layout::T4, 16, 64, &[1; 16 * 64], &mut codes)?;
/// # let weights = TernaryMatrix::new(16, 64, Layout::T4, &codes, Scales::Tensor(0.5))?;
/// # let mut values = [0; activations::values_len(1, 64)];
/// # let (mut scales, mut sums) = ([0.0; 1], [0; activations::sums_len(1, 64)]);
/// # let mut token = QuantizedActsMut::new(1, 64, None, &mut values, &mut scales, &mut sums)?;
/// struct Cycles;
///
/// impl Clock for Cycles {
///     fn now(&self) -> u64 {
///         // A microcontroller's cycle counter, for instance.
/// #       0
///     }
/// }
///
/// let kernels = Kernels::new(&Cpu::detect());
/// # kernels.quantize(&[1.0; 64], 64, &mut token).unwrap();
/// let mut tuner = Tuner::<8>::new(&Cpu::detect());
/// let shape = Shape::new(Operation::TernaryT4, 16, 64, 1, 1);
/// let mut y = [0.0; 16];
/// tuner.run(&Cycles, &kernels, shape, |kernels| {
///     kernels.ternary(&weights, &token.as_ref(), None, 0..16, &mut y)
/// })?;
/// assert!(y.iter().all(|y| (y - 32.0).abs() < 1e-4));
/// // Once it is chosen, a tuning runs by it.
/// assert_eq!((tuner.shapes(), tuner.tuning().len()), (1, tuner.choices().count()));
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tuner<const SHAPES: usize> {
    candidates: [Candidates; Operation::ALL.len()],
    searches: Map<Search, SHAPES>,
}

impl<const SHAPES: usize> Tuner<SHAPES> {
    /// A tuner of the variants that `cpu` has.
    pub fn new(cpu: &Cpu) -> Self {
        let candidates = Operation::ALL.map(|operation| Candidates::new(cpu, operation));
        Self { candidates, searches: Map::new() }
    }

    /// Begins a call: which variant it is to run. `default` is the name of the one that it would run
    /// without a tuner. `None` if that is to run and its time does not matter: in the warm-up, when it
    /// was chosen, when there is no room for the shape or no such variant.
    pub fn start(&mut self, shape: Shape, default: &str) -> Option<Trial> {
        let candidates = &self.candidates[shape.operation() as usize];
        if self.searches.get(shape).is_none() {
            let default = candidates.position(shape.operation(), default)?;
            let tried = candidates.tried(shape).max(usize::from(default) + 1);
            let search = Search { default, bandit: Bandit::new(tried) };
            if !self.searches.insert(shape, search) {
                return None;
            }
        }
        let search = self.searches.get_mut(shape)?;
        let draw = search.bandit.draw();
        if draw.arm() == 0 && !draw.is_trial() {
            return None;
        }
        Some(Trial { shape, place: candidates.place(search.default, draw.arm()), draw: Some(draw) })
    }

    /// Ends a call that took `time` for `macs` multiply-accumulates.
    pub fn finish(&mut self, trial: Trial, time: u64, macs: u64) {
        if let (Some(draw), Some(search)) = (trial.draw, self.searches.get_mut(trial.shape)) {
            search.bandit.record(draw, time as f32 / macs.max(1) as f32);
        }
    }

    /// Runs `work`, a product of `shape` (all its rows, or always the same part of them), with the
    /// kernels that are to run now: `kernels`, but for the variant that is on trial. Threads may share
    /// the work; it is timed as a whole.
    pub fn run<R>(
        &mut self,
        clock: &impl Clock,
        kernels: &Kernels,
        shape: Shape,
        work: impl FnOnce(&Kernels) -> R,
    ) -> R {
        // The products are the first of all operations.
        let default = kernels.names_for(shape.tokens())[shape.operation() as usize];
        let Some(trial) = self.start(shape, default) else { return work(kernels) };
        let kernels = kernels.with(trial.variant()).unwrap_or(*kernels);
        let start = clock.now();
        let result = work(&kernels);
        self.finish(trial, clock.now().wrapping_sub(start), shape.macs());
        result
    }

    /// Shapes that have come up.
    pub const fn shapes(&self) -> usize {
        self.searches.len()
    }

    /// What has been chosen, by shape; shapes whose search goes on are not among them.
    pub fn choices(&self) -> impl Iterator<Item = Choice> {
        self.searches.iter().filter_map(|(shape, search)| {
            let candidates = &self.candidates[shape.operation() as usize];
            let timed = |arm: usize| {
                Some((candidates.place(search.default, arm), search.bandit.cost(arm)?))
            };
            Some(Choice {
                shape,
                default: candidates.place(search.default, 0),
                default_cost: search.bandit.cost(0),
                rival: search.bandit.rival().and_then(timed),
                calls: search.bandit.calls(),
                verdict: search.bandit.verdict()?,
            })
        })
    }

    /// What has been chosen, to run by from now on.
    pub fn tuning(&self) -> Tuning<SHAPES> {
        let mut tuning = Tuning::new();
        for choice in self.choices() {
            // There is room, as both have the same.
            tuning.insert(choice);
        }
        tuning
    }
}
