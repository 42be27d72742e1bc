//! A model that knows several languages, goes on from the text before, and has short windows. Its
//! weights are random.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use trit_whisper::convert::{ConvertOptions, convert};
use trit_whisper::import;
use trit_whisper::mmap::MappedFile;

/// Its file, which is made once.
pub(crate) fn file() -> &'static [u8] {
    static FILE: OnceLock<(TempDir, MappedFile)> = OnceLock::new();
    let (_, file) = FILE.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("dense.trit");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense");
        let checkpoint = import::open(&source).unwrap();
        convert(checkpoint.as_ref(), &path, &ConvertOptions::F32, &mut |_, _| {}).unwrap();
        let file = MappedFile::open(&path).unwrap();
        (folder, file)
    });
    file
}
