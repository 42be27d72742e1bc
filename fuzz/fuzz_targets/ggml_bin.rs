//! Any bytes as a whisper.cpp file, opened and converted.
//!
//! A sound file has at least 50,256 tokens, far more than fuzz input holds, so the input only says
//! what the target makes the file of: hyperparameters, some tokens, and tensors with patterns in
//! them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_fuzz::ggml_bin;

fuzz_target!(|data: &[u8]| {
    ggml_bin::run(data);
});
