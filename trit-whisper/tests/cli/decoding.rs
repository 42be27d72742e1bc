//! The options about decoding.

use serde_json::Value;

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
    let duration = |options: &[&str]| {
        let output = transcribe(&[options, &["--output=json"]].concat());
        let json: Value = serde_json::from_str(stdout(&output)).unwrap();
        (json["duration"].as_f64().unwrap(), stderr(&output).to_owned())
    };
    // That of the file, which its header says, and in the figures that of the part.
    let (all, _) = duration(&[]);
    let (part, told) = duration(&["--offset=0.25", "--duration=0.5"]);
    assert_eq!(part, all);
    assert!(told.contains(": 0.5 s of audio in "), "{told}");
}

#[test]
fn parts_of_segments_follow_each_other() {
    for options in [&["--max-len=3"][..], &["--max-len=3", "--no-timestamps"]] {
        for words in [&[][..], &["--word-timestamps"]] {
            let output = transcribe(&[options, words, &["--output=tsv"]].concat());
            let mut last = 0;
            for line in stdout(&output).lines().skip(1) {
                let mut times = line.split('\t').map_while(|field| field.parse::<u64>().ok());
                let (start, end) = (times.next().unwrap(), times.next().unwrap());
                assert!(
                    last <= start && start <= end,
                    "{options:?} {words:?}: {}",
                    stdout(&output)
                );
                last = end;
            }
        }
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
fn thresholds_may_be_infinite() {
    for name in ["--compression-ratio-threshold", "--logprob-threshold", "--no-speech-threshold"] {
        for value in ["inf", "-inf"] {
            transcribe(&["--temperature=0", name, value]);
        }
    }
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
