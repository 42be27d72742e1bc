//! The test matrix: every leg, what it proves and what it needs to run; and the mutations that the
//! tests must catch.
//!
//! This crate is data. `xtask` runs it on the machine at hand; people with Docker run the emulated
//! 64-bit ARM through `cross`, for glibc where these legs are for musl (see `Cross.toml`). A leg that
//! is not listed here is not tested.

mod legs;
mod mutations;

pub use legs::{LEGS, MIRI_SKIPS, PROCESSES};
pub use mutations::{MUTATIONS, Mutation};

/// One leg of the matrix: a fixed piece of work for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Short name, as given to `--only`.
    pub name: &'static str,
    /// What a pass proves, for the summary.
    pub proves: &'static str,
    /// Whether `cargo xtask test` leaves it to `cargo xtask matrix`.
    pub full_only: bool,
    /// Where it is built for and how it runs.
    pub place: Place,
    /// What runs there.
    pub work: Work,
}

/// What a leg runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Cargo command lines, without `cargo` and `--target`.
    Commands(&'static [&'static [&'static str]]),
    /// Everything `cargo test` finds in the workspace.
    AllTests,
    /// These integration tests of the crates that compute, and on an emulated CPU their unit tests
    /// too. `coverage` is among them and finds every level of `levels`, by the names they have in
    /// kernels' names.
    Tests {
        /// Integration tests.
        names: &'static [&'static str],
        /// Levels that must have been exercised.
        levels: &'static [&'static str],
    },
    /// Every target of `fuzz/Cargo.toml`, each for this many seconds.
    Fuzz {
        /// Seconds for each target.
        seconds: u32,
    },
}

/// Where a leg's binaries run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Host,
    /// Compiled or checked for another target and not run.
    BuildOnly(&'static str),
    /// Under the qemu-user emulator, as a certain CPU.
    Emulated {
        /// Architecture of the CPU, as in `std::env::consts::ARCH`.
        arch: &'static str,
        /// Rust target triple where `arch` is not this machine's; one whose linker comes with
        /// rustc, so that no cross gcc is needed.
        target: &'static str,
        /// Emulator program (`-static` may follow its name).
        emulator: &'static str,
        /// CPU model and its properties, in the emulator's words.
        cpu: &'static str,
    },
    /// WebAssembly with simd128 under Node's WASI.
    Wasi,
    /// In Miri, the interpreter that finds undefined behaviour; needs a nightly toolchain.
    Miri,
    /// Under libFuzzer; needs cargo-fuzz.
    Fuzzer,
}

/// The leg called `name`.
pub fn leg(name: &str) -> Option<&'static Leg> {
    LEGS.iter().find(|leg| leg.name == name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for wanted in LEGS {
            assert_eq!(leg(wanted.name), Some(wanted));
        }
        assert_eq!(leg("no such leg"), None);
    }

    /// A new integration test is run under every CPU, or is listed as one that cannot be.
    #[test]
    fn every_integration_test_is_in_the_matrix() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let listed = |name: &str| {
            PROCESSES.contains(&name)
                || LEGS.iter().any(
                    |leg| matches!(leg.work, Work::Tests { names, .. } if names.contains(&name)),
                )
        };
        for package in ["trit-core", "trit-simd", "trit-whisper"] {
            for entry in std::fs::read_dir(root.join(package).join("tests")).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                let is_file = path.extension().is_some_and(|extension| extension == "rs");
                if is_file || path.join("main.rs").exists() {
                    assert!(listed(name), "{package}/tests/{name} is in no list of ci/src");
                }
            }
        }
    }

    #[test]
    fn coverage_runs_wherever_levels_are_listed() {
        for leg in LEGS {
            if let Work::Tests { names, levels } = leg.work {
                assert!(names.contains(&"coverage") && levels.contains(&"scalar"), "{}", leg.name);
            }
        }
    }
}
