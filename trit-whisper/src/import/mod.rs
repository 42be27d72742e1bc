//! Checkpoints of other programs, read tensor by tensor.

mod alignment;
mod ggml_bin;
mod hugging_face;
mod vocabulary;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use trit_core::foreign::ForeignError;

use crate::{Config, ModelError};

pub use ggml_bin::GgmlBin;
pub use hugging_face::HuggingFace;

/// Values of a tensor, row-major, in PyTorch's order of dimensions.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Floats.
    Dense(Vec<f32>),
    /// Trits with a scale for every `group` consecutive weights.
    Ternary {
        /// −1, 0 or +1 each.
        codes: Vec<i8>,
        /// One for each group.
        scales: Vec<f32>,
        /// Weights that share a scale.
        group: usize,
    },
}

/// A checkpoint's contents besides its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Configuration.
    pub config: Config,
    /// Bytes of every token.
    pub tokens: Vec<Vec<u8>>,
    /// Mel filters `[n_mels, 201]`.
    pub mel_filters: Vec<f32>,
    /// Tokens never chosen.
    pub suppress: Vec<u32>,
    /// Tokens not chosen first.
    pub begin_suppress: Vec<u32>,
    /// Decoder blocks and heads that tell when words are spoken; none if that is not known.
    pub alignment_heads: Vec<[u16; 2]>,
}

/// A checkpoint that tensors can be read from by OpenAI's names.
///
/// ```
/// use trit_whisper::import::{self, Values};
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let config = checkpoint.header().config;
/// let bias = checkpoint.read("encoder.conv1.bias", config.state())?;
/// assert!(matches!(bias, Values::Dense(values) if values.len() == config.state()));
/// assert_eq!(checkpoint.ternary_group("encoder.conv1.bias"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Checkpoint {
    /// What is not a tensor.
    fn header(&self) -> &Header;

    /// Whether the tensor `name` is stored as trits, and in groups of how many.
    fn ternary_group(&self, name: &str) -> Option<usize>;

    /// The tensor `name`, which must have `elements` values.
    ///
    /// # Errors
    /// It is missing, has another size or an unknown type, or holds values that cannot be.
    fn read(&self, name: &str, elements: usize) -> Result<Values, ImportError>;
}

/// Opens a Hugging Face directory or a whisper.cpp `.bin` file.
///
/// ```
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// assert_eq!(import::open(&fixtures.join("dense"))?.header().config.n_mels, 16);
/// assert!(import::open(&fixtures.join("tone.flac")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// It is neither, or damaged.
pub fn open(path: &Path) -> Result<Box<dyn Checkpoint>, ImportError> {
    if path.is_dir() {
        Ok(Box::new(HuggingFace::open(path)?))
    } else {
        Ok(Box::new(GgmlBin::open(path)?))
    }
}

/// Why a checkpoint was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be read.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what it should be.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A tensor is not there.
    Missing(String),
    /// A tensor has another number of values.
    Size {
        /// The tensor.
        name: String,
        /// Values needed.
        expected: usize,
        /// Values there are.
        found: usize,
    },
    /// A tensor has a type that is not read.
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A tensor's blocks cannot be read.
    Blocks {
        /// The tensor.
        name: String,
        /// What is wrong.
        error: ForeignError,
    },
    /// The configuration is impossible.
    Config(ModelError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::File { path, what } => write!(f, "{}: {what}", path.display()),
            Self::Missing(name) => write!(f, "the checkpoint has no tensor {name}"),
            Self::Size { name, expected, found } => {
                write!(f, "{name} has {found} values, expected {expected}")
            }
            Self::Type { name, found } => write!(f, "{name} has the unsupported type {found}"),
            Self::Blocks { name, error } => write!(f, "{name}: {error}"),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

fn io_error(path: &Path) -> impl Fn(io::Error) -> ImportError {
    let path = path.to_owned();
    move |error| ImportError::Io { path: path.clone(), error }
}

fn file_error(path: &Path, what: impl Into<String>) -> ImportError {
    ImportError::File { path: path.to_owned(), what: what.into() }
}
