//! Coverage cannot rot: every variant that this CPU can run is one that the properties of
//! `registry.rs` go through, and every level that it should have is found.
//!
//! Each variant is printed as `exercised LEVEL NAME`, for `cargo xtask matrix` to count.
//! `TRIT_EXPECT_LEVELS` lists the levels, by name and with commas, that the CPU has at least; an
//! emulated one is chosen to have them. Without it, the CPU's features are asked of Linux.

use std::collections::BTreeSet;

use trit_simd::{Cpu, Kernels, Level, Levels, registry};

/// The levels that the properties go through.
fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|&level| Cpu::detect().has(level))
}

#[test]
fn every_variant_for_this_cpu_is_exercised() {
    let cpu = Cpu::detect();
    let exercised: BTreeSet<_> =
        Kernels::every(&cpu).flat_map(|(_, kernels)| kernels.names()).collect();
    let mut report = String::new();
    for (name, level) in registry::variants().filter(|&(_, level)| cpu.has(level)) {
        assert!(exercised.contains(name), "{name} is in the registry and nobody gets it");
        report += &format!("exercised {level} {name}\n");
    }
    // In one piece, after a line that the test harness may have begun: it prints between two pieces.
    print!("\n{report}");
}

#[test]
fn every_expected_level_is_exercised() {
    let found: Vec<_> = levels().map(Level::name).collect();
    match std::env::var("TRIT_EXPECT_LEVELS") {
        Ok(expected) => {
            for level in expected.split(',').filter(|level| !level.is_empty()) {
                assert!(found.contains(&level), "{level} is expected; this CPU has {found:?}");
            }
        }
        Err(_) => match cpu_features() {
            Some(features) => {
                let expected = Levels::of(|feature| features.iter().any(|found| found == feature));
                assert_eq!(Cpu::detect().levels(), expected, "Linux says {features:?}");
            }
            None => println!("nobody says which levels this CPU should have: {found:?}"),
        },
    }
}

/// The CPU's features as Linux lists them, in the words of `#[target_feature]`.
fn cpu_features() -> Option<Vec<String>> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line =
        info.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"))?;
    let (_, words) = line.split_once(':')?;
    let word = |word: &str| match word {
        "asimd" => "neon".to_owned(),
        "asimddp" => "dotprod".to_owned(),
        _ => word.replace('_', ""),
    };
    Some(words.split_whitespace().map(word).collect())
}
