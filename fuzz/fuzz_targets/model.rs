//! Any bytes as a model, and what parses is made to transcribe: every level must say the same.
#![no_main]

use std::num::NonZero;

use libfuzzer_sys::fuzz_target;
use trit_fuzz::levels;
use trit_fuzz::model_file::ModelFile;
use trit_simd::Kernels;
use trit_simd::parallel::Sequential;
use trit_whisper::{
    AudioCtx, Error, Event, MemoryPlan, Model, Options, Precision, Summary, Transcriber,
};

/// Samples given to each model: several windows of the smallest.
const SAMPLES: usize = 1000;

fuzz_target!(|data: &[u8]| {
    let Some((head, data)) = data.split_first_chunk::<5>() else { return };
    let [options, language @ ..] = *head;
    let file = ModelFile::sealed(data);
    let Ok(model) = Model::parse(file.bytes()) else { return };
    let _ = model.container().verify();
    let _ = (model.text("meta.name"), model.language("en"));
    let of = |bit: u8, set: usize, clear: usize| if options >> bit & 1 == 1 { set } else { clear };
    let options = Options {
        beam_size: of(3, 3, 1),
        best_of: of(4, 2, 1),
        no_repeat_ngram: of(5, 2, 0),
        repetition_penalty: of(5, 2, 1) as f32,
        hotwords: &[0, 1][..of(6, 2, 0)],
        prefix: &[1][..of(7, 1, 0)],
        max_segment_chars: (options >> 7 == 1).then_some(3),
        language: (options & 1 == 1).then_some(u32::from_le_bytes(language)),
        translate: options & 2 == 2,
        timestamps: options & 4 == 4,
        precision: if language[1] & 1 == 1 { Precision::Float } else { Precision::SevenBits },
        audio_ctx: NonZero::new(language[2].into()).map_or(AudioCtx::Full, AudioCtx::Positions),
        ..Options::default()
    };
    let expected = transcribed(&model, Kernels::scalar(), options);
    if let Some((level, kernels)) = levels().first() {
        assert_eq!(transcribed(&model, *kernels, options), expected, "{level}");
    }
});

/// What a transcription tells: first and last sample and tokens of each segment.
type Told = (Result<Summary, Error>, Vec<(usize, usize, Vec<u32>)>);

fn transcribed(model: &Model<'_>, kernels: Kernels, options: Options<'_>) -> Told {
    let mut arena = vec![0; MemoryPlan::with_options(model, 1, &options).total()];
    let samples: Vec<f32> = (0..SAMPLES).map(|i| (i as f32 * 0.3).sin()).collect();
    let mut segments = Vec::new();
    let summary = Transcriber::new(model, kernels, &Sequential, &mut arena, options).and_then(
        |mut transcriber| {
            transcriber.transcribe(&samples, &mut |event| {
                if let Event::Segment(segment) = event {
                    assert!(segment.start <= segment.end && segment.end <= SAMPLES);
                    let _ = segment.text().map(<[u8]>::len).sum::<usize>();
                    segments.push((segment.start, segment.end, segment.tokens.to_vec()));
                }
            })
        },
    );
    (summary, segments)
}
