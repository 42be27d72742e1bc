//! whisper.cpp files and Hugging Face directories: exact where they are ternary, and refused with
//! the name of what is wrong where they are broken.

use std::path::{Path, PathBuf};

use trit_core::f16;
use trit_core::foreign::ggml::GgmlType;
use trit_whisper::convert::{ConvertOptions, Storage, convert};
use trit_whisper::mmap::MappedFile;
use trit_whisper::{Model, import};

const D: usize = 64;
const VOCAB: usize = 51_865;

/// A tensor's ggml type and payload.
type Payload = (u32, Vec<u8>);

/// Writes a whisper.cpp file of one block on each side, width 64.
struct Bin {
    bytes: Vec<u8>,
}

fn number(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

impl Bin {
    fn new() -> Self {
        let mut bytes = number(0x6767_6d6c).to_vec();
        for value in [VOCAB, 8, D, 2, 1, 8, D, 2, 1, 4, 2028] {
            bytes.extend(number(value as u32));
        }
        bytes.extend(number(4));
        bytes.extend(number(201));
        bytes.extend((0..4 * 201).flat_map(|i| (i as f32 * 1e-3).to_le_bytes()));
        bytes.extend(number(50_257));
        for id in 0..50_257u32 {
            let token = if id == 220 { b" ".to_vec() } else { format!("t{id}").into_bytes() };
            bytes.extend(number(token.len() as u32));
            bytes.extend(token);
        }
        Self { bytes }
    }

    /// Adds a tensor; `dimensions` in PyTorch's order.
    fn tensor(&mut self, name: &str, dimensions: &[usize], (kind, data): Payload) {
        self.bytes.extend(number(dimensions.len() as u32));
        self.bytes.extend(number(name.len() as u32));
        self.bytes.extend(number(kind));
        for &dimension in dimensions.iter().rev() {
            self.bytes.extend(number(dimension as u32));
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(data);
    }

    /// All tensors, linear weights as `linear` makes them.
    fn with_tensors(linear: impl Fn(usize) -> Payload) -> Self {
        let mut bin = Self::new();
        let single = |n: usize| -> Payload {
            (0, (0..n).flat_map(|i| ((i % 7) as f32 * 0.1).to_le_bytes()).collect())
        };
        let half = |n: usize| -> Payload {
            (1, (0..n).flat_map(|i| f16::from_f32((i % 5) as f32 - 2.0).to_le_bytes()).collect())
        };
        bin.tensor("encoder.conv1.weight", &[D, 4, 3], half(D * 12));
        bin.tensor("encoder.conv1.bias", &[D, 1], single(D));
        bin.tensor("encoder.conv2.weight", &[D, D, 3], half(D * D * 3));
        bin.tensor("encoder.conv2.bias", &[D, 1], single(D));
        bin.tensor("encoder.positional_embedding", &[8, D], single(8 * D));
        bin.tensor("decoder.positional_embedding", &[8, D], single(8 * D));
        bin.tensor("decoder.token_embedding.weight", &[VOCAB, D], half(VOCAB * D));
        let mut norm = |name: &str| {
            bin.tensor(&format!("{name}.weight"), &[D], single(D));
            bin.tensor(&format!("{name}.bias"), &[D], single(D));
        };
        for name in ["encoder.ln_post", "decoder.ln", "encoder.blocks.0.attn_ln"] {
            norm(name);
        }
        for name in ["encoder.blocks.0.mlp_ln", "decoder.blocks.0.mlp_ln"] {
            norm(name);
        }
        for name in ["decoder.blocks.0.attn_ln", "decoder.blocks.0.cross_attn_ln"] {
            norm(name);
        }
        for block in
            ["encoder.blocks.0.attn", "decoder.blocks.0.attn", "decoder.blocks.0.cross_attn"]
        {
            for part in ["query", "key", "value", "out"] {
                bin.tensor(&format!("{block}.{part}.weight"), &[D, D], linear(D * D));
                if part != "key" {
                    bin.tensor(&format!("{block}.{part}.bias"), &[D], single(D));
                }
            }
        }
        for side in ["encoder", "decoder"] {
            for (part, rows, k) in [("mlp.0", 4 * D, D), ("mlp.2", D, 4 * D)] {
                let name = format!("{side}.blocks.0.{part}");
                bin.tensor(&format!("{name}.weight"), &[rows, k], linear(rows * k));
                bin.tensor(&format!("{name}.bias"), &[rows], single(rows));
            }
        }
        bin
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("model.bin");
        std::fs::write(&path, &self.bytes).unwrap();
        path
    }
}

/// Trit of weight `i`, and the scale of its group of 64.
fn trit(i: usize) -> (i8, f32) {
    ((i * 7 / 3 % 3) as i8 - 1, f16::to_f32(f16::from_f32(0.01 + (i / 64 % 50) as f32 * 0.003)))
}

/// The weights of [`trit`] as q2_0.
fn q2_0(n: usize) -> Payload {
    let mut bytes = Vec::new();
    for block in 0..n / 64 {
        bytes.extend(f16::from_f32(trit(block * 64).1).to_le_bytes());
        for byte in 0..16 {
            let codes = (0..4).map(|j| (trit(block * 64 + byte * 4 + j).0 + 1) << (2 * j));
            bytes.push(codes.sum::<i8>() as u8);
        }
    }
    (42, bytes)
}

fn converted(source: &Path, dest: &Path, options: &ConvertOptions) -> Result<(), String> {
    let checkpoint = import::open(source).map_err(|error| error.to_string())?;
    convert(checkpoint.as_ref(), dest, options, &mut |_, _| {})
        .map(|_| ())
        .map_err(|error| error.to_string())
}

#[test]
fn ternary_blocks_of_whisper_cpp_are_taken_over_exactly() {
    let work = tempfile::tempdir().unwrap();
    let source = Bin::with_tensors(q2_0).write(work.path());
    let dest = work.path().join("model.trit");
    converted(&source, &dest, &ConvertOptions::default()).unwrap();
    let file = MappedFile::open(&dest).unwrap();
    let model = Model::parse(&file).unwrap();
    model.container().verify().unwrap();
    for (name, k) in
        [("encoder.blocks.0.mlp.2.weight", 4 * D), ("decoder.blocks.0.attn.key.weight", D)]
    {
        let matrix = model.container().get(name).unwrap().ternary().unwrap();
        for i in 0..matrix.rows() * k {
            let found = (matrix.weight(i / k, i % k), matrix.scale(i / k, i % k));
            assert_eq!(found, trit(i), "{name} {i}");
        }
    }
    // Convolutions are stored tap before channel.
    let conv = model.container().get("encoder.conv2.weight").unwrap().f16().unwrap();
    assert_eq!(f16::to_f32(conv.row(1)[D + 2]), ((D * 3 + 2 * 3 + 1) % 5) as f32 - 2.0);
    let config = model.config();
    assert_eq!((config.eot, config.transcribe, config.timestamp_first), (50_257, 50_359, 50_364));
    assert_eq!(model.language("de").unwrap(), 50_261);
    assert_eq!(model.tokens().bytes(50_364), b"<|0.00|>");
}

#[test]
fn every_dense_type_of_whisper_cpp_is_read() {
    let types = [0u32, 1, 2, 3, 6, 7, 8];
    for kind in types {
        let work = tempfile::tempdir().unwrap();
        let known = GgmlType::new(kind).unwrap();
        // Zero bytes are a valid block of every type.
        let zeros = |n: usize| (kind, vec![0; known.bytes(n).unwrap()]);
        let source = Bin::with_tensors(zeros).write(work.path());
        let dest = work.path().join("model.trit");
        let options = ConvertOptions { linear: Storage::Int8, ..ConvertOptions::default() };
        converted(&source, &dest, &options).unwrap();
        Model::parse(&MappedFile::open(&dest).unwrap()).unwrap();
    }
}

#[test]
fn broken_whisper_cpp_files_are_refused_by_name() {
    let work = tempfile::tempdir().unwrap();
    let dest = work.path().join("model.trit");
    let refused = |bin: &Bin, wanted: &str| {
        let error =
            converted(&bin.write(work.path()), &dest, &ConvertOptions::default()).unwrap_err();
        assert!(error.contains(wanted), "{error}");
        assert!(!dest.exists());
    };
    let good = Bin::with_tensors(q2_0);
    refused(&Bin { bytes: b"hello, I am a text file".to_vec() }, "does not start with `ggml`");
    refused(&Bin { bytes: good.bytes[..20].to_vec() }, "the file ends within its hyperparameters");
    refused(&Bin { bytes: good.bytes[..good.bytes.len() - 9].to_vec() }, "the file ends within");
    refused(&Bin::new(), "has no tensor");
    let mut absurd = Bin { bytes: good.bytes.clone() };
    absurd.bytes[12..16].copy_from_slice(&number(u32::MAX));
    refused(&absurd, "n_audio_state is 4294967295");
    let mut vocabulary = Bin { bytes: good.bytes.clone() };
    vocabulary.bytes[4..8].copy_from_slice(&number(100));
    refused(&vocabulary, "100 tokens are no vocabulary");
    let plus_two = Bin::with_tensors(|n| {
        let (kind, mut bytes) = q2_0(n);
        bytes[2] = 0b11;
        (kind, bytes)
    });
    refused(&plus_two, "weight 0 is +2");
    let mut filters = Bin { bytes: good.bytes.clone() };
    // After magic, eleven numbers and the filters' two dimensions.
    let at = 4 * (1 + 11 + 2) + 4 * (201 + 7);
    filters.bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&filters, "mel.filters: value 7 of row 1 is NaN or infinite");
    let unknown = Bin::with_tensors(|n| (13, vec![0; n]));
    refused(&unknown, "unsupported type number 13");
    let nan = Bin::with_tensors(|n| (0, [0, 0, 0xC0, 0x7F].repeat(n)));
    refused(&nan, "value 0 of row 0 is NaN or infinite");
}

/// A copy of the committed oracle model, to break.
fn copy(folder: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(from.join(name), folder.join(name)).unwrap();
    }
}

