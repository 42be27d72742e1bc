//! This core's ceilings and the kernels below them, as JSON: `cargo xtask roofline` shows it.
//!
//! `cargo bench -p trit-benches --bench roofline [-- --mib=MIB]` reads so many MiB at most, and has as
//! many of weights for products from memory: 512 unless said.

use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::time::Duration;

use trit_benches::roofline::{Multiply, Product, Read, Roofline};
use trit_benches::turns::Turns;
use trit_benches::{Acts, Weights};
use trit_core::Layout;
use trit_simd::probe::{self, Line};
use trit_simd::{Cpu, Kernels, Level, registry};

/// Rows and k of matrices for the second level of cache, and for the third.
const SHAPES: [(usize, usize); 3] = [(768, 768), (2560, 2560), (6912, 2560)];

/// Tokens of a product.
const TOKENS: [usize; 2] = [1, 128];

/// The matrix of which copies take turns, so that weights come from memory.
const STREAMED: (usize, usize) = (2560, 2560);

/// Bytes that are read: powers of two, from half of the smallest first cache there is.
const SMALLEST: usize = 8 << 10;

/// What to measure, and how long.
struct Extent {
    /// Bytes read, at most; and bytes of copies of the streamed matrix.
    most: usize,
    rounds: usize,
    /// Length of a measurement.
    least: Duration,
    /// Multiply-accumulates beyond which a scalar kernel is left out.
    scalar_most: usize,
    shapes: &'static [(usize, usize)],
}

/// MiB read unless said.
const MIB: usize = 512;

/// Adds to `turns` a reading of `lines` in so many streams.
fn read<'a, const STREAMS: usize>(turns: &mut Turns<'a>, cpu: Cpu, lines: &'a [Line]) {
    turns.add(move || {
        black_box(probe::read::<STREAMS>(&cpu, black_box(lines)));
    });
}

/// The clock, and what levels multiply, in the same turns.
fn multiply(cpu: &Cpu, extent: &Extent) -> (f64, Vec<Multiply>) {
    const ROUNDS: u64 = 10_000;
    let levels: Vec<_> = Level::ALL
        .into_iter()
        .filter_map(|level| Some((level, probe::multiply(cpu, level, 1)? * ROUNDS)))
        .collect();
    let mut turns = Turns::new(extent.least);
    turns.add(|| {
        probe::chain(ROUNDS);
    });
    for &(level, _) in &levels {
        turns.add(move || {
            probe::multiply(cpu, level, ROUNDS);
        });
    }
    (0..extent.rounds).for_each(|_| turns.round());
    let mut times = turns.times().into_iter().map(|times| times.least());
    let clock = probe::chain(ROUNDS) as f64 / times.next().unwrap_or(f64::INFINITY);
    let rated = levels.iter().zip(times).map(|((level, products), least)| Multiply {
        level: level.name().to_owned(),
        rate: *products as f64 / least,
    });
    (clock, rated.collect())
}

fn reads(cpu: &Cpu, extent: &Extent) -> Vec<Read> {
    // Those that read with vectors of their own.
    let levels = [Level::Avx512Vnni, Level::Avx2, Level::Scalar];
    let sizes = || (0..).map(|power| SMALLEST << power).take_while(|&bytes| bytes <= extent.most);
    let lines = vec![Line([1; 8]); sizes().last().unwrap_or(0) / size_of::<Line>()];
    let mut turns = Turns::new(extent.least);
    let mut what = Vec::new();
    for (level, cpu) in levels.into_iter().filter_map(|level| Some((level, cpu.at(level)?))) {
        for bytes in sizes() {
            let lines = &lines[..bytes / size_of::<Line>()];
            read::<1>(&mut turns, cpu, lines);
            read::<4>(&mut turns, cpu, lines);
            read::<8>(&mut turns, cpu, lines);
            what.extend([1, 4, 8].map(|streams| (level, bytes, streams)));
        }
    }
    (0..extent.rounds).for_each(|_| turns.round());
    let rated = what.into_iter().zip(turns.times()).map(|((level, bytes, streams), times)| Read {
        level: level.name().to_owned(),
        bytes,
        streams,
        rate: bytes as f64 / times.least(),
    });
    rated.collect()
}

