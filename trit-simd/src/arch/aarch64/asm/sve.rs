//! Loops over SVE vectors of any length.
//!
//! Vectors and predicates are named in the text and given as clobbers. z8 to z15 stay free, as a
//! caller expects the lower halves of v8 to v15 back.

use core::arch::asm;

/// Bytes of a vector: 16 to 256, a multiple of 16.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) fn vector_bytes() -> usize {
    let bytes;
    // SAFETY: the function has the instruction's feature, and the text names operands only.
    unsafe {
        asm!("cntb {bytes}", bytes = out(reg) bytes, options(pure, nomem, nostack, preserves_flags));
    }
    bytes
}

/// Predicates, masks and sums of 0. p0 covers the bytes of the tile that a vector reaches and p1
/// their rows, a 32-bit lane each.
macro_rules! begin {
    (masks $($mask:literal $value:literal),+; sums $($sum:literal)+) => {
        concat!(
            "whilelo p0.b, {at}, {bytes}\n",
            "whilelo p1.s, {row}, {rows}\n",
            $("mov ", $mask, ".b, #", $value, "\n",)+
            $("mov ", $sum, ".s, #0\n",)+
        )
    };
}

/// The planes of the bytes in the last of the vectors: ×1, ×4, ×16 and ×1.
macro_rules! t4_unpack {
    ($p0:literal $p1:literal $p2:literal $p3:literal) => {
        concat!(
            concat!("and ", $p0, ".d, ", $p3, ".d, z1.d\n"),
            concat!("and ", $p1, ".d, ", $p3, ".d, z2.d\n"),
            concat!("and ", $p2, ".d, ", $p3, ".d, z3.d\n"),
            concat!("lsr ", $p3, ".b, ", $p3, ".b, #6\n"),
        )
    };
}

/// Adds the products of each plane and the four activations at an offset from `$q`.
macro_rules! dot {
    ($q:literal: $($sum:literal $plane:literal $offset:literal),+) => {
        concat!($(
            "ld1rw {{z0.s}}, p1/z, [{", $q, "}, #", $offset, "]\n",
            "sdot ", $sum, ".s, ", $plane, ".b, z0.b\n",
        )+)
    };
}

/// Joins the sums of the planes and stores the rows at `out`.
macro_rules! t4_end {
    ($s0:literal $s1:literal $s2:literal $s3:literal) => {
        concat!(
            concat!("asr ", $s1, ".s, ", $s1, ".s, #2\n"),
            concat!("asr ", $s2, ".s, ", $s2, ".s, #4\n"),
            concat!("add ", $s0, ".s, ", $s0, ".s, ", $s1, ".s\n"),
            concat!("add ", $s2, ".s, ", $s2, ".s, ", $s3, ".s\n"),
            concat!("add ", $s0, ".s, ", $s0, ".s, ", $s2, ".s\n"),
            concat!("st1w {{", $s0, ".s}}, p1, [{out}]\n"),
        )
    };
}

/// `Σ c·q` of one token and the rows from `row` on, as many of the 16 as a vector has 32-bit lanes.
///
/// # Safety
/// `tiles` points to `count` T4 tiles, `q` to 16·`count` values and `out` to 16 sums; `row` is a
/// multiple of 4 below 16.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) unsafe fn t4_token(
    tiles: *const u8,
    count: usize,
    row: usize,
    q: *const i8,
    out: *mut i32,
) {
    // Two tiles a step with sums of their own, so that a sum waits less often for its last product.
    // SAFETY: p0 keeps loads within a tile, and the steps make `count` tiles; p1 keeps the store
    // within the 16 sums. Every register that the text writes is an operand or a clobber.
    unsafe {
        asm!(
            begin!(
                masks "z1" "0x03", "z2" "0x0C", "z3" "0x30";
                sums "z16" "z17" "z18" "z19" "z20" "z21" "z22" "z23"
            ),
            "cbz {pairs}, 3f",
            "2:",
            "ld1b {{z7.b}}, p0/z, [{tiles}]",
            "ld1b {{z27.b}}, p0/z, [{tiles}, {bytes}]",
            t4_unpack!("z4" "z5" "z6" "z7"),
            t4_unpack!("z24" "z25" "z26" "z27"),
            dot!("q": "z16" "z4" "0", "z17" "z5" "4", "z18" "z6" "8", "z19" "z7" "12"),
            dot!("q": "z20" "z24" "16", "z21" "z25" "20", "z22" "z26" "24", "z23" "z27" "28"),
            "add {tiles}, {tiles}, #128",
            "add {q}, {q}, #32",
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "cbz {odd}, 4f",
            "ld1b {{z7.b}}, p0/z, [{tiles}]",
            t4_unpack!("z4" "z5" "z6" "z7"),
            dot!("q": "z16" "z4" "0", "z17" "z5" "4", "z18" "z6" "8", "z19" "z7" "12"),
            "4:",
            "add z16.s, z16.s, z20.s",
            "add z17.s, z17.s, z21.s",
            "add z18.s, z18.s, z22.s",
            "add z19.s, z19.s, z23.s",
            t4_end!("z16" "z17" "z18" "z19"),
            tiles = inout(reg) tiles.add(4 * row) => _,
            q = inout(reg) q => _,
            pairs = inout(reg) count / 2 => _,
            odd = in(reg) count % 2,
            out = in(reg) out.add(row),
            at = in(reg) 4 * row,
            bytes = in(reg) 64usize,
            row = in(reg) row,
            rows = in(reg) 16usize,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("p0") _, out("p1") _,
            options(nostack),
        );
    }
}

