//! Against Hugging Face transformers: `oracle/make.py` made the models and what they compute.
//!
//! Two tiny models are committed. With `TRIT_ORACLE_DIR` naming a folder of more (`make.py OUT
//! --size tiny` and so on), those are checked too.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use trit_core::GroupSize;
use trit_core::quantize::Granularity;
use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::convert::{ConvertOptions, Storage, Ternarize, convert};
use trit_whisper::mmap::MappedFile;
use trit_whisper::{MemoryPlan, Model, Options, Precision, Transcriber, import};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The committed models and those of `TRIT_ORACLE_DIR` whose folder name begins with `kind`.
fn models(kind: &str) -> Vec<PathBuf> {
    let mut models = vec![fixtures().join(kind)];
    match std::env::var_os("TRIT_ORACLE_DIR") {
        None => println!("TRIT_ORACLE_DIR is not set: only the committed model is checked"),
        Some(folder) => {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            models.extend(entries.filter(|path| path.is_dir()).filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind))
            }));
        }
    }
    models
}

struct Expected {
    file: Vec<u8>,
}

impl Expected {
    fn floats(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.file).unwrap();
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn ids(&self, name: &str) -> Vec<u32> {
        self.floats(name).iter().map(|value| value.to_bits()).collect()
    }
}

/// ‖a − b‖ / ‖b‖.
fn relative(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let norm: f64 = b.iter().map(|b| f64::from(*b).powi(2)).sum();
    (difference / norm).sqrt()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

struct Found {
    mel: Vec<f32>,
    encoded: Vec<f32>,
    logits: Vec<f32>,
    /// The likeliest token after each token fed.
    next: Vec<u32>,
}

/// Converts the model at `folder` and runs it on the oracle's samples and tokens.
fn run(folder: &Path, options: &ConvertOptions, precision: Precision) -> (Expected, Found) {
    let expected = Expected { file: std::fs::read(folder.join("expected.safetensors")).unwrap() };
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("model.trit");
    let checkpoint = import::open(folder).unwrap();
    convert(checkpoint.as_ref(), &path, options, &mut |_, _| {}).unwrap();
    let file = MappedFile::open(&path).unwrap();
    let model = Model::parse(&file).unwrap();
    model.container().verify().unwrap();
    let plan = MemoryPlan::with_precision(model.config(), 1, precision);
    let mut arena = vec![0; plan.total()];
    let kernels = Kernels::new(&Cpu::detect());
    let options = Options { precision, ..Options::default() };
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    let samples = expected.floats("samples");
    let mel = transcriber.log_mel(&samples).unwrap().to_vec();
    let encoded = transcriber.audio_features(&samples).unwrap().to_vec();
    transcriber.encode(&samples).unwrap();
    let (mut logits, mut next) = (Vec::new(), Vec::new());
    for token in expected.ids("tokens") {
        let row = transcriber.feed(token).unwrap().unwrap();
        let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        next.push(best as u32);
        logits.extend_from_slice(row);
    }
    (expected, Found { mel, encoded, logits, next })
}

const TERNARY: ConvertOptions = ConvertOptions {
    linear: Storage::Ternary(Ternarize::Exact, Granularity::Row),
    ..ConvertOptions::F32
};

#[test]
fn dense_models_agree_in_f32() {
    for folder in models("dense") {
        let (expected, found) = run(&folder, &ConvertOptions::F32, Precision::Float);
        let mel = expected.floats("mel");
        let worst = found.mel.iter().zip(&mel).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let encoded = relative(&found.encoded, &expected.floats("encoded"));
        let logits = relative(&found.logits, &expected.floats("logits"));
        println!(
            "{}: mel {worst:.1e}, encoder {encoded:.1e}, logits {logits:.1e}",
            folder.display()
        );
        assert!(worst <= 1e-4 && encoded <= 1e-3 && logits <= 1e-3);
        assert_eq!(found.next, expected.ids("next"), "greedy tokens");
    }
}

/// Keys and values in 7 bits alone make 2 % of difference to a dense model. Of its tokens, which a random
/// model chooses by a hair, nine in ten are the same.
#[test]
fn seven_bits_stay_near() {
    for folder in models("dense") {
        let (expected, found) = run(&folder, &ConvertOptions::F32, Precision::SevenBits);
        let encoded = relative(&found.encoded, &expected.floats("encoded"));
        let logits = relative(&found.logits, &expected.floats("logits"));
        println!("{}: encoder {encoded:.1e}, logits {logits:.1e}", folder.display());
        assert!(encoded <= 0.03 && logits <= 0.03);
        let next = expected.ids("next");
        let same = found.next.iter().zip(&next).filter(|(a, b)| a == b).count();
        assert!(10 * same >= 9 * next.len(), "{same} tokens of {}", next.len());
    }
}

#[test]
fn narrower_dense_types_stay_near() {
    let int4 = Storage::Int4(GroupSize::G32);
    for (dense, bound) in [(Storage::F16, 5e-3), (Storage::Int8, 0.15), (int4, 0.6)] {
        let options =
            ConvertOptions { linear: dense, head: dense, conv: dense, ..ConvertOptions::F32 };
        let (expected, found) = run(&fixtures().join("dense"), &options, Precision::Float);
        let logits = relative(&found.logits, &expected.floats("logits"));
        println!("{dense:?}: logits {logits:.1e}");
        assert!(logits <= bound);
    }
}

#[test]
fn exactly_ternary_models_agree() {
    for folder in models("ternary") {
        let (expected, found) = run(&folder, &TERNARY, Precision::default());
        let encoded = cosine(&found.encoded, &expected.floats("encoded"));
        let logits = cosine(&found.logits, &expected.floats("logits"));
        println!("{}: cosine encoder {encoded:.6}, logits {logits:.6}", folder.display());
        assert!(encoded >= 0.999 && logits >= 0.999);
    }
}

/// What a narrower head costs: the relative difference of the logits, and how many of the tokens
/// chosen by the head in f32 it chooses too. A random head has no structure that would help it.
#[test]
fn narrower_heads_stay_near() {
    let int4 = |size| Storage::Int4(size);
    let heads = [
        (Storage::Int8, 0.05),
        (int4(GroupSize::G32), 0.2),
        (int4(GroupSize::G64), 0.2),
        (int4(GroupSize::G128), 0.25),
    ];
    for folder in models("ternary") {
        let (_, whole) = run(&folder, &TERNARY, Precision::default());
        for (head, bound) in heads {
            let (_, found) =
                run(&folder, &ConvertOptions { head, ..TERNARY }, Precision::default());
            let logits = relative(&found.logits, &whole.logits);
            let same = found.next.iter().zip(&whole.next).filter(|(a, b)| a == b).count();
            let all = whole.next.len();
            println!("{}: {head:?}: logits {logits:.1e}, {same} of {all} tokens", folder.display());
            assert!(logits <= bound, "{head:?}");
        }
    }
}

#[test]
fn ternary_weights_survive_as_dense_ones_too() {
    // The same model through the float path: only activation rounding separates the two.
    let (expected, found) =
        run(&fixtures().join("ternary"), &ConvertOptions::F32, Precision::Float);
    assert!(relative(&found.logits, &expected.floats("logits")) <= 1e-3);
}

#[test]
fn a_dense_model_is_not_exactly_ternary() {
    let checkpoint = import::open(&fixtures().join("dense")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("model.trit");
    let error = convert(checkpoint.as_ref(), &path, &TERNARY, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("is not exactly ternary"), "{error}");
    assert!(!path.exists() && std::fs::read_dir(work.path()).unwrap().next().is_none());
}
