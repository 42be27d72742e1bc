//! Prints what is said in an audio file, and when.
//!
//!     cargo run --release -p trit-whisper --example transcribe -- speech.flac [model.trit]

use std::error::Error;
use std::path::Path;

use trit_whisper::{Whisper, audio};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let speech = arguments.next().ok_or("which audio file?")?;
    let mut whisper = match arguments.next() {
        Some(model) => Whisper::load(model)?,
        None => Whisper::embedded()?,
    };
    let samples = audio::read_file(Path::new(&speech))?.samples;
    for segment in whisper.transcribe(&samples)?.segments {
        println!("{:7.2} {:7.2}  {}", segment.start, segment.end, segment.text);
    }
    Ok(())
}
