//! Records of measurements under `benches/record`: for each a page for people, some with JSON beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

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
        "{}\n\n\
         {how}\n\n\
         | | |\n|---|---|\n\
         {}\n| cores | {} |\n| caches | {} |\n| memory | {} MiB |\n| system | {} |\n",
        title(machine),
        levels(machine),
        machine.cores,
        machine.caches.join(", "),
        machine.memory_mib,
        machine.system,
    )
}

fn title(machine: &Machine) -> String {
    format!("# {}", machine.title())
}

fn levels(machine: &Machine) -> String {
    format!("| levels | {} |", machine.levels.join(", "))
}

/// Sees that `page`, if there is one, is of a machine with the same CPU and levels.
///
/// # Errors
/// It is of another machine, or cannot be read.
pub(crate) fn ensure_of(machine: &Machine, page: &Path) -> Result<()> {
    if page.exists() {
        let text =
            fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
        let has = |line: String| text.lines().any(|other| other == line);
        let same = has(title(machine)) && has(levels(machine));
        ensure!(same, "{} is of another machine; give this one a --name", page.display());
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_machine_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.md");
        let machine = Machine::here().unwrap();
        ensure_of(&machine, &page).unwrap();
        write(&page, &head(&machine, "Written by a test.")).unwrap();
        ensure_of(&machine, &page).unwrap();
        let renamed = Machine { cpu: "another".to_owned(), ..machine.clone() };
        assert!(ensure_of(&renamed, &page).unwrap_err().to_string().contains("--name"));
        let scalar = Machine { levels: vec!["other".to_owned()], ..machine };
        assert!(ensure_of(&scalar, &page).is_err());
    }
}
