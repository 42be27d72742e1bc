//! One property per operation, over every variant the CPU has: the same bits as the reference.

mod attention;
mod common;
mod float;
mod integer;

use std::collections::BTreeSet;

use trit_core::{GroupSize, Int4Matrix, Int8Matrix, Layout, Scales, TernaryMatrix, layout};
use trit_simd::{Cpu, Kernels, Level, registry};

use common::{Acts, Fill, Random, levels};

/// A level that this CPU must have is really exercised; none is skipped in silence.
#[test]
fn every_level_of_this_architecture_is_named() {
    let built: BTreeSet<_> = registry::variants().map(|(_, level)| level.name()).collect();
    let expected: &[&str] = if cfg!(target_arch = "x86_64") {
        &["avx2", "avx512vbmi", "avx512vnni", "avxvnni", "scalar"]
    } else if cfg!(target_arch = "aarch64") {
        &["dotprod", "i8mm", "neon", "scalar", "sve"]
    } else if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        &["scalar", "simd128"]
    } else {
        &["scalar"]
    };
    assert_eq!(built, expected.iter().copied().collect());
    let exercised: Vec<_> = levels().flat_map(|kernels| kernels.names()).collect();
    for (name, level) in registry::variants() {
        let runs = exercised.contains(&name);
        println!("{name}: {}", if runs { "exercised" } else { "this CPU lacks the level" });
        assert_eq!(runs, Cpu::detect().has(level), "{name}");
    }
    if cfg!(target_arch = "aarch64") {
        assert!(Cpu::detect().has(Level::Neon), "64-bit ARM has NEON");
    }
}

#[test]
fn each_cpu_gets_its_kernels() {
    assert!(Kernels::scalar().names().iter().all(|name| name.contains("__scalar")));
    assert_eq!(Cpu::baseline().level(), Level::Scalar);
    for level in Level::ALL {
        if let Some(cpu) = Cpu::detect().at(level) {
            assert_eq!(cpu.level(), level);
            let suffix = format!("__{level}");
            let kernels = Kernels::new(&cpu);
            let adds = kernels.names().iter().any(|name| name.ends_with(&suffix));
            assert!(adds, "{level} adds nothing");
            for tokens in 1..300 {
                assert_eq!(kernels.names_for(tokens), registry::chosen(level.levels(), tokens));
            }
        }
    }
}

/// A variant asked for by its name is the one in use, for any number of tokens, and no other changes.
#[test]
fn a_variant_asked_for_is_used() {
    let kernels = Kernels::new(&Cpu::detect());
    for (name, level) in registry::variants() {
        let Some(one) = kernels.with(name) else {
            assert!(!Cpu::detect().has(level), "{name}");
            continue;
        };
        for tokens in [1, 1000] {
            let (names, others) = (one.names_for(tokens), kernels.names_for(tokens));
            let changed = names.iter().zip(others).filter(|(one, other)| *one != other).count();
            assert!(names.contains(&name) && changed <= 1, "{name} for {tokens} tokens");
        }
        assert!(Kernels::scalar().with(name).is_none_or(|_| level == Level::Scalar), "{name}");
    }
    assert!(kernels.with("ternary_t4_i8_f32__").is_none());
}

#[test]
fn misfits_are_errors() {
    let acts = Acts::new(&mut Random(1), 2, 20, None, Fill::Random);
    let codes = vec![0; layout::bytes(Layout::T4, 3, 20).unwrap()];
    let w = TernaryMatrix::new(3, 20, Layout::T4, &codes, Scales::Tensor(1.0)).unwrap();
    let kernels = Kernels::new(&Cpu::detect());
    let x = acts.view();
    assert!(kernels.ternary(&w, &x, None, 0..3, &mut [0.0; 5]).is_err());
    assert!(kernels.ternary(&w, &x, None, 1..4, &mut [0.0; 6]).is_err());
    let empty = trit_core::MatrixError::Dimension {
        what: "the length of the row range",
        found: 0,
        most: 3,
    };
    assert_eq!(kernels.ternary(&w, &x, None, 2..2, &mut []), Err(empty));
    assert!(kernels.ternary(&w, &x, Some(&[0.0; 2]), 0..3, &mut [0.0; 6]).is_err());
    let (codes, scales) = ([0; 192], [0.0; 16]);
    let w = Int4Matrix::new(3, 20, GroupSize::G32, &codes, &scales).unwrap();
    assert!(kernels.int4(&w, &x, None, 0..3, &mut [0.0; 5]).is_err());
    assert!(kernels.int4(&w, &x, None, 1..4, &mut [0.0; 6]).is_err());
    let w = Int8Matrix::new(3, 32, &[0; 96], &scales).unwrap();
    assert!(kernels.int8(&w, &x, None, 0..3, &mut [0.0; 6]).is_err(), "k is not 20");
    assert!(kernels.t5_to_t4(20, &[0; 64], &mut [0; 64]).is_err());
    assert!(kernels.t5_to_t4(0, &[0; 64], &mut [0; 64]).is_err());
    assert!(kernels.add(&mut [0.0; 2], &[0.0; 3]).is_err());
    assert!(kernels.rms_norm(&[0.0; 3], &[0.0; 2], 1e-5, &mut [0.0; 3]).is_err());
    assert!(kernels.layer_norm(&[0.0; 4], &[], &[], 1e-5, &mut [0.0; 4]).is_err());
    let mut y = [0.0; 4];
    assert!(
        kernels
            .attention(
                &[0.0; 4],
                &[0.0; 4],
                1,
                &[0.0; 4],
                3,
                4,
                1,
                None,
                1.0,
                &mut [0.0; 64],
                &mut y
            )
            .is_err()
    );
}
