//! Whole models: whisper.cpp through whisper-rs beside trit, with the same random weights.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use trit_core::quantize::Granularity;
use trit_simd::parallel::Sequential;
use trit_simd::{Cpu, Kernels};
use trit_whisper::convert::{ConvertOptions, Storage, Ternarize, convert};
use trit_whisper::mmap::MappedFile;
use trit_whisper::{MemoryPlan, Model, Options, SAMPLE_RATE, Transcriber, import};
use whisper_rs::{WhisperContext, WhisperContextParameters, WhisperState};

use crate::ggml::{self, Kind, Size};

/// Tokens fed one by one.
const TOKENS: usize = 25;

/// Makes the models, lets everybody encode a window of 30 s and take tokens in turns, and prints a
/// table.
pub(crate) fn run(size: Size, rounds: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |kind, name: &str| -> Result<_> {
        let path = folder.path().join(name);
        let mut out = BufWriter::new(File::create(&path)?);
        ggml::write(&mut out, size, kind)?;
        out.flush()?;
        Ok(path)
    };
    let (halves, blocks) = (file(Kind::F16, "f16.bin")?, file(Kind::Q4, "q4_0.bin")?);
    let ternary = folder.path().join("ternary.trit");
    let options = ConvertOptions {
        linear: Storage::Ternary(Ternarize::Exact, Granularity::Row),
        ..ConvertOptions::default()
    };
    convert(&*import::open(&halves)?, &ternary, &options, &mut |_, _| ())?;
    let mapped = MappedFile::open(&ternary)?;
    let model = Model::parse(&mapped)?;
    let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
    let kernels = Kernels::new(&Cpu::detect());
    let trit = Transcriber::new(&model, kernels, &Sequential, &mut arena, Options::default())?;

    whisper_rs::install_logging_hooks();
    let sot = model.config().sot;
    let mut candidates: Vec<(&str, Box<dyn Candidate>)> = vec![
        ("whisper.cpp f16", Box::new(WhisperCpp::new(&halves, false, sot)?)),
        ("whisper.cpp f16, flash attention", Box::new(WhisperCpp::new(&halves, true, sot)?)),
        ("whisper.cpp q4_0", Box::new(WhisperCpp::new(&blocks, false, sot)?)),
        ("whisper.cpp q4_0, flash attention", Box::new(WhisperCpp::new(&blocks, true, sot)?)),
        ("trit, ternary", Box::new(Trit { transcriber: trit, sot, logits: Vec::new() })),
    ];
    let samples = samples();
    let mut times = vec![[const { Vec::new() }; 2]; candidates.len()];
    for round in 0..=rounds {
        for turn in 0..candidates.len() {
            let place = (round + turn) % candidates.len();
            let (name, candidate) = &mut candidates[place];
            eprintln!("round {round} of {rounds}: {name}");
            let start = Instant::now();
            candidate.encode(&samples).with_context(|| name.to_owned())?;
            let encoded = start.elapsed();
            candidate.tokens().with_context(|| name.to_owned())?;
            // The first is to warm up.
            if round > 0 {
                times[place][0].push(encoded.as_secs_f64());
                times[place][1].push((start.elapsed() - encoded).as_secs_f64() / TOKENS as f64);
            }
        }
    }
    let times: Vec<_> = times.into_iter().map(|times| times.map(median)).collect();
    let logits = candidates.iter().map(|(_, candidate)| candidate.logits());
    let logits = logits.collect::<Result<Vec<_>>>()?;
    let names = candidates.iter().map(|(name, _)| *name);
    println!("{}", table(size, &names.collect::<Vec<_>>(), &times, &logits)?);
    Ok(())
}

/// Someone with a model.
trait Candidate {
    /// The log-mel of the samples, the encoder, and the keys and values of cross-attention.
    fn encode(&mut self, samples: &[f32]) -> Result<()>;

    /// Takes [`TOKENS`] tokens one by one.
    fn tokens(&mut self) -> Result<()>;

    /// Logits after the last token.
    fn logits(&self) -> Result<Vec<f32>>;
}

struct WhisperCpp {
    state: WhisperState,
    sot: i32,
}

impl WhisperCpp {
    fn new(model: &Path, flash_attention: bool, sot: u32) -> Result<Self> {
        let mut parameters = WhisperContextParameters::new();
        parameters.use_gpu(false).flash_attn(flash_attention);
        let context = WhisperContext::new_with_params(model, parameters)?;
        Ok(Self { state: context.create_state()?, sot: i32::try_from(sot)? })
    }
}

impl Candidate for WhisperCpp {
    fn encode(&mut self, samples: &[f32]) -> Result<()> {
        self.state.pcm_to_mel(samples, 1)?;
        Ok(self.state.encode(0, 1)?)
    }

    fn tokens(&mut self) -> Result<()> {
        for position in 0..TOKENS {
            self.state.decode(&[self.sot], position, 1)?;
        }
        Ok(())
    }

    fn logits(&self) -> Result<Vec<f32>> {
        Ok(self.state.get_logits()?.to_vec())
    }
}

struct Trit<'m, 'a> {
    transcriber: Transcriber<'m, 'a>,
    sot: u32,
    logits: Vec<f32>,
}

impl Candidate for Trit<'_, '_> {
    fn encode(&mut self, samples: &[f32]) -> Result<()> {
        self.transcriber.encode(samples)?;
        Ok(())
    }

    fn tokens(&mut self) -> Result<()> {
        for position in 0..TOKENS {
            let logits = self.transcriber.feed(self.sot)?.context("the decoder is full")?;
            if position + 1 == TOKENS {
                self.logits.clear();
                self.logits.extend_from_slice(logits);
            }
        }
        Ok(())
    }

    fn logits(&self) -> Result<Vec<f32>> {
        Ok(self.logits.clone())
    }
}

/// A window of something like speech: a chirp with pauses.
fn samples() -> Vec<f32> {
    let sample = |n| {
        let t = n as f32 / SAMPLE_RATE as f32;
        (t * (600.0 + 300.0 * t)).sin() * 0.3 * (t * 9.0).sin().max(0.0)
    };
    (0..30 * SAMPLE_RATE).map(sample).collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One row a candidate; trit is the last. Cosines of logits are with those of the first.
fn table(size: Size, names: &[&str], times: &[[f64; 2]], logits: &[Vec<f32>]) -> Result<String> {
    let (trit, reference) = (times.last().context("trit")?, &logits[0]);
    let mut out = format!(
        "| Whisper {size:?}, random ternary weights | encode 30 s, ms | a token, ms | trit is faster by, encode | token | cosine of logits |\n\
         |---|---:|---:|---:|---:|---:|\n"
    );
    for ((name, [encode, token]), logits) in names.iter().zip(times).zip(logits) {
        ensure!(logits.len() == reference.len(), "{name} has {} logits", logits.len());
        out += &format!(
            "| {name} | {:.1} | {:.2} | {:.1} | {:.1} | {:.4} |\n",
            encode * 1e3,
            token * 1e3,
            encode / trit[0],
            token / trit[1],
            cosine(reference, logits)
        );
    }
    out += "\nMedians. Encoding includes the log-mel and the keys and values of cross-attention. All have the \
            same weights; cosines are with the logits of the first after the last token.\n";
    out += &format!(
        "\nwhisper.cpp {}, compiled for this CPU: {}\n",
        whisper_rs::get_whisper_version(),
        whisper_rs::print_system_info().trim()
    );
    Ok(out)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
