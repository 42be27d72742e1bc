//! Values that options cannot have: the message names the option as it was typed and says what it may
//! be, and the exit code is that of wrong arguments.

use std::collections::BTreeSet;
use std::process::Output;

use tempfile::TempDir;

use super::{done, program, stderr, stdout};

/// The commands that transcribe.
const SPEECH: &[&str] = &["transcribe", "stream", "wer"];
const WHOLE: &[&str] = &["transcribe", "wer"];
const FILES: &[&str] = &["transcribe"];
const STREAM: &[&str] = &["stream"];
const WER: &[&str] = &["wer"];
const BENCH: &[&str] = &["bench"];
const CONVERT: &[&str] = &["convert"];
const TUNE: &[&str] = &["tune"];

const BEAMS: &str = "expected a whole number from 1 to 32";
const FACTOR: &str = "expected a finite number above 0";
const COUNT: &str = "expected a whole number from 0 to 18446744073709551615";
const LEAST_ONE: &str = "expected a whole number from 1 to 18446744073709551615";
const FRACTION: &str = "expected a number from 0 to 1";
const TEMPERATURE: &str = "expected a finite number from 0 on";
const THRESHOLD: &str = "expected a number, or inf or -inf";
const SECONDS: &str = "expected a number of seconds from 0 to 4294967295";
const U32: &str = "expected a whole number from 0 to 4294967295";
const RUNS: &str = "expected a whole number from 1 to 4294967295";
const THREADS: &str = "expected a whole number from 0 to 256";
const DECODERS: &str = "expected a whole number from 1 to 256";
const DENSE: &str = "expected f32, f16, int8, i4 or i4:GROUP, with groups of 32, 64, 128 or 256";
const MISSING: &str = "a value is required";
const NO_NUMBERS: &[&str] = &["", "many", "nan", "1e99", "-1", "0x10", "1;5"];

