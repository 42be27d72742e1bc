//! Texts that cannot be compared.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "wer missing.txt text.trit",
        "no such text",
        "error: missing.txt: No such file or directory (os error 2)",
        6,
    ),
    (
        "wer text.trit a-folder",
        "a folder as text",
        "error: a-folder: Is a directory (os error 21)",
        6,
    ),
    (
        "wer ok.wav text.trit",
        "audio as text",
        "error: ok.wav: stream did not contain valid UTF-8",
        6,
    ),
    (
        "wer empty.wav text.trit",
        "a reference without words",
        "error: the reference has no words, so there is no error rate",
        6,
    ),
    (
        "wer --audio a-folder",
        "a folder without audio",
        "error: a-folder: no audio files in this folder",
        3,
    ),
    (
        "wer --audio nowhere",
        "no such folder of audio",
        "error: nowhere: No such file or directory (os error 2)",
        3,
    ),
    ("wer --audio more", "a folder without transcripts", "error: more: no transcripts of audio", 6),
    (
        "wer --audio spoken",
        "audio that cannot be read",
        "error: spoken/nan.wav: sample 2 is NaN, infinite or absurdly large",
        3,
    ),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
