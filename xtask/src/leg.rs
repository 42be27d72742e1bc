//! Runs one leg of the matrix.

use std::collections::BTreeSet;
use std::env::consts;

use anyhow::{Context, Result, bail, ensure};
use trit_ci::{Leg, MIRI_SKIPS, Place, Work};
use xshell::{Shell, cmd};

use crate::needs;

/// The variants of kernels that a leg's tests found to run, from the lines of the test `coverage`.
#[derive(Debug)]
pub(crate) struct Coverage {
    /// How many variants.
    pub(crate) variants: usize,
    /// Their levels.
    pub(crate) levels: BTreeSet<String>,
}

/// Runs `leg` with `cases` cases for each property, and tells which kernels its tests exercised.
///
/// # Errors
/// A command fails, a level is missing, or, as [`needs::Missing`], the leg cannot run here.
pub(crate) fn run(shell: &Shell, leg: &Leg, cases: u32) -> Result<Option<Coverage>> {
    match leg.name {
        "fmt" => needs::rust_component(shell, "rustfmt", "fmt")?,
        "clippy" => needs::rust_component(shell, "clippy", "clippy")?,
        // For libFuzzer.
        "fuzz-targets" => needs::cpp_compiler()?,
        _ => {}
    }
    let cargo = Cargo::new(shell, &leg.place)?;
    match leg.work {
        Work::Commands(commands) => {
            for command in commands {
                cargo.run(shell, command)?;
            }
            Ok(None)
        }
        Work::AllTests => {
            let _cases = shell.push_env("PROPTEST_CASES", cases.to_string());
            cargo.run(shell, &["test", "--profile", "checked", "--workspace"])?;
            coverage(shell, &cargo, &[]).map(Some)
        }
        Work::Tests { names, levels } => {
            let cases = if leg.place == Place::Miri { MIRI_CASES } else { cases };
            let _cases = shell.push_env("PROPTEST_CASES", cases.to_string());
            let _levels = shell.push_env("TRIT_EXPECT_LEVELS", levels.join(","));
            let mut command = cargo.tests.to_vec();
            if matches!(leg.place, Place::Emulated { .. }) {
                command.push("--lib");
            }
            command.extend(names.iter().flat_map(|name| ["--test", name]));
            if leg.place == Place::Miri {
                command.push("--");
                command.extend(MIRI_SKIPS.iter().flat_map(|name| ["--skip", name]));
            }
            cargo.run(shell, &command)?;
            coverage(shell, &cargo, levels).map(Some)
        }
        Work::Fuzz { seconds } => {
            for target in cargo.command(shell, &["list"]).read()?.lines() {
                let time = format!("-max_total_time={seconds}");
                let dictionary = format!("fuzz/dict/{target}.dict");
                let option = format!("-dict={dictionary}");
                let mut command = [&["run", target, "--", &time][..], FUZZER_LIMITS].concat();
                if shell.path_exists(&dictionary) {
                    command.push(&option);
                }
                cargo.run(shell, &command)?;
            }
            Ok(None)
        }
    }
}

/// Cases of a property under Miri, which is some thousand times slower than the CPU.
pub(crate) const MIRI_CASES: u32 = 2;

/// An input that takes more seconds or megabytes than these is a finding.
const FUZZER_LIMITS: &[&str] = &["-timeout=5", "-rss_limit_mb=512", "-malloc_limit_mb=256"];

/// How cargo is called for a place.
pub(crate) struct Cargo {
    /// What comes before the subcommand.
    before: &'static [&'static str],
    target: Option<&'static str>,
    /// The command that tests the crates that compute, without the tests' names. On this machine's
    /// architecture it is for the whole workspace, so that dependencies have the same features in
    /// every leg and are compiled once.
    tests: &'static [&'static str],
    environment: Vec<(String, String)>,
}

/// On another architecture: without the benchmarks, which need its C compiler.
const FOREIGN_TESTS: &[&str] = &[
    "test",
    "--profile",
    "checked",
    "--package=trit-format",
    "--package=trit-simd",
    "--package=trit-whisper",
];

const WASM: &str = "wasm32-wasip1";

