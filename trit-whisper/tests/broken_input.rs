//! Broken input of every kind, given to the program: the message names what is at fault, the exit
//! code is the documented one, and nothing is left half-written. `docs/errors.md` shows the same
//! cases with the same messages, of which some are glibc's.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use trit_whisper::embedded;

mod broken_files;

/// A shell command run in the folder, what is wrong, the last line it writes to standard error (or
/// the one line that begins with `error:` or `warning:`) and its exit code.
type Case = (&'static str, &'static str, &'static str, i32);

const MODELS: &[Case] = &[
    (
        "info missing.trit",
        "no such model",
        "error: missing.trit: No such file or directory (os error 2)",
        4,
    ),
    ("info a-folder", "a folder as model", "error: a-folder: is a directory", 4),
    ("info pipe", "a pipe as model", "error: pipe: is not a regular file", 4),
    ("info /dev/zero", "a device as model", "error: /dev/zero: is not a regular file", 4),
    (
        "info empty.trit",
        "an empty model",
        "error: empty.trit: not a .trit file: it does not start with the magic bytes",
        4,
    ),
    (
        "info text.trit",
        "text as model",
        "error: text.trit: not a .trit file: it does not start with the magic bytes",
        4,
    ),
    (
        "info truncated.trit",
        "a truncated model",
        "error: truncated.trit: the file should have {len} bytes and has {half}",
        4,
    ),
    (
        "info stub.trit",
        "less than a header",
        "error: stub.trit: the file should have 128 bytes and has 100",
        4,
    ),
    (
        "info longer.trit",
        "bytes after the end",
        "error: longer.trit: the file should have {len} bytes and has {longer}",
        4,
    ),
    (
        "info version.trit",
        "another format version",
        "error: version.trit: format version 17; this program reads version 1",
        4,
    ),
    (
        "info header.trit",
        "a damaged header",
        "error: header.trit: damaged header: its checksum does not match",
        4,
    ),
    (
        "info directory.trit",
        "a damaged directory",
        "error: directory.trit: damaged directory: its checksum does not match",
        4,
    ),
    (
        "transcribe --model checksum.trit ok.wav",
        "a damaged tensor",
        "error: checksum.trit: decoder.blocks.0.attn.key.weight: damaged, its checksum does not match",
        4,
    ),
    (
        "transcribe --model nan-scale.trit ok.wav",
        "a scale that is NaN",
        "error: nan-scale.trit: encoder.blocks.0.attn.query.weight: number 7 is NaN or infinite",
        4,
    ),
    (
        "transcribe --model code.trit ok.wav",
        "a code that is not ternary",
        "error: code.trit: encoder.blocks.0.attn.query.weight: byte 5 holds a code that is not ternary",
        4,
    ),
    (
        "info missing-tensor.trit",
        "a missing tensor",
        "error: missing-tensor.trit: encoder.blocks.0.attn.query.weight is missing",
        4,
    ),
    (
        "info no-config.trit",
        "no configuration",
        "error: no-config.trit: whisper.config is missing",
        4,
    ),
    (
        "info layers.trit",
        "an absurd number of layers",
        "error: layers.trit: whisper.config: n_audio_layer is 4000000000, expected 1 to 48",
        4,
    ),
    (
        "info heads.trit",
        "heads that do not divide the width",
        "error: heads.trit: whisper.config: n_audio_head is 7, expected a divisor of the width",
        4,
    ),
    (
        "info width.trit",
        "an absurd width",
        "error: width.trit: whisper.config: n_audio_state is 2147483648, expected 2 to 8192",
        4,
    ),
    (
        "info vocabulary.trit",
        "a vocabulary unlike the token table",
        "error: vocabulary.trit: whisper.tokens: its count is not n_vocab",
        4,
    ),
    (
        "info shape.trit",
        "a tensor of another shape",
        "error: shape.trit: decoder.token_embedding.weight has shape [104, 160], expected [120, 160]",
        4,
    ),
    (
        "info tokens.trit",
        "a damaged token table",
        "error: tokens.trit: whisper.tokens: its offsets do not ascend within the bytes",
        4,
    ),
    (
        "transcribe --model huge-weights.trit ok.wav",
        "weights that overflow",
        "error: huge-weights.trit: the network computed a value that is not finite: damaged weights",
        4,
    ),
];

const AUDIO: &[Case] = &[
    (
        "transcribe missing.wav",
        "no such audio file",
        "error: missing.wav: No such file or directory (os error 2)",
        3,
    ),
    ("transcribe a-folder", "a folder as audio", "error: a-folder: is a directory", 3),
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

const OUTPUT: &[Case] = &[
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
    ("transcribe --output-dir nowhere ok.wav", "no such folder", "error: nowhere: not a folder", 5),
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
];

const CONVERT: &[Case] = &[
    (
        "convert missing x.trit",
        "no such checkpoint",
        "error: missing: No such file or directory (os error 2)",
        4,
    ),
    (
        "convert a-folder x.trit",
        "a folder without a checkpoint",
        "error: a-folder/config.json: No such file or directory (os error 2)",
        4,
    ),
    (
        "convert text.trit x.trit",
        "text as checkpoint",
        "error: text.trit: not a whisper.cpp model: it does not start with `ggml`",
        4,
    ),
    (
        "convert empty.trit x.trit",
        "an empty checkpoint",
        "error: empty.trit: the file ends within its magic",
        4,
    ),
    (
        "convert half x.trit",
        "a configuration without its tokens",
        "error: half/vocab.json: No such file or directory (os error 2)",
        4,
    ),
    (
        "convert json x.trit",
        "a damaged configuration",
        "error: json/config.json: EOF while parsing an object at line 1 column 1",
        4,
    ),
    (
        "convert cut x.trit",
        "truncated weights",
        "error: cut/model.safetensors: incomplete metadata, file not fully covered",
        4,
    ),
    (
        "convert --ternary exact checkpoint x.trit",
        "weights that are not ternary",
        "error: checkpoint: decoder.blocks.0.attn.key.weight is not exactly ternary: a part holds more than one magnitude",
        4,
    ),
    (
        "convert --ternary twn --group 33 checkpoint x.trit",
        "a group size that does not exist",
        "error: --group 33: expected 32, 64, 128 or 256",
        2,
    ),
    (
        "convert checkpoint nowhere/x.trit",
        "no such folder",
        "error: nowhere/x.trit: No such file or directory (os error 2)",
        5,
    ),
    (
        "convert checkpoint a-folder",
        "a folder as destination",
        "error: a-folder: is a directory",
        5,
    ),
    ("convert checkpoint pipe", "a pipe as destination", "error: pipe: is not a regular file", 5),
    (
        "convert checkpoint x.trit",
        "the disk is full",
        "error: x.trit: File too large (os error 27)",
        5,
    ),
];

const TUNING: &[Case] = &[
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
        "tune truncated.trit",
        "a truncated model to tune for",
        "error: truncated.trit: the file should have {len} bytes and has {half}",
        4,
    ),
];

const USAGE: &[Case] = &[
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
        "error: invalid value 'doc' for '--output <FORM>'",
        2,
    ),
    (
        "transcribe --threads 257 ok.wav",
        "too many threads",
        "error: invalid value '257' for '--threads <N>': expected a number from 0 to 256",
        2,
    ),
    (
        "bench --runs 0",
        "no runs",
        "error: invalid value '0' for '--runs <N>': 0 is not in 1..=4294967295",
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
        "error: invalid value 'many' for '--threads <N,…>': expected a number from 0 to 256",
        2,
    ),
];

