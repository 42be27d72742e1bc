//! Developer tasks, one command each: `cargo xtask <task>`.

mod needs;
mod test;

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
    /// Run every check: format, lints, docs, tests here, builds without std, tests on aarch64
    Test(test::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
    }
}
