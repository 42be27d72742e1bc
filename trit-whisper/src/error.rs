//! What can go wrong with a model or a transcription.

use core::fmt;

use trit_core::container::{ContainerError, Name};
use trit_core::{MatrixError, QuantizeError};

/// Why a model was refused.
///
/// ```
/// use trit_core::container::ContainerError;
/// use trit_whisper::{Config, Model, ModelError, embedded};
///
/// let error = Model::parse(&embedded::model()[..1 << 16]).unwrap_err();
/// assert!(matches!(error, ModelError::Container(ContainerError::Truncated { found: 65_536, .. })));
///
/// assert_eq!(Config::parse(&[0; 12]), Err(ModelError::ConfigLength(12)));
/// let error = Config::parse(Config::WHISPER.bytes()).unwrap_err();
/// assert!(matches!(error, ModelError::Config { field: "n_mels", found: 0, .. }));
/// assert_eq!(error.to_string(), "whisper.config: n_mels is 0, expected 1 to 256");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ModelError {
    /// The file is not a sound container, or lacks an entry.
    Container(ContainerError),
    /// A field of the configuration has a value it cannot have.
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        found: u32,
        /// What it may be.
        expected: &'static str,
    },
    /// The configuration has another length than this version's.
    ConfigLength(usize),
    /// A tensor has another shape than the configuration asks for.
    Shape {
        /// The tensor.
        name: Name,
        /// `[rows, k]` by the configuration.
        expected: [usize; 2],
        /// `[rows, k]` found.
        found: [usize; 2],
    },
    /// The token table is damaged.
    Tokens(&'static str),
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(error) => error.fmt(f),
            Self::Config { field, found, expected } => {
                write!(f, "whisper.config: {field} is {found}, expected {expected}")
            }
            Self::ConfigLength(found) => {
                write!(f, "whisper.config has {found} bytes, expected 128")
            }
            Self::Shape { name, expected, found } => {
                write!(f, "{name} has shape {found:?}, expected {expected:?}")
            }
            Self::Tokens(what) => write!(f, "whisper.tokens: {what}"),
        }
    }
}

impl core::error::Error for ModelError {}

impl From<ContainerError> for ModelError {
    fn from(error: ContainerError) -> Self {
        Self::Container(error)
    }
}

/// Why a transcription failed.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{Error, MemoryPlan, Model, Options, Transcriber, embedded};
/// # let model = Model::parse(embedded::model())?;
/// # let options = Options::default();
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
///
/// let mut transcribe = |samples: &[f32]| transcriber.transcribe(samples, &mut |_| {}).unwrap_err();
/// assert_eq!(transcribe(&[]), Error::EmptyAudio);
/// let error = transcribe(&[0.0, f32::NAN]);
/// assert_eq!(error, Error::Sample { index: 1 });
/// assert_eq!(error.to_string(), "sample 1 is not a finite number");
///
/// // An arena of 16 MiB would do for this model, one of 16 bytes does not.
/// let mut arena = [0; 16];
/// let error = Transcriber::new(&model, kernels, &Sequential, &mut arena, options).err();
/// assert!(matches!(error, Some(Error::Arena { found: 16, .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The model is unusable.
    Model(ModelError),
    /// The arena is smaller than the plan.
    Arena {
        /// Bytes needed.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// There are no samples.
    EmptyAudio,
    /// A sample is NaN or infinite.
    Sample {
        /// Its index.
        index: usize,
    },
    /// The samples cannot be had; their source knows why.
    Samples,
    /// The caller wanted it to stop ([`Transcriber::cancel_with`](crate::Transcriber::cancel_with)).
    Cancelled,
    /// The model has no such language, or knows one language only.
    Language([u8; 8]),
    /// The model knows one language only, so there is none to detect.
    OneLanguage,
    /// The token is none of the model's languages.
    LanguageToken(u32),
    /// The model cannot translate.
    Translate,
    /// An option has a value it cannot have.
    Option {
        /// The field of [`Options`](crate::Options).
        option: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A value inside the network is NaN or infinite: the weights are unusable.
    NonFinite,
    /// Shapes do not fit. The model's shapes are checked when it is parsed, so this is a bug.
    Shape(MatrixError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::Arena { expected, found } => {
                write!(f, "the arena has {found} bytes, {expected} are needed")
            }
            Self::EmptyAudio => f.write_str("there is no audio: no samples"),
            Self::Sample { index } => write!(f, "sample {index} is not a finite number"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Samples => f.write_str("the audio cannot be read on"),
            Self::Language(code) => {
                let code = core::str::from_utf8(code).unwrap_or("").trim_end_matches('\0');
                write!(f, "the model does not know the language `{code}`")
            }
            Self::LanguageToken(token) => {
                write!(f, "token {token} is none of the model's languages")
            }
            Self::OneLanguage => f.write_str("the model knows one language only"),
            Self::Translate => f.write_str("the model cannot translate"),
            Self::Option { option, expected } => write!(f, "{option} must be {expected}"),
            Self::NonFinite => {
                f.write_str("the network computed a value that is not finite: damaged weights")
            }
            Self::Shape(error) => write!(f, "shapes do not fit: {error}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

impl From<ContainerError> for Error {
    fn from(error: ContainerError) -> Self {
        Self::Model(error.into())
    }
}

impl From<MatrixError> for Error {
    fn from(error: MatrixError) -> Self {
        Self::Shape(error)
    }
}

impl From<QuantizeError> for Error {
    fn from(error: QuantizeError) -> Self {
        match error {
            QuantizeError::NonFinite { .. } => Self::NonFinite,
            QuantizeError::Shape(error) => Self::Shape(error),
        }
    }
}
