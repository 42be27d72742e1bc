//! Inference allocates nothing: a counting allocator watches a whole transcription.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, embedded};

struct Counting;

thread_local! {
    /// Of this thread alone: the test harness allocates on its own while a test runs.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those of `System.alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System.dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Transcribes three windows and counts.
fn transcribe(options: Options<'_>) {
    let plan = MemoryPlan::with_options(&Model::parse(embedded::model()).unwrap(), 1, &options);
    let mut arena = vec![0; plan.total()];
    let samples: Vec<f32> = (0..200_000).map(|n| (n as f32 * 0.05).sin() * 0.1).collect();

    let before = ALLOCATIONS.get();
    assert!(before >= 2, "the arena and the samples were counted");
    let model = Model::parse(embedded::model()).unwrap();
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    let (mut text, mut tokens, mut temperature) = (0, 0, 0.0f32);
    transcriber
        .transcribe(&samples, &mut |event| match event {
            Event::Segment(segment) => text += segment.text().map(<[u8]>::len).sum::<usize>(),
            Event::Window(window) => {
                tokens += window.tokens.len();
                temperature = temperature.max(window.temperature);
            }
            _ => {}
        })
        .unwrap();
    assert_eq!(ALLOCATIONS.get() - before, 0);
    // The samples span three windows, so the whole path has run.
    assert!(text < samples.len() && tokens > 0);
    assert_eq!(temperature, options.temperatures[options.temperatures.len() - 1]);
}

#[test]
fn a_transcription_allocates_nothing() {
    // What is no speech is decoded too.
    let options = Options {
        temperatures: &[0.0],
        vad: None,
        no_speech_threshold: Some(1.0),
        ..Options::default()
    };
    transcribe(options);
    transcribe(Options { words: true, ..options });
}

#[test]
fn beams_samples_and_fallback_allocate_nothing() {
    transcribe(Options {
        temperatures: &[0.0, 0.4, 1.0],
        beam_size: 4,
        best_of: 3,
        patience: 1.5,
        repetition_penalty: 1.1,
        no_repeat_ngram: 3,
        initial_prompt: &[1, 2, 3],
        hotwords: &[4],
        max_segment_chars: Some(10),
        no_speech_threshold: Some(1.0),
        vad: None,
        // No attempt is good enough.
        logprob_threshold: f32::INFINITY,
        ..Options::default()
    });
}

#[test]
fn listening_for_speech_allocates_nothing() {
    let options = Options::default();
    let model = Model::parse(embedded::model()).unwrap();
    let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    // A hum is no speech.
    let samples: Vec<f32> = (0..200_000).map(|n| (n as f32 * 0.05).sin() * 0.1).collect();
    let before = ALLOCATIONS.get();
    let summary = transcriber.transcribe(&samples, &mut |_| {}).unwrap();
    assert_eq!((ALLOCATIONS.get() - before, summary.skipped), (0, samples.len()));
}
