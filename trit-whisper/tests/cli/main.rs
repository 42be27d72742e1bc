//! The program, run on the samples. What words the embedded model recognises is for
//! `models/words.md`; here it is only asked to be the same however it is asked.

mod decoding;
mod stream;
mod transcripts;
mod values;
mod wer;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trit-whisper"));
    command.stdin(Stdio::null());
    // What was tuned on this machine is not to be found.
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("nothing"));
    command
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Runs it, expecting success.
fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

const SHORT: &str = "seven-right-up.flac";

fn transcribe(options: &[&str]) -> Output {
    done(program().arg("transcribe").args(options).arg(sample(SHORT)))
}

#[test]
fn standard_output_is_the_transcript_alone() {
    let output = transcribe(&[]);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 1);
    assert!(text.ends_with('\n') && text.trim().split(' ').count() >= 1);
    let told = stderr(&output);
    assert!(told.contains("the embedded model knows 35 words: backward bed bird"), "{told}");
    for part in [
        SHORT,
        "3.5 s of audio in ",
        "real-time factor ",
        "1 window, 0 silent",
        "ternary_t4_i8_f32",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
}

#[test]
fn quiet_says_nothing_else() {
    let output = transcribe(&["--quiet", "--no-timestamps"]);
    assert_eq!(stderr(&output), "");
    assert!(!stdout(&output).is_empty());
}

#[test]
fn threads_and_streams_change_nothing() {
    let once = transcribe(&["--output", "json", "--threads", "1"]);
    let twice = transcribe(&["--output", "json", "--threads", "3"]);
    assert_eq!(stdout(&once), stdout(&twice));
    let piped = done(
        program()
            .args(["transcribe", "--output", "json", "-"])
            .stdin(File::open(sample(SHORT)).unwrap()),
    );
    let [mut once, mut piped]: [serde_json::Value; 2] =
        [&once, &piped].map(|output| serde_json::from_str(stdout(output)).unwrap());
    assert_eq!(piped["file"].take(), "-");
    once["file"].take();
    assert_eq!(once, piped);
}

