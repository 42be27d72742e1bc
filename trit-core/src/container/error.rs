//! What can be wrong with a container.

use core::fmt;

use super::{DType, MAX_ENTRIES, VERSION};
use crate::MatrixError;

/// The name of an entry, kept without allocation.
///
/// ```
/// use trit_core::container::Name;
///
/// assert_eq!(Name::new("encoder.0.q").as_str(), "encoder.0.q");
/// // At most 55 bytes, cut between characters.
/// assert_eq!(Name::new(&"é".repeat(30)).as_str(), "é".repeat(27));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name([u8; 56]);

impl Name {
    pub(super) fn from_record(bytes: [u8; 56]) -> Self {
        Self(bytes)
    }

    /// As much of `text` as a name can hold.
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; 56];
        let mut end = text.len().min(super::MAX_NAME);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Self(bytes)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        core::str::from_utf8(&self.0[..end]).unwrap_or("(name is not UTF-8)")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

/// Why a container was refused.
///
/// ```
/// use trit_core::container::{ContainerError, Name};
///
/// let error = ContainerError::Missing(Name::new("encoder.0.q"));
/// assert_eq!(error.to_string(), "encoder.0.q is missing");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContainerError {
    /// The bytes do not start like a `.trit` file.
    NotTrit,
    /// A version this crate does not read.
    Version(u32),
    /// The file is shorter or longer than it says.
    Truncated {
        /// Bytes the file should have.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The bytes do not start at a multiple of 64.
    Misaligned,
    /// The header fails its checksum, or a reserved field is in use.
    Header(&'static str),
    /// The directory fails its checksum.
    Directory,
    /// More entries than a file may have.
    TooManyEntries(u32),
    /// A name is empty, not UTF-8, not padded with zeros, or out of order.
    BadName {
        /// Position in the directory.
        entry: usize,
    },
    /// A field of an entry has a value it cannot have.
    BadEntry {
        /// The entry.
        name: Name,
        /// The field.
        field: &'static str,
    },
    /// An entry's payload does not lie where the layout rule puts it.
    Misplaced {
        /// The entry.
        name: Name,
        /// Offset or length by the rule.
        expected: u64,
        /// Offset or length found.
        found: u64,
    },
    /// There is no entry of this name.
    Missing(Name),
    /// An entry is not of the type asked for.
    Type {
        /// The entry.
        name: Name,
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        found: DType,
    },
    /// An entry does not make a valid matrix.
    Matrix {
        /// The entry.
        name: Name,
        /// What is wrong.
        error: MatrixError,
    },
    /// A payload fails its checksum.
    Payload(Name),
    /// A number is NaN or infinite.
    NonFinite {
        /// The entry.
        name: Name,
        /// Index among its scales, or among its values if it has no scales.
        index: usize,
    },
    /// A packed byte holds something that is not a trit.
    NotTernary {
        /// The entry.
        name: Name,
        /// Byte of the payload.
        byte: usize,
    },
    /// A byte between payloads is not zero.
    Padding {
        /// Its place in the file.
        at: usize,
    },
}

impl fmt::Display for ContainerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotTrit => {
                f.write_str("not a .trit file: it does not start with the magic bytes")
            }
            Self::Version(found) => {
                write!(f, "format version {found}; this program reads version {VERSION}")
            }
            Self::Truncated { expected, found } => {
                write!(f, "the file should have {expected} bytes and has {found}")
            }
            Self::Misaligned => f.write_str("the bytes must start at a multiple of 64"),
            Self::Header(what) => write!(f, "damaged header: {what}"),
            Self::Directory => f.write_str("damaged directory: its checksum does not match"),
            Self::TooManyEntries(found) => {
                write!(f, "{found} entries, at most {MAX_ENTRIES} are allowed")
            }
            Self::BadName { entry } => {
                write!(f, "entry {entry} of the directory has an invalid or misplaced name")
            }
            Self::BadEntry { name, field } => write!(f, "{name}: invalid {field}"),
            Self::Misplaced { name, expected, found } => {
                write!(f, "{name}: payload at or of {found} bytes, expected {expected}")
            }
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Type { name, expected, found } => {
                write!(f, "{name} is {}, expected {expected}", found.name())
            }
            Self::Matrix { name, error } => write!(f, "{name}: {error}"),
            Self::Payload(name) => write!(f, "{name}: damaged, its checksum does not match"),
            Self::NonFinite { name, index } => {
                write!(f, "{name}: number {index} is NaN or infinite")
            }
            Self::NotTernary { name, byte } => {
                write!(f, "{name}: byte {byte} holds a code that is not ternary")
            }
            Self::Padding { at } => {
                write!(f, "damaged between payloads: byte {at} is not zero")
            }
        }
    }
}

impl core::error::Error for ContainerError {}
