//! Times of words: against openai-whisper on the same random models (`oracle/words.py`), and on speech.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::convert::{ConvertOptions, convert};
use trit_whisper::mmap::MappedFile;
use trit_whisper::threads::Threads;
use trit_whisper::{
    Event, MemoryPlan, Model, Options, Precision, Transcriber, audio, embedded, import,
};

/// Committed models and those of `TRIT_ORACLE_DIR` that have `words.json`.
fn models() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut models = vec![fixtures.join("dense"), fixtures.join("ternary")];
    if let Some(folder) = std::env::var_os("TRIT_ORACLE_DIR") {
        models.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    models.retain(|path| path.join("words.json").exists());
    models
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as u32).collect()
}

#[test]
fn alignments_are_openais() {
    for folder in models() {
        let expected: Value =
            serde_json::from_slice(&std::fs::read(folder.join("words.json")).unwrap()).unwrap();
        let file = std::fs::read(folder.join("expected.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let samples: Vec<f32> = tensors
            .tensor("samples")
            .unwrap()
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("model.trit");
        convert(
            import::open(&folder).unwrap().as_ref(),
            &path,
            &ConvertOptions::F32,
            &mut |_, _| {},
        )
        .unwrap();
        let file = MappedFile::open(&path).unwrap();
        let model = Model::parse(&file).unwrap();
        let options = Options { words: true, precision: Precision::Float, ..Options::default() };
        let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
        let kernels = Kernels::new(&Cpu::detect());
        let mut transcriber =
            Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
        transcriber.encode(&samples).unwrap();
        let language = model.language("en").unwrap();
        let tokens = numbers(&expected["tokens"]);
        let aligned = transcriber.align(Some(language), &tokens, samples.len()).unwrap().unwrap();
        let first = numbers(&expected["first"]);
        let differing: Vec<_> = aligned
            .starts()
            .map(|start| start as u32 / 320)
            .zip(first.iter().copied())
            .filter(|(found, expected)| found != expected)
            .collect();
        println!("{}: {} of {} frames differ", folder.display(), differing.len(), first.len());
        assert!(differing.iter().all(|(found, expected)| found.abs_diff(*expected) <= 1));
        let probabilities = expected["probabilities"].as_array().unwrap();
        for (&found, expected) in aligned.probabilities().iter().zip(probabilities) {
            let expected = expected.as_f64().unwrap();
            assert!((f64::from(found) - expected).abs() <= 1e-4 * expected, "{found} {expected}");
        }
    }
}

/// The samples' words, one by one, over more than one window, and the same with any threads. The
/// embedded model lists no alignment heads and makes a segment of each word, so that words have the times
/// of their segments.
#[test]
fn words_of_speech_have_all_text_with_any_threads() {
    let model = Model::parse(embedded::model()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut samples = audio::read_file(&folder.join("phone-number.flac")).unwrap().samples;
    samples.extend(audio::read_file(&folder.join("go-left-stop.flac")).unwrap().samples);
    samples.extend(audio::read_file(&folder.join("happy-house.flac")).unwrap().samples);
    let words_with = |count: usize, words: bool| {
        let options = Options { words, ..Options::default() };
        let threads = Threads::new(count).unwrap();
        let mut arena = vec![0; MemoryPlan::with_options(&model, count, &options).total()];
        let kernels = Kernels::new(&Cpu::detect());
        let mut transcriber =
            Transcriber::new(&model, kernels, &threads, &mut arena, options).unwrap();
        let (mut found, mut segments) = (Vec::new(), Vec::new());
        transcriber
            .transcribe(&samples, &mut |event| {
                let Event::Segment(segment) = event else { return };
                let probable: Vec<_> = segment.probabilities().collect();
                let mean = probable.iter().sum::<f32>() / probable.len() as f32;
                for word in segment.words() {
                    // This model has a segment for each word.
                    assert!((word.probability - mean).abs() < 1e-6, "{} {mean}", word.probability);
                    let text = word.text().flatten().copied().collect::<Vec<u8>>();
                    let text = String::from_utf8(text).unwrap();
                    assert!(word.start <= word.end && (0.0..=1.0).contains(&word.probability));
                    found.push((word.start, word.end, text, word.probability.to_bits()));
                }
                let text = segment.text().flatten().copied().collect();
                segments.push((segment.start, segment.end, String::from_utf8(text).unwrap()));
            })
            .unwrap();
        (found, segments)
    };
    let (found, segments) = words_with(1, true);
    println!("{found:?}");
    assert_eq!(segments, words_with(1, false).1);
    let words: Vec<_> =
        found.iter().map(|(start, end, text, _)| (*start, *end, text.clone())).collect();
    assert_eq!(words, segments);
    assert_eq!(words.len(), 12);
    assert_eq!(words_with(2, true).0, found);
}
