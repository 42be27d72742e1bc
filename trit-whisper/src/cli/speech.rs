//! Options about when something is spoken.

use clap::{Args, ValueEnum};
use trit_whisper::{SAMPLE_RATE, VadOptions};

use super::values;

/// Whether stretches without speech are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Vad {
    /// Where a detector hears no speech
    Auto,
    /// All audio is decoded
    Off,
}

/// The voice activity detector's options.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct VadArguments {
    /// Leave out stretches without speech
    #[arg(long, value_enum, default_value_t = Vad::Auto, value_name = "WHEN")]
    vad: Vad,
    /// Score, 0 to 1, from which on sound is speech
    #[arg(long, default_value_t = VadOptions::WHOLE.threshold, value_name = "SCORE", value_parser = values::fraction)]
    vad_threshold: f32,
    /// Milliseconds of silence that end speech [default: 2000, 600 when streaming]
    #[arg(long, value_name = "MS", value_parser = values::whole(0..=u32::MAX))]
    vad_min_silence: Option<u32>,
    /// Milliseconds of speech below which it is none
    #[arg(long, default_value_t = ms(VadOptions::WHOLE.min_speech), value_name = "MS",
          value_parser = values::whole(0..=u32::MAX))]
    vad_min_speech: u32,
    /// Milliseconds kept before and after speech, at most half of the silence [default: 400, 300
    /// when streaming]
    #[arg(long, value_name = "MS", value_parser = values::whole(0..=u32::MAX))]
    vad_padding: Option<u32>,
}

impl VadArguments {
    /// The detector's options, with lengths that are not given from `defaults`, if there is to be one.
    pub(super) fn options(&self, defaults: VadOptions) -> Option<VadOptions> {
        let given = |ms: Option<u32>, default| ms.map_or(default, samples);
        (self.vad == Vad::Auto).then_some(VadOptions {
            threshold: self.vad_threshold,
            min_speech: samples(self.vad_min_speech),
            min_silence: given(self.vad_min_silence, defaults.min_silence),
            padding: given(self.vad_padding, defaults.padding),
        })
    }
}

const fn ms(samples: usize) -> u32 {
    (samples / (SAMPLE_RATE / 1000)) as u32
}

fn samples(ms: u32) -> usize {
    (ms as usize).saturating_mul(SAMPLE_RATE / 1000)
}
