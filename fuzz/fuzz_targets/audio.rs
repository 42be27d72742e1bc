//! Any bytes as an audio file, read whole and as a stream.
#![no_main]

use std::fmt::Display;
use std::io::Cursor;
use std::panic::{self, PanicHookInfo};
use std::process;

use libfuzzer_sys::fuzz_target;
use trit_whisper::audio::{AudioError, read_bytes, read_stream};

fuzz_target!(init: panic::set_hook(Box::new(on_panic)), |data: &[u8]| {
    let Some((&as_stream, data)) = data.split_first() else { return };
    let read = if as_stream & 1 == 1 {
        read_stream(Cursor::new(data.to_vec()))
    } else {
        read_bytes(data.to_vec())
    };
    match read {
        Ok(audio) => {
            assert!(!audio.samples.is_empty());
            assert!(audio.samples.iter().all(|sample| sample.is_finite()));
        }
        // Memory cannot fail to be read, so an error of the system is really one of the file.
        Err(AudioError::Io(error)) => finding(error),
        Err(_) => {}
    }
});

/// The decoding library panics on some damaged headers, and the reader turns that into an error, as
/// it would a panic of its own: only the library's are let pass.
fn on_panic(panic: &PanicHookInfo<'_>) {
    if !panic.location().is_some_and(|location| location.file().contains("symphonia")) {
        finding(panic);
    }
}

/// Says what is wrong and ends the process.
fn finding(what: impl Display) -> ! {
    eprintln!("{what}");
    process::abort()
}
