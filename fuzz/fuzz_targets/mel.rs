//! Mel energies of any samples and filters at every level, against the reference.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trit_core::reference::{self, DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
use trit_fuzz::{Operands, assert_same, guarded, levels};

static TABLE: LazyLock<DftTable> = LazyLock::new(DftTable::new);

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let mels = input.number(1, 12);
    let samples = input.floats(FFT_SIZE * LANES);
    let filters = input.floats(mels * SPECTRUM_SIZE);
    let (frames, _) = samples.as_chunks::<LANES>();
    let frames: &[[f32; LANES]; FFT_SIZE] = frames.try_into().expect("as many as were drawn");
    let mut power = [[0.0; LANES]; SPECTRUM_SIZE];
    reference::power_spectrum(&TABLE, frames, &mut power);
    let expected = guarded(mels * LANES, |out| {
        let (out, _) = out.as_chunks_mut::<LANES>();
        reference::mel_project(&filters, &power, |m, mels| out[m] = mels);
    });
    for (level, kernels) in levels() {
        let found = guarded(mels * LANES, |out| {
            let (out, _) = out.as_chunks_mut::<LANES>();
            kernels.mel(&TABLE, &filters, frames, out).expect("shapes that fit");
        });
        assert_same(&found, &expected, level);
    }
});
