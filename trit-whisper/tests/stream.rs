//! Streams: the same words as from files, bounded memory, nothing from silence; and the library's
//! types across threads.

mod multilingual;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::{
    AudioCtx, Error, Event, MemoryPlan, Model, Options, SAMPLE_RATE, Segments, Stream, StreamEvent,
    StreamOptions, Transcriber, Vad, VadOptions, Whisper, audio, embedded,
};

const SAMPLES: [&str; 5] =
    ["go-left-stop", "happy-house", "phone-number", "seven-right-up", "yes-no"];

fn sample(name: &str) -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    audio::read_file(&folder.join(format!("{name}.flac"))).unwrap().samples
}

/// What 16-bit PCM keeps of samples.
fn through_pcm(samples: &[f32], piece: usize) -> Vec<f32> {
    let bytes: Vec<u8> =
        samples.iter().flat_map(|x| ((x * 32_768.0) as i16).to_le_bytes()).collect();
    let mut pcm = audio::Pcm::new(audio::Encoding::S16le, 16_000, 1).unwrap();
    bytes.chunks(piece).flat_map(|bytes| pcm.push(bytes).unwrap()).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Calls `work` with a stream of the embedded model.
fn with_stream<R>(options: StreamOptions, work: impl FnOnce(&mut Stream<'_, '_>) -> R) -> R {
    let model = Model::parse(embedded::model()).unwrap();
    let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, Options::default()).unwrap();
    work(&mut Stream::new(transcriber, options).unwrap())
}

/// All final text and times of a stream that gets `samples` in pieces of `piece`.
fn stream_text(options: StreamOptions, samples: &[f32], piece: usize) -> (String, Vec<[usize; 2]>) {
    let (mut text, mut times) = (Vec::new(), Vec::new());
    with_stream(options, |stream| {
        let mut tell = |event: StreamEvent<'_>| {
            if let StreamEvent::Segment(segment) = event {
                text.extend(segment.text().flatten());
                times.push([segment.start, segment.end]);
            }
        };
        for piece in samples.chunks(piece) {
            stream.push(piece, &mut tell).unwrap();
        }
        stream.finish(&mut tell).unwrap();
    });
    (String::from_utf8(text).unwrap(), times)
}

#[test]
fn files_and_streams_have_the_same_words() {
    for name in SAMPLES {
        let samples = sample(name);
        // Cut at the same pauses, and each utterance for itself.
        let options = Options {
            vad: Some(VadOptions::LIVE),
            condition_on_previous: false,
            ..Options::default()
        };
        let transcript =
            Whisper::embedded().unwrap().options(options).transcribe(&samples).unwrap();
        let expected = words(&transcript.text);
        assert!(expected.len() >= 2);
        for (piece, bytes) in [(1, 3), (777, 1_001), (1 << 20, 1 << 20)] {
            let samples = through_pcm(&samples, bytes);
            let (text, times) = stream_text(StreamOptions::default(), &samples, piece);
            assert_eq!(words(&text), expected, "{name} in pieces of {piece}");
            assert!(times.is_sorted() && times.iter().all(|[start, end]| start < end));
        }
    }
}

#[test]
fn partial_results_grow_and_agree() {
    let options = StreamOptions { partial_every: SAMPLE_RATE / 2, ..StreamOptions::default() };
    let mut samples = sample("phone-number");
    samples.resize(samples.len() + 2 * SAMPLE_RATE, 0.0);
    let (mut partials, mut last, mut utterances) = (0, Vec::new(), 0);
    with_stream(options, |stream| {
        let mut tell = |event: StreamEvent<'_>| match event {
            StreamEvent::Partial(partial) => {
                partials += 1;
                assert!(partial.start < partial.end && partial.stable <= partial.tokens.len());
                assert_eq!(partial.tokens[..partial.stable], last[..partial.stable]);
                last = partial.tokens.to_vec();
            }
            StreamEvent::Utterance { start, end } => {
                utterances += 1;
                last.clear();
                assert!(start < end);
            }
            _ => {}
        };
        for piece in samples.chunks(1_600) {
            stream.push(piece, &mut tell).unwrap();
        }
        assert!(!stream.is_speaking(), "silence has ended the utterance");
    });
    println!("{partials} partial results, {utterances} utterances");
    assert!(partials >= 3 && utterances >= 1);
}

