//! Checkpoints of other programs, read tensor by tensor.
//!
//! ```
//! use trit_whisper::import::{self, Values};
//!
//! # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
//!
//! let checkpoint = import::open(&fixtures.join("dense"))?;
//! let (name, config) = ("encoder.positional_embedding", checkpoint.header().config);
//! match checkpoint.read(name, &[config.audio_ctx(), config.state()])? {
//!     Values::Dense(values) => assert!(values.iter().all(|value| value.abs() <= 1.0)),
//!     Values::Ternary { .. } => unreachable!("positions are never trits"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
///
/// ```
/// use trit_whisper::import::Values;
///
/// fn floats(values: Values) -> Vec<f32> {
///     match values {
///         Values::Dense(values) => values,
///         Values::Ternary { codes, scales, group } => {
///             let scale = |at: usize| scales[at / group];
///             codes.iter().enumerate().map(|(at, &code)| f32::from(code) * scale(at)).collect()
///         }
///     }
/// }
/// let trits = Values::Ternary { codes: vec![1, -1, 0, 1], scales: vec![0.5, 0.25], group: 2 };
/// assert_eq!(floats(trits), [0.5, -0.5, 0.0, 0.25]);
/// ```
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
///
/// ```
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let header = checkpoint.header();
/// assert_eq!(header.tokens.len(), header.config.vocab());
/// assert_eq!(header.tokens[header.config.eot as usize], b"<|endoftext|>");
/// assert_eq!(header.mel_filters.len(), header.config.n_mels as usize * 201);
/// assert_eq!(header.alignment_heads, [[0, 1], [1, 0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// let bias = checkpoint.read("encoder.conv1.bias", &[config.state()])?;
/// assert!(matches!(bias, Values::Dense(values) if values.len() == config.state()));
/// assert_eq!(checkpoint.ternary_group("encoder.conv1.bias"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Checkpoint {
    /// What is not a tensor.
    ///
    /// ```
    /// use trit_whisper::import;
    ///
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// let checkpoint = import::open(&fixtures.join("ternary"))?;
    /// let config = checkpoint.header().config;
    /// assert_eq!((config.n_audio_layer, config.n_text_layer, config.state()), (2, 2, 24));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn header(&self) -> &Header;

    /// Whether the tensor `name` is stored as trits, and in groups of how many.
    ///
    /// ```
    /// use trit_whisper::import;
    ///
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// // safetensors hold floats, even if only three of them; whisper.cpp's `q2_0` has groups of 64.
    /// let checkpoint = import::open(&fixtures.join("ternary"))?;
    /// assert_eq!(checkpoint.ternary_group("encoder.blocks.0.mlp.0.weight"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn ternary_group(&self, name: &str) -> Option<usize>;

    /// The tensor `name`, which must have these dimensions, in PyTorch's order; dimensions of 1 do not
    /// count.
    ///
    /// ```
    /// use trit_whisper::import::{self, Values};
    ///
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// let checkpoint = import::open(&fixtures.join("ternary"))?;
    /// let weights = checkpoint.read("encoder.blocks.0.mlp.0.weight", &[96, 24])?;
    /// assert!(matches!(weights, Values::Dense(weights) if weights.len() == 96 * 24));
    /// assert!(checkpoint.read("encoder.blocks.0.mlp.0.weight", &[24, 96]).is_err());
    /// assert!(checkpoint.read("encoder.blocks.2.mlp.0.weight", &[96, 24]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It is missing, has another shape or an unknown type, or holds values that cannot be.
    fn read(&self, name: &str, shape: &[usize]) -> Result<Values, ImportError>;
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
///
/// ```
/// use trit_whisper::import::{self, ImportError};
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// // By the name that the tensor has in the file.
/// let error = checkpoint.read("encoder.conv1.bias", &[384]).unwrap_err();
/// assert!(matches!(&error, ImportError::Shape { found, .. } if *found == [24]));
/// assert_eq!(error.to_string(), "model.encoder.conv1.bias has the shape [24], expected [384]");
///
/// let error = checkpoint.read("encoder.conv3.bias", &[24]).unwrap_err();
/// assert!(matches!(error, ImportError::Missing(name) if name == "model.encoder.conv3.bias"));
/// # Ok::<(), ImportError>(())
/// ```
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
    /// A tensor has another shape.
    Shape {
        /// The tensor.
        name: String,
        /// Dimensions needed.
        expected: Vec<usize>,
        /// Dimensions there are.
        found: Vec<usize>,
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
            Self::Shape { name, expected, found } => {
                write!(f, "{name} has the shape {found:?}, expected {expected:?}")
            }
            Self::Type { name, found } => write!(f, "{name} has the unsupported type {found}"),
            Self::Blocks { name, error } => write!(f, "{name}: {error}"),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

/// Checks a tensor's dimensions, but for those of 1.
fn check_shape(name: &str, found: &[usize], expected: &[usize]) -> Result<(), ImportError> {
    let counts = |dimension: &&usize| **dimension != 1;
    if found.iter().filter(counts).eq(expected.iter().filter(counts)) {
        return Ok(());
    }
    let (expected, found) = (expected.to_vec(), found.to_vec());
    Err(ImportError::Shape { name: name.into(), expected, found })
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> ImportError {
    let path = path.to_owned();
    move |error| ImportError::Io { path: path.clone(), error }
}

fn file_error(path: &Path, what: impl Into<String>) -> ImportError {
    ImportError::File { path: path.to_owned(), what: what.into() }
}
