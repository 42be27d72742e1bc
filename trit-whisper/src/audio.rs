//! Audio files of any common kind, as 16 kHz mono samples.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use crate::SAMPLE_RATE;

/// Longest audio that is read, so that a small hostile file cannot fill the memory: 12 hours.
const MAX_SAMPLES: usize = 12 * 3600 * SAMPLE_RATE;

/// Sample rates that are taken; what lies outside is a damaged header.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Why audio could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum AudioError {
    /// The file cannot be read.
    Io(io::Error),
    /// The bytes are not audio of a known kind.
    NotAudio,
    /// The container is known, but has no audio in it.
    NoTrack,
    /// The audio's codec is not supported.
    Codec(&'static str),
    /// The audio has no samples.
    Empty,
    /// The header states a sample rate that cannot be right.
    Rate(u32),
    /// A sample is NaN or infinite.
    NonFinite {
        /// Its index, at the file's own rate.
        index: usize,
    },
    /// The audio is longer than 12 hours.
    TooLong,
    /// The resampler refused the sample rate.
    Resample(u32),
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotAudio => f.write_str("not an audio file of a known kind"),
            Self::NoTrack => f.write_str("the file has no audio track"),
            Self::Codec(what) => write!(f, "unsupported audio codec: {what}"),
            Self::Empty => f.write_str("the audio is empty"),
            Self::Rate(rate) => write!(f, "a sample rate of {rate} Hz cannot be right"),
            Self::NonFinite { index } => {
                write!(f, "sample {index} is NaN or infinite")
            }
            Self::TooLong => f.write_str("the audio is longer than 12 hours"),
            Self::Resample(rate) => write!(f, "cannot resample from {rate} Hz"),
        }
    }
}

impl std::error::Error for AudioError {}

/// Samples, and what was wrong with the rest.
#[derive(Debug)]
pub struct Audio {
    /// 16 kHz mono, nominally −1..1.
    pub samples: Vec<f32>,
    /// Why decoding stopped early or left packets out, if it did.
    pub warning: Option<String>,
}

/// Reads the audio file at `path`.
///
/// # Errors
/// A file that cannot be read, or holds no usable audio.
pub fn read_file(path: &Path) -> Result<Audio, AudioError> {
    let file = File::open(path).map_err(AudioError::Io)?;
    if file.metadata().map_err(AudioError::Io)?.is_dir() {
        return Err(AudioError::Io(io::Error::new(io::ErrorKind::IsADirectory, "is a directory")));
    }
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    decode(Box::new(file), &hint)
}

/// Reads audio from a stream that cannot seek, such as standard input.
///
/// # Errors
/// As [`read_file`].
pub fn read_stream(stream: impl Read + Send + Sync + 'static) -> Result<Audio, AudioError> {
    decode(Box::new(ReadOnlySource::new(stream)), &Hint::new())
}

/// Reads audio from memory.
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(bytes: Vec<u8>) -> Result<Audio, AudioError> {
    decode(Box::new(io::Cursor::new(bytes)), &Hint::new())
}

fn open_error(error: SymphoniaError) -> AudioError {
    match error {
        SymphoniaError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            AudioError::Io(error)
        }
        _ => AudioError::NotAudio,
    }
}

