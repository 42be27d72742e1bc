//! Inference without an allocator: the model in flash, memory of a fixed size, one thread.
//!
//! Everything that `recognise` uses is there without std; `main` stands for a board's own: it brings
//! samples and takes text.
//!
//!     cargo run --release -p trit-whisper --example no_std

use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::{Error, Event, MemoryPlan, Model, Options, Transcriber, embedded};

/// Bytes that the embedded model takes: `trit-whisper info` tells, and `recognise` checks.
const ARENA: usize = 4 << 20;

/// Writes what is said in the samples to `put`, a piece of text at a time.
fn recognise(samples: &[f32], arena: &mut [u8], put: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
    let model = Model::parse(embedded::model())?;
    let options = Options::default();
    let expected = MemoryPlan::with_options(&model, 1, &options).total();
    let found = arena.len();
    let arena = arena.get_mut(..expected).ok_or(Error::Arena { expected, found })?;
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber = Transcriber::new(&model, kernels, &Sequential, arena, options)?;
    transcriber.transcribe(samples, &mut |event| {
        if let Event::Segment(segment) = event {
            segment.text().for_each(&mut *put);
        }
    })?;
    Ok(())
}

/// On a board this is a section of RAM.
static ARENA_MEMORY: std::sync::Mutex<[u8; ARENA]> = std::sync::Mutex::new([0; ARENA]);

fn main() -> Result<(), Error> {
    let second = [0.0; trit_whisper::SAMPLE_RATE];
    let mut arena = ARENA_MEMORY.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut bytes = 0;
    recognise(&second, &mut *arena, &mut |text| bytes += text.len())?;
    println!("{bytes} bytes of text in a second of silence");
    Ok(())
}
