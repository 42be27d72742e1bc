//! The test matrix: every leg, what it proves and what it needs to run.
//!
//! This crate is data. `xtask` runs the legs on the machine at hand; people with Docker run the
//! same targets through `cross` (see `Cross.toml`). A leg that is not listed here is not tested.

/// One leg of the matrix: a fixed list of cargo commands for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Short name, as given to `cargo xtask test --only`.
    pub name: &'static str,
    /// What a pass proves, for the summary.
    pub proves: &'static str,
    /// Where the commands are built for and how they run.
    pub place: Place,
    /// The cargo command lines, without `cargo` and `--target`.
    pub commands: &'static [&'static [&'static str]],
}

/// Where a leg's binaries run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Host,
    /// Built for a bare-metal target and not run.
    BuildOnly(&'static str),
    /// On this machine when its architecture matches, else under the qemu-user emulator.
    Emulated {
        /// Rust target triple; one whose linker comes with rustc, so that no cross gcc is needed.
        target: &'static str,
        /// `std::env::consts::ARCH` of a machine that needs no emulator.
        arch: &'static str,
        /// Emulator program (`-static` may follow its name).
        emulator: &'static str,
        /// CPU model the emulator pretends to be.
        cpu: &'static str,
    },
}

/// Everything that computes. The tests that start the program as a process are not among them: an
/// emulator cannot start another one of its kind, and the program is the same on every CPU.
const COMPUTING: &[&[&str]] = &[
    &["test", "--profile", "checked", "-p", "trit-format", "-p", "trit-simd"],
    &[
        "test",
        "--profile",
        "checked",
        "-p",
        "trit-whisper",
        "--lib",
        "--test",
        "model",
        "--test",
        "no_alloc",
        "--test",
        "oracle",
        "--test",
        "import",
    ],
];

/// The legs in the order they run: the quickest verdict first.
pub const LEGS: &[Leg] = &[
    Leg {
        name: "fmt",
        proves: "formatting",
        place: Place::Host,
        commands: &[&["fmt", "--all", "--check"]],
    },
    Leg {
        name: "clippy",
        proves: "no lint in any crate, target or feature",
        place: Place::Host,
        commands: &[&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]],
    },
    Leg {
        name: "docs",
        proves: "every public item documented, every link alive",
        place: Place::Host,
        commands: &[&["doc", "--workspace", "--no-deps", "--all-features"]],
    },
    Leg {
        name: "tests",
        proves: "unit, property, whole-model and documentation tests",
        place: Place::Host,
        commands: &[&["test", "--profile", "checked", "--workspace"]],
    },
    Leg {
        name: "thumb",
        proves: "inference builds for a Cortex-M4F without std",
        place: Place::BuildOnly("thumbv7em-none-eabihf"),
        commands: NO_STD,
    },
    Leg {
        name: "bare-aarch64",
        proves: "inference builds for bare-metal aarch64 without std",
        place: Place::BuildOnly("aarch64-unknown-none"),
        commands: NO_STD,
    },
    Leg {
        name: "aarch64",
        proves: "kernels, models and importers with NEON on an ARMv8.0 core (no dotprod)",
        place: Place::Emulated {
            target: "aarch64-unknown-linux-musl",
            arch: "aarch64",
            emulator: "qemu-aarch64",
            cpu: "cortex-a53",
        },
        commands: COMPUTING,
    },
];

const NO_STD: &[&[&str]] = &[
    &["build", "--release", "-p", "trit-format"],
    &["build", "--release", "-p", "trit-simd", "--no-default-features"],
    &["build", "--release", "-p", "trit-whisper", "--lib", "--no-default-features"],
];

/// The leg called `name`.
pub fn leg(name: &str) -> Option<&'static Leg> {
    LEGS.iter().find(|leg| leg.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for wanted in LEGS {
            assert_eq!(leg(wanted.name), Some(wanted));
        }
        assert_eq!(leg("no such leg"), None);
    }
}
