//! AVX2 with AVX-VNNI (Alder Lake and later, which have no AVX-512): 32-byte vectors, 16 registers.
//!
//! | instruction | what for | P-core (Alder Lake) | E-core | Zen 5 |
//! |---|---|---|---|---|
//! | `vpdpbusd ymm` | u8 × i8, four summed into i32 | 5, p01 | two 128-bit halves | 4, 2 a cycle |
//! | `vpbroadcastd` from memory | four activations to every row | 1 load | 1 load | 2 a cycle |
//! | `vpsrlw` | unpacking | 1, p01 | two halves | 2, 2 a cycle |
//! | `vpand`, `vpxor` | unpacking, signed to unsigned | 1, p015 | two halves | 2, 4 a cycle |
//!
//! Latencies are in cycles; Zen 5's are measured.
//!
//! Half a T4 tile is one vector: 8 rows in 32-bit lanes, a byte of four codes per input j mod 4.
//! The four codes of a row and plane meet the four activations in one `vpdpbusd`, straight into the
//! row's i32: there is no 16-bit step that could overflow.
//!
//! ```text
//! lane         row r                          row r+1
//! byte         p3p2p1p0 j0 │ j1 │ j2 │ j3     …
//! & 0x03             p0      four codes ×1    >> 4, & 0x03     p2     ×1
//! & 0x0C          p1 ··      four codes ×4    >> 4, & 0x0C  p3 ··     ×4
//! vpdpbusd     c₀·q₀ + c₁·q₁ + c₂·q₂ + c₃·q₃ added to the row's i32
//! ```
//!
//! The ×4 sums are shifted down once at the end; they are multiples of 4, so that is exact. So it is
//! with an I4 tile: a byte of two codes, `& 0x0F` ×1 and `& 0xF0` ×16.
//!
//! `vpdpbusd` takes its first operand unsigned. An int8 weight with its top bit flipped is w + 128
//! as u8, −128 included, so `Σ w·q = Σ (w + 128)·q − Σ 128·q`, and the last sum is one more
//! `vpdpbusd` for all rows. Splitting signs off with `vpsignb` would be wrong for q = −128.

use core::arch::x86_64::*;

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{GroupSize, Layout, TILE_ROWS};

use super::lanes;
use crate::arch::DotKernels;
use crate::cpu::AvxVnni;

/// Rows in half a tile.
const HALF: usize = TILE_ROWS / 2;

// The ×4 half of the planes of T4: |Σ| ≤ 12·128·2²⁰ / 2 < 2³⁰. The ×16 half of those of I4, a group
// of 256 inputs at most: |Σ| ≤ 240·128·256 / 2 < 2²².
const _: () = assert!(12 * 128 * (trit_core::MAX_TERNARY_K as u64) / 2 < 1 << 31);
const _: () = assert!(240 * 128 * GroupSize::G256.inputs() / 2 < 1 << 31);

// A lane sums four of every 32 products of at most 255·128, and at most one more step of 4:
// |Σ| ≤ 255·128·2¹³ + 4·255·128 < 2²⁸. That of 128·q is less.
const _: () = assert!(255 * 128 * (trit_core::MAX_INT8_K as u64 / 8 + 4) < 1 << 31);

impl DotKernels for AvxVnni {
    #[target_feature(enable = "avxvnni,avx2")]
    #[inline]
    unsafe fn dot_t4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's; a T4 tile has 4 planes.
        unsafe { dot::<{ Layout::T4.planes() }, M>(tiles, count, q) }
    }

    #[target_feature(enable = "avxvnni,avx2")]
    #[inline]
    unsafe fn dot_i4<const M: usize>(
        self,
        tiles: *const u8,
        count: usize,
        q: [*const i8; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // SAFETY: as the caller's; an I4 tile has 2 planes.
        unsafe { dot::<2, M>(tiles, count, q) }
    }

    #[target_feature(enable = "avxvnni,avx2")]
    #[inline]
    unsafe fn dot_i8<const R: usize, const M: usize>(
        self,
        k: usize,
        w: [*const i8; R],
        q: [*const i8; M],
    ) -> [[i32; R]; M] {
        let top = _mm256_set1_epi8(-128);
        let mut sums = [[_mm256_setzero_si256(); R]; M];
        let mut excess = [_mm256_setzero_si256(); M];
        let mut add = |w: [__m256i; R], q: [__m256i; M]| {
            let w = w.map(|w| _mm256_xor_si256(w, top));
            for m in 0..M {
                excess[m] = _mm256_dpbusd_avx_epi32(excess[m], top, q[m]);
                for r in 0..R {
                    sums[m][r] = _mm256_dpbusd_avx_epi32(sums[m][r], w[r], q[m]);
                }
            }
        };
        let whole = k / 32 * 32;
        for at in (0..whole).step_by(32) {
            // SAFETY: at + 32 ≤ k.
            let load = |p: *const i8| unsafe { _mm256_loadu_si256(p.add(at).cast()) };
            add(w.map(load), q.map(load));
        }
        if whole < k {
            // SAFETY: k is a multiple of 16, so 16 values are left. Above them q is 0, which makes
            // the weights there count for nothing.
            let load = |p: *const i8| unsafe {
                _mm256_zextsi128_si256(_mm_loadu_si128(p.add(whole).cast()))
            };
            add(w.map(load), q.map(load));
        }
        let mut out = [[0; R]; M];
        for m in 0..M {
            for sum in &mut sums[m] {
                *sum = _mm256_sub_epi32(*sum, excess[m]);
            }
            out[m] = lanes::sums(&sums[m]);
        }
        out
    }
}

