//! `cargo xtask names`: the grammar of kernels' names, checked.
//!
//! `{op}_{weights}_{acts}_{out}__{isa}[_{insn}][_{design}][_{tile}]`: the operation and its three
//! operands' types, then the level (an instruction set and, where it takes more, the instruction)
//! and, where a level has several variants of one operation, what tells them apart: the design, a
//! word, or the tile of rows × tokens.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use trit_simd::{Level, registry};

/// Formats of weights; `none` where an operation has none.
const WEIGHTS: &[&str] = &["t4", "t5", "i4", "i8", "f16", "f32", "u7", "none"];
/// Types of activations; `none` where an operation has none.
const ACTS: &[&str] = &["i8", "f32", "none"];
/// Types of results; T4 of a conversion of layouts, 7-bit codes of keys and values.
const RESULTS: &[&str] = &["i8", "u7", "f32", "t4"];

/// A kernel's name, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) operation: &'a str,
    pub(crate) weights: &'a str,
    pub(crate) acts: &'a str,
    pub(crate) out: &'a str,
    /// What the variant does in another way than the others of its level.
    pub(crate) design: Option<&'a str>,
    /// Rows and tokens, where the name says them.
    pub(crate) tile: Option<(u32, u32)>,
}

/// Checks the names of every variant on any architecture.
pub(crate) fn run() -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut operations = BTreeSet::new();
    for (name, level) in registry::catalogue() {
        let parsed = parse(name, level).with_context(|| format!("the kernel name {name}"))?;
        operations.insert((parsed.operation, parsed.weights, parsed.acts, parsed.out));
        ensure!(seen.insert(name), "two kernels are named {name}");
    }
    println!("{} names of {} operations follow the grammar", seen.len(), operations.len());
    Ok(())
}

/// Takes apart the name of a variant for `level`.
pub(crate) fn parse(name: &str, level: Level) -> Result<Name<'_>> {
    let (what, how) = name.split_once("__").context("has no `__` before its instruction set")?;
    let [operation, weights, acts, out] = what.split('_').collect::<Vec<_>>()[..] else {
        bail!("`{what}` is not `op_weights_acts_out`");
    };
    ensure!(is_word(operation), "`{operation}` is not a word of small letters and digits");
    ensure!(WEIGHTS.contains(&weights), "`{weights}` is no format of weights");
    ensure!(ACTS.contains(&acts), "`{acts}` is no type of activations");
    ensure!(RESULTS.contains(&out), "`{out}` is no type of results");
    ensure!(
        (1..=2).contains(&level.name().split('_').count()),
        "the level `{level}` is not `isa` or `isa_insn`"
    );
    let rest = how.strip_prefix(level.name()).with_context(|| format!("is not for `{level}`"))?;
    let parts: Vec<_> = rest.split('_').collect();
    let (design, tile) = match parts[..] {
        [""] => (None, None),
        ["", design] if is_word(design) => (Some(design), None),
        ["", tile] => (None, Some(parse_tile(tile)?)),
        ["", design, tile] if is_word(design) => (Some(design), Some(parse_tile(tile)?)),
        _ => bail!("has `{rest}` after its level"),
    };
    Ok(Name { operation, weights, acts, out, design, tile })
}

fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Rows and tokens.
fn parse_tile(tile: &str) -> Result<(u32, u32)> {
    let (rows, tokens) = tile.split_once('x').context("a tile is ROWSxTOKENS")?;
    Ok((rows.parse()?, tokens.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_taken_apart() {
        let name = parse("ternary_t4_i8_f32__avx2_16x4", Level::Avx2).unwrap();
        let (operation, weights, acts, out) = ("ternary", "t4", "i8", "f32");
        let tile = Some((16, 4));
        assert_eq!(name, Name { operation, weights, acts, out, design: None, tile });
        let name = parse("ternary_t4_i8_f32__avx2_lookup_16x4", Level::Avx2).unwrap();
        assert_eq!((name.design, name.tile), (Some("lookup"), tile));
        let name = parse("ternary_t4_i8_f32__avx2_lookup", Level::Avx2).unwrap();
        assert_eq!((name.design, name.tile), (Some("lookup"), None));
        let name = parse("add_none_f32_f32__scalar", Level::Scalar).unwrap();
        assert_eq!((name.design, name.tile), (None, None));
    }

    #[test]
    fn bad_names_are_refused() {
        for name in [
            "ternary_t4_i8_f32_avx2",
            "ternary_t4_i8__avx2",
            "ternary_t9_i8_f32__avx2",
            "ternary_t4_i7_f32__avx2",
            "ternary_t4_i8_u8__avx2",
            "Ternary_t4_i8_f32__avx2",
            "ternary_t4_i8_f32__neon",
            "ternary_t4_i8_f32__avx2x",
            "ternary_t4_i8_f32__avx2_16",
            "ternary_t4_i8_f32__avx2_16x",
            "ternary_t4_i8_f32__avx2_",
            "ternary_t4_i8_f32__avx2_Lookup",
            "ternary_t4_i8_f32__avx2_16x4_lookup",
            "ternary_t4_i8_f32__avx2_lookup_table",
            "ternary_t4_i8_f32__avx2_lookup_16x4_2",
        ] {
            assert!(parse(name, Level::Avx2).is_err(), "{name}");
        }
    }
}
