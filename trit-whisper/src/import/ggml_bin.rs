//! whisper.cpp's `.bin` files: little-endian header, mel filters, vocabulary, then tensors to the
//! end of the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use trit_core::foreign::ggml::{self, GgmlType};

use super::alignment;
use super::vocabulary::{non_speech, specials};
use super::{Checkpoint, Header, ImportError, Values, check_shape, file_error, io_error};
use crate::Config;
use crate::mmap::MappedFile;

/// "ggml" as a little-endian number.
const MAGIC: u32 = 0x6767_6d6c;

/// Vocabularies of this size and above are multilingual.
const MULTILINGUAL: u32 = 51_865;

/// A tensor's place in the file.
#[derive(Debug)]
struct Tensor {
    kind: GgmlType,
    /// In PyTorch's order.
    shape: Vec<usize>,
    /// Offset and bytes of the data.
    data: (usize, usize),
}

/// An opened whisper.cpp model.
///
/// ```
/// use trit_whisper::import::{GgmlBin, ImportError};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ggml-small.bin");
/// // A download that broke off after the magic.
/// std::fs::write(&path, 0x6767_6d6c_u32.to_le_bytes())?;
/// let error = GgmlBin::open(&path).unwrap_err();
/// assert!(matches!(&error, ImportError::File { path: named, .. } if *named == path));
/// assert!(error.to_string().ends_with(": the file ends within its hyperparameters"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct GgmlBin {
    file: MappedFile,
    header: Header,
    tensors: HashMap<String, Tensor>,
}

