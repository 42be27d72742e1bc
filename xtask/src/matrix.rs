//! `cargo xtask test` and `cargo xtask matrix`: run legs and end in one table.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use trit_ci::{LEGS, Leg, Place, Work};
use xshell::Shell;

use crate::leg::{self, Coverage};
use crate::needs::Missing;

/// What to run; everything unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these legs
    #[arg(long, value_name = "LEG", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these legs out; the summary says that they did not run
    #[arg(long, value_name = "LEG", value_delimiter = ',')]
    skip: Vec<String>,
    /// Fail if a leg cannot run here for want of a tool
    #[arg(long)]
    strict: bool,
    /// List the legs and stop
    #[arg(long)]
    list: bool,
}

/// As [`Arguments`], for the whole matrix.
#[derive(clap::Args)]
pub(crate) struct FullArguments {
    /// Only the legs, and the number of cases, of `cargo xtask test`
    #[arg(long)]
    quick: bool,
    /// Cases of each property, instead of 960
    #[arg(long, value_name = "N")]
    cases: Option<u32>,
    #[command(flatten)]
    chosen: Arguments,
}

/// Cases of each property in a quick run, and in the whole matrix.
const CASES: [u32; 2] = [96, 960];

enum Outcome {
    Passed(Duration, Option<Coverage>),
    Failed(anyhow::Error),
    NotRun(String),
}

pub(crate) fn quick(arguments: &Arguments) -> Result<()> {
    run(arguments, true, CASES[0])
}

pub(crate) fn full(arguments: &FullArguments) -> Result<()> {
    let cases = arguments.cases.unwrap_or(CASES[usize::from(!arguments.quick)]);
    run(&arguments.chosen, arguments.quick, cases)
}

fn run(arguments: &Arguments, quick: bool, cases: u32) -> Result<()> {
    let named = |names: &[String], leg: &Leg| names.iter().any(|name| name == leg.name);
    if let Some(unknown) =
        arguments.only.iter().chain(&arguments.skip).find(|name| trit_ci::leg(name).is_none())
    {
        bail!("there is no leg `{unknown}`; `--list` names them");
    }
    // A leg asked for by name runs, however long it takes.
    let chosen = |leg: &&Leg| match arguments.only.is_empty() {
        true => !(quick && leg.full_only),
        false => named(&arguments.only, leg),
    };
    let legs = LEGS.iter().filter(chosen);
    if arguments.list {
        for leg in legs {
            println!("{:14}{}", leg.name, leg.proves);
        }
        return Ok(());
    }

    let shell = Shell::new()?;
    shell.change_dir(crate::workspace_root()?);
    let mut outcomes = Vec::new();
    for leg in legs {
        if named(&arguments.skip, leg) {
            outcomes.push((leg, Outcome::NotRun("left out with --skip".to_owned())));
            continue;
        }
        eprintln!("\n=== {}: {}", leg.name, leg.proves);
        let start = Instant::now();
        let outcome = match leg::run(&shell, leg, cases) {
            Ok(coverage) => Outcome::Passed(start.elapsed(), coverage),
            Err(error) => match error.downcast::<Missing>() {
                Ok(Missing(what)) if !arguments.strict => Outcome::NotRun(what),
                Ok(missing) => Outcome::Failed(missing.into()),
                Err(error) => Outcome::Failed(error),
            },
        };
        outcomes.push((leg, outcome));
    }
    summarise(&outcomes, cases)
}

fn summarise(outcomes: &[(&Leg, Outcome)], cases: u32) -> Result<()> {
    println!("\n{:14}{:8}{:>8}  {:>13}  proves", "leg", "result", "seconds", "kernels×cases");
    let [mut passed, mut tested, mut failed, mut not_run] = [0; 4];
    let mut kernel_cases = 0;
    for (leg, outcome) in outcomes {
        let [mut seconds, mut exercised, mut more] = [const { String::new() }; 3];
        let result = match outcome {
            Outcome::Passed(time, coverage) => {
                passed += 1;
                tested += usize::from(!matches!(leg.work, Work::Commands(_)));
                seconds = time.as_secs().to_string();
                if let Some(Coverage { variants, levels }) = coverage {
                    let cases = if leg.place == Place::Miri { leg::MIRI_CASES } else { cases };
                    kernel_cases += variants * cases as usize;
                    exercised = format!("{variants}×{cases}");
                    more = levels.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
                }
                "passed"
            }
            Outcome::Failed(error) => {
                failed += 1;
                more = format!("{error:#}");
                "FAILED"
            }
            Outcome::NotRun(why) => {
                not_run += 1;
                more = why.clone();
                "not run"
            }
        };
        println!("{:14}{result:8}{seconds:>8}  {exercised:>13}  {}", leg.name, leg.proves);
        if !more.is_empty() {
            println!("{:47}{more}", "");
        }
    }
    println!(
        "{passed} of {} legs passed, {tested} of them with tests; {kernel_cases} cases of kernel \
         variants; {failed} failed, {not_run} not run",
        outcomes.len()
    );
    if failed > 0 {
        bail!("{failed} of {} legs failed", outcomes.len());
    }
    ensure!(passed > 0, "no leg ran");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ran_is_success() {
        let leg = trit_ci::leg("tests").unwrap();
        let passed = || (leg, Outcome::Passed(Duration::ZERO, None));
        let not_run = || (leg, Outcome::NotRun("no tool".to_owned()));
        let failed = || (leg, Outcome::Failed(anyhow::anyhow!("wrong")));
        assert!(summarise(&[passed(), not_run()], 1).is_ok());
        assert!(summarise(&[passed(), failed()], 1).is_err());
        assert!(summarise(&[not_run()], 1).is_err());
        assert!(summarise(&[], 1).is_err());
    }
}
