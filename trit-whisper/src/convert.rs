//! Turns a checkpoint into a `.trit` file.

use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use trit_core::container::{ContainerError, DType, Field, Form, Plan, ScaleKind};
use trit_core::quantize::{self, Granularity, TernaryRule};
use trit_core::reference::SPECTRUM_SIZE;
use trit_core::{GroupSize, Int8Matrix, Layout, QuantizeError, Scales, f16, layout, padded_rows};

use crate::import::{Checkpoint, Header, ImportError, Values};
use crate::mmap::MappedFile;
use crate::new_file::NewFile;
use crate::{Config, Error, Model, SelfTest};

/// A dense type that tensors can be stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dense {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Int8 with a scale per row; activations are quantised too.
    Int8,
}

/// How dense linear weights become ternary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ternarize {
    /// By a rule; weights that were not trained for it lose most of their accuracy.
    Rule(TernaryRule),
    /// Only if every part already holds −s, 0 and +s alone; otherwise an error.
    Exact,
}

/// What to store tensors as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertOptions {
    /// Make dense linear weights of the blocks ternary.
    pub ternary: Option<(Ternarize, Granularity)>,
    /// Linear weights that stay dense.
    pub linear: Dense,
    /// Token embedding and head.
    pub head: Dense,
    /// Convolutions.
    pub conv: Dense,
    /// Positions: f32 or f16.
    pub positions: Dense,
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            ternary: None,
            linear: Dense::F16,
            head: Dense::Int8,
            conv: Dense::F16,
            positions: Dense::F16,
        }
    }
}

/// One tensor as it was stored.
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
#[derive(Debug, Clone, PartialEq)]
pub struct ConvertReport {
    /// The tensors in order of name.
    pub tensors: Vec<TensorReport>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why a conversion failed.
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
    Tensor { conv: bool },
}

struct Entry {
    name: String,
    form: Form,
    source: Source,
}

/// Bytes of data and scales, and the relative error.
type Encoded = (Vec<u8>, Vec<u8>, f64);

/// Converts `checkpoint` to the file `dest`, which appears whole or not at all. `progress` is told
/// how many of how many entries are done.
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
            Source::Tensor { conv } => encode(checkpoint, entry, *conv, options)?,
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
    let Header { config, tokens, mel_filters, suppress, begin_suppress } = checkpoint.header();
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
    if let Some(at) = mel_filters.iter().position(|weight| !weight.is_finite()) {
        let (name, bins) = ("mel.filters".into(), SPECTRUM_SIZE);
        return Err(ConvertError::NonFinite { name, at: (at / bins, at % bins) });
    }
    // Its place, until the rest of the file can be run.
    bytes(SelfTest::ENTRY, DType::U8, &[8], vec![0; 8])?;
    let filters = floats(mel_filters);
    bytes("mel.filters", DType::F32, &[config.n_mels as usize, SPECTRUM_SIZE], filters)?;

    for (name, class, dimensions) in tensors(config) {
        let dense = |dense| match dense {
            Dense::F32 => (DType::F32, ScaleKind::None),
            Dense::F16 => (DType::F16, ScaleKind::None),
            Dense::Int8 => (DType::I8, ScaleKind::Row),
        };
        let (dtype, scales) = match class {
            Class::Vector => (DType::F32, ScaleKind::None),
            Class::Positions => dense(options.positions),
            Class::Conv => dense(options.conv),
            Class::Head => dense(options.head),
            Class::Linear => match (checkpoint.ternary_group(&name), options.ternary) {
                (Some(group), _) => {
                    let size = GroupSize::new(group).ok_or_else(|| ConvertError::Unsupported {
                        name: name.clone(),
                        what: format!("its groups of {group} are not supported"),
                    })?;
                    if !dimensions[1].is_multiple_of(group) {
                        return Err(ConvertError::Unsupported {
                            name,
                            what: format!(
                                "its rows of {} are not whole groups of {group}",
                                dimensions[1]
                            ),
                        });
                    }
                    (DType::T4, ScaleKind::Group(size))
                }
                (None, Some((_, granularity))) => (
                    DType::T4,
                    match granularity {
                        Granularity::Tensor => ScaleKind::Tensor,
                        Granularity::Row => ScaleKind::Row,
                        Granularity::Group(size) => ScaleKind::Group(size),
                    },
                ),
                (None, None) => dense(options.linear),
            },
        };
        let form = form(&name, dtype, &dimensions, scales)?;
        entries.push(Entry { name, form, source: Source::Tensor { conv: class == Class::Conv } });
    }
    entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(entries)
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

