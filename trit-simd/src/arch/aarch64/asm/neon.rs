//! Loops over tiles on NEON of ARMv8.0.
//!
//! Intrinsics would do, but not in this order: cores that issue in order wait for each result that
//! comes late, and the compiler turns `vmlal_high_s8` with an activation in all lanes into `ext` and
//! `smlal`, a third more work. A step loads first, then unpacks the codes of a whole tile, then
//! multiplies, so that a result is read several instructions after the one that makes it.

use core::arch::aarch64::int16x8_t;
use core::arch::asm;

/// Shifts bytes right by `$bits`: `$to $from`, by number.
macro_rules! shift {
    ($bits:literal: $($to:literal $from:literal),+) => {
        concat!($("ushr v", $to, ".16b, v", $from, ".16b, #", $bits, "\n"),+)
    };
}

/// Bytes and the mask in `$mask`: `$to $from`, by number.
macro_rules! mask {
    ($mask:literal: $($to:literal $from:literal),+) => {
        concat!($("and v", $to, ".16b, v", $from, ".16b, v", $mask, ".16b\n"),+)
    };
}

/// Adds the products of a plane and the activations `$q` to the sums of its lower and upper half:
/// `$lower $upper $plane $q`, by number.
macro_rules! multiply {
    ($($lower:literal $upper:literal $plane:literal $q:literal),+) => {
        concat!($(
            "smlal v", $lower, ".8h, v", $plane, ".8b, v", $q, ".8b\n",
            "smlal2 v", $upper, ".8h, v", $plane, ".16b, v", $q, ".16b\n",
        )+)
    };
}

