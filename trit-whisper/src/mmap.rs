//! Model files, mapped into memory and read where they lie.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file, paged in as they are read.
///
/// ```
/// use trit_whisper::mmap::MappedFile;
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// let file = MappedFile::open(&folder.join("models/words.trit"))?;
/// assert_eq!(file.len(), trit_whisper::embedded::model().len());
/// // The pages come back when they are read again.
/// file.release(0..file.len());
/// assert_eq!(file[0], trit_whisper::embedded::model()[0]);
/// # Ok::<(), std::io::Error>(())
/// ```
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

    /// Tells the system that the bytes `range` are not needed for now: their pages leave this
    /// process's resident memory and come back, from the system's cache or the file, when they are
    /// read again. Where the system has no such call, or refuses, nothing happens.
    pub fn release(&self, range: Range<usize>) {
        let range = range.start.min(self.map.len())..range.end.min(self.map.len());
        #[cfg(unix)]
        if !range.is_empty() {
            // SAFETY: the map is of a file and read-only, so dropped pages are read from the file
            // again and hold what they held: no reference into the map sees a change.
            #[allow(unsafe_code, reason = "giving pages back has no safe form")]
            let released = unsafe {
                self.map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
            // It is advice: without it all works as well, in more memory.
            drop(released);
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