/// Commands, their option, values, and what the message says of all of them.
type Row = (&'static [&'static str], &'static str, &'static [&'static str], &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (SPEECH, "--model", &[""], MISSING),
    (SPEECH, "--tuning", &[""], MISSING),
    (SPEECH, "--language", &["", "xx", "-1"], "the embedded model knows one language only; leave it out"),
    (SPEECH, "--threads", NO_NUMBERS, THREADS),
    (SPEECH, "--threads", &["257", "1.5"], THREADS),
    (SPEECH, "--decoder-threads", NO_NUMBERS, DECODERS),
    (SPEECH, "--decoder-threads", &["0", "257"], DECODERS),
    (SPEECH, "--vad", &["", "on", "-1"], "[possible values: auto, off]"),
    (SPEECH, "--vad-threshold", NO_NUMBERS, FRACTION),
    (SPEECH, "--vad-threshold", &["1.01", "inf"], FRACTION),
    (SPEECH, "--vad-min-silence", NO_NUMBERS, U32),
    (SPEECH, "--vad-min-speech", NO_NUMBERS, U32),
    (SPEECH, "--vad-padding", NO_NUMBERS, U32),
    (SPEECH, "--vad-padding", &["0.5", "4294967296"], U32),
    (SPEECH, "--attention", &["", "8-bit"], "[possible values: 7-bit, f32]"),
    (SPEECH, "--audio-ctx", NO_NUMBERS, "expected auto, full or a number from 1 on"),
    (SPEECH, "--audio-ctx", &["0"], "expected auto, full or a number from 1 on"),
    (SPEECH, "--temperature", NO_NUMBERS, TEMPERATURE),
    (SPEECH, "--temperature", &["inf", "0,nan", "0,-0.2", "0,,1"], TEMPERATURE),
    (SPEECH, "--beam-size", NO_NUMBERS, BEAMS),
    (SPEECH, "--beam-size", &["0", "33"], BEAMS),
    (SPEECH, "--best-of", NO_NUMBERS, BEAMS),
    (SPEECH, "--best-of", &["0", "33"], BEAMS),
    (SPEECH, "--patience", NO_NUMBERS, FACTOR),
    (SPEECH, "--patience", &["0", "inf"], FACTOR),
    // Half a beam rounds to none.
    (SPEECH, "--patience", &["0.5", "0.1"], "expected a finite number above 0.5 divided by the number of beams"),
    (SPEECH, "--length-penalty", NO_NUMBERS, FRACTION),
    (SPEECH, "--length-penalty", &["1.5"], FRACTION),
    (SPEECH, "--repetition-penalty", NO_NUMBERS, FACTOR),
    (SPEECH, "--repetition-penalty", &["0"], FACTOR),
    (SPEECH, "--no-repeat-ngram-size", NO_NUMBERS, COUNT),
    (SPEECH, "--seed", NO_NUMBERS, COUNT),
    (SPEECH, "--seed", &["18446744073709551616"], COUNT),
    (SPEECH, "--initial-prompt", &["café"], "the model has no token for the byte 0x20 at 0"),
    (SPEECH, "--hotwords", &["café"], "the model has no token for the byte 0x20 at 0"),
    (WHOLE, "--prefix", &["café"], "the model has no token for the byte 0x20 at 0"),
    (SPEECH, "--suppress-tokens", &["many", "1,,2", "nan", "1e99", "1.5"], "expected token ids with commas between them, or nothing"),
    (SPEECH, "--suppress-tokens", &["99999", "-2", "-1,120"], "is no token of the model, which has 0 to 119"),
    (SPEECH, "--suppress-regex", &["(", "[", "*"], "expected a regular expression: "),
    (SPEECH, "--max-tokens", NO_NUMBERS, LEAST_ONE),
    (SPEECH, "--max-tokens", &["0"], LEAST_ONE),
    (SPEECH, "--max-initial-timestamp", NO_NUMBERS, SECONDS),
    (SPEECH, "--compression-ratio-threshold", &["", "many", "nan", "1,5"], THRESHOLD),
    (SPEECH, "--logprob-threshold", &["", "many", "nan", "-nan", "--quiet"], THRESHOLD),
    (SPEECH, "--no-speech-threshold", &["", "many", "nan", "1,5"], THRESHOLD),
    (FILES, "--offset", NO_NUMBERS, SECONDS),
    (FILES, "--offset", &["inf", "-0.5"], SECONDS),
    (FILES, "--duration", NO_NUMBERS, SECONDS),
    (FILES, "--duration", &["0", "-0", "0.00003"], "expected at least 0.0000625 s"),
    (FILES, "--max-len", NO_NUMBERS, LEAST_ONE),
    (FILES, "--max-len", &["0"], LEAST_ONE),
    (FILES, "--output", &["", "doc", "txt,", "-1"], "[possible values: txt, srt, vtt, lrc, json, tsv]"),
    (FILES, "--output-dir", &[""], MISSING),
    (STREAM, "--format", &["", "wav"], "[possible values: s16le, f32le]"),
    (STREAM, "--rate", NO_NUMBERS, "expected a whole number from 1000 to 768000"),
    (STREAM, "--rate", &["0", "999", "768001"], "expected a whole number from 1000 to 768000"),
    (STREAM, "--channels", NO_NUMBERS, "expected a whole number from 1 to 65535"),
    (STREAM, "--channels", &["0", "65536"], "expected a whole number from 1 to 65535"),
    (STREAM, "--partial-every", NO_NUMBERS, U32),
    (WER, "--audio", &[""], MISSING),
    (WER, "--normalizer", &["", "german"], "[possible values: english, basic, none]"),
    (BENCH, "--threads", NO_NUMBERS, THREADS),
    (BENCH, "--attention", &[""], "[possible values: 7-bit, f32]"),
    (BENCH, "--audio-ctx", &["0", "-1"], "expected auto, full or a number from 1 on"),
    (BENCH, "--seconds", NO_NUMBERS, "expected a number of seconds from 0.01 to 3600"),
    (BENCH, "--seconds", &["0", "3601"], "expected a number of seconds from 0.01 to 3600"),
    (BENCH, "--tokens", NO_NUMBERS, RUNS),
    (BENCH, "--tokens", &["0"], RUNS),
    (BENCH, "--runs", NO_NUMBERS, RUNS),
    (BENCH, "--tuning", &[""], MISSING),
    (BENCH, "--level", &["", "abacus", "-1"], "scalar"),
    (&["info"], "--threads", &["257"], THREADS),
    (&["info"], "--attention", &[""], "[possible values: 7-bit, f32]"),
    (&["info"], "--tuning", &[""], MISSING),
    (&["verify"], "--threads", &["257"], THREADS),
    (&["verify"], "--tuning", &[""], MISSING),
    (TUNE, "--threads", NO_NUMBERS, THREADS),
    (TUNE, "--threads", &["1,", "1,many", "1,-1"], THREADS),
    (TUNE, "--file", &[""], MISSING),
    (CONVERT, "--ternary", &["", "some"], "[possible values: absmean, twn, exact]"),
    (CONVERT, "--group", &["0", "33", "-1", "nan", "1e99"], "expected 32, 64, 128 or 256"),
    (CONVERT, "--dense", &["", "exact", "i4:33", "-1"], DENSE),
    (CONVERT, "--head", &["", "exact"], DENSE),
    (CONVERT, "--conv", &["", "exact"], DENSE),
    (CONVERT, "--part", &["", "encoder.attn"], "expected PART=TYPE"),
    (CONVERT, "--part", &["encoder=f16"], "expected one of encoder.attn, encoder.mlp, decoder.attn, decoder.cross_attn, decoder.mlp as PART"),
    (CONVERT, "--part", &["encoder.mlp=i4:33"], "expected f32, f16, int8, i4, absmean, twn or exact as TYPE"),
];

