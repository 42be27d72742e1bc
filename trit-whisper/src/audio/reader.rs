//! Decodes a file or stream as its samples are asked for.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use symphonia::core::formats::probe::Hint;

use super::input::{Input, Packet};
use super::mono::Mono;
use super::source::Source;
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

/// Seconds that may be missing of the stated length: codecs' delays.
const MISSING: f64 = 0.1;

/// Packets that could not be decoded.
struct Damaged {
    count: usize,
    /// How long they are by what they state.
    seconds: f64,
    /// The second of the first of them.
    from: f64,
    /// Why that one could not be.
    why: String,
}

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
    /// The number of packets that were decoded.
    decoded: usize,
    /// The packets that could not be decoded.
    damaged: Option<Damaged>,
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
        let file = File::open(path).map_err(AudioError::Io)?;
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
        Self::new(Source::of_file(file)?, &hint)
    }

    /// Opens audio that comes as a stream that cannot seek, such as standard input.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_stream(stream: impl Read + Send + Sync + 'static) -> Result<Self, AudioError> {
        Self::new(Source::of_stream(stream)?, &Hint::new())
    }

    /// Opens audio in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, AudioError> {
        Self::new(Source::of_file(io::Cursor::new(bytes))?, &Hint::new())
    }

    fn new(source: Source, hint: &Hint) -> Result<Self, AudioError> {
        let input = unless_it_panics(|| Input::open(source, hint))?;
        Ok(Self {
            input: Some(input),
            mono: Mono::default(),
            decoded: 0,
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
        match unless_it_panics(|| input.packet(&mut self.mono)) {
            Ok(Packet::Decoded) => self.decoded += 1,
            Ok(Packet::Passed) => {}
            Ok(Packet::Damaged(why, seconds)) => {
                let from = self.mono.seconds();
                let none = Damaged { count: 0, seconds: 0.0, from, why };
                let damaged = self.damaged.get_or_insert(none);
                damaged.count += 1;
                damaged.seconds += seconds;
            }
            Ok(Packet::End { early }) => self.end(early)?,
            // What comes before it can be had.
            Err(error) if self.mono.end() > 0 => self.end(Some(error.to_string()))?,
            Err(error) => return Err(error),
        }
        if self.mono.end() > samples_in(hours) {
            return Err(AudioError::TooLong { hours: hours as u32 });
        }
        Ok(())
    }

    /// Ends the audio, and says why where it ends early.
    fn end(&mut self, early: Option<String>) -> Result<(), AudioError> {
        self.ended = early;
        match self.input.take() {
            Some(input) => self.finish(input.stated(), input.gaps.filled),
            None => Ok(()),
        }
    }

    /// Sums up what was wrong.
    fn finish(
        &mut self,
        stated: Option<f64>,
        filled: Option<(f64, f64)>,
    ) -> Result<(), AudioError> {
        let seconds = self.mono.seconds();
        // Damaged packets that no silence stands for.
        let damaged = self.damaged.as_ref().map_or(0.0, |damaged| damaged.seconds);
        let left_out = (damaged - filled.map_or(0.0, |(_, seconds)| seconds)).max(0.0);
        if let Some(stated) = stated.filter(|stated| *stated > seconds + left_out + MISSING) {
            self.ended.get_or_insert_with(|| format!("its header states {stated:.1} s"));
        }
        self.mono.finish()?;
        let damaged = self.damaged.take();
        if let Some(Damaged { count, why, .. }) = &damaged {
            if self.decoded == 0 {
                return Err(AudioError::Damaged(why.clone()));
            }
            // In a file of something else, too, there may be what looks like audio.
            if *count > self.decoded {
                let all = count + self.decoded;
                let what = format!("{count} of {all} packets cannot be decoded, the first: {why}");
                return Err(AudioError::Damaged(what));
            }
        }
        let damaged = damaged.map(|Damaged { count, from, .. }| match count {
            1 => format!("a damaged packet left out at {from:.1} s"),
            _ => format!("{count} damaged packets left out, the first at {from:.1} s"),
        });
        let ended = self.ended.take();
        let ended = ended.map(|what| format!("the file ends early, at {seconds:.1} s: {what}"));
        let filled = filled.map(|(from, seconds)| {
            format!("{seconds:.1} s of silence put in for missing audio, the first at {from:.1} s")
        });
        let all: Vec<_> = [damaged, filled, ended].into_iter().flatten().collect();
        self.warning = (!all.is_empty()).then(|| all.join("; "));
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
            let read = match self.read_on(HOURS_IN_WINDOWS) {
                Err(error @ AudioError::TooLong { .. }) => self.end(Some(error.to_string())),
                read => read,
            };
            if let Err(error) = read {
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
            Some(input) => Some(((input.stated()? * SAMPLE_RATE as f64) as usize).max(self.len())),
        }
    }
}

/// Some of the demuxers panic on some damaged headers (overflow in debug builds). What they work on
/// is not used again then, so nothing is seen in a half-changed state.
fn unless_it_panics<T>(read: impl FnOnce() -> Result<T, AudioError>) -> Result<T, AudioError> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(AudioError::Damaged("the decoder gave up on it".into())))
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
    fn missing_audio_is_told_from_damaged_packets() {
        for (damaged, filled, early) in
            [(0.0, 0.0, true), (0.2, 0.0, true), (0.6, 0.0, false), (0.6, 0.4, true)]
        {
            let mut reader = Reader::from_bytes(wav(16_000, 1, 16_000)).unwrap();
            reader.window(0, 8_000);
            let stated = reader.mono.seconds() + 0.5;
            reader.damaged =
                Some(Damaged { count: 2, seconds: damaged, from: 0.1, why: String::new() });
            reader.finish(Some(stated), Some((0.1, filled))).unwrap();
            let warning = reader.warning.unwrap();
            assert!(warning.starts_with("2 damaged packets left out, the first at 0.1 s"));
            assert_eq!(warning.contains("ends early"), early, "{damaged} {filled}");
        }
    }

    #[test]
    fn audio_that_is_too_long_for_windows_ends_early() {
        let mut reader = Reader::from_bytes(wav(16_000, 1, 16_000)).unwrap();
        assert!(matches!(
            reader.read_on(0).and(reader.read_on(0)),
            Err(AudioError::TooLong { hours: 0 })
        ));
        reader.end(Some(AudioError::TooLong { hours: 0 }.to_string())).unwrap();
        assert!(!reader.is_empty() && reader.is_at_end());
        assert!(reader.warning().unwrap().ends_with(": the audio is longer than 0 hours"));
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
