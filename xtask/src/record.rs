//! Records of measurements under `benches/record`: for each a page for people, some with JSON beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::workspace_root;

/// The file of `benches/record` called `name`; the folder is there afterwards.
///
/// # Errors
/// The folder cannot be made.
pub(crate) fn path(name: &str) -> Result<PathBuf> {
    let folder = workspace_root()?.join("benches/record");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}

/// The head of a page: the machine, and how the page came about.
pub(crate) fn head(machine: &Machine, how: &str) -> String {
    format!(
        "# {}\n\n\
         {how}\n\n\
         | | |\n|---|---|\n\
         | levels | {} |\n| cores | {} |\n| caches | {} |\n| memory | {} MiB |\n| system | {} |\n",
        machine.cpu,
        machine.levels.join(", "),
        machine.cores,
        machine.caches.join(", "),
        machine.memory_mib,
        machine.system,
    )
}

/// Writes a whole file or none of it.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("the file lies in a folder")?;
    let part = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(part.path(), text)?;
    part.persist(path)?;
    Ok(())
}
