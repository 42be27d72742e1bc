//! `cargo xtask peers`: the same ternary products by trit and by published crates, in one table.
//!
//! The program is `benches/peers`, a workspace of its own, so that its dependencies concern nobody
//! else. It needs Rust alone. Peers run as their crates are by default: each detects the CPU itself.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::machine::Machine;
use crate::{record, workspace_root};

/// What to compare; everything unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only works whose name has this in it, as "768x768 M=1"; nothing is recorded then
    filter: Option<String>,
    /// Name of the record instead of the CPU's: for several machines with one CPU
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Options for the program, after `--`: `--rounds 50`
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

pub(crate) fn run(Arguments { filter, name, options }: &Arguments) -> Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root()?);
    // One thread for everybody.
    let _rayon = shell.push_env("RAYON_NUM_THREADS", "1");
    let _candle = shell.push_env("CANDLE_NUM_THREADS", "1");
    let manifest = "benches/peers/Cargo.toml";
    let table =
        cmd!(shell, "cargo run --release --manifest-path {manifest} -- {filter...} {options...}")
            .read()?;
    println!("{table}");
    if filter.is_none() {
        let machine = Machine::here()?;
        let name = name.clone().unwrap_or_else(|| machine.slug());
        let page = record::path(&format!("{name}-peers.md"))?;
        let how = "Written by `cargo xtask peers`; one thread, in turns.";
        record::write(&page, &format!("{}\n{table}\n", record::head(&machine, how)))?;
        println!("recorded in {}", page.display());
    }
    Ok(())
}