/// Every ternary variant of `layout` that the CPU has, over `copies` of a matrix in turn. All variants
/// take their copies from one sequence, so that between two uses of a copy every other one is used. What
/// a variant computes is compared with the scalar one's before any is timed.
fn products(
    layout: Layout,
    (rows, k): (usize, usize),
    tokens: usize,
    copies: usize,
    extent: &Extent,
) -> Vec<Product> {
    let operation = match layout {
        Layout::T4 => "ternary_t4_",
        Layout::T5 => "ternary_t5_",
    };
    let (cpu, acts) = (Cpu::detect(), Acts::new(tokens, k));
    let kernels = Kernels::new(&cpu);
    let weights = vec![Weights::new(layout, rows, k); copies];
    let views: Vec<_> = weights.iter().map(Weights::view).collect();
    let mut expected = vec![0.0; tokens * rows];
    kernels
        .with(&format!("{operation}i8_f32__scalar"))
        .expect("every CPU has the scalar variant")
        .ternary(&views[0], &acts.view(), None, 0..rows, &mut expected)
        .expect("shapes fit");
    let codes = views[0].codes().len();
    let turn = Cell::new(0);
    let bytes = codes + tokens * (k + rows * size_of::<f32>());
    let mut turns = Turns::new(extent.least);
    let mut names = Vec::new();
    for (name, level) in registry::variants().filter(|(name, _)| name.starts_with(operation)) {
        if level == Level::Scalar && rows * k * tokens > extent.scalar_most {
            continue;
        }
        let Some(kernels) = kernels.with(name) else { continue };
        let (views, acts, turn) = (&views, &acts, &turn);
        let run = move |y: &mut [f32]| {
            let w = black_box(&views[turn.replace(turn.get() + 1) % views.len()]);
            let x = black_box(acts.view());
            kernels.ternary(w, &x, None, 0..rows, y).expect("shapes fit");
        };
        let mut y = vec![f32::NAN; tokens * rows];
        run(&mut y);
        assert!(y == expected, "{name} differs from the scalar variant");
        turns.add(move || run(&mut y));
        names.push(name);
    }
    (0..extent.rounds).for_each(|_| turns.round());
    let rated = names.into_iter().zip(turns.times()).map(|(name, times)| {
        let mut product = Product {
            kernel: name.to_owned(),
            rows,
            k,
            tokens,
            bytes,
            span: bytes + (copies - 1) * codes,
            rate: 0.0,
        };
        product.rate = product.macs() / times.least();
        product
    });
    rated.collect()
}

fn main() {
    // `cargo test` runs it as well, without this argument: then only to see that it works.
    let mib = env::args().find_map(|argument| Some(argument.strip_prefix("--mib=")?.to_owned()));
    let mib = mib.map_or(MIB, |mib| mib.parse().expect("a number of MiB"));
    let extent = if env::args().any(|argument| argument == "--bench") {
        let (most, least) = (mib << 20, Duration::from_millis(2));
        Extent { most, rounds: 9, least, scalar_most: 10_000_000, shapes: &SHAPES }
    } else {
        let (most, shapes) = (64 << 10, &SHAPES[..1]);
        Extent { most, rounds: 1, least: Duration::ZERO, scalar_most: 0, shapes }
    };
    let cpu = Cpu::detect();
    let (clock, multiply) = multiply(&cpu, &extent);
    let reads = reads(&cpu, &extent);
    let mut found = Roofline { clock: Some(clock), multiply, reads, products: Vec::new() };
    for layout in [Layout::T4, Layout::T5] {
        for &shape in extent.shapes {
            for tokens in TOKENS {
                found.products.extend(products(layout, shape, tokens, 1, &extent));
            }
        }
        let (rows, k) = STREAMED;
        let copies = extent.most * layout.tile_k() / (rows * k * 4) + 1;
        found.products.extend(products(layout, STREAMED, 1, copies, &extent));
    }
    println!("{}", serde_json::to_string(&found).expect("numbers and names are JSON"));
}
