//! `trit-whisper bench`.

use std::path::PathBuf;
use std::time::Instant;

use trit_simd::parallel::Join;
use trit_whisper::threads::Threads;
use trit_whisper::{Error, MemoryPlan, Options, SAMPLE_RATE, Transcriber};

use super::tuning::{Tuned, TuningOptions};
use super::{AttentionOptions, Failure, ModelBytes, machine};

const EXAMPLES: &str = "\
Examples:
  trit-whisper bench
  trit-whisper bench --threads 4 --runs 21 small.trit";

/// Arguments of `bench`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A `.trit` model; without it, the embedded model
    model: Option<PathBuf>,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = super::threads)]
    threads: usize,
    #[command(flatten)]
    attention: AttentionOptions,
    /// How often each part is timed
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    tuning: TuningOptions,
}

/// Tokens decoded in one run.
const TOKENS: usize = 16;

/// A window of something like speech: a chirp with pauses.
pub(crate) fn chirp(samples: usize) -> Vec<f32> {
    let sample = |n| {
        let t = n as f32 / SAMPLE_RATE as f32;
        (t * (600.0 + 300.0 * t)).sin() * 0.3 * (t * 9.0).sin().max(0.0)
    };
    (0..samples).map(sample).collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    let threads = Threads::new(arguments.threads)
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let tuned = Tuned::load(&arguments.tuning, threads.threads())?;
    let kernels = tuned.kernels;
    let config = *model.config();
    let precision = arguments.attention.precision();
    let plan = MemoryPlan::with_precision(&config, threads.threads(), precision);
    let mut arena = super::arena(plan.total())?;
    let timed = threads.install(|| -> Result<_, Error> {
        let options = Options { precision, ..Options::default() };
        let mut transcriber = Transcriber::new(&model, kernels, &threads, &mut arena, options)?;
        let samples = chirp(config.window());
        let (mut encode, mut decode) = (Vec::new(), Vec::new());
        for _ in 0..arguments.runs {
            let start = Instant::now();
            transcriber.encode(&samples)?;
            encode.push(start.elapsed().as_secs_f64());
            bytes.release(model.encoder_span());
            let start = Instant::now();
            let mut count = 0;
            while count < TOKENS && transcriber.feed(config.sot)?.is_some() {
                count += 1;
            }
            decode.push(start.elapsed().as_secs_f64() / count as f64);
            bytes.release(0..model.container().file_len());
        }
        Ok((median(encode), median(decode)))
    });
    let (encode, decode) =
        timed.map_err(|error| Failure::Model(format!("{}: {error}", bytes.name())))?;
    let window = config.window() as f64 / SAMPLE_RATE as f64;
    let mut text = format!(
        "model               {}\n\
         threads             {}\n\
         encode {window:>4.1} s window {:>9.2} ms   (log-mel and cross-attention keys included)\n\
         decode one token    {:>9.3} ms\n\
         medians of          {:>9} runs\n\
         arena               {:>9.1} MiB\n\
         peak memory         {:>13}\n\
         tuning              {}\n\
         kernels\n",
        bytes.name(),
        threads.threads(),
        encode * 1e3,
        decode * 1e3,
        arguments.runs,
        plan.total() as f64 / (1 << 20) as f64,
        machine::peak_memory(),
        tuned.file().map_or("none".into(), |(path, _)| path.display().to_string()),
    );
    for name in kernels.names() {
        text += &format!("  {name}\n");
    }
    super::print(&text)
}
