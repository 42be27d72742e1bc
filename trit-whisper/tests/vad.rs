//! The voice activity detector: on recordings, where there are some, and on synthetic sound.
//!
//! `cargo test --profile checked -p trit-whisper --test vad -- --nocapture` prints the rates that
//! docs/usage.md gives.

mod multilingual;

use std::ops::Range;
use std::path::Path;

use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::{
    Event, MemoryPlan, Model, Options, SAMPLE_RATE, Stream, StreamEvent, StreamOptions,
    Transcriber, Vad, VadOptions, Whisper, audio,
};

fn stretches(samples: &[f32], options: VadOptions) -> Vec<Range<usize>> {
    let mut vad = Vad::new(options);
    let mut found = Vec::new();
    // Pieces of any size do.
    for piece in samples.chunks(1_001) {
        vad.push(piece, &mut |stretch| found.push(stretch));
    }
    found.extend(vad.finish());
    found
}

/// Noise of a fixed seed, −1..1.
fn noise(n: usize) -> impl Iterator<Item = f32> {
    let mut state = 1u64;
    (0..n).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// Of what is shorter than the padding, or ends with the last word, all is heard.
#[test]
fn a_word_alone_is_speech_enough() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
    let samples = audio::read_file(&path).unwrap().samples;
    for end in [10_000, 10_400, 11_000] {
        let word = &samples[4_800..end];
        assert!(word.len() < VadOptions::WHOLE.padding);
        let transcript = Whisper::embedded().unwrap().transcribe(word).unwrap();
        assert_eq!(transcript.text, "yes", "{} samples", word.len());
    }
}

#[test]
fn silence_and_faint_noise_are_no_speech() {
    for options in [VadOptions::WHOLE, VadOptions::LIVE] {
        assert!(stretches(&vec![0.0; 60 * SAMPLE_RATE], options).is_empty());
        for loudness in [1e-4, 1e-3, 0.01] {
            let samples: Vec<f32> = noise(60 * SAMPLE_RATE).map(|x| x * loudness).collect();
            assert!(stretches(&samples, options).is_empty(), "noise at {loudness}");
        }
    }
}

#[test]
fn any_samples_are_taken() {
    for sample in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e12, 1e-40] {
        stretches(&[sample; 5_000], VadOptions::default());
    }
    let everything = VadOptions { threshold: -1.0, min_speech: 0, min_silence: 0, padding: 9 };
    assert!(!stretches(&[0.0; 1_000], everything).is_empty());
    let nothing = VadOptions { threshold: f32::NAN, ..everything };
    assert!(stretches(&[0.0; 1_000], nothing).is_empty());
}

#[test]
fn samples_are_heard_with_padding_and_apart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "flac") {
            continue;
        }
        let mut samples = vec![0.0; 5 * SAMPLE_RATE];
        let speech = audio::read_file(&path).unwrap().samples;
        let (from, to) = (samples.len(), samples.len() + speech.len());
        samples.extend(&speech);
        samples.resize(to + 5 * SAMPLE_RATE, 0.0);
        samples.extend(&speech);
        let found = stretches(&samples, VadOptions::default());
        let [first, second] = found.as_slice() else { panic!("{}: {found:?}", path.display()) };
        println!("{}: {from}..{to} as {first:?}, {second:?}", path.display());
        assert!(first.start < to && first.end > from && first.end <= second.start);
        assert!(first.start + 2 * SAMPLE_RATE > from && first.end < to + SAMPLE_RATE);
        assert!(second.end + SAMPLE_RATE / 2 > samples.len());
    }
}

/// Every so many recordings of a folder, in order of name.
fn clips(folder: &Path, count: usize) -> Vec<Vec<f32>> {
    let mut clips: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    let step = clips.len().div_ceil(count);
    clips.iter().step_by(step).map(|path| audio::read_file(path).unwrap().samples).collect()
}

/// The shares of words that are missed and of noises that are heard, when they take turns in one
/// stream, with 1.5 s of faint noise after each.
fn rates(words: &[Vec<f32>], noises: &[Vec<f32>], hiss: f32, options: VadOptions) -> [f64; 2] {
    let mut samples: Vec<f32> = Vec::new();
    let mut places = [Vec::new(), Vec::new()];
    let mut gaps = noise(usize::MAX).map(|x| x * hiss);
    for index in 0..words.len().max(noises.len()) {
        for (clips, places) in [words, noises].into_iter().zip(&mut places) {
            let Some(clip) = clips.get(index) else { continue };
            places.push(samples.len()..samples.len() + clip.len());
            samples.extend(clip);
            samples.extend(gaps.by_ref().take(3 * SAMPLE_RATE / 2));
        }
    }
    let found = stretches(&samples, options);
    let heard = |place: &&Range<usize>| {
        found.iter().any(|stretch| stretch.start < place.end && place.start < stretch.end)
    };
    let [words, noises] = places;
    let share = |heard: usize, all: &[Range<usize>]| heard as f64 / all.len() as f64;
    let missed = words.len() - words.iter().filter(heard).count();
    [share(missed, &words), share(noises.iter().filter(heard).count(), &noises)]
}

