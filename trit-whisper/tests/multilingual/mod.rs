//! A model that knows several languages, goes on from the text before, and has short windows. Its
//! weights are random.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use trit_whisper::convert::{ConvertOptions, Storage, convert};
use trit_whisper::import;
use trit_whisper::mmap::MappedFile;

/// Its file, which is made once.
pub(crate) fn file() -> &'static [u8] {
    static FILE: OnceLock<(TempDir, MappedFile)> = OnceLock::new();
    let (_, file) = FILE.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("dense.trit");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense");
        let options = ConvertOptions {
            parts: Default::default(),
            linear: Storage::F32,
            head: Storage::F32,
            conv: Storage::F32,
            positions: Storage::F32,
        };
        let checkpoint = import::open(&source).unwrap();
        convert(checkpoint.as_ref(), &path, &options, &mut |_, _| {}).unwrap();
        let file = MappedFile::open(&path).unwrap();
        (folder, file)
    });
    file
}
