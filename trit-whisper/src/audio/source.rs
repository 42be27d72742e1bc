//! What a file is, by its first bytes, and how it is given to symphonia.

use std::io::{Cursor, Read};

use symphonia::core::io::{MediaSource, ReadOnlySource};
use trit_core::container;

use super::AudioError;
use super::wav::Wav;

/// Most bytes kept of a stream that has to be read to its end before it can be decoded: 1 GiB.
const MAX_KEPT: u64 = 1 << 30;

/// What symphonia is given.
pub(super) struct Source {
    pub(super) media: Box<dyn MediaSource>,
    /// Whether it states no length and ends where it ends.
    pub(super) endless: bool,
}

impl Source {
    /// Something that can be sought in.
    pub(super) fn of_file(mut file: impl MediaSource + 'static) -> Result<Self, AudioError> {
        let head = Head::read(&mut file)?;
        if head.is_to_be_sought_in() {
            file.rewind().map_err(AudioError::Io)?;
            return Ok(Self { media: Box::new(file), endless: false });
        }
        Self::of_rest(head, file)
    }

    /// Something that can only be read on.
    pub(super) fn of_stream(
        mut stream: impl Read + Send + Sync + 'static,
    ) -> Result<Self, AudioError> {
        let head = Head::read(&mut stream)?;
        if head.is_mp4() {
            // Its index may come last, so it is read to the end first.
            return Self::of_file(Cursor::new(keep(
                head.bytes.as_slice().chain(stream),
                MAX_KEPT,
            )?));
        }
        Self::of_rest(head, stream)
    }

    fn of_rest(
        head: Head,
        mut rest: impl Read + Send + Sync + 'static,
    ) -> Result<Self, AudioError> {
        let (bytes, endless) = if Wav::is_one(&head.bytes) {
            let wav = Wav::mend(head.bytes, &mut rest)?;
            (wav.bytes, wav.endless)
        } else {
            (head.bytes, false)
        };
        let media = Box::new(ReadOnlySource::new(Cursor::new(bytes).chain(rest)));
        Ok(Self { media, endless })
    }
}

/// What Matroska and WebM files begin with, as all of EBML.
const MATROSKA: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];

/// The first bytes of a file.
struct Head {
    bytes: Vec<u8>,
}

impl Head {
    fn read(from: &mut impl Read) -> Result<Self, AudioError> {
        let mut bytes = Vec::new();
        from.by_ref().take(12).read_to_end(&mut bytes).map_err(AudioError::Io)?;
        if bytes.is_empty() {
            return Err(AudioError::Empty);
        }
        // In so many bytes of weights or of a film, of MPEG-TS and AVI, a demuxer may find what looks
        // like a frame of its own.
        let film = bytes.starts_with(b"G@") || bytes.get(8..) == Some(b"AVI ");
        if bytes.starts_with(&container::MAGIC) || film {
            return Err(AudioError::NotAudio);
        }
        Ok(Self { bytes })
    }

    /// Whether symphonia reads files of this kind better if it can seek in them: what tells how to
    /// decode them may come last, or their length.
    ///
    /// Of other kinds it would guess the length from that of the file, which is wrong wherever the
    /// bit rate varies, and leave out what lies beyond.
    fn is_to_be_sought_in(&self) -> bool {
        let kinds = [b"caff", b"OggS", &MATROSKA];
        self.is_mp4() || kinds.iter().any(|kind| self.bytes.starts_with(&kind[..]))
    }

    fn is_mp4(&self) -> bool {
        self.bytes.get(4..8) == Some(b"ftyp")
    }
}

/// All bytes of a stream, if there are at most `most`.
fn keep(stream: impl Read, most: u64) -> Result<Vec<u8>, AudioError> {
    let mut bytes = Vec::new();
    stream.take(most + 1).read_to_end(&mut bytes).map_err(AudioError::Io)?;
    if bytes.len() as u64 > most { Err(AudioError::TooLarge { bytes: most }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn streams_that_are_too_large_are_told_from_those_that_are_too_long() {
        assert_eq!(keep(&[7; 100][..], 100).unwrap(), [7; 100]);
        let error = keep(io::repeat(7), 100).unwrap_err();
        assert!(matches!(error, AudioError::TooLarge { bytes: 100 }));
        let error = AudioError::TooLarge { bytes: MAX_KEPT }.to_string();
        assert_eq!(error, "an MP4 stream of more than 1024 MiB cannot be kept; read it as a file");
    }
}