/// Declares the loop of one token: all quarters of `count` tiles, whose codes are loaded into the
/// registers `$codes`; `$unpack` and `$multiply` use v0 to v15, the activations in v16 to v19, the
/// mask in v20 and two sums a quarter in v24 to v31.
macro_rules! token {
    ($(#[$doc:meta])* $name:ident:
        mask $mask:literal, codes $($codes:literal $offset:literal),+; $activations:literal;
        $($step:expr),+ $(,)?) => {
        $(#[$doc])*
        #[target_feature(enable = "neon")]
        #[inline]
        pub(in super::super) unsafe fn $name(
            tiles: *const u8,
            count: usize,
            q: *const i8,
            sums: &mut [int16x8_t; 8],
        ) {
            let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
            // SAFETY: each of `count` steps, one at least, reads a tile and its activations. Every
            // register that the text writes is an operand or a clobber.
            unsafe {
                asm!(
                    concat!("movi v20.16b, #", $mask),
                    "2:",
                    $(concat!("ldr ", $codes, ", [{tiles}, #", $offset, "]"),)+
                    $activations,
                    "add {tiles}, {tiles}, #64",
                    "subs {count}, {count}, #1",
                    $($step,)+
                    "b.ne 2b",
                    tiles = inout(reg) tiles => _,
                    count = inout(reg) count => _,
                    q = inout(reg) q => _,
                    inout("v24") *s0, inout("v25") *s1, inout("v26") *s2, inout("v27") *s3,
                    inout("v28") *s4, inout("v29") *s5, inout("v30") *s6, inout("v31") *s7,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                    out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _,
                    out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                    options(readonly, nostack),
                );
            }
        }
    };
}

token! {
    /// Adds `c·q` of one token and `count` T4 tiles, one at least, to the sums of the lower and the
    /// upper half of each quarter: a product of each plane to every lane.
    ///
    /// # Safety
    /// `tiles` points to `count` tiles of 64 bytes and `q` to 16·`count` values.
    t4_token:
    mask 3, codes "q12" 0, "q13" 16, "q14" 32, "q15" 48;
    "ld4r {{v16.4s, v17.4s, v18.4s, v19.4s}}, [{q}], #16";
    shift!(2: 4 12, 5 13, 6 14, 7 15),
    shift!(4: 8 12, 9 13, 10 14, 11 15),
    mask!(20: 0 12, 1 13, 2 14, 3 15),
    shift!(6: 12 12, 13 13, 14 14, 15 15),
    mask!(20: 4 4, 5 5, 6 6, 7 7, 8 8, 9 9, 10 10, 11 11),
    multiply!(24 25 0 16, 26 27 1 16, 28 29 2 16, 30 31 3 16),
    multiply!(24 25 4 17, 26 27 5 17, 28 29 6 17, 30 31 7 17),
    multiply!(24 25 8 18, 26 27 9 18, 28 29 10 18, 30 31 11 18),
    multiply!(24 25 12 19, 26 27 13 19, 28 29 14 19, 30 31 15 19),
}

token! {
    /// As [`t4_token`], of I4 tiles.
    ///
    /// # Safety
    /// `tiles` points to `count` tiles of 64 bytes and `q` to 8·`count` values.
    i4_token:
    mask 15, codes "q4" 0, "q5" 16, "q6" 32, "q7" 48;
    "ld2r {{v16.4s, v17.4s}}, [{q}], #8";
    mask!(20: 0 4, 1 5, 2 6, 3 7),
    shift!(4: 4 4, 5 5, 6 6, 7 7),
    multiply!(24 25 0 16, 26 27 1 16, 28 29 2 16, 30 31 3 16),
    multiply!(24 25 4 17, 26 27 5 17, 28 29 6 17, 30 31 7 17),
}

/// Declares the loop of four tokens: one quarter of each of `count` tiles, whose codes are loaded
/// into the register `$codes`; `$step` uses v8 to v11, the mask in v12, the activations of token m
/// from v16 + 4m on and its two sums from v(2m) on.
macro_rules! four_tokens {
    ($(#[$doc:meta])* $name:ident:
        mask $mask:literal, codes $codes:literal; $($activations:literal),+; $($step:expr),+ $(,)?) => {
        $(#[$doc])*
        #[target_feature(enable = "neon")]
        #[inline]
        pub(in super::super) unsafe fn $name(
            quarters: *const u8,
            count: usize,
            q: [*const i8; 4],
            sums: &mut [int16x8_t; 8],
        ) {
            let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
            // SAFETY: each of `count` steps, one at least, reads a quarter and its activations.
            // Every register that the text writes is an operand or a clobber.
            unsafe {
                asm!(
                    concat!("movi v12.16b, #", $mask),
                    "2:",
                    concat!("ldr ", $codes, ", [{tiles}], #64"),
                    $($activations,)+
                    "subs {count}, {count}, #1",
                    $($step,)+
                    "b.ne 2b",
                    tiles = inout(reg) quarters => _,
                    count = inout(reg) count => _,
                    q0 = inout(reg) q[0] => _,
                    q1 = inout(reg) q[1] => _,
                    q2 = inout(reg) q[2] => _,
                    q3 = inout(reg) q[3] => _,
                    inout("v0") *s0, inout("v1") *s1, inout("v2") *s2, inout("v3") *s3,
                    inout("v4") *s4, inout("v5") *s5, inout("v6") *s6, inout("v7") *s7,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                    out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
                    out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _,
                    out("v31") _,
                    options(readonly, nostack),
                );
            }
        }
    };
}

four_tokens! {
    /// Adds `c·q` of four tokens and one quarter of each of `count` T4 tiles, one at least, to two
    /// sums a token, those of the quarter's lower and upper half: a product of each plane to every
    /// lane.
    ///
    /// # Safety
    /// `quarters` points to the quarter in the first of `count` tiles of 64 bytes, each `q` to
    /// 16·`count` values.
    t4_four_tokens:
    mask 3, codes "q11";
    "ld4r {{v16.4s, v17.4s, v18.4s, v19.4s}}, [{q0}], #16",
    "ld4r {{v20.4s, v21.4s, v22.4s, v23.4s}}, [{q1}], #16",
    "ld4r {{v24.4s, v25.4s, v26.4s, v27.4s}}, [{q2}], #16",
    "ld4r {{v28.4s, v29.4s, v30.4s, v31.4s}}, [{q3}], #16";
    shift!(2: 9 11),
    shift!(4: 10 11),
    mask!(12: 8 11),
    shift!(6: 11 11),
    mask!(12: 9 9, 10 10),
    multiply!(0 1 8 16, 2 3 8 20, 4 5 8 24, 6 7 8 28),
    multiply!(0 1 9 17, 2 3 9 21, 4 5 9 25, 6 7 9 29),
    multiply!(0 1 10 18, 2 3 10 22, 4 5 10 26, 6 7 10 30),
    multiply!(0 1 11 19, 2 3 11 23, 4 5 11 27, 6 7 11 31),
}

four_tokens! {
    /// As [`t4_four_tokens`], of I4 tiles.
    ///
    /// # Safety
    /// `quarters` points to the quarter in the first of `count` tiles of 64 bytes, each `q` to
    /// 8·`count` values.
    i4_four_tokens:
    mask 15, codes "q9";
    "ld2r {{v16.4s, v17.4s}}, [{q0}], #8",
    "ld2r {{v20.4s, v21.4s}}, [{q1}], #8",
    "ld2r {{v24.4s, v25.4s}}, [{q2}], #8",
    "ld2r {{v28.4s, v29.4s}}, [{q3}], #8";
    mask!(12: 8 9),
    shift!(4: 9 9),
    multiply!(0 1 8 16, 2 3 8 20, 4 5 8 24, 6 7 8 28),
    multiply!(0 1 9 17, 2 3 9 21, 4 5 9 25, 6 7 9 29),
}