#[test]
fn json_has_the_documented_fields() {
    let output = transcribe(&["--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(json["file"], sample(SHORT).display().to_string());
    assert!(json["language"].is_null());
    let duration = json["duration"].as_f64().unwrap();
    assert!((3.0..4.0).contains(&duration));
    let segments = json["segments"].as_array().unwrap();
    assert!(!segments.is_empty());
    let mut last = 0.0;
    for segment in segments {
        let [start, end] = ["start", "end"].map(|key| segment[key].as_f64().unwrap());
        assert!(last <= start && start < end && end <= duration, "{segment}");
        assert!(!segment["text"].as_str().unwrap().is_empty());
        assert!(segment["tokens"].as_array().unwrap().iter().all(|id| id.is_u64()));
        assert!(segment["avg_logprob"].as_f64().unwrap() <= 0.0);
        assert!((0.0..=1.0).contains(&segment["no_speech_prob"].as_f64().unwrap()));
        last = end;
    }
    let texts: Vec<_> = segments.iter().map(|segment| segment["text"].as_str().unwrap()).collect();
    assert_eq!(json["text"], texts.join(" "));
}

#[test]
fn files_are_written_where_they_should_be() {
    let folder = TempDir::new().unwrap();
    let twin = folder.path().join("part.two.flac");
    fs::copy(sample(SHORT), &twin).unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    // An older transcript is replaced.
    fs::write(out.join("part.two.srt"), "old").unwrap();
    let output = done(program().args(["transcribe", "--output", "srt", "--output-dir"]).args([
        &out,
        &sample(SHORT),
        &twin,
    ]));
    assert_eq!(stdout(&output), "");
    let mut names: Vec<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["part.two.srt", "seven-right-up.srt"]);

    // A folder that is not there is made, unless there is nothing to write into it.
    let made = folder.path().join("made/of/two");
    done(program().args(["transcribe", "--output-dir"]).args([&made, &twin]));
    assert!(made.join("part.two.txt").is_file());
    let none = folder.path().join("none");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let output = program().args(["transcribe", "--output-dir"]).args([&none, &empty]).output();
    assert_eq!((output.unwrap().status.code(), none.exists()), (Some(3), false));
    let text = fs::read_to_string(out.join("part.two.srt")).unwrap();
    assert!(text.starts_with("1\n00:00:0") && text.contains(" --> 00:00:0"), "{text}");
}

#[test]
fn vtt_begins_as_it_must() {
    let output = transcribe(&["--output", "vtt"]);
    assert!(stdout(&output).starts_with("WEBVTT\n\n00:00:0"), "{}", stdout(&output));
}

#[test]
fn a_bad_file_does_not_keep_the_others_from_being_done() {
    let output = program()
        .args(["transcribe", "nowhere.wav"])
        .arg(sample(SHORT))
        .arg("gone.mp3")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output).lines().count(), 1);
    for part in ["error: nowhere.wav: ", "error: gone.mp3: ", "error: 2 of 3 files failed"] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_is_no_failure() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = done(program().arg("transcribe").arg(sample(SHORT)).stderr(full));
    assert!(!stdout(&output).is_empty());
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let run = |arguments: &[&str], files: &[PathBuf]| {
        let mut command = program();
        command.args(arguments).args(files).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    };
    let files = [SHORT; 200].map(sample);
    for (arguments, files) in [(&["transcribe"][..], &files[..]), (&["info"], &[])] {
        let output = run(arguments, files);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        // Nor is there any use in the other files.
        assert!(stderr(&output).lines().count() <= 2, "{}", stderr(&output));
    }
    // What failed before counts.
    let output = run(&["transcribe", "nowhere.wav"], &files[..1]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn info_tells_what_a_model_is() {
    let embedded = done(program().arg("info"));
    for part in [
        "name          words",
        "encoder       ",
        "encoder.blocks.0.attn.query.weight",
        "t4",
        "numbers in",
        "arena in all",
        "ternary_t4_i8_f32",
    ] {
        assert!(stdout(&embedded).contains(part), "{part}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/words.trit");
    let file = done(program().arg("info").arg(path));
    // From the first line, which is the name, to the pages in memory: a mapped file gives its own back.
    let what_it_is = |output| {
        let (_, text) = stdout(output).split_once('\n').unwrap();
        text.split_once("peak resident memory").unwrap().0.to_owned()
    };
    assert_eq!(what_it_is(&file), what_it_is(&embedded));
    assert!(stdout(&file).contains("weights while "));
    let float = done(program().args(["info", "--attention", "f32"]));
    assert_ne!(what_it_is(&float), what_it_is(&embedded), "keys and values take more in f32");
}

#[test]
fn a_converted_checkpoint_runs() {
    let folder = TempDir::new().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense");
    let model = folder.path().join("dense.trit");
    let converted = done(program().arg("convert").args([&source, &model]));
    assert!(stderr(&converted).contains("decoder.token_embedding.weight"));
    assert!(stdout(&done(program().arg("info").arg(&model))).contains("arena in all"));
    let output = done(program().args(["transcribe", "--model"]).arg(&model).arg(sample(SHORT)));
    assert!(!stderr(&output).contains("35 words"));
    // A language is the same in capitals and by its name, and detected if it is `auto`.
    let language = |code: &str| {
        let options =
            ["--quiet", "--vad=off", "--temperature=0", "--output=json", "--language", code];
        let transcribe = ["transcribe", "--model"];
        let output = program()
            .args(transcribe)
            .arg(&model)
            .args(options)
            .arg(sample(SHORT))
            .output()
            .unwrap();
        (output.status.code(), stdout(&output).to_owned())
    };
    let english = language("en");
    assert!(english.1.contains("\"language\": \"en\""), "{}", english.1);
    assert_eq!(language("EN"), english);
    assert_eq!(language("English"), english);
    assert_eq!(language("auto").0, Some(0));
    assert_eq!(language("xx"), (Some(2), String::new()));
    // How probable they are depends on the part that is heard.
    let probable = |part: &str| {
        let options = ["transcribe", "--quiet", "--detect-language", part, "--model"];
        stdout(&done(program().args(options).arg(&model).arg(sample(SHORT)))).to_owned()
    };
    let whole = probable("--offset=0");
    assert_eq!(whole.lines().count(), 2);
    assert_ne!(probable("--offset=0.3"), whole);
    assert_ne!(probable("--duration=0.3"), whole);
}

#[test]
fn verify_compares_bits() {
    let embedded = done(program().arg("verify"));
    for part in ["entries in ", ", as stored: the same bits (", "ternary_t4_i8_f32"] {
        assert!(stdout(&embedded).contains(part), "{part} is not in {}", stdout(&embedded));
    }
    // The same file on its own stores none.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/words.trit");
    let file = done(program().arg("verify").arg(path));
    assert!(stdout(&file).contains("none is stored"), "{}", stdout(&file));
    // A converted checkpoint stores its own, whatever the threads.
    let folder = TempDir::new().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ternary");
    let model = folder.path().join("ternary.trit");
    done(program().arg("convert").args([&source, &model]));
    for threads in ["1", "3"] {
        let output = done(program().args(["verify", "--threads", threads]).arg(&model));
        assert!(stdout(&output).contains("as stored: the same bits"), "{}", stdout(&output));
    }
}

#[test]
fn bench_times_each_part() {
    let output = done(program().args(["bench", "--runs", "1"]));
    done(program().args(["bench", "--runs", "1", "--attention", "f32"]));
    for part in ["encode", "decode one token", "peak memory", "arena", "ternary_t4_i8_f32"] {
        assert!(stdout(&output).contains(part), "{part} is not in {}", stdout(&output));
    }
}

#[test]
fn bench_takes_clips() {
    let run = |audio_ctx: &str| {
        let clip = ["--runs", "1", "--seconds", "1.5", "--tokens", "3", "--audio-ctx", audio_ctx];
        stdout(&done(program().arg("bench").args(clip))).to_owned()
    };
    let auto = run("auto");
    for part in ["log-mel    1.5 s", "in 203 positions", "audio and   3 tokens", "load"] {
        assert!(auto.contains(part), "{part} is not in {auto}");
    }
    assert!(run("100").contains("in 100 positions"));
    for wrong in ["0", "-1", "some"] {
        let output = program().args(["bench", "--audio-ctx", wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn a_short_window_gives_the_words_of_a_whole_one() {
    let [full, auto] = ["full", "auto"].map(|ctx| transcribe(&["--quiet", "--audio-ctx", ctx]));
    assert_eq!(stdout(&full), stdout(&auto));
}

/// Bytes before " MiB" in the line of `text` that begins with `label`.
#[cfg(target_os = "linux")]
fn mib(text: &str, label: &str) -> f64 {
    let line = text.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
    let (number, _) = line.split_once(" MiB").unwrap();
    number.rsplit(' ').next().unwrap().parse::<f64>().unwrap() * f64::from(1 << 20)
}

#[cfg(target_os = "linux")]
#[test]
fn info_foretells_the_peak_memory() {
    let folder = TempDir::new().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense");
    let dense = folder.path().join("dense.trit");
    done(program().arg("convert").args(["--head", "i4:32"]).args([&source, &dense]));
    let words = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/words.trit");
    for model in [dense, words] {
        let info = done(program().arg("info").arg(&model));
        let foretold = mib(stdout(&info).split_once("peak resident").unwrap().1, "in all");
        let bench = done(program().args(["bench", "--runs", "2", "--tokens", "999"]).arg(&model));
        let found = mib(stdout(&bench), "peak memory");
        assert!((foretold - found).abs() <= 3e6, "{}: {foretold} {found}", model.display());
    }
}

/// The only file in the program's part of a cache folder.
fn kept(cache: &TempDir) -> PathBuf {
    let mut files = fs::read_dir(cache.path().join("trit-whisper")).unwrap();
    let path = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    path
}

#[test]
fn what_tune_finds_is_run_by_and_changes_no_transcript() {
    let cache = TempDir::new().unwrap();
    let program = || {
        let mut command = program();
        command.env("XDG_CACHE_HOME", cache.path());
        command
    };
    let transcribe = |options: &[&str]| {
        let json = ["transcribe", "--threads", "1", "--output", "json"];
        done(program().args(json).args(options).arg(sample(SHORT)))
    };
    let untuned = transcribe(&[]);
    assert!(stderr(&untuned).contains("not tuned"), "{}", stderr(&untuned));
    assert!(stdout(&done(program().arg("info"))).contains("not tuned"));

    let tuned = done(program().args(["tune", "--threads", "1"]));
    let path = kept(&cache);
    for part in ["which runs", "ternary_t4_i8_f32", " shapes in ", &path.display().to_string()] {
        assert!(stdout(&tuned).contains(part), "{part:?} is not in {}", stdout(&tuned));
    }
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("trit tuning 1\ndevice ") && text.lines().count() > 3, "{text}");

    // It is the same transcript, by the kernels that were chosen.
    let after = transcribe(&[]);
    assert_eq!(stdout(&after), stdout(&untuned));
    assert!(stderr(&after).contains(" tuned: another kernel for "), "{}", stderr(&after));
    assert!(stderr(&transcribe(&["--no-tuning"])).contains("not tuned"));
    for command in [&["info"][..], &["bench", "--runs", "1"]] {
        let told = done(program().args(command));
        assert!(stdout(&told).contains(&path.display().to_string()), "{}", stdout(&told));
    }
    assert!(stdout(&done(program().arg("info"))).contains("which runs"));

    // The same file anywhere else is as good.
    let copy = cache.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    let info = done(program().args(["info", "--tuning"]).arg(&copy));
    assert!(stdout(&info).contains(&copy.display().to_string()));

    // Damaged, it is warned of and left alone, until it is made anew.
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let damaged = transcribe(&["--quiet"]);
    let warning = format!("warning: {}: ", path.display());
    assert!(stderr(&damaged).starts_with(&warning), "{}", stderr(&damaged));
    assert_eq!(stdout(&damaged), stdout(&untuned));
    let again = done(program().args(["tune", "--threads", "1"]));
    assert!(stderr(&again).starts_with(&warning), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(kept(&cache)).unwrap().lines().count(), text.lines().count());
}

#[test]
fn help_shows_examples() {
    let commands =
        ["transcribe", "convert", "info", "bench", "tune", "verify", "wer", "completions", "man"];
    let helps = commands.map(|command| vec![command, "--help"]);
    for arguments in helps.into_iter().chain([vec!["--help"]]) {
        let output = done(program().args(&arguments));
        assert!(stdout(&output).contains("Examples:\n  trit-whisper "), "{arguments:?}");
    }
    assert!(stdout(&done(program().arg("--version"))).starts_with("trit-whisper 0."));
    let bare = program().output().unwrap();
    assert_eq!((bare.status.code(), stdout(&bare)), (Some(2), ""));
    assert!(stderr(&bare).contains("Examples:"));
}
