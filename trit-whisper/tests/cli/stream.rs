//! Streams from standard input.

use std::fs::{self, File};
#[cfg(unix)]
use std::io::{BufRead, BufReader, Write};
use std::process::Output;
#[cfg(unix)]
use std::process::{Command, Stdio};

use tempfile::TempDir;
use trit_whisper::audio;

use super::{program, sample, stderr, stdout};

/// Runs `stream` with these bytes on standard input.
fn stream(options: &[&str], bytes: &[u8]) -> Output {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("raw");
    fs::write(&path, bytes).unwrap();
    let stdin = File::open(path).unwrap();
    program().arg("stream").args(options).stdin(stdin).output().unwrap()
}

/// Recorded words, as samples of 16 bits.
fn words() -> Vec<u8> {
    let samples = audio::read_file(&sample("yes-no.flac")).unwrap().samples;
    samples.iter().flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes()).collect()
}

#[test]
fn words_are_printed_as_they_end() {
    let output = stream(&[], &words());
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let text: Vec<_> = stdout(&output).split_whitespace().collect();
    assert_eq!(text.join(" "), "yes no on off", "{told}");
    assert!(told.contains(" s heard, ") && told.contains(" utterance"), "{told}");
    assert!(!told.contains(" 1 utterances"), "{told}");
}

/// As an interrupt, what is no audio ends the audio and not the text before it.
#[test]
fn samples_that_are_none_lose_nothing_before_them() {
    let mut samples = audio::read_file(&sample("yes-no.flac")).unwrap().samples;
    samples.truncate(samples.len() - 1_600);
    samples.push(f32::NAN);
    let bytes: Vec<_> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    let output = stream(&["--format=f32le"], &bytes);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let text: Vec<_> = stdout(&output).split_whitespace().collect();
    assert_eq!(text.join(" "), "yes no on off", "{}", stderr(&output));
}

#[test]
fn options_of_decoding_count() {
    let bytes = words();
    let text = |options: &[&str]| {
        let output = stream(&[&["--quiet"], options].concat(), &bytes);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{options:?}");
        stdout(&output).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = [
        "--temperature=0",
        "--beam-size=3",
        "--patience=2",
        "--length-penalty=0.5",
        "--suppress-regex=^ ?no$",
        "--max-tokens=40",
        "--audio-ctx=auto",
        "--decoder-threads=1",
        "--keep-context",
        "--initial-prompt=",
    ];
    let found = text(&all);
    assert!(found.contains(&"yes".into()) && !found.contains(&"no".into()), "{found:?}");
    // A seed gives the same text again.
    let drawn = ["--temperature=1.5", "--best-of=2", "--seed=5", "--logprob-threshold=-inf"];
    assert_eq!(text(&drawn), text(&drawn));
}

#[test]
fn what_makes_no_sense_in_a_stream_is_refused() {
    for (options, message) in [
        (&["--prefix", "yes"][..], "--prefix: nobody knows what a stream begins with"),
        (&["--word-timestamps"], "--word-timestamps: a stream has no times to print"),
        (&["--vad", "off"], "--vad off: a stream is cut where nobody speaks"),
        (&["--keep-context", "--no-context"], "cannot be used with '--no-context'"),
        (&["--offset", "1"], "unexpected argument '--offset' found"),
    ] {
        let output = stream(options, &[]);
        let told = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{options:?}: {told}");
        assert!(told.contains(message), "{options:?}: {told}");
    }
}

#[test]
fn nothing_is_heard_in_nothing() {
    // No sample, and half of one.
    for bytes in [&[][..], &[1]] {
        let output = stream(&[], bytes);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), ""), "{}", stderr(&output));
        assert!(stderr(&output).contains("0.0 s heard"), "{}", stderr(&output));
    }
    let output = stream(&["--format", "f32le"], &f32::NAN.to_le_bytes());
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("error: standard input: "), "{}", stderr(&output));
}

/// Whoever listens to a microphone can end in no other way, and the last words are the newest.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_audio_and_not_the_text() {
    let mut child = program()
        .args(["stream", "--verbose"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (words, mut told) = (words(), BufReader::new(child.stderr.take().unwrap()));
    // All of it up to the last word's end, and no silence after that: only the interrupt ends it.
    stdin.write_all(&words[..words.len() - 2 * 16_000 / 4]).unwrap();
    stdin.flush().unwrap();
    // Once an utterance was told of, the handler is there and pieces are being read.
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line.contains("after the last sample of speech"), "{line}");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    // It was open all the time.
    drop(stdin);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).split_whitespace().eq(["yes", "no", "on", "off"]),
        "{}",
        stdout(&output)
    );
}
