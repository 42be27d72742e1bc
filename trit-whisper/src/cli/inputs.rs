//! Which audio to work on, and where its transcripts go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trit_whisper::output::Format;
use walkdir::{DirEntry, WalkDir};

use super::Failure;

/// File name extensions of audio, in lower case, that are looked for in folders; films too.
const EXTENSIONS: [&str; 24] = [
    "aac", "adts", "aif", "aifc", "aiff", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mov", "mp1",
    "mp2", "mp3", "mp4", "oga", "ogg", "ogv", "opus", "wav", "wave", "webm", "wv",
];

/// One file to transcribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// The file, or `-` for standard input.
    pub(crate) path: PathBuf,
    /// Its place under the output folder: where it was below the folder that was named.
    relative: PathBuf,
}

impl Input {
    pub(crate) fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    /// What messages call it.
    pub(crate) fn shown(&self) -> String {
        if self.is_stdin() { "standard input".into() } else { printable(&self.path) }
    }
}

/// A path for the terminal, to which control characters in a name would be commands or new lines.
fn printable(path: &Path) -> String {
    let mut shown = String::new();
    for c in path.display().to_string().chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The files that `arguments` name, with those below folders in order of name. What cannot be walked
/// stands in the place of its files.
pub(crate) fn inputs(arguments: &[PathBuf]) -> Vec<Result<Input, Failure>> {
    arguments.iter().flat_map(|argument| below(argument)).collect()
}

fn below(argument: &Path) -> Vec<Result<Input, Failure>> {
    if argument != Path::new("-") && argument.is_dir() {
        let found = walk(argument);
        if found.is_empty() {
            let message = format!("{}: no audio files in this folder", argument.display());
            return vec![Err(Failure::Audio(message))];
        }
        return found;
    }
    let name = if argument == Path::new("-") { None } else { argument.file_name() };
    let relative = PathBuf::from(name.unwrap_or("stdin".as_ref()));
    vec![Ok(Input { path: argument.to_owned(), relative })]
}

fn walk(folder: &Path) -> Vec<Result<Input, Failure>> {
    // Names that begin with a dot are hidden, or a file system's own.
    let is_seen = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let is_audio = |entry: &DirEntry| {
        let extension = entry.path().extension().and_then(|extension| extension.to_str());
        let extension = extension.map(str::to_ascii_lowercase);
        entry.file_type().is_file()
            && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
    };
    let walked = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
    let entries = walked.filter_entry(is_seen).filter_map(|entry| match entry {
        Ok(entry) if is_audio(&entry) => {
            let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
            Some(Ok(Input { path: entry.into_path(), relative }))
        }
        Ok(_) => None,
        Err(error) => Some(Err(Failure::Audio(unwalkable(folder, &error)))),
    });
    entries.collect()
}

/// The place that could not be walked, and why.
fn unwalkable(folder: &Path, error: &walkdir::Error) -> String {
    let path = error.path().unwrap_or(folder).display();
    match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => format!("{path}: leads back to {}", ancestor.display()),
        (None, Some(error)) => format!("{path}: {error}"),
        (None, None) => format!("{path}: cannot be read"),
    }
}

/// Where a file's transcripts go: a path for each format, or standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout(Format),
    Files(Vec<(Format, PathBuf)>),
}

/// Where the transcripts of `inputs` go, checked to be distinct.
pub(crate) fn targets<'i>(
    inputs: impl ExactSizeIterator<Item = &'i Input>,
    formats: &[Format],
    folder: Option<&Path>,
) -> Result<Vec<Target>, Failure> {
    let Some(folder) = folder else {
        return match formats {
            [format] if inputs.len() > 1 && !format.is_joinable() => Err(Failure::Usage(format!(
                "several files need --output-dir: {} of one after another is no valid file",
                format.extension(),
            ))),
            [format] => Ok(vec![Target::Stdout(*format); inputs.len()]),
            _ => Err(Failure::Usage("several formats need --output-dir".into())),
        };
    };
    let inputs: Vec<_> = inputs.collect();
    let sources: Vec<_> =
        inputs.iter().filter_map(|input| input.path.canonicalize().ok()).collect();
    let mut taken = BTreeMap::new();
    let mut target = |input: &'i Input, format: Format| {
        let mut target = folder.join(&input.relative);
        let mut name = input.relative.file_stem().unwrap_or_default().to_owned();
        name.push(".");
        name.push(format.extension());
        target.set_file_name(name);
        if target.canonicalize().is_ok_and(|target| sources.contains(&target)) {
            let what = "would be written over, and is to be transcribed";
            return Err(Failure::Usage(format!("{}: {what}", target.display())));
        }
        match taken.insert(target.clone(), input) {
            None => Ok((format, target)),
            Some(other) => Err(Failure::Usage(format!(
                "{} and {} would both be written to {}",
                other.path.display(),
                input.path.display(),
                target.display(),
            ))),
        }
    };
    inputs
        .into_iter()
        .map(|input| {
            let files = formats.iter().map(|&format| target(input, format));
            Ok(Target::Files(files.collect::<Result<_, _>>()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_no_commands_to_a_terminal() {
        assert_eq!(printable(Path::new("a b/\u{1b}[2Jé\n.wav")), "a b/\\u{1b}[2Jé\\n.wav");
    }

    #[test]
    fn folders_are_walked_in_order_of_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        fs::create_dir(root.join(".hidden")).unwrap();
        for name in
            ["z.wav", "a.MP3", "notes.txt", "b/x.flac", "b/c/y.ogg", ".hidden/w.wav", "b/._x.flac"]
        {
            fs::write(root.join(name), "").unwrap();
        }
        let found = inputs(&[root.to_owned(), "-".into()]);
        let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        let names: Vec<_> = found.iter().map(|input| input.relative.to_str().unwrap()).collect();
        assert_eq!(names, ["a.MP3", "b/c/y.ogg", "b/x.flac", "z.wav", "stdin"]);

        let formats = [Format::Txt, Format::Srt];
        let found = targets(found[1..3].iter(), &formats, Some(root)).unwrap();
        let first = [(Format::Txt, root.join("b/c/y.txt")), (Format::Srt, root.join("b/c/y.srt"))];
        assert_eq!(found[0], Target::Files(first.to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_parent_ends_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("one.wav"), "").unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        std::os::unix::fs::symlink(root, root.join("sub/up")).unwrap();
        let found = inputs(&[root.to_owned()]);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_ok());
        let error = found[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("sub/up: leads back to "), "{error}");
    }
}
