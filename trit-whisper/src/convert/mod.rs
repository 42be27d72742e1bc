//! Turns a checkpoint into a `.trit` file.
//!
//! ```
//! use trit_whisper::convert::{ConvertOptions, Storage, convert};
//! use trit_whisper::{Whisper, import};
//!
//! # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("dense.trit");
//!
//! let checkpoint = import::open(&fixtures.join("dense"))?;
//! let options = ConvertOptions { linear: Storage::Int8, ..ConvertOptions::default() };
//! convert(&*checkpoint, &file, &options, &mut |_, _| {})?;
//!
//! let whisper = Whisper::load(&file)?;
//! assert_eq!(*whisper.model()?.config(), checkpoint.header().config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use trit_core::GroupSize;
use trit_core::container::{ContainerError, DType, Field, Form, Plan, ScaleKind};
use trit_core::quantize::{Granularity, TernaryRule};
use trit_core::reference::SPECTRUM_SIZE;

use crate::import::{Checkpoint, Header, ImportError};
use crate::mmap::MappedFile;
use crate::new_file::NewFile;
use crate::{Error, Model, SelfTest};
use encode::{encode, floats};
pub use tensors::Part;
use tensors::{Class, tensors};

mod encode;
mod tensors;

/// How tensors are stored.
///
/// ```
/// use trit_core::GroupSize;
/// use trit_core::quantize::{Granularity, TernaryRule};
/// use trit_whisper::convert::{ConvertOptions, Storage, Ternarize, convert};
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("dense.trit");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let ternary = Storage::Ternary(Ternarize::Rule(TernaryRule::Absmean), Granularity::Row);
/// let int4 = Storage::Int4(GroupSize::G32);
/// let mut last = usize::MAX;
/// for linear in [Storage::F16, int4, ternary] {
///     let options = ConvertOptions { linear, ..ConvertOptions::default() };
///     let report = convert(&*checkpoint, &file, &options, &mut |_, _| {})?;
///     let tensor = report.tensors.iter().find(|t| t.name == "encoder.blocks.0.mlp.0.weight");
///     let bytes = tensor.map_or(0, |tensor| tensor.bytes);
///     assert!(bytes < last);
///     last = bytes;
/// }
/// // The last, [96, 24]: tiles of 16 inputs with 2 bits each, and a scale a row.
/// assert_eq!(last, 96 * 32 / 4 + 4 * 96);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Int8 with a scale per row; activations are quantised too.
    Int8,
    /// 4 bits with a scale per row and group; activations are quantised too.
    Int4(GroupSize),
    /// Trits; activations are quantised too.
    Ternary(Ternarize, Granularity),
}

impl Storage {
    fn form(self) -> (DType, ScaleKind) {
        match self {
            Self::F32 => (DType::F32, ScaleKind::None),
            Self::F16 => (DType::F16, ScaleKind::None),
            Self::Int8 => (DType::I8, ScaleKind::Row),
            Self::Int4(size) => (DType::I4, ScaleKind::Group(size)),
            Self::Ternary(_, Granularity::Tensor) => (DType::T4, ScaleKind::Tensor),
            Self::Ternary(_, Granularity::Row) => (DType::T4, ScaleKind::Row),
            Self::Ternary(_, Granularity::Group(size)) => (DType::T4, ScaleKind::Group(size)),
        }
    }
}

/// How dense linear weights become ternary.
///
/// ```
/// use trit_core::quantize::Granularity;
/// use trit_whisper::convert::{ConvertError, ConvertOptions, Storage, Ternarize, convert};
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("dense.trit");
/// let exact = Storage::Ternary(Ternarize::Exact, Granularity::Row);
/// let options = ConvertOptions { linear: exact, ..ConvertOptions::default() };
/// let convert = |name| {
///     let checkpoint = import::open(&fixtures.join(name))?;
///     convert(&*checkpoint, &file, &options, &mut |_, _| {})
/// };
/// // Weights that were trained to be ternary lose nothing; others are refused.
/// let report = convert("ternary")?;
/// let trits = report.tensors.iter().filter(|tensor| tensor.stored == "t4");
/// assert!(trits.clone().count() > 0 && trits.clone().all(|tensor| tensor.error < 1e-6));
/// assert!(matches!(convert("dense"), Err(ConvertError::NotExact(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ternarize {
    /// By a rule; weights that were not trained for it lose most of their accuracy.
    Rule(TernaryRule),
    /// Only if every part already holds −s, 0 and +s alone; otherwise an error.
    Exact,
}

