//! Hugging Face directories: `config.json`, safetensors in one file or several, a tokenizer.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;
use trit_core::f16;

use super::vocabulary::{LANGUAGES, byte_level, mel_filters};
use super::{Checkpoint, Header, ImportError, Values, check_shape, file_error, io_error};
use crate::Config;
use crate::mmap::MappedFile;

/// The fields of `config.json` that matter.
#[derive(Debug, Deserialize)]
struct Dimensions {
    num_mel_bins: u32,
    max_source_positions: u32,
    d_model: u32,
    encoder_attention_heads: u32,
    encoder_layers: u32,
    vocab_size: u32,
    max_target_positions: u32,
    decoder_attention_heads: u32,
    decoder_layers: u32,
    #[serde(default)]
    suppress_tokens: Option<Vec<u32>>,
    #[serde(default)]
    begin_suppress_tokens: Option<Vec<u32>>,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    tie_word_embeddings: Option<bool>,
    #[serde(default)]
    scale_embedding: bool,
}

impl Dimensions {
    /// What makes it another network than Whisper's.
    fn foreign(&self) -> Option<String> {
        let activation = self.activation_function.as_deref().unwrap_or("gelu");
        if activation != "gelu" {
            return Some(format!("activation_function is {activation}, expected gelu"));
        }
        if self.tie_word_embeddings == Some(false) {
            return Some("tie_word_embeddings is false, expected true".into());
        }
        self.scale_embedding.then(|| "scale_embedding is true, expected false".into())
    }
}

/// The fields of `generation_config.json` that matter.
#[derive(Debug, Default, Deserialize)]
struct Generation {
    suppress_tokens: Option<Vec<u32>>,
    begin_suppress_tokens: Option<Vec<u32>>,
    alignment_heads: Option<Vec<[u16; 2]>>,
}

/// An opened Hugging Face model.
///
/// ```
/// use trit_whisper::convert::{ConvertOptions, convert};
/// use trit_whisper::import::HuggingFace;
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("dense.trit");
/// let checkpoint = HuggingFace::open(&fixtures.join("dense"))?;
/// let report = convert(&checkpoint, &file, &ConvertOptions::default(), &mut |_, _| {})?;
/// // By OpenAI's names, not `model.encoder.layers.0.self_attn.q_proj.weight`.
/// assert!(report.tensors.iter().any(|t| t.name == "encoder.blocks.0.attn.query.weight"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HuggingFace {
    header: Header,
    shards: Vec<(PathBuf, MappedFile)>,
    /// Shard of each tensor, by Hugging Face's name.
    tensors: HashMap<String, usize>,
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ImportError> {
    let bytes = std::fs::read(path).map_err(io_error(path))?;
    serde_json::from_slice(&bytes).map_err(|error| file_error(path, error.to_string()))
}

impl HuggingFace {
    /// Opens the directory at `folder` and reads all but the tensors.
    ///
    /// ```
    /// use trit_whisper::import::{Checkpoint, HuggingFace};
    ///
    /// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    /// let checkpoint = HuggingFace::open(&fixtures.join("dense"))?;
    /// assert_eq!(checkpoint.header().tokens.len(), checkpoint.header().config.vocab());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A file that is missing or damaged, or an impossible configuration.
    pub fn open(folder: &Path) -> Result<Self, ImportError> {
        let path = folder.join("config.json");
        let dimensions: Dimensions = read_json(&path)?;
        let generation_path = folder.join("generation_config.json");
        let generation: Generation = if generation_path.exists() {
            read_json(&generation_path)?
        } else {
            Default::default()
        };

        if let Some(what) = dimensions.foreign() {
            return Err(file_error(&path, what));
        }
        // Before anything is sized by it.
        if dimensions.vocab_size > 1 << 20 || dimensions.num_mel_bins > 256 {
            return Err(file_error(&path, "its vocabulary or its mel bands cannot be that many"));
        }
        let tokens = read_tokens(folder, dimensions.vocab_size)?;
        let config = configure(&path, &dimensions, &tokens)?;
        let mut shards = Vec::new();
        let mut tensors = HashMap::new();
        for shard in shard_names(folder)? {
            let path = folder.join(shard);
            let file = MappedFile::open(&path).map_err(io_error(&path))?;
            let parsed = SafeTensors::deserialize(&file)
                .map_err(|error| file_error(&path, error.to_string()))?;
            for name in parsed.names() {
                tensors.insert(name.to_owned(), shards.len());
            }
            shards.push((path, file));
        }
        let alignment_heads = generation.alignment_heads.unwrap_or_default();
        let exists = |&[layer, head]: &[u16; 2]| {
            u32::from(layer) < config.n_text_layer && u32::from(head) < config.n_text_head
        };
        if let Some(head) = alignment_heads.iter().find(|head| !exists(head)) {
            let what = format!("alignment_heads has {head:?}, which the model has not");
            return Err(file_error(&generation_path, what));
        }
        let list = |first: Option<Vec<u32>>, second: Option<Vec<u32>>| {
            let ids = first.or(second).unwrap_or_default();
            ids.into_iter().filter(|&id| id < dimensions.vocab_size).collect()
        };
        let header = Header {
            mel_filters: mel_filters(dimensions.num_mel_bins as usize),
            suppress: list(generation.suppress_tokens, dimensions.suppress_tokens.clone()),
            begin_suppress: list(
                generation.begin_suppress_tokens,
                dimensions.begin_suppress_tokens.clone(),
            ),
            alignment_heads,
            config,
            tokens,
        };
        Ok(Self { header, shards, tensors })
    }
}

