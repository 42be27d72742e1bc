//! What a file is, by its first bytes, and how it is given to symphonia.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;
use trit_core::container;

use super::AudioError;
use super::matroska::{self, Segment};
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
            if head.bytes.starts_with(&matroska::MAGIC) {
                let segment = segment_in_order(&mut file).map_err(AudioError::Io)?;
                if let Some(Segment { end, .. }) = segment {
                    file.rewind().map_err(AudioError::Io)?;
                    return Ok(Self::ahead(file, end, end.is_none()));
                }
            }
            let index_first = head.is_mp4() && index_is_first(&mut file).map_err(AudioError::Io)?;
            file.rewind().map_err(AudioError::Io)?;
            let media: Box<dyn MediaSource> =
                if index_first { Box::new(NoEnd(file)) } else { Box::new(file) };
            return Ok(Self { media, endless: false });
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
        let (mut bytes, mut end, mut endless) = (head.bytes, None, false);
        if Wav::is_one(&bytes) {
            let wav = Wav::mend(bytes, &mut rest)?;
            (bytes, endless) = (wav.bytes, wav.endless);
        } else if bytes.starts_with(&matroska::MAGIC) {
            let more = matroska::HEAD - bytes.len() as u64;
            rest.by_ref().take(more).read_to_end(&mut bytes).map_err(AudioError::Io)?;
            if let Some(segment) = Segment::find(&bytes) {
                (end, endless) = (segment.end, segment.end.is_none());
            }
        }
        Ok(Self::ahead(Cursor::new(bytes).chain(rest), end, endless))
    }

    /// What is only read on, to its stated end if it has one.
    fn ahead(from: impl Read + Send + Sync + 'static, end: Option<u64>, endless: bool) -> Self {
        Self { media: Box::new(Ahead { from, end }), endless }
    }
}

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
        let kinds = [b"caff", b"OggS", &matroska::MAGIC];
        self.is_mp4() || kinds.iter().any(|kind| self.bytes.starts_with(&kind[..]))
    }

    fn is_mp4(&self) -> bool {
        self.bytes.get(4..8) == Some(b"ftyp")
    }
}

/// The segment of a Matroska file that need not be sought in.
fn segment_in_order(file: &mut (impl Read + Seek)) -> io::Result<Option<Segment>> {
    let mut head = Vec::new();
    file.rewind()?;
    file.by_ref().take(matroska::HEAD).read_to_end(&mut head)?;
    match Segment::find(&head) {
        Some(segment) if segment.is_in_order(file)? => Ok(Some(segment)),
        _ => Ok(None),
    }
}

/// Bytes that cannot be sought in, and where they end, if that is stated.
struct Ahead<R> {
    from: R,
    end: Option<u64>,
}

impl<R: Read> Read for Ahead<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.from.read(bytes)
    }
}

impl<R> Seek for Ahead<R> {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::Error::other("the source cannot be sought in"))
    }
}

impl<R: Read + Send + Sync> MediaSource for Ahead<R> {
    fn is_seekable(&self) -> bool {
        false
    }

    fn byte_len(&self) -> Option<u64> {
        self.end
    }
}

/// Most boxes of an MP4 file that are looked at for its index.
const BOXES: usize = 1000;

/// Whether the index of an MP4 file comes before its samples.
fn index_is_first(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let (mut place, mut index) = (0_u64, false);
    for _ in 0..BOXES {
        file.seek(SeekFrom::Start(place))?;
        let mut head = Vec::new();
        file.by_ref().take(16).read_to_end(&mut head)?;
        let Some((size, rest)) = head.split_first_chunk() else { break };
        match rest.first_chunk() {
            Some(b"moov") => index = true,
            Some(b"mdat" | b"moof") => return Ok(index),
            Some(_) => {}
            None => break,
        }
        let size = match (u32::from_be_bytes(*size), head.last_chunk()) {
            (1, Some(size)) if head.len() == 16 => u64::from_be_bytes(*size),
            (size, _) => size.into(),
        };
        // 0 is the rest of the file.
        match place.checked_add(size) {
            Some(next) if size >= 8 && i64::try_from(next).is_ok() => place = next,
            _ => break,
        }
    }
    Ok(false)
}

/// A file whose end is far away, so that a box is not left out whose last bytes are missing.
struct NoEnd<F>(F);

impl<F: Read> Read for NoEnd<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl<F: Seek> Seek for NoEnd<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            // The file system might refuse such a place. Another one is always sought next.
            SeekFrom::End(_) => Ok(u64::MAX >> 2),
            to => self.0.seek(to),
        }
    }
}

impl<F: MediaSource> MediaSource for NoEnd<F> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        None
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
