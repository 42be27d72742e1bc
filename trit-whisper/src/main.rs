//! The command-line program `trit-whisper`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
