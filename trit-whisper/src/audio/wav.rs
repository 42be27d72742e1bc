//! Mends the sizes in the head of a WAV file.
//!
//! A program that writes into a pipe, or was killed, leaves sizes that are not those of the file: 0,
//! or the greatest number there is. The decoder refuses most of these. What counts is the size of the
//! chunk of samples; that of the whole file is made "unknown".

use std::io::Read;

use super::AudioError;

/// Most bytes kept of what comes before the samples.
const MOST: usize = 1 << 20;

/// More channels than the decoder has names for.
const CHANNELS: u16 = 26;

/// The size that says that it is not known.
const UNKNOWN: [u8; 4] = [0xFF; 4];

/// The head of a WAV file, up to its first sample.
pub(super) struct Wav {
    /// With sizes as the decoder takes them.
    pub(super) bytes: Vec<u8>,
    /// Whether the number of samples is not stated.
    pub(super) endless: bool,
}

impl Wav {
    /// Whether a file that begins with these bytes is a WAV file; RF64 is one of more than 4 GiB.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        (bytes.starts_with(b"RIFF") || bytes.starts_with(b"RF64"))
            && bytes.get(8..12) == Some(b"WAVE")
    }

    /// Reads on after `bytes`, the first 12.
    pub(super) fn mend(mut bytes: Vec<u8>, rest: &mut impl Read) -> Result<Self, AudioError> {
        let mut endless = is_endless(&bytes[4..]);
        bytes[..4].copy_from_slice(b"RIFF");
        bytes[4..8].copy_from_slice(&UNKNOWN);
        let mut read = |bytes: &mut Vec<u8>, len: usize| {
            rest.by_ref().take(len as u64).read_to_end(bytes).map_err(AudioError::Io)
        };
        while bytes.len() < MOST {
            let chunk = bytes.len();
            if read(&mut bytes, 8)? < 8 {
                break;
            }
            let len = number(&bytes[chunk + 4..]) as usize;
            if bytes[chunk..].starts_with(b"data") {
                endless = len == 0 || is_endless(&bytes[chunk + 4..]);
                if endless {
                    bytes[chunk + 4..].copy_from_slice(&UNKNOWN);
                }
                break;
            }
            if len > MOST {
                break;
            }
            // Chunks begin at even places.
            read(&mut bytes, len.next_multiple_of(2))?;
            if let [b'f', b'm', b't', b' ', _, _, _, _, _, _, low, high, ..] = bytes[chunk..] {
                let channels = u16::from_le_bytes([low, high]);
                if channels > CHANNELS {
                    return Err(AudioError::Channels { count: channels, most: CHANNELS });
                }
            }
        }
        Ok(Self { bytes, endless })
    }
}

/// Whether a size is what programs write that do not know it: the greatest there is, signed or
/// unsigned, or nearly.
fn is_endless(size: &[u8]) -> bool {
    let size = number(size);
    (0x7FFF_0000..=0x8000_FFFF).contains(&size) || size >= 0xFFFF_0000
}

/// The number in the first 4 of the bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}