fn decode(source: Box<dyn MediaSource>, hint: &Hint) -> Result<Audio, AudioError> {
    let mut source = source;
    if source.byte_len() == Some(0) {
        return Err(AudioError::Empty);
    }
    if source.is_seekable() {
        source.rewind().map_err(AudioError::Io)?;
    }
    let stream = MediaSourceStream::new(source, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(open_error)?;
    let track = format.default_track(TrackType::Audio).ok_or(AudioError::NoTrack)?;
    let track_id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters.ok_or(AudioError::NoTrack)?, &AudioDecoderOptions::default())
        .map_err(|error| match error {
            SymphoniaError::Unsupported(what) => AudioError::Codec(what),
            _ => AudioError::Codec("its parameters are damaged"),
        })?;

    let mut output: Option<Mono> = None;
    let mut interleaved: Vec<f32> = Vec::new();
    let mut warning = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(error) => {
                warning = Some(format!("the file ends early: {error}"));
                break;
            }
        };
        if packet.track_id != track_id {
            continue;
        }
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(SymphoniaError::DecodeError(what)) => {
                warning = Some(format!("damaged audio left out: {what}"));
                continue;
            }
            Err(error) => {
                warning = Some(format!("the audio ends early: {error}"));
                break;
            }
        };
        let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
        interleaved.clear();
        decoded.copy_to_vec_interleaved(&mut interleaved);
        let output = match &mut output {
            Some(output) => output,
            None => output.insert(Mono::new(rate)?),
        };
        output.push(&interleaved, channels)?;
    }
    let samples = output.ok_or(AudioError::Empty)?.finish()?;
    if samples.is_empty() {
        return Err(AudioError::Empty);
    }
    Ok(Audio { samples, warning })
}

/// Mixes channels and resamples, a block at a time.
struct Mono {
    rate: u32,
    resampler: Option<Fft<f32>>,
    /// Mixed samples that have not been resampled yet.
    pending: Vec<f32>,
    /// Samples taken in so far.
    taken: usize,
    samples: Vec<f32>,
}

impl Mono {
    fn new(rate: u32) -> Result<Self, AudioError> {
        if !RATES.contains(&rate) {
            return Err(AudioError::Rate(rate));
        }
        let resampler = (rate as usize != SAMPLE_RATE)
            .then(|| Fft::new(rate as usize, SAMPLE_RATE, 4096, 1, FixedSync::Input))
            .transpose()
            .map_err(|_| AudioError::Resample(rate))?;
        Ok(Self { rate, resampler, pending: Vec::new(), taken: 0, samples: Vec::new() })
    }

    fn push(&mut self, interleaved: &[f32], channels: usize) -> Result<(), AudioError> {
        for frame in interleaved.chunks_exact(channels.max(1)) {
            let mixed = frame.iter().sum::<f32>() / channels as f32;
            if !mixed.is_finite() {
                return Err(AudioError::NonFinite { index: self.taken });
            }
            self.pending.push(mixed);
            self.taken += 1;
        }
        if self.samples.len() > MAX_SAMPLES {
            return Err(AudioError::TooLong);
        }
        self.resample()
    }

    /// Moves all whole blocks of `pending` through the resampler.
    fn resample(&mut self) -> Result<(), AudioError> {
        let Some(resampler) = &mut self.resampler else {
            self.samples.append(&mut self.pending);
            return Ok(());
        };
        let failed = |_| AudioError::Resample(self.rate);
        let mut used = 0;
        while self.pending.len() - used >= resampler.input_frames_next() {
            let input = &self.pending[used..];
            let input = InterleavedSlice::new(input, 1, input.len())
                .map_err(|_| AudioError::Resample(self.rate))?;
            let block = resampler.input_frames_next();
            let output = resampler.process(&input, Some(&Indexing::new())).map_err(failed)?;
            self.samples.extend(output.take_data());
            used += block;
        }
        self.pending.drain(..used);
        Ok(())
    }

    /// The samples, as many as the input's duration, without the resampler's delay.
    fn finish(mut self) -> Result<Vec<f32>, AudioError> {
        let Some(resampler) = &self.resampler else { return Ok(self.samples) };
        let delay = resampler.output_delay();
        let wanted = (self.taken as u64 * SAMPLE_RATE as u64).div_ceil(self.rate.into()) as usize;
        while self.samples.len() < delay + wanted {
            let block =
                self.resampler.as_ref().map_or(1, |resampler| resampler.input_frames_next());
            self.pending.resize(self.pending.len().max(1).next_multiple_of(block), 0.0);
            self.resample()?;
        }
        self.samples.drain(..delay);
        self.samples.truncate(wanted);
        Ok(self.samples)
    }
}
