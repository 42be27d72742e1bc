//! Loops over T4 and I4 tiles with `sdot`.
//!
//! The order is for cores that issue in order: loads, then unpacking, then products, each of which
//! reads what was made several instructions before.

use core::arch::aarch64::int32x4_t;
use core::arch::asm;

/// Bytes and the mask in `$mask`: `$to $from`.
macro_rules! mask {
    ($mask:literal: $($to:literal $from:literal),+) => {
        concat!($("and ", $to, ".16b, ", $from, ".16b, ", $mask, ".16b\n"),+)
    };
}

/// Adds the products of planes and the four activations at `$lane` of `$q` to sums: `$sum $plane
/// $q`.
macro_rules! sdot {
    ($lane:literal: $($sum:literal $plane:literal $q:literal),+) => {
        concat!($("sdot ", $sum, ".4s, ", $plane, ".16b, ", $q, ".4b[", $lane, "]\n"),+)
    };
}

/// Adds `c·q` of one token and `count` T4 tiles, one at least, to three sums a quarter: of the
/// planes taken as ×1, as ×4 and as ×16, times that much.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and `q` to 16·`count` values.
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(in super::super) unsafe fn t4_token(
    tiles: *const u8,
    count: usize,
    q: *const i8,
    [s1, s4, s16]: &mut [[int32x4_t; 4]; 3],
) {
    // SAFETY: each of `count` steps, one at least, reads a tile and its activations. Every register
    // that the text writes is an operand or a clobber.
    unsafe {
        asm!(
            "movi v17.16b, #0x03",
            "movi v18.16b, #0x0C",
            "movi v19.16b, #0x30",
            "2:",
            "ldr q12, [{tiles}]",
            "ldr q13, [{tiles}, #16]",
            "ldr q14, [{tiles}, #32]",
            "ldr q15, [{tiles}, #48]",
            "ldr q16, [{q}], #16",
            "add {tiles}, {tiles}, #64",
            "subs {count}, {count}, #1",
            mask!("v17": "v0" "v12", "v1" "v13", "v2" "v14", "v3" "v15"),
            mask!("v18": "v4" "v12", "v5" "v13", "v6" "v14", "v7" "v15"),
            mask!("v19": "v8" "v12", "v9" "v13", "v10" "v14", "v11" "v15"),
            "ushr v12.16b, v12.16b, #6",
            "ushr v13.16b, v13.16b, #6",
            "ushr v14.16b, v14.16b, #6",
            "ushr v15.16b, v15.16b, #6",
            sdot!(0: "v20" "v0" "v16", "v21" "v1" "v16", "v22" "v2" "v16", "v23" "v3" "v16"),
            sdot!(1: "v24" "v4" "v16", "v25" "v5" "v16", "v26" "v6" "v16", "v27" "v7" "v16"),
            sdot!(2: "v28" "v8" "v16", "v29" "v9" "v16", "v30" "v10" "v16", "v31" "v11" "v16"),
            sdot!(3: "v20" "v12" "v16", "v21" "v13" "v16", "v22" "v14" "v16", "v23" "v15" "v16"),
            "b.ne 2b",
            tiles = inout(reg) tiles => _,
            count = inout(reg) count => _,
            q = inout(reg) q => _,
            inout("v20") s1[0], inout("v21") s1[1], inout("v22") s1[2], inout("v23") s1[3],
            inout("v24") s4[0], inout("v25") s4[1], inout("v26") s4[2], inout("v27") s4[3],
            inout("v28") s16[0], inout("v29") s16[1], inout("v30") s16[2], inout("v31") s16[3],
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
            out("v18") _, out("v19") _,
            options(readonly, nostack),
        );
    }
}

