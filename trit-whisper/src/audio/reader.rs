//! Decodes a file or stream as its samples are asked for.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use symphonia::core::codecs::audio::well_known as codecs;
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;
use trit_core::container;

use super::mono::Mono;
use super::{Audio, AudioError};
use crate::{SAMPLE_RATE, Samples};

/// Hours of audio that are read as a whole, so that a small hostile file cannot fill the memory.
const HOURS_WHOLE: usize = 12;

/// Hours of audio that are read in windows: their samples can be counted in 32 bits.
const HOURS_IN_WINDOWS: usize = 72;

const _: () = assert!(samples_in(HOURS_IN_WINDOWS) < u32::MAX as usize);

const fn samples_in(hours: usize) -> usize {
    hours * 3600 * SAMPLE_RATE
}

/// Most bytes kept of a stream that has to be read to its end before it can be decoded: 1 GiB.
const MAX_KEPT: u64 = 1 << 30;

/// Seconds that may be missing of the stated length: codecs' delays.
const MISSING: f64 = 0.1;

/// An audio file or stream that is decoded as its samples are asked for. It keeps no more of them
/// than the window asked for last, and a packet.
///
/// ```
/// use trit_whisper::audio::{AudioError, Reader};
/// use trit_whisper::Samples;
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// let bytes = std::fs::read(folder.join("samples/yes-no.flac"))?;
/// let mut reader = Reader::from_bytes(bytes.clone())?;
/// assert!(reader.is_empty());
/// assert_eq!(reader.window(0, 16_000).map(<[f32]>::len), Some(16_000));
/// assert!(reader.window(16_000, 1 << 20).is_some());
/// assert!(reader.is_at_end() && reader.warning().is_none());
///
/// // What was passed is gone.
/// assert!(reader.window(0, 16_000).is_none());
/// assert!(matches!(reader.take_error(), Some(AudioError::Passed)));
///
/// // The whole of it, here from something that cannot seek.
/// let all = Reader::from_stream(std::io::Cursor::new(bytes))?.read_to_end()?.samples;
/// assert_eq!(all.len(), reader.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    /// `None` when there is no more to come.
    input: Option<Input>,
    mono: Mono,
    /// The number of packets that could not be decoded, and the second of the first.
    damaged: Option<(usize, f64)>,
    /// Why the audio ended before its stated end.
    ended: Option<String>,
    /// What is wrong with what was read, once all of it is.
    warning: Option<String>,
    error: Option<AudioError>,
    failed: bool,
}

