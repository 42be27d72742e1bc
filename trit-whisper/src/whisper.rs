//! The short way: a model with its memory and threads.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPoolBuildError;
use trit_simd::parallel::Join;
use trit_simd::{Cpu, Kernels};

use crate::mmap::MappedFile;
use crate::output::Transcript;
use crate::threads::Threads;
use crate::{
    Error, Event, MemoryPlan, Model, ModelError, Options, SAMPLE_RATE, Samples, Segments, Summary,
    Transcriber, embedded,
};

/// A model, with the memory and threads to run it.
///
/// Any number of them may be in use, each by one thread at a time; nothing is global.
///
/// ```
/// use trit_whisper::{Whisper, audio};
///
/// let mut whisper = Whisper::embedded()?.words(true);
/// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
/// let samples = audio::read_file(&path)?.samples;
/// for segment in whisper.transcribe(&samples)?.segments {
///     println!("{:.1} s to {:.1} s: {}", segment.start, segment.end, segment.text);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Whisper {
    bytes: Bytes,
    kernels: Kernels,
    threads: Threads,
    arena: Vec<u8>,
    options: Options<'static>,
}

/// Where a model lies, at a multiple of 64.
enum Bytes {
    Static(&'static [u8]),
    File(MappedFile),
    Owned { memory: Vec<u8>, start: usize, len: usize },
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::File(file) => file,
            Self::Owned { memory, start, len } => &memory[*start..start + len],
        }
    }
}

/// Why a model cannot be used.
///
/// ```
/// use trit_core::container::ContainerError;
/// use trit_whisper::{LoadError, ModelError, Whisper, embedded};
///
/// let nowhere = Whisper::load("nowhere.trit").unwrap_err();
/// assert!(matches!(&nowhere, LoadError::Io { path, .. } if path.as_os_str() == "nowhere.trit"));
///
/// let other = Whisper::from_bytes(b"RIFF____WAVEfmt ").unwrap_err();
/// assert_eq!(other.to_string(), ContainerError::NotTrit.to_string());
///
/// // A bit flipped in the last of the weights.
/// let mut bytes = embedded::model().to_vec();
/// bytes[embedded::model().len() - 100] ^= 1;
/// let damaged = Whisper::from_bytes(&bytes).unwrap_err();
/// assert!(matches!(damaged, LoadError::Model(ModelError::Container(_))));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds no sound model.
    Model(ModelError),
    /// The system refuses the threads.
    Threads(ThreadPoolBuildError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Model(error) => error.fmt(f),
            Self::Threads(error) => write!(f, "cannot start threads: {error}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Model(error) => Some(error),
            Self::Threads(error) => Some(error),
        }
    }
}

impl From<ModelError> for LoadError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

