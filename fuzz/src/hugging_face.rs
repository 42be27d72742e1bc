//! Hugging Face directories that fuzz input describes.

use std::fs;

use crate::{Operands, import};

/// What stands before each file.
pub const MARK: &[u8] = b"\xFFFILE";

/// Makes a folder of the input, opens and converts it; returns whether that could be done.
///
/// # Panics
/// As [`import::convert_into`].
pub fn run(data: &[u8]) -> bool {
    let mut parts = split(data, MARK);
    let options = import::options(&mut Operands::new(parts.next().unwrap_or_default()));
    let work = import::folder();
    let source = work.path().join("checkpoint");
    fs::create_dir(&source).expect("a folder of our own");
    for part in parts {
        let Some((&letter, contents)) = part.split_first() else { continue };
        let name = match letter {
            b'c' => "config.json",
            b'g' => "generation_config.json",
            b't' => "tokenizer.json",
            b'v' => "vocab.json",
            b'a' => "added_tokens.json",
            b'i' => "model.safetensors.index.json",
            b's' | b'r' => "model.safetensors",
            _ => "second.safetensors",
        };
        let file = match letter {
            b's' | b'2' => &safetensors(contents),
            _ => contents,
        };
        fs::write(source.join(name), file).expect("a folder of our own");
    }
    import::convert_into(work.path(), &source, &options)
}

/// The parts of `data` between `mark`s.
fn split<'a>(data: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut left = Some(data);
    std::iter::from_fn(move || {
        let part = left?;
        let at = part.windows(mark.len()).position(|window| window == mark);
        left = at.map(|at| &part[at + mark.len()..]);
        Some(&part[..at.unwrap_or(part.len())])
    })
}

/// The file of a header, a line feed and data.
fn safetensors(contents: &[u8]) -> Vec<u8> {
    let end = contents.iter().position(|&byte| byte == b'\n').unwrap_or(contents.len());
    let (header, data) = contents.split_at(end);
    let data = data.get(1..).unwrap_or_default();
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}