/// An hour of speech, or seconds of it with debug assertions, with and without pauses: no more is held at any time
/// than a window.
#[test]
fn memory_is_bounded() {
    let speech: Vec<f32> = SAMPLES.iter().flat_map(|name| sample(name)).collect();
    let seconds = if cfg!(debug_assertions) { 20 } else { 3_600 };
    // A pause that never comes: the detector hears speech in everything.
    let vad = VadOptions { threshold: 0.0, ..VadOptions::LIVE };
    for options in [StreamOptions::default(), StreamOptions { vad, ..StreamOptions::default() }] {
        with_stream(options, |stream| {
            let window = Model::parse(embedded::model()).unwrap().config().window();
            let mut most = 0;
            let mut pushed = 0;
            for piece in speech.chunks(4_000).cycle().take(seconds * SAMPLE_RATE / 4_000) {
                stream.push(piece, &mut |_| {}).unwrap();
                pushed += piece.len();
                most = most.max(stream.held());
            }
            assert_eq!(stream.position(), pushed);
            println!("{} s of speech: {most} of {window} samples held", pushed / SAMPLE_RATE);
            assert!(most <= window && most > 0);
        });
    }
}

#[test]
fn endless_silence_says_nothing() {
    let seconds = if cfg!(debug_assertions) { 30 } else { 3_600 };
    with_stream(StreamOptions::default(), |stream| {
        for second in 0..seconds {
            // Faint noise of a repeating pattern.
            let noise = |n: usize| ((n * 7_919 + second * 31) % 1_013) as f32 * 1e-6;
            let samples: Vec<f32> = (0..SAMPLE_RATE).map(noise).collect();
            let mut tell = |event: StreamEvent<'_>| panic!("{event:?}");
            stream.push(&samples, &mut tell).unwrap();
            assert!(stream.held() <= SAMPLE_RATE && !stream.is_speaking());
        }
        stream.finish(&mut |event| panic!("{event:?}")).unwrap();
        assert_eq!((stream.held(), stream.position()), (0, seconds * SAMPLE_RATE));
    });
}

#[test]
fn silence_and_noise_of_files_say_nothing() {
    let mut whisper = Whisper::embedded().unwrap();
    let silence = vec![0.0; 60 * SAMPLE_RATE];
    assert!(whisper.transcribe(&silence).unwrap().segments.is_empty());
    for loudness in [1e-3f32, 0.03, 0.3] {
        let mut state = 1u64;
        let noise: Vec<f32> = (0..60 * SAMPLE_RATE)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * loudness
            })
            .collect();
        assert!(whisper.transcribe(&noise).unwrap().segments.is_empty(), "noise at {loudness}");
    }
}

