//! Tuners with real variants and a clock of the test's, and what is kept of them as text.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use trit_core::{
    Layout, QuantizedActs, QuantizedActsMut, Scales, TernaryMatrix, activations, layout,
};
use trit_simd::tune::{
    Clock, MOST_CALLS, Operation, Select, Shape, Shared, SystemClock, Tuner, Tuning, TuningError,
    Verdict,
};
use trit_simd::{Cpu, Kernels, registry};

const DEVICE: &str = "a board of the test's";

/// The variants of T4 that the CPU has, the default first.
fn variants() -> Vec<&'static str> {
    let cpu = Cpu::detect();
    let default = Kernels::new(&cpu).names()[0];
    let has = |(name, level): (&'static str, _)| cpu.has(level).then_some(name);
    let others = registry::variants().filter_map(has);
    let others = others.filter(|&name| name.starts_with("ternary_t4_") && name != default);
    [default].into_iter().chain(others).collect()
}

/// Runs the search of `shape` to its end with the variants' `times`.
fn tune<const N: usize>(tuner: &mut Tuner<N>, shape: Shape, time: impl Fn(&str) -> u64) {
    let default = variants()[0];
    for _ in 0..=MOST_CALLS {
        if let Some(trial) = tuner.start(shape, default) {
            tuner.finish(trial, time(trial.variant()), 1_000);
        }
    }
}

/// A product of so many tokens that every design is tried.
fn shape(rows: usize) -> Shape {
    Shape::new(Operation::TernaryT4, rows, 64, 64, 1)
}

#[test]
fn every_operation_tries_every_variant_that_is_made_for_so_many_tokens() {
    let cpu = Cpu::detect();
    for tokens in [1, 8, 64] {
        let defaults = Kernels::new(&cpu).names_for(tokens);
        for (operation, default) in Operation::ALL.into_iter().zip(defaults) {
            let shape = Shape::new(operation, 16, 64, tokens, 1);
            let mut tuner = Tuner::<1>::new(&cpu);
            let mut seen = BTreeSet::from([default]);
            for _ in 0..=MOST_CALLS {
                if let Some(trial) = tuner.start(shape, default) {
                    seen.insert(trial.variant());
                    tuner.finish(trial, 5, 1);
                }
            }
            let (prefix, _) = default.split_once("__").unwrap();
            // Fewer tokens than a block has room for are another design's.
            let made_for = |name: &str| tokens >= 16 || !name.ends_with("_lookup");
            let all = registry::variants().filter(|(name, level)| {
                let same = name.split_once("__").is_some_and(|(what, _)| what == prefix);
                cpu.has(*level) && same && made_for(name)
            });
            assert_eq!(seen, all.map(|(name, _)| name).collect(), "{operation:?}, {tokens}");
        }
    }
}

