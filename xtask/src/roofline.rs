//! `cargo xtask roofline`: what this core can do, how near each ternary kernel comes, and a plot.
//!
//! The benchmark `roofline` measures. A kernel's ceiling is the lower of two:
//!
//! * what its level's multiply-accumulate instructions do in registers alone; for the design `lookup`,
//!   which has none, what its loads allow;
//! * its multiply-accumulates for a byte of weights, activations and outputs, each moved once, times
//!   the bytes a second that a plain loop reads at best from as large a piece of memory or a larger one.
//!
//! A cycle is one operation of a chain of dependent additions and exclusive-ors.
//!
//! Unpacking, broadcasts and scales count for nothing in it, so no kernel can reach it.

mod plot;

use std::path::{self, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use trit_benches::roofline::{Multiply, Product, Roofline};
use trit_simd::{Level, registry};
use xshell::{Shell, cmd};

use crate::machine::Machine;
use crate::{record, workspace_root};

/// What to do; measuring, recording and drawing unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Show and draw what was recorded, and measure nothing
    #[arg(long)]
    recorded: bool,
    /// Where the plot goes instead of beside the record
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Name of the record instead of the CPU's: for several machines with one CPU
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// The record of one machine.
#[derive(Serialize, Deserialize)]
struct Record {
    machine: Machine,
    roofline: Roofline,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let machine = Machine::here()?;
    let name = arguments.name.clone().unwrap_or_else(|| machine.slug());
    let json = record::path(&format!("{name}-roofline.json"))?;
    let page = record::path(&format!("{name}-roofline.md"))?;
    let svg = match &arguments.svg {
        Some(path) => path::absolute(path)?,
        None => record::path(&format!("{name}-roofline.svg"))?,
    };
    let record = if arguments.recorded {
        let text = fs::read_to_string(&json)
            .with_context(|| format!("reading {}: nothing is recorded", json.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no record", json.display()))?
    } else {
        record::ensure_of(&machine, &page)?;
        let shell = Shell::new()?;
        shell.change_dir(workspace_root()?);
        let mib = format!("--mib={}", machine.mib_beyond_caches());
        let output = cmd!(shell, "cargo bench -p trit-benches --bench roofline -- {mib}").read()?;
        let roofline = serde_json::from_str(&output).context("the benchmark's output")?;
        let record = Record { machine, roofline };
        record::write(&json, &(serde_json::to_string_pretty(&record)? + "\n"))?;
        record
    };
    let tables = tables(&record);
    let how = "Written by `cargo xtask roofline`; one thread, the best of several rounds.";
    record::write(&page, &format!("{}\n{tables}", record::head(&record.machine, how)))?;
    println!("{tables}");
    record::write(&svg, &plot::draw(&record.machine, &record.roofline)?)?;
    println!("recorded in {}, drawn in {}", page.display(), svg.display());
    Ok(())
}

/// What bounds a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Multiply,
    Loads,
    Memory,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multiply => "multiplying",
            Self::Loads => "loads from tables",
            Self::Memory => "memory",
        })
    }
}

/// Multiply-accumulates for a byte that the design `lookup` loads from the first cache: for a row, the
/// quads of a chunk and 32 tokens, a vector of 32 sums of 16 bits from each quad's table and one of the
/// row's own (`trit-simd/src/registry.rs` says how many quads).
fn lookup_intensity(level: Level) -> f64 {
    let quads = if level == Level::Dotprod { 16.0 } else { 8.0 };
    quads * 4.0 * 32.0 / ((quads + 1.0) * 64.0)
}

/// Bytes of which first caches hold as many or more, but for the smallest.
const FIRST_CACHE: usize = 32 << 10;

/// The level whose vectors a kernel reads with: the best of those that were measured and that a CPU
/// with its level has.
fn reading_level(roofline: &Roofline, level: Level) -> Option<Level> {
    let measured = |level: &Level| roofline.reads.iter().any(|read| read.level == level.name());
    Level::ALL.into_iter().filter(measured).find(|&reading| level.levels().has(reading))
}