/// [`t4_token`] of four tokens, which share unpacked weights.
///
/// # Safety
/// As [`t4_token`], for each `q`, and for 16 sums of each token in `out`.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) unsafe fn t4_four_tokens(
    tiles: *const u8,
    count: usize,
    row: usize,
    q: [*const i8; 4],
    out: *mut [i32; 16],
) {
    // SAFETY: as in `t4_token`; stores are 64 bytes, the sums of a token, apart.
    unsafe {
        asm!(
            begin!(
                masks "z1" "0x03", "z2" "0x0C", "z3" "0x30";
                sums "z16" "z17" "z18" "z19" "z20" "z21" "z22" "z23"
                     "z24" "z25" "z26" "z27" "z28" "z29" "z30" "z31"
            ),
            "cbz {count}, 3f",
            "2:",
            "ld1b {{z7.b}}, p0/z, [{tiles}]",
            t4_unpack!("z4" "z5" "z6" "z7"),
            dot!("q0": "z16" "z4" "0", "z17" "z5" "4", "z18" "z6" "8", "z19" "z7" "12"),
            dot!("q1": "z20" "z4" "0", "z21" "z5" "4", "z22" "z6" "8", "z23" "z7" "12"),
            dot!("q2": "z24" "z4" "0", "z25" "z5" "4", "z26" "z6" "8", "z27" "z7" "12"),
            dot!("q3": "z28" "z4" "0", "z29" "z5" "4", "z30" "z6" "8", "z31" "z7" "12"),
            "add {tiles}, {tiles}, #64",
            "add {q0}, {q0}, #16",
            "add {q1}, {q1}, #16",
            "add {q2}, {q2}, #16",
            "add {q3}, {q3}, #16",
            "subs {count}, {count}, #1",
            "b.ne 2b",
            "3:",
            t4_end!("z16" "z17" "z18" "z19"),
            "add {out}, {out}, #64",
            t4_end!("z20" "z21" "z22" "z23"),
            "add {out}, {out}, #64",
            t4_end!("z24" "z25" "z26" "z27"),
            "add {out}, {out}, #64",
            t4_end!("z28" "z29" "z30" "z31"),
            tiles = inout(reg) tiles.add(4 * row) => _,
            q0 = inout(reg) q[0] => _,
            q1 = inout(reg) q[1] => _,
            q2 = inout(reg) q[2] => _,
            q3 = inout(reg) q[3] => _,
            count = inout(reg) count => _,
            out = inout(reg) out.cast::<i32>().add(row) => _,
            at = in(reg) 4 * row,
            bytes = in(reg) 64usize,
            row = in(reg) row,
            rows = in(reg) 16usize,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            out("p0") _, out("p1") _,
            options(nostack),
        );
    }
}

/// `Σ c·q` of 4-bit codes, one token and the rows from `row` on, as many of the 16 as a vector has
/// 32-bit lanes.
///
/// # Safety
/// `tiles` points to `count` I4 tiles, `q` to 8·`count` values and `out` to 16 sums; `row` is a
/// multiple of 4 below 16.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) unsafe fn i4_token(
    tiles: *const u8,
    count: usize,
    row: usize,
    q: *const i8,
    out: *mut i32,
) {
    // SAFETY: as in `t4_token`.
    unsafe {
        asm!(
            begin!(masks "z1" "0x0F"; sums "z16" "z17" "z18" "z19"),
            "cbz {pairs}, 3f",
            "2:",
            "ld1b {{z5.b}}, p0/z, [{tiles}]",
            "ld1b {{z7.b}}, p0/z, [{tiles}, {bytes}]",
            "and z4.d, z5.d, z1.d",
            "and z6.d, z7.d, z1.d",
            "lsr z5.b, z5.b, #4",
            "lsr z7.b, z7.b, #4",
            dot!("q": "z16" "z4" "0", "z17" "z5" "4", "z18" "z6" "8", "z19" "z7" "12"),
            "add {tiles}, {tiles}, #128",
            "add {q}, {q}, #16",
            "subs {pairs}, {pairs}, #1",
            "b.ne 2b",
            "3:",
            "cbz {odd}, 4f",
            "ld1b {{z5.b}}, p0/z, [{tiles}]",
            "and z4.d, z5.d, z1.d",
            "lsr z5.b, z5.b, #4",
            dot!("q": "z16" "z4" "0", "z17" "z5" "4"),
            "4:",
            "add z16.s, z16.s, z17.s",
            "add z18.s, z18.s, z19.s",
            "add z16.s, z16.s, z18.s",
            "st1w {{z16.s}}, p1, [{out}]",
            tiles = inout(reg) tiles.add(4 * row) => _,
            q = inout(reg) q => _,
            pairs = inout(reg) count / 2 => _,
            odd = in(reg) count % 2,
            out = in(reg) out.add(row),
            at = in(reg) 4 * row,
            bytes = in(reg) 64usize,
            row = in(reg) row,
            rows = in(reg) 16usize,
            out("v0") _, out("v1") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("p0") _, out("p1") _,
            options(nostack),
        );
    }
}