impl Reader {
    /// Opens the audio file at `path`.
    ///
    /// ```
    /// use trit_whisper::{Samples, audio::Reader};
    ///
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// let mut reader = Reader::open(&folder.join("samples/yes-no.flac"))?;
    /// // The header says how long it is before anything is decoded.
    /// assert!(reader.is_empty() && reader.total() > Some(3 * 16_000));
    /// # Ok::<(), trit_whisper::audio::AudioError>(())
    /// ```
    ///
    /// # Errors
    /// A file that cannot be read, or is not audio that can be decoded.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        let mut file = File::open(path).map_err(AudioError::Io)?;
        let metadata = file.metadata().map_err(AudioError::Io)?;
        if metadata.is_dir() {
            let error = io::Error::new(io::ErrorKind::IsADirectory, "is a directory");
            return Err(AudioError::Io(error));
        }
        if !metadata.is_file() {
            return Self::from_stream(file);
        }
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
            hint.with_extension(extension);
        }
        let head = Head::read(&mut file)?;
        file.rewind().map_err(AudioError::Io)?;
        Self::new(Box::new(file), &hint, &head)
    }

    /// Opens audio that comes as a stream that cannot seek, such as standard input.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_stream(mut stream: impl Read + Send + Sync + 'static) -> Result<Self, AudioError> {
        let head = Head::read(&mut stream)?;
        let whole = io::Cursor::new(head.bytes.clone()).chain(stream);
        if head.is_mp4() {
            // Its index may come last, so it is read to the end first.
            return Self::from_bytes(keep(whole, MAX_KEPT)?);
        }
        Self::new(Box::new(ReadOnlySource::new(whole)), &Hint::new(), &head)
    }

    /// Opens audio in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, AudioError> {
        let head = Head::read(&mut bytes.as_slice())?;
        Self::new(Box::new(io::Cursor::new(bytes)), &Hint::new(), &head)
    }

    fn new(source: Box<dyn MediaSource>, hint: &Hint, head: &Head) -> Result<Self, AudioError> {
        let input = unless_it_panics(|| Input::open(source, hint, head))?;
        Ok(Self {
            input: Some(input),
            mono: Mono::default(),
            damaged: None,
            ended: None,
            warning: None,
            error: None,
            failed: false,
        })
    }

    /// Samples decoded so far, those that were passed included: at the end, all there are.
    pub fn len(&self) -> usize {
        self.mono.end()
    }

    /// Whether no sample has been decoded so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all there is has been decoded.
    pub fn is_at_end(&self) -> bool {
        self.input.is_none()
    }

    /// Why decoding stopped early or left packets out, if it did; known at the end.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Why [`window`](Samples::window) gave `None`, if it did.
    pub fn take_error(&mut self) -> Option<AudioError> {
        self.error.take()
    }

    /// Decodes all there is to come.
    ///
    /// # Errors
    /// Unusable samples, none at all, or more than 12 hours of them.
    pub fn read_to_end(mut self) -> Result<Audio, AudioError> {
        while self.input.is_some() {
            self.read_on(HOURS_WHOLE)?;
        }
        Ok(Audio { samples: self.mono.take(), warning: self.warning })
    }

    /// Decodes a packet, of audio of so many hours at most, or finds that there are no more.
    fn read_on(&mut self, hours: usize) -> Result<(), AudioError> {
        let Some(input) = &mut self.input else { return Ok(()) };
        match unless_it_panics(|| input.packet(&mut self.mono))? {
            Packet::Decoded => {}
            Packet::Damaged => {
                let (count, _) = self.damaged.get_or_insert((0, self.mono.seconds()));
                *count += 1;
            }
            Packet::End { early } => {
                let stated = input.stated;
                self.input = None;
                self.ended = early;
                self.finish(stated)?;
            }
        }
        if self.mono.end() > samples_in(hours) {
            return Err(AudioError::TooLong { hours: hours as u32 });
        }
        Ok(())
    }

    /// Sums up what was wrong.
    fn finish(&mut self, stated: Option<f64>) -> Result<(), AudioError> {
        let seconds = self.mono.seconds();
        let missing = |stated: &f64| *stated > seconds + MISSING && self.damaged.is_none();
        if let Some(stated) = stated.filter(missing) {
            self.ended.get_or_insert_with(|| format!("its header states {stated:.1} s"));
        }
        self.mono.finish()?;
        let damaged = self.damaged.map(|(count, from)| {
            format!("{count} damaged packets left out, the first at {from:.1} s")
        });
        let ended = self.ended.take();
        let ended = ended.map(|what| format!("the file ends early, at {seconds:.1} s: {what}"));
        self.warning = match (damaged, ended) {
            (Some(damaged), Some(ended)) => Some(format!("{damaged}; {ended}")),
            (damaged, ended) => damaged.or(ended),
        };
        match (self.mono.end(), self.warning.take()) {
            (0, None) => Err(AudioError::Empty),
            (0, Some(warning)) => Err(AudioError::Damaged(warning)),
            (_, warning) => {
                self.warning = warning;
                Ok(())
            }
        }
    }
}

impl Samples for Reader {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        self.mono.pass(start);
        while !self.failed && self.input.is_some() && self.mono.end() < start.saturating_add(len) {
            if let Err(error) = self.read_on(HOURS_IN_WINDOWS) {
                (self.failed, self.error) = (true, Some(error));
            }
            self.mono.pass(start);
        }
        if self.failed {
            return None;
        }
        let window = self.mono.window(start, len);
        if window.is_none() {
            self.error = Some(AudioError::Passed);
        }
        window
    }

    /// What the file states, until its end is reached.
    fn total(&self) -> Option<usize> {
        match &self.input {
            None => Some(self.len()),
            Some(input) => Some(((input.stated? * SAMPLE_RATE as f64) as usize).max(self.len())),
        }
    }
}

/// All bytes of a stream, if there are at most `most`.
fn keep(stream: impl Read, most: u64) -> Result<Vec<u8>, AudioError> {
    let mut bytes = Vec::new();
    stream.take(most + 1).read_to_end(&mut bytes).map_err(AudioError::Io)?;
    if bytes.len() as u64 > most { Err(AudioError::TooLarge { bytes: most }) } else { Ok(bytes) }
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

/// Some of the demuxers panic on some damaged headers (overflow in debug builds). What they work on
/// is not used again then, so nothing is seen in a half-changed state.
fn unless_it_panics<T>(read: impl FnOnce() -> Result<T, AudioError>) -> Result<T, AudioError> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(AudioError::Damaged("the decoder gave up on it".into())))
}

/// What came of reading a packet.
enum Packet {
    Decoded,
    Damaged,
    /// There are no more, and why not, if that was to be expected.
    End {
        early: Option<String>,
    },
}

