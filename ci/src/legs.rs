//! The legs, as data.

use crate::{Leg, Place, Work};

/// Integration tests that start the program as a process, read every kind of audio file, compare texts,
/// or take minutes of sound. They run on the host only: an emulator cannot start another one of its kind,
/// and what they test is the same on every CPU.
pub const PROCESSES: &[&str] =
    &["audio", "broken_input", "cli", "normalizer", "segments", "stream", "vad"];

/// Everything that computes.
const COMPUTING: &[&str] = &[
    "accuracy",
    "container",
    "layout",
    "int4",
    "registry",
    "tune",
    "profiles",
    "coverage",
    "bits",
    "model",
    "no_alloc",
    "oracle",
    "decoding",
    "words",
    "import",
    "tokenizer",
];

/// What may depend on the CPU: the kernels, and the whole model as bits.
const KERNELS: &[&str] = &["registry", "coverage", "bits"];

/// What Miri can run in minutes: the formats, and every kernel on small shapes.
const SMALL: &[&str] = &["layout", "int4", "registry", "coverage"];

/// Tests among them that Miri leaves out, by parts of their names. Norms take the square root from
/// libm, which has it in inline assembly; the other packs too many matrices for an interpreter.
pub const MIRI_SKIPS: &[&str] = &["norms_equal", "converting_t5_to_t4_is_repacking"];

const NO_STD: &[&[&str]] = &[
    &["build", "--release", "-p", "trit-format"],
    &["build", "--release", "-p", "trit-simd", "--no-default-features"],
    &["build", "--release", "-p", "trit-whisper", "--lib", "--no-default-features"],
    // With a caller's memory, down to the program's end of it.
    &["build", "--release", "-p", "trit-example-no-std", "--lib", "--no-default-features"],
];

/// Every feature that is not on by default, but trit-whisper's `microphone`, which on Linux takes the
/// headers of ALSA.
const FEATURES: &str = "--features=trit-simd/probe";

/// The peers that trit is timed beside, a workspace of its own.
const PEERS: &str = "benches/peers/Cargo.toml";

/// The fuzz targets, another.
const FUZZ: &str = "fuzz/Cargo.toml";

