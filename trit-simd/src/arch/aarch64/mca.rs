//! The microkernels as functions of their own, for `cargo xtask mca` to find in the assembly.
//!
//! Compiled with `--cfg trit_mca` alone: elsewhere a microkernel merges into the product that calls
//! it. A static that must be kept holds a pointer to each, for one token and for the level's block.

use trit_core::TILE_ROWS;

use crate::arch::codes::CodeKernels;
use crate::arch::{DotKernels, Tables};
use crate::cpu::{Dotprod, I8mm, Level, Neon, Sve};
use crate::float::heads::QUERIES;

type Packed<K, const M: usize> =
    unsafe fn(K, *const u8, usize, [*const i8; M]) -> [[i32; TILE_ROWS]; M];

type Codes<K, const M: usize> =
    unsafe fn(K, *const u8, usize, [*const i8; M], [i32; M]) -> [[i32; TILE_ROWS]; M];

type Int8<K, const R: usize, const M: usize> =
    unsafe fn(K, usize, [*const i8; R], [*const i8; M]) -> [[i32; R]; M];

type Lines<K, const B: usize, const Q: usize> = fn(K, &Tables<B, Q>, &[[u8; Q]], &mut [[i16; B]]);

/// The microkernels of a level that computes M tokens side by side, N of int8 weights.
#[expect(dead_code, reason = "it is the functions' being there that counts")]
struct Microkernels<K, const M: usize, const N: usize> {
    t4: (Packed<K, 1>, Packed<K, M>),
    i4: (Packed<K, 1>, Packed<K, M>),
    i8: (Int8<K, 4, 1>, Int8<K, 4, N>),
    u7: (Codes<K, 1>, Codes<K, QUERIES>),
}

impl<K: DotKernels + CodeKernels, const M: usize, const N: usize> Microkernels<K, M, N> {
    const ALL: Self = Self {
        t4: (K::dot_t4::<1>, K::dot_t4::<M>),
        i4: (K::dot_i4::<1>, K::dot_i4::<M>),
        i8: (K::dot_i8::<4, 1>, K::dot_i8::<4, N>),
        u7: (K::dot_u7::<1>, K::dot_u7::<QUERIES>),
    };
}

/// Sums of lines, of the level's block and chunk.
const fn lines<K: DotKernels, const B: usize, const Q: usize>() -> Lines<K, B, Q> {
    K::add_lines::<B, Q, false>
}

#[used]
static NEON: Microkernels<Neon, { Level::Neon.tokens() }, 2> = Microkernels::ALL;
#[used]
static NEON_LINES: Lines<Neon, 32, 8> = lines();
#[used]
static DOTPROD: Microkernels<Dotprod, { Level::Dotprod.tokens() }, 4> = Microkernels::ALL;
#[used]
static DOTPROD_LINES: Lines<Dotprod, 32, 16> = lines();
#[used]
static I8MM: Microkernels<I8mm, { Level::I8mm.tokens() }, 4> = Microkernels::ALL;
#[used]
static SVE: Microkernels<Sve, { Level::Sve.tokens() }, 2> = Microkernels::ALL;
