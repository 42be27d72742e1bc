//! Developer tasks, one command each: `cargo xtask <task>`.

mod bench;
mod kernels;
mod leg;
#[cfg(test)]
mod links;
mod machine;
mod matrix;
mod mca;
mod mutants;
mod names;
mod needs;
mod page;
mod peers;
mod record;
mod roofline;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Developer tasks of the trit workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the quick legs: format, lints, docs, tests here and on other CPUs, builds without std
    Test(matrix::Arguments),
    /// Run every leg with ten times the cases, Miri and the fuzz targets too
    Matrix(matrix::FullArguments),
    /// Check that the names of kernels follow their grammar
    Names,
    /// Write the table of kernels in docs/kernels.md
    Kernels(kernels::Arguments),
    /// Break one constant after another in a copy and see the tests find each
    Mutants(mutants::Arguments),
    /// Run the benchmarks and record them, with this machine's description, in benches/record
    Bench(bench::Arguments),
    /// Time the same products by trit and by published crates, in turns
    Peers(peers::Arguments),
    /// Measure what this core can do and how near the kernels come, and plot it
    Roofline(roofline::Arguments),
    /// Run the inner loop of every ARM microkernel on llvm-mca's models of CPUs
    Mca(mca::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Test(arguments) => matrix::quick(&arguments),
        Task::Matrix(arguments) => matrix::full(&arguments),
        Task::Names => names::run(),
        Task::Kernels(arguments) => kernels::run(&arguments),
        Task::Mutants(arguments) => mutants::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Peers(arguments) => peers::run(&arguments),
        Task::Roofline(arguments) => roofline::run(&arguments),
        Task::Mca(arguments) => mca::run(&arguments),
    }
}

fn workspace_root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).context("xtask lies in the workspace")
}
