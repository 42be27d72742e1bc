//! Audio files of any common kind, as 16 kHz mono samples.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};
use symphonia::core::codecs::audio::well_known as codecs;
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use crate::SAMPLE_RATE;

/// Longest audio that is read, so that a small hostile file cannot fill the memory: 12 hours.
const MAX_SAMPLES: usize = 12 * 3600 * SAMPLE_RATE;

/// Most bytes kept of a stream that has to be read to its end before it can be decoded: 1 GiB.
const MAX_KEPT: u64 = 1 << 30;

/// Largest sample taken. Float files may exceed −1..1, and the log-mel does not mind; the square of
/// a larger number, summed over a frame, could leave the range of f32.
const LOUDEST: f32 = 1e12;

/// Seconds that may be missing of the stated length: codecs' delays.
const MISSING: f64 = 0.1;

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
    /// There is no decoder for the audio's codec.
    Codec(&'static str),
    /// The file is of a known kind, but damaged before the first sample.
    Damaged(String),
    /// The audio has no samples.
    Empty,
    /// The header states a sample rate that cannot be right.
    Rate(u32),
    /// A sample is NaN, infinite or beyond any loudness.
    Sample {
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
            Self::Codec(name) => write!(f, "there is no decoder for {name}"),
            Self::Damaged(what) => write!(f, "damaged audio file: {what}"),
            Self::Empty => f.write_str("the audio is empty"),
            Self::Rate(rate) => write!(f, "a sample rate of {rate} Hz cannot be right"),
            Self::Sample { index } => {
                write!(f, "sample {index} is NaN, infinite or absurdly large")
            }
            Self::TooLong => f.write_str("the audio is longer than 12 hours"),
            Self::Resample(rate) => write!(f, "cannot resample from {rate} Hz"),
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
#[derive(Debug)]
pub struct Audio {
    /// 16 kHz mono, nominally −1..1.
    pub samples: Vec<f32>,
    /// Why decoding stopped early or left packets out, if it did.
    pub warning: Option<String>,
}

/// Reads the audio file at `path`. The samples take 64 kB for each second of audio.
///
/// # Errors
/// A file that cannot be read, or holds no usable audio.
pub fn read_file(path: &Path) -> Result<Audio, AudioError> {
    let mut file = File::open(path).map_err(AudioError::Io)?;
    let metadata = file.metadata().map_err(AudioError::Io)?;
    if metadata.is_dir() {
        return Err(AudioError::Io(io::Error::new(io::ErrorKind::IsADirectory, "is a directory")));
    }
    if !metadata.is_file() {
        return read_stream(file);
    }
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    let head = Head::read(&mut file)?;
    file.rewind().map_err(AudioError::Io)?;
    decode(Box::new(file), &hint, &head)
}

/// Reads audio from a stream that cannot seek, such as standard input.
///
/// # Errors
/// As [`read_file`].
pub fn read_stream(mut stream: impl Read + Send + Sync + 'static) -> Result<Audio, AudioError> {
    let head = Head::read(&mut stream)?;
    let whole = io::Cursor::new(head.bytes.clone()).chain(stream);
    if head.is_mp4() {
        // Its index may come last, so it is read to the end first.
        let mut bytes = Vec::new();
        whole.take(MAX_KEPT + 1).read_to_end(&mut bytes).map_err(AudioError::Io)?;
        if bytes.len() as u64 > MAX_KEPT {
            return Err(AudioError::TooLong);
        }
        return read_bytes(bytes);
    }
    decode(Box::new(ReadOnlySource::new(whole)), &Hint::new(), &head)
}

/// Reads audio from memory.
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(bytes: Vec<u8>) -> Result<Audio, AudioError> {
    let head = Head::read(&mut bytes.as_slice())?;
    decode(Box::new(io::Cursor::new(bytes)), &Hint::new(), &head)
}

/// The first bytes of a file.
struct Head {
    bytes: Vec<u8>,
}

impl Head {
    fn read(from: &mut impl Read) -> Result<Self, AudioError> {
        let mut bytes = Vec::new();
        from.by_ref().take(12).read_to_end(&mut bytes).map_err(AudioError::Io)?;
        if bytes.is_empty() { Err(AudioError::Empty) } else { Ok(Self { bytes }) }
    }

    fn is_mp4(&self) -> bool {
        self.bytes.get(4..8) == Some(b"ftyp")
    }

    /// Whether this is a WAV file of unstated length, as programs write into a pipe: the greatest
    /// possible length, or nearly.
    fn is_endless_wav(&self) -> bool {
        let length = self.bytes.get(4..8).and_then(|length| length.try_into().ok());
        self.bytes.starts_with(b"RIFF")
            && length.map(u32::from_le_bytes).is_some_and(|length| length >= 0x7FFF_0000)
    }
}

fn open_error(error: SymphoniaError) -> AudioError {
    match error {
        SymphoniaError::Unsupported(_) => AudioError::NotAudio,
        SymphoniaError::IoError(error) if !is_of_content(error.kind()) => AudioError::Io(error),
        error => AudioError::Damaged(error.to_string()),
    }
}

/// Whether an error of reading comes from what the file says, not from the system: a place in it that
/// cannot be, before the first byte (`InvalidInput`) or, in a stream, behind the reader (`Other`).
fn is_of_content(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(kind, UnexpectedEof | InvalidInput | InvalidData | Other)
}

/// The name of a codec that files of the known kinds may hold and that has no decoder here.
fn codec_name(id: AudioCodecId) -> &'static str {
    match id {
        codecs::CODEC_ID_OPUS => "Opus audio",
        codecs::CODEC_ID_SPEEX => "Speex audio",
        codecs::CODEC_ID_AC3 => "AC-3 audio",
        codecs::CODEC_ID_EAC3 => "E-AC-3 audio",
        codecs::CODEC_ID_DCA => "DTS audio",
        codecs::CODEC_ID_WMA => "WMA audio",
        codecs::CODEC_ID_WAVPACK => "WavPack audio",
        _ => "the audio's codec",
    }
}

/// The track to read.
struct Track {
    id: u32,
    decoder: Box<dyn AudioDecoder>,
    /// Its length in seconds, where the file states it.
    stated: Option<f64>,
}

fn open_track(format: &dyn FormatReader) -> Result<Track, AudioError> {
    let track = format
        .default_track(TrackType::Audio)
        .or_else(|| format.first_track(TrackType::Audio))
        .ok_or(AudioError::NoTrack)?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or(AudioError::NoTrack)?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| match error {
            SymphoniaError::Unsupported(_) => AudioError::Codec(codec_name(parameters.codec)),
            error => AudioError::Damaged(error.to_string()),
        })?;
    let stated = track.num_frames.zip(parameters.sample_rate);
    let stated = stated.map(|(frames, rate)| frames as f64 / f64::from(rate.max(1)));
    Ok(Track { id: track.id, decoder, stated })
}