/// Names of all files below `folder`, with their sizes.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(listing(&path));
        } else {
            names.push((path.display().to_string(), fs::metadata(&path).unwrap().len()));
        }
    }
    names.sort();
    names
}

/// Runs the cases and returns their rows of the table in `docs/errors.md`.
fn check(cases: &[Case]) -> Vec<String> {
    let folder = broken_files::folder();
    let before = listing(folder.path());
    let mut rows = Vec::new();
    for &(arguments, wrong, expected, code) in cases {
        let program = env!("CARGO_BIN_EXE_trit-whisper");
        // A limit on file size stands for a full disk: writing fails after the file is created.
        let limit = if wrong == "the disk is full" { "trap '' XFSZ; ulimit -f 0; " } else { "" };
        let done = Command::new("sh")
            .args(["-c", &format!("{limit}exec '{program}' {arguments}")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .env_remove("RUST_BACKTRACE")
            // What was tuned on this machine is not to be found.
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .output()
            .unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(!errors.contains("panicked"), "{arguments}:\n{errors}");
        let len = embedded::model().len();
        let expected = expected
            .replace("{len}", &len.to_string())
            .replace("{half}", &(len / 2).to_string())
            .replace("{longer}", &(len + 64).to_string());
        let is_message = |line: &&str| line.starts_with("error:") || line.starts_with("warning:");
        let message = errors.lines().rev().find(is_message).unwrap_or_default();
        assert_eq!((message, done.status.code()), (expected.as_str(), Some(code)), "{arguments}");
        if code != 0 {
            assert!(done.stdout.is_empty(), "{arguments}: {:?}", done.stdout);
        }
        assert_eq!(listing(folder.path()), before, "{arguments}");
        let message = message.replace(&len.to_string(), "N").replace(&(len / 2).to_string(), "M");
        let message = message.replace(&(len + 64).to_string(), "M");
        // Markdown's fences of code.
        let (open, close) = if message.contains('`') { ("`` ", " ``") } else { ("`", "`") };
        let message = format!("{open}{message}{close}");
        rows.push(format!("| {wrong} | `trit-whisper {arguments}` | {message} | {code} |"));
    }
    rows
}

/// Checks that `docs/errors.md` has these rows.
fn check_documented(cases: &[Case]) {
    let rows = check(cases).join("\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = fs::read_to_string(path).unwrap();
    assert!(page.contains(&rows), "docs/errors.md does not have these rows:\n{rows}");
}

#[test]
fn models() {
    check_documented(MODELS);
}

#[test]
fn audio() {
    check_documented(AUDIO);
}

#[test]
fn output() {
    check_documented(OUTPUT);
}

#[test]
fn conversion() {
    check_documented(CONVERT);
}

#[test]
fn tuning() {
    check_documented(TUNING);
}

#[test]
fn usage() {
    check_documented(USAGE);
}
