//! Model files, mapped into memory and read where they lie.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file, paged in as they are read.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// The file cannot be opened or mapped; a folder, pipe or device cannot.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Asked by name, as opening a pipe waits for its other end.
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
        }
        let file = File::open(path)?;
        // SAFETY: the map is read-only and private to this process. Changing the file while it is
        // mapped is outside what any program can guard against; every value read from it is a
        // number for which all bit patterns are valid, and lengths are copied out and checked once,
        // so such a change can spoil results but not lead outside the map, short of the file being
        // cut, which ends the process.
        #[allow(unsafe_code, reason = "mapping a file has no safe form")]
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
