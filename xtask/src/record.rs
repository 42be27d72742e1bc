//! Records of measurements under `benches/record`: for each a page for people, some with JSON beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

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
         {}\n| memory | {} MiB |\n| system | {} |\n",
        title(machine),
        hardware(machine).join("\n"),
        machine.memory_mib,
        machine.system,
    )
}

fn title(machine: &Machine) -> String {
    format!("# {}", machine.title())
}

/// Rows of what has to be alike for figures to be of one machine.
fn hardware(machine: &Machine) -> [String; 3] {
    [
        format!("| levels | {} |", machine.levels.join(", ")),
        format!("| cores | {} |", machine.cores),
        format!("| caches | {} |", machine.caches.join(", ")),
    ]
}

/// A record in JSON, what is needed of it here.
#[derive(Deserialize)]
struct Record {
    machine: Machine,
}

/// Sees that `page` and the JSON beside it, as far as they are there, are of a machine with the same CPU,
/// levels, cores and caches. Older records lack the CPU's model.
///
/// # Errors
/// One of them is of another machine, or cannot be read.
pub(crate) fn ensure_of(machine: &Machine, page: &Path) -> Result<()> {
    let other =
        |path: &Path| format!("{} is of another machine; give this one a --name", path.display());
    if let Some(text) = read(page)? {
        let has = |line: &String| text.lines().any(|other| other == line);
        let unnamed = Machine { model: String::new(), ..machine.clone() };
        let titled = has(&title(machine)) || has(&title(&unnamed));
        ensure!(titled && hardware(machine).iter().all(has), other(page));
    }
    let json = page.with_extension("json");
    if let Some(text) = read(&json)? {
        let record: Record = serde_json::from_str(&text)
            .with_context(|| format!("{} is no record", json.display()))?;
        ensure!(machine.is_like(&record.machine), other(&json));
    }
    Ok(())
}

/// The file's text; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Some(text))
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
        let scalar = Machine { levels: vec!["other".to_owned()], ..machine.clone() };
        assert!(ensure_of(&scalar, &page).is_err());
        let larger = Machine { cores: machine.cores + 1, ..machine.clone() };
        assert!(ensure_of(&larger, &page).is_err());

        // As records were before they named the model.
        let unnamed = Machine { model: String::new(), ..machine.clone() };
        write(&page, &head(&unnamed, "Written by a test.")).unwrap();
        ensure_of(&machine, &page).unwrap();
    }

    #[test]
    fn json_of_another_machine_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (page, json) = (folder.path().join("page.md"), folder.path().join("page.json"));
        let machine = Machine::here().unwrap();
        let record = |machine: &Machine| {
            write(&json, &serde_json::json!({ "machine": machine, "groups": {} }).to_string())
        };
        record(&machine).unwrap();
        ensure_of(&machine, &page).unwrap();
        record(&Machine { cpu: "another".to_owned(), ..machine.clone() }).unwrap();
        assert!(ensure_of(&machine, &page).unwrap_err().to_string().contains("--name"));
        write(&json, "{}").unwrap();
        assert!(ensure_of(&machine, &page).is_err());
    }
}
