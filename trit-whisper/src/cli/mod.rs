//! Arguments, dispatch and exit codes.

mod bench;
mod convert;
mod decoding;
mod info;
mod inputs;
mod languages;
mod machine;
mod manual;
mod progress;
mod recognition;
mod session;
mod speech;
mod stream;
mod transcribe;
mod tune;
mod tuning;
mod values;
mod verify;
mod wer;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use trit_whisper::mmap::MappedFile;
use trit_whisper::new_file;
use trit_whisper::{AudioCtx, Model, ModelError, Precision, embedded};

/// Whisper with ternary weights on small CPUs.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES,
          mut_subcommands(values::take_negative_numbers))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  trit-whisper transcribe speech.flac
  trit-whisper transcribe --model small.trit --output srt --output-dir subtitles talks/
  trit-whisper convert whisper-small/ small.trit
  trit-whisper info small.trit
  trit-whisper tune small.trit
  trit-whisper wer --audio LibriSpeech/test-clean --model small.trit

Exit codes: 0 done; 2 wrong arguments; 3 audio; 4 model; 5 output; 6 anything else.
With several files, the others are still done and the code is the highest of all failures.";

#[derive(Subcommand)]
enum Command {
    /// Turn speech into text
    Transcribe(Box<transcribe::Arguments>),
    /// Turn speech into text while it comes, from raw samples on standard input
    Stream(Box<stream::Arguments>),
    /// Turn a checkpoint of another program into a `.trit` file
    Convert(convert::Arguments),
    /// Show a model: configuration, tensors, memory, kernels
    Info(info::Arguments),
    /// Time each part of the work
    Bench(bench::Arguments),
    /// Find the fastest kernels for a model on this device and keep them for later runs
    Tune(tune::Arguments),
    /// Check a model: checksums, configuration, and that it computes what it should
    Verify(verify::Arguments),
    /// Compare a transcript with what was said: the word error rate
    Wer(Box<wer::Arguments>),
    /// Print a script that completes this program's arguments in a shell
    Completions(manual::CompletionArguments),
    /// Write manual pages into a folder
    Man(manual::ManArguments),
}

/// What went wrong, by the exit code it gives.
#[derive(Debug)]
pub(crate) enum Failure {
    Usage(String),
    Audio(String),
    Model(String),
    Output(String),
    Other(String),
    /// Whoever read standard output wants no more of it, as `head` does: no fault, but an end.
    Unread,
    /// Some files failed, each with an error already shown; the code is the highest.
    Files {
        failed: usize,
        files: usize,
        code: u8,
    },
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Audio(_) => 3,
            Self::Model(_) => 4,
            Self::Output(_) => 5,
            Self::Other(_) => 6,
            Self::Unread => 0,
            Self::Files { code, .. } => *code,
        }
    }
}

/// What shells call the exit code of a program that an interrupt (Ctrl-C) ended.
const INTERRUPTED: i32 = 130;

/// Leaves no half-written file behind when the program is interrupted.
fn remove_files_at_interrupt() -> Result<(), Failure> {
    let end = || {
        new_file::remove_unfinished();
        std::process::exit(INTERRUPTED);
    };
    ctrlc::set_handler(end).map_err(|error| unheard(&error))
}

fn unheard(error: &ctrlc::Error) -> Failure {
    Failure::Other(format!("cannot listen for Ctrl-C: {error}"))
}

/// Failures of single files, each told as it comes where there are several files.
struct Failures {
    files: usize,
    failures: Vec<Failure>,
}

impl Failures {
    fn new(files: usize) -> Self {
        Self { files, failures: Vec::new() }
    }

    /// Keeps a failure, and returns whether there is any use in going on to the next file.
    fn add(&mut self, failure: Failure) -> bool {
        if matches!(failure, Failure::Unread) {
            return false;
        }
        if self.files > 1 {
            tell(format_args!("error: {failure}"));
        }
        self.failures.push(failure);
        true
    }

    /// What that is for the program as a whole.
    fn result(mut self) -> Result<(), Failure> {
        let Self { files, failures } = &mut self;
        match failures.iter().map(Failure::code).max() {
            None => Ok(()),
            Some(code) if *files > 1 => {
                Err(Failure::Files { failed: failures.len(), files: *files, code })
            }
            Some(_) => failures.pop().map_or(Ok(()), Err),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what)
            | Self::Audio(what)
            | Self::Model(what)
            | Self::Output(what)
            | Self::Other(what) => f.write_str(what),
            Self::Unread => f.write_str("standard output is not read any more"),
            Self::Files { failed, files, .. } => {
                write!(f, "{failed} of {} failed", count(*files, "file"))
            }
        }
    }
}

/// A number of things, as in "1 window" and "2 windows".
fn count(number: usize, thing: &str) -> String {
    format!("{number} {}", plural(number, thing))
}

/// The word for so many of a thing.
fn plural(number: usize, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => thing.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{thing}s"),
    }
}

/// Writes a line to standard error, which may be closed or full: then there is nobody to tell.
fn tell(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Output(format!("standard output: {error}")),
    })
}