/// Bytes a second that are read at best from a piece of memory of `span` bytes, or the next smaller
/// one that was measured. What is read from a larger piece counts as well, as a smaller one is no slower
/// by nature; so does all that the first cache holds for what it holds.
fn bandwidth(roofline: &Roofline, level: Level, span: usize) -> Option<f64> {
    let level = reading_level(roofline, level)?.name();
    let reads = || roofline.reads.iter().filter(|read| read.level == level);
    let bytes = reads().map(|read| read.bytes).filter(|&bytes| bytes <= span).max()?;
    let bytes = if bytes <= FIRST_CACHE { 0 } else { bytes };
    reads().filter(|read| read.bytes >= bytes).map(|read| read.rate).max_by(f64::total_cmp)
}

/// The kernel's ceiling in multiply-accumulates a second, and what makes it; `None` for levels without
/// one, and below the smallest memory measured.
fn ceiling(roofline: &Roofline, product: &Product) -> Option<(f64, Bound)> {
    let (_, level) = registry::variants().find(|(name, _)| *name == product.kernel)?;
    // One token does not pay for tables; it goes to the level's first design.
    let compute = if product.kernel.ends_with("_lookup") && product.tokens > 1 {
        (bandwidth(roofline, level, FIRST_CACHE)? * lookup_intensity(level), Bound::Loads)
    } else {
        let same = |multiply: &&Multiply| multiply.level == level.name();
        (roofline.multiply.iter().find(same)?.rate, Bound::Multiply)
    };
    let memory = bandwidth(roofline, level, product.span)? * product.intensity();
    Some(if memory < compute.0 { (memory, Bound::Memory) } else { compute })
}

/// A size in whole MiB, or KiB where those would say too little.
fn size(bytes: usize) -> String {
    if bytes.is_multiple_of(1 << 20) || bytes >= 10 << 20 {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} KiB", bytes >> 10)
    }
}

/// Everything as Markdown: the clock, multiplying, reading, kernels.
fn tables(Record { roofline, .. }: &Record) -> String {
    let clock = roofline.clock;
    let a_cycle =
        |rate: f64| clock.map_or("–".to_owned(), |clock| format!("{:.1}", rate / clock));
    let mut out = match clock {
        Some(clock) => format!(
            "A cycle is one of {:.3} G dependent additions and exclusive-ors a second.\n\n",
            clock / 1e9
        ),
        None => String::new(),
    };
    out += "| multiply-accumulates in registers | G a second | a cycle |\n|---|---:|---:|\n";
    for Multiply { level, rate } in &roofline.multiply {
        out += &format!("| {level} | {:.0} | {} |\n", rate / 1e9, a_cycle(*rate));
    }

    let mut levels: Vec<_> = roofline.reads.iter().map(|read| &read.level).collect();
    levels.dedup();
    for level in levels {
        out += &format!(
            "\n| read with {level} vectors, GB/s | 1 stream | 4 streams | 8 streams |\n|---|---:|---:|---:|\n"
        );
        let reads: Vec<_> = roofline.reads.iter().filter(|read| read.level == *level).collect();
        for same in reads.chunk_by(|a, b| a.bytes == b.bytes) {
            let rates: Vec<_> = same.iter().map(|read| format!("{:.1}", read.rate / 1e9)).collect();
            out += &format!("| {} | {} |\n", size(same[0].bytes), rates.join(" | "));
        }
    }

    out += "\n| kernel | rows × k | tokens | weights in | MAC a byte | GMAC/s | products a cycle | ceiling | of it | lower ceiling |\n\
            |---|---|---:|---:|---:|---:|---:|---:|---:|---|\n";
    let mut beyond = false;
    let mut products: Vec<_> = roofline.products.iter().collect();
    products.sort_by(|a, b| {
        let what = |p: &Product| (p.rows, p.k, p.tokens, p.span > p.bytes);
        what(a).cmp(&what(b)).then(b.rate.total_cmp(&a.rate))
    });
    for product in products {
        let (ceiling, share, bound) = match ceiling(roofline, product) {
            Some((ceiling, bound)) => {
                let share = (product.rate / ceiling * 100.0).round();
                beyond |= share > 100.0;
                (format!("{:.0}", ceiling / 1e9), format!("{share} %"), bound.to_string())
            }
            None => ["–"; 3].map(str::to_owned).into(),
        };
        out += &format!(
            "| `{}` | {} × {} | {} | {} | {:.1} | {:.1} | {} | {ceiling} | {share} | {bound} |\n",
            product.kernel,
            product.rows,
            product.k,
            product.tokens,
            size(product.span),
            product.intensity(),
            product.rate / 1e9,
            a_cycle(product.rate),
        );
    }
    if beyond {
        out += "\nMore than 100 %: the ceiling was measured too low there, as the clock was slower meanwhile or the \
                loop does not read as fast as the memory allows.\n";
    }
    out
}