/// File names of the safetensors, from the index if the model is in several.
fn shard_names(folder: &Path) -> Result<BTreeSet<String>, ImportError> {
    let index = folder.join("model.safetensors.index.json");
    if !index.exists() {
        return Ok(BTreeSet::from(["model.safetensors".to_owned()]));
    }
    let parsed: Value = read_json(&index)?;
    let map = parsed.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| file_error(&index, "it has no weight_map"))?;
    // A name is a file of this folder, never a path that leads elsewhere.
    map.values()
        .map(|name| match name.as_str() {
            Some(name) if Path::new(name).file_name().is_some_and(|file| file == name) => {
                Ok(name.to_owned())
            }
            _ => Err(file_error(&index, format!("{name} is not a file name"))),
        })
        .collect()
}

/// The bytes of every token, from `tokenizer.json` or `vocab.json` and `added_tokens.json`.
fn read_tokens(folder: &Path, count: u32) -> Result<Vec<Vec<u8>>, ImportError> {
    let mut tokens = vec![Vec::new(); count as usize];
    let map = byte_level();
    let mut put = |id: u64, bytes: Vec<u8>| {
        if let Some(token) = usize::try_from(id).ok().and_then(|id| tokens.get_mut(id)) {
            *token = bytes;
        }
    };
    // Characters that are not of the byte-level alphabet stand for themselves.
    let decode = |text: &str| -> Vec<u8> {
        text.chars()
            .flat_map(|c| match map.get(&c) {
                Some(&byte) => vec![byte],
                None => c.to_string().into_bytes(),
            })
            .collect()
    };
    let tokenizer = folder.join("tokenizer.json");
    if tokenizer.exists() {
        let parsed: Value = read_json(&tokenizer)?;
        let vocabulary = parsed.pointer("/model/vocab").and_then(Value::as_object);
        let vocabulary =
            vocabulary.ok_or_else(|| file_error(&tokenizer, "it has no model.vocab"))?;
        for (text, id) in vocabulary {
            put(id.as_u64().unwrap_or(u64::MAX), decode(text));
        }
        for added in parsed["added_tokens"].as_array().into_iter().flatten() {
            if let (Some(id), Some(text)) = (added["id"].as_u64(), added["content"].as_str()) {
                put(id, text.as_bytes().to_vec());
            }
        }
        return Ok(tokens);
    }
    let vocabulary: HashMap<String, u64> = read_json(&folder.join("vocab.json"))?;
    for (text, id) in vocabulary {
        let special = text.starts_with("<|") && text.ends_with("|>");
        put(id, if special { text.into_bytes() } else { decode(&text) });
    }
    let added = folder.join("added_tokens.json");
    if added.exists() {
        let added: HashMap<String, u64> = read_json(&added)?;
        for (text, id) in added {
            put(id, text.into_bytes());
        }
    }
    Ok(tokens)
}

/// The configuration, with the special tokens found by their text.
fn configure(
    path: &Path,
    dimensions: &Dimensions,
    tokens: &[Vec<u8>],
) -> Result<Config, ImportError> {
    let ids: HashMap<&[u8], u32> =
        tokens.iter().enumerate().map(|(id, bytes)| (bytes.as_slice(), id as u32)).collect();
    let find = |text: &str| ids.get(text.as_bytes()).copied();
    let need = |texts: &[&str]| {
        texts.iter().find_map(|text| find(text)).ok_or_else(|| {
            file_error(path, format!("the model's tokenizer has no token {}", texts[0]))
        })
    };
    let no_timestamps = need(&["<|notimestamps|>"])?;
    let sot = need(&["<|startoftranscript|>"])?;
    // Timestamps follow at once; tokenizers do not always list them.
    let timestamp_first = find("<|0.00|>").unwrap_or(no_timestamps + 1);
    // Languages follow the start; one that was added elsewhere is none that the decoder can choose.
    let is_language = |token: &&Vec<u8>| {
        let code = token.strip_prefix(b"<|").and_then(|code| code.strip_suffix(b"|>"));
        code.is_some_and(|code| LANGUAGES.iter().any(|language| language.as_bytes() == code))
    };
    let languages = tokens[sot as usize + 1..].iter().take_while(is_language).count();
    // English-only models carry the language tokens too, and 51,864 tokens; a smaller vocabulary of
    // one's own is multilingual when it has more than one language.
    let multilingual = dimensions.vocab_size != 51_864 && languages > 1;
    let config = Config {
        n_mels: dimensions.num_mel_bins,
        n_audio_ctx: dimensions.max_source_positions,
        n_audio_state: dimensions.d_model,
        n_audio_head: dimensions.encoder_attention_heads,
        n_audio_layer: dimensions.encoder_layers,
        n_vocab: dimensions.vocab_size,
        n_text_ctx: dimensions.max_target_positions,
        n_text_state: dimensions.d_model,
        n_text_head: dimensions.decoder_attention_heads,
        n_text_layer: dimensions.decoder_layers,
        eot: need(&["<|endoftext|>"])?,
        sot,
        language_first: if multilingual { sot + 1 } else { Config::NO_LANGUAGES },
        n_languages: if multilingual { languages as u32 } else { 0 },
        translate: need(&["<|translate|>"])?,
        transcribe: need(&["<|transcribe|>"])?,
        sot_lm: need(&["<|startoflm|>"])?,
        sot_prev: need(&["<|startofprev|>"])?,
        no_speech: need(&["<|nospeech|>", "<|nocaptions|>"])?,
        no_timestamps,
        timestamp_first,
        ..Config::WHISPER
    };
    Config::parse(config.bytes()).map_err(ImportError::Config)
}