/// Adds up the products of rows and tokens of int8 and stores each sum at an offset from `out`.
macro_rules! int8 {
    ($($z:literal $pointer:literal),+; $($sum:literal $w:literal $q:literal $offset:literal),+) => {
        concat!(
            $("mov ", $sum, ".s, #0\n",)+
            "ptrue p1.s\n",
            "whilelo p0.b, {at}, {k}\n",
            "2:\n",
            $("ld1b {{", $z, ".b}}, p0/z, [{", $pointer, "}, {at}]\n",)+
            "incb {at}\n",
            $("sdot ", $sum, ".s, ", $w, ".b, ", $q, ".b\n",)+
            "whilelo p0.b, {at}, {k}\n",
            "b.first 2b\n",
            $(
                "saddv d0, p1, ", $sum, ".s\n",
                "str s0, [{out}, #", $offset, "]\n",
            )+
        )
    };
}

/// `Σ w·q` of four rows and two tokens of `k` int8 values each.
///
/// # Safety
/// Every `w` and `q` points to `k` values.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) unsafe fn int8_4x2(
    k: usize,
    w: [*const i8; 4],
    q: [*const i8; 2],
) -> [[i32; 4]; 2] {
    let mut out = [[0; 4]; 2];
    // SAFETY: p0 keeps loads below k; the stores are the 8 sums. Every register that the text
    // writes is an operand or a clobber.
    unsafe {
        asm!(
            int8!(
                "z1" "w0", "z2" "w1", "z3" "w2", "z4" "w3", "z5" "q0", "z6" "q1";
                "z16" "z1" "z5" "0", "z17" "z2" "z5" "4", "z18" "z3" "z5" "8",
                "z19" "z4" "z5" "12", "z20" "z1" "z6" "16", "z21" "z2" "z6" "20",
                "z22" "z3" "z6" "24", "z23" "z4" "z6" "28"
            ),
            w0 = in(reg) w[0],
            w1 = in(reg) w[1],
            w2 = in(reg) w[2],
            w3 = in(reg) w[3],
            q0 = in(reg) q[0],
            q1 = in(reg) q[1],
            at = inout(reg) 0usize => _,
            k = in(reg) k,
            out = in(reg) out.as_mut_ptr(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("p0") _, out("p1") _,
            options(nostack),
        );
    }
    out
}

/// `Σ w·q` of four rows and one token of `k` int8 values each.
///
/// # Safety
/// Every `w`, and `q`, points to `k` values.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) unsafe fn int8_4x1(k: usize, w: [*const i8; 4], q: *const i8) -> [i32; 4] {
    let mut out = [0; 4];
    // SAFETY: as in `int8_4x2`, for 4 sums.
    unsafe {
        asm!(
            int8!(
                "z1" "w0", "z2" "w1", "z3" "w2", "z4" "w3", "z5" "q";
                "z16" "z1" "z5" "0", "z17" "z2" "z5" "4", "z18" "z3" "z5" "8", "z19" "z4" "z5" "12"
            ),
            w0 = in(reg) w[0],
            w1 = in(reg) w[1],
            w2 = in(reg) w[2],
            w3 = in(reg) w[3],
            q = in(reg) q,
            at = inout(reg) 0usize => _,
            k = in(reg) k,
            out = in(reg) out.as_mut_ptr(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("p0") _, out("p1") _,
            options(nostack),
        );
    }
    out
}

/// `Σ w·q` of a row and a token of `k` int8 values each.
///
/// # Safety
/// `w` and `q` point to `k` values.
#[target_feature(enable = "sve")]
#[inline]
pub(in super::super) unsafe fn int8_1x1(k: usize, w: *const i8, q: *const i8) -> i32 {
    let mut out = 0;
    // SAFETY: as in `int8_4x2`, for one sum.
    unsafe {
        asm!(
            int8!("z1" "w", "z2" "q"; "z16" "z1" "z2" "0"),
            w = in(reg) w,
            q = in(reg) q,
            at = inout(reg) 0usize => _,
            k = in(reg) k,
            out = in(reg) &raw mut out,
            out("v0") _, out("v1") _, out("v2") _, out("v16") _,
            out("p0") _, out("p1") _,
            options(nostack),
        );
    }
    out
}
