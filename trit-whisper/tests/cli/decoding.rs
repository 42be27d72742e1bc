//! The options about decoding.

use super::{SHORT, program, sample, stderr, stdout, transcribe};

#[test]
fn bad_options_are_wrong_arguments() {
    for (options, message) in [
        (["--beam-size", "0"], "beam_size must be 1 to 32"),
        (["--best-of", "33"], "best_of must be 1 to 32"),
        (["--temperature", "0,nan"], "temperatures must be one or more finite numbers from 0 on"),
        (["--patience", "-1"], "patience must be a number above 0"),
        (["--suppress-tokens", "-1,99999"], "the model has no token 99999"),
        (["--initial-prompt", "xylophone"], "no token for the byte"),
        (["--detect-language", "--quiet"], "knows one language only"),
        (["--offset", "-3"], "not a number of seconds"),
    ] {
        let argument = format!("{}={}", options[0], options[1]);
        let given = if options[1].starts_with("--") { options.to_vec() } else { vec![&*argument] };
        let output = program().arg("transcribe").args(given).arg(sample(SHORT)).output().unwrap();
        let told = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{options:?}: {told}");
        assert!(told.contains(message), "{options:?}: {told}");
    }
}

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
