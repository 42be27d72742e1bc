//! Reads 16-bit samples, 16 kHz, mono, little endian, and prints what is said in them.
//!
//!     ffmpeg -i speech.flac -f s16le -ar 16000 -ac 1 - | cargo run --release -p trit-example-no-std

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use trit_example_no_std::{Memory, recognise};

/// On a board this is a section of RAM.
static MEMORY: Mutex<Memory> = Mutex::new(Memory::new());

fn main() -> Result<(), Box<dyn Error>> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let pcm: Vec<_> = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = Vec::new();
    recognise(&pcm, &mut memory, &mut |part| text.extend_from_slice(part))?;
    text.push(b'\n');
    io::stdout().write_all(text.trim_ascii_start())?;
    Ok(())
}
