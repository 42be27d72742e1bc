//! Transcripts in every form, of files and folders.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{SHORT, done, program, sample, stderr, stdout, transcribe};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    fs::read_to_string(path).unwrap()
}

/// Names of all files below `folder`, in order.
fn listing(folder: &Path) -> Vec<String> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    let name = |entry: walkdir::DirEntry| {
        entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned()
    };
    let mut names: Vec<_> = files.map(name).collect();
    names.sort();
    names
}

#[test]
fn json_follows_its_schema() {
    let schema: Value = serde_json::from_str(&page("transcript.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = |options: &[&str]| -> Value {
        let options = [&["--output", "json"], options].concat();
        let transcript = serde_json::from_str(stdout(&transcribe(&options))).unwrap();
        let errors: Vec<_> = validator.iter_errors(&transcript).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{options:?}: {errors:?}");
        transcript
    };
    let transcript = json(&[]);
    let timed = json(&["--word-timestamps"]);

    // Every field that the schema describes is on the page, and a wrong one is noticed.
    let page = page("output.md");
    let described = |properties: &Value| {
        for name in properties.as_object().unwrap().keys() {
            assert!(
                page.contains(&format!("`{name}`")) || page.contains(&format!(".{name}`")),
                "{name}"
            );
        }
    };
    described(&schema["properties"]);
    described(&schema["$defs"]["segment"]["properties"]);
    described(&schema["$defs"]["word"]["properties"]);
    // Words have times within their segments', and all of its text.
    for segment in timed["segments"].as_array().unwrap() {
        let seconds = |of: &Value, key: &str| of[key].as_f64().unwrap();
        let (mut text, mut last) = (String::new(), seconds(segment, "start"));
        for word in segment["words"].as_array().unwrap() {
            assert!(last <= seconds(word, "start"), "{segment}");
            assert!(seconds(word, "start") <= seconds(word, "end"), "{segment}");
            last = seconds(word, "end");
            text += word["word"].as_str().unwrap();
        }
        assert!(last <= seconds(segment, "end") && text.trim() == segment["text"], "{segment}");
    }
    assert!(transcript.pointer("/segments/0/words").is_none());
    for (pointer, wrong) in [
        ("/segments/0/words/0/word", Value::Null),
        ("/segments/0/words/0/start", Value::from("0.5")),
        ("/segments/0/words/0/end", Value::from(-0.5)),
        ("/segments/0/words/0/probability", Value::from(1.5)),
        ("/segments/0/words", Value::from("yes")),
        ("/duration", Value::from("3.5")),
        ("/segments/0/tokens/0", Value::from(-1)),
        ("/segments/0/no_speech_prob", Value::from(1.5)),
        ("/segments/0/token_probabilities/0", Value::from(-0.5)),
        ("/segments/0/end", Value::Null),
    ] {
        let mut broken = timed.clone();
        *broken.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&broken), "{pointer}");
    }
}

#[test]
fn all_forms_of_a_file_are_written_at_once() {
    let out = TempDir::new().unwrap();
    let forms = "txt,srt,vtt,lrc,json,tsv,srt";
    done(
        program()
            .args(["transcribe", "--output", forms, "--output-dir"])
            .args([out.path(), &sample(SHORT)]),
    );
    let extensions = ["json", "lrc", "srt", "tsv", "txt", "vtt"];
    let names = extensions.map(|extension| format!("seven-right-up.{extension}"));
    assert_eq!(listing(out.path()), names);
    let [json, lrc, srt, tsv, txt, vtt] =
        names.map(|name| fs::read_to_string(out.path().join(name)).unwrap());
    let json: Value = serde_json::from_str(&json).unwrap();
    let segments = json["segments"].as_array().unwrap();
    assert_eq!(txt.trim_end(), json["text"]);
    assert_eq!(srt.matches(" --> ").count(), segments.len());
    assert_eq!(vtt.matches(" --> ").count(), segments.len());
    assert_eq!(tsv.lines().count(), 1 + segments.len());
    let (start, text) =
        (&segments[0]["start"].as_f64().unwrap(), segments[0]["text"].as_str().unwrap());
    assert!(lrc.starts_with(&format!("[00:{start:05.2}]{text}\n")), "{lrc}");

    // What comes one form at a time is the same.
    assert_eq!(stdout(&transcribe(&["--output", "tsv"])), tsv);
    assert_eq!(stdout(&transcribe(&["--output", "lrc"])), lrc);
}