/// Hugging Face's name of one of OpenAI's.
fn hugging_face_name(name: &str) -> String {
    let fixed = match name {
        "encoder.positional_embedding" => "model.encoder.embed_positions.weight",
        "decoder.positional_embedding" => "model.decoder.embed_positions.weight",
        "decoder.token_embedding.weight" => "model.decoder.embed_tokens.weight",
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    let mut renamed = format!("model.{name}");
    for (from, to) in [
        (".blocks.", ".layers."),
        (".cross_attn_ln.", ".encoder_attn_layer_norm."),
        (".attn_ln.", ".self_attn_layer_norm."),
        (".mlp_ln.", ".final_layer_norm."),
        (".cross_attn.", ".encoder_attn."),
        (".attn.", ".self_attn."),
        (".query.", ".q_proj."),
        (".key.", ".k_proj."),
        (".value.", ".v_proj."),
        (".out.", ".out_proj."),
        (".mlp.0.", ".fc1."),
        (".mlp.2.", ".fc2."),
        ("encoder.ln_post.", "encoder.layer_norm."),
        ("decoder.ln.", "decoder.layer_norm."),
    ] {
        renamed = renamed.replace(from, to);
    }
    renamed
}

impl Checkpoint for HuggingFace {
    fn header(&self) -> &Header {
        &self.header
    }

    fn ternary_group(&self, _name: &str) -> Option<usize> {
        None
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Values, ImportError> {
        let theirs = hugging_face_name(name);
        let shard =
            self.tensors.get(&theirs).ok_or_else(|| ImportError::Missing(theirs.clone()))?;
        let (path, file) = &self.shards[*shard];
        let parsed = SafeTensors::deserialize(file)
            .and_then(|parsed| parsed.tensor(&theirs))
            .map_err(|error| file_error(path, error.to_string()))?;
        check_shape(&theirs, parsed.shape(), shape)?;
        let bytes = parsed.data();
        let halves = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let values = match parsed.dtype() {
            Dtype::F32 => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F16 => halves().map(f16::to_f32).collect(),
            Dtype::BF16 => halves().map(|b| f32::from_bits(u32::from(b) << 16)).collect(),
            other => {
                return Err(ImportError::Type { name: theirs, found: format!("{other:?}") });
            }
        };
        Ok(Values::Dense(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_kind() {
        for (ours, theirs) in [
            ("encoder.conv1.weight", "model.encoder.conv1.weight"),
            (
                "encoder.blocks.3.attn.query.weight",
                "model.encoder.layers.3.self_attn.q_proj.weight",
            ),
            (
                "decoder.blocks.0.cross_attn.out.bias",
                "model.decoder.layers.0.encoder_attn.out_proj.bias",
            ),
            (
                "decoder.blocks.1.cross_attn_ln.bias",
                "model.decoder.layers.1.encoder_attn_layer_norm.bias",
            ),
            (
                "decoder.blocks.1.attn_ln.weight",
                "model.decoder.layers.1.self_attn_layer_norm.weight",
            ),
            ("encoder.blocks.0.mlp.2.weight", "model.encoder.layers.0.fc2.weight"),
            ("encoder.blocks.0.mlp_ln.weight", "model.encoder.layers.0.final_layer_norm.weight"),
            ("encoder.ln_post.weight", "model.encoder.layer_norm.weight"),
            ("decoder.ln.bias", "model.decoder.layer_norm.bias"),
            ("decoder.token_embedding.weight", "model.decoder.embed_tokens.weight"),
        ] {
            assert_eq!(hugging_face_name(ours), theirs);
        }
    }
}