#[test]
fn what_is_between_silences_keeps_its_times() {
    let speech = sample("go-left-stop");
    let mut samples = vec![0.0; 20 * SAMPLE_RATE];
    samples.extend(&speech);
    samples.resize(samples.len() + 20 * SAMPLE_RATE, 0.0);
    let mut whisper = Whisper::embedded().unwrap();
    let mut skipped = 0;
    let mut found = Vec::new();
    let summary = whisper
        .transcribe_with(&samples, |event| {
            if let Event::Segment(segment) = event {
                found.push((segment.start, segment.end));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    skipped += summary.skipped;
    println!("{summary:?}");
    assert!(!found.is_empty() && skipped > 36 * SAMPLE_RATE && skipped < 41 * SAMPLE_RATE);
    let speech = 20 * SAMPLE_RATE..20 * SAMPLE_RATE + speech.len();
    assert!(found.iter().all(|(start, end)| speech.contains(start) && *end <= speech.end));
}

#[test]
fn work_can_be_cancelled() {
    let model = Model::parse(embedded::model()).unwrap();
    let options = Options { vad: None, ..Options::default() };
    let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let flag = AtomicBool::new(true);
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    transcriber.cancel_with(&flag);
    assert_eq!(transcriber.transcribe(&[0.1; 16_000], &mut |_| {}), Err(Error::Cancelled));
    flag.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(transcriber.transcribe(&[0.1; 16_000], &mut |_| {}).is_ok());

    let mut whisper = Whisper::embedded().unwrap().options(options);
    let mut windows = 0;
    let done = whisper.transcribe_with(&vec![0.1; 60 * SAMPLE_RATE], |event| {
        windows += usize::from(matches!(event, Event::Encoded));
        if windows == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((done, windows), (Err(Error::Cancelled), 2));
}

#[test]
fn bad_samples_are_errors_and_harm_nothing() {
    with_stream(StreamOptions::default(), |stream| {
        stream.push(&[0.0; 100], &mut |_| {}).unwrap();
        let error = stream.push(&[0.0, f32::NAN], &mut |_| {});
        assert_eq!((error, stream.position()), (Err(Error::Sample { index: 101 }), 100));
        stream.push(&[0.0; 100], &mut |_| {}).unwrap();
        stream.finish(&mut |_| {}).unwrap();
    });
}

/// What may be sent to another thread, and shared between threads.
#[test]
fn types_go_between_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Transcriber<'_, '_>>();
    send::<Stream<'_, '_>>();
    send::<Whisper>();
    send::<Segments<'_, '_, audio::Reader>>();
    send::<Vad>();
    send::<Model<'_>>();
    sync::<Model<'_>>();
    sync::<Whisper>();
    send::<Error>();
    send::<audio::Reader>();
    send::<audio::Pcm>();
}

#[test]
fn several_models_run_at_once() {
    let samples = sample("yes-no");
    let text = |words: bool| {
        let whisper = Whisper::from_bytes(embedded::model()).unwrap();
        whisper.threads(1).unwrap().words(words).transcribe(&samples).unwrap().text
    };
    let expected = text(false);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..2).map(|_| scope.spawn(|| text(false))).collect();
        for other in others {
            assert_eq!(other.join().unwrap(), expected);
        }
    });
    assert!(Whisper::from_bytes(b"no model").is_err());
}

/// Something told: what it is, its times and its tokens.
type Told = (&'static str, usize, usize, Vec<u32>);

/// What a model's stream tells of samples that come in pieces of these lengths, over and over.
fn told_of(
    model: &Model<'_>,
    options: Options<'_>,
    how: StreamOptions,
    samples: &[f32],
    pieces: &[usize],
) -> Vec<Told> {
    let mut arena = vec![0; MemoryPlan::with_options(model, 1, &options).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let transcriber = Transcriber::new(model, kernels, &Sequential, &mut arena, options).unwrap();
    let mut stream = Stream::new(transcriber, how).unwrap();
    let mut told: Vec<Told> = Vec::new();
    let mut tell = |event: StreamEvent<'_>| {
        told.push(match event {
            StreamEvent::Segment(s) => ("segment", s.start, s.end, s.tokens.to_vec()),
            StreamEvent::Partial(p) => ("partial", p.start, p.end, p.tokens.to_vec()),
            StreamEvent::Utterance { start, end } => ("utterance", start, end, Vec::new()),
            other => panic!("{other:?}"),
        });
    };
    let mut rest = samples;
    for &len in pieces.iter().cycle() {
        let (piece, later) = rest.split_at(len.min(rest.len()));
        stream.push(piece, &mut tell).unwrap();
        assert!(stream.held() <= model.config().window());
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    stream.finish(&mut tell).unwrap();
    told
}

/// Random weights say something of everything.
fn talkative() -> Options<'static> {
    Options { temperatures: &[0.0], no_speech_threshold: Some(1.0), ..Options::default() }
}

fn speech_with_pauses() -> Vec<f32> {
    let pause = vec![0.0; SAMPLE_RATE];
    [sample("yes-no"), pause.clone(), sample("go-left-stop"), pause].concat()
}

/// What is being said is all text of the window, also what no timestamp follows yet.
#[test]
fn partial_results_have_the_newest_words() {
    let model = Model::parse(multilingual::file()).unwrap();
    let config = *model.config();
    let language = Some(config.language_first);
    let options = Options { language, condition_on_previous: false, vad: None, ..talkative() };
    let how = StreamOptions { partial_every: 3_000, ..StreamOptions::default() };
    let samples = speech_with_pauses();
    let mut told = told_of(&model, options, how, &samples, &[1_000]);
    told.retain(|told| told.0 == "partial");
    let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let mut transcriber =
        Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    let (mut partials, mut unfinished) = (0, 0);
    for (_, start, end, tokens) in told {
        let (mut text, mut segments) = (Vec::new(), Vec::new());
        let mut tell = |event: Event<'_>| match event {
            Event::Window(window) if window.start == 0 => {
                text.extend(window.tokens.iter().copied().filter(|&id| id < config.eot));
            }
            Event::Segment(segment) => segments.extend_from_slice(segment.tokens),
            _ => {}
        };
        transcriber.transcribe(&samples[start..end], &mut tell).unwrap();
        assert_eq!(tokens, text);
        partials += 1;
        unfinished += usize::from(!segments.starts_with(&text));
    }
    println!("{unfinished} of {partials} partial results end in no segment");
    assert!(partials > 3);
}

/// Each utterance for itself, or with the text before as windows of a file have it.
#[test]
fn context_is_kept_if_asked_for() {
    let model = Model::parse(multilingual::file()).unwrap();
    let samples = speech_with_pauses();
    let language = model.language("en").ok();
    let (options, vad) = (Options { language, ..talkative() }, Some(VadOptions::LIVE));
    let in_file = |condition_on_previous| {
        let options = Options { vad, condition_on_previous, ..options };
        let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
        let kernels = Kernels::new(&Cpu::detect());
        let mut transcriber =
            Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
        let mut found: Vec<Told> = Vec::new();
        let tell = &mut |event: Event<'_>| {
            if let Event::Segment(s) = event {
                found.push(("segment", s.start, s.end, s.tokens.to_vec()));
            }
        };
        transcriber.transcribe(&samples, tell).unwrap();
        found
    };
    let in_stream = |condition_on_previous, keep_context, partial_every| {
        let options = Options { condition_on_previous, ..options };
        let how = StreamOptions { keep_context, partial_every, ..StreamOptions::default() };
        let mut told = told_of(&model, options, how, &samples, &[1_600]);
        assert!(told.iter().filter(|told| told.0 == "utterance").count() > 1);
        told.retain(|told| told.0 == "segment");
        told
    };
    let kept = in_stream(true, true, 0);
    assert_eq!(kept, in_file(true));
    // What is only shown in between changes nothing.
    assert_eq!(kept, in_stream(true, true, 2_000));
    assert_ne!(kept, in_stream(true, false, 0));
    assert_eq!(in_stream(false, false, 0), in_file(false));
    assert_eq!(in_stream(false, true, 0), in_file(false));
}

