//! Any bytes as an audio file, read whole and as a stream.
#![no_main]

use std::io::Cursor;
use std::panic;

use libfuzzer_sys::fuzz_target;
use trit_whisper::audio::{AudioError, read_bytes, read_stream};

// The decoding library panics on some damaged headers, which the reader turns into an error. The
// fuzzer's own hook would end the process at the panic; without it, only a panic that leaves the
// reader does.
fuzz_target!(init: panic::set_hook(Box::new(|_| {})), |data: &[u8]| {
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
        Err(AudioError::Io(error)) => panic!("memory cannot fail to be read: {error}"),
        Err(_) => {}
    }
});
