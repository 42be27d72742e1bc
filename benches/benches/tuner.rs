//! What the tuner gains on this machine: 20 shapes, each searched and then run by the default and by
//! the variant chosen, in turns.
//!
//! `cargo bench -p trit-benches --bench tuner [-- PART] [--level LEVEL]` takes the shapes whose line
//! contains the part, and a CPU held back to a level that it has.

use std::cell::RefCell;
use std::env;
use std::hint::black_box;
use std::time::Duration;

use trit_benches::turns::Turns;
use trit_benches::{Acts, SHAPES, Weights};
use trit_core::Layout;
use trit_simd::tune::{Operation, Shape, SystemClock, Tuner};
use trit_simd::{Cpu, Kernels, Level};

/// Layout, rows, k and tokens of 20 products.
fn products() -> Vec<(Layout, usize, usize, usize)> {
    let each = |layout, tokens| SHAPES.into_iter().map(move |(rows, k)| (layout, rows, k, tokens));
    let (t4, t5) = (Layout::T4, Layout::T5);
    let mut products: Vec<_> = each(t4, 1).chain(each(t5, 1)).chain(each(t4, 128)).collect();
    products.extend([(t4, 768, 768, 8), (t4, 768, 768, 1500)]);
    products
}

/// A measurement takes at least so long.
const LEAST: Duration = Duration::from_micros(200);

/// Medians of a call by each of two kernels, in seconds, from so many measurements in turns.
fn compare(kernels: [&Kernels; 2], runs: usize, call: impl FnMut(&Kernels)) -> [f64; 2] {
    let call = RefCell::new(call);
    let mut turns = Turns::new(LEAST);
    for kernels in kernels {
        turns.add(|| call.borrow_mut()(kernels));
    }
    (0..runs).for_each(|_| turns.round());
    let times = turns.times();
    [times[0].median(), times[1].median()]
}

fn main() {
    // `cargo test` runs it as well, without this argument: then only to see that it works.
    let (mut is_bench, mut part, mut level) = (false, String::new(), None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.split_once('=') {
            Some(("--level", name)) => level = Some(name.to_owned()),
            _ if argument == "--level" => level = Some(arguments.next().expect("a level's name")),
            _ if argument == "--bench" => is_bench = true,
            _ if argument.starts_with('-') => panic!("there is no option {argument}"),
            _ => part = argument,
        }
    }
    let (most, runs) = if is_bench { (usize::MAX, 101) } else { (1, 1) };
    let cpu = match level {
        None => Cpu::detect(),
        Some(name) => Level::ALL
            .into_iter()
            .find(|level| level.name() == name)
            .and_then(|level| Cpu::detect().at(level))
            .unwrap_or_else(|| panic!("this CPU has no level `{name}`")),
    };
    let clock = SystemClock::default();
    let kernels = Kernels::new(&cpu);
    let scalar = cpu.at(Level::Scalar).expect("every CPU has it");
    let scalar = Kernels::new(&scalar);
    let mut tuner = Tuner::<32>::new(&cpu);
    println!(
        "{:24}{:>6}{:>12}{:>12}{:>7}  {:36}{:36}",
        "product", "calls", "default", "tuned", "ratio", "default", "runs"
    );
    let named = products().into_iter().map(|product| {
        let (layout, rows, k, tokens) = product;
        (format!("{layout:?} {rows}x{k} M={tokens}"), product)
    });
    let named: Vec<_> = named.filter(|(name, _)| name.contains(&part)).take(most).collect();
    assert!(!named.is_empty(), "no product's line contains `{part}`");
    for (name, (layout, rows, k, tokens)) in named {
        let (weights, acts) = (Weights::new(layout, rows, k), Acts::new(tokens, k));
        let product = |kernels: &Kernels, y: &mut [f32]| {
            let (weights, acts) = (weights.view(), acts.view());
            kernels
                .ternary(black_box(&weights), black_box(&acts), None, 0..rows, y)
                .expect("shapes fit");
        };
        let mut y = vec![0.0; tokens * rows];
        let mut call = |kernels: &Kernels| product(kernels, &mut y);
        let shape = Shape::new(Operation::ternary(layout), rows, k, tokens, 1);
        let choice = loop {
            tuner.run(&clock, &kernels, shape, &mut call);
            if let Some(choice) = tuner.choices().find(|choice| choice.shape() == shape) {
                break choice;
            }
        };
        let tuned = kernels.with(choice.variant()).unwrap_or(kernels);
        let [expected, by_default, by_choice] = [&scalar, &kernels, &tuned].map(|kernels| {
            let mut y = vec![f32::NAN; tokens * rows];
            product(kernels, &mut y);
            y
        });
        assert!(expected == by_default && expected == by_choice, "{name}: variants differ");
        let [default, chosen] = compare([&kernels, &tuned], runs, &mut call);
        println!(
            "{name:24}{:>6}{:>9.2} µs{:>9.2} µs{:>7.3}  {:36}{:36}",
            choice.calls(),
            default * 1e6,
            chosen * 1e6,
            default / chosen,
            choice.default(),
            choice.variant(),
        );
    }
}
