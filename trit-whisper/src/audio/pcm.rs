//! Raw samples, as programs and microphones give them.

use std::ops::RangeInclusive;

use super::AudioError;
use super::mono::Mono;

/// How a raw sample is written.
///
/// ```
/// use trit_whisper::audio::{Encoding, Pcm};
///
/// assert_eq!([Encoding::S16le, Encoding::F32le].map(Encoding::bytes), [2, 4]);
///
/// // Two channels become their mean.
/// let frame: Vec<u8> = [0.5_f32, 0.25].iter().flat_map(|x| x.to_le_bytes()).collect();
/// assert_eq!(Pcm::new(Encoding::F32le, 16_000, 2)?.push(&frame)?, [0.375]);
/// # Ok::<(), trit_whisper::audio::AudioError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Two's complement of 16 bits, little endian.
    S16le,
    /// Single precision, little endian, nominally in −1..1.
    F32le,
}

impl Encoding {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::S16le => 2,
            Self::F32le => 4,
        }
    }
}

/// Makes 16 kHz mono of raw samples that come in pieces of any size.
///
/// ```
/// use trit_whisper::audio::{Encoding, Pcm};
///
/// assert!(Pcm::RATES.contains(&44_100));
/// let mut pcm = Pcm::new(Encoding::S16le, 16_000, 1)?;
/// assert_eq!(pcm.push(&[0, 0x40, 0])?, [0.5]);
/// assert_eq!(pcm.push(&[0xC0])?, [-0.5]);
/// assert!(pcm.finish()?.is_empty());
/// # Ok::<(), trit_whisper::audio::AudioError>(())
/// ```
pub struct Pcm {
    encoding: Encoding,
    channels: usize,
    mono: Mono,
    /// Bytes of a frame that is not whole yet.
    rest: Vec<u8>,
    values: Vec<f32>,
}

impl std::fmt::Debug for Pcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pcm")
            .field("encoding", &self.encoding)
            .field("channels", &self.channels)
            .field("seconds", &self.mono.seconds())
            .finish_non_exhaustive()
    }
}

impl Pcm {
    /// Samples per second and channel that are taken.
    pub const RATES: RangeInclusive<u32> = super::mono::RATES;

    /// Samples of `channels` interleaved channels at `rate` Hz; no channel counts as one.
    ///
    /// # Errors
    /// A rate outside of [`RATES`](Self::RATES), 1 to 768 kHz, or one that cannot be resampled.
    pub fn new(encoding: Encoding, rate: u32, channels: u16) -> Result<Self, AudioError> {
        let mut mono = Mono::default();
        mono.set_rate(rate)?;
        let channels = usize::from(channels.max(1));
        Ok(Self { encoding, channels, mono, rest: Vec::new(), values: Vec::new() })
    }

    /// Takes the next bytes and returns the samples they complete. Resampling keeps some back.
    ///
    /// # Errors
    /// A sample that is NaN, infinite or beyond any loudness.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<f32>, AudioError> {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() - self.rest.len() % (self.channels * self.encoding.bytes());
        let values = self.rest[..whole].chunks_exact(self.encoding.bytes());
        self.values.clear();
        self.values.extend(values.map(|b| match *b {
            [a, b] => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
            _ => 0.0,
        }));
        self.rest.drain(..whole);
        self.mono.push(&self.values, self.channels)?;
        Ok(self.mono.take())
    }

    /// Returns the samples that resampling has kept back, at the end. A frame that is not whole is
    /// dropped.
    ///
    /// # Errors
    /// The resampler refuses.
    pub fn finish(mut self) -> Result<Vec<f32>, AudioError> {
        self.mono.finish()?;
        Ok(self.mono.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_pieces_give_the_same_samples() {
        let bytes: Vec<u8> = (0..40_000u32).map(|n| (n * n / 7) as u8 & 0x3F).collect();
        for (encoding, rate, channels) in [
            (Encoding::S16le, 16_000, 1),
            (Encoding::S16le, 44_100, 2),
            (Encoding::F32le, 8_000, 3),
        ] {
            let read = |size: usize| {
                let mut pcm = Pcm::new(encoding, rate, channels).unwrap();
                let mut samples = Vec::new();
                for piece in bytes.chunks(size) {
                    samples.extend(pcm.push(piece).unwrap());
                }
                samples.extend(pcm.finish().unwrap());
                samples
            };
            let whole = read(bytes.len());
            let frames = bytes.len() / encoding.bytes() / usize::from(channels);
            assert_eq!(whole.len(), (frames * 16_000).div_ceil(rate as usize));
            for size in [1, 7, 4_096] {
                assert!(read(size) == whole, "pieces of {size}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(matches!(Pcm::new(Encoding::F32le, 10, 1), Err(AudioError::Rate(10))));
        let mut pcm = Pcm::new(Encoding::F32le, 16_000, 1).unwrap();
        let error = pcm.push(&f32::NAN.to_le_bytes());
        assert!(matches!(error, Err(AudioError::Sample { index: 0 })));
    }
}
