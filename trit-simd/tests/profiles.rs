//! Which kernels each CPU gets, asked of the features that its maker documents: the same on
//! whatever machine, and for whatever architecture, the test runs.

use trit_simd::{Cpu, Kernels, Level, Levels, registry};

/// A CPU by its features, and the level of its kernels for integer products and for the rest.
struct Profile {
    cpu: &'static str,
    features: &'static [&'static str],
    dot: Level,
    vector: Level,
    /// Where those that rewrite T5 have one of their own.
    t5: Option<Level>,
    /// Where the product in T4 has another for many tokens.
    many: Option<&'static str>,
}

const PROFILES: [Profile; 18] = [
    Profile {
        cpu: "x86-64 of 2003",
        features: &["sse", "sse2"],
        dot: Level::Scalar,
        vector: Level::Scalar,
        t5: None,
        many: None,
    },
    Profile {
        cpu: "Haswell",
        features: &["sse4.2", "avx", "avx2", "fma", "f16c", "bmi2"],
        dot: Level::Avx2,
        vector: Level::Avx2,
        t5: None,
        many: Some("avx2_lookup"),
    },
    Profile {
        cpu: "Alder Lake",
        features: &["sse4.2", "avx", "avx2", "fma", "f16c", "bmi2", "avxvnni", "gfni"],
        dot: Level::AvxVnni,
        vector: Level::Avx2,
        t5: None,
        many: Some("avx2_lookup"),
    },
    Profile {
        cpu: "Cascade Lake",
        features: &["avx2", "f16c", "fma", "avx512f", "avx512bw", "avx512vl", "avx512vnni"],
        dot: Level::Avx512Vnni,
        vector: Level::Avx512Vnni,
        t5: None,
        many: None,
    },
    Profile {
        cpu: "Ice Lake",
        features: &[
            "avx2",
            "f16c",
            "fma",
            "avx512f",
            "avx512bw",
            "avx512vl",
            "avx512vnni",
            "avx512vbmi",
        ],
        dot: Level::Avx512Vnni,
        vector: Level::Avx512Vnni,
        t5: Some(Level::Avx512Vbmi),
        many: None,
    },
    Profile {
        cpu: "Sapphire Rapids",
        features: &[
            "avx2",
            "f16c",
            "fma",
            "avxvnni",
            "avx512f",
            "avx512bw",
            "avx512vl",
            "avx512vnni",
            "avx512vbmi",
            "avx512bf16",
            "amx-int8",
        ],
        dot: Level::Avx512Vnni,
        vector: Level::Avx512Vnni,
        t5: Some(Level::Avx512Vbmi),
        many: None,
    },
    Profile {
        cpu: "Zen 4",
        features: &[
            "avx2",
            "f16c",
            "fma",
            "avx512f",
            "avx512bw",
            "avx512vl",
            "avx512vnni",
            "avx512vbmi",
        ],
        dot: Level::Avx512Vnni,
        vector: Level::Avx512Vnni,
        t5: Some(Level::Avx512Vbmi),
        many: None,
    },
    Profile {
        cpu: "Zen 5",
        features: &[
            "avx2",
            "f16c",
            "fma",
            "avxvnni",
            "avx512f",
            "avx512bw",
            "avx512vl",
            "avx512vnni",
            "avx512vbmi",
            "avx512bf16",
        ],
        dot: Level::Avx512Vnni,
        vector: Level::Avx512Vnni,
        t5: Some(Level::Avx512Vbmi),
        many: None,
    },
    Profile {
        cpu: "Cortex-A53",
        features: &["neon", "crc"],
        dot: Level::Neon,
        vector: Level::Neon,
        t5: None,
        many: Some("neon_lookup"),
    },
    Profile {
        cpu: "Cortex-A73",
        features: &["neon", "crc", "aes", "sha2"],
        dot: Level::Neon,
        vector: Level::Neon,
        t5: None,
        many: Some("neon_lookup"),
    },
    Profile {
        cpu: "Cortex-A55",
        features: &["neon", "crc", "lse", "fp16", "dotprod"],
        dot: Level::Dotprod,
        vector: Level::Neon,
        t5: None,
        many: Some("dotprod_lookup"),
    },
    Profile {
        cpu: "Cortex-A76",
        features: &["neon", "crc", "lse", "fp16", "dotprod"],
        dot: Level::Dotprod,
        vector: Level::Neon,
        t5: None,
        many: Some("dotprod_lookup"),
    },
    Profile {
        cpu: "Neoverse N1",
        features: &["neon", "crc", "lse", "fp16", "dotprod", "aes", "sha2"],
        dot: Level::Dotprod,
        vector: Level::Neon,
        t5: None,
        many: Some("dotprod_lookup"),
    },
    Profile {
        cpu: "Neoverse V1",
        features: &["neon", "crc", "lse", "fp16", "dotprod", "i8mm", "bf16", "sve"],
        dot: Level::I8mm,
        vector: Level::Neon,
        t5: None,
        many: None,
    },
    Profile {
        cpu: "Neoverse N2",
        features: &["neon", "crc", "lse", "fp16", "dotprod", "i8mm", "bf16", "sve", "sve2"],
        dot: Level::I8mm,
        vector: Level::Neon,
        t5: None,
        many: None,
    },
    Profile {
        cpu: "Apple M2",
        features: &["neon", "crc", "lse", "fp16", "dotprod", "i8mm", "bf16"],
        dot: Level::I8mm,
        vector: Level::Neon,
        t5: None,
        many: None,
    },
    Profile {
        cpu: "Fujitsu A64FX",
        features: &["neon", "crc", "lse", "fp16", "fcma", "sve"],
        dot: Level::Sve,
        vector: Level::Neon,
        t5: None,
        many: None,
    },
    Profile {
        cpu: "WebAssembly with SIMD",
        features: &["simd128"],
        dot: Level::Simd128,
        vector: Level::Simd128,
        t5: None,
        many: Some("simd128_lookup"),
    },
];

