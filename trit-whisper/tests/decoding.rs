//! Decoding against openai-whisper: `oracle/decoding.py` ran its code with the tiny dense model, and
//! here are the same tokens, probabilities and segments.

use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;
use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::convert::{ConvertOptions, convert};
use trit_whisper::embedded;
use trit_whisper::mmap::MappedFile;
use trit_whisper::{
    Error, Event, MemoryPlan, Model, Options, Precision, SAMPLE_RATE, Transcriber, import,
};

/// Samples of a frame.
const HOP: usize = 160;

/// A token that is often likely: in the oracle the end is in its place, and it is suppressed.
const OFTEN: u32 = 11;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dense").join(name)
}

/// The committed model, with the end made likelier as in the oracle.
struct Tiny {
    _folder: tempfile::TempDir,
    file: MappedFile,
}

impl Tiny {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "tokenizer.json"] {
            std::fs::copy(fixture(name), folder.path().join(name)).unwrap();
        }
        let mut weights = std::fs::read(fixture("model.safetensors")).unwrap();
        let (embedding, row) = {
            let tensors = SafeTensors::deserialize(&weights).unwrap();
            let embedding = tensors.tensor("model.decoder.embed_tokens.weight").unwrap();
            let start = embedding.data().as_ptr() as usize - weights.as_ptr() as usize;
            (start, embedding.data().len() / embedding.shape()[0])
        };
        let often = embedding + OFTEN as usize * row;
        weights.copy_within(often..often + row, embedding + 30 * row);
        std::fs::write(folder.path().join("model.safetensors"), weights).unwrap();
        let path = folder.path().join("model.trit");
        let checkpoint = import::open(folder.path()).unwrap();
        convert(checkpoint.as_ref(), &path, &ConvertOptions::F32, &mut |_, _| {}).unwrap();
        Self { file: MappedFile::open(&path).unwrap(), _folder: folder }
    }

    fn model(&self) -> Model<'_> {
        Model::parse(&self.file).unwrap()
    }
}

/// `audio` of the oracle.
fn audio(seed: u64, frames: u64) -> Vec<f32> {
    let sample = |t: u64| {
        let chirp = (t * t / (97 + seed) + t * (211 * seed)) & 0xFFFF;
        let noise = ((t * 1_103_515_245 + seed).wrapping_mul(2_654_435_761) >> 16) & 0x0FFF;
        let loud = (t / (1200 + 100 * seed)) % 3;
        let wave = (chirp as i64 - 32_768) * loud as i64 + noise as i64;
        (wave as f64 / f64::from(1 << 18)) as f32
    };
    (0..frames * HOP as u64).map(sample).collect()
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("decoding.json")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().unwrap() as u32;
    value.as_array().map_or_else(Vec::new, |list| list.iter().map(id).collect())
}

/// What the oracle's options name, as far as it is not a number.
struct Given {
    temperatures: Vec<f32>,
    prompt: Vec<u32>,
    prefix: Vec<u32>,
    suppress: Vec<u32>,
}

impl Given {
    fn new(options: &Value) -> Self {
        let prompt = match options["initial_prompt"].as_str() {
            Some(words) => words.split(' ').map(|word| word.parse().unwrap()).collect(),
            None => ids(&options["prompt"]),
        };
        let temperatures = match options["temperature"].as_array() {
            Some(list) => list.iter().map(|t| t.as_f64().unwrap() as f32).collect(),
            None => vec![0.0],
        };
        let suppress = match &options["suppress_tokens"] {
            Value::Null => vec![OFTEN],
            listed => ids(listed),
        };
        Self { temperatures, prompt, prefix: ids(&options["prefix"]), suppress }
    }

