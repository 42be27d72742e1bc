//! `cargo xtask kernels`: the table of every variant in docs/kernels.md, from the registry.

use std::fmt::Write;

use anyhow::{Result, ensure};
use trit_core::{MAX_INT4_K, MAX_INT8_K, MAX_TERNARY_K, TILE_ROWS};
use trit_simd::{Level, registry};

use crate::names::{self, Name};
use crate::page;

/// What to do with the table.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Compare it with the page instead of writing it
    #[arg(long)]
    check: bool,
}

const PAGE: &str = "docs/kernels.md";
const TASK: &str = "cargo xtask kernels";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let table = table()?;
    if arguments.check {
        let current = page::is_current(PAGE, TASK, &table)?;
        ensure!(current, "the table in {PAGE} is old: run `{TASK}`");
    } else if page::replace(PAGE, TASK, &table)? {
        println!("wrote {PAGE}");
    }
    Ok(())
}

fn table() -> Result<String> {
    let mut table = String::from(
        "| variant | weights' layout | tile | bound | needs |\n\
         |---|---|---|---|---|\n",
    );
    for (name, level) in registry::catalogue() {
        let parsed = names::parse(name, level)?;
        let weights = parsed.weights;
        let tile = tile(&parsed, level)
            .map_or("–".to_owned(), |(rows, tokens)| format!("{rows} × {tokens}"));
        let bound =
            bound(weights).map_or("–".to_owned(), |k| format!("k ≤ 2{}", superscript(k.ilog2())));
        let (layout, needs) = (layout(weights), needs(level));
        writeln!(table, "| `{name}` | {layout} | {tile} | {bound} | {needs} |")?;
    }
    Ok(table)
}

/// How weights lie in memory, by their part of the name.
fn layout(weights: &str) -> &'static str {
    match weights {
        "t4" => "T4: 64-byte tiles of 16 rows × 16 inputs",
        "t5" => "T5: 64-byte tiles of 16 rows × 20 inputs",
        "u7" => "7-bit codes: tiles of 16 positions or columns × 4",
        "i4" => "I4: tiles of 16 rows, scales by group",
        "none" => "–",
        _ => "row-major",
    }
}

/// Rows and tokens of a product's largest tile. A batch that does not divide ends in smaller ones,
/// down to one token.
fn tile(name: &Name<'_>, level: Level) -> Option<(u32, u32)> {
    match (name.operation, name.weights) {
        _ if name.tile.is_some() => name.tile,
        // The sums of the block of `ops/lookup.rs`: of one row, or two where assembly adds them up.
        _ if name.design == Some("lookup") => match level {
            Level::Neon | Level::Dotprod => Some((2, 32)),
            _ => Some((1, 32)),
        },
        ("ternary", _) | (_, "i4") => Some((TILE_ROWS as u32, level.tokens() as u32)),
        // The blocks of `ops/int8.rs`.
        ("matmul", "i8") => Some((4, if level.tokens() == 8 { 4 } else { 2 })),
        // The tiles of `float/dense.rs`.
        ("matmul", _) => match level {
            Level::Avx2 => Some((4, 2)),
            Level::Simd128 | Level::Scalar => Some((2, 4)),
            _ => Some((4, 4)),
        },
        _ => None,
    }
}

/// The most inputs for which every integer sum is exact, by the weights' part of the name.
fn bound(weights: &str) -> Option<usize> {
    match weights {
        "t4" | "t5" => Some(MAX_TERNARY_K),
        "i8" | "u7" => Some(MAX_INT8_K),
        "i4" => Some(MAX_INT4_K),
        _ => None,
    }
}

fn needs(level: Level) -> String {
    match level.features() {
        [] => "nothing".to_owned(),
        features => features.join(", "),
    }
}

/// A power of two's exponent, set high.
fn superscript(exponent: u32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = exponent.to_string();
    digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}
