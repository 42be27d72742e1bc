//! Multiply-accumulates in registers alone, and reading with the longest vectors.
//!
//! `vpmaddubsw` has no sum to add to, so a chain goes through its signed operand; `vpdpbusd` adds to
//! its first. What the chains start from is hidden from the compiler, and so is what becomes of them:
//! nothing can be foreseen, merged or left out.

use core::arch::x86_64::*;
use core::hint::black_box;

use crate::arch::Multiply;
use crate::cpu::{Avx2, Avx512Vnni, AvxVnni};
use crate::probe::{CHAINS, Line, STEP};

impl Multiply for Avx2 {
    const PRODUCTS: u64 = 32;

    fn multiply(self, rounds: u64) {
        #[target_feature(enable = "avx2")]
        fn run(rounds: u64) {
            let codes = black_box(_mm256_set1_epi8(2));
            let mut chains = black_box([_mm256_set1_epi8(37); CHAINS]);
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = _mm256_maddubs_epi16(codes, *chain);
                }
            }
            black_box(chains);
        }
        // SAFETY: the token proves AVX2.
        unsafe { run(rounds) }
    }
}

impl Multiply for AvxVnni {
    const PRODUCTS: u64 = 32;

    fn multiply(self, rounds: u64) {
        #[target_feature(enable = "avxvnni,avx2")]
        fn run(rounds: u64) {
            let (codes, values) = black_box((_mm256_set1_epi8(2), _mm256_set1_epi8(37)));
            let mut chains = black_box([_mm256_setzero_si256(); CHAINS]);
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = _mm256_dpbusd_avx_epi32(*chain, codes, values);
                }
            }
            black_box(chains);
        }
        // SAFETY: the token proves AVX-VNNI and AVX2.
        unsafe { run(rounds) }
    }
}

impl Multiply for Avx512Vnni {
    const PRODUCTS: u64 = 64;

    fn multiply(self, rounds: u64) {
        #[target_feature(enable = "avx512f,avx512vnni")]
        fn run(rounds: u64) {
            let (codes, values) = black_box((_mm512_set1_epi8(2), _mm512_set1_epi8(37)));
            let mut chains = black_box([_mm512_setzero_si512(); CHAINS]);
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = _mm512_dpbusd_epi32(*chain, codes, values);
                }
            }
            black_box(chains);
        }
        // SAFETY: the token proves AVX-512 F and VNNI.
        unsafe { run(rounds) }
    }
}

impl Avx512Vnni {
    /// The exclusive or of all lines of streams that are equally long; of plain Rust the compiler
    /// makes gathers here. Four sums, as there are two loads a cycle and an operation takes one.
    pub(crate) fn read<const STREAMS: usize>(self, streams: [&[[Line; STEP]]; STREAMS]) -> Line {
        #[target_feature(enable = "avx512f")]
        fn run<const STREAMS: usize>(streams: [&[[Line; STEP]]; STREAMS]) -> Line {
            let mut sums = [_mm512_setzero_si512(); 4];
            for at in 0..streams.first().map_or(0, |stream| stream.len()) {
                for stream in streams {
                    for (place, line) in stream[at].iter().enumerate() {
                        // SAFETY: a line is 64 bytes on a boundary of 64.
                        let bytes = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
                        sums[place % 4] = _mm512_xor_si512(sums[place % 4], bytes);
                    }
                }
            }
            let [a, b, c, d] = sums;
            let sum = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
            let mut line = Line::default();
            // SAFETY: a line is 64 bytes on a boundary of 64.
            unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), sum) };
            line
        }
        // SAFETY: the token proves AVX-512 F.
        unsafe { run(streams) }
    }
}
