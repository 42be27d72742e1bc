//! Loops over rows that add up lines of tables of 32 tokens, four registers of i16.
//!
//! The compiler's own loop loads a line and adds it at once, which cores that issue in order wait
//! for, and goes through one row at a time, which leaves others too few additions that do not depend
//! on one another. Here two rows take turns. While a line of one is added, the next line of the other
//! is loaded and the address of the one after that is made, one instruction of each after the other:
//!
//! ```text
//! row 0   add quad 3            │ load quad 4           │ add quad 4            │
//!         address of quad 4     │                       │ address of quad 5     │
//! row 1   load quad 3           │ add quad 3            │ load quad 4           │
//!                               │ address of quad 4     │                       │
//! ```

use core::arch::asm;

/// Tokens of a line.
pub(in super::super) const TOKENS: usize = 32;

/// Adds a line's register to a sum, by number.
macro_rules! add {
    ($sum:literal $line:literal) => {
        concat!("add v", $sum, ".8h, v", $sum, ".8h, v", $line, ".8h\n")
    };
}

/// Loads a register of quad `$quad`, from byte `$byte` of its line on.
macro_rules! load {
    ($to:literal $at:literal $quad:literal $byte:literal) => {
        concat!("ldr q", $to, ", [{", $at, "}, #64*", $quad, "+", $byte, "]\n")
    };
}

/// The entry at bit `$bit` of a word.
macro_rules! entry {
    ($to:literal $word:literal $bit:literal) => {
        concat!("ubfx {", $to, "}, {", $word, "}, #", $bit, ", #7\n")
    };
}

/// Where an entry's lines lie: `i` for row 0, `j` for row 1.
macro_rules! address {
    ($to:literal $shift:literal) => {
        concat!("add {", $to, "}, {tables}, {", $to, "}, lsl #", $shift, "\n")
    };
}

/// A turn: adds the line in the registers `$line` to the sums `$sum`, loads that of quad `$quad`
/// from `$at` into `$next`, and makes an address.
macro_rules! turn {
    (add [$l0:literal $l1:literal $l2:literal $l3:literal]
        to [$s0:literal $s1:literal $s2:literal $s3:literal];
     load [$n0:literal $n1:literal $n2:literal $n3:literal] from $at:literal quad $quad:literal;
     address $to:literal, $word:literal, $bit:literal, $shift:literal) => {
        concat!(
            add!($s0 $l0),
            load!($n0 $at $quad 0),
            entry!($to $word $bit),
            add!($s1 $l1),
            load!($n1 $at $quad 16),
            address!($to $shift),
            add!($s2 $l2),
            load!($n2 $at $quad 32),
            add!($s3 $l3),
            load!($n3 $at $quad 48),
        )
    };
}

/// From one quad to the next, whose entries lie at bit `$bit` of `$a` and `$b`: a turn of each row.
macro_rules! quad {
    ($shift:literal: $last:literal $quad:literal $a:literal $b:literal $bit:literal) => {
        concat!(
            turn!(add [16 17 18 19] to [0 1 2 3]; load [20 21 22 23] from "j" quad $last;
                address "i", $a, $bit, $shift),
            turn!(add [20 21 22 23] to [4 5 6 7]; load [16 17 18 19] from "i" quad $quad;
                address "j", $b, $bit, $shift),
        )
    };
}

