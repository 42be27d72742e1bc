//! Any files as a Hugging Face directory, opened and converted.
//!
//! The input holds the folder's files one after another. Each begins with `\xFFFILE` and a letter
//! that names it; what comes before the first chooses the options of the conversion. A safetensors
//! file is its header, a line feed and its data, and gets its length from the target, or, under the
//! letter `r`, is taken as it is.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use trit_fuzz::{Operands, import};

/// What stands before each file.
const MARK: &[u8] = b"\xFFFILE";

fuzz_target!(|data: &[u8]| {
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
    import::convert_into(work.path(), &source, &options);
});

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