#[test]
fn broken_hugging_face_directories_are_refused_by_name() {
    let refused = |edit: &dyn Fn(&Path), wanted: &str| {
        let work = tempfile::tempdir().unwrap();
        copy(work.path());
        edit(work.path());
        let dest = work.path().join("model.trit");
        let error = converted(work.path(), &dest, &ConvertOptions::default()).unwrap_err();
        assert!(error.contains(wanted), "{error}");
        assert!(!dest.exists());
    };
    let replace = |folder: &Path, name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.contains(from));
        std::fs::write(folder.join(name), text.replace(from, to)).unwrap();
    };
    refused(&|f| std::fs::remove_file(f.join("config.json")).unwrap(), "config.json");
    refused(&|f| std::fs::write(f.join("config.json"), "{").unwrap(), "config.json");
    refused(&|f| std::fs::remove_file(f.join("model.safetensors")).unwrap(), "model.safetensors");
    refused(
        &|f| {
            let path = f.join("model.safetensors");
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        },
        "model.safetensors",
    );
    refused(
        &|f| replace(f, "config.json", "\"d_model\": 24", "\"d_model\": 4000000000"),
        "n_audio_state",
    );
    refused(
        &|f| replace(f, "config.json", "\"d_model\": 24", "\"d_model\": 32"),
        "has the shape [24, 24], expected [32, 32]",
    );
    refused(
        &|f| {
            replace(
                f,
                "config.json",
                "\"activation_function\": \"gelu\"",
                "\"activation_function\": \"relu\"",
            )
        },
        "activation_function is relu, expected gelu",
    );
    refused(
        &|f| {
            replace(
                f,
                "config.json",
                "\"tie_word_embeddings\": true",
                "\"tie_word_embeddings\": false",
            )
        },
        "tie_word_embeddings is false, expected true",
    );
    refused(
        &|f| replace(f, "config.json", "\"vocab_size\": 60", "\"vocab_size\": 4000000000"),
        "config.json",
    );
    refused(&|f| replace(f, "tokenizer.json", "<|notimestamps|>", "<|other|>"), "<|notimestamps|>");
    refused(
        &|f| {
            let index = r#"{"weight_map": {"a": "../../secret.safetensors"}}"#;
            std::fs::write(f.join("model.safetensors.index.json"), index).unwrap();
        },
        "is not a file name",
    );
}

/// As where a vocabulary of 99 languages got a 100th of its own.
#[test]
fn languages_are_those_that_follow_the_start() {
    let work = tempfile::tempdir().unwrap();
    copy(work.path());
    let path = work.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let (last, added) = ("\"added_tokens\": [", "{\"id\": 59, \"content\": \"<|yue|>\"},");
    assert!(text.contains(last));
    std::fs::write(&path, text.replace(last, &format!("{last}{added}"))).unwrap();
    let config = import::open(work.path()).unwrap().header().config;
    assert_eq!((config.n_languages, config.language_first, config.translate), (2, 32, 34));
}

#[test]
fn a_destination_that_cannot_be_written_is_named() {
    let work = tempfile::tempdir().unwrap();
    copy(work.path());
    for dest in [work.path().join("no/such/folder/model.trit"), work.path().to_owned()] {
        let error = converted(work.path(), &dest, &ConvertOptions::default()).unwrap_err();
        assert!(error.contains(&dest.display().to_string()), "{error}");
    }
    let left = std::fs::read_dir(work.path()).unwrap().count();
    assert_eq!(left, 3, "nothing is left behind");
}