fn decode(source: Box<dyn MediaSource>, hint: &Hint, head: &Head) -> Result<Audio, AudioError> {
    // Some of the demuxers panic on some damaged headers (overflow in debug builds). All they work
    // on is dropped with them, so nothing is seen in a half-changed state.
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| decode_track(source, hint, head)));
    decoded.unwrap_or_else(|_| Err(AudioError::Damaged("the decoder gave up on it".into())))
}

fn decode_track(
    source: Box<dyn MediaSource>,
    hint: &Hint,
    head: &Head,
) -> Result<Audio, AudioError> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(open_error)?;
    let mut track = open_track(format.as_ref())?;
    let mut stated = track.stated.filter(|_| !head.is_endless_wav());
    let mut mono = Mono::default();
    let mut interleaved: Vec<f32> = Vec::new();
    let mut ended = None;
    let mut damaged = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // The next file of a chained Ogg stream.
            Err(SymphoniaError::ResetRequired) => match open_track(format.as_ref()) {
                Ok(next) => {
                    track = next;
                    stated = None;
                    continue;
                }
                Err(error) => {
                    ended = Some(error.to_string());
                    break;
                }
            },
            Err(SymphoniaError::IoError(error))
                if error.kind() == io::ErrorKind::UnexpectedEof && head.is_endless_wav() =>
            {
                break;
            }
            Err(error) => {
                ended = Some(error.to_string());
                break;
            }
        };
        if packet.track_id != track.id {
            continue;
        }
        let decoded = match track.decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                let (count, _) = damaged.get_or_insert((0, mono.seconds()));
                *count += 1;
                continue;
            }
            Err(error) => {
                ended = Some(error.to_string());
                break;
            }
        };
        mono.set_rate(decoded.spec().rate())?;
        interleaved.clear();
        decoded.copy_to_vec_interleaved(&mut interleaved);
        mono.push(&interleaved, decoded.spec().channels().count())?;
    }
    let seconds = mono.seconds();
    if let Some(stated) = stated.filter(|stated| *stated > seconds + MISSING && damaged.is_none()) {
        ended.get_or_insert_with(|| format!("its header states {stated:.1} s"));
    }
    let samples = mono.finish()?;
    let damaged = damaged.map(|(count, from): (usize, f64)| {
        format!("{count} damaged packets left out, the first at {from:.1} s")
    });
    let ended = ended.map(|what| format!("the file ends early, at {seconds:.1} s: {what}"));
    let warning = match (damaged, ended) {
        (Some(damaged), Some(ended)) => Some(format!("{damaged}; {ended}")),
        (damaged, ended) => damaged.or(ended),
    };
    match (samples.is_empty(), warning) {
        (false, warning) => Ok(Audio { samples, warning }),
        (true, Some(warning)) => Err(AudioError::Damaged(warning)),
        (true, None) => Err(AudioError::Empty),
    }
}