impl fmt::Debug for Whisper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whisper")
            .field("bytes", &self.bytes.get().len())
            .field("threads", &self.threads.threads())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Whisper {
    /// The model in the `.trit` file at `path`, which is mapped, not read, and must not change while
    /// it is in use. Its checksums are verified.
    ///
    /// ```
    /// use trit_whisper::Whisper;
    ///
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// let whisper = Whisper::load(folder.join("models/words.trit"))?;
    /// assert_eq!(whisper.model()?.config().n_text_layer, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A file that cannot be read or holds no sound model, or threads that the system refuses.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let file = MappedFile::open(path)
            .map_err(|error| LoadError::Io { path: path.to_owned(), error })?;
        Self::new(Bytes::File(file))
    }

    /// The model in the bytes of a `.trit` file, which are copied.
    ///
    /// ```
    /// use trit_whisper::{Whisper, embedded};
    ///
    /// // From an archive or the network, at any address.
    /// let bytes = [b"?", embedded::model()].concat();
    /// let whisper = Whisper::from_bytes(&bytes[1..])?;
    /// assert_eq!(*whisper.model()?.config(), *Whisper::embedded()?.model()?.config());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut memory = vec![0; bytes.len() + crate::arena::ALIGNMENT];
        let start = memory.as_ptr().align_offset(crate::arena::ALIGNMENT).min(memory.len());
        let len = bytes.len().min(memory.len() - start);
        memory[start..start + len].copy_from_slice(&bytes[..len]);
        Self::new(Bytes::Owned { memory, start, len })
    }

    /// The model that comes with the crate: 35 spoken English words.
    ///
    /// ```
    /// use trit_whisper::{Error, Whisper};
    ///
    /// let mut whisper = Whisper::embedded()?;
    /// assert_eq!(whisper.transcribe(&[0.0; 16_000])?.text, "");
    /// assert_eq!(whisper.transcribe(&[]), Err(Error::EmptyAudio));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Threads that the system refuses.
    pub fn embedded() -> Result<Self, LoadError> {
        Self::new(Bytes::Static(embedded::model()))
    }

    fn new(bytes: Bytes) -> Result<Self, LoadError> {
        Model::parse(bytes.get())?.container().verify().map_err(ModelError::from)?;
        let threads = Threads::new(0).map_err(LoadError::Threads)?;
        let kernels = Kernels::new(&Cpu::detect());
        Ok(Self { bytes, kernels, threads, arena: Vec::new(), options: Options::default() })
    }

    /// Runs on `count` threads; 0, as at first, means one for each core.
    ///
    /// # Errors
    /// The system refuses them.
    pub fn threads(mut self, count: usize) -> Result<Self, LoadError> {
        self.threads = Threads::new(count).map_err(LoadError::Threads)?;
        Ok(self)
    }

    /// Runs these kernels instead of the CPU's defaults.
    ///
    /// ```
    /// use trit_simd::Kernels;
    /// use trit_whisper::Whisper;
    ///
    /// // Slow, on one thread, and the same text to the bit.
    /// let mut whisper = Whisper::embedded()?.threads(1)?.kernels(Kernels::scalar());
    /// assert!(whisper.transcribe(&[0.0; 8_000])?.segments.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kernels(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// Transcribes by these options.
    ///
    /// ```
    /// use trit_whisper::{AudioCtx, Options, Whisper, audio};
    ///
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    /// let samples = audio::read_file(&folder.join("samples/yes-no.flac"))?.samples;
    /// // The first 0.8 s, in a window as short.
    /// let audio_ctx = AudioCtx::Positions(40.try_into()?);
    /// let options = Options { duration: Some(12_800), audio_ctx, ..Options::default() };
    /// assert_eq!(Whisper::embedded()?.options(options).transcribe(&samples)?.text, "yes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options(mut self, options: Options<'static>) -> Self {
        self.options = options;
        self
    }

    /// Finds out when each word is spoken ([`Options::words`]).
    pub fn words(mut self, words: bool) -> Self {
        self.options.words = words;
        self
    }

    /// Takes audio to be in the language of this code, such as `en`, instead of detecting it.
    ///
    /// ```
    /// use trit_whisper::{Error, Whisper};
    ///
    /// let error = Whisper::embedded()?.language("en").unwrap_err();
    /// assert_eq!(error, Error::Language(*b"en\0\0\0\0\0\0"));
    /// assert_eq!(error.to_string(), "the model does not know the language `en`");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The model knows one language only, or not this one.
    pub fn language(mut self, code: &str) -> Result<Self, Error> {
        self.options.language = Some(self.model()?.language(code)?);
        Ok(self)
    }

    /// The model, to be asked for its configuration and tokens.
    ///
    /// # Errors
    /// None for a file that has not changed since it was loaded.
    pub fn model(&self) -> Result<Model<'_>, Error> {
        Ok(Model::parse(self.bytes.get())?)
    }

    /// Transcribes 16 kHz mono samples in −1..1 ([`audio`](crate::audio) reads them from files).
    ///
    /// # Errors
    /// No samples, a sample that is not finite, options the model cannot follow, unusable weights.
    pub fn transcribe(&mut self, samples: &[f32]) -> Result<Transcript, Error> {
        let mut transcript = Transcript {
            duration: samples.len() as f64 / SAMPLE_RATE as f64,
            ..Transcript::default()
        };
        let mut language = None;
        self.transcribe_with(samples, |event| {
            match event {
                Event::Language { token, probability } => language = Some((token, probability)),
                Event::Segment(segment) => drop(transcript.push(&segment)),
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        if let Some((token, probability)) = language {
            transcript.language = self.model()?.language_code(token).map(str::to_owned);
            transcript.language_probability = Some(probability);
        }
        Ok(transcript)
    }

    /// As [`transcribe`](Self::transcribe), telling `tell` of segments and progress as they come,
    /// until it breaks.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use trit_whisper::{Error, Event, Whisper};
    ///
    /// let mut whisper = Whisper::embedded()?;
    /// let done = whisper.transcribe_with(&[0.0; 160_000], |event| match event {
    ///     Event::Progress { done, .. } if done >= 16_000 => ControlFlow::Break(()),
    ///     _ => ControlFlow::Continue(()),
    /// });
    /// assert!(matches!(done, Ok(_) | Err(Error::Cancelled)));
    /// # Ok::<(), trit_whisper::LoadError>(())
    /// ```
    ///
    /// # Errors
    /// As `transcribe`, and [`Error::Cancelled`] if there was more to do when `tell` broke.
    pub fn transcribe_with(
        &mut self,
        samples: &[f32],
        mut tell: impl FnMut(Event<'_>) -> ControlFlow<()> + Send,
    ) -> Result<Summary, Error> {
        let cancelled = AtomicBool::new(false);
        let (mut transcriber, threads) = self.transcriber()?;
        transcriber.cancel_with(&cancelled);
        threads.install(|| {
            transcriber.transcribe(samples, &mut |event| {
                if !cancelled.load(Ordering::Relaxed) && tell(event).is_break() {
                    cancelled.store(true, Ordering::Relaxed);
                }
            })
        })
    }

    /// The segments of some audio one by one, each window being done when it is asked for, so that the
    /// audio need not be in memory as a whole.
    ///
    /// ```
    /// use trit_whisper::{Whisper, audio};
    ///
    /// let mut whisper = Whisper::embedded()?;
    /// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
    /// // What is not asked for is not transcribed.
    /// if let Some(first) = whisper.segments(audio::Reader::open(&path)?)?.next() {
    ///     println!("it begins with {}", first?.text);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Options the model cannot follow; the iterator itself gives those of
    /// [`Transcriber::transcribe_from`].
    pub fn segments<S: Samples>(&mut self, samples: S) -> Result<Segments<'_, '_, S>, Error> {
        let (transcriber, threads) = self.transcriber()?;
        Ok(Segments::new(transcriber, Some(threads), samples))
    }

    /// A transcriber in this memory, and the threads that it is to be called on.
    fn transcriber(&mut self) -> Result<(Transcriber<'_, '_>, &Threads), Error> {
        let Self { bytes, kernels, threads, arena, options } = self;
        let model = Model::parse(bytes.get())?;
        let needed = MemoryPlan::with_options(&model, threads.threads(), options).total();
        if let Some(more) = needed.checked_sub(arena.len()) {
            let short = Error::Arena { expected: needed, found: arena.len() };
            arena.try_reserve_exact(more).map_err(|_| short)?;
            arena.resize(needed, 0);
        }
        let threads = &*threads;
        Ok((Transcriber::owning(model, *kernels, threads, arena, *options)?, threads))
    }
}
