//! Tables in pages of docs that a task writes, between the marks `<!-- TASK: begin -->` and `end`.

use std::fs;

use anyhow::{Context, Result};

/// The page at `path` with `table` as what `task` writes, and whether it has that already.
fn replaced(path: &str, task: &str, table: &str) -> Result<(String, bool)> {
    let file = crate::workspace_root()?.join(path);
    let page = fs::read_to_string(file).with_context(|| format!("reading {path}"))?;
    let (begin, end) = (format!("<!-- {task}: begin -->\n"), format!("<!-- {task}: end -->\n"));
    let marks = page.split_once(&begin).and_then(|(before, rest)| {
        let (old, after) = rest.split_once(&end)?;
        Some((before, old, after))
    });
    let (before, old, after) = marks.with_context(|| format!("{path} has no marks of `{task}`"))?;
    Ok((format!("{before}{begin}{table}{end}{after}"), old == table))
}

/// Whether `table` is what stands between the marks of `task` in the page at `path`.
pub(crate) fn is_current(path: &str, task: &str, table: &str) -> Result<bool> {
    Ok(replaced(path, task, table)?.1)
}

/// Writes `table` between the marks of `task` in the page at `path`; whether that changed it.
pub(crate) fn replace(path: &str, task: &str, table: &str) -> Result<bool> {
    let (page, current) = replaced(path, task, table)?;
    if !current {
        fs::write(crate::workspace_root()?.join(path), page)?;
    }
    Ok(!current)
}