impl Cargo {
    /// Finds, or installs, what `place` needs.
    ///
    /// # Errors
    /// Something is missing, as [`needs::Missing`] where it may be.
    pub(crate) fn new(shell: &Shell, place: &Place) -> Result<Self> {
        let mut cargo = Self {
            before: &[],
            target: None,
            tests: &["test", "--profile", "checked", "--workspace"],
            environment: vec![("RUSTDOCFLAGS".to_owned(), "-D warnings".to_owned())],
        };
        let mut setting = |target: &str, what: &str, value: String| {
            let target = target.to_uppercase().replace('-', "_");
            cargo.environment.push((format!("CARGO_TARGET_{target}_{what}"), value));
        };
        match *place {
            Place::Host => {}
            Place::BuildOnly(target) => {
                needs::rust_target(shell, target)?;
                cargo.target = Some(target);
            }
            Place::Emulated { arch, target, emulator, cpu } => {
                let emulator = needs::emulator(shell, emulator)?;
                let runner = format!("{emulator} -cpu {cpu}");
                if arch == consts::ARCH {
                    // The host's own binaries, already built, as on an older CPU.
                    setting(&needs::host_target(shell)?, "RUNNER", runner);
                } else {
                    needs::rust_target(shell, target)?;
                    setting(target, "RUNNER", runner);
                    setting(target, "LINKER", "rust-lld".to_owned());
                    cargo.target = Some(target);
                    cargo.tests = FOREIGN_TESTS;
                }
            }
            Place::Wasi => {
                needs::node(shell)?;
                needs::rust_target(shell, WASM)?;
                let script = shell.current_dir().join("ci/wasi.mjs");
                setting(WASM, "RUNNER", format!("node --no-warnings {}", script.display()));
                setting(WASM, "RUSTFLAGS", "-C target-feature=+simd128".to_owned());
                cargo.target = Some(WASM);
                cargo.tests = &[
                    "test",
                    "--profile",
                    "checked",
                    "--package=trit-simd",
                    "--package=trit-whisper",
                    "--no-default-features",
                    "--features=trit-simd/std,trit-whisper/std",
                ];
            }
            Place::Miri => {
                needs::miri(shell)?;
                cargo.before = &["+nightly", "miri"];
                cargo.tests = &["test", "--package=trit-format", "--package=trit-simd"];
                // For the clock and the files of proptest.
                let isolation = ("MIRIFLAGS".to_owned(), "-Zmiri-disable-isolation".to_owned());
                cargo.environment.push(isolation);
                if consts::ARCH == "x86_64" {
                    // Miri asks no CPU: what the code is compiled for is what it has. All that the level
                    // `avx2` needs.
                    let features = "-C target-feature=+avx2,+f16c".to_owned();
                    cargo.environment.push(("RUSTFLAGS".to_owned(), features));
                }
            }
            Place::Fuzzer => {
                needs::fuzzer(shell)?;
                cargo.before = &["fuzz"];
                // The pinned compiler, allowed the options that sanitizers and coverage take.
                // What is freed and kept for a while would count against the memory limit.
                let environment =
                    [("RUSTC_BOOTSTRAP", "1"), ("ASAN_OPTIONS", "quarantine_size_mb=16")];
                cargo
                    .environment
                    .extend(environment.map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
        }
        Ok(cargo)
    }

    /// The arguments of a run of tests, up to the tests' names.
    pub(crate) fn tests(&self) -> &'static [&'static str] {
        self.tests
    }

    /// The command line of `command`, whose arguments from `--` on stay last.
    pub(crate) fn command<'a>(&self, shell: &'a Shell, command: &[&str]) -> xshell::Cmd<'a> {
        let split = command.iter().position(|&argument| argument == "--");
        let (arguments, rest) = command.split_at(split.unwrap_or(command.len()));
        let before = self.before;
        let target = self.target.map(|target| ["--target", target]);
        let target = target.as_ref().map_or(&[][..], |pair| &pair[..]);
        cmd!(shell, "cargo {before...} {arguments...} {target...} {rest...}")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .quiet()
    }

    /// Runs `command` and shows what it prints.
    pub(crate) fn run(&self, shell: &Shell, command: &[&str]) -> Result<()> {
        let command = self.command(shell, command);
        eprintln!("{command}");
        Ok(command.run()?)
    }
}

/// Asks the test `coverage` again, with its output, which variants run.
fn coverage(shell: &Shell, cargo: &Cargo, levels: &[&str]) -> Result<Coverage> {
    let mut command = cargo.tests.to_vec();
    command.extend(["--test", "coverage", "--", "--nocapture"]);
    let output = cargo.command(shell, &command).ignore_stderr().read()?;
    let mut found = Coverage { variants: 0, levels: BTreeSet::new() };
    for line in output.lines().filter_map(|line| line.strip_prefix("exercised ")) {
        let (level, _name) = line.split_once(' ').context("`exercised LEVEL NAME`")?;
        found.variants += 1;
        found.levels.insert(level.to_owned());
    }
    ensure!(found.variants > 0, "the test `coverage` names no variant");
    if let Some(missing) = levels.iter().find(|&&level| !found.levels.contains(level)) {
        bail!("no variant of the level {missing} was exercised");
    }
    Ok(found)
}
