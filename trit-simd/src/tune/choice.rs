//! What was chosen, to run by and to keep.

use super::bandit::Verdict;
use super::map::Map;
use super::select::{Select, Trial};
use super::shape::Shape;
use super::variants;

/// The variant chosen for a shape, and why.
///
/// Costs are the least time of a call by its multiply-accumulates, in the clock's unit: nanoseconds of
/// [`SystemClock`](super::SystemClock).
///
/// ```
/// use trit_simd::Cpu;
/// use trit_simd::tune::{Operation, Shape, Tuner, Verdict};
///
/// // A CPU without vectors has one variant, so nothing is tried.
/// let cpu = Cpu::baseline();
/// let mut tuner = Tuner::<8>::new(&cpu);
/// let shape = Shape::new(Operation::Int8, 512, 512, 1, 1);
/// assert!(tuner.start(shape, "matmul_i8_i8_f32__scalar").is_none());
///
/// let choice = tuner.choices().next().unwrap();
/// assert_eq!((choice.shape(), choice.verdict(), choice.calls()), (shape, Verdict::Only, 0));
/// assert_eq!((choice.variant(), choice.default()), ("matmul_i8_i8_f32__scalar", choice.variant()));
/// assert_eq!((choice.default_cost(), choice.rival()), (None, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub(super) shape: Shape,
    /// The default's place in the operation's table.
    pub(super) default: u8,
    pub(super) default_cost: Option<f32>,
    /// Place and cost of the fastest of the others.
    pub(super) rival: Option<(u8, f32)>,
    pub(super) calls: u8,
    pub(super) verdict: Verdict,
}

impl Choice {
    /// What it was chosen for.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Why it was chosen.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Calls that it took to choose, at most [`MOST_CALLS`](super::MOST_CALLS).
    pub const fn calls(&self) -> u8 {
        self.calls
    }

    /// The name of the variant that runs.
    pub fn variant(&self) -> &'static str {
        variants::name(self.shape.operation(), self.winner().unwrap_or(self.default))
    }

    /// The name of the variant that would run without tuning.
    pub fn default(&self) -> &'static str {
        variants::name(self.shape.operation(), self.default)
    }

    /// The default's cost.
    pub const fn default_cost(&self) -> Option<f32> {
        self.default_cost
    }

    /// The fastest variant besides the default, and its cost.
    pub fn rival(&self) -> Option<(&'static str, f32)> {
        self.rival.map(|(place, cost)| (variants::name(self.shape.operation(), place), cost))
    }

    /// The place of the variant that runs instead of the default.
    fn winner(&self) -> Option<u8> {
        match self.verdict {
            Verdict::Won => self.rival.map(|(place, _)| place),
            Verdict::Only | Verdict::Unbeaten | Verdict::Unclear => None,
        }
    }
}

/// The variants chosen for up to `SHAPES` shapes.
///
/// [`Kernels::selecting`](crate::Kernels::selecting) runs by it; a shape that it does not have runs
/// the default. [`write`](Self::write) and [`parse`](Self::parse) keep it between runs of a program.
/// As all variants give the same bits, a tuning can make a program slower, but not wrong.
///
/// ```
/// use trit_simd::Cpu;
/// use trit_simd::tune::{Operation, Shape, Tuning};
///
/// // As it was written to a file earlier.
/// let text = "trit tuning 1\n\
///             device board 7\n\
///             ternary_t4_i8_f32__scalar 768 768 1 1 0.25 - - 2 only\n\
///             end 1\n";
/// let mut tuning = Tuning::<8>::parse(text, "board 7", &Cpu::detect())?;
/// let choice = *tuning.get(Shape::new(Operation::TernaryT4, 768, 768, 1, 1)).unwrap();
/// assert_eq!(choice.default_cost(), Some(0.25));
///
/// // A second choice for a shape replaces the first.
/// assert!(tuning.insert(choice));
/// assert!(tuning.len() == 1 && !tuning.is_empty());
/// assert!(tuning.iter().all(|found| *found == choice));
/// # Ok::<(), trit_simd::tune::TuningError<'_>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tuning<const SHAPES: usize> {
    choices: Map<Choice, SHAPES>,
}

impl<const SHAPES: usize> Default for Tuning<SHAPES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SHAPES: usize> Tuning<SHAPES> {
    /// One that has chosen nothing.
    pub const fn new() -> Self {
        Self { choices: Map::new() }
    }

    /// How many shapes it has a choice for.
    pub const fn len(&self) -> usize {
        self.choices.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The choice for a shape.
    pub fn get(&self, shape: Shape) -> Option<&Choice> {
        self.choices.get(shape)
    }

    /// Puts a choice in, over one for the same shape; `false` if there is no room.
    pub fn insert(&mut self, choice: Choice) -> bool {
        self.choices.insert(choice.shape, choice)
    }

    /// All choices, by shape.
    pub fn iter(&self) -> impl Iterator<Item = &Choice> {
        self.choices.iter().map(|(_, choice)| choice)
    }
}

impl<const SHAPES: usize> Select for Tuning<SHAPES> {
    #[inline]
    fn start(&self, shape: Shape, _default: &'static str) -> Option<(Trial, u64)> {
        // A default is left to the kernels, whose own it is.
        let place = self.choices.get(shape)?.winner()?;
        Some((Trial { shape, place, draw: None }, 0))
    }

    #[inline]
    fn finish(&self, _started: (Trial, u64), _macs: u64) {}
}
