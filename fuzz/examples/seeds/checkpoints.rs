//! The smallest checkpoints of each kind: the fixture with one block a side and a width of 4.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use trit_core::container::Container;
use trit_core::quantize::{Granularity, TernaryRule};
use trit_fuzz::hugging_face::MARK;
use trit_fuzz::import;
use trit_fuzz::model_file::ModelFile;
use trit_whisper::convert::{ConvertOptions, Storage, Ternarize, convert};

use crate::draft::Draft;

/// Width.
const D: usize = 4;
/// Mel bands.
const MELS: usize = 2;
/// Positions of the encoder.
const AUDIO: usize = 4;
/// Positions of the decoder.
const TEXT: usize = 8;
/// Tokens.
const VOCAB: usize = 16;

/// `import::options` without a type of their own for parts of the blocks.
const NO_PARTS: [u8; 5] = [1; 5];

/// A Hugging Face directory.
pub struct HuggingFace {
    config: String,
    tokenizer: String,
    vocabulary: String,
    added: String,
    /// Header and data of the safetensors.
    tensors: (String, Vec<u8>),
}

/// The fixture in `folder`, made small.
pub fn hugging_face(folder: &Path) -> Result<HuggingFace, Box<dyn Error>> {
    let file = fs::read(folder.join("model.safetensors"))?;
    let length = u64::from_le_bytes(file[..8].try_into()?) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&file[8..8 + length])?;
    let (mut small, mut data) = (Map::new(), Vec::new());
    for (name, tensor) in &header {
        if name == "__metadata__" || name.contains(".layers.1.") {
            continue;
        }
        let from: Vec<usize> = serde_json::from_value(tensor["shape"].clone())?;
        let mut shape: Vec<usize> = from.iter().map(|&size| shrunk(size)).collect();
        if name == "model.decoder.embed_positions.weight" {
            // Its 24 positions are not the width.
            shape[0] = TEXT;
        }
        let start = tensor["data_offsets"][0].as_u64().ok_or("no offset")? as usize;
        let bytes = 2 * shape.iter().product::<usize>();
        let at = data.len();
        data.extend(&file[8 + length + start..][..bytes]);
        let entry = json!({"dtype": "F16", "shape": shape, "data_offsets": [at, data.len()]});
        small.insert(name.clone(), entry);
    }
    let config = json!({
        "num_mel_bins": MELS, "max_source_positions": AUDIO, "d_model": D,
        "encoder_attention_heads": 2, "encoder_layers": 1, "vocab_size": VOCAB,
        "max_target_positions": TEXT, "decoder_attention_heads": 2, "decoder_layers": 1,
        "suppress_tokens": [1], "begin_suppress_tokens": [0, 3],
    });
    let words = json!({"\u{120}a": 0, "b": 1, "\u{120}": 2});
    let specials = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|de|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ];
    let ids = || specials.iter().zip(3..);
    let listed: Vec<_> = ids().map(|(text, id)| json!({"id": id, "content": text})).collect();
    let added: Map<String, Value> = ids().map(|(text, id)| (text.to_string(), json!(id))).collect();
    Ok(HuggingFace {
        config: config.to_string(),
        tokenizer: json!({"model": {"vocab": words}, "added_tokens": listed}).to_string(),
        vocabulary: words.to_string(),
        added: Value::Object(added).to_string(),
        tensors: (Value::Object(small).to_string(), data),
    })
}

/// The small model's size in place of one of the fixture's.
fn shrunk(size: usize) -> usize {
    match size {
        24 => D,
        96 => 4 * D,
        16 => MELS,
        40 => AUDIO,
        60 => VOCAB,
        other => other,
    }
}