/// Adds `c·q` of one token and `count` I4 tiles, one at least, to two sums a quarter, one for each
/// plane.
///
/// # Safety
/// `tiles` points to `count` tiles of 64 bytes and `q` to 8·`count` values.
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(in super::super) unsafe fn i4_token(
    tiles: *const u8,
    count: usize,
    q: *const i8,
    [lower, upper]: &mut [[int32x4_t; 4]; 2],
) {
    // SAFETY: each of `count` steps, one at least, reads a tile and its activations. Every register
    // that the text writes is an operand or a clobber.
    unsafe {
        asm!(
            "movi v17.16b, #0x0F",
            "2:",
            "ldr q4, [{tiles}]",
            "ldr q5, [{tiles}, #16]",
            "ldr q6, [{tiles}, #32]",
            "ldr q7, [{tiles}, #48]",
            "ldr d16, [{q}], #8",
            "add {tiles}, {tiles}, #64",
            "subs {count}, {count}, #1",
            mask!("v17": "v0" "v4", "v1" "v5", "v2" "v6", "v3" "v7"),
            "ushr v4.16b, v4.16b, #4",
            "ushr v5.16b, v5.16b, #4",
            "ushr v6.16b, v6.16b, #4",
            "ushr v7.16b, v7.16b, #4",
            sdot!(0: "v20" "v0" "v16", "v21" "v1" "v16", "v22" "v2" "v16", "v23" "v3" "v16"),
            sdot!(1: "v24" "v4" "v16", "v25" "v5" "v16", "v26" "v6" "v16", "v27" "v7" "v16"),
            "b.ne 2b",
            tiles = inout(reg) tiles => _,
            count = inout(reg) count => _,
            q = inout(reg) q => _,
            inout("v20") lower[0], inout("v21") lower[1], inout("v22") lower[2],
            inout("v23") lower[3], inout("v24") upper[0], inout("v25") upper[1],
            inout("v26") upper[2], inout("v27") upper[3],
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v16") _, out("v17") _,
            options(readonly, nostack),
        );
    }
}

/// Declares the loop of several tokens: for each, its number, a name for its pointer, the register
/// of its activations by both names, and those of its two sums. v24 to v27 hold the planes, v28 and
/// v29 the masks.
macro_rules! t4_tokens {
    ($(#[$doc:meta])* $name:ident, $tokens:literal:
        $($m:literal $pointer:ident $load:literal $q:tt $s1:tt $s4:tt),+ $(,)?) => {
        $(#[$doc])*
        #[target_feature(enable = "neon,dotprod")]
        #[inline]
        pub(in super::super) unsafe fn $name(
            quarters: *const u8,
            count: usize,
            q: [*const i8; $tokens],
            sums: &mut [[int32x4_t; 2]; $tokens],
        ) {
            // SAFETY: each of `count` steps, one at least, reads a quarter and its activations.
            // Every register that the text writes is an operand or a clobber.
            unsafe {
                asm!(
                    "movi v28.16b, #0x03",
                    "movi v29.16b, #0x0C",
                    "2:",
                    "ldr q24, [{quarters}], #64",
                    $(concat!("ldr ", $load, ", [{", stringify!($pointer), "}, {at}]"),)+
                    "add {at}, {at}, #16",
                    "subs {count}, {count}, #1",
                    "ushr v26.16b, v24.16b, #4",
                    mask!("v29": "v25" "v24"),
                    mask!("v28": "v24" "v24"),
                    mask!("v29": "v27" "v26"),
                    mask!("v28": "v26" "v26"),
                    sdot!(0: $($s1 "v24" $q),+),
                    sdot!(1: $($s4 "v25" $q),+),
                    sdot!(2: $($s1 "v26" $q),+),
                    sdot!(3: $($s4 "v27" $q),+),
                    "b.ne 2b",
                    quarters = inout(reg) quarters => _,
                    count = inout(reg) count => _,
                    at = inout(reg) 0usize => _,
                    $($pointer = in(reg) q[$m],)+
                    $(inout($s1) sums[$m][0], inout($s4) sums[$m][1], out($q) _,)+
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _,
                    out("v29") _,
                    options(readonly, nostack),
                );
            }
        }
    };
}

t4_tokens! {
    /// Adds `c·q` of eight tokens and one quarter of each of `count` T4 tiles, one at least, to two
    /// sums a token: of the planes taken as ×1 and as ×4, times that much.
    ///
    /// # Safety
    /// `quarters` points to the quarter in the first of `count` tiles of 64 bytes, each `q` to
    /// 16·`count` values.
    t4_eight_tokens, 8:
    0 q0 "q16" "v16" "v0" "v8",
    1 q1 "q17" "v17" "v1" "v9",
    2 q2 "q18" "v18" "v2" "v10",
    3 q3 "q19" "v19" "v3" "v11",
    4 q4 "q20" "v20" "v4" "v12",
    5 q5 "q21" "v21" "v5" "v13",
    6 q6 "q22" "v22" "v6" "v14",
    7 q7 "q23" "v23" "v7" "v15",
}

t4_tokens! {
    /// As [`t4_eight_tokens`], for four.
    ///
    /// # Safety
    /// As [`t4_eight_tokens`].
    t4_four_tokens, 4:
    0 q0 "q16" "v16" "v0" "v4",
    1 q1 "q17" "v17" "v1" "v5",
    2 q2 "q18" "v18" "v2" "v6",
    3 q3 "q19" "v19" "v3" "v7",
}
