//! `sdot` and `smmla`, one function for each form.
//!
//! `pure, nomem, nostack, preserves_flags`: an instruction reads and writes its operands and no
//! more, so the compiler may move, merge or drop it.

use core::arch::aarch64::{int8x16_t, int32x4_t};
use core::arch::asm;

/// `acc[i] += Σ_j a[4i + j]·b[4i + j]`, j in 0..4 (FEAT_DotProd).
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(in super::super) fn sdot(mut acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function has the instruction's features, and the text names operands only.
    unsafe {
        asm!(
            "sdot {acc:v}.4s, {a:v}.16b, {b:v}.16b",
            acc = inout(vreg) acc,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

/// `acc[i] += Σ_j a[4i + j]·b[4P + j]`, j in 0..4 and P in 0..4 (FEAT_DotProd).
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(in super::super) fn sdot_lane<const P: usize>(
    mut acc: int32x4_t,
    a: int8x16_t,
    b: int8x16_t,
) -> int32x4_t {
    // SAFETY: the function has the instruction's features, and the text names operands only.
    unsafe {
        asm!(
            "sdot {acc:v}.4s, {a:v}.16b, {b:v}.4b[{p}]",
            acc = inout(vreg) acc,
            a = in(vreg) a,
            b = in(vreg) b,
            p = const P,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

/// `acc[2i + j] += Σ_k a[8i + k]·b[8j + k]`, k in 0..8, i and j in 0..2 (FEAT_I8MM): the product
/// of a 2×8 matrix and a transposed one, both row-major, added to a 2×2 matrix.
#[target_feature(enable = "neon,i8mm")]
#[inline]
pub(in super::super) fn smmla(mut acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function has the instruction's features, and the text names operands only.
    unsafe {
        asm!(
            "smmla {acc:v}.4s, {a:v}.16b, {b:v}.16b",
            acc = inout(vreg) acc,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}
