//! Audio that is none, or damaged.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "transcribe missing.wav",
        "no such audio file",
        "error: missing.wav: No such file or directory (os error 2)",
        3,
    ),
    (
        "transcribe a-folder",
        "a folder without audio",
        "error: a-folder: no audio files in this folder",
        3,
    ),
    (
        "transcribe circle",
        "a folder that leads back to itself",
        "error: circle/again: leads back to circle",
        3,
    ),
    (
        "transcribe /proc/self/mem",
        "a file that cannot be read",
        "error: /proc/self/mem: Input/output error (os error 5)",
        3,
    ),
    ("transcribe empty.wav", "an empty file", "error: empty.wav: the audio is empty", 3),
    (
        "transcribe - < /dev/null",
        "empty standard input",
        "error: standard input: the audio is empty",
        3,
    ),
    (
        "transcribe text.wav",
        "text as audio",
        "error: text.wav: not an audio file of a known kind",
        3,
    ),
    (
        "transcribe code.trit",
        "a model as audio",
        "error: code.trit: not an audio file of a known kind",
        3,
    ),
    (
        "transcribe no-samples.wav",
        "a WAV file without samples",
        "error: no-samples.wav: the audio is empty",
        3,
    ),
    (
        "transcribe nan.wav",
        "a sample that is NaN",
        "error: nan.wav: sample 2 is NaN, infinite or absurdly large",
        3,
    ),
    (
        "transcribe loud.wav",
        "a sample beyond any loudness",
        "error: loud.wav: sample 1 is NaN, infinite or absurdly large",
        3,
    ),
    (
        "transcribe rate-0.wav",
        "a sample rate of 0",
        "error: rate-0.wav: a sample rate of 0 Hz cannot be right",
        3,
    ),
    (
        "transcribe rate-4e9.wav",
        "an absurd sample rate",
        "error: rate-4e9.wav: a sample rate of 4000000000 Hz cannot be right",
        3,
    ),
    (
        "transcribe header.flac",
        "less than a FLAC header",
        "error: header.flac: damaged audio file: unexpected end of file",
        3,
    ),
    (
        "transcribe opus.ogg",
        "Opus, which is not decoded",
        "error: opus.ogg: there is no decoder for Opus audio",
        3,
    ),
    (
        "transcribe silent-film.mp4",
        "a film without sound",
        "error: silent-film.mp4: the file has no audio track",
        3,
    ),
    (
        "transcribe truncated.wav",
        "a truncated WAV file",
        "warning: truncated.wav: the file ends early, at 0.1 s: unexpected end of file",
        0,
    ),
    (
        "transcribe truncated.flac",
        "a truncated FLAC file",
        "warning: truncated.flac: the file ends early, at 0.3 s: unexpected end of file",
        0,
    ),
    ("transcribe missing.wav nan.wav", "several bad files", "error: 2 of 2 files failed", 3),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