/// The legs in the order they run: the quickest verdict first.
pub const LEGS: &[Leg] = &[
    here("fmt", "formatting", &[&["fmt", "--all", "--check"]]),
    here("names", "kernel names follow their grammar", &[&["xtask", "names"]]),
    here("kernels", "the table of kernels is current", &[&["xtask", "kernels", "--check"]]),
    here(
        "clippy",
        "no lint in any crate, target or feature but the microphone's",
        &[&["clippy", "--workspace", "--all-targets", FEATURES, "--", "-D", "warnings"]],
    ),
    Leg {
        name: "clippy-arm",
        proves: "no lint in the kernels for 64-bit ARM, with what `cargo xtask mca` compiles",
        full_only: false,
        place: Place::BuildOnly("aarch64-unknown-linux-musl"),
        work: Work::Commands(&[&[
            "clippy",
            "-p",
            "trit-simd",
            "--lib",
            "--",
            "--cfg",
            "trit_mca",
            "-D",
            "warnings",
        ]]),
    },
    here(
        "docs",
        "every public item documented, every link of the documentation alive",
        &[&["doc", "--workspace", "--no-deps", FEATURES]],
    ),
    Leg {
        name: "tests",
        proves: "unit, property, whole-model and documentation tests, with all this CPU has",
        full_only: false,
        place: Place::Host,
        work: Work::AllTests,
    },
    here(
        "benches",
        "the benchmarks run, and variants agree on their shapes",
        &[&[
            "test",
            "--profile",
            "checked",
            "--workspace",
            "--bench",
            "kernels",
            "--bench",
            "roofline",
            "--bench",
            "tuner",
        ]],
    ),
    here(
        "fuzz-targets",
        "no lint in the fuzz targets; their seeds are what the fixtures give",
        &[
            &["fmt", "--manifest-path", FUZZ, "--check"],
            &[
                "clippy",
                "--locked",
                "--manifest-path",
                FUZZ,
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
            &["run", "--locked", "--manifest-path", FUZZ, "--example", "seeds", "--", "--check"],
        ],
    ),
    kernels("haswell", "AVX2 without AVX-512", x86("Haswell"), &["avx2", "scalar"]),
    kernels("nehalem", "x86-64 without AVX: scalar code", x86("Nehalem"), &["scalar"]),
    Leg {
        name: "thumb",
        proves: "inference builds for a Cortex-M4F without std",
        full_only: false,
        place: Place::BuildOnly("thumbv7em-none-eabihf"),
        work: Work::Commands(NO_STD),
    },
    Leg {
        name: "bare-aarch64",
        proves: "inference builds for bare-metal aarch64 without std",
        full_only: false,
        place: Place::BuildOnly("aarch64-unknown-none"),
        work: Work::Commands(NO_STD),
    },
    Leg {
        name: "cortex-a53",
        proves: "kernels, models and importers with NEON on ARMv8.0 (no dotprod)",
        full_only: false,
        place: arm("cortex-a53"),
        work: Work::Tests { names: COMPUTING, levels: &["neon", "scalar"] },
    },
    kernels(
        "neoverse-n1",
        "ARMv8.2: dotprod, no i8mm",
        arm("neoverse-n1"),
        &["dotprod", "neon", "scalar"],
    ),
    kernels(
        "sve-128",
        "SVE at 128 bits",
        arm("max,sve-max-vq=1,sve-default-vector-length=16"),
        ARMV9,
    ),
    kernels(
        "sve-256",
        "SVE at 256 bits",
        arm("max,sve-max-vq=2,sve-default-vector-length=32"),
        ARMV9,
    ),
    kernels(
        "sve-512",
        "SVE at 512 bits",
        arm("max,sve-max-vq=4,sve-default-vector-length=64"),
        ARMV9,
    ),
    kernels(
        "sve-2048",
        "SVE at 2048 bits",
        arm("max,sve-max-vq=16,sve-default-vector-length=256"),
        ARMV9,
    ),
    kernels("wasm", "WebAssembly simd128 under Node's WASI", Place::Wasi, &["simd128", "scalar"]),
    Leg {
        name: "miri",
        proves: "no undefined behaviour in what Miri can run, on small shapes",
        full_only: true,
        place: Place::Miri,
        work: Work::Tests { names: SMALL, levels: INTERPRETED },
    },
    Leg {
        name: "peers",
        proves: "published crates still compute what trit is timed beside",
        full_only: true,
        place: Place::Host,
        work: Work::Commands(&[
            &["fmt", "--manifest-path", PEERS, "--check"],
            &[
                "clippy",
                "--locked",
                "--manifest-path",
                PEERS,
                "--all-targets",
                "--features",
                "whisper",
                // Bindings without whisper.cpp itself, which takes CMake: as docs.rs has them.
                "--config",
                "env.DOCS_RS='1'",
                "--config",
                "env.WHISPER_DONT_GENERATE_BINDINGS='1'",
                "--",
                "-D",
                "warnings",
            ],
            &["test", "--locked", "--release", "--manifest-path", PEERS],
        ]),
    },
    Leg {
        name: "fuzz",
        proves: "60 s of every fuzz target without a finding",
        full_only: true,
        place: Place::Fuzzer,
        work: Work::Fuzz { seconds: 60 },
    },
];

/// What Miri has: the code is compiled for AVX2 where that exists.
const INTERPRETED: &[&str] =
    if cfg!(target_arch = "x86_64") { &["avx2", "scalar"] } else { &["scalar"] };

/// What the emulator's `max` model has at every SVE vector length.
const ARMV9: &[&str] = &["i8mm", "sve", "dotprod", "neon", "scalar"];

/// Commands on this machine.
const fn here(
    name: &'static str,
    proves: &'static str,
    commands: &'static [&'static [&'static str]],
) -> Leg {
    Leg { name, proves, full_only: false, place: Place::Host, work: Work::Commands(commands) }
}

/// The kernels' tests on one CPU.
const fn kernels(
    name: &'static str,
    proves: &'static str,
    place: Place,
    levels: &'static [&'static str],
) -> Leg {
    Leg { name, proves, full_only: false, place, work: Work::Tests { names: KERNELS, levels } }
}

/// 64-bit ARM under qemu-user. SVE's vectors have 128 bits times `sve-max-vq`.
const fn arm(cpu: &'static str) -> Place {
    let (target, emulator) = ("aarch64-unknown-linux-musl", "qemu-aarch64");
    Place::Emulated { arch: "aarch64", target, emulator, cpu }
}

/// x86-64 under qemu-user, whose AVX2 came with version 7.2.
const fn x86(cpu: &'static str) -> Place {
    let (target, emulator) = ("x86_64-unknown-linux-musl", "qemu-x86_64");
    Place::Emulated { arch: "x86_64", target, emulator, cpu }
}