/// Writes to standard output, without colours if it shows none.
fn print_colored(text: &str) -> Result<(), Failure> {
    let choice = anstream::AutoStream::choice(&io::stdout());
    let mut out = anstream::AutoStream::new(Vec::new(), choice);
    // Memory takes all that is written.
    let _ = out.write_all(text.as_bytes());
    print(&String::from_utf8_lossy(&out.into_inner()))
}

/// Makes a folder to write into, and those that it lies in, if they are not there.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    let failure = |why: &dyn fmt::Display| Failure::Output(format!("{}: {why}", folder.display()));
    if folder.exists() && !folder.is_dir() {
        return Err(failure(&"not a folder"));
    }
    fs::create_dir_all(folder).map_err(|error| failure(&error))
}

/// Memory of `len` zero bytes for a [`trit_whisper::Transcriber`].
fn arena(len: usize) -> Result<Vec<u8>, Failure> {
    let mut arena = Vec::new();
    arena
        .try_reserve_exact(len)
        .map_err(|_| Failure::Other(format!("cannot have {len} bytes of memory")))?;
    arena.resize(len, 0);
    Ok(arena)
}

/// How attention keeps keys and values.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Attention {
    /// A quarter of the memory, several times as fast
    #[value(name = "7-bit")]
    SevenBits,
    /// As dense models are computed where they come from
    #[value(name = "f32")]
    Float,
}

/// The option that chooses between them.
#[derive(clap::Args)]
struct AttentionOptions {
    /// How attention keeps keys and values
    #[arg(long, value_enum, default_value_t = Attention::SevenBits, value_name = "HOW")]
    attention: Attention,
}

impl AttentionOptions {
    fn precision(&self) -> Precision {
        match self.attention {
            Attention::SevenBits => Precision::SevenBits,
            Attention::Float => Precision::Float,
        }
    }
}

/// How much of each window is encoded.
#[derive(clap::Args)]
struct AudioCtxOptions {
    /// Encoder positions of 20 ms that a window is given: `full`, `auto` (the audio's own and 128
    /// more) or a number; with too few, models that were not trained for it repeat themselves
    #[arg(long, default_value = "full", value_name = "N", value_parser = values::audio_ctx)]
    audio_ctx: AudioCtx,
}

pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Transcribe(arguments) => transcribe::run(&arguments),
        Command::Stream(arguments) => stream::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Wer(arguments) => wer::run(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
    };
    match done {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(format_args!("error: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

/// The bytes of a model file, or of the embedded model.
pub(crate) enum ModelBytes {
    Embedded,
    File(PathBuf, MappedFile),
}

impl ModelBytes {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Embedded) };
        match MappedFile::open(path) {
            Ok(file) => Ok(Self::File(path.to_owned(), file)),
            Err(error) => Err(Failure::Model(format!("{}: {error}", path.display()))),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded => "the embedded model".into(),
            Self::File(path, _) => path.display().to_string(),
        }
    }

    /// Parses the model and checks its payloads.
    pub(crate) fn model(&self) -> Result<Model<'_>, Failure> {
        let bytes = match self {
            Self::Embedded => embedded::model(),
            Self::File(_, file) => file,
        };
        let failure = |error: ModelError| Failure::Model(format!("{}: {error}", self.name()));
        let model = Model::parse(bytes).map_err(failure)?;
        for entry in model.container().entries() {
            entry.verify().map_err(|error| failure(error.into()))?;
            // Checking reads the whole file; no more of it than an entry need be resident at once.
            self.release(0..bytes.len());
        }
        model.container().verify_padding().map_err(|error| failure(error.into()))?;
        self.release(0..bytes.len());
        Ok(model)
    }

    /// Bytes of the model that are resident while a window is encoded, and while its tokens are
    /// decoded: of a file only what is read.
    pub(crate) fn resident_len(&self, model: &Model<'_>) -> (usize, usize) {
        let all = model.container().file_len();
        match self {
            Self::Embedded => (all, all),
            Self::File(..) => {
                let encoding = model.encoding_spans().map(|span| span.len()).sum();
                // The pages that a span begins and ends in hold something else as well.
                const PAGE: usize = MappedFile::PAGE;
                let pages = |span: Range<usize>| {
                    (span.end / PAGE * PAGE).saturating_sub(span.start.next_multiple_of(PAGE))
                };
                (encoding, all - model.encoding_spans().map(pages).sum::<usize>())
            }
        }
    }

    /// Gives back the memory of what only encoding a window reads, until all is released.
    pub(crate) fn set_encoding_aside(&self, model: &Model<'_>) {
        if let Self::File(_, file) = self {
            for span in model.encoding_spans() {
                file.set_aside(span);
            }
        }
    }

    /// Gives back the memory of a part of the file, until it is read again.
    pub(crate) fn release(&self, range: Range<usize>) {
        if let Self::File(_, file) = self {
            file.release(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_several() {
        let all = [0, 1, 2].map(|number| count(number, "window"));
        assert_eq!(all, ["0 windows", "1 window", "2 windows"]);
        assert_eq!([1, 21].map(|number| plural(number, "entry")), ["entry", "entries"]);
    }
}
