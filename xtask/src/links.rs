//! Links of the Markdown pages to one another: files and headings that they name are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace_root;

/// The pages of the repository, but for hidden folders and what is compiled.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !name.starts_with('.') && !name.starts_with("target") {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// Lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// What comes after `#` in links to a page's headings, as GitHub makes it; not that of a heading that is
/// there twice.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The targets of a page's links, and of its images.
fn targets(text: &str) -> Vec<String> {
    let prose: Vec<_> = prose(text).collect();
    let prose = prose.join("\n");
    let ends = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.trim().to_owned()).collect()
}

/// What is wrong with the link `target` on `page`.
fn fault(page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { page.parent()?.join(file) };
    if !path.exists() {
        return Some(format!("{}: there is no {file}", page.display()));
    }
    let is_page = path.extension().is_some_and(|extension| extension == "md");
    let found =
        anchor.is_empty() || !is_page || anchors(&fs::read_to_string(&path).ok()?).contains(anchor);
    (!found).then(|| format!("{}: no heading of {} is #{anchor}", page.display(), path.display()))
}

#[test]
fn links_between_pages_are_alive() {
    let root = workspace_root().unwrap();
    let mut found = Vec::new();
    pages(&root, &mut found);
    let mut links = 0;
    let mut faults = Vec::new();
    for page in &found {
        for target in targets(&fs::read_to_string(page).unwrap()) {
            links += 1;
            faults.extend(fault(page, &target));
        }
    }
    assert!(links > 50, "{links} links in {} pages", found.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn dead_links_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let text =
        "# One: `two` & 3\n[a](other.md)\n```\n# no heading\n[no](link)\n```\n[b](#one-two--3)";
    fs::write(&page, text).unwrap();
    assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), ["one-two--3"]);
    assert_eq!(targets(text), ["other.md", "#one-two--3"]);
    let faults: Vec<_> = ["other.md", "#one-two--3", "page.md#one", "https://one", "page.md"]
        .map(|target| fault(&page, target))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
}
