//! Word error rates of texts and of folders of audio.

use std::fs;

use tempfile::TempDir;

use super::{SHORT, done, program, sample, stderr, stdout};

/// The number behind `label` in a table.
fn figure(table: &str, label: &str) -> f64 {
    let line = table.lines().find_map(|line| line.strip_prefix(label));
    let line = line.unwrap_or_else(|| panic!("{label} is not in {table}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn texts_and_files_are_compared() {
    let texts = ["wer", "--text", "The grey cat's 2 mice ran.", "the gray cat has two nice mice"];
    let output = done(program().args(texts));
    let labels = ["word error rate", "words", "substitutions", "insertions", "deletions"];
    // the gray cat is  2 mice ran
    // the gray cat has 2 nice mice
    let figures = labels.map(|label| figure(stdout(&output), label));
    assert_eq!(figures[1..], [7.0, 3.0, 0.0, 0.0][..]);
    assert_eq!(figures[0], 42.86);

    let folder = TempDir::new().unwrap();
    for (name, text) in [("said", texts[2]), ("understood", texts[3])] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let files = done(program().args(["wer", "said", "understood"]).current_dir(folder.path()));
    assert_eq!(stdout(&files), stdout(&output));
    let piped = done(
        program()
            .args(["wer", "said", "-"])
            .current_dir(folder.path())
            .stdin(fs::File::open(folder.path().join("understood")).unwrap()),
    );
    assert_eq!(stdout(&piped), stdout(&output));
    let verbatim = done(program().args(texts).args(["--normalizer", "none"]));
    assert!(figure(stdout(&verbatim), "word error rate") > figures[0]);
}

#[test]
fn folders_of_audio_are_transcribed_and_compared() {
    let folder = TempDir::new().unwrap();
    let chapter = folder.path().join("12/34");
    fs::create_dir_all(&chapter).unwrap();
    fs::copy(sample(SHORT), chapter.join("12-34-0001.flac")).unwrap();
    fs::copy(sample("yes-no.flac"), chapter.join("12-34-0002.flac")).unwrap();
    let lines = "12-34-0001 SEVEN RIGHT UP\n12-34-0002 YES NO MAYBE\n";
    fs::write(chapter.join("12-34.trans.txt"), lines).unwrap();
    fs::copy(sample(SHORT), folder.path().join("beside.flac")).unwrap();
    fs::write(folder.path().join("beside.txt"), "seven, right: up!").unwrap();
    fs::copy(sample(SHORT), folder.path().join("alone.flac")).unwrap();
    let output = done(program().args(["wer", "--verbose", "--audio"]).arg(folder.path()));
    let table = stdout(&output);
    assert_eq!((figure(table, "files"), figure(table, "words")), (3.0, 9.0));
    let errors: f64 =
        ["substitutions", "insertions", "deletions"].map(|label| figure(table, label)).iter().sum();
    assert!((figure(table, "word error rate") - errors / 9.0 * 100.0).abs() < 0.01, "{table}");
    assert!(figure(table, "real-time factor") > 0.0 && table.contains("peak memory"), "{table}");
    let told = stderr(&output);
    for part in ["alone.flac: has no transcript", "said        yes no maybe", "understood  "] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

/// As with transcripts: the others are still compared, and the code says that one was not.
#[test]
fn a_bad_file_does_not_keep_the_others_from_being_compared() {
    let folder = TempDir::new().unwrap();
    fs::copy(sample(SHORT), folder.path().join("good.flac")).unwrap();
    fs::write(folder.path().join("bad.flac"), "no audio").unwrap();
    // As another system may write them.
    let lines = "\u{FEFF}bad\tYES\r\ngood\tSEVEN RIGHT UP\r\n";
    fs::write(folder.path().join("all.trans.txt"), lines).unwrap();
    let wer = |audio: &str| {
        let arguments = ["wer", "--vad", "off", "--audio", audio];
        program().args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let output = wer(".");
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let table = stdout(&output);
    assert_eq!((figure(table, "files"), figure(table, "words")), (1.0, 3.0), "{table}");
    for part in ["error: ./bad.flac: not an audio file", "error: 1 of 2 files failed"] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    // A file by itself, where it lies.
    let alone = wer("good.flac");
    assert_eq!(alone.status.code(), Some(0), "{}", stderr(&alone));
    assert_eq!(figure(stdout(&alone), "words"), 3.0);
    let output = wer("bad.flac");
    assert_eq!((output.status.code(), stdout(&output)), (Some(3), ""), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("error: bad.flac: not an audio file"));
    let output = wer("nowhere");
    assert!(stderr(&output).starts_with("error: nowhere: No such file"), "{}", stderr(&output));
}

/// Nor do a transcript that is no text, or a folder that leads back to one that it lies in.
#[test]
fn a_bad_transcript_does_not_keep_the_others_from_being_compared() {
    let folder = TempDir::new().unwrap();
    for name in ["good.flac", "latin.flac"] {
        fs::copy(sample(SHORT), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("good.txt"), "seven right up").unwrap();
    fs::write(folder.path().join("latin.txt"), b"caf\xE9").unwrap();
    let wer = || program().args(["wer", "--audio"]).arg(folder.path()).output().unwrap();
    let output = wer();
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert_eq!(figure(stdout(&output), "files"), 1.0);
    for part in ["latin.txt: stream did not contain valid UTF-8", "1 of 2 files failed"] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    #[cfg(unix)]
    {
        fs::remove_file(folder.path().join("latin.flac")).unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("below/above")).unwrap();
        let output = wer();
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert_eq!(figure(stdout(&output), "files"), 1.0);
        assert!(stderr(&output).contains("leads back to"), "{}", stderr(&output));
    }
}

/// What says how to transcribe is the same as for `transcribe`, and of no use to texts.
#[test]
fn options_of_transcriptions_count() {
    let folder = TempDir::new().unwrap();
    fs::copy(sample(SHORT), folder.path().join("a.flac")).unwrap();
    fs::write(folder.path().join("a.txt"), "seven right up").unwrap();
    let understood = |options: &[&str]| {
        let arguments = ["wer", "--verbose", "--normalizer", "none"];
        let mut program = program();
        program.args(arguments).args(options).arg("--audio").arg(folder.path());
        let told = stderr(&done(&mut program)).to_owned();
        let line = told.lines().find_map(|line| line.trim().strip_prefix("understood"));
        line.unwrap_or_else(|| panic!("{told}")).trim().to_owned()
    };
    let text = understood(&[]);
    let word = text.split(' ').next().unwrap();
    assert!(!word.is_empty());
    let others = ["--beam-size=2", "--vad=off", &format!("--suppress-regex=^ ?{word}$")];
    assert!(!understood(&others).split(' ').any(|other| other == word), "{word}");
    for refused in [
        &["--offset=1", "--audio", "."][..],
        &["--temperature=0", "a.txt", "a.txt"],
        &["--model=small.trit", "a.txt", "a.txt"],
        &["--threads=2", "a.txt", "a.txt"],
        &["--verbose", "a.txt", "a.txt"],
    ] {
        let output = program().arg("wer").args(refused).current_dir(folder.path()).output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{refused:?}");
    }
}