/// What to store tensors as.
///
/// ```
/// use trit_core::GroupSize;
/// use trit_core::quantize::Granularity;
/// use trit_whisper::convert::{ConvertOptions, Part, Storage, Ternarize};
///
/// // A checkpoint that was trained to be ternary, its cross-attention and head in more bits.
/// let mut options = ConvertOptions {
///     linear: Storage::Ternary(Ternarize::Exact, Granularity::Row),
///     head: Storage::Int4(GroupSize::G32),
///     ..ConvertOptions::default()
/// };
/// let part = Part::ALL.iter().position(|&part| part == Part::CrossAttention).unwrap();
/// options.parts[part] = Some(Storage::Int8);
/// assert_eq!(Part::ALL[part].name(), "decoder.cross_attn");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertOptions {
    /// Linear weights of the blocks; those that the checkpoint has as trits stay trits.
    pub linear: Storage,
    /// Linear weights of single parts of the blocks, trits or not, in order of [`Part::ALL`].
    pub parts: [Option<Storage>; Part::ALL.len()],
    /// Token embedding and head; not ternary.
    pub head: Storage,
    /// Convolutions; not ternary.
    pub conv: Storage,
    /// Positions; f32, f16 or int8.
    pub positions: Storage,
}

impl ConvertOptions {
    /// Every number in f32: nothing is rounded.
    ///
    /// ```
    /// use trit_whisper::convert::{ConvertOptions, Storage};
    ///
    /// let int8_head = ConvertOptions { head: Storage::Int8, ..ConvertOptions::F32 };
    /// assert_eq!((int8_head.linear, int8_head.head), (Storage::F32, Storage::Int8));
    /// ```
    pub const F32: Self = Self {
        linear: Storage::F32,
        parts: [None; Part::ALL.len()],
        head: Storage::F32,
        conv: Storage::F32,
        positions: Storage::F32,
    };
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            linear: Storage::F16,
            parts: [None; Part::ALL.len()],
            head: Storage::Int8,
            conv: Storage::F16,
            positions: Storage::F16,
        }
    }
}

/// One tensor as it was stored.
///
/// ```
/// use trit_whisper::convert::{ConvertOptions, convert};
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("dense.trit");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let report = convert(&*checkpoint, &file, &ConvertOptions::default(), &mut |_, _| {})?;
/// let worst = report.tensors.iter().max_by(|a, b| a.error.total_cmp(&b.error)).unwrap();
/// // The embedding, as int8; float16 has smaller errors.
/// assert_eq!((&*worst.name, worst.stored), ("decoder.token_embedding.weight", "i8"));
/// assert!(worst.error < 0.01 && worst.bytes < 4 * worst.elements);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Type it is stored in.
    pub stored: &'static str,
    /// Number of weights.
    pub elements: usize,
    /// Bytes of data and scales.
    pub bytes: usize,
    /// ‖stored − source‖ / ‖source‖.
    pub error: f64,
}

/// What a conversion did.
///
/// ```
/// use trit_whisper::convert::{ConvertOptions, convert};
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("dense.trit");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let report = convert(&*checkpoint, &file, &ConvertOptions::default(), &mut |_, _| {})?;
/// let weights: usize = report.tensors.iter().map(|tensor| tensor.elements).sum();
/// println!("{:.1} bits a weight", 8.0 * report.bytes as f64 / weights as f64);
/// # assert!(report.tensors.is_sorted_by_key(|tensor| &tensor.name));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConvertReport {
    /// The tensors in order of name.
    pub tensors: Vec<TensorReport>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why a conversion failed.
///
/// ```
/// use trit_whisper::convert::{ConvertError, ConvertOptions, convert};
/// use trit_whisper::import;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let options = ConvertOptions::default();
/// // A folder is no place for a file.
/// let error = convert(&*checkpoint, &fixtures, &options, &mut |_, _| {}).unwrap_err();
/// assert!(matches!(&error, ConvertError::Write { path, .. } if *path == fixtures));
/// assert!(error.to_string().ends_with("is a directory"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConvertError {
    /// The checkpoint cannot be read.
    Import(ImportError),
    /// The file cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A tensor has a value that is not finite.
    NonFinite {
        /// The tensor.
        name: String,
        /// Row and index within it.
        at: (usize, usize),
    },
    /// A tensor is not exactly ternary in the parts asked for.
    NotExact(String),
    /// A tensor cannot be stored as asked.
    Unsupported {
        /// The tensor.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// The file cannot be laid out.
    Container(ContainerError),
    /// The model that came of it does not run.
    SelfTest(Error),
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(error) => error.fmt(f),
            Self::Write { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NonFinite { name, at: (row, index) } => {
                write!(f, "{name}: value {index} of row {row} is NaN or infinite")
            }
            Self::NotExact(name) => {
                write!(f, "{name} is not exactly ternary: a part holds more than one magnitude")
            }
            Self::Unsupported { name, what } => write!(f, "{name}: {what}"),
            Self::Container(error) => error.fmt(f),
            Self::SelfTest(error) => write!(f, "the self-test of the model failed: {error}"),
        }
    }
}