#[test]
fn a_default_for_more_tokens_is_tried_beside_the_others() {
    let cpu = Cpu::detect();
    let has = |(name, level): (&'static str, _)| cpu.has(level).then_some(name);
    let Some(default) = registry::variants().filter_map(has).find(|name| name.ends_with("_lookup"))
    else {
        return;
    };
    let shape = Shape::new(Operation::TernaryT4, 16, 64, 1, 1);
    let mut tuner = Tuner::<1>::new(&cpu);
    let mut seen = BTreeSet::new();
    for _ in 0..=MOST_CALLS {
        if let Some(trial) = tuner.start(shape, default) {
            seen.insert(trial.variant());
            tuner.finish(trial, 5, 1);
        }
    }
    assert_eq!(seen, variants().into_iter().collect());
}

#[test]
fn the_fastest_variant_is_chosen_and_said_why() {
    let names = variants();
    let fastest = names[names.len() - 1];
    let mut tuner = Tuner::<4>::new(&Cpu::detect());
    tune(&mut tuner, shape(16), |name| if name == fastest { 500 } else { 1_000 });
    tune(&mut tuner, shape(32), |name| if name == names[0] { 500 } else { 1_000 });
    let tuning = tuner.tuning();
    let [first, second] = [shape(16), shape(32)].map(|shape| *tuning.get(shape).unwrap());
    assert_eq!(tuning.iter().copied().collect::<Vec<_>>(), [first, second]);
    assert_eq!((second.variant(), second.default()), (names[0], names[0]));
    if names.len() == 1 {
        assert_eq!((first.verdict(), first.rival(), first.calls()), (Verdict::Only, None, 0));
    } else {
        assert_eq!((first.variant(), first.default()), (fastest, names[0]));
        assert_eq!((first.verdict(), second.verdict()), (Verdict::Won, Verdict::Unbeaten));
        assert_eq!((first.default_cost(), first.rival()), (Some(1.0), Some((fastest, 0.5))));
        assert!(first.calls() <= MOST_CALLS);
    }
}

#[test]
fn shapes_beyond_the_room_and_strange_defaults_run_the_default() {
    let mut tuner = Tuner::<2>::new(&Cpu::detect());
    let default = variants()[0];
    for rows in [1, 2, 3, 1] {
        tune(&mut tuner, shape(rows), |_| 1);
    }
    assert_eq!(tuner.shapes(), 2);
    assert!(tuner.start(shape(3), default).is_none());
    let mut tuner = Tuner::<2>::new(&Cpu::detect());
    for _ in 0..=MOST_CALLS {
        assert!(tuner.start(shape(1), "ternary_t4_i8_f32__abacus").is_none());
    }
    assert_eq!(tuner.shapes(), 0);
}

#[test]
fn a_default_is_left_to_the_kernels() {
    let mut tuner = Tuner::<2>::new(&Cpu::detect());
    let names = variants();
    tune(&mut tuner, shape(1), |name| if name == names[0] { 1_000 } else { 2_000 });
    tune(&mut tuner, shape(2), |name| if name == names[0] { 2_000 } else { 1_000 });
    let tuning = tuner.tuning();
    for (rows, won) in [(1, false), (2, names.len() > 1)] {
        assert_eq!(tuner.start(shape(rows), names[0]).is_some(), won);
        assert_eq!(tuning.start(shape(rows), names[0]).is_some(), won);
    }
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Tuner<32>>() - size_of::<Tuner<0>>() <= 32 * 200);
    assert!(size_of::<Tuning<32>>() <= 32 * 48 + 16);
}

/// Ticks once each time it is asked.
struct Ticks(Cell<u64>);

impl Clock for Ticks {
    fn now(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// A product of 48 rows, 80 inputs and two tokens.
struct Product {
    codes: Vec<u8>,
    values: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

impl Product {
    const ROWS: usize = 48;
    const K: usize = 80;
    const TOKENS: usize = 2;

    fn new() -> Self {
        let (rows, k, tokens) = (Self::ROWS, Self::K, Self::TOKENS);
        let trits: Vec<i8> = (0..rows * k).map(|i| (i * 7 % 3) as i8 - 1).collect();
        let mut codes = vec![0; layout::bytes(Layout::T4, rows, k).unwrap()];
        layout::pack(Layout::T4, rows, k, &trits, &mut codes).unwrap();
        let mut values = vec![0; activations::values_len(tokens, k)];
        let mut scales = vec![0.0; activations::scales_len(tokens, k, None)];
        let mut sums = vec![0; activations::sums_len(tokens, k)];
        let mut x = QuantizedActsMut::new(tokens, k, None, &mut values, &mut scales, &mut sums);
        let floats: Vec<f32> = (0..tokens * k).map(|i| (i as f32).sin()).collect();
        Kernels::scalar().quantize(&floats, k, x.as_mut().unwrap()).unwrap();
        Self { codes, values, scales, sums }
    }

    fn shape(threads: usize) -> Shape {
        Shape::new(Operation::TernaryT4, Self::ROWS, Self::K, Self::TOKENS, threads)
    }

    fn run(&self, kernels: &Kernels) -> Vec<f32> {
        let (rows, k, tokens) = (Self::ROWS, Self::K, Self::TOKENS);
        let scale = Scales::Tensor(0.5);
        let weights = TernaryMatrix::new(rows, k, Layout::T4, &self.codes, scale).unwrap();
        let Self { values, scales, sums, .. } = self;
        let x = QuantizedActs::new(tokens, k, None, values, scales, sums).unwrap();
        let mut y = vec![0.0; tokens * rows];
        kernels.ternary(&weights, &x, None, 0..rows, &mut y).unwrap();
        y
    }
}

#[test]
fn exploring_gives_the_same_bits() {
    let cpu = Cpu::detect();
    let (product, kernels) = (Product::new(), Kernels::new(&cpu));
    let expected = product.run(&Kernels::scalar());

    let (clock, mut tuner) = (Ticks(Cell::new(0)), Tuner::<1>::new(&cpu));
    for _ in 0..MOST_CALLS {
        let shape = Product::shape(1);
        assert_eq!(tuner.run(&clock, &kernels, shape, |kernels| product.run(kernels)), expected);
    }

    static SHARED: OnceLock<Shared<SystemClock, 4>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Shared::new(&cpu, SystemClock::default()));
    let kernels = kernels.selecting(shared, 2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while shared.progress() != (1, 1) {
                    assert_eq!(product.run(&kernels), expected);
                }
            });
        }
    });
    assert_eq!(shared.tuning().iter().next().unwrap().shape(), Product::shape(2));
}