/// Mixes channels and resamples, a block at a time.
#[derive(Default)]
struct Mono {
    /// Samples at 16 kHz; before `begin` they are final.
    samples: Vec<f32>,
    begin: usize,
    /// The rate of the section from `begin` on; 0 before the first.
    rate: u32,
    resampler: Option<Fft<f32>>,
    /// Mixed samples that have not been resampled yet.
    pending: Vec<f32>,
    /// Samples taken into this section.
    taken: usize,
    /// Samples taken in all.
    index: usize,
}

impl Mono {
    /// Seconds of audio taken so far.
    fn seconds(&self) -> f64 {
        self.begin as f64 / SAMPLE_RATE as f64 + self.taken as f64 / f64::from(self.rate.max(1))
    }

    /// Makes `rate` the rate of what follows.
    fn set_rate(&mut self, rate: u32) -> Result<(), AudioError> {
        if !RATES.contains(&rate) {
            return Err(AudioError::Rate(rate));
        }
        if rate == self.rate {
            return Ok(());
        }
        self.flush()?;
        self.resampler = (rate as usize != SAMPLE_RATE)
            .then(|| Fft::new(rate as usize, SAMPLE_RATE, 4096, 1, FixedSync::Input))
            .transpose()
            .map_err(|_| AudioError::Resample(rate))?;
        self.begin = self.samples.len();
        (self.rate, self.taken) = (rate, 0);
        Ok(())
    }

    fn push(&mut self, interleaved: &[f32], channels: usize) -> Result<(), AudioError> {
        let channels = channels.max(1);
        for frame in interleaved.chunks_exact(channels) {
            let mixed = frame.iter().sum::<f32>() / channels as f32;
            // Also true of NaN.
            if !(-LOUDEST..=LOUDEST).contains(&mixed) {
                return Err(AudioError::Sample { index: self.index });
            }
            self.pending.push(mixed);
            self.taken += 1;
            self.index += 1;
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
        let rate = self.rate;
        let mut used = 0;
        while self.pending.len() - used >= resampler.input_frames_next() {
            let input = &self.pending[used..];
            let input = InterleavedSlice::new(input, 1, input.len())
                .map_err(|_| AudioError::Resample(rate))?;
            let block = resampler.input_frames_next();
            let output = resampler
                .process(&input, Some(&Indexing::new()))
                .map_err(|_| AudioError::Resample(rate))?;
            self.samples.extend(output.take_data());
            used += block;
        }
        self.pending.drain(..used);
        Ok(())
    }

    /// Ends the section: as many samples as its duration, without the resampler's delay.
    fn flush(&mut self) -> Result<(), AudioError> {
        let Some(resampler) = &self.resampler else { return Ok(()) };
        let (delay, block) = (resampler.output_delay(), resampler.input_frames_next());
        let wanted = (self.taken as u64 * SAMPLE_RATE as u64).div_ceil(self.rate.into()) as usize;
        while self.samples.len() < self.begin + delay + wanted {
            self.pending.resize(self.pending.len().max(1).next_multiple_of(block), 0.0);
            self.resample()?;
        }
        self.pending.clear();
        self.samples.drain(self.begin..self.begin + delay);
        self.samples.truncate(self.begin + wanted);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<f32>, AudioError> {
        self.flush()?;
        Ok(self.samples)
    }
}
