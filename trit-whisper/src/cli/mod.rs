//! Arguments, dispatch and exit codes.

mod bench;
mod info;
mod machine;
mod transcribe;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trit_whisper::mmap::MappedFile;
use trit_whisper::{Model, ModelError, embedded};

/// Whisper with ternary weights on small CPUs.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  trit-whisper transcribe speech.flac
  trit-whisper transcribe --model small.trit --output srt --threads 4 *.mp3
  trit-whisper info small.trit

Exit codes: 0 done; 2 wrong arguments; 3 audio; 4 model; 5 output; 6 anything else.
With several files, the others are still done and the code is that of the last failure.";

#[derive(Subcommand)]
enum Command {
    /// Turn speech into text
    Transcribe(transcribe::Arguments),
    /// Show a model: configuration, tensors, memory, kernels
    Info(info::Arguments),
    /// Time each part of the work
    Bench(bench::Arguments),
}

/// What went wrong, by the exit code it gives.
#[derive(Debug)]
pub(crate) enum Failure {
    Audio(String),
    Model(String),
    Output(String),
    Other(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Audio(_) => 3,
            Self::Model(_) => 4,
            Self::Output(_) => 5,
            Self::Other(_) => 6,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Audio(what) | Self::Model(what) | Self::Output(what) | Self::Other(what)) = self;
        f.write_str(what)
    }
}

pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Transcribe(arguments) => transcribe::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
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
        model.container().verify().map_err(|error| failure(error.into()))?;
        Ok(model)
    }
}
