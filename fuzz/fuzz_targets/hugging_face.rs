//! Any files as a Hugging Face directory, opened and converted.
//!
//! The input holds the folder's files one after another. Each begins with `\xFFFILE` and a letter
//! that names it; what comes before the first chooses the options of the conversion. A safetensors
//! file is its header, a line feed and its data, and gets its length from the target, or, under the
//! letter `r`, is taken as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_fuzz::hugging_face;

fuzz_target!(|data: &[u8]| {
    hugging_face::run(data);
});
