//! The options about decoding.

use super::{SHORT, program, sample, stderr, stdout, transcribe};

#[test]
fn only_the_part_asked_for_is_transcribed() {
    let beyond = program().args(["transcribe", "--offset=99"]).arg(sample(SHORT)).output().unwrap();
    assert_eq!(beyond.status.code(), Some(3), "{}", stderr(&beyond));
    let output = transcribe(&["--offset=1", "--duration=1.5", "--output=tsv", "--max-len=5"]);
    for line in stdout(&output).lines().skip(1) {
        let start: f64 = line.split('\t').next().unwrap().parse().unwrap();
        assert!((1000.0..=2500.0).contains(&start), "{line}");
    }
}

#[test]
fn words_that_are_suppressed_are_not_said() {
    let plain = transcribe(&["--quiet"]);
    let word = stdout(&plain).split_whitespace().next().unwrap().to_owned();
    let pattern = format!("--suppress-regex=^ ?{word}$");
    let output = transcribe(&["--quiet", "--beam-size=3", &pattern]);
    assert!(!stdout(&output).split_whitespace().any(|other| other == word), "{word}");
}

#[test]
fn texts_and_lists_may_be_empty() {
    let plain = transcribe(&["--output=json"]);
    for option in ["--initial-prompt=", "--hotwords= ", "--prefix=", "--suppress-regex=^\\d"] {
        let output = transcribe(&["--output=json", option]);
        assert_eq!(stdout(&output), stdout(&plain), "{option}");
    }
    // The embedded model's own list is empty too.
    assert_eq!(stdout(&transcribe(&["--output=json", "--suppress-tokens="])), stdout(&plain));
}