    /// The options of the same meaning.
    fn options<'o>(&'o self, model: &Model<'_>, given: &Value, language: &str) -> Options<'o> {
        let number = |name: &str| given[name].as_f64().map(|number| number as f32);
        let size = |name: &str| given[name].as_u64().map(|number| number as usize);
        let samples = |seconds: f64| (seconds * SAMPLE_RATE as f64).round() as usize;
        let clip: Vec<_> = given["clip_timestamps"].as_array().map_or_else(Vec::new, |clip| {
            clip.iter().map(|t| samples(t.as_f64().unwrap())).collect()
        });
        let default = Options::default();
        Options {
            language: model.language(given["language"].as_str().unwrap_or(language)).ok(),
            translate: given["task"] == "translate",
            timestamps: given["without_timestamps"] != true,
            precision: Precision::Float,
            temperatures: &self.temperatures,
            beam_size: size("beam_size").unwrap_or(1),
            patience: number("patience").unwrap_or(1.0),
            length_penalty: number("length_penalty"),
            initial_prompt: &self.prompt,
            carry_initial_prompt: given["carry_initial_prompt"] == true,
            prefix: &self.prefix,
            condition_on_previous: given["condition_on_previous_text"] != false,
            suppress: &self.suppress,
            max_tokens: size("sample_len"),
            max_initial_timestamp: given["max_initial_timestamp"].as_f64().map(samples),
            compression_ratio_threshold: number("compression_ratio_threshold").unwrap_or(2.4),
            logprob_threshold: match &given["logprob_threshold"] {
                Value::Null if given.get("logprob_threshold").is_some() => f32::NEG_INFINITY,
                other => other.as_f64().map_or(-1.0, |number| number as f32),
            },
            no_speech_threshold: number("no_speech_threshold"),
            offset: clip.first().copied().unwrap_or(0),
            duration: clip.get(1).map(|end| end - clip[0]),
            ..default
        }
    }
}

