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

#[test]
fn a_transcription_allocates_nothing() {
    let mut arena =
        vec![0; MemoryPlan::new(Model::parse(embedded::model()).unwrap().config()).total()];
    let samples: Vec<f32> = (0..200_000).map(|n| (n as f32 * 0.05).sin() * 0.1).collect();

    let before = ALLOCATIONS.get();
    assert!(before >= 2, "the arena and the samples were counted");
    let model = Model::parse(embedded::model()).unwrap();
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, Options::default()).unwrap();
    let mut events = 0;
    transcriber
        .transcribe(&samples, &mut |event| {
            if let Event::Segment(segment) = event {
                events += segment.text().map(<[u8]>::len).sum::<usize>();
            }
        })
        .unwrap();
    assert_eq!(ALLOCATIONS.get() - before, 0);
    // The samples span three windows, so the whole path has run.
    assert!(events < samples.len());
}