/// `Σ c·q` of the 16 rows of tiles with P planes, 4 or 2, and of M tokens.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values.
#[target_feature(enable = "avxvnni,avx2")]
#[inline]
unsafe fn dot<const P: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
) -> [[i32; TILE_ROWS]; M] {
    let mut out = [[0; TILE_ROWS]; M];
    // SAFETY: as the caller's; halves 0 and 1 are a whole tile.
    unsafe {
        if M == 1 {
            halves::<P, 2, M>(tiles, count, q, 0, &mut out);
        } else {
            halves::<P, 1, M>(tiles, count, q, 0, &mut out);
            halves::<P, 1, M>(tiles, count, q, 1, &mut out);
        }
    }
    out
}

/// The part of [`dot`] that lies in H halves of the row tile, from half `first` on.
///
/// As many sums as registers allow run side by side, to hide `vpdpbusd`'s latency: for one token
/// both halves with a sum for each plane, else one half with a sum for each token and factor.
///
/// # Safety
/// As [`dot`]; `first + H ≤ 2`.
#[target_feature(enable = "avxvnni,avx2")]
#[inline]
unsafe fn halves<const P: usize, const H: usize, const M: usize>(
    tiles: *const u8,
    count: usize,
    q: [*const i8; M],
    first: usize,
    out: &mut [[i32; TILE_ROWS]; M],
) {
    let low = _mm256_set1_epi8(if P == 4 { 0x03 } else { 0x0F });
    let high = _mm256_set1_epi8(if P == 4 { 0x0C } else { 0xF0u8 as i8 });
    let chain = |p: usize| if M == 1 { p } else { p % 2 };
    let mut sums = [[[_mm256_setzero_si256(); P]; H]; M];
    for tile in 0..count {
        let mut planes = [[low; P]; H];
        for (half, planes) in planes.iter_mut().enumerate() {
            let at = tile * TILE_BYTES + (first + half) * HALF * PLANE;
            // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
            let bytes = unsafe { _mm256_loadu_si256(tiles.add(at).cast()) };
            let upper = _mm256_srli_epi16::<4>(bytes);
            for (p, plane) in planes.iter_mut().enumerate() {
                let shifted = if p < 2 { bytes } else { upper };
                *plane = _mm256_and_si256(shifted, if p % 2 == 0 { low } else { high });
            }
        }
        for m in 0..M {
            for p in 0..P {
                // SAFETY: tile < count, so the 4 values at 4·(P·tile + p) are readable.
                let four =
                    unsafe { q[m].add((tile * P + p) * PLANE).cast::<i32>().read_unaligned() };
                let four = _mm256_set1_epi32(four);
                for half in 0..H {
                    let sum = &mut sums[m][half][chain(p)];
                    *sum = _mm256_dpbusd_avx_epi32(*sum, planes[half][p], four);
                }
            }
        }
    }
    for m in 0..M {
        for half in 0..H {
            let [mut low, mut high] = [_mm256_setzero_si256(); 2];
            for pair in sums[m][half].chunks_exact(2) {
                (low, high) = (_mm256_add_epi32(low, pair[0]), _mm256_add_epi32(high, pair[1]));
            }
            let high =
                if P == 4 { _mm256_srai_epi32::<2>(high) } else { _mm256_srai_epi32::<4>(high) };
            let at = (first + half) * HALF;
            // SAFETY: `out[m]` has 16 values; the half's 8 start at 8·(first + half).
            unsafe {
                _mm256_storeu_si256(
                    out[m].as_mut_ptr().add(at).cast(),
                    _mm256_add_epi32(low, high),
                );
            }
        }
    }
}
