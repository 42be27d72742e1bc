//! The whole model to the bit: on every level, on one core or several, on every architecture, a
//! sample gives the log-mel, encoder output and logits whose digests are in `fixtures/bits.txt`.
//!
//! After a change of model, sample or arithmetic policy that is meant, write the file anew with
//! `TRIT_RENEW_BITS=1 cargo test -p trit-whisper --test bits`.

use trit_simd::parallel::{Join, Sequential};
use trit_simd::{Cpu, Kernels, Level};
use trit_whisper::{MemoryPlan, Model, Options, SelfTest, Transcriber, audio, embedded};

/// 16 kHz mono FLAC of more than one window, so decoding it is exact and nothing is resampled.
const SAMPLE: &[u8] = include_bytes!("../samples/phone-number.flac");

const FIXTURE: &str = include_str!("fixtures/bits.txt");

/// Tokens decoded greedily in each window, as far as they fit, the start of transcript not counted.
const TOKENS: usize = 8;

/// FNV-1a over 64 bits: every bit counts, and so does the order.
struct Digest(u64);

impl Digest {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn floats(&mut self, values: &[f32]) {
        for value in values {
            self.bytes(&value.to_bits().to_le_bytes());
        }
    }
}

/// The fixture that this model, sample and choice of kernels makes.
fn fixture(kernels: Kernels, join: &dyn Join) -> String {
    let model = Model::parse(embedded::model()).unwrap();
    let samples = audio::read_bytes(SAMPLE.to_vec()).unwrap().samples;
    let plan = MemoryPlan::with_threads(model.config(), join.threads());
    let mut arena = vec![0; plan.total()];
    let mut transcriber =
        Transcriber::new(&model, kernels, join, &mut arena, Options::default()).unwrap();

    let mut inputs = Digest::new();
    inputs.bytes(embedded::model());
    inputs.bytes(SAMPLE);
    let [mut mel, mut encoder, mut logits] = [const { Digest::new() }; 3];
    for window in samples.chunks(model.config().window()) {
        mel.floats(transcriber.log_mel(window).unwrap());
        encoder.floats(transcriber.audio_features(window).unwrap());
        transcriber.encode(window).unwrap();
        let mut token = model.config().sot;
        for _ in 0..=TOKENS {
            let Some(row) = transcriber.feed(token).unwrap() else { break };
            logits.floats(row);
            token = (0..).zip(row).max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap().0;
        }
    }
    [("inputs", inputs), ("log-mel", mel), ("encoder", encoder), ("logits", logits)]
        .map(|(name, digest)| format!("{name:8}{:016x}\n", digest.0))
        .concat()
}

/// Compares with the committed digests; a difference names the first stage that differs.
fn check(found: &str, who: &str) {
    let mut lines = FIXTURE.lines().zip(found.lines());
    let (inputs, ours) = lines.next().expect("the fixture's first line is the inputs' digest");
    assert_eq!(ours, inputs, "another model or sample: renew the fixture, see the top of bits.rs");
    for (expected, found) in lines {
        assert_eq!(found, expected, "{who} differs from the committed digest");
    }
    assert_eq!(found.lines().count(), FIXTURE.lines().count());
}

#[test]
fn every_level_gives_the_committed_bits() {
    if std::env::var_os("TRIT_RENEW_BITS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bits.txt");
        std::fs::write(path, fixture(Kernels::scalar(), &Sequential)).unwrap();
        println!("wrote {path}; it holds from the next build on");
        return;
    }
    for level in Level::ALL {
        if let Some(cpu) = Cpu::detect().at(level) {
            check(&fixture(Kernels::new(&cpu), &Sequential), level.name());
        }
    }
}

/// If the model was changed, `embedded::SELF_TEST` takes the value found; if the arithmetic was,
/// `SelfTest::ARITHMETIC` is raised as well, since models converted before give other bits now.
#[test]
fn the_self_test_gives_the_committed_bits() {
    let model = Model::parse(embedded::model()).unwrap();
    let found = SelfTest::run(&model, Kernels::new(&Cpu::detect()), &Sequential).unwrap();
    assert_eq!(found, embedded::SELF_TEST, "{:#010x}", found.logits);
}

#[cfg(not(target_family = "wasm"))]
#[test]
fn every_number_of_threads_gives_the_committed_bits() {
    if std::env::var_os("TRIT_RENEW_BITS").is_some() {
        return;
    }
    let kernels = Kernels::new(&Cpu::detect());
    for count in [1, 2, 5] {
        let threads = trit_whisper::threads::Threads::new(count).unwrap();
        let found = threads.install(|| fixture(kernels, &threads));
        check(&found, &format!("{count} threads"));
    }
}