/// Declares the loop for some number of quads: how the entries of two rows are loaded, what the sums
/// start with, the registers of the entries, and the quads after the first.
macro_rules! lines {
    ($(#[$doc:meta])* $name:ident, $quads:literal, $shift:literal:
        entries $load:expr; start $start:expr; words $($word:ident)+;
        $(($last:literal $quad:literal $a:literal $b:literal $bit:literal))+ then $end:literal) => {
        $(#[$doc])*
        #[target_feature(enable = "neon")]
        #[inline]
        pub(in super::super) unsafe fn $name(
            tables: *const i16,
            entries: *const u8,
            sums: *mut i16,
            pairs: usize,
        ) {
            const { assert!($quads * TOKENS * size_of::<i16>() == 1 << $shift) };
            // SAFETY: each of `pairs` steps, one at least, reads the entries of two rows and reads
            // and writes their sums. 7 bits of an entry make an index of the tables. Every register
            // that the text writes is an operand or a clobber.
            unsafe {
                asm!(
                    "2:",
                    $load,
                    concat!("add {entries}, {entries}, #2*", $quads),
                    entry!("i" "a0" 0),
                    address!("i" $shift),
                    $start,
                    entry!("j" "b0" 0),
                    address!("j" $shift),
                    load!(16 "i" 0 0),
                    load!(17 "i" 0 16),
                    load!(18 "i" 0 32),
                    load!(19 "i" 0 48),
                    $(quad!($shift: $last $quad $a $b $bit),)+
                    add!(0 16),
                    load!(20 "j" $end 0),
                    add!(1 17),
                    load!(21 "j" $end 16),
                    add!(2 18),
                    load!(22 "j" $end 32),
                    add!(3 19),
                    load!(23 "j" $end 48),
                    "stp q0, q1, [{sums}]",
                    add!(4 20),
                    add!(5 21),
                    "stp q2, q3, [{sums}, #32]",
                    add!(6 22),
                    add!(7 23),
                    "stp q4, q5, [{sums}, #64]",
                    "subs {pairs}, {pairs}, #1",
                    "stp q6, q7, [{sums}, #96]",
                    "add {sums}, {sums}, #128",
                    "b.ne 2b",
                    tables = in(reg) tables,
                    entries = inout(reg) entries => _,
                    sums = inout(reg) sums => _,
                    pairs = inout(reg) pairs => _,
                    $($word = out(reg) _,)+
                    i = out(reg) _,
                    j = out(reg) _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                    out("v6") _, out("v7") _, out("v16") _, out("v17") _, out("v18") _,
                    out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    options(nostack),
                );
            }
        }
    };
}

/// The sums so far, of two rows.
macro_rules! so_far {
    () => {
        "ldr q0, [{sums}]\n\
         ldr q1, [{sums}, #16]\n\
         ldr q2, [{sums}, #32]\n\
         ldr q3, [{sums}, #48]\n\
         ldr q4, [{sums}, #64]\n\
         ldr q5, [{sums}, #80]\n\
         ldr q6, [{sums}, #96]\n\
         ldr q7, [{sums}, #112]\n"
    };
}

/// Sums of nothing.
macro_rules! nothing {
    () => {
        "movi v0.2d, #0\n\
         movi v1.2d, #0\n\
         movi v2.2d, #0\n\
         movi v3.2d, #0\n\
         movi v4.2d, #0\n\
         movi v5.2d, #0\n\
         movi v6.2d, #0\n\
         movi v7.2d, #0\n"
    };
}

/// Declares the loop of 8 quads.
macro_rules! eight {
    ($(#[$doc:meta])* $name:ident: $start:expr) => {
        lines! {
            $(#[$doc])*
            $name, 8, 9:
            entries "ldp {a0}, {b0}, [{entries}]"; start $start; words a0 b0;
            ("0" "1" "a0" "b0" 8) ("1" "2" "a0" "b0" 16) ("2" "3" "a0" "b0" 24)
            ("3" "4" "a0" "b0" 32) ("4" "5" "a0" "b0" 40) ("5" "6" "a0" "b0" 48)
            ("6" "7" "a0" "b0" 56) then "7"
        }
    };
}

/// Declares the loop of 16 quads.
macro_rules! sixteen {
    ($(#[$doc:meta])* $name:ident: $start:expr) => {
        lines! {
            $(#[$doc])*
            $name, 16, 10:
            entries "ldp {a0}, {a1}, [{entries}]\nldp {b0}, {b1}, [{entries}, #16]";
            start $start; words a0 a1 b0 b1;
            ("0" "1" "a0" "b0" 8) ("1" "2" "a0" "b0" 16) ("2" "3" "a0" "b0" 24)
            ("3" "4" "a0" "b0" 32) ("4" "5" "a0" "b0" 40) ("5" "6" "a0" "b0" 48)
            ("6" "7" "a0" "b0" 56) ("7" "8" "a1" "b1" 0) ("8" "9" "a1" "b1" 8)
            ("9" "10" "a1" "b1" 16) ("10" "11" "a1" "b1" 24) ("11" "12" "a1" "b1" 32)
            ("12" "13" "a1" "b1" 40) ("13" "14" "a1" "b1" 48) ("14" "15" "a1" "b1" 56)
            then "15"
        }
    };
}

eight! {
    /// Adds a line of each of 8 quads to the sums of each row, as [`lines::add`] does.
    ///
    /// [`lines::add`]: crate::arch::lines::add
    ///
    /// # Safety
    /// `tables` points to 128 entries of 8 lines of 32 values, `entries` to 8 of each of 2·`pairs`
    /// rows, two at least, and `sums` to 32 of each.
    add_eight: so_far!()
}

eight! {
    /// As [`add_eight`], but the sums start with these lines.
    ///
    /// # Safety
    /// As [`add_eight`].
    start_eight: nothing!()
}

sixteen! {
    /// As [`add_eight`], for 16 quads.
    ///
    /// # Safety
    /// As [`add_eight`], with 16 lines to an entry of the tables and 16 entries to a row.
    add_sixteen: so_far!()
}

sixteen! {
    /// As [`start_eight`], for 16 quads.
    ///
    /// # Safety
    /// As [`add_sixteen`].
    start_sixteen: nothing!()
}