impl std::error::Error for ConvertError {}

impl From<ImportError> for ConvertError {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

impl From<ContainerError> for ConvertError {
    fn from(error: ContainerError) -> Self {
        Self::Container(error)
    }
}

/// Where an entry's bytes come from.
enum Source {
    Bytes(Vec<u8>),
    Tensor { class: Class, storage: Storage },
}

struct Entry {
    name: String,
    form: Form,
    source: Source,
}

/// Converts `checkpoint` to the file `dest`, which appears whole or not at all. `progress` is told
/// how many of how many entries are done.
///
/// ```
/// use trit_whisper::convert::{ConvertOptions, convert};
/// use trit_whisper::{Model, import};
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = std::env::temp_dir().join(format!("trit-convert-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let checkpoint = import::open(&fixtures.join("dense"))?;
/// let file = folder.join("dense.trit");
/// let options = ConvertOptions::default();
/// let report = convert(&*checkpoint, &file, &options, &mut |done, of| println!("{done} of {of}"))?;
/// for tensor in &report.tensors {
///     println!("{} as {}: {} bytes, error {:.4}", tensor.name, tensor.stored, tensor.bytes, tensor.error);
/// }
/// assert_eq!(report.bytes, std::fs::metadata(&file)?.len());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A tensor that is missing or cannot be stored as asked, or a file that cannot be written.
pub fn convert(
    checkpoint: &dyn Checkpoint,
    dest: &Path,
    options: &ConvertOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ConvertReport, ConvertError> {
    let entries = entries(checkpoint, options)?;
    let mut fields: Vec<Field<'_>> =
        entries.iter().map(|e| Field { name: &e.name, form: e.form, crc: 0 }).collect();
    let plan = Plan::new(&fields)?;
    let (file_len, head_len) = (plan.file_len(), plan.head_len());
    let places: Vec<_> = (0..fields.len()).map(|index| plan.place(index)).collect();

    let failed = |error| ConvertError::Write { path: dest.to_owned(), error };
    let mut file = NewFile::create(dest).map_err(failed)?;
    file.file().set_len(file_len).map_err(failed)?;
    let mut report = ConvertReport { tensors: Vec::new(), bytes: file_len };
    for (index, (entry, &(data_at, scales_at))) in entries.iter().zip(&places).enumerate() {
        progress(index, entries.len());
        let (data, scales, error) = match &entry.source {
            Source::Bytes(bytes) => (bytes.clone(), Vec::new(), 0.0),
            Source::Tensor { class, storage } => {
                let conv = *class == Class::Conv;
                encode(checkpoint, &entry.name, &entry.form, *storage, conv)?
            }
        };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&data);
        hasher.update(&scales);
        fields[index].crc = hasher.finalize();
        let mut put = |at: u64, bytes: &[u8]| {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(bytes)
        };
        put(data_at, &data).map_err(failed)?;
        if !scales.is_empty() {
            put(scales_at, &scales).map_err(failed)?;
        }
        if matches!(entry.source, Source::Tensor { .. }) {
            report.tensors.push(TensorReport {
                name: entry.name.clone(),
                stored: entry.form.dtype.name(),
                elements: entry.form.elements().unwrap_or(0),
                bytes: data.len() + scales.len(),
                error,
            });
        }
    }
    progress(entries.len(), entries.len());
    let mut head = vec![0; head_len];
    let mut put_head = |fields: &[Field<'_>], file: &mut NewFile| {
        Plan::new(fields)?.write_head(&mut head);
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(&head).map_err(failed)
    };
    put_head(&fields, &mut file)?;
    if let Some(index) = entries.iter().position(|entry| entry.name == SelfTest::ENTRY) {
        let bytes = self_test(&file).map_err(failed)?.map_err(ConvertError::SelfTest)?.bytes();
        fields[index].crc = crc32fast::hash(&bytes);
        file.seek(SeekFrom::Start(places[index].0)).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        put_head(&fields, &mut file)?;
    }
    file.finish().map_err(failed)?;
    Ok(report)
}

/// What the model in the file, which is complete but for this, computes here.
fn self_test(file: &NewFile) -> io::Result<Result<SelfTest, Error>> {
    let bytes = MappedFile::open(file.temporary_path())?;
    Ok(Model::parse(&bytes).map_err(Error::from).and_then(|model| SelfTest::run_here(&model)))
}

/// All entries of the file, in order of name.
fn entries(
    checkpoint: &dyn Checkpoint,
    options: &ConvertOptions,
) -> Result<Vec<Entry>, ConvertError> {
    let Header { config, tokens, mel_filters, suppress, begin_suppress, alignment_heads } =
        checkpoint.header();
    let mut entries = Vec::new();
    let mut bytes = |name: &str, dtype, dimensions: &[usize], bytes: Vec<u8>| {
        let form = form(name, dtype, dimensions, ScaleKind::None)?;
        entries.push(Entry { name: name.into(), form, source: Source::Bytes(bytes) });
        Ok::<_, ConvertError>(())
    };
    let ids = |ids: &[u32]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
    bytes("whisper.config", DType::U8, &[128], config.bytes().to_vec())?;
    let table = token_table(tokens);
    bytes("whisper.tokens", DType::U8, &[table.len()], table)?;
    for (name, list) in [("whisper.suppress", suppress), ("whisper.begin_suppress", begin_suppress)]
    {
        if !list.is_empty() {
            bytes(name, DType::U8, &[4 * list.len()], ids(list))?;
        }
    }
    if !alignment_heads.is_empty() {
        let heads: Vec<u8> =
            alignment_heads.iter().flatten().flat_map(|n| n.to_le_bytes()).collect();
        bytes("whisper.alignment_heads", DType::U8, &[heads.len()], heads)?;
    }
    if let Some(at) = mel_filters.iter().position(|weight| !weight.is_finite()) {
        let (name, bins) = ("mel.filters".into(), SPECTRUM_SIZE);
        return Err(ConvertError::NonFinite { name, at: (at / bins, at % bins) });
    }
    // Its place, until the rest of the file can be run.
    bytes(SelfTest::ENTRY, DType::U8, &[8], vec![0; 8])?;
    let filters = floats(mel_filters);
    bytes("mel.filters", DType::F32, &[config.n_mels as usize, SPECTRUM_SIZE], filters)?;

    for (name, class, dimensions) in tensors(config) {
        let storage = match class {
            Class::Vector => Storage::F32,
            Class::Positions => options.positions,
            Class::Conv => options.conv,
            Class::Head => options.head,
            Class::Linear(part) => linear(checkpoint, options, part, &name, &dimensions)?,
        };
        check(class, storage, &name)?;
        let (dtype, scales) = storage.form();
        let form = form(&name, dtype, &dimensions, scales)?;
        entries.push(Entry { name, form, source: Source::Tensor { class, storage } });
    }
    entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(entries)
}

/// How linear weights of `part` are stored.
fn linear(
    checkpoint: &dyn Checkpoint,
    options: &ConvertOptions,
    part: Part,
    name: &str,
    dimensions: &[usize],
) -> Result<Storage, ConvertError> {
    let own = Part::ALL.iter().zip(options.parts).find(|(other, _)| **other == part);
    if let Some((_, Some(storage))) = own {
        return Ok(storage);
    }
    let Some(group) = checkpoint.ternary_group(name) else { return Ok(options.linear) };
    let unsupported = |what| ConvertError::Unsupported { name: name.into(), what };
    let size = GroupSize::new(group)
        .ok_or_else(|| unsupported(format!("its groups of {group} are not supported")))?;
    if !dimensions[1].is_multiple_of(group) {
        let what = format!("its rows of {} are not whole groups of {group}", dimensions[1]);
        return Err(unsupported(what));
    }
    Ok(Storage::Ternary(Ternarize::Exact, Granularity::Group(size)))
}

/// Checks that a model may have tensors of this class stored so.
fn check(class: Class, storage: Storage, name: &str) -> Result<(), ConvertError> {
    let wrong = match (class, storage) {
        (Class::Head | Class::Conv | Class::Positions, Storage::Ternary(..)) => "trits",
        (Class::Positions, Storage::Int4(_)) => "4 bits",
        _ => return Ok(()),
    };
    let what = format!("it cannot be stored in {wrong}");
    Err(ConvertError::Unsupported { name: name.into(), what })
}

fn form(
    name: &str,
    dtype: DType,
    dimensions: &[usize],
    scales: ScaleKind,
) -> Result<Form, ConvertError> {
    Form::new(dtype, dimensions, scales).ok_or_else(|| ConvertError::Unsupported {
        name: name.into(),
        what: format!("its shape {dimensions:?} cannot be stored"),
    })
}

fn token_table(tokens: &[Vec<u8>]) -> Vec<u8> {
    let mut table = (tokens.len() as u32).to_le_bytes().to_vec();
    let mut offset = 0u32;
    table.extend(offset.to_le_bytes());
    for token in tokens {
        offset += token.len() as u32;
        table.extend(offset.to_le_bytes());
    }
    table.extend(tokens.iter().flatten());
    table
}