#[test]
fn a_tuning_is_followed() {
    static TUNING: OnceLock<Tuning<4>> = OnceLock::new();
    let cpu = Cpu::detect();
    let names = variants();
    let wanted = names[names.len() - 1];
    let tuning = TUNING.get_or_init(|| {
        let mut tuner = Tuner::<4>::new(&cpu);
        let time = |name: &str| if name == wanted { 1 } else { 1_000_000 };
        tune(&mut tuner, Product::shape(1), time);
        tuner.tuning()
    });
    assert_eq!(tuning.iter().next().unwrap().variant(), wanted);
    let product = Product::new();
    let expected = product.run(&Kernels::scalar());
    // Its own shape; one that it does not know.
    for threads in [1, 2] {
        assert_eq!(product.run(&Kernels::new(&cpu).selecting(tuning, threads)), expected);
    }
}

/// A tuning with a few choices, as text.
fn text() -> String {
    let names = variants();
    let mut tuner = Tuner::<4>::new(&Cpu::detect());
    tune(&mut tuner, shape(16), |name| 100 + name.len() as u64);
    tune(&mut tuner, shape(32), |name| if name == names[0] { 7 } else { 3_333 });
    tune(&mut tuner, shape(51_865), |name| if name == names[0] { 3_333 } else { 7 });
    let mut text = String::new();
    tuner.tuning().write(DEVICE, &mut text).unwrap();
    text
}

fn parse(text: &str) -> Result<Tuning<4>, TuningError<'_>> {
    Tuning::parse(text, DEVICE, &Cpu::detect())
}

#[test]
fn text_comes_back_as_it_was() {
    let text = text();
    let tuning = parse(&text).unwrap();
    assert_eq!(tuning.len(), 3);
    let mut again = String::new();
    tuning.write(DEVICE, &mut again).unwrap();
    assert_eq!(again, text);
}

#[test]
fn every_cut_is_noticed() {
    let text = text();
    for len in 0..text.len() - 1 {
        assert!(parse(&text[..len]).is_err(), "{}", &text[..len]);
    }
    // A last line without its end is whole.
    assert!(parse(&text[..text.len() - 1]).is_ok());
}

