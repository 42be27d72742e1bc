//! Arguments that make no sense.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    ("transcribe", "no file", "error: the following required arguments were not provided:", 2),
    ("sing ok.wav", "an unknown subcommand", "error: unrecognized subcommand 'sing'", 2),
    (
        "transcribe --louder ok.wav",
        "an unknown option",
        "error: unexpected argument '--louder' found",
        2,
    ),
    (
        "transcribe --output doc ok.wav",
        "an unknown format",
        "error: invalid value 'doc' for '--output <FORM,…>'",
        2,
    ),
    (
        "transcribe --threads 257 ok.wav",
        "too many threads",
        "error: invalid value '257' for '--threads <N>': expected a whole number from 0 to 256",
        2,
    ),
    (
        "bench --runs 0",
        "no runs",
        "error: invalid value '0' for '--runs <N>': expected a whole number from 1 to 4294967295",
        2,
    ),
    (
        "transcribe --language xx ok.wav",
        "a language, for a model of one",
        "error: --language xx: the embedded model knows one language only; leave it out",
        2,
    ),
    (
        "transcribe --translate ok.wav",
        "translation, by a model that cannot",
        "error: --translate: the embedded model cannot translate",
        2,
    ),
    (
        "transcribe --output srt ok.wav second.wav",
        "subtitles of several files in one stream",
        "error: several files need --output-dir: srt of one after another is no valid file",
        2,
    ),
    (
        "transcribe --output srt,json ok.wav",
        "several formats in one stream",
        "error: several formats need --output-dir",
        2,
    ),
    (
        "transcribe --quiet --verbose ok.wav",
        "quiet and verbose",
        "error: the argument '--quiet' cannot be used with '--verbose'",
        2,
    ),
    (
        "wer ok.wav",
        "nothing to compare with",
        "error: the following required arguments were not provided:",
        2,
    ),
    (
        "wer --audio more text.trit text.trit",
        "texts and audio to compare",
        "error: the argument '--audio <FOLDER>' cannot be used with:",
        2,
    ),
    ("completions csh", "a shell that is not known", "error: invalid value 'csh' for '<SHELL>'", 2),
    (
        "transcribe --output-dir out ok.wav more/ok.wav",
        "two transcripts of one name",
        "error: ok.wav and more/ok.wav would both be written to out/ok.txt",
        2,
    ),
    (
        "info --tuning x --no-tuning",
        "a tuning file and none",
        "error: the argument '--tuning <FILE>' cannot be used with '--no-tuning'",
        2,
    ),
    (
        "tune --threads 1,many",
        "a number of threads that is none",
        "error: invalid value 'many' for '--threads <N,…>': expected a whole number from 0 to 256",
        2,
    ),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
