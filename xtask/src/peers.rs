//! `cargo xtask peers`: the same ternary products by trit and by published crates, in one table.
//!
//! The program is `benches/peers`, a workspace of its own, so that its dependencies concern nobody
//! else. It needs Rust and a C compiler. Peers run as their crates are by default: each detects the CPU itself.
//!
//! `cargo xtask peers --whisper SIZE` compares whole models with whisper.cpp instead, which takes CMake
//! and a C++ compiler.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::machine::Machine;
use crate::{record, workspace_root};

/// What to compare; everything unless said.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only works whose name has this in it, as "768x768 M=1"; nothing is recorded then
    filter: Option<String>,
    /// Instead of products, whole models of this size beside whisper.cpp: tiny, base or small
    #[arg(long, value_name = "SIZE", conflicts_with = "filter")]
    whisper: Option<String>,
    /// Name of the record instead of the CPU's: for several machines with one CPU
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Options for the program, after `--`: `--rounds 50`; nothing is recorded then either
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
    /// Record what options gave as well
    #[arg(long, conflicts_with = "filter")]
    record: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { filter, whisper, name, options, record } = arguments;
    let record = *record || (filter.is_none() && options.is_empty());
    let shell = Shell::new()?;
    shell.change_dir(workspace_root()?);
    // One thread for everybody; whisper.cpp's bindings as whisper-rs has them, without libclang, and its
    // code for the CPU at hand.
    let _environment = [
        ("RAYON_NUM_THREADS", "1"),
        ("CANDLE_NUM_THREADS", "1"),
        ("WHISPER_DONT_GENERATE_BINDINGS", "1"),
        ("GGML_NATIVE", "ON"),
    ]
    .map(|(name, value)| shell.push_env(name, value));
    let machine = Machine::here()?;
    let name = name.clone().unwrap_or_else(|| machine.slug());
    let (what, how) = match whisper {
        None => ("peers".to_owned(), "cargo xtask peers".to_owned()),
        Some(size) => (format!("whisper-{size}"), format!("cargo xtask peers --whisper {size}")),
    };
    let page = record::path(&format!("{name}-{what}.md"))?;
    if record {
        record::ensure_of(&machine, &page)?;
    }
    let manifest = "benches/peers/Cargo.toml";
    let features = whisper.as_ref().map(|_| ["--features", "whisper"]);
    let features = features.as_ref().map_or(&[][..], |words| &words[..]);
    let size = whisper.as_ref().map(|size| ["--whisper", size]);
    let size = size.as_ref().map_or(&[][..], |words| &words[..]);
    let table = cmd!(
        shell,
        "cargo run --locked --release --manifest-path {manifest} {features...} -- {filter...} {size...} {options...}"
    )
    // whisper.cpp takes it for a reason not to compile for the CPU at hand.
    .env_remove("SOURCE_DATE_EPOCH")
    .read()?;
    println!("{table}");
    if record {
        let options: String = options.iter().map(|option| format!(" {option}")).collect();
        let options = if options.is_empty() { options } else { format!(" --{options}") };
        let how = format!("Written by `{how}{options}`; one thread, in turns.");
        record::write(&page, &format!("{}\n{table}\n", record::head(&machine, &how)))?;
        println!("recorded in {}", page.display());
    }
    Ok(())
}
