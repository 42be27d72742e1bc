//! Checkpoints from fuzz input, opened and converted.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use trit_core::GroupSize;
use trit_core::quantize::{Granularity, TernaryRule};
use trit_whisper::convert::{ConvertOptions, Part, Storage, Ternarize, convert};
use trit_whisper::mmap::MappedFile;
use trit_whisper::{Model, import};

use crate::Operands;

/// A folder in memory where the system has one, removed when dropped.
///
/// # Panics
/// If it cannot be made.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    TempDir::with_prefix_in("trit-fuzz-", parent).expect("a temporary folder")
}

/// Draws what tensors are stored as.
pub fn options(input: &mut Operands<'_>) -> ConvertOptions {
    let dense = [
        Storage::F32,
        Storage::F16,
        Storage::Int8,
        Storage::Int4(GroupSize::G32),
        Storage::Int4(GroupSize::G256),
    ];
    let granularity = input.pick(&[
        Granularity::Tensor,
        Granularity::Row,
        Granularity::Group(GroupSize::G32),
        Granularity::Group(GroupSize::G128),
    ]);
    let how = input.pick(&[
        None,
        Some(Ternarize::Exact),
        Some(Ternarize::Rule(TernaryRule::Absmean)),
        Some(Ternarize::Rule(TernaryRule::Twn)),
    ]);
    let linear = |input: &mut Operands<'_>| match how {
        Some(how) => Storage::Ternary(how, granularity),
        None => input.pick(&dense),
    };
    ConvertOptions {
        linear: linear(input),
        parts: Part::ALL.map(|_| input.pick(&[true, false]).then(|| input.pick(&dense))),
        head: input.pick(&dense),
        conv: input.pick(&dense),
        positions: input.pick(&dense),
    }
}

/// Opens the checkpoint at `source` and converts it into `folder`; returns whether it could be.
///
/// # Panics
/// If what was written is not a sound model: an importer refuses what it cannot convert.
pub fn convert_into(folder: &Path, source: &Path, options: &ConvertOptions) -> bool {
    let Ok(checkpoint) = import::open(source) else { return false };
    let dest: PathBuf = folder.join("model.trit");
    if convert(checkpoint.as_ref(), &dest, options, &mut |_, _| {}).is_err() {
        assert!(!dest.exists(), "a failed conversion leaves nothing behind");
        return false;
    }
    let file = MappedFile::open(&dest).expect("the file was written");
    let model = Model::parse(&file).expect("what was converted is a model");
    model.container().verify().expect("what was converted is sound");
    assert_eq!(model.config(), &checkpoint.header().config);
    true
}
