//! Probes of a core, for rooflines: its clock, how many int8 products its instructions can start, and
//! how fast it reads memory. A caller times them.
//!
//! With the feature `probe`; kernels do not need it.
//!
//! ```
//! use std::time::Instant;
//! use trit_simd::{Cpu, probe};
//!
//! let cpu = Cpu::detect();
//! if let Some(products) = probe::multiply(&cpu, cpu.level(), 1000) {
//!     let start = Instant::now();
//!     probe::multiply(&cpu, cpu.level(), 1000);
//!     let ns = start.elapsed().as_nanos().max(1);
//!     println!("{} of them a nanosecond", products as f64 / ns as f64);
//! }
//! ```

use core::hint::black_box;

use crate::arch::{Multiply, Scalar, Token};
use crate::cpu::{Cpu, Level};

/// Runs nothing but the multiply-accumulate instructions of `level` that have the most int8 products,
/// in registers, and returns how many products that were: `rounds` times a few hundred.
///
/// `None` if the CPU lacks the level, and for [`Level::Scalar`], [`Level::Sve`] and
/// [`Level::Simd128`]: what the compiler or an engine makes of those is no ceiling.
///
/// ```
/// use trit_simd::{Cpu, Level, probe::multiply};
///
/// let cpu = Cpu::detect();
/// assert_eq!(multiply(&cpu, Level::Scalar, 1000), None);
/// for level in Level::ALL {
///     if let Some(products) = multiply(&cpu, level, 1) {
///         assert_eq!(multiply(&cpu, level, 1000), Some(1000 * products));
///     }
/// }
/// ```
pub fn multiply(cpu: &Cpu, level: Level, rounds: u64) -> Option<u64> {
    fn run<T: Multiply>(token: T, rounds: u64) -> u64 {
        token.multiply(rounds);
        rounds.saturating_mul(CHAINS as u64 * T::PRODUCTS)
    }
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vbmi if cpu.has(level) => Some(run(cpu.avx512_vnni()?, rounds)),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => Some(run(cpu.avx512_vnni()?, rounds)),
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni => Some(run(cpu.avx_vnni()?, rounds)),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(run(cpu.avx2()?, rounds)),
        #[cfg(target_arch = "aarch64")]
        Level::I8mm => Some(run(cpu.i8mm()?, rounds)),
        #[cfg(target_arch = "aarch64")]
        Level::Dotprod => Some(run(cpu.dotprod()?, rounds)),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => Some(run(cpu.neon()?, rounds)),
        _ => None,
    }
}

/// Sums that run side by side: the latency of a multiply-accumulate times how many start a cycle is 12
/// at most (a Neoverse V1's `smmla`: 3 cycles, 4 of them), and 12 fit the 16 registers of AVX2.
pub(crate) const CHAINS: usize = 12;

/// Runs a chain of additions and exclusive-ors in turn, each of what the one before gave, and returns
/// how many operations that were: `rounds` times 64.
///
/// Of such a chain an operation takes one cycle on the CPUs that trit has kernels for, so that its rate
/// is the clock, which systems often do not tell. Both operands are in registers: some cores add a
/// constant for nothing.
///
/// ```
/// assert_eq!(trit_simd::probe::chain(1000), 64_000);
/// ```
pub fn chain(rounds: u64) -> u64 {
    // What the compiler does not know it cannot sum up.
    let (term, mask) = (black_box(0x9E37_79B9_usize), black_box(0x5A5A_5A5A_usize));
    let mut value = black_box(1_usize);
    for _ in 0..rounds {
        for _ in 0..CHAIN / 2 {
            value = value.wrapping_add(term) ^ mask;
        }
    }
    black_box(value);
    rounds.saturating_mul(CHAIN as u64)
}

/// Operations of [`chain`] in a round: beside so many, counting rounds takes no time.
const CHAIN: usize = 64;

/// A cache line, or half of one.
///
/// ```
/// use trit_simd::probe::Line;
///
/// // 1 MiB to read, at an address that vectors of any width load from without crossing a line.
/// let memory = vec![Line([0; 8]); (1 << 20) / size_of::<Line>()];
/// assert!(memory.as_ptr().addr().is_multiple_of(64));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u64; 8]);

