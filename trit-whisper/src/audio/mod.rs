//! Audio files of any common kind, as 16 kHz mono samples.
//!
//! ```
//! use trit_whisper::{SAMPLE_RATE, audio};
//!
//! # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
//!
//! // 0.4 s at 16 kHz or another rate, in one channel or two, by any of many codecs.
//! for name in ["tone.flac", "tone.ogg", "tone.alac.m4a", "tone.mulaw.wav"] {
//!     let audio = audio::read_file(&fixtures.join(name))?;
//!     assert_eq!(audio.samples.len(), 2 * SAMPLE_RATE / 5);
//! }
//! # Ok::<(), audio::AudioError>(())
//! ```

mod gaps;
mod input;
mod matroska;
mod mono;
mod pcm;
mod reader;
mod source;
mod wav;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

pub use pcm::{Encoding, Pcm};
pub use reader::Reader;

/// Why audio could not be read.
///
/// ```
/// use trit_whisper::audio::{self, AudioError, Encoding, Pcm};
///
/// let error = audio::read_bytes(b"no sound at all".to_vec()).unwrap_err();
/// assert!(matches!(error, AudioError::NotAudio));
/// assert_eq!(error.to_string(), "not an audio file of a known kind");
///
/// let error = Pcm::new(Encoding::S16le, 50, 1).unwrap_err();
/// assert!(matches!(error, AudioError::Rate(50)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AudioError {
    /// The file cannot be read.
    Io(io::Error),
    /// The bytes are not audio of a known kind.
    NotAudio,
    /// The container is known, but has no audio in it.
    NoTrack,
    /// There is no decoder for the audio's codec.
    Codec(&'static str),
    /// The audio has a feature that its decoder does not have.
    Unsupported(&'static str),
    /// The file is of a known kind, but damaged before the first sample.
    Damaged(String),
    /// The audio has no samples.
    Empty,
    /// The header states a sample rate that cannot be right.
    Rate(u32),
    /// There are more channels than the decoder knows.
    Channels {
        /// How many the header states.
        count: u16,
        /// Most that can be.
        most: u16,
    },
    /// A sample is NaN, infinite or beyond any loudness.
    Sample {
        /// Its index, at the file's own rate.
        index: usize,
    },
    /// The audio is longer than can be taken.
    TooLong {
        /// Most hours that can be.
        hours: u32,
    },
    /// A stream that has to be kept as a whole, since what tells how to decode it may come last, has
    /// more bytes than that. As a file it can be read.
    TooLarge {
        /// Most bytes that can be.
        bytes: u64,
    },
    /// The resampler refused the sample rate.
    Resample(u32),
    /// A [`Reader`] was asked for samples before those that it gave last.
    Passed,
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotAudio => f.write_str("not an audio file of a known kind"),
            Self::NoTrack => f.write_str("the file has no audio track"),
            Self::Codec(name) => write!(f, "there is no decoder for {name}"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Damaged(what) => write!(f, "damaged audio file: {what}"),
            Self::Empty => f.write_str("the audio is empty"),
            Self::Rate(rate) => write!(f, "a sample rate of {rate} Hz cannot be right"),
            Self::Channels { count, most } => {
                write!(f, "{count} channels, and no more than {most} can be decoded")
            }
            Self::Sample { index } => {
                write!(f, "sample {index} is NaN, infinite or absurdly large")
            }
            Self::TooLong { hours } => write!(f, "the audio is longer than {hours} hours"),
            Self::TooLarge { bytes } => write!(
                f,
                "an MP4 stream of more than {} MiB cannot be kept; read it as a file",
                bytes >> 20
            ),
            Self::Resample(rate) => write!(f, "cannot resample from {rate} Hz"),
            Self::Passed => f.write_str("samples that were passed cannot be had again"),
        }
    }
}

impl std::error::Error for AudioError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Samples, and what was wrong with the rest.
///
/// ```
/// use trit_whisper::audio;
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// // A download that broke off: what there is can be had.
/// let mut bytes = std::fs::read(folder.join("samples/yes-no.flac"))?;
/// bytes.truncate(bytes.len() / 2);
/// let audio = audio::read_bytes(bytes)?;
/// assert!(audio.samples.len() > 16_000);
/// assert!(audio.warning.is_some_and(|warning| warning.contains("the file ends early")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Audio {
    /// 16 kHz mono, nominally −1..1.
    pub samples: Vec<f32>,
    /// Why decoding stopped early or left packets out, if it did, and what is silence instead.
    pub warning: Option<String>,
}

/// Reads the whole audio file at `path`. The samples take 64 kB for each second of audio, up to 12
/// hours; a [`Reader`] gives them a window at a time.
///
/// ```
/// use trit_whisper::{SAMPLE_RATE, audio};
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// let audio = audio::read_file(&folder.join("samples/go-left-stop.flac"))?;
/// assert_eq!(audio.samples.len() / SAMPLE_RATE, 3);
/// assert_eq!(audio.warning, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A file that cannot be read, or holds no usable audio.
pub fn read_file(path: &Path) -> Result<Audio, AudioError> {
    Reader::open(path)?.read_to_end()
}

/// Reads audio from a stream that cannot seek, such as standard input, to its end.
///
/// ```
/// use trit_whisper::audio;
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// let stream = std::fs::File::open(folder.join("samples/yes-no.flac"))?;
/// assert!(audio::read_stream(stream)?.samples.len() > 3 * 16_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read_file`].
pub fn read_stream(stream: impl Read + Send + Sync + 'static) -> Result<Audio, AudioError> {
    Reader::from_stream(stream)?.read_to_end()
}

/// Reads audio from memory.
///
/// ```
/// use trit_whisper::audio::{self, AudioError};
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// let bytes = std::fs::read(folder.join("samples/yes-no.flac"))?;
/// assert!(audio::read_bytes(bytes)?.samples.iter().all(|x| x.abs() <= 1.0));
///
/// let error: AudioError = audio::read_bytes(b"no sound at all".to_vec()).unwrap_err();
/// println!("{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(bytes: Vec<u8>) -> Result<Audio, AudioError> {
    Reader::from_bytes(bytes)?.read_to_end()
}
