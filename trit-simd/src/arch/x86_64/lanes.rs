//! What the files of this folder share: reading activations, prefetching weights, and sums across
//! registers for products whose k lies in lanes.

use core::arch::x86_64::*;

use trit_core::layout::PLANE;
use trit_core::reference::LANES;

/// Bytes that a product with one token, which reads every weight once, asks for ahead of its use in
/// each of several streams. Measured from memory on Sapphire Rapids and Zen 5: 1 to 4 KiB are alike, and
/// less or more is slower.
pub(super) const AHEAD: usize = 2048;

/// The same in the design `near`. On Zen 4 a token of Whisper small takes 0.86 to 0.93 of the time that it
/// takes with [`AHEAD`]; 256 to 512 bytes are alike, and from 768 on it is as slow as not asking.
pub(super) const NEAR: usize = 512;

/// The same for what is read as one stream, which has to ask as far ahead as several together.
const AHEAD_ALONE: usize = 4 * AHEAD;

/// Asks for what lies at `offset` in each row tile or row of weights.
#[inline(always)]
pub(super) fn prefetch<T, const R: usize>(weights: [*const T; R], offset: usize) {
    for weights in weights {
        ask(weights, offset);
    }
}

/// Asks for what lies [`AHEAD_ALONE`] of `offset` in a stream of its own.
#[inline(always)]
pub(super) fn prefetch_alone<T>(stream: *const T, offset: usize) {
    ask(stream, offset + AHEAD_ALONE);
}

/// Asks for the memory at `offset`. Beyond the end of the weights, where the address may be anybody's,
/// it does nothing.
#[inline(always)]
fn ask<T>(weights: *const T, offset: usize) {
    let ahead = weights.cast::<u8>().wrapping_add(offset);
    // SAFETY: a prefetch reads nothing and faults on no address; SSE is part of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(ahead.cast()) };
}

/// Asks for the cache line in which `element` begins, which will be written soon.
#[inline(always)]
pub(crate) fn prefetch_output<T>(element: &T) {
    // SAFETY: a prefetch faults on no address; SSE is part of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(element).cast()) };
}

/// The values of half-precision bits, by `vcvtph2ps`.
#[target_feature(enable = "f16c")]
#[inline]
pub(super) fn widen_f16(values: &[u16; LANES]) -> [f32; LANES] {
    let mut wide = [0.0; LANES];
    for (wide, values) in wide.as_chunks_mut::<8>().0.iter_mut().zip(values.as_chunks::<8>().0) {
        // SAFETY: both are 8 values, and unaligned is allowed.
        unsafe {
            let eight = _mm_loadu_si128(values.as_ptr().cast());
            _mm256_storeu_ps(wide.as_mut_ptr(), _mm256_cvtph_ps(eight));
        }
    }
    wide
}

/// The activations that meet plane `plane`, counted from the first tile's, as the bytes of an i32.
///
/// # Safety
/// `q` points to more than 4·`plane` + 3 values.
#[inline(always)]
pub(super) unsafe fn four(q: *const i8, plane: usize) -> i32 {
    // SAFETY: as the caller's.
    unsafe { q.add(plane * PLANE).cast::<i32>().read_unaligned() }
}

/// The sum of the lanes of each of R vectors.
///
/// Loops over arrays rather than `map`: a closure compiled for AVX2 is not inlined into a library
/// function that is not.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn sums<const R: usize>(v: &[__m256i; R]) -> [i32; R] {
    let mut out = [0; R];
    for (out, v) in out.chunks_mut(4).zip(v.chunks(4)) {
        if let &[a, b, c, d] = v {
            // Four at once take three `vphaddd`; one by one they take eight shuffles.
            let pairs = [_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d)];
            let four = join(_mm256_hadd_epi32(pairs[0], pairs[1]));
            out[0] = _mm_extract_epi32::<0>(four);
            out[1] = _mm_extract_epi32::<1>(four);
            out[2] = _mm_extract_epi32::<2>(four);
            out[3] = _mm_extract_epi32::<3>(four);
        } else {
            for (out, &v) in out.iter_mut().zip(v) {
                let v = join(v);
                let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b01_00_11_10>(v));
                let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b00_00_00_01>(v));
                *out = _mm_cvtsi128_si32(v);
            }
        }
    }
    out
}

/// The sum of the two halves.
#[target_feature(enable = "avx2")]
#[inline]
fn join(v: __m256i) -> __m128i {
    _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v))
}