/// Runs a command with an option of this value, and whatever else the command asks for.
fn run(command: &str, option: &str, value: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let others: &[&str] = match (command, option) {
        ("transcribe", _) => &["nowhere.wav"],
        ("wer", "--audio") => &[],
        ("wer", "--normalizer") => &["a", "b"],
        ("wer", _) => &["--audio", "."],
        ("convert", "--group") => &["nowhere", "x.trit", "--ternary", "twn"],
        ("convert", _) => &["nowhere", "x.trit"],
        _ => &[],
    };
    if command == "wer" {
        // What is compared is only looked at.
        std::fs::write(folder.path().join("a.wav"), "").unwrap();
        std::fs::write(folder.path().join("a.txt"), "").unwrap();
    }
    let mut program = program();
    program.arg(command).args([option, value]).args(others).current_dir(folder.path());
    program.output().unwrap()
}

#[test]
fn are_refused_by_the_name_of_their_option() {
    let mut wrong = String::new();
    for (commands, option, values, expected) in ROWS {
        for (command, value) in commands.iter().flat_map(|c| values.iter().map(move |v| (c, v))) {
            let output = run(command, option, value);
            let told = stderr(&output);
            // What clap says of usage follows after an empty line.
            let message = told.split("\n\n").next().unwrap_or_default();
            let is_right = (output.status.code(), stdout(&output)) == (Some(2), "")
                && message.starts_with("error: ")
                && message.contains(option)
                && message.contains(expected);
            if !is_right {
                wrong += &format!("{command} {option} {value:?}: {:?} {told}\n", output.status);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The options of a command that take values, by its help.
fn options(command: &str) -> BTreeSet<String> {
    let help = done(program().args([command, "-h"]));
    let option = |line: &str| {
        let mut words = line.trim_start().trim_start_matches("-q, ").split(' ');
        let (option, value) = (words.next()?, words.next()?);
        (option.starts_with("--") && value.starts_with('<')).then(|| option.to_owned())
    };
    stdout(&help).lines().filter_map(option).collect()
}

#[test]
fn are_in_the_table_for_every_option() {
    for command in
        ["transcribe", "stream", "wer", "convert", "info", "bench", "tune", "verify", "man"]
    {
        let of_command = |row: &&Row| row.0.contains(&command);
        let rows = ROWS.iter().filter(of_command).map(|row| row.1.to_owned());
        assert_eq!(options(command), rows.collect::<BTreeSet<_>>(), "{command}");
    }
}
