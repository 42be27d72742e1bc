//! `cargo xtask bench`: runs criterion and records what it measured, with the machine it ran on.
//!
//! A record is `benches/record/CPU.json`, for programs, and the same as `CPU.md`, for people. Rows
//! that a run does not measure are kept, so that a part can be measured again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use xshell::{Shell, cmd};

use crate::machine::Machine;
use crate::record;

/// What to measure; everything unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only benchmarks whose group and name match this regular expression
    filter: Option<String>,
    /// Options for criterion, after `--`: `--measurement-time 1`
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
    /// Name of the record instead of the CPU's: for several machines with one CPU
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// The record of one machine.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    machine: Machine,
    /// Benchmarks by group, then by name.
    groups: BTreeMap<String, BTreeMap<String, Row>>,
}

/// One benchmark's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    /// Median time of an iteration, in nanoseconds.
    median_ns: f64,
    /// The median's 95 % confidence interval, in nanoseconds.
    interval_ns: [f64; 2],
    /// Elements of an iteration (multiply-accumulates of a product), where the benchmark says them.
    elements: Option<u64>,
    /// The commit that was measured; "+" if the working tree differed from it; "unknown" without git.
    commit: String,
    /// The compiler.
    rustc: String,
}

/// Criterion's `benchmark.json`, what is needed of it.
#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
struct Throughput {
    #[serde(rename = "Elements")]
    elements: Option<u64>,
}

/// Criterion's `estimates.json`, what is needed of it.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(crate::workspace_root()?);
    let machine = Machine::here()?;
    let name = arguments.name.clone().unwrap_or_else(|| machine.slug());
    let (json, page) =
        (record::path(&format!("{name}.json"))?, record::path(&format!("{name}.md"))?);
    // Before anything is measured that could not be kept, or is changed meanwhile.
    record::ensure_of(&machine, &page)?;
    let mut groups = earlier(&json)?;
    let (commit, rustc) = (commit(&shell), rustc(&shell)?);
    let results = tempfile::tempdir()?;
    {
        let _home = shell.push_env("CRITERION_HOME", results.path());
        let Arguments { filter, options, .. } = arguments;
        cmd!(shell, "cargo bench -p trit-benches --bench kernels -- {filter...} {options...}")
            .run()?;
    }
    let measured = collect(results.path(), &commit, &rustc, &mut groups)?;
    ensure!(measured > 0, "no benchmark matches");
    let record = Record { machine, groups };
    record::write(&json, &(serde_json::to_string_pretty(&record)? + "\n"))?;
    record::write(&page, &markdown(&record))?;
    println!("recorded {measured} benchmarks in {} and beside it", json.display());
    Ok(())
}

/// The rows recorded before.
fn earlier(json: &Path) -> Result<BTreeMap<String, BTreeMap<String, Row>>> {
    if !json.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(json)?;
    let record: Record =
        serde_json::from_str(&text).with_context(|| format!("{} is no record", json.display()))?;
    Ok(record.groups)
}

/// Adds what criterion wrote under `folder` to `groups`; returns how many benchmarks.
fn collect(
    folder: &Path,
    commit: &str,
    rustc: &str,
    groups: &mut BTreeMap<String, BTreeMap<String, Row>>,
) -> Result<usize> {
    let mut measured = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        // `base` holds the same once more.
        if folder.ends_with("new") && folder.join("benchmark.json").exists() {
            let what: Benchmark = read(&folder.join("benchmark.json"))?;
            let Estimates { median } = read(&folder.join("estimates.json"))?;
            let name: Vec<_> = [what.function_id, what.value_str].into_iter().flatten().collect();
            let row = Row {
                median_ns: median.point_estimate,
                interval_ns: [
                    median.confidence_interval.lower_bound,
                    median.confidence_interval.upper_bound,
                ],
                elements: what.throughput.and_then(|throughput| throughput.elements),
                commit: commit.to_owned(),
                rustc: rustc.to_owned(),
            };
            groups.entry(what.group_id).or_default().insert(name.join("/"), row);
            measured += 1;
        }
    }
    Ok(measured)
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not criterion's", path.display()))
}

/// The commit of the working tree, which may have been unpacked from an archive.
fn commit(shell: &Shell) -> String {
    let read = |command: xshell::Cmd<'_>| command.quiet().ignore_stderr().read();
    let head = read(cmd!(shell, "git rev-parse --short HEAD"));
    let changed = read(cmd!(shell, "git status --porcelain --untracked-files=no"));
    match (head, changed) {
        (Ok(head), Ok(changed)) if changed.is_empty() => head,
        (Ok(head), Ok(_)) => head + "+",
        _ => "unknown".to_owned(),
    }
}

fn rustc(shell: &Shell) -> Result<String> {
    let version = cmd!(shell, "rustc --version").quiet().read()?;
    Ok(version.split_whitespace().nth(1).unwrap_or(&version).to_owned())
}

/// The record as a page: the machine, then a table for each group, fastest first.
fn markdown(record: &Record) -> String {
    let Record { machine, groups } = record;
    let how = "Written by `cargo xtask bench`; one thread. Medians of criterion's samples.";
    let mut page = record::head(machine, how);
    for (group, rows) in groups {
        page += &format!(
            "\n## {group}\n\n\
             | benchmark | median µs | 95 % interval | G elements/s | commit | rustc |\n\
             |---|---:|---|---:|---|---|\n"
        );
        let mut rows: Vec<_> = rows.iter().collect();
        rows.sort_by(|(_, a), (_, b)| a.median_ns.total_cmp(&b.median_ns));
        for (name, row) in rows {
            let [low, high] = row.interval_ns.map(|ns| ns / 1e3);
            let rate = row.elements.map_or("–".to_owned(), |elements| {
                format!("{:.1}", elements as f64 / row.median_ns)
            });
            page += &format!(
                "| `{name}` | {:.2} | {low:.2} … {high:.2} | {rate} | {} | {} |\n",
                row.median_ns / 1e3,
                row.commit,
                row.rustc
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_files_become_rows_and_a_page() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["new", "base"] {
            let at = folder.path().join("ternary 768x768 M=1/T4/avx2").join(part);
            fs::create_dir_all(&at).unwrap();
            fs::write(
                at.join("benchmark.json"),
                r#"{"group_id":"ternary 768x768 M=1","function_id":"T4","value_str":"avx2",
                    "throughput":{"Elements":589824},"full_id":"","directory_name":"","title":""}"#,
            )
            .unwrap();
            let one = r#"{"confidence_interval":{"confidence_level":0.95,"lower_bound":9000.0,
                "upper_bound":11000.0},"point_estimate":10000.0,"standard_error":1.0}"#;
            fs::write(at.join("estimates.json"), format!(r#"{{"mean":{one},"median":{one}}}"#))
                .unwrap();
        }
        let mut groups = BTreeMap::new();
        assert_eq!(collect(folder.path(), "abc", "1.95.0", &mut groups).unwrap(), 1);
        let record = Record { machine: Machine::here().unwrap(), groups };
        let page = markdown(&record);
        assert!(page.contains("## ternary 768x768 M=1"), "{page}");
        assert!(
            page.contains("| `T4/avx2` | 10.00 | 9.00 … 11.00 | 59.0 | abc | 1.95.0 |"),
            "{page}"
        );

        let shell = Shell::new().unwrap();
        shell.change_dir(folder.path());
        assert_eq!(commit(&shell), "unknown");

        let json = folder.path().join("record.json");
        record::write(&json, &serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(earlier(&json).unwrap(), record.groups);
    }
}
