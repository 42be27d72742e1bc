//! AVX-512 with VNNI: 64-byte vectors, 32 registers.
//!
//! | instruction | what for | latency, ports (Ice Lake; Zen 4 and 5 alike or better) |
//! |---|---|---|
//! | `vpdpbusd zmm` | u8 × i8, four summed into i32 | 5, p0(+p5) |
//! | `vpbroadcastd` from memory | four activations to every row | 1 load |
//! | `vpsrlw` | unpacking | 1, p0 |
//! | `vpandd`, `vpxord` | unpacking, signed to unsigned | 1, p05 |
//!
//! A T4 tile is one vector: 16 rows in 32-bit lanes. The four codes of a row and plane meet the
//! four activations in one `vpdpbusd`, straight into the row's i32.
//!
//! ```text
//! byte          p3 p2 p1 p0        four 2-bit codes
//! & 0x03                 p0        ×1     >> 4, & 0x03     p2     ×1
//! & 0x0C              p1 ··        ×4     >> 4, & 0x0C  p3 ··     ×4
//! ```
//!
//! The ×4 sums are shifted down once at the end; they are multiples of 4, so that is exact. So it is
//! with an I4 tile: a byte of two codes, `& 0x0F` ×1 and `& 0xF0` ×16. Where many tokens share the
//! planes they are all brought to ×1 by one more shift, which halves the sums to keep.
//!
//! `vpdpbusd` takes its first operand unsigned. An int8 weight with its top bit flipped is w + 128
//! as u8, −128 included, so `Σ w·q = Σ (w + 128)·q − Σ 128·q`, and the last sum is one more
//! `vpdpbusd` for all rows.

use core::arch::x86_64::*;

use trit_core::layout::TILE_BYTES;
use trit_core::reference::LANES;
use trit_core::{GroupSize, TILE_ROWS};

use super::{dot_kernels, lanes};
use crate::arch::DotKernels;
use crate::cpu::Avx512Vnni;

// One sum of all planes of T4, ×1: |Σ| ≤ 3·128·2²⁰ < 2²⁹. The ×4 half of them: |Σ| ≤ 12·128·2²⁰ / 2 <
// 2³⁰. The ×16 half of the planes of I4, a group of 256 inputs at most: |Σ| ≤ 240·128·256 / 2 < 2²².
const _: () = assert!(3 * 128 * (trit_core::MAX_TERNARY_K as u64) < 1 << 31);
const _: () = assert!(12 * 128 * (trit_core::MAX_TERNARY_K as u64) / 2 < 1 << 31);
const _: () = assert!(240 * 128 * GroupSize::G256.inputs() / 2 < 1 << 31);

// A lane sums four of every 64 products of at most 255·128, and at most one more step of 4:
// |Σ| ≤ 255·128·2¹² + 4·255·128 < 2²⁷. That of 128·q is less.
const _: () = assert!(255 * 128 * (trit_core::MAX_INT8_K as u64 / 16 + 4) < 1 << 31);

impl DotKernels for Avx512Vnni {
    const GEMV_TILES: usize = GEMV_TILES;
    const GEMM_TILES: usize = GEMM_TILES;

    dot_kernels!("avx512f,avx512bw,avx512vnni", "avx512f,avx512bw,avx512vnni,avx2");

    #[target_feature(enable = "f16c")]
    #[inline]
    unsafe fn widen_f16(self, values: &[u16; LANES]) -> [f32; LANES] {
        lanes::widen_f16(values)
    }
}

/// Row tiles side by side for one token.
pub(super) const GEMV_TILES: usize = 4;

/// Row tiles side by side for several tokens.
pub(super) const GEMM_TILES: usize = 2;