#[cfg(test)]
mod tests {
    use trit_benches::roofline::Read;

    use super::*;

    /// A machine that multiplies 100 G a second and reads 64 GB/s from its cache, 10 from memory.
    fn machine() -> Roofline {
        let read = |bytes, streams, rate| Read { level: "avx2".to_owned(), bytes, streams, rate };
        Roofline {
            clock: Some(2e9),
            multiply: vec![Multiply { level: "avx2".to_owned(), rate: 100e9 }],
            reads: vec![
                read(8 << 10, 1, 60e9),
                read(8 << 10, 8, 64e9),
                read(1 << 20, 1, 10e9),
                read(1 << 20, 8, 9e9),
                read(2 << 20, 1, 8e9),
            ],
            products: vec![],
        }
    }

    fn product(kernel: &str, tokens: usize, span: usize) -> Product {
        let (rows, k) = (768, 768);
        let kernel = kernel.to_owned();
        Product { kernel, rows, k, tokens, bytes: rows * k / 4, span, rate: 50e9 }
    }

    #[test]
    fn the_lower_ceiling_counts() {
        let of = |kernel, tokens, span| ceiling(&machine(), &product(kernel, tokens, span));
        let first = "ternary_t4_i8_f32__avx2";
        assert_eq!(of(first, 1, 1 << 20), Some((40e9, Bound::Memory)));
        assert_eq!(of(first, 1, 2 << 20), Some((32e9, Bound::Memory)));
        assert_eq!(of(first, 1, 9 << 10), Some((100e9, Bound::Multiply)));
        assert_eq!(of(first, 128, 1 << 20), Some((100e9, Bound::Multiply)));
        let (loads, bound) = of("ternary_t4_i8_f32__avx2_lookup", 128, 1 << 20).unwrap();
        assert_eq!((loads.round(), bound), ((64e9f64 * 1024.0 / 576.0).round(), Bound::Loads));
        assert_eq!(of(first, 1, 1 << 10), None);
        assert_eq!(of("ternary_t4_i8_f32__scalar", 1, 1 << 20), None);
        assert_eq!(of("another", 1, 1 << 20), None);
    }

    #[test]
    fn reading_is_no_slower_from_smaller_memory() {
        let mut roofline = machine();
        let mut add = |bytes, rate| {
            roofline.reads.push(Read { level: "avx2".to_owned(), bytes, streams: 1, rate });
        };
        add(16 << 10, 70e9);
        add(32 << 10, 65e9);
        add(64 << 10, 20e9);
        add(128 << 10, 30e9);
        let at = |span| bandwidth(&roofline, Level::Avx2, span).unwrap();
        assert_eq!([8, 16, 32, 60].map(|kib| at(kib << 10)), [70e9; 4]);
        assert_eq!([64, 128, 1024].map(|kib| at(kib << 10)), [30e9, 30e9, 10e9]);
    }

    #[test]
    fn tables_and_plot_show_what_was_measured() {
        let mut roofline = machine();
        roofline.products.push(product("ternary_t4_i8_f32__avx2", 128, 147 << 10));
        let mut record = Record { machine: Machine::here().unwrap(), roofline };
        let tables = super::tables(&record);
        assert!(tables.contains("A cycle is one of 2.000 G dependent additions"), "{tables}");
        assert!(tables.contains("| avx2 | 100 | 50.0 |"), "{tables}");
        assert!(tables.contains("| 1 MiB | 10.0 | 9.0 |"), "{tables}");
        assert!(
            tables.contains(
                "| 768 × 768 | 128 | 147 KiB | 512.0 | 50.0 | 25.0 | 100 | 50 % | multiplying |"
            ),
            "{tables}"
        );
        assert!(!tables.contains("100 %:"), "{tables}");
        record.roofline.clock = None;
        record.roofline.products[0].rate = 120e9;
        let tables = super::tables(&record);
        assert!(tables.contains("| 120.0 | – | 100 | 120 % |"), "{tables}");
        assert!(tables.contains("More than 100 %:"), "{tables}");
        let svg = plot::draw(&record.machine, &record.roofline).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("avx2"));
        plot::draw(&record.machine, &Roofline::default()).unwrap();
    }
}
