//! Whether a model computes here what it computed where it was converted, to the bit.
//!
//! The arithmetic is the same on every CPU, for every kernel and number of threads, so one number
//! says it: a checksum of logits. It is stored with the model ([`SelfTest::ENTRY`]) and compared by
//! `trit-whisper verify`.
//!
//! ```
//! use trit_whisper::{Error, Model, SelfTest, embedded};
//!
//! /// Whether it computes the same here, as far as that can be told.
//! fn same(model: &Model<'_>) -> Result<Option<bool>, Error> {
//!     match SelfTest::stored(model) {
//!         Some(stored) if stored.arithmetic == SelfTest::ARITHMETIC => {
//!             Ok(Some(SelfTest::run_here(model)? == stored))
//!         }
//!         _ => Ok(None),
//!     }
//! }
//! // What the embedded model gives is a constant instead.
//! assert_eq!(same(&Model::parse(embedded::model())?)?, None);
//! # Ok::<(), Error>(())
//! ```

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
    ///
    /// ```
    /// use trit_whisper::SelfTest;
    ///
    /// let test = SelfTest { arithmetic: 2, logits: 0x0102_0304 };
    /// assert_eq!(test.bytes(), [2, 0, 0, 0, 4, 3, 2, 1]);
    /// ```
    pub fn bytes(&self) -> [u8; 8] {
        let [a, b] = [self.arithmetic, self.logits].map(u32::to_le_bytes);
        [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]
    }

    /// What is stored with the model, if anything is.
    ///
    /// ```
    /// use trit_whisper::{Model, SelfTest};
    /// # use trit_whisper::convert::{ConvertOptions, convert};
    /// # use trit_whisper::{import, mmap::MappedFile};
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("dense.trit");
    /// # let checkpoint = import::open(&fixtures.join("dense"))?;
    /// # convert(&*checkpoint, &file, &ConvertOptions::default(), &mut |_, _| {})?;
    /// let file = MappedFile::open(&file)?;
    /// let model = Model::parse(&file)?;
    /// let stored = SelfTest::stored(&model).unwrap();
    /// assert_eq!(model.container().get(SelfTest::ENTRY)?.bytes()?, stored.bytes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stored(model: &Model<'_>) -> Option<Self> {
        let bytes: [u8; 8] =
            model.container().get(Self::ENTRY).ok()?.bytes().ok()?.try_into().ok()?;
        let [arithmetic, logits] = [0, 4]
            .map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        Some(Self { arithmetic, logits })
    }

    /// Runs with the best kernels for this CPU and on all its cores.
    ///
    /// ```
    /// use trit_whisper::{Model, SelfTest};
    /// # use trit_whisper::convert::{ConvertOptions, convert};
    /// # use trit_whisper::{import, mmap::MappedFile};
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("dense.trit");
    /// # let checkpoint = import::open(&fixtures.join("dense"))?;
    /// # convert(&*checkpoint, &file, &ConvertOptions::default(), &mut |_, _| {})?;
    /// let file = MappedFile::open(&file)?;
    /// let model = Model::parse(&file)?;
    /// assert_eq!(SelfTest::stored(&model), Some(SelfTest::run_here(&model)?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use trit_simd::{Kernels, parallel::Sequential};
    /// use trit_whisper::{Model, SelfTest};
    /// # use trit_whisper::convert::{ConvertOptions, convert};
    /// # use trit_whisper::{import, mmap::MappedFile};
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("dense.trit");
    /// # let checkpoint = import::open(&fixtures.join("dense"))?;
    /// # convert(&*checkpoint, &file, &ConvertOptions::default(), &mut |_, _| {})?;
    /// let file = MappedFile::open(&file)?;
    /// let model = Model::parse(&file)?;
    /// // The conversion ran the fastest kernels; plain ones give the same.
    /// let found = SelfTest::run(&model, Kernels::scalar(), &Sequential)?;
    /// assert_eq!(SelfTest::stored(&model), Some(found));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
///
/// ```
/// use trit_whisper::self_test::sound;
///
/// let second: Vec<f32> = sound().take(16_000).collect();
/// assert!(second.iter().all(|sample| sample.abs() < 0.5));
/// // Its last quarter is a pause, but for the noise.
/// assert!(second[12_000..].iter().all(|sample| sample.abs() < 0.01));
/// assert_eq!(second[0], sound().next().unwrap());
/// ```
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
