//! Transcripts and other output that cannot be written.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "transcribe ok.wav > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    (
        "info > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    (
        "bench --runs 1 > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    ("transcribe --output-dir ok.wav ok.wav", "a file as folder", "error: ok.wav: not a folder", 5),
    (
        "transcribe --output-dir out ok.wav",
        "a folder has the transcript's name",
        "error: out/ok.txt: is a directory",
        5,
    ),
    (
        "transcribe --output-dir more ok.wav",
        "the disk is full",
        "error: more/ok.txt: File too large (os error 27)",
        5,
    ),
    (
        "transcribe --output srt,json --output-dir more ok.wav",
        "the disk is full",
        "error: more/ok.json: File too large (os error 27)",
        5,
    ),
    (
        "completions bash > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    (
        "transcribe --output-dir /proc/nowhere ok.wav",
        "a folder that cannot be made",
        "error: /proc/nowhere: No such file or directory (os error 2)",
        5,
    ),
    ("man ok.wav", "a file as folder for manual pages", "error: ok.wav: not a folder", 5),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