/// `Σ c·q` of the 16 rows of R row tiles with P planes a byte, 4 or 2, and of M tokens, asking
/// for weights AHEAD bytes ahead of their use.
///
/// As many sums as registers allow run side by side, to hide `vpdpbusd`'s latency: of up to 4 row
/// tiles and tokens one for each plane, of up to 8 one for each factor, of more only one, and planes
/// ×1 alone.
///
/// # Safety
/// Each of `tiles` points to `count` tiles of 64 bytes and each `q` to 4·P·`count` values.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
pub(super) unsafe fn dot<const AHEAD: usize, const P: usize, const R: usize, const M: usize>(
    tiles: [*const u8; R],
    count: usize,
    q: [*const i8; M],
) -> [[[i32; TILE_ROWS]; M]; R] {
    let chain = |p: usize| match R * M {
        ..=4 => p,
        5..=8 => p % 2,
        _ => 0,
    };
    let low = _mm512_set1_epi8(if P == 4 { 0x03 } else { 0x0F });
    let high = _mm512_set1_epi8(if P == 4 { 0x0C } else { 0xF0u8 as i8 });
    let plane = |bytes: __m512i, p: usize| {
        let shifted = if p < 2 { bytes } else { _mm512_srli_epi16::<4>(bytes) };
        if p.is_multiple_of(2) {
            _mm512_and_si512(shifted, low)
        } else if R * M <= 8 {
            _mm512_and_si512(shifted, high)
        } else if P == 4 {
            _mm512_and_si512(_mm512_srli_epi16::<2>(shifted), low)
        } else {
            _mm512_and_si512(_mm512_srli_epi16::<4>(shifted), low)
        }
    };
    let mut sums = [[[_mm512_setzero_si512(); P]; M]; R];
    for tile in 0..count {
        if M == 1 {
            lanes::prefetch(tiles, tile * TILE_BYTES + AHEAD);
        }
        let mut bytes = [low; R];
        for r in 0..R {
            // SAFETY: tile < count, so the 64 bytes lie within the tiles.
            bytes[r] = unsafe { _mm512_loadu_si512(tiles[r].add(tile * TILE_BYTES).cast()) };
        }
        for p in 0..P {
            let mut planes = [low; R];
            for r in 0..R {
                planes[r] = plane(bytes[r], p);
            }
            for m in 0..M {
                // SAFETY: tile < count, so the 4 values at 4·(P·tile + p) are readable.
                let four = _mm512_set1_epi32(unsafe { lanes::four(q[m], tile * P + p) });
                for r in 0..R {
                    let sum = &mut sums[r][m][chain(p)];
                    *sum = _mm512_dpbusd_epi32(*sum, planes[r], four);
                }
            }
        }
    }
    let mut out = [[[0; TILE_ROWS]; M]; R];
    for r in 0..R {
        for m in 0..M {
            let [mut low, mut high] = [_mm512_setzero_si512(); 2];
            for pair in sums[r][m].chunks_exact(2) {
                (low, high) = (_mm512_add_epi32(low, pair[0]), _mm512_add_epi32(high, pair[1]));
            }
            let high =
                if P == 4 { _mm512_srai_epi32::<2>(high) } else { _mm512_srai_epi32::<4>(high) };
            let sum = _mm512_add_epi32(low, high);
            // SAFETY: `out[r][m]` has 16 values of 4 bytes.
            unsafe { _mm512_storeu_si512(out[r][m].as_mut_ptr().cast(), sum) };
        }
    }
    out
}

/// `Σ w·q` of R rows and M tokens, asking for weights AHEAD bytes ahead of their use.
///
/// # Safety
/// As [`DotKernels::dot_i8`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
#[inline]
pub(super) unsafe fn dot_i8<const AHEAD: usize, const R: usize, const M: usize>(
    k: usize,
    w: [*const i8; R],
    q: [*const i8; M],
) -> [[i32; R]; M] {
    let top = _mm512_set1_epi8(-128);
    let mut sums = [[_mm512_setzero_si512(); R]; M];
    let mut excess = [_mm512_setzero_si512(); M];
    let mut add = |w: [__m512i; R], q: [__m512i; M]| {
        let w = w.map(|w| _mm512_xor_si512(w, top));
        for m in 0..M {
            excess[m] = _mm512_dpbusd_epi32(excess[m], top, q[m]);
            for r in 0..R {
                sums[m][r] = _mm512_dpbusd_epi32(sums[m][r], w[r], q[m]);
            }
        }
    };
    let whole = k / 64 * 64;
    for at in (0..whole).step_by(64) {
        if M == 1 {
            lanes::prefetch(w, at + AHEAD);
        }
        // SAFETY: at + 64 ≤ k.
        let load = |p: *const i8| unsafe { _mm512_loadu_si512(p.add(at).cast()) };
        add(w.map(load), q.map(load));
    }
    if whole < k {
        let left = (1 << (k - whole)) - 1;
        // SAFETY: only the k − whole values that are left are read. Above them q is 0, which
        // makes the weights there count for nothing.
        let load = |p: *const i8| unsafe { _mm512_maskz_loadu_epi8(left, p.add(whole)) };
        add(w.map(load), q.map(load));
    }
    let mut out = [[0; R]; M];
    for m in 0..M {
        let mut halves = [_mm256_setzero_si256(); R];
        for r in 0..R {
            let sum = _mm512_sub_epi32(sums[m][r], excess[m]);
            halves[r] =
                _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64::<1>(sum));
        }
        out[m] = lanes::sums(&halves);
    }
    out
}
