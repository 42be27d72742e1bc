//! `cargo xtask mutants`: breaks one constant after another in a copy of the workspace, and sees
//! the test that is named for it fail.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use trit_ci::{MUTATIONS, Mutation};
use trit_simd::Cpu;
use xshell::{Shell, cmd};

use crate::leg::Cargo;
use crate::needs::Missing;

/// Which mutations to try; all unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only those whose description or file contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What became of a mutation.
enum Outcome {
    Caught,
    Missed,
    /// The test's CPU lacks the level, or a tool is missing, so nothing could be seen.
    NotRun(String),
    /// Its text is not there once, or the mutant does not compile.
    Unusable(anyhow::Error),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |mutation: &&Mutation| {
        arguments
            .only
            .as_deref()
            .is_none_or(|text| mutation.breaks.contains(text) || mutation.file.contains(text))
    };
    let mutations: Vec<_> = MUTATIONS.iter().filter(wanted).collect();
    let copy = tempfile::tempdir()?;
    let shell = Shell::new()?;
    shell.change_dir(crate::workspace_root()?);
    copy_workspace(&shell, copy.path())?;
    shell.change_dir(copy.path());
    let _target = shell.push_env("CARGO_TARGET_DIR", copy.path().join("target"));
    // Each mutant is compiled once and runs one test.
    let quick = [
        ("CARGO_INCREMENTAL", "1"),
        ("CARGO_PROFILE_CHECKED_DEBUG", "false"),
        ("CARGO_PROFILE_CHECKED_OPT_LEVEL", "1"),
    ];
    let _quick = quick.map(|(name, value)| shell.push_env(name, value));

    // A test that fails as it is would catch anything.
    let mut sound: Vec<(&str, [&str; 2])> = Vec::new();
    let mut missing: Vec<(&str, String)> = Vec::new();
    for mutation in mutations.iter().filter(|mutation| has_level(mutation)) {
        let key = (mutation.leg, mutation.test);
        if sound.contains(&key) || missing.iter().any(|(leg, _)| *leg == mutation.leg) {
            continue;
        }
        match passes(&shell, mutation).map_err(anyhow::Error::downcast::<Missing>) {
            Ok(passes) => ensure!(passes, "{} fails without any mutation", mutation.test[1]),
            Err(Ok(Missing(what))) => {
                missing.push((mutation.leg, what));
                continue;
            }
            Err(Err(error)) => return Err(error),
        }
        sound.push(key);
    }

    let mut rows = Vec::new();
    for mutation in mutations {
        let start = Instant::now();
        let missing = missing.iter().find(|(leg, _)| *leg == mutation.leg);
        let outcome = if let Some((_, what)) = missing {
            Outcome::NotRun(what.clone())
        } else if has_level(mutation) {
            attempt(&shell, mutation).unwrap_or_else(Outcome::Unusable)
        } else {
            Outcome::NotRun("this CPU lacks the level".to_owned())
        };
        let seconds = start.elapsed().as_secs();
        rows.push((mutation, outcome, seconds));
    }
    summarise(&rows)
}

/// Copies what git tracks or would track, as it lies in the working tree.
fn copy_workspace(shell: &Shell, to: &Path) -> Result<()> {
    let files =
        cmd!(shell, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        let from = shell.current_dir().join(file);
        // A tracked file may have been deleted.
        if from.is_file() {
            let to = to.join(file);
            if let Some(folder) = to.parent() {
                shell.create_dir(folder)?;
            }
            shell.copy_file(from, to)?;
        }
    }
    Ok(())
}

/// Whether the place of the mutation's leg has its level: an emulated CPU was chosen to, and this
/// one is asked.
fn has_level(mutation: &Mutation) -> bool {
    let here = trit_ci::leg(mutation.leg).is_some_and(|leg| leg.place == trit_ci::Place::Host);
    let cpu = Cpu::detect();
    !here
        || trit_simd::Level::ALL
            .iter()
            .any(|level| level.name() == mutation.level && cpu.has(*level))
}

fn attempt(shell: &Shell, mutation: &Mutation) -> Result<Outcome> {
    let path = shell.current_dir().join(mutation.file);
    let original = fs::read_to_string(&path)?;
    let found = original.matches(mutation.text).count();
    ensure!(found == 1, "`{}` stands {found} times in {}", mutation.text, mutation.file);
    fs::write(&path, original.replacen(mutation.text, mutation.instead, 1))?;
    let passes = passes(shell, mutation);
    fs::write(&path, original)?;
    Ok(if passes? { Outcome::Missed } else { Outcome::Caught })
}

/// Whether the mutation's test passes; an error if it does not compile.
fn passes(shell: &Shell, mutation: &Mutation) -> Result<bool> {
    let leg = trit_ci::leg(mutation.leg).context("the mutation's leg exists")?;
    let cargo = Cargo::new(shell, &leg.place)?;
    let [binary, test] = mutation.test;
    let build = [cargo.tests(), &["--test", binary]].concat();
    cargo.run(shell, &[&build[..], &["--no-run"]].concat()).context("the mutant must compile")?;
    let run = cargo.command(shell, &[&build[..], &["--", "--exact", test]].concat());
    eprintln!("{run}");
    let output = run.ignore_status().output()?;
    // An exact name that matches nothing would pass.
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.contains("running 1 test"), "there is no test `{test}` in {binary}");
    Ok(output.status.success())
}

fn summarise(rows: &[(&Mutation, Outcome, u64)]) -> Result<()> {
    println!("\n{:48}{:9}{:>8}  by", "broken", "result", "seconds");
    let [mut caught, mut missed, mut unusable] = [0; 3];
    for (mutation, outcome, seconds) in rows {
        let result = match outcome {
            Outcome::Caught => {
                caught += 1;
                "caught"
            }
            Outcome::Missed => {
                missed += 1;
                "MISSED"
            }
            Outcome::NotRun(_) => "not run",
            Outcome::Unusable(_) => {
                unusable += 1;
                "UNUSABLE"
            }
        };
        let Mutation { breaks, leg, level, test, .. } = mutation;
        println!("{breaks:48}{result:9}{seconds:>8}  {}, leg {leg}, level {level}", test[1]);
        match outcome {
            Outcome::Unusable(error) => println!("{:48}{error:#}", ""),
            Outcome::NotRun(why) => println!("{:48}{why}", ""),
            Outcome::Caught | Outcome::Missed => {}
        }
    }
    println!("{caught} of {} mutations caught, {missed} missed, {unusable} unusable", rows.len());
    if missed + unusable > 0 {
        bail!("{missed} mutations were missed and {unusable} are unusable");
    }
    ensure!(caught > 0, "no mutation was tried");
    Ok(())
}