fn transcribe(
    model: &Model<'_>,
    options: Options<'_>,
    samples: &[f32],
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<trit_whisper::Summary, Error> {
    // The oracle decodes all audio, and this is no speech.
    let options = Options { vad: None, ..options };
    let plan = MemoryPlan::with_options(model, 1, &options);
    let mut arena = vec![0; plan.total()];
    let kernels = Kernels::new(&Cpu::detect());
    Transcriber::new(model, kernels, &Sequential, &mut arena, options)?.transcribe(samples, tell)
}

fn close(a: f32, b: &Value) -> bool {
    (f64::from(a) - b.as_f64().unwrap()).abs() < 1e-3
}

#[test]
fn windows_are_decoded_as_by_openai_whisper() {
    let (tiny, expected) = (Tiny::new(), expected());
    let model = tiny.model();
    let (mut ended, mut cases) = (0, 0);
    for case in expected["windows"].as_array().unwrap() {
        let given = Given::new(&case["options"]);
        // One attempt, and never silent.
        let options = Options {
            no_speech_threshold: Some(1.0),
            ..given.options(&model, &case["options"], "en")
        };
        let samples = audio(case["seed"].as_u64().unwrap(), case["frames"].as_u64().unwrap());
        let mut windows = 0;
        transcribe(&model, options, &samples, &mut |event| {
            if let Event::Window(window) = event
                && window.start == 0
            {
                windows += 1;
                assert_eq!(window.tokens, ids(&case["tokens"]), "{case}");
                assert_eq!(window.logprobs.len(), window.tokens.len());
                assert!(close(window.avg_logprob, &case["avg_logprob"]), "{case} {window:?}");
                assert!(close(window.no_speech_prob, &case["no_speech_prob"]), "{case} {window:?}");
                assert!(
                    close(window.compression_ratio, &case["compression_ratio"]),
                    "{case} {window:?}"
                );
                ended += usize::from(window.tokens.len() < 10);
            }
        })
        .unwrap();
        assert_eq!(windows, 1);
        cases += 1;
    }
    println!("{cases} windows, {ended} of which end by themselves");
    assert!(cases > 100 && ended > cases / 4);
}

#[test]
fn transcriptions_seek_and_fall_back_as_openai_whisper() {
    let (tiny, expected) = (Tiny::new(), expected());
    let model = tiny.model();
    let mut fallen_back = 0;
    for case in expected["transcriptions"].as_array().unwrap() {
        let given = Given::new(&case["options"]);
        let mut options = given.options(&model, &case["options"], "");
        if case["options"]["no_speech_threshold"].is_null() {
            options.no_speech_threshold = Some(0.6);
        }
        let samples = audio(case["seed"].as_u64().unwrap(), case["frames"].as_u64().unwrap());
        let mut found = Vec::new();
        transcribe(&model, options, &samples, &mut |event| match event {
            Event::Language { token, .. } => {
                assert_eq!(model.language_code(token), case["language"].as_str());
            }
            Event::Segment(segment) => {
                fallen_back += usize::from(segment.temperature > 0.0);
                found.push((segment.end, segment.tokens.to_vec(), segment.temperature));
            }
            _ => {}
        })
        .unwrap();
        let segment = |segment: &Value| {
            let end = (segment["end"].as_f64().unwrap() * SAMPLE_RATE as f64).round() as usize;
            let tokens = ids(&segment["tokens"]).into_iter().filter(|&id| id < 30).collect();
            (end, tokens, segment["temperature"].as_f64().unwrap() as f32)
        };
        let segments: Vec<_> = case["segments"].as_array().unwrap().iter().map(segment).collect();
        assert_eq!(found, segments, "{case}");
    }
    println!("{fallen_back} segments after falling back");
    assert!(fallen_back > 5);
}

#[test]
fn languages_are_as_probable_as_in_openai_whisper() {
    let (tiny, expected) = (Tiny::new(), expected());
    let model = tiny.model();
    let options = Options { precision: Precision::Float, ..Options::default() };
    let plan = MemoryPlan::with_options(&model, 1, &options);
    let mut arena = vec![0; plan.total()];
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    for case in expected["languages"].as_array().unwrap() {
        let samples = audio(case["seed"].as_u64().unwrap(), case["frames"].as_u64().unwrap());
        let languages = transcriber.detect_language(&samples).unwrap();
        let mut total = 0.0;
        for (token, probability) in languages.iter() {
            let code = model.language_code(token).unwrap();
            assert!(
                close(probability, &case["probabilities"][code]),
                "{code} {probability} {case}"
            );
            total += probability;
        }
        assert!((total - 1.0).abs() < 1e-5);
    }
    assert_eq!(transcriber.detect_language(&[]), Err(Error::EmptyAudio));
    assert_eq!(transcriber.detect_language(&[f32::NAN]), Err(Error::Sample { index: 0 }));
}

/// Tokens of every window.
fn tokens(model: &Model<'_>, options: Options<'_>, samples: &[f32]) -> Vec<Vec<u32>> {
    let mut windows = Vec::new();
    transcribe(model, options, samples, &mut |event| {
        if let Event::Window(window) = event {
            windows.push(window.tokens.to_vec());
        }
    })
    .unwrap();
    windows
}

#[test]
fn a_seed_gives_the_same_text_at_every_level_and_number_of_threads() {
    let tiny = Tiny::new();
    let model = tiny.model();
    let samples = audio(2, 200);
    for (beam_size, best_of, temperatures) in [(4, 1, &[0.0][..]), (1, 5, &[0.8]), (1, 1, &[1.2])] {
        let all = Options { vad: None, ..Options::default() };
        let options = Options { beam_size, best_of, temperatures, seed: 3, ..all };
        let expected = tokens(&model, options, &samples);
        for kernels in [Kernels::scalar(), Kernels::new(&Cpu::detect())] {
            for count in [1, 3] {
                let threads = trit_whisper::threads::Threads::new(count).unwrap();
                let plan = MemoryPlan::with_options(&model, count, &options);
                let mut arena = vec![0; plan.total()];
                let mut found = Vec::new();
                threads.install(|| {
                    Transcriber::new(&model, kernels, &threads, &mut arena, options)
                        .unwrap()
                        .transcribe(&samples, &mut |event| {
                            if let Event::Window(window) = event {
                                found.push(window.tokens.to_vec());
                            }
                        })
                        .unwrap();
                });
                assert_eq!(found, expected, "{count} threads");
            }
        }
        let other = tokens(&model, Options { seed: 4, ..options }, &samples);
        assert_eq!(other == expected, temperatures == [0.0]);
    }
}

#[test]
fn penalties_keep_text_from_repeating() {
    let tiny = Tiny::new();
    let model = tiny.model();
    let samples = audio(1, 80);
    let plain = Options {
        temperatures: &[0.0],
        precision: Precision::Float,
        no_speech_threshold: Some(1.0),
        suppress: &[30],
        ..Options::default()
    };
    let text = |options| tokens(&model, options, &samples).swap_remove(0);
    let repeats = |text: &[u32], n: usize| {
        (n..=text.len()).any(|end| {
            let last = &text[end - n..end];
            last[n - 1] < 30 && text[..end - 1].windows(n).any(|earlier| earlier == last)
        })
    };
    assert!(repeats(&text(plain), 2));
    for n in [1, 2, 3] {
        let found = text(Options { no_repeat_ngram: n, ..plain });
        assert!(!found.is_empty() && !repeats(&found, n), "{n}: {found:?}");
    }
    let found = text(Options { repetition_penalty: 100.0, ..plain });
    assert!(!repeats(&found, 1), "{found:?}");
}

#[test]
fn segments_are_cut_where_they_are_too_long() {
    let tiny = Tiny::new();
    let model = tiny.model();
    let samples = audio(1, 240);
    let options = Options { temperatures: &[0.0], ..Options::default() };
    let segments = |options: Options<'_>| {
        let mut found = Vec::new();
        transcribe(&model, options, &samples, &mut |event| {
            if let Event::Segment(segment) = event {
                let text: Vec<u8> = segment.text().flatten().copied().collect();
                assert_eq!(segment.probabilities().count(), segment.tokens.len());
                found.push((segment.start, segment.end, String::from_utf8(text).unwrap()));
            }
        })
        .unwrap();
        found
    };
    let whole = segments(options);
    for split_on_word in [false, true] {
        let parts = segments(Options { max_segment_chars: Some(8), split_on_word, ..options });
        assert!(parts.len() > whole.len());
        let text = |all: &[(usize, usize, String)]| {
            all.iter().map(|(_, _, text)| text.as_str()).collect::<String>()
        };
        assert_eq!(text(&parts), text(&whole));
        assert!(parts.iter().all(|(start, end, text)| start <= end && text.chars().count() <= 8));
        assert!(parts.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        assert_eq!(parts.last().unwrap().1, whole.last().unwrap().1);
    }
    // One token is the least there is.
    let least = segments(Options { max_segment_chars: Some(1), ..options });
    assert!(least.iter().all(|(_, _, text)| text.trim().parse::<u32>().is_ok()));
}

/// What is no speech has no segments, whatever kind of sound it is and however short.
#[test]
fn silence_and_noise_say_nothing() {
    let model = Model::parse(embedded::model()).unwrap();
    let two_windows = 12 * SAMPLE_RATE;
    let mut state = 1u32;
    let mut noise = |level: f32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 * level - level
    };
    let sounds: [Vec<f32>; 4] = [
        vec![0.0; two_windows],
        (0..two_windows).map(|_| noise(0.05)).collect(),
        (0..two_windows).map(|n| (n as f32 * 0.0196).sin() * 0.1).collect(),
        (0..800).map(|_| noise(0.1)).collect(),
    ];
    for (index, samples) in sounds.iter().enumerate() {
        let summary = transcribe(&model, Options::default(), samples, &mut |event| {
            assert!(!matches!(event, Event::Segment(_)), "sound {index}");
        })
        .unwrap();
        assert_eq!(summary.silent, summary.windows);
    }
}