#[test]
fn prompts_are_for_every_utterance_and_prefixes_for_none() {
    let model = Model::parse(multilingual::file()).unwrap();
    let utterance = [sample("yes-no"), vec![0.0; SAMPLE_RATE]].concat();
    let texts = |options: Options<'_>| {
        let twice = [&utterance[..], &utterance].concat();
        let told = told_of(&model, options, StreamOptions::default(), &twice, &[4_096]);
        let mut utterances = vec![Vec::new()];
        for (what, _, _, tokens) in told {
            match what {
                "segment" => utterances.last_mut().unwrap().extend(tokens),
                _ => utterances.push(Vec::new()),
            }
        }
        utterances
    };
    let plain = texts(talkative());
    let prompted = texts(Options { initial_prompt: &[1, 2, 3], ..talkative() });
    assert!(plain.len() > 2 && plain.len() == prompted.len());
    assert!(plain.iter().zip(&prompted).take(2).all(|(plain, prompted)| plain != prompted));
    assert_ne!(plain, texts(Options { hotwords: &[4, 5], ..talkative() }));
    assert_ne!(plain, texts(Options { beam_size: 3, ..talkative() }));

    let options = Options { prefix: &[1], ..talkative() };
    let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options).unwrap();
    let refused = Stream::new(transcriber, StreamOptions::default()).err();
    assert_eq!(refused, Some(Error::Option { option: "prefix", expected: "empty in a stream" }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Samples, not pieces, decide what is said, and when.
    #[test]
    fn pieces_change_nothing(
        pieces in prop::collection::vec(1usize..3_000, 1..6),
        from in 0usize..40_000,
        threshold in prop::sample::select(vec![0.0f32, 0.5]),
        partial_every in prop::sample::select(vec![0usize, 1_000, 5_000]),
        keep_context in any::<bool>(),
        positions in prop::sample::select(vec![1usize, 13, 40]),
    ) {
        let model = Model::parse(multilingual::file()).unwrap();
        let samples = &speech_with_pauses()[from..from + 20_000];
        let audio_ctx = AudioCtx::Positions(positions.try_into().unwrap());
        let options = Options { audio_ctx, language: model.language("de").ok(), ..talkative() };
        let vad = VadOptions { threshold, ..VadOptions::LIVE };
        let how = StreamOptions { vad, partial_every, keep_context };
        let whole = told_of(&model, options, how, samples, &[samples.len()]);
        let found = told_of(&model, options, how, samples, &pieces);
        prop_assert_eq!(&found, &whole);
        // Segments come in order, within what was heard.
        let segments = || whole.iter().filter(|told| told.0 == "segment");
        prop_assert!(segments().all(|&(_, start, end, _)| start < end && end <= samples.len()));
        prop_assert!(segments().map(|told| told.1).is_sorted());
        prop_assert!(segments().map(|told| told.2).is_sorted());
    }
}
