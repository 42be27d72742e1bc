//! Where the segment of a Matroska file ends, which holds all but the head.
//!
//! The demuxer takes the length of the file for it. A file that is cut off would have no segment
//! then, as it would end beyond the file, and a stream would have no end.

use std::io::{self, Read, Seek, SeekFrom};

/// What Matroska and WebM files begin with, as all of EBML.
pub(super) const MAGIC: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];

/// Bytes in which the segment begins.
pub(super) const HEAD: u64 = 64;

/// Most elements that are looked at for what tells how to decode the file.
const ELEMENTS: usize = 1000;

const SEGMENT: &[u8] = &[0x18, 0x53, 0x80, 0x67];
const INFO: &[u8] = &[0x15, 0x49, 0xA9, 0x66];
const TRACKS: &[u8] = &[0x16, 0x54, 0xAE, 0x6B];
const CLUSTER: &[u8] = &[0x1F, 0x43, 0xB6, 0x75];

/// The segment of a file.
pub(super) struct Segment {
    start: u64,
    /// Where it ends, if that is stated: not in a file that was written into a pipe.
    pub(super) end: Option<u64>,
}

impl Segment {
    /// Finds it in the first bytes of a file.
    pub(super) fn find(head: &[u8]) -> Option<Self> {
        let (_, size, len) = element(head)?;
        let at = usize::try_from(size?).ok()?.checked_add(len)?;
        let (id, size, len) = element(head.get(at..)?)?;
        let start = (at + len) as u64;
        (id == SEGMENT).then(|| Self { start, end: size.map(|size| start + size) })
    }

    /// Whether what tells how to decode the packets comes before them, so that nothing is to be
    /// sought.
    pub(super) fn is_in_order(&self, file: &mut (impl Read + Seek)) -> io::Result<bool> {
        let (mut place, mut info, mut tracks) = (self.start, false, false);
        for _ in 0..ELEMENTS {
            file.seek(SeekFrom::Start(place))?;
            let mut head = Vec::new();
            file.by_ref().take(16).read_to_end(&mut head)?;
            let Some((id, size, len)) = element(&head) else { break };
            info |= id == INFO;
            tracks |= id == TRACKS;
            match size {
                _ if id == CLUSTER => return Ok(info && tracks),
                Some(size) if i64::try_from(place + len as u64 + size).is_ok() => {
                    place += len as u64 + size;
                }
                _ => break,
            }
        }
        Ok(false)
    }
}

/// What the element is that the bytes begin with, its size, if that is stated, and the length of
/// both.
fn element(bytes: &[u8]) -> Option<(&[u8], Option<u64>, usize)> {
    let (_, id) = number(bytes)?;
    let (size, len) = number(&bytes[id..])?;
    Some((&bytes[..id], size, id + len))
}

/// The number that the bytes begin with, if it is not all ones, and its length.
fn number(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    let bytes = bytes.get(..len).filter(|_| len <= 8)?;
    let ones = (1 << (7 * len)) - 1;
    let number = bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)) & ones;
    Some(((number != ones).then_some(number), len))
}
