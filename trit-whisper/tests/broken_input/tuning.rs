//! Tuning files that are of no use.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "info --tuning missing.tuning",
        "no such tuning file",
        "error: missing.tuning: No such file or directory (os error 2)",
        6,
    ),
    (
        "info --tuning a-folder",
        "a folder as tuning file",
        "error: a-folder: is not a regular file",
        6,
    ),
    (
        "info --tuning empty.trit",
        "an empty tuning file",
        "error: empty.trit: not a tuning file: it does not start with `trit tuning`",
        6,
    ),
    (
        "transcribe --tuning text.trit ok.wav",
        "text as tuning file",
        "error: text.trit: not a tuning file: it does not start with `trit tuning`",
        6,
    ),
    (
        "info --tuning checksum.trit",
        "a model as tuning file",
        "error: checksum.trit: not a tuning file: it does not start with `trit tuning`",
        6,
    ),
    (
        "info --tuning version.tuning",
        "another version",
        "error: version.tuning: version 2 of tuning files; this program reads 1",
        6,
    ),
    (
        "transcribe --tuning device.tuning ok.wav",
        "another device",
        "error: device.tuning: made on another device: abacus",
        6,
    ),
    (
        "bench --tuning truncated.tuning",
        "a truncated tuning file",
        "error: truncated.tuning: the file ends early",
        6,
    ),
    (
        "info --tuning variant.tuning",
        "a kernel that does not exist",
        "error: variant.tuning: line 3: no variant `ternary_t4_i8_f32__abacus` here",
        6,
    ),
    (
        "info --tuning rows.tuning",
        "a number that is none",
        "error: rows.tuning: line 3: `many` is no number of rows",
        6,
    ),
    (
        "info --tuning cost.tuning",
        "a time that is NaN",
        "error: cost.tuning: line 3: `NaN` is no cost",
        6,
    ),
    (
        "info --tuning verdict.tuning",
        "a winner that is not named",
        "error: verdict.tuning: line 3: `won` is no verdict",
        6,
    ),
    (
        "tune --file checksum.trit",
        "a model as destination",
        "error: checksum.trit: not a tuning file: it does not start with `trit tuning`; it is left as it is",
        5,
    ),
    (
        "tune --file a-folder",
        "a folder as destination of a tuning",
        "error: a-folder: is not a regular file; it is left as it is",
        5,
    ),
    (
        "tune --file nowhere/x.tuning",
        "no such folder for a tuning",
        "error: nowhere/x.tuning: No such file or directory (os error 2)",
        5,
    ),
    (
        "tune --file /proc/x.tuning",
        "a folder that cannot be written to",
        "error: /proc/x.tuning: No such file or directory (os error 2)",
        5,
    ),
    (
        "tune truncated.trit",
        "a truncated model to tune for",
        "error: truncated.trit: the file should have {len} bytes and has {half}",
        4,
    ),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
