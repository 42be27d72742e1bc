//! Multiply-accumulates in registers alone.
//!
//! `smull` has no sum to add to, so a chain goes through one of its operands; `sdot` and `smmla` add to
//! theirs. What the chains start from is hidden from the compiler, and so is what becomes of them:
//! nothing can be foreseen, merged or left out.

use core::arch::aarch64::*;
use core::hint::black_box;

use super::asm::dot::{sdot, smmla};
use crate::arch::Multiply;
use crate::cpu::{Dotprod, I8mm, Neon};
use crate::probe::CHAINS;

impl Multiply for Neon {
    const PRODUCTS: u64 = 8;

    fn multiply(self, rounds: u64) {
        #[target_feature(enable = "neon")]
        fn run(rounds: u64) {
            let codes = black_box(vdup_n_s8(2));
            let mut chains = black_box([vdupq_n_s16(37); CHAINS]);
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = vmull_s8(codes, vget_low_s8(vreinterpretq_s8_s16(*chain)));
                }
            }
            black_box(chains);
        }
        // SAFETY: the token proves NEON.
        unsafe { run(rounds) }
    }
}

impl Multiply for Dotprod {
    const PRODUCTS: u64 = 16;

    fn multiply(self, rounds: u64) {
        #[target_feature(enable = "neon,dotprod")]
        fn run(rounds: u64) {
            let (codes, values) = black_box((vdupq_n_s8(2), vdupq_n_s8(37)));
            let mut chains = black_box([vdupq_n_s32(0); CHAINS]);
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = sdot(*chain, codes, values);
                }
            }
            black_box(chains);
        }
        // SAFETY: the token proves NEON and FEAT_DotProd.
        unsafe { run(rounds) }
    }
}

impl Multiply for I8mm {
    const PRODUCTS: u64 = 32;

    fn multiply(self, rounds: u64) {
        #[target_feature(enable = "neon,i8mm")]
        fn run(rounds: u64) {
            let (codes, values) = black_box((vdupq_n_s8(2), vdupq_n_s8(37)));
            let mut chains = black_box([vdupq_n_s32(0); CHAINS]);
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = smmla(*chain, codes, values);
                }
            }
            black_box(chains);
        }
        // SAFETY: the token proves NEON and FEAT_I8MM.
        unsafe { run(rounds) }
    }
}