/// What a tensor is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Linear,
    Conv,
    Head,
    Positions,
    Vector,
}

/// Name, class and shape of every tensor of a model.
fn tensors(config: &Config) -> Vec<(String, Class, Vec<usize>)> {
    let (d, mels) = (config.state(), config.n_mels as usize);
    let mut tensors = vec![
        ("encoder.conv1.weight".into(), Class::Conv, vec![d, 3, mels]),
        ("encoder.conv1.bias".into(), Class::Vector, vec![d]),
        ("encoder.conv2.weight".into(), Class::Conv, vec![d, 3, d]),
        ("encoder.conv2.bias".into(), Class::Vector, vec![d]),
        ("encoder.positional_embedding".into(), Class::Positions, vec![config.audio_ctx(), d]),
        ("decoder.positional_embedding".into(), Class::Positions, vec![config.text_ctx(), d]),
        ("decoder.token_embedding.weight".into(), Class::Head, vec![config.vocab(), d]),
    ];
    let mut norm = |name: &str| {
        for part in ["weight", "bias"] {
            tensors.push((format!("{name}.{part}"), Class::Vector, vec![d]));
        }
    };
    norm("encoder.ln_post");
    norm("decoder.ln");
    let sides = [("encoder", config.n_audio_layer, false), ("decoder", config.n_text_layer, true)];
    for (side, layers, cross) in sides {
        for block in 0..layers {
            let block = format!("{side}.blocks.{block}");
            for attention in if cross { &["attn", "cross_attn"][..] } else { &["attn"] } {
                for part in ["weight", "bias"] {
                    let name = format!("{block}.{attention}_ln.{part}");
                    tensors.push((name, Class::Vector, vec![d]));
                }
                for part in ["query", "key", "value", "out"] {
                    let name = format!("{block}.{attention}.{part}");
                    tensors.push((format!("{name}.weight"), Class::Linear, vec![d, d]));
                    if part != "key" {
                        tensors.push((format!("{name}.bias"), Class::Vector, vec![d]));
                    }
                }
            }
            for (part, rows, k) in [("mlp.0", 4 * d, d), ("mlp.2", d, 4 * d)] {
                tensors.push((format!("{block}.{part}.weight"), Class::Linear, vec![rows, k]));
                tensors.push((format!("{block}.{part}.bias"), Class::Vector, vec![rows]));
            }
            for part in ["weight", "bias"] {
                tensors.push((format!("{block}.mlp_ln.{part}"), Class::Vector, vec![d]));
            }
        }
    }
    tensors
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

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// ‖stored − source‖ / ‖source‖.
fn relative_error(source: &[f32], stored: impl Iterator<Item = f32>) -> f64 {
    let (mut difference, mut norm) = (0.0, 0.0);
    for (&a, b) in source.iter().zip(stored) {
        difference += f64::from(a - b).powi(2);
        norm += f64::from(a).powi(2);
    }
    if norm > 0.0 { (difference / norm).sqrt() } else { 0.0 }
}

/// Reads and encodes one tensor.
fn encode(
    checkpoint: &dyn Checkpoint,
    entry: &Entry,
    conv: bool,
    options: &ConvertOptions,
) -> Result<Encoded, ConvertError> {
    let (name, form) = (&entry.name, &entry.form);
    let (rows, k) = (form.rows(), form.k().unwrap_or(0));
    let mut weights = match checkpoint.read(name, rows * k)? {
        Values::Ternary { codes, scales, group } if form.dtype == DType::T4 => {
            let scales = tile_scales(rows, k, group, &scales);
            return Ok((pack(name, rows, k, &codes)?, floats(&scales), 0.0));
        }
        Values::Ternary { codes, scales, group } => {
            codes.iter().enumerate().map(|(i, &c)| f32::from(c) * scales[i / group]).collect()
        }
        Values::Dense(weights) => weights,
    };
    if let Some(at) = weights.iter().position(|weight| !weight.is_finite()) {
        return Err(ConvertError::NonFinite { name: name.clone(), at: (at / k, at % k) });
    }
    if conv {
        // [out, in, tap] to [out, tap, in].
        let channels = k / 3;
        let taps = |i: usize| weights[i / k * k + i % channels * 3 + i % k / channels];
        weights = (0..weights.len()).map(taps).collect();
    }
    let quantised = |error: QuantizeError| ConvertError::Unsupported {
        name: name.clone(),
        what: error.to_string(),
    };
    match form.dtype {
        DType::F32 | DType::U8 => Ok((floats(&weights), Vec::new(), 0.0)),
        DType::I4 => {
            let what = "conversion to 4 bits".into();
            Err(ConvertError::Unsupported { name: name.clone(), what })
        }
        DType::F16 => {
            let halves: Vec<u16> = weights.iter().map(|&weight| f16::from_f32(weight)).collect();
            if let Some(at) = halves.iter().position(|bits| bits & 0x7C00 == 0x7C00) {
                let what = format!("value {} is too large for f16", weights[at]);
                return Err(ConvertError::Unsupported { name: name.clone(), what });
            }
            let error = relative_error(&weights, halves.iter().map(|&bits| f16::to_f32(bits)));
            Ok((halves.iter().flat_map(|bits| bits.to_le_bytes()).collect(), Vec::new(), error))
        }
        DType::I8 => {
            let stride = Int8Matrix::stride_of(k);
            let mut values = vec![0i8; rows * stride];
            let mut scales = vec![0.0; padded_rows(rows)];
            quantize::int8(rows, k, &weights, &mut values, &mut scales).map_err(quantised)?;
            let stored =
                (0..rows * k).map(|i| f32::from(values[i / k * stride + i % k]) * scales[i / k]);
            let error = relative_error(&weights, stored);
            Ok((bytemuck::cast_slice(&values).to_vec(), floats(&scales), error))
        }
        DType::T4 | DType::T5 => {
            let (how, granularity) =
                options.ternary.unwrap_or((Ternarize::Exact, Granularity::Row));
            let mut codes = vec![0i8; rows * k];
            let mut scales = vec![0.0; granularity.scales_len(rows, k)];
            match how {
                Ternarize::Rule(rule) => {
                    quantize::ternary(
                        rule,
                        granularity,
                        rows,
                        k,
                        &weights,
                        &mut codes,
                        &mut scales,
                    )
                    .map_err(quantised)?;
                }
                Ternarize::Exact => {
                    let exact = quantize::ternary_exact(
                        granularity,
                        rows,
                        k,
                        &weights,
                        &mut codes,
                        &mut scales,
                    );
                    if !exact.map_err(quantised)? {
                        return Err(ConvertError::NotExact(name.clone()));
                    }
                }
            }
            let scale = |i: usize| match granularity {
                Granularity::Tensor => scales[0],
                Granularity::Row => scales[i / k],
                Granularity::Group(size) => scales[Scales::group_index(k, size, i / k, i % k)],
            };
            let stored = codes.iter().enumerate().map(|(i, &code)| f32::from(code) * scale(i));
            let error = relative_error(&weights, stored);
            Ok((pack(name, rows, k, &codes)?, floats(&scales), error))
        }
    }
}

fn pack(name: &str, rows: usize, k: usize, codes: &[i8]) -> Result<Vec<u8>, ConvertError> {
    let unsupported = |what: String| ConvertError::Unsupported { name: name.into(), what };
    let bytes = layout::bytes(Layout::T4, rows, k);
    let bytes = bytes.ok_or_else(|| unsupported("it is too large".into()))?;
    let mut packed = vec![0; bytes];
    layout::pack(Layout::T4, rows, k, codes, &mut packed)
        .map_err(|error| unsupported(error.to_string()))?;
    Ok(packed)
}

/// Scales `[rows, k / group]` in the order of [`Scales::Group`].
fn tile_scales(rows: usize, k: usize, group: usize, scales: &[f32]) -> Vec<f32> {
    let groups = k / group;
    let mut tiled = vec![0.0; padded_rows(rows) * groups];
    for (index, &scale) in scales.iter().enumerate() {
        let (row, part) = (index / groups, index % groups);
        tiled[(row / 16 * groups + part) * 16 + row % 16] = scale;
    }
    tiled
}
