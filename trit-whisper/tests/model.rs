//! The embedded model: its bits do not depend on CPU or threads, and damage to it is found.

use std::num::NonZero;

use proptest::prelude::*;
use trit_core::container::ContainerError;
use trit_simd::parallel::{Join, Sequential};
use trit_simd::{Cpu, Kernels, Level};
use trit_whisper::threads::Threads;
use trit_whisper::{
    AudioCtx, Config, Error, Event, MemoryPlan, Model, ModelError, Options, Precision, Samples,
    Transcriber, embedded,
};

fn speechlike(n: usize) -> Vec<f32> {
    (0..n)
        .map(|n| {
            let t = n as f32 / 16_000.0;
            (t * (900.0 + 400.0 * (t * 3.0).sin())).sin() * 0.3 * (t * 7.0).sin().max(0.0)
        })
        .collect()
}

/// Encoder output and the logits of a few tokens, as bits.
fn bits(kernels: Kernels, join: &dyn Join, decoder_threads: Option<usize>) -> Vec<u32> {
    bits_after(kernels, join, Options { decoder_threads, ..Options::default() }, |_| {})
}

/// As [`bits`], with any options, in an arena that `before` has had its way with.
fn bits_after(
    kernels: Kernels,
    join: &dyn Join,
    options: Options<'_>,
    before: impl FnOnce(&mut [u8]),
) -> Vec<u32> {
    let model = Model::parse(embedded::model()).unwrap();
    let plan = MemoryPlan::with_options(&model, join.threads(), &options);
    let mut arena = vec![0; plan.total()];
    before(&mut arena);
    let mut transcriber = Transcriber::new(&model, kernels, join, &mut arena, options).unwrap();
    let samples = speechlike(60_000);
    let mut values = transcriber.audio_features(&samples).unwrap().to_vec();
    transcriber.encode(&samples).unwrap();
    for token in [model.config().sot, model.config().timestamp_first + 2, 3] {
        values.extend_from_slice(transcriber.feed(token).unwrap().unwrap());
    }
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_level_gives_the_same_bits() {
    let expected = bits(Kernels::scalar(), &Sequential, None);
    for level in Level::ALL {
        if let Some(cpu) = Cpu::detect().at(level) {
            assert!(bits(Kernels::new(&cpu), &Sequential, None) == expected, "{level} differs");
        }
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let kernels = Kernels::new(&Cpu::detect());
    let expected = bits(kernels, &Sequential, None);
    for (count, decoding) in [(1, None), (2, None), (5, None), (5, Some(2)), (2, Some(9))] {
        let threads = Threads::new(count).unwrap();
        let found = threads.install(|| bits(kernels, &threads, decoding));
        assert!(found == expected, "{count} threads, {decoding:?} of them decoding, differ");
    }
}

/// Encoder and decoder take turns in one memory, so neither may rely on what it holds.
#[test]
fn what_the_arena_held_changes_nothing() {
    let model = Model::parse(embedded::model()).unwrap();
    let kernels = Kernels::new(&Cpu::detect());
    for precision in [Precision::SevenBits, Precision::Float] {
        let options = Options { precision, ..Options::default() };
        let run = |before: &dyn Fn(&mut [u8])| bits_after(kernels, &Sequential, options, before);
        let expected = run(&|_| {});
        for byte in [0x7F, 0x80, 0xFF] {
            assert!(run(&|arena| arena.fill(byte)) == expected, "{precision:?} after {byte:#x}");
        }
        let other_audio = |arena: &mut [u8]| {
            let options = Options { precision, ..Options::default() };
            let transcriber = Transcriber::new(&model, kernels, &Sequential, arena, options);
            let mut transcriber = transcriber.unwrap();
            assert!(transcriber.feed(0).unwrap().is_none(), "there is no audio yet");
            transcriber.encode(&[0.5; 9000]).unwrap();
            while transcriber.feed(0).unwrap().is_some() {}
            assert!(transcriber.log_mel(&[0.1; 100]).unwrap().iter().all(|x| x.is_finite()));
            assert!(transcriber.feed(0).unwrap().is_none(), "the log-mel took its place");
        };
        assert!(run(&other_audio) == expected, "{precision:?} after other audio");
    }
}

#[test]
fn any_number_of_positions_can_be_encoded() {
    let model = Model::parse(embedded::model()).unwrap();
    let (config, kernels) = (*model.config(), Kernels::new(&Cpu::detect()));
    let mut arena = vec![0; MemoryPlan::new(&config).total()];
    let mut encoded = |audio_ctx, samples: &[f32]| {
        let options = Options { audio_ctx, vad: None, ..Options::default() };
        let arena = &mut arena[..];
        let mut transcriber =
            Transcriber::new(&model, kernels, &Sequential, arena, options).unwrap();
        let mut bits: Vec<u32> =
            transcriber.audio_features(samples).unwrap().iter().map(|x| x.to_bits()).collect();
        let positions = bits.len() / config.state();
        transcriber.encode(samples).unwrap();
        let logits = transcriber.feed(config.sot).unwrap().unwrap();
        bits.extend(logits.iter().map(|x| x.to_bits()));
        let windows = transcriber.transcribe(samples, &mut |_| {}).unwrap().windows;
        (positions, windows, bits)
    };
    let fixed = |n| AudioCtx::Positions(NonZero::new(n).unwrap());
    let samples = speechlike(config.window() / 3);
    let full = encoded(AudioCtx::Full, &samples);
    assert_eq!(full.0, config.audio_ctx());
    assert!(encoded(fixed(config.audio_ctx()), &samples) == full);
    let auto = encoded(AudioCtx::Auto, &samples);
    assert_eq!(auto.0, AudioCtx::Auto.positions(&config, samples.len()));
    assert!(encoded(fixed(auto.0), &samples) == auto);
    for positions in [1, 3, 16, 17, 64, 65] {
        let (found, windows, _) = encoded(fixed(positions), &samples);
        assert_eq!(found, positions);
        // A window moves on by what its timestamps say, at most by all of it.
        assert!(windows >= samples.len().div_ceil(positions * 320), "{positions} positions");
    }
    assert!(encoded(AudioCtx::Full, &samples) == full);
}

#[test]
fn the_embedded_model_is_sound() {
    let model = Model::parse(embedded::model()).unwrap();
    model.container().verify().unwrap();
    assert!(model.container().file_len() <= 1 << 20);
    assert_eq!(model.config().eot, 35);
    assert_eq!(model.tokens().bytes(0), b" yes");
    assert_eq!(model.language("en"), Err(Error::Language(*b"en\0\0\0\0\0\0")));
}

/// Calls `check` with an aligned copy of the model that `edit` has damaged.
fn damaged<R>(edit: impl FnOnce(&mut [u8]), check: impl FnOnce(&[u8]) -> R) -> R {
    let source = embedded::model();
    let mut buffer = vec![0u8; source.len() + 64];
    let start = buffer.as_ptr().align_offset(64);
    let bytes = &mut buffer[start..start + source.len()];
    bytes.copy_from_slice(source);
    edit(bytes);
    check(bytes)
}

#[test]
fn damage_is_named() {
    let parse = |bytes: &[u8]| Model::parse(bytes).map(|_| ());
    let container = |error| Err(ModelError::Container(error));
    assert_eq!(parse(b"not a model"), container(ContainerError::NotTrit));
    damaged(
        |bytes| bytes[8] = 9,
        |bytes| assert_eq!(parse(bytes), container(ContainerError::Version(9))),
    );
    damaged(
        |_| {},
        |bytes| {
            let (found, expected) = (bytes.len() as u64 - 64, bytes.len() as u64);
            let cut = &bytes[..found as usize];
            assert_eq!(parse(cut), container(ContainerError::Truncated { expected, found }));
            assert_eq!(
                parse(&bytes[..100]),
                container(ContainerError::Truncated { expected: 128, found: 100 })
            );
        },
    );
    let last = embedded::model().len() - 200;
    damaged(
        |bytes| bytes[last] ^= 1,
        |bytes| {
            let model = Model::parse(bytes).unwrap();
            assert!(matches!(model.container().verify(), Err(ContainerError::Payload(_))));
        },
    );
}

#[test]
fn absurd_configurations_are_refused_by_field() {
    let model = Model::parse(embedded::model()).unwrap();
    let refused = |change: &dyn Fn(&mut Config), field: &str| {
        let mut config = *model.config();
        change(&mut config);
        match Config::parse(config.bytes()) {
            Err(ModelError::Config { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    };
    refused(&|c| c.n_audio_state = 0, "n_audio_state");
    refused(&|c| c.n_audio_state = u32::MAX, "n_audio_state");
    refused(&|c| c.n_text_state = 7, "n_text_state");
    refused(&|c| c.n_audio_head = 7, "n_audio_head");
    refused(&|c| c.n_text_head = 0, "n_text_head");
    refused(&|c| c.n_text_layer = 1000, "n_text_layer");
    refused(&|c| c.n_vocab = u32::MAX, "n_vocab");
    refused(&|c| c.eot = u32::MAX, "eot");
    refused(&|c| c.timestamp_step = 159, "timestamp_step");
    refused(&|c| c.no_speech_threshold = f32::NAN, "no_speech_threshold");
    refused(&|c| c.language_first = 3, "language_first");
    refused(&|c| c.no_previous_text = 2, "no_previous_text");
    refused(&|c| c.reserved[5] = 1, "reserved");
    assert_eq!(Config::parse(&[0; 5]), Err(ModelError::ConfigLength(5)));
}

#[test]
fn bad_samples_and_small_arenas_are_errors() {
    let model = Model::parse(embedded::model()).unwrap();
    let options = Options::default();
    let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let small = &mut arena[1..];
    let error = Transcriber::new(&model, kernels, &Sequential, small, options).err();
    assert!(matches!(error, Some(Error::Arena { .. })));
    let translate = Options { translate: true, ..options };
    let error = Transcriber::new(&model, kernels, &Sequential, &mut arena, translate).err();
    assert_eq!(error, Some(Error::Translate));
    for token in [model.config().sot, u32::MAX] {
        let language = Options { language: Some(token), ..options };
        let error = Transcriber::new(&model, kernels, &Sequential, &mut arena, language).err();
        assert_eq!(error, Some(Error::LanguageToken(token)));
    }
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    assert_eq!(transcriber.transcribe(&[], &mut |_| {}), Err(Error::EmptyAudio));
    let samples = [0.0, f32::NAN];
    assert_eq!(transcriber.transcribe(&samples, &mut |_| {}), Err(Error::Sample { index: 1 }));
}

/// Samples that cannot be had beyond the first few.
struct Broken<'s>(&'s [f32]);

impl Samples for Broken<'_> {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        self.0.get(start..start + len)
    }
}

#[test]
fn samples_may_come_in_windows_and_fail() {
    let model = Model::parse(embedded::model()).unwrap();
    let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let options = Options::default();
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    let samples = speechlike(model.config().window() * 3 / 2);
    let mut windows = 0;
    let result = transcriber.transcribe_from(&mut Broken(&samples), &mut |event| {
        windows += u32::from(matches!(event, Event::Encoded));
    });
    assert_eq!((result, windows), (Err(Error::Samples), 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any change to header or directory is found at opening, any other by verifying.
    #[test]
    fn no_flipped_bit_goes_unnoticed(at in any::<prop::sample::Index>(), bit in 0u32..8) {
        let at = at.index(embedded::model().len());
        let found = damaged(|bytes| bytes[at] ^= 1u8 << bit, |bytes| match Model::parse(bytes) {
            Err(_) => true,
            Ok(model) => model.container().verify().is_err(),
        });
        // Bytes between payloads belong to nothing.
        let padding = embedded::model()[at] == 0;
        prop_assert!(found || padding, "byte {at}");
    }

    #[test]
    fn cut_files_are_refused(at in any::<prop::sample::Index>()) {
        let len = at.index(embedded::model().len());
        damaged(|_| {}, |bytes| assert!(Model::parse(&bytes[..len]).is_err()));
    }
}