/// The packets of a file's audio track.
struct Input {
    format: Box<dyn FormatReader>,
    track: u32,
    decoder: Box<dyn AudioDecoder>,
    /// The length in seconds, where the file states it.
    stated: Option<f64>,
    endless_wav: bool,
    interleaved: Vec<f32>,
}

impl Input {
    fn open(source: Box<dyn MediaSource>, hint: &Hint, head: &Head) -> Result<Self, AudioError> {
        // In so many bytes of weights a demuxer may find what looks like a frame of its own.
        if head.bytes.starts_with(&container::MAGIC) {
            return Err(AudioError::NotAudio);
        }
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(open_error)?;
        let Track { id, decoder, stated } = open_track(format.as_ref())?;
        let endless_wav = head.is_endless_wav();
        let stated = stated.filter(|_| !endless_wav);
        Ok(Self { format, track: id, decoder, stated, endless_wav, interleaved: Vec::new() })
    }

    /// Reads and decodes one packet into `mono`.
    fn packet(&mut self, mono: &mut Mono) -> Result<Packet, AudioError> {
        let packet = match self.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(Packet::End { early: None }),
            // The next file of a chained Ogg stream.
            Err(SymphoniaError::ResetRequired) => {
                return Ok(match open_track(self.format.as_ref()) {
                    Ok(Track { id, decoder, .. }) => {
                        (self.track, self.decoder, self.stated) = (id, decoder, None);
                        Packet::Decoded
                    }
                    Err(error) => Packet::End { early: Some(error.to_string()) },
                });
            }
            Err(SymphoniaError::IoError(error))
                if error.kind() == io::ErrorKind::UnexpectedEof && self.endless_wav =>
            {
                return Ok(Packet::End { early: None });
            }
            Err(error) => return Ok(Packet::End { early: Some(error.to_string()) }),
        };
        if packet.track_id != self.track {
            return Ok(Packet::Decoded);
        }
        let decoded = match self.decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                return Ok(Packet::Damaged);
            }
            Err(error) => return Ok(Packet::End { early: Some(error.to_string()) }),
        };
        mono.set_rate(decoded.spec().rate())?;
        self.interleaved.clear();
        decoded.copy_to_vec_interleaved(&mut self.interleaved);
        mono.push(&self.interleaved, decoded.spec().channels().count())?;
        Ok(Packet::Decoded)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A 16-bit WAV file of `frames` frames of silence, of unstated length.
    fn wav(rate: u32, channels: u16, frames: usize) -> Vec<u8> {
        let block = 2 * channels;
        let mut file = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0".to_vec();
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend((rate * u32::from(block)).to_le_bytes());
        file.extend(block.to_le_bytes());
        file.extend(b"\x10\0data\xFF\xFF\xFF\xFF");
        file.resize(file.len() + frames * usize::from(block), 0);
        file
    }

    #[test]
    fn memory_does_not_grow_with_the_audio() {
        let (window, step) = (8_000, 3_000);
        let mut reader = Reader::from_bytes(wav(44_100, 2, 44_100 * 60)).unwrap();
        let (mut start, mut most) = (0, 0);
        while !reader.window(start, window).unwrap().is_empty() {
            most = most.max(reader.mono.capacity());
            start += step;
        }
        assert!(reader.len() > 59 * SAMPLE_RATE);
        // The window, what a packet and a block of the resampler add, and room to grow.
        assert!(most < 4 * window, "{most}");
    }

    #[test]
    fn streams_that_are_too_large_are_told_from_those_that_are_too_long() {
        assert_eq!(keep(&[7; 100][..], 100).unwrap(), [7; 100]);
        let error = keep(io::repeat(7), 100).unwrap_err();
        assert!(matches!(error, AudioError::TooLarge { bytes: 100 }));
        let error = AudioError::TooLarge { bytes: MAX_KEPT }.to_string();
        assert_eq!(error, "an MP4 stream of more than 1024 MiB cannot be kept; read it as a file");
    }

    #[test]
    fn errors_stay() {
        let mut reader = Reader::from_bytes(wav(16_000, 1, 16_000)).unwrap();
        assert_eq!(reader.window(500, 10).map(<[f32]>::len), Some(10));
        assert!(reader.window(499, 10).is_none());
        assert!(matches!(reader.take_error(), Some(AudioError::Passed)));
        assert_eq!(reader.window(500, 10).map(<[f32]>::len), Some(10));

        let mut empty = Reader::from_bytes(wav(16_000, 1, 0)).unwrap();
        assert!(empty.window(0, 10).is_none());
        assert!(matches!(empty.take_error(), Some(AudioError::Empty)));
        assert!(empty.window(0, 10).is_none());
        let damage = unless_it_panics(|| -> Result<(), _> { panic!("as a demuxer does") });
        assert!(matches!(damage, Err(AudioError::Damaged(_))));
    }
}
