//! Files that appear whole or not at all.
//!
//! ```
//! use std::io::Write;
//! use trit_whisper::new_file::NewFile;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("transcript.txt");
//! std::fs::write(&path, "of last week")?;
//! let mut new = NewFile::create(&path)?;
//! write!(new, "of to")?;
//! // Given up.
//! drop(new);
//! assert_eq!(std::fs::read(&path)?, b"of last week");
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::{Builder, NamedTempFile};

/// Temporary names of this process's files that are not finished.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes this process's files that are not finished, for a program that is about to end without dropping
/// them, as at an interrupt. They cannot be finished after this.
///
/// ```standalone_crate
/// use trit_whisper::new_file::{NewFile, remove_unfinished};
///
/// # let folder = tempfile::tempdir()?;
/// let new = NewFile::create(&folder.path().join("transcript.txt"))?;
/// remove_unfinished();
/// assert_eq!(std::fs::read_dir(&folder)?.count(), 0);
/// assert!(new.finish().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn remove_unfinished() {
    for path in UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // The program ends; a file that cannot be removed is all that there is left to say.
        let _ = std::fs::remove_file(path);
    }
}

/// A temporary name among [`UNFINISHED`].
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(path: &Path) -> Self {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.retain(|path| *path != self.0);
    }
}

/// A file being written under a temporary name, next to where it will be.
///
/// Dropped before [`finish`](Self::finish), it is removed, and a file that was there stays.
///
/// ```
/// use std::io::Write;
/// use trit_whisper::new_file::NewFile;
///
/// # let folder = std::env::temp_dir().join(format!("trit-new-file-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("notes.txt");
/// let new = NewFile::create(&path)?;
/// new.file().write_all(b"whole")?;
/// assert!(!path.exists() && new.temporary_path().exists());
/// new.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"whole");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    file: NamedTempFile,
    path: PathBuf,
    /// After the file, so that its name is listed as long as it is there.
    unfinished: Unfinished,
}

impl NewFile {
    /// Begins the file that will be at `path`.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trit_whisper::new_file::NewFile;
    ///
    /// let here = NewFile::create(".".as_ref());
    /// assert_eq!(here.unwrap_err().kind(), ErrorKind::IsADirectory);
    /// let nowhere = NewFile::create("no/such/folder/text".as_ref());
    /// assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
    /// ```
    ///
    /// # Errors
    /// The folder cannot be written to, or there is something at `path` that is not a file, such as
    /// a device, which must not be replaced.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut permissions = None;
        match path.metadata() {
            Ok(found) if found.is_dir() => {
                return Err(io::Error::new(ErrorKind::IsADirectory, "is a directory"));
            }
            Ok(found) if !found.is_file() => {
                return Err(io::Error::new(ErrorKind::InvalidInput, "is not a regular file"));
            }
            Ok(found) => permissions = Some(found.permissions()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        folder.metadata()?;
        // The system's own error, to which the temporary name would add nothing for whoever asked for
        // another.
        let mut code = None;
        let create = |path: &Path| {
            // With the permissions of any new file.
            let file = File::options().read(true).write(true).create_new(true).open(path);
            file.inspect_err(|error| code = error.raw_os_error())
        };
        let file = Builder::new().make_in(folder, create);
        let file = file.map_err(|error| code.map_or(error, io::Error::from_raw_os_error))?;
        let unfinished = Unfinished::new(file.path());
        // A file that is replaced was perhaps not for everyone.
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        Ok(Self { file, path: path.to_owned(), unfinished })
    }

    /// The file under its temporary name.
    ///
    /// ```
    /// use trit_whisper::new_file::NewFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("weights");
    /// let new = NewFile::create(&path)?;
    /// // Finds out at once whether there is room for all of it.
    /// new.file().set_len(1 << 16)?;
    /// new.finish()?;
    /// assert_eq!(path.metadata()?.len(), 1 << 16);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Its temporary name.
    ///
    /// ```
    /// use std::io::Write;
    /// use trit_whisper::new_file::NewFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("text");
    /// let mut new = NewFile::create(&path)?;
    /// new.write_all(b"checked before it is there")?;
    /// assert_eq!(std::fs::read(new.temporary_path())?, b"checked before it is there");
    /// assert_eq!(new.temporary_path().parent(), path.parent());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Waits until all is on the disk and gives the file its name.
    ///
    /// ```
    /// use std::io::{Seek, SeekFrom, Write};
    /// use trit_whisper::new_file::NewFile;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("data");
    /// std::fs::write(&path, "old")?;
    /// let mut new = NewFile::create(&path)?;
    /// // The head last, when it is known.
    /// new.write_all(b"????tail")?;
    /// new.seek(SeekFrom::Start(0))?;
    /// new.write_all(b"head")?;
    /// new.finish()?;
    /// assert_eq!(std::fs::read(&path)?, b"headtail");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the system.
    pub fn finish(self) -> io::Result<()> {
        let Self { file, path, unfinished } = self;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        drop(unfinished);
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_seen_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "old").unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        drop(file);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_folders_are_not_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(NewFile::create(folder.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
        let device = Path::new("/dev/null");
        assert_eq!(NewFile::create(device).unwrap_err().kind(), ErrorKind::InvalidInput);
        let (plain, new) = (folder.path().join("plain"), folder.path().join("new"));
        File::create(&plain).unwrap();
        NewFile::create(&new).unwrap().finish().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&new), mode(&plain));
        std::fs::set_permissions(&new, PermissionsExt::from_mode(0o600)).unwrap();
        NewFile::create(&new).unwrap().finish().unwrap();
        assert_eq!(mode(&new) & 0o777, 0o600);
    }
}