/// Reads numbers and bytes from the front, within the file.
struct Reader<'a> {
    path: PathBuf,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize, what: &str) -> Result<&'a [u8], ImportError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(file_error(&self.path, format!("the file ends within {what}")));
        };
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn number(&mut self, what: &str) -> Result<u32, ImportError> {
        let bytes = self.bytes(4, what)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

impl GgmlBin {
    /// Opens a `.bin` file and reads all but its tensors.
    ///
    /// ```
    /// use trit_whisper::import::GgmlBin;
    ///
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// let error = GgmlBin::open(&fixtures.join("tone.flac")).unwrap_err().to_string();
    /// assert!(error.ends_with("tone.flac: not a whisper.cpp model: it does not start with `ggml`"));
    /// ```
    ///
    /// # Errors
    /// A file that is not of this kind, cut short, or with an impossible configuration.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let file = MappedFile::open(path).map_err(io_error(path))?;
        let mut reader = Reader { path: path.to_owned(), bytes: &file, at: 0 };
        if reader.number("its magic")? != MAGIC {
            return Err(file_error(path, "not a whisper.cpp model: it does not start with `ggml`"));
        }
        let mut numbers = [0; 11];
        for number in &mut numbers {
            *number = reader.number("its hyperparameters")?;
        }
        let [
            vocab,
            audio_ctx,
            state,
            audio_head,
            audio_layer,
            text_ctx,
            text_state,
            text_head,
            text_layer,
            mels,
            _,
        ] = numbers;
        let languages = vocab.saturating_sub(51_765 + u32::from(vocab >= MULTILINGUAL));
        if vocab < 51_864 || languages > 100 {
            return Err(file_error(path, format!("{vocab} tokens are no vocabulary of Whisper's")));
        }
        let multilingual = vocab >= MULTILINGUAL;
        let eot = if multilingual { 50_257 } else { 50_256 };
        let tasks = eot + 2 + languages;
        let config = Config {
            n_mels: mels,
            n_audio_ctx: audio_ctx,
            n_audio_state: state,
            n_audio_head: audio_head,
            n_audio_layer: audio_layer,
            n_vocab: vocab,
            n_text_ctx: text_ctx,
            n_text_state: text_state,
            n_text_head: text_head,
            n_text_layer: text_layer,
            eot,
            sot: eot + 1,
            language_first: if multilingual { eot + 2 } else { Config::NO_LANGUAGES },
            n_languages: if multilingual { languages } else { 0 },
            translate: tasks,
            transcribe: tasks + 1,
            sot_lm: tasks + 2,
            sot_prev: tasks + 3,
            no_speech: tasks + 4,
            no_timestamps: tasks + 5,
            timestamp_first: tasks + 6,
            ..Config::WHISPER
        };
        let config = Config::parse(config.bytes()).map_err(ImportError::Config)?;

        let (filter_mels, bins) = (reader.number("its filters")?, reader.number("its filters")?);
        if filter_mels != mels || bins != 201 {
            let what = format!("its mel filters are {filter_mels} × {bins}, expected {mels} × 201");
            return Err(file_error(path, what));
        }
        let filters = reader.bytes(mels as usize * 201 * 4, "its filters")?;
        let mel_filters = floats(filters);

        let stored = reader.number("its vocabulary")?;
        let mut tokens = Vec::new();
        for _ in 0..stored.min(vocab) {
            let length = reader.number("its vocabulary")? as usize;
            tokens.push(reader.bytes(length, "its vocabulary")?.to_vec());
        }
        if tokens.len() < eot as usize {
            let what = format!("its vocabulary has {stored} tokens, expected {eot}");
            return Err(file_error(path, what));
        }
        tokens.truncate(eot as usize);
        let suppress = non_speech(&tokens);
        let space = tokens.iter().position(|token| token == b" ").map(|id| id as u32);
        let special = specials(languages as usize, (vocab - eot) as usize);
        tokens.extend(special.map(String::into_bytes));

        let mut tensors = HashMap::new();
        while reader.at < file.len() {
            let dimensions = reader.number("a tensor")?;
            let name_length = reader.number("a tensor")? as usize;
            let kind = reader.number("a tensor")?;
            if dimensions > 4 {
                return Err(file_error(path, format!("a tensor has {dimensions} dimensions")));
            }
            let mut shape = Vec::new();
            for _ in 0..dimensions {
                shape.push(reader.number("a tensor")? as usize);
            }
            // The fastest comes first.
            shape.reverse();
            let elements = shape.iter().fold(1usize, |all, &each| all.saturating_mul(each));
            let name = reader.bytes(name_length, "a tensor's name")?;
            let name = String::from_utf8_lossy(name).into_owned();
            let Some(known) = GgmlType::new(kind) else {
                let found = format!("number {kind} of ggml");
                return Err(ImportError::Type { name, found });
            };
            let length = known.bytes(elements).ok_or_else(|| {
                file_error(path, format!("{name} has {elements} values, no whole blocks"))
            })?;
            let start = reader.at;
            reader.bytes(length, &name)?;
            tensors.insert(name, Tensor { kind: known, shape, data: (start, length) });
        }
        let header = Header {
            config,
            tokens,
            mel_filters,
            suppress,
            begin_suppress: space.into_iter().chain([eot]).collect(),
            alignment_heads: alignment::heads(&config).to_vec(),
        };
        Ok(Self { file, header, tensors })
    }

    fn tensor(&self, name: &str) -> Option<(&Tensor, &[u8])> {
        let tensor = self.tensors.get(name)?;
        let (start, length) = tensor.data;
        Some((tensor, &self.file[start..start + length]))
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

impl Checkpoint for GgmlBin {
    fn header(&self) -> &Header {
        &self.header
    }

    fn ternary_group(&self, name: &str) -> Option<usize> {
        let kind = self.tensors.get(name)?.kind;
        kind.is_ternary().then_some(kind.block_len())
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Values, ImportError> {
        let (tensor, bytes) = self.tensor(name).ok_or_else(|| ImportError::Missing(name.into()))?;
        let kind = tensor.kind;
        check_shape(name, &tensor.shape, shape)?;
        let elements = shape.iter().product();
        let blocks = |error| ImportError::Blocks { name: name.into(), error };
        if kind.is_ternary() {
            let group = kind.block_len();
            let (mut codes, mut scales) = (vec![0; elements], vec![0.0; elements / group]);
            ggml::ternary(kind, bytes, &mut codes, &mut scales).map_err(blocks)?;
            return Ok(Values::Ternary { codes, scales, group });
        }
        let mut values = vec![0.0; elements];
        ggml::dequantize(kind, bytes, &mut values).map_err(blocks)?;
        Ok(Values::Dense(values))
    }
}
