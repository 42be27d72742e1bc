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
//! with an I4 tile: a byte of two codes, `& 0x0F` ×1 and `& 0xF0` ×16. Where many tokens share the
//! planes they are all brought to ×1 by one more shift, which halves the sums to keep.
//!
//! `vpdpbusd` takes its first operand unsigned. An int8 weight with its top bit flipped is w + 128
//! as u8, −128 included, so `Σ w·q = Σ (w + 128)·q − Σ 128·q`, and the last sum is one more
//! `vpdpbusd` for all rows. Splitting signs off with `vpsignb` would be wrong for q = −128.

use core::arch::x86_64::*;

use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{GroupSize, TILE_ROWS};

use super::{dot_kernels, lanes};
use crate::arch::DotKernels;
use crate::cpu::AvxVnni;

/// Rows in half a tile.
const HALF: usize = TILE_ROWS / 2;

// One sum of all planes of T4, ×1: |Σ| ≤ 3·128·2²⁰ < 2²⁹. The ×4 half of them: |Σ| ≤ 12·128·2²⁰ / 2 <
// 2³⁰. The ×16 half of the planes of I4, a group of 256 inputs at most: |Σ| ≤ 240·128·256 / 2 < 2²².
const _: () = assert!(3 * 128 * (trit_core::MAX_TERNARY_K as u64) < 1 << 31);
const _: () = assert!(12 * 128 * (trit_core::MAX_TERNARY_K as u64) / 2 < 1 << 31);
const _: () = assert!(240 * 128 * GroupSize::G256.inputs() / 2 < 1 << 31);

// A lane sums four of every 32 products of at most 255·128, and at most one more step of 4:
// |Σ| ≤ 255·128·2¹³ + 4·255·128 < 2²⁸. That of 128·q is less.
const _: () = assert!(255 * 128 * (trit_core::MAX_INT8_K as u64 / 8 + 4) < 1 << 31);

impl DotKernels for AvxVnni {
    const GEMV_TILES: usize = 2;

    dot_kernels!("avxvnni,avx2", "avxvnni,avx2");
}

/// `Σ w·q` of R rows and M tokens, asking for weights AHEAD bytes ahead of their use.
///
/// # Safety
/// As [`DotKernels::dot_i8`].
#[target_feature(enable = "avxvnni,avx2")]
#[inline]
unsafe fn dot_i8<const AHEAD: usize, const R: usize, const M: usize>(
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
        if M == 1 && at % TILE_BYTES == 0 {
            lanes::prefetch(w, at + AHEAD);
        }
        // SAFETY: at + 32 ≤ k.
        let load = |p: *const i8| unsafe { _mm256_loadu_si256(p.add(at).cast()) };
        add(w.map(load), q.map(load));
    }
    if whole < k {
        // SAFETY: k is a multiple of 16, so 16 values are left. Above them q is 0, which makes
        // the weights there count for nothing.
        let load =
            |p: *const i8| unsafe { _mm256_zextsi128_si256(_mm_loadu_si128(p.add(whole).cast())) };
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

/// `Σ c·q` of the 16 rows of R row tiles with P planes a byte, 4 or 2, and of M tokens, asking
/// for weights AHEAD bytes ahead of their use.
///
/// As many sums as registers allow run side by side, to hide `vpdpbusd`'s latency: of one row and
/// token one for each plane, of two one for each factor, of more only one, and planes ×1 alone.
///
/// # Safety
/// Each of `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values.
#[target_feature(enable = "avxvnni,avx2")]
#[inline]
unsafe fn dot<const AHEAD: usize, const P: usize, const R: usize, const M: usize>(
    tiles: [*const u8; R],
    count: usize,
    q: [*const i8; M],
) -> [[[i32; TILE_ROWS]; M]; R] {
    let chain = |p: usize| match R * M {
        1 => p,
        2 => p % 2,
        _ => 0,
    };
    let low = _mm256_set1_epi8(if P == 4 { 0x03 } else { 0x0F });
    let high = _mm256_set1_epi8(if P == 4 { 0x0C } else { 0xF0u8 as i8 });
    let plane = |bytes: __m256i, p: usize| {
        let shifted = if p < 2 { bytes } else { _mm256_srli_epi16::<4>(bytes) };
        if p.is_multiple_of(2) {
            _mm256_and_si256(shifted, low)
        } else if R * M <= 2 {
            _mm256_and_si256(shifted, high)
        } else if P == 4 {
            _mm256_and_si256(_mm256_srli_epi16::<2>(shifted), low)
        } else {
            _mm256_and_si256(_mm256_srli_epi16::<4>(shifted), low)
        }
    };
    let mut sums = [[[[_mm256_setzero_si256(); P]; M]; 2]; R];
    for tile in 0..count {
        if M == 1 {
            lanes::prefetch(tiles, tile * TILE_BYTES + AHEAD);
        }
        let mut bytes = [[low; 2]; R];
        for r in 0..R {
            for half in 0..2 {
                let at = tile * TILE_BYTES + half * HALF * PLANE;
                // SAFETY: tile < count, so the 32 bytes of this half lie within the tiles.
                bytes[r][half] = unsafe { _mm256_loadu_si256(tiles[r].add(at).cast()) };
            }
        }
        for p in 0..P {
            let mut planes = [[low; 2]; R];
            for r in 0..R {
                for half in 0..2 {
                    planes[r][half] = plane(bytes[r][half], p);
                }
            }
            for m in 0..M {
                // SAFETY: tile < count, so the 4 values at 4·(P·tile + p) are readable.
                let four = _mm256_set1_epi32(unsafe { lanes::four(q[m], tile * P + p) });
                for r in 0..R {
                    for half in 0..2 {
                        let sum = &mut sums[r][half][m][chain(p)];
                        *sum = _mm256_dpbusd_avx_epi32(*sum, planes[r][half], four);
                    }
                }
            }
        }
    }
    let mut out = [[[0; TILE_ROWS]; M]; R];
    for r in 0..R {
        for half in 0..2 {
            for m in 0..M {
                let [mut low, mut high] = [_mm256_setzero_si256(); 2];
                for pair in sums[r][half][m].chunks_exact(2) {
                    low = _mm256_add_epi32(low, pair[0]);
                    high = _mm256_add_epi32(high, pair[1]);
                }
                let high = if P == 4 {
                    _mm256_srai_epi32::<2>(high)
                } else {
                    _mm256_srai_epi32::<4>(high)
                };
                // SAFETY: `out[r][m]` has 16 values; the half's 8 start at 8·half.
                unsafe {
                    _mm256_storeu_si256(
                        out[r][m].as_mut_ptr().add(half * HALF).cast(),
                        _mm256_add_epi32(low, high),
                    );
                }
            }
        }
    }
    out
}