impl HuggingFace {
    /// The folder as the target `hugging_face` reads it, with the older pair of vocabulary files or
    /// the newer one.
    pub fn seed(&self, older: bool) -> Vec<u8> {
        let (header, data) = &self.tensors;
        let tensors = [header.as_bytes(), b"\n", data].concat();
        let mut files = vec![(b'c', self.config.as_bytes()), (b's', &tensors)];
        if older {
            files.extend([(b'v', self.vocabulary.as_bytes()), (b'a', self.added.as_bytes())]);
            files.push((b'g', br#"{"suppress_tokens":[0],"begin_suppress_tokens":null}"#));
            files.push((b'i', br#"{"weight_map":{"a":"model.safetensors"}}"#));
        } else {
            files.push((b't', self.tokenizer.as_bytes()));
        }
        // Ternary linear weights by row, the rest f16, or all int8.
        let (linear, others) =
            if older { (&[1, 0, 2][..], [2, 2, 2]) } else { (&[1, 2][..], [1, 1, 1]) };
        let mut seed = [linear, &NO_PARTS, &others].concat();
        for (letter, file) in files {
            seed.extend(MARK);
            seed.push(letter);
            seed.extend(file);
        }
        seed
    }

    /// `.trit` files of the model, ternary and dense.
    pub fn converted(&self) -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
        let work = import::folder();
        let (header, data) = &self.tensors;
        let tensors = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
        fs::write(work.path().join("config.json"), &self.config)?;
        fs::write(work.path().join("tokenizer.json"), &self.tokenizer)?;
        fs::write(work.path().join("model.safetensors"), tensors)?;
        let checkpoint = trit_whisper::import::open(work.path())?;
        let dest = work.path().join("model.trit");
        let write = |options: ConvertOptions| -> Result<Vec<u8>, Box<dyn Error>> {
            convert(checkpoint.as_ref(), &dest, &options, &mut |_, _| {})?;
            Ok(fs::read(&dest)?)
        };
        let rule = Ternarize::Rule(TernaryRule::Absmean);
        let ternary = ConvertOptions {
            linear: Storage::Ternary(rule, Granularity::Row),
            conv: Storage::Int8,
            ..ConvertOptions::default()
        };
        let dense = ConvertOptions {
            linear: Storage::Int8,
            head: Storage::F16,
            conv: Storage::F32,
            positions: Storage::F32,
            ..ConvertOptions::default()
        };
        Ok((write(ternary)?, write(dense)?))
    }
}

/// The token table of a model file.
pub fn tokens(model: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let file = ModelFile::sealed(model);
    Ok(Container::open(file.bytes())?.get("whisper.tokens")?.bytes()?.to_vec())
}

/// A whisper.cpp file as the target `ggml_bin` reads it, with the tensors of a model file: all in
/// f16 and f32, or 16 times as wide with ternary weights and no embedding of the tokens, which would
/// be most of the file.
pub fn ggml_bin(model: &[u8], ternary: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    const TOKENS: usize = 51_865;
    let size = |size: usize| if ternary && [D, 4 * D].contains(&size) { 16 * size } else { size };
    // Options: int8, and f16 for convolutions and positions. A file to be made.
    let mut seed = Draft { bytes: [&[1, 0, 2][..], &NO_PARTS, &[2, 1, 1], &[0]].concat() };
    let (d, audio) = (size(D), size(AUDIO));
    for value in [TOKENS, audio, d, 2, 1, TEXT, d, 2, 1, MELS, 1] {
        seed.bytes.extend((value as u32).to_le_bytes());
    }
    // Filters as stated; as many tokens as usual, two of them the seed's own.
    seed = seed.byte(0).byte(0).fill(1).byte(0).byte(2);
    seed = seed.byte(2).byte(b'h').byte(b'i').byte(1).byte(b' ');
    let file = ModelFile::sealed(model);
    for entry in Container::open(file.bytes())?.entries() {
        let name = entry.name();
        let is_tensor = name.starts_with("encoder.") || name.starts_with("decoder.");
        let is_embedding = name == "decoder.token_embedding.weight";
        if !is_tensor || is_embedding && ternary {
            continue;
        }
        let form = entry.form();
        let dimensions = form.dimensions().iter().map(|&d| d as usize);
        let mut dimensions: Vec<usize> =
            dimensions.map(|d| if is_embedding && d == VOCAB { TOKENS } else { size(d) }).collect();
        if let [_, taps, channels] = &mut dimensions[..] {
            // A convolution, in PyTorch's order.
            std::mem::swap(taps, channels);
        }
        let linear = name.ends_with("weight") && (name.contains("attn.") || name.contains("mlp."));
        // Places in the target's list of types: q2_0, f16, f32.
        let kind = match dimensions.len() {
            2.. if linear && ternary => 9,
            2.. => 1,
            _ => 0,
        };
        seed = seed.byte(kind).byte(dimensions.len() as u8);
        for &dimension in dimensions.iter().rev() {
            seed = seed.number(dimension as u16);
        }
        seed = seed.byte(name.len() as u8);
        seed.bytes.extend(name.as_bytes());
        // A block's scale is ½; its codes are 1, 0, 1 and 2.
        let mut block = [0b10_01_00_01; 18];
        block[..2].copy_from_slice(&[0x00, 0x38]);
        seed = if kind == 9 { seed.pattern(0, &block) } else { seed.fill(0) };
    }
    Ok(seed.bytes)
}
