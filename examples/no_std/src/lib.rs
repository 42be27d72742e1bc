//! Speech to text without an operating system or allocator: the model in flash, memory of a fixed size,
//! one thread.
//!
//! This crate is `no_std`, and the matrix builds it for a Cortex-M and for bare-metal aarch64. A board's
//! `main` gives it a [`Memory`] in RAM, what its converter recorded and a place to write text to;
//! `main.rs` does so on a machine with an operating system.

#![no_std]
#![forbid(unsafe_code)]

use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::{Error, Event, Model, Options, Samples, Summary, Transcriber, embedded};

/// Bytes of the arena of the embedded model with the default options on one thread.
pub const ARENA: usize = 820 << 10;

/// Samples of a window of the embedded model.
pub const WINDOW: usize = 6 * trit_whisper::SAMPLE_RATE;

/// All the memory that a transcription takes beside the stack: a `static` on most boards.
pub struct Memory {
    arena: [u8; ARENA],
    window: [f32; WINDOW],
}

impl Memory {
    /// Memory of zeros, which takes no room in flash.
    pub const fn new() -> Self {
        Self { arena: [0; ARENA], window: [0.0; WINDOW] }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// What a converter recorded, 16 bits a sample, made floats a window at a time.
struct Recording<'r> {
    pcm: &'r [i16],
    window: &'r mut [f32],
}

impl Samples for Recording<'_> {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        let rest = self.pcm.get(start..).unwrap_or_default();
        let part = &rest[..len.min(rest.len())];
        let window = self.window.get_mut(..part.len())?;
        for (to, &sample) in window.iter_mut().zip(part) {
            *to = f32::from(sample) / 32_768.0;
        }
        Some(window)
    }

    fn total(&self) -> Option<usize> {
        Some(self.pcm.len())
    }
}

/// Writes what is said in 16 kHz mono samples to `put`, a token's bytes at a time; words begin with a
/// space.
///
/// ```
/// use trit_example_no_std::{Memory, recognise};
///
/// static MEMORY: std::sync::Mutex<Memory> = std::sync::Mutex::new(Memory::new());
/// let mut text = Vec::<u8>::new();
/// let done = recognise(&[0; 16_000], &mut MEMORY.lock().unwrap(), &mut |part| text.extend(part));
/// assert_eq!((done.unwrap().skipped, text.len()), (16_000, 0));
/// ```
///
/// # Errors
/// No samples.
pub fn recognise(
    pcm: &[i16],
    memory: &mut Memory,
    put: &mut dyn FnMut(&[u8]),
) -> Result<Summary, Error> {
    let Memory { arena, window } = memory;
    let model = Model::parse(embedded::model())?;
    let options = Options::default();
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber = Transcriber::new(&model, kernels, &Sequential, arena, options)?;
    transcriber.transcribe_from(&mut Recording { pcm, window }, &mut |event| {
        if let Event::Segment(segment) = event {
            segment.text().for_each(&mut *put);
        }
    })
}

#[cfg(test)]
mod tests {
    use trit_whisper::MemoryPlan;

    use super::*;

    #[test]
    fn memory_is_what_the_embedded_model_takes() {
        let model = Model::parse(embedded::model()).unwrap();
        let needed = MemoryPlan::with_options(&model, 1, &Options::default()).total();
        assert!((ARENA - ARENA / 8..=ARENA).contains(&needed), "{needed}");
        assert_eq!(model.config().window(), WINDOW);
    }
}
