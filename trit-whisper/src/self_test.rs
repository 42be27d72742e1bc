//! Whether a model computes here what it computed where it was converted, to the bit.
//!
//! The arithmetic is the same on every CPU, for every kernel and number of threads, so one number
//! says it: a checksum of logits. It is stored with the model ([`SelfTest::ENTRY`]) and compared by
//! `trit-whisper verify`.

use trit_simd::parallel::{Join, Sequential};
use trit_simd::{Cpu, Kernels};

use crate::threads::Threads;
use crate::{Error, MemoryPlan, Model, Options, Transcriber};

/// What a model computes of a fixed sound.
///
/// ```
/// use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// use trit_whisper::{Model, SelfTest, embedded};
///
/// let model = Model::parse(embedded::model())?;
/// let found = SelfTest::run(&model, Kernels::new(&Cpu::detect()), &Sequential)?;
/// assert_eq!(found, embedded::SELF_TEST);
/// # Ok::<(), trit_whisper::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfTest {
    /// The version of the arithmetic: results of different ones cannot be compared.
    pub arithmetic: u32,
    /// CRC-32 of the logits' bits.
    pub logits: u32,
}

/// Tokens decoded.
const TOKENS: usize = 8;

impl SelfTest {
    /// The version of this crate's arithmetic. It is raised when the same weights and samples come to
    /// give other bits; a test that holds the embedded model to [`embedded::SELF_TEST`] tells when.
    ///
    /// [`embedded::SELF_TEST`]: crate::embedded::SELF_TEST
    pub const ARITHMETIC: u32 = 3;

    /// The model's entry that it is stored in.
    pub const ENTRY: &str = "meta.selftest";

    /// The bytes of that entry: both numbers, little endian.
    pub fn bytes(&self) -> [u8; 8] {
        let [a, b] = [self.arithmetic, self.logits].map(u32::to_le_bytes);
        [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]
    }

    /// What is stored with the model, if anything is.
    pub fn stored(model: &Model<'_>) -> Option<Self> {
        let bytes: [u8; 8] =
            model.container().get(Self::ENTRY).ok()?.bytes().ok()?.try_into().ok()?;
        let [arithmetic, logits] = [0, 4]
            .map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        Some(Self { arithmetic, logits })
    }

    /// Runs with the best kernels for this CPU and on all its cores.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_here(model: &Model<'_>) -> Result<Self, Error> {
        let kernels = Kernels::new(&Cpu::detect());
        match Threads::new(0) {
            Ok(threads) => threads.install(|| Self::run(model, kernels, &threads)),
            Err(_) => Self::run(model, kernels, &Sequential),
        }
    }

    /// Encodes a window of [`sound`] and decodes a few tokens, the likeliest after the last each
    /// time.
    ///
    /// # Errors
    /// Unusable weights, or no memory for the arena.
    pub fn run(model: &Model<'_>, kernels: Kernels, join: &dyn Join) -> Result<Self, Error> {
        let config = model.config();
        let expected = MemoryPlan::with_threads(config, join.threads()).total();
        let mut arena = Vec::new();
        arena.try_reserve_exact(expected).map_err(|_| Error::Arena { expected, found: 0 })?;
        arena.resize(expected, 0);
        let mut transcriber =
            Transcriber::new(model, kernels, join, &mut arena, Options::default())?;
        let samples: Vec<f32> = sound().take(config.window()).collect();
        transcriber.encode(&samples)?;
        let mut digest = crc32fast::Hasher::new();
        let mut token = config.sot;
        for _ in 0..TOKENS {
            let Some(logits) = transcriber.feed(token)? else { break };
            for logit in logits {
                digest.update(&logit.to_bits().to_le_bytes());
            }
            let likeliest = logits.iter().zip(0..).max_by(|(a, _), (b, _)| a.total_cmp(b));
            token = likeliest.map_or(config.eot, |(_, token)| token);
        }
        Ok(Self { arithmetic: Self::ARITHMETIC, logits: digest.finalize() })
    }
}

/// A sound with pitches, noise and pauses, from integers alone, so that it is the same everywhere.
pub fn sound() -> impl Iterator<Item = f32> {
    let mut noise = 0x2545_F491_u32;
    (0u32..).map(move |n| {
        // Marsaglia's xorshift with its shifts of 13, 17 and 5.
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        // Triangles of 125, 320 and 1000 Hz, in −4096..4096, and one in four parts of silence.
        let triangle = |period: u32| {
            let phase = (n % period) * 16_384 / period;
            8192u32.abs_diff(phase) as i32 - 4096
        };
        let voice = triangle(128) + triangle(50) + triangle(16);
        let voice = if n / 4000 % 4 == 3 { 0 } else { voice };
        // At most 3 · 4096 + 256, and i16 is a power of two: the quotient is exact.
        (voice + (noise >> 23) as i32 - 256) as f32 / 32_768.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_is_always_the_same() {
        let samples: Vec<f32> = sound().take(32_000).collect();
        assert!(samples.iter().all(|sample| sample.abs() < 0.5));
        let mut digest = crc32fast::Hasher::new();
        samples.iter().for_each(|sample| digest.update(&sample.to_bits().to_le_bytes()));
        assert_eq!(digest.finalize(), 4_202_195_756);
        let loud = samples[..12_000].iter().filter(|sample| sample.abs() > 0.1).count();
        let quiet = samples[12_000..16_000].iter().filter(|sample| sample.abs() > 0.01).count();
        assert!(loud > 5000 && quiet == 0, "{loud} {quiet}");
    }
}
