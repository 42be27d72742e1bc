//! What a file is, by its first bytes, and how it is given to symphonia.

use std::io::Read;

use symphonia::core::io::{MediaSource, ReadOnlySource};

use super::AudioError;

/// Most bytes kept of a stream that has to be read to its end before it can be decoded: 1 GiB.
pub(super) const MAX_KEPT: u64 = 1 << 30;

/// What Matroska and WebM files begin with, as all of EBML.
const MATROSKA: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];

/// The first bytes of a file.
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
}

impl Head {
    pub(super) fn read(from: &mut impl Read) -> Result<Self, AudioError> {
        let mut bytes = Vec::new();
        from.by_ref().take(12).read_to_end(&mut bytes).map_err(AudioError::Io)?;
        if bytes.is_empty() { Err(AudioError::Empty) } else { Ok(Self { bytes }) }
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

    pub(super) fn is_mp4(&self) -> bool {
        self.bytes.get(4..8) == Some(b"ftyp")
    }

    /// Whether this is a WAV file of unstated length, as programs write into a pipe: the greatest
    /// possible length, or nearly.
    pub(super) fn is_endless_wav(&self) -> bool {
        let length = self.bytes.get(4..8).and_then(|length| length.try_into().ok());
        self.bytes.starts_with(b"RIFF")
            && length.map(u32::from_le_bytes).is_some_and(|length| length >= 0x7FFF_0000)
    }
}

/// `source`, which begins with `head`, as it is read best.
pub(super) fn of(source: impl MediaSource + 'static, head: &Head) -> Box<dyn MediaSource> {
    if head.is_to_be_sought_in() { Box::new(source) } else { Box::new(ReadOnlySource::new(source)) }
}

/// All bytes of a stream, if there are at most `most`.
pub(super) fn keep(stream: impl Read, most: u64) -> Result<Vec<u8>, AudioError> {
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
