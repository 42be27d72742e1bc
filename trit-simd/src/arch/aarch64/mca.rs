//! The microkernels as functions of their own, for `cargo xtask mca` to find in the assembly.
//!
//! Compiled with `--cfg trit_mca` alone: elsewhere a microkernel merges into the product that calls
//! it. A static that must be kept holds a pointer to each, for one token and for the level's block.

use trit_core::TILE_ROWS;

use crate::arch::DotKernels;
use crate::cpu::{Dotprod, I8mm, Level, Neon, Sve};

type Packed<K, const M: usize> =
    unsafe fn(K, *const u8, usize, [*const i8; M]) -> [[i32; TILE_ROWS]; M];

type Int8<K, const R: usize, const M: usize> =
    unsafe fn(K, usize, [*const i8; R], [*const i8; M]) -> [[i32; R]; M];

/// The microkernels of a level that computes M tokens side by side, N of int8 weights.
#[expect(dead_code, reason = "it is the functions' being there that counts")]
struct Microkernels<K, const M: usize, const N: usize> {
    t4: (Packed<K, 1>, Packed<K, M>),
    i4: (Packed<K, 1>, Packed<K, M>),
    i8: (Int8<K, 4, 1>, Int8<K, 4, N>),
}

impl<K: DotKernels, const M: usize, const N: usize> Microkernels<K, M, N> {
    const ALL: Self = Self {
        t4: (K::dot_t4::<1>, K::dot_t4::<M>),
        i4: (K::dot_i4::<1>, K::dot_i4::<M>),
        i8: (K::dot_i8::<4, 1>, K::dot_i8::<4, N>),
    };
}

#[used]
static NEON: Microkernels<Neon, { Level::Neon.tokens() }, 2> = Microkernels::ALL;
#[used]
static DOTPROD: Microkernels<Dotprod, { Level::Dotprod.tokens() }, 4> = Microkernels::ALL;
#[used]
static I8MM: Microkernels<I8mm, { Level::I8mm.tokens() }, 4> = Microkernels::ALL;
#[used]
static SVE: Microkernels<Sve, { Level::Sve.tokens() }, 2> = Microkernels::ALL;