#[test]
fn what_does_not_fit_is_refused() {
    let text = text();
    let name = variants()[0];
    let line = |rest: &str| format!("trit tuning 1\ndevice {DEVICE}\n{name} {rest}\nend 1\n");
    for (text, expected) in [
        (String::new(), TuningError::Magic),
        ("{}".into(), TuningError::Magic),
        ("trit tuning 2\n".into(), TuningError::Version { found: "2" }),
        ("trit tuning 1\n".into(), TuningError::Truncated),
        ("trit tuning 1\nx".into(), TuningError::Missing { line: 2, what: "the device" }),
        (text.replace(DEVICE, "another"), TuningError::Device { found: "another" }),
        (text.replace("end 3", "end 2"), TuningError::Truncated),
        (text.replace("end 3", "endless 3"), TuningError::Variant { line: 6, found: "endless" }),
        (text.clone() + "\n", TuningError::Truncated),
        (text.replace("end 3", "end"), TuningError::Missing { line: 6, what: "number of shapes" }),
        (
            text.replace("end 3", "end 3 4"),
            TuningError::Field { line: 6, what: "field of it", found: "4" },
        ),
        (text.replace("51865", "32"), TuningError::Twice { line: 5 }),
        (
            text.replace("51865", "-1"),
            TuningError::Field { line: 5, what: "number of rows", found: "-1" },
        ),
        (
            text.replace("51865", "99999999"),
            TuningError::Field { line: 5, what: "shape", found: name },
        ),
        (
            text.replacen(name, "ternary_t4_i8_f32__abacus", 1),
            TuningError::Variant { line: 3, found: "ternary_t4_i8_f32__abacus" },
        ),
        (
            line("16 64 3 1 1 - - 2 only"),
            TuningError::Field { line: 3, what: "shape", found: name },
        ),
        (
            line("16 64 1 1 nan - - 2 only"),
            TuningError::Field { line: 3, what: "cost", found: "nan" },
        ),
        (
            line("16 64 1 1 -2 - - 2 only"),
            TuningError::Field { line: 3, what: "cost", found: "-2" },
        ),
        (line("16 64 1 1 2 - 5 2 only"), TuningError::Field { line: 3, what: "rival", found: "-" }),
        (line("16 64 1 1 2 x - 2 only"), TuningError::Field { line: 3, what: "rival", found: "x" }),
        (line("16 64 1 1 2 x 5 2 only"), TuningError::Variant { line: 3, found: "x" }),
        (
            line(&format!("16 64 1 1 2 {name} 5 2 won")),
            TuningError::Variant { line: 3, found: name },
        ),
        (
            line("16 64 1 1 2 matmul_i8_i8_f32__scalar 5 2 won"),
            TuningError::Variant { line: 3, found: "matmul_i8_i8_f32__scalar" },
        ),
        (
            line("16 64 1 1 2 - - 200 only"),
            TuningError::Field { line: 3, what: "number of calls", found: "200" },
        ),
        (
            line("16 64 1 1 2 - - 9 best"),
            TuningError::Field { line: 3, what: "verdict", found: "best" },
        ),
        (
            line("16 64 1 1 2 - - 9 won"),
            TuningError::Field { line: 3, what: "verdict", found: "won" },
        ),
        (line("16 64 1 1 2 - - 9"), TuningError::Missing { line: 3, what: "the verdict" }),
        (
            line("16 64 1 1 2 - - 9 only, though"),
            TuningError::Field { line: 3, what: "verdict", found: "only," },
        ),
    ] {
        assert_eq!(parse(&text).unwrap_err(), expected, "{text}");
        assert!(!expected.to_string().is_empty());
    }
    let full = Tuning::<2>::parse(&text, DEVICE, &Cpu::detect());
    assert_eq!(full.unwrap_err(), TuningError::Full { most: 2 });
}

#[test]
fn a_variant_that_the_cpu_lacks_is_refused() {
    let names = variants();
    if names.len() > 1 {
        let text = text();
        let on_baseline = Tuning::<4>::parse(&text, DEVICE, &Cpu::baseline());
        assert!(matches!(on_baseline, Err(TuningError::Variant { line: 3, .. })));
    }
}

proptest! {
    /// Any text, and any damage to a good one, gives a tuning or an error, and an error can be shown.
    #[test]
    fn hostile_text_is_survived(noise in ".*", at in any::<prop::sample::Index>(), with in ".{0,3}") {
        prop_assert!(parse(&noise).is_err());
        let text = text();
        let at = at.index(text.len());
        let damaged = format!("{}{with}{}", &text[..at], &text[at + 1..]);
        if let Err(error) = parse(&damaged) {
            prop_assert!(error.to_string().len() < 600);
        }
    }
}
