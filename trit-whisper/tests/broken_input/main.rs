//! Broken input of every kind, given to the program: the message names what is at fault, the exit
//! code is the documented one, and nothing is left half-written. `docs/errors.md` shows the same
//! cases with the same messages, of which some are glibc's.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use trit_whisper::embedded;

mod audio;
mod broken_files;
mod conversion;
mod models;
mod options;
mod output;
mod texts;
mod tuning;
mod usage;

/// A shell command run in the folder, what is wrong, the last line it writes to standard error (or
/// the one line that begins with `error:` or `warning:`) and its exit code.
type Case = (&'static str, &'static str, &'static str, i32);

/// Names of all files below `folder`, with their sizes.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Of a link itself.
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            names.extend(listing(&path));
        } else {
            names.push((path.display().to_string(), metadata.len()));
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
            .replace("{longer}", &(len + 64).to_string())
            .replace("{selftest}", &format!("{:08x}", embedded::SELF_TEST.logits));
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