#[test]
fn what_is_read_is_not_written_over() {
    let folder = TempDir::new().unwrap();
    fs::copy(sample(SHORT), folder.path().join("speech.txt")).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    let before = listing(folder.path());
    for arguments in [
        ["transcribe", "--output-dir=.", "speech.txt"],
        ["convert", ".", "model.safetensors"],
        ["convert", "model.safetensors", "./model.safetensors"],
    ] {
        let output = program().args(arguments).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("would be written over"), "{}", stderr(&output));
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn folders_are_mirrored() {
    let folder = TempDir::new().unwrap();
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir_all(from.join("b/c")).unwrap();
    fs::create_dir(&to).unwrap();
    for name in ["a.flac", "b/a.flac", "b/c/talk.one.FLAC"] {
        fs::copy(sample(SHORT), from.join(name)).unwrap();
    }
    fs::write(from.join("b/notes.txt"), "no audio").unwrap();
    fs::write(from.join("b/bad.wav"), "no audio").unwrap();
    let output = program()
        .args(["transcribe", "--output", "txt,vtt", "--output-dir"])
        .args([&to, &from])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let expected = ["a.txt", "a.vtt", "b/a.txt", "b/a.vtt", "b/c/talk.one.txt", "b/c/talk.one.vtt"];
    assert_eq!(listing(&to), expected);
    for part in ["in/b/bad.wav: not an audio file", "error: 1 of 4 files failed"] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }

    // Without a folder to write to, one transcript follows the other, in order.
    fs::remove_file(from.join("b/bad.wav")).unwrap();
    let joined = done(program().args(["transcribe", "--quiet", "--output", "json"]).arg(&from));
    let files = serde_json::Deserializer::from_str(stdout(&joined)).into_iter::<Value>();
    let files: Vec<_> =
        files.map(|json| json.unwrap()["file"].as_str().unwrap().to_owned()).collect();
    let names = ["a.flac", "b/a.flac", "b/c/talk.one.FLAC"];
    assert_eq!(files, names.map(|name| from.join(name).display().to_string()));
}

#[test]
fn verbose_tells_of_each_segment() {
    let json: Value = serde_json::from_str(stdout(&transcribe(&["--output", "json"]))).unwrap();
    let told = transcribe(&["--verbose"]);
    for segment in json["segments"].as_array().unwrap() {
        let line = format!("]  {}", segment["text"].as_str().unwrap());
        assert!(stderr(&told).contains(&line), "{line} is not in {}", stderr(&told));
    }
    for part in ["[00:00:0", " s until encoded, ", " s of decoding"] {
        assert!(stderr(&told).contains(part), "{part} is not in {}", stderr(&told));
    }
    assert_eq!(stdout(&told), stdout(&transcribe(&[])));
}

#[test]
fn colours_are_for_terminals() {
    let plain = transcribe(&[]);
    assert_eq!(stdout(&transcribe(&["--print-colors"])), stdout(&plain));
    let forced = |name: &str, value: &str| {
        let arguments = ["transcribe", "--print-colors", "--quiet"];
        done(program().args(arguments).arg(sample(SHORT)).env(name, value))
    };
    assert_eq!(stdout(&forced("NO_COLOR", "1")), stdout(&plain));
    let colored = forced("CLICOLOR_FORCE", "1");
    let text = stdout(&colored);
    assert!(text.contains("\u{1b}[38;5;"), "{text:?}");
    let shown = anstream::adapter::strip_str(text).to_string();
    assert_eq!(shown.trim(), stdout(&plain).trim());
}

#[test]
fn shells_and_manuals_know_the_arguments() {
    for (shell, part) in [
        ("bash", "complete -F _"),
        ("elvish", "edit:completion"),
        ("fish", "complete -c trit-whisper"),
        ("powershell", "Register-ArgumentCompleter"),
        ("zsh", "#compdef trit-whisper"),
    ] {
        let script = done(program().args(["completions", shell]));
        for part in [part, "transcribe", "--output-dir"] {
            // fish has long options without their dashes.
            let part = if shell == "fish" { part.trim_start_matches("--") } else { part };
            let found = stdout(&script).contains(part);
            assert!(found, "{part} is not in the script for {shell}");
        }
        if shell == "bash" {
            // Each command it comes to is one that it has completions for.
            let commands: Vec<_> = stdout(&script)
                .lines()
                .filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'))
                .filter(|command| !command.is_empty())
                .collect();
            assert!(commands.len() > 10, "{commands:?}");
            for command in commands {
                assert!(stdout(&script).contains(&format!(" {command})")), "{command}");
            }
        }
    }
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("share/man/man1");
    done(program().arg("man").arg(&folder));
    let names = listing(&folder);
    for command in ["", "-bench", "-convert", "-info", "-transcribe", "-tune", "-man"] {
        assert!(names.contains(&format!("trit-whisper{command}.1")), "{command}: {names:?}");
    }
    let page = fs::read_to_string(folder.join("trit-whisper-transcribe.1")).unwrap();
    assert!(page.contains(r"\-\-output\-dir"), "{page}");
    let page = fs::read_to_string(folder.join("trit-whisper.1")).unwrap();
    assert!(page.contains("Exit codes"), "{page}");
}