/// Lines of a stream that are read before it is the next one's turn.
pub(crate) const STEP: usize = 8;

/// Reads `lines` as so many streams, each an equal share of them in order, side by side with the
/// longest vectors that the CPU has kernels for. Returns the exclusive or of what was read, so that
/// none of it can be left out. A stream reads whole steps of 8 lines; what remains is not read.
///
/// ```
/// use trit_simd::probe::{Line, read};
///
/// let mut lines = vec![Line::default(); 64];
/// lines[63].0[5] = 1;
/// assert_eq!(read::<4>(&trit_simd::Cpu::detect(), &lines).0[5], 1);
/// ```
pub fn read<const STREAMS: usize>(cpu: &Cpu, lines: &[Line]) -> Line {
    let (steps, _) = lines.as_chunks::<STEP>();
    let share = steps.len().checked_div(STREAMS).unwrap_or(0);
    let mut streams: [&[[Line; STEP]]; STREAMS] = [&[]; STREAMS];
    if share > 0 {
        for (stream, steps) in streams.iter_mut().zip(steps.chunks_exact(share)) {
            *stream = steps;
        }
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = cpu.avx512_vnni() {
        return token.read(streams);
    } else if let Some(token) = cpu.avx2() {
        return token.vectorize(|| exclusive_or(streams));
    }
    let _ = cpu;
    Scalar.vectorize(|| exclusive_or(streams))
}

/// The exclusive or of all lines of streams that are equally long, to be compiled for a level. Four
/// sums, as one operation takes a cycle and more than two may start in one.
#[inline(always)]
fn exclusive_or<const STREAMS: usize>(streams: [&[[Line; STEP]]; STREAMS]) -> Line {
    let mut sums = [[0; 8]; 4];
    for at in 0..streams.first().map_or(0, |stream| stream.len()) {
        for stream in streams {
            let step = &stream[at];
            for place in 0..STEP {
                for lane in 0..8 {
                    sums[place % 4][lane] ^= step[place].0[lane];
                }
            }
        }
    }
    let [a, b, c, d] = sums;
    Line(core::array::from_fn(|lane| a[lane] ^ b[lane] ^ c[lane] ^ d[lane]))
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn products_are_counted_for_the_levels_that_the_cpu_has() {
        let cpu = Cpu::detect();
        for level in Level::ALL {
            let counted = multiply(&cpu, level, 10);
            let uncounted = matches!(level, Level::Scalar | Level::Sve | Level::Simd128);
            assert_eq!(counted.is_some(), cpu.has(level) && !uncounted, "{level}");
            if let Some(products) = counted {
                assert!(products >= 10 * 12 * 8, "{level}");
            }
        }
    }

    #[test]
    fn every_line_of_whole_steps_is_read() {
        fn check<const STREAMS: usize>(cpu: &Cpu) {
            for len in [0, 7, 8, 64, 100] {
                let lines: Vec<Line> = (0..len)
                    .map(|i| Line(core::array::from_fn(|lane| 1 << ((i + lane) % 64))))
                    .collect();
                let share = (len / STEP).checked_div(STREAMS).unwrap_or(0) * STEP;
                let mut expected = Line::default();
                for line in &lines[..share * STREAMS] {
                    for (sum, value) in expected.0.iter_mut().zip(line.0) {
                        *sum ^= value;
                    }
                }
                assert_eq!(
                    read::<STREAMS>(cpu, &lines),
                    expected,
                    "{STREAMS} streams, {len} lines"
                );
            }
        }
        let cpu = Cpu::detect();
        for cpu in Level::ALL.into_iter().filter_map(|level| cpu.at(level)) {
            check::<0>(&cpu);
            check::<1>(&cpu);
            check::<4>(&cpu);
            check::<8>(&cpu);
        }
        assert_eq!(read::<1>(&cpu, &vec![Line([3; 8]); 9]), Line([0; 8]));
    }
}
