//! `trit-whisper completions` and `trit-whisper man`: what shells and readers of manuals take.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use trit_whisper::new_file::NewFile;

use super::Failure;

const COMPLETION_EXAMPLES: &str = "\
Examples:
  trit-whisper completions bash > ~/.local/share/bash-completion/completions/trit-whisper
  trit-whisper completions zsh > ~/.zfunc/_trit-whisper
  trit-whisper completions fish > ~/.config/fish/completions/trit-whisper.fish";

/// Arguments of `completions`.
#[derive(clap::Args)]
#[command(after_help = COMPLETION_EXAMPLES)]
pub(crate) struct CompletionArguments {
    /// The shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  trit-whisper man ~/.local/share/man/man1
  trit-whisper man . && man ./trit-whisper-transcribe.1";

/// Arguments of `man`.
#[derive(clap::Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArguments {
    /// The folder to write into: `trit-whisper.1` and a page for each command; it is made if it is not
    /// there
    folder: PathBuf,
}

/// Prints the shell's script.
pub(crate) fn completions(arguments: &CompletionArguments) -> Result<(), Failure> {
    let mut command = super::Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    // clap_complete 4.6 names the program's own cases as if the part after its hyphen were a command.
    let script = String::from_utf8_lossy(&script).replace("trit__subcmd__whisper", "trit__whisper");
    super::print(&script)
}

/// Writes the pages.
pub(crate) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    super::make_folder(&arguments.folder)?;
    let mut program = super::Arguments::command();
    program.build();
    let commands = program.get_subcommands().filter(|command| command.get_name() != "help");
    for command in std::iter::once(&program).chain(commands) {
        // Those of commands have the program's name before them.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let path = arguments.folder.join(format!("{name}.1"));
        let write = || -> io::Result<()> {
            let mut page = Vec::new();
            Man::new(command.clone()).render(&mut page)?;
            let mut file = NewFile::create(&path)?;
            file.write_all(&page)?;
            file.finish()
        };
        write().map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}
