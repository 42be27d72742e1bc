//! Segments as an iterator: those that a callback is told of, to the bit, and no work that was not asked
//! for.

mod multilingual;

use std::ops::ControlFlow;
use std::path::Path;

use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::output::Line;
use trit_whisper::{
    Error, Event, MemoryPlan, Model, Options, SAMPLE_RATE, Samples, Segments, Summary, Transcriber,
    Whisper, audio, embedded,
};

/// The samples' words in a row, over several windows.
fn speech() -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let names = ["phone-number", "go-left-stop", "happy-house"];
    let read = |name| audio::read_file(&folder.join(format!("{name}.flac"))).unwrap().samples;
    names.into_iter().flat_map(read).collect()
}

/// A model that takes text from window to window.
fn multilingual() -> Whisper {
    Whisper::from_bytes(multilingual::file()).unwrap()
}

/// What a callback is told of.
#[derive(Debug, PartialEq)]
struct Told {
    lines: Vec<Line>,
    language: Option<(String, u32)>,
    summary: Summary,
}

fn told(whisper: &mut Whisper, samples: &[f32]) -> Told {
    let (mut lines, mut language) = (Vec::new(), None);
    let done = whisper.transcribe_with(samples, |event| {
        match event {
            Event::Language { token, probability } => language = Some((token, probability)),
            Event::Segment(segment) => lines.push(Line::new(&segment)),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let summary = done.unwrap();
    let model = whisper.model().unwrap();
    let language =
        language.map(|(token, p)| (model.language_code(token).unwrap().to_owned(), p.to_bits()));
    Told { lines, language, summary }
}

/// The same of an iterator.
fn pulled<S: Samples + Send>(mut segments: Segments<'_, '_, S>) -> Told {
    let lines: Vec<_> = segments.by_ref().map(Result::unwrap).collect();
    assert!(segments.next().is_none() && segments.next().is_none());
    let language = segments.language().map(|(code, p)| (code.to_owned(), p.to_bits()));
    Told { lines, language, summary: segments.summary() }
}

/// Decodes all audio of random weights, with everything that goes from window to window.
fn thorough() -> Options<'static> {
    Options {
        vad: None,
        no_speech_threshold: Some(1.0),
        temperatures: &[0.0, 0.4],
        beam_size: 2,
        best_of: 2,
        seed: 3,
        initial_prompt: &[1, 2, 3],
        prompt_reset_temperature: 1.0,
        ..Options::default()
    }
}

#[test]
fn an_iterator_gives_what_a_callback_is_told() {
    let samples = speech();
    let spoken = Options::default();
    let words = Options { words: true, max_segment_chars: Some(9), ..spoken };
    let part = Options { offset: 20_000, duration: Some(200_000), vad: None, ..spoken };
    for options in [spoken, words, part] {
        for threads in [1, 2] {
            let whisper = Whisper::embedded().unwrap().threads(threads).unwrap();
            let mut whisper = whisper.options(options);
            let expected = told(&mut whisper, &samples);
            assert!(expected.lines.len() > 3 && expected.summary.windows > 1, "{expected:?}");
            assert_eq!(pulled(whisper.segments(&samples[..]).unwrap()), expected);
        }
    }
    let mut whisper = multilingual();
    for words in [false, true] {
        whisper = whisper.options(Options { words, ..thorough() });
        let expected = told(&mut whisper, &samples);
        assert!(expected.language.is_some() && expected.summary.windows > 3, "{expected:?}");
        assert!(expected.lines.len() > 3);
        assert_eq!(pulled(whisper.segments(&samples[..]).unwrap()), expected);
    }
}

#[test]
fn a_file_is_read_as_segments_are_asked_for() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/phone-number.flac");
    let samples = audio::read_file(&path).unwrap().samples;
    let mut whisper = Whisper::embedded().unwrap().words(true);
    let expected = told(&mut whisper, &samples);
    let mut reader = audio::Reader::open(&path).unwrap();
    assert_eq!(pulled(whisper.segments(&mut reader).unwrap()), expected);
    assert_eq!(reader.len(), samples.len());
}

#[test]
fn a_transcriber_serves_one_audio_after_the_other() {
    let samples = speech();
    let expected = told(&mut Whisper::embedded().unwrap(), &samples);
    let model = Model::parse(embedded::model()).unwrap();
    let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, Options::default()).unwrap();
    for _ in 0..2 {
        // Left in the middle, it begins anew.
        let mut segments = transcriber.into_segments(&samples[..]);
        assert_eq!(segments.next().unwrap().unwrap(), expected.lines[0]);
        transcriber = segments.into_transcriber();
    }
    assert_eq!(pulled(transcriber.into_segments(&samples[..])), expected);
}

/// Audio without an end, which notes how much of it was asked for.
struct Endless {
    speech: Vec<f32>,
    window: Vec<f32>,
    asked: usize,
}

impl Samples for Endless {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        self.asked = self.asked.max(start + len);
        self.window.clear();
        self.window.extend(self.speech.iter().cycle().skip(start % self.speech.len()).take(len));
        Some(&self.window)
    }
}

#[test]
fn no_more_is_done_than_was_asked_for() {
    let mut whisper = Whisper::embedded().unwrap().options(Options { vad: None, ..thorough() });
    let window = whisper.model().unwrap().config().window();
    let endless = Endless { speech: speech(), window: Vec::new(), asked: 0 };
    let mut segments = whisper.segments(endless).unwrap();
    assert_eq!((segments.position(), segments.summary()), (0, Summary::default()));
    for _ in 0..3 {
        assert!(segments.next().unwrap().is_ok());
        let (done, asked) = (segments.position(), segments.samples_mut().asked);
        assert!(0 < done && done <= asked && asked <= done + window, "{done} {asked}");
    }
    assert!(segments.position() < 20 * SAMPLE_RATE);
}

#[test]
fn errors_come_where_they_are_and_end_it() {
    let mut whisper = Whisper::embedded().unwrap().options(Options { vad: None, ..thorough() });
    assert!(whisper.segments(&[][..]).unwrap().eq([Err(Error::EmptyAudio)]));
    let mut samples = speech();
    let last = samples.len() - 1;
    samples[last] = f32::NAN;
    let mut segments = whisper.segments(&samples[..]).unwrap();
    let found: Vec<_> = segments.by_ref().collect();
    assert!(segments.next().is_none());
    let (error, lines) = found.split_last().unwrap();
    assert_eq!(*error, Err(Error::Sample { index: last }));
    assert!(!lines.is_empty() && lines.iter().all(Result::is_ok));
    let bad = Options { beam_size: 0, ..thorough() };
    let expected = Error::Option { option: "beam_size", expected: "1 to 32" };
    assert_eq!(whisper.options(bad).segments(&samples[..]).err(), Some(expected));
}
