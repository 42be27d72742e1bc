//! Power spectrum and mel filters of 16 frames at once: the reference bodies have frames in lanes
//! already and only need compiling per instruction set.

use trit_core::reference::{self, DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};

use crate::arch::Isa;

/// `put(m, mels of the 16 frames)` for each mel filter.
#[inline(always)]
pub(crate) fn mel<I: Isa>(
    isa: I,
    table: &DftTable,
    filters: &[f32],
    frames: &[[f32; LANES]; FFT_SIZE],
    out: &mut [[f32; LANES]],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            let mut power = [[0.0; LANES]; SPECTRUM_SIZE];
            reference::power_spectrum(table, frames, &mut power);
            reference::mel_project(filters, &power, |m, mels| out[m] = mels);
        },
    );
}
