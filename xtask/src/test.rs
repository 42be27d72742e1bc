//! `cargo xtask test`: runs the legs of the matrix and ends in one table.

use std::env::consts;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use trit_ci::{LEGS, Leg, Place};
use xshell::{Shell, cmd};

use crate::needs;

/// What to run; everything unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these legs
    #[arg(long, value_name = "LEG", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these legs out; the summary says that they did not run
    #[arg(long, value_name = "LEG", value_delimiter = ',')]
    skip: Vec<String>,
    /// List the legs and stop
    #[arg(long)]
    list: bool,
}

enum Outcome {
    Passed(Duration),
    Failed(anyhow::Error),
    Skipped,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(unknown) =
        arguments.only.iter().chain(&arguments.skip).find(|name| trit_ci::leg(name).is_none())
    {
        bail!("there is no leg `{unknown}`; `cargo xtask test --list` names them");
    }
    if arguments.list {
        for leg in LEGS {
            println!("{:14}{}", leg.name, leg.proves);
        }
        return Ok(());
    }

    let shell = Shell::new()?;
    shell.change_dir(workspace_root()?);
    let chosen =
        |leg: &Leg| arguments.only.is_empty() || arguments.only.iter().any(|name| name == leg.name);
    let mut outcomes = Vec::new();
    for leg in LEGS.iter().filter(|leg| chosen(leg)) {
        if arguments.skip.iter().any(|name| name == leg.name) {
            outcomes.push((leg, Outcome::Skipped));
            continue;
        }
        eprintln!("\n=== {}: {}", leg.name, leg.proves);
        let start = Instant::now();
        outcomes.push((
            leg,
            match run_leg(&shell, leg) {
                Ok(()) => Outcome::Passed(start.elapsed()),
                Err(error) => Outcome::Failed(error),
            },
        ));
    }
    summarise(&outcomes)
}

fn run_leg(shell: &Shell, leg: &Leg) -> Result<()> {
    let environment = shell.push_env("RUSTDOCFLAGS", "-D warnings");
    match leg.name {
        "fmt" => needs::rust_component(shell, "rustfmt", "fmt")?,
        "clippy" => needs::rust_component(shell, "clippy", "clippy")?,
        _ => {}
    }
    let target = match leg.place {
        Place::Host => None,
        Place::BuildOnly(target) => {
            needs::rust_target(shell, target)?;
            Some(target)
        }
        // The host tests already ran on such a machine, with everything its CPU has; there is no
        // older core to fall back to without an emulator.
        Place::Emulated { arch, .. } if arch == consts::ARCH => {
            eprintln!("this machine is {arch}: the leg `tests` has run these natively");
            return Ok(());
        }
        Place::Emulated { target, emulator, .. } => {
            needs::rust_target(shell, target)?;
            needs::emulator(shell, emulator)?;
            Some(target)
        }
    };
    let _linker_and_runner = match leg.place {
        Place::Emulated { target, emulator, cpu, .. } => {
            let prefix = format!("CARGO_TARGET_{}", target.to_uppercase().replace('-', "_"));
            let emulator = needs::emulator(shell, emulator)?;
            vec![
                shell.push_env(format!("{prefix}_LINKER"), "rust-lld"),
                shell.push_env(format!("{prefix}_RUNNER"), format!("{emulator} -cpu {cpu}")),
            ]
        }
        Place::Host | Place::BuildOnly(_) => Vec::new(),
    };
    for command in leg.commands {
        let (cargo_arguments, tool_arguments) =
            match command.iter().position(|&argument| argument == "--") {
                Some(split) => command.split_at(split),
                None => (*command, &[][..]),
            };
        let target = target.map(|target| ["--target", target]);
        let target = target.as_ref().map_or(&[][..], |pair| &pair[..]);
        eprintln!("cargo {} {}", command.join(" "), target.join(" "));
        cmd!(shell, "cargo {cargo_arguments...} {target...} {tool_arguments...}").quiet().run()?;
    }
    drop(environment);
    Ok(())
}

fn summarise(outcomes: &[(&Leg, Outcome)]) -> Result<()> {
    println!("\n{:14}{:>10}  proves", "leg", "result");
    let mut failed = 0;
    for (leg, outcome) in outcomes {
        let result = match outcome {
            Outcome::Passed(time) => format!("{} s", time.as_secs()),
            Outcome::Failed(_) => "FAILED".to_owned(),
            Outcome::Skipped => "not run".to_owned(),
        };
        println!("{:14}{result:>10}  {}", leg.name, leg.proves);
        if let Outcome::Failed(error) = outcome {
            failed += 1;
            println!("{:26}{error:#}", "");
        }
    }
    if failed > 0 {
        bail!("{failed} of {} legs failed", outcomes.len());
    }
    Ok(())
}

fn workspace_root() -> Result<std::path::PathBuf> {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(std::path::Path::to_path_buf)
        .context("xtask lies in the workspace")
}