#[test]
fn words_are_told_from_noise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/spoken-words");
    let folder = root.join("speech-commands");
    if !folder.is_dir() {
        println!("skipped: no recordings at {}", folder.display());
        return;
    }
    let mut folders: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.retain(|folder| !folder.ends_with("_silence_"));
    let words: Vec<_> = folders.iter().flat_map(|folder| clips(folder, 10)).collect();
    let noises = clips(&folder.join("_silence_"), words.len());
    println!("{} words, {} noises; missed and false, %", words.len(), noises.len());
    for hiss in [0.0, 1e-3] {
        for (threshold, most) in [(0.5, [1.0, 50.0]), (0.6, [3.0, 35.0]), (0.7, [6.0, 12.0])] {
            let options = VadOptions { threshold, padding: 0, ..VadOptions::LIVE };
            let found = rates(&words, &noises, hiss, options).map(|share| 100.0 * share);
            println!("hiss {hiss}, threshold {threshold}: {:.1} {:.1}", found[0], found[1]);
            assert!(found[0] <= most[0] && found[1] <= most[1]);
        }
    }
}

/// A window's place and tokens, the tokens of its segments, and where the next one may begin.
#[derive(Debug)]
struct Done {
    place: Range<usize>,
    tokens: Vec<u32>,
    told: Vec<u32>,
    next: usize,
}

/// A random model ends many windows in text after a pair of timestamps. The next window has it, or
/// where speech is over, and there is none, it is a segment: so in files and in streams.
#[test]
fn no_text_is_lost_where_speech_ends() {
    let model = Model::parse(multilingual::file()).unwrap();
    let config = *model.config();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/yes-no.flac");
    let samples = audio::read_file(&path).unwrap().samples;
    let kernels = Kernels::new(&Cpu::detect());
    let mut rests = 0;
    for words in [false, true] {
        let options = Options {
            language: Some(config.language_first),
            temperatures: &[0.0],
            no_speech_threshold: Some(1.0),
            words,
            ..Options::default()
        };
        for (at, first) in (0..8_000).step_by(700).enumerate() {
            let min_silence = [300, 2_000, 4_800][at % 3];
            let gain = [0.5, 1.5, 0.3, 1.0][at % 4];
            let samples: Vec<f32> =
                samples[first..].iter().map(|x| (x * gain).clamp(-1.0, 1.0)).collect();
            let vad = VadOptions { min_silence, ..VadOptions::WHOLE };
            let options = Options { vad: Some(vad), ..options };
            let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
            let mut transcriber =
                Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
            let mut windows: Vec<Done> = Vec::new();
            let mut segments = Vec::new();
            let mut tell = |event: Event<'_>| match event {
                Event::Window(window) => windows.push(Done {
                    place: window.start..window.end,
                    tokens: window.tokens.to_vec(),
                    told: Vec::new(),
                    next: 0,
                }),
                Event::Segment(segment) => {
                    windows.last_mut().unwrap().told.extend(segment.tokens);
                    segments.push((segment.start, segment.end, segment.tokens.to_vec()));
                }
                Event::Progress { done, .. } => {
                    if let Some(window) = windows.last_mut().filter(|window| window.next == 0) {
                        window.next = done;
                    }
                }
                _ => {}
            };
            transcriber.transcribe(&samples, &mut tell).unwrap();
            for (at, window) in windows.iter().enumerate() {
                let is_stamp = |at: usize| window.tokens[at] >= config.timestamp_first;
                let ends = (1..window.tokens.len()).rev();
                let pair = ends.into_iter().find(|&at| is_stamp(at - 1) && is_stamp(at));
                let rest: Vec<u32> = window.tokens[pair.unwrap_or(window.tokens.len())..]
                    .iter()
                    .copied()
                    .filter(|&id| id < config.eot)
                    .collect();
                let bytes: Vec<u8> =
                    rest.iter().flat_map(|&id| model.tokens().bytes(id)).copied().collect();
                if bytes.trim_ascii().is_empty() || window.told.ends_with(&rest) {
                    rests += usize::from(!rest.is_empty() && window.next == window.place.end);
                    continue;
                }
                let next = windows.get(at + 1).map(|next| next.place.start);
                assert_eq!(next, Some(window.next), "{window:?}");
            }
            assert!(segments.is_sorted_by(|a, b| a.1 <= b.0), "{segments:?}");

            let transcriber =
                Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
            let how = StreamOptions { vad, keep_context: true, ..StreamOptions::default() };
            let mut stream = Stream::new(transcriber, how).unwrap();
            let mut streamed = Vec::new();
            let mut tell = |event: StreamEvent<'_>| {
                if let StreamEvent::Segment(segment) = event {
                    streamed.push((segment.start, segment.end, segment.tokens.to_vec()));
                }
            };
            stream.push(&samples, &mut tell).unwrap();
            stream.finish(&mut tell).unwrap();
            if !words {
                assert_eq!(streamed, segments);
            }
        }
    }
    println!("{rests} windows end in text where speech does");
    assert!(rests > 0, "no windows end in text where speech does");
}