/// Tokens enough for every design meant for many.
const MANY: usize = 1000;

/// Operations whose variants have integer products.
const DOT: [&str; 5] = [
    "ternary_t4_i8_f32__",
    "ternary_t5_i8_f32__",
    "matmul_i4_i8_f32__",
    "matmul_i8_i8_f32__",
    "attention_u7_f32_f32__",
];

#[test]
fn each_cpu_gets_its_kernels() {
    for Profile { cpu, features, dot, vector, t5, many } in PROFILES {
        let levels = Levels::of(|feature| features.contains(&feature));
        for tokens in [1, MANY] {
            for name in registry::chosen(levels, tokens) {
                let level = if DOT.iter().any(|op| name.starts_with(op)) { dot } else { vector };
                let level = t5.filter(|_| name.contains("_t5_")).unwrap_or(level);
                let design = many.filter(|_| tokens == MANY && name.contains("_t4_i8_"));
                let expected = design.unwrap_or(level.name());
                assert!(
                    name.ends_with(&format!("__{expected}")),
                    "{cpu} gets {name} for {tokens} tokens, not {expected}'s"
                );
            }
        }
    }
}

/// A missing feature loses the level it belongs to and no other.
#[test]
fn a_level_takes_all_its_features() {
    for level in Level::ALL {
        for missing in level.features() {
            let levels = Levels::of(|feature| feature != *missing);
            assert!(!levels.has(level), "{level} without {missing}");
        }
        for other in Level::ALL {
            let levels = Levels::of(|feature| other.features().contains(&feature));
            assert!(levels.has(other));
        }
    }
}

/// What a level brings along needs no feature that the level does not, so that a set closed under
/// it and the tokens of a real CPU agree.
#[test]
fn a_level_has_the_features_of_those_below() {
    for level in Level::ALL {
        assert!(level.levels().has(level) && level.levels().has(Level::Scalar));
        for below in Level::ALL.into_iter().filter(|&below| level.levels().has(below)) {
            let lacks = below.features().iter().find(|feature| !level.features().contains(feature));
            assert_eq!(lacks, None, "{level} brings along {below}");
        }
        let rebuilt = Levels::of(|feature| level.features().contains(&feature));
        assert_eq!(rebuilt, level.levels(), "{level} brings along what its features make");
    }
}

/// The choice by names is the choice that is made.
#[test]
fn this_cpu_gets_what_its_levels_say() {
    let cpu = Cpu::detect();
    assert_eq!(Kernels::new(&cpu).names(), registry::chosen(cpu.levels(), 1));
    for level in Level::ALL {
        let Some(part) = cpu.at(level) else { continue };
        assert_eq!(part.levels(), level.levels());
        for tokens in [1, MANY] {
            let chosen = registry::chosen(level.levels(), tokens);
            assert_eq!(Kernels::new(&part).names_for(tokens), chosen);
        }
    }
}
