//! Model files, mapped into memory and read where they lie.
//!
//! ```
//! use trit_whisper::{Model, mmap::MappedFile};
//!
//! # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
//!
//! let file = MappedFile::open(&folder.join("models/words.trit"))?;
//! let model = Model::parse(&file)?;
//! assert_eq!(model.config().n_mels, 80);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
    /// Bytes of a page on most systems. Where they are larger, some pages that are
    /// [set aside](Self::set_aside) come back.
    ///
    /// ```
    /// // Of a range, what counts when it is set aside.
    /// let whole = |range: std::ops::Range<usize>| {
    ///     let page = trit_whisper::mmap::MappedFile::PAGE;
    ///     range.start.next_multiple_of(page)..range.end / page * page
    /// };
    /// assert_eq!(whole(1..9000), 4096..8192);
    /// ```
    pub const PAGE: usize = 4096;

    /// Maps the file at `path`.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trit_whisper::mmap::MappedFile;
    ///
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// let error = |name: &str| MappedFile::open(&folder.join(name)).unwrap_err().kind();
    /// assert_eq!(error("models/nothing.trit"), ErrorKind::NotFound);
    /// assert_eq!(error("models"), ErrorKind::IsADirectory);
    /// ```
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
    ///
    /// ```
    /// use trit_whisper::{Model, mmap::MappedFile};
    ///
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// let file = MappedFile::open(&folder.join("models/words.trit"))?;
    /// let model = Model::parse(&file)?;
    /// // The encoder's weights, while the decoder is at work.
    /// for span in model.encoding_spans() {
    ///     file.release(span);
    /// }
    /// model.container().verify()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self, range: Range<usize>) {
        self.drop_pages(&range);
        #[cfg(unix)]
        self.advise(&range, memmap2::Advice::Normal);
    }

    /// As [`release`](Self::release), and reading beside `range` brings none of it back, which systems
    /// otherwise do, some 64 KiB around what is read. Pages that hold something else as well are left.
    /// Reading in `range` itself is slower, a page at a time, until it is released.
    ///
    /// ```
    /// use trit_whisper::{Model, mmap::MappedFile};
    ///
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// let file = MappedFile::open(&folder.join("models/words.trit"))?;
    /// let model = Model::parse(&file)?;
    /// // Once a window is encoded, for as long as its tokens are decoded.
    /// model.encoding_spans().for_each(|span| file.set_aside(span));
    /// // What is set aside is still there.
    /// model.container().verify()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_aside(&self, range: Range<usize>) {
        let start = range.start.min(self.map.len()).next_multiple_of(Self::PAGE);
        let range = start..range.end / Self::PAGE * Self::PAGE;
        self.drop_pages(&range);
        #[cfg(unix)]
        self.advise(&range, memmap2::Advice::Random);
    }

    #[cfg_attr(not(unix), allow(unused_variables))]
    fn drop_pages(&self, range: &Range<usize>) {
        #[cfg(unix)]
        if let Some((start, len)) = self.part(range) {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the map is of a file and read-only, so dropped pages are read from the file
            // again and hold what they held: no reference into the map sees a change.
            #[allow(unsafe_code, reason = "giving pages back has no safe form")]
            let dropped = unsafe { self.map.unchecked_advise_range(advice, start, len) };
            // It is advice: without it all works as well, in more memory.
            drop(dropped);
        }
    }

    #[cfg(unix)]
    fn advise(&self, range: &Range<usize>, advice: memmap2::Advice) {
        if let Some((start, len)) = self.part(range) {
            // As above.
            drop(self.map.advise_range(advice, start, len));
        }
    }

    /// Start and length of what lies in the file, if anything does.
    #[cfg(unix)]
    fn part(&self, range: &Range<usize>) -> Option<(usize, usize)> {
        let end = range.end.min(self.map.len());
        (range.start < end).then(|| (range.start, end - range.start))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
