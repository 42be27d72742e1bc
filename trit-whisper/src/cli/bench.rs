//! `trit-whisper bench`.

use std::path::PathBuf;
use std::time::Instant;

use trit_simd::parallel::Join;
use trit_simd::{Cpu, Kernels, Level};
use trit_whisper::threads::Threads;
use trit_whisper::{Error, MemoryPlan, Options, SAMPLE_RATE, Transcriber};

use super::tuning::{Tuned, TuningOptions};
use super::{
    AttentionOptions, AudioCtxOptions, Failure, ModelBytes, count, machine, plural, values,
};

const EXAMPLES: &str = "\
Examples:
  trit-whisper bench
  trit-whisper bench --threads 4 --runs 21 small.trit
  trit-whisper bench --seconds 9 --audio-ctx auto --tokens 25 small.trit";

/// Arguments of `bench`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A `.trit` model; without it, the embedded model
    model: Option<PathBuf>,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = values::threads)]
    threads: usize,
    #[command(flatten)]
    attention: AttentionOptions,
    #[command(flatten)]
    audio_ctx: AudioCtxOptions,
    /// Length of the sound; a whole window if not given
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<f64>,
    /// Tokens decoded in a run
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = values::whole(1..=u32::MAX))]
    tokens: u32,
    /// How often each part is timed
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = values::whole(1..=u32::MAX))]
    runs: u32,
    #[command(flatten)]
    tuning: TuningOptions,
    /// Hold the CPU back to a level of instructions, such as avx2, untuned
    #[arg(long, value_name = "LEVEL", value_parser = level, conflicts_with = "tuning")]
    level: Option<Level>,
}

fn level(text: &str) -> Result<Level, String> {
    let has = |level: &Level| Cpu::detect().at(*level).is_some();
    let levels: Vec<_> = Level::ALL.into_iter().filter(has).collect();
    levels.iter().copied().find(|level| level.name() == text).ok_or_else(|| {
        let names: Vec<_> = levels.into_iter().map(Level::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds from 0.01 to 3600"),
    }
}

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

/// Seconds that a run's parts took.
#[derive(Default)]
struct Times {
    log_mel: Vec<f64>,
    encode: Vec<f64>,
    token: Vec<f64>,
    all: Vec<f64>,
}

/// The seconds since `start`, which becomes now.
fn lap(start: &mut Instant) -> f64 {
    let now = Instant::now();
    now.duration_since(std::mem::replace(start, now)).as_secs_f64()
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut start = Instant::now();
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    let load = lap(&mut start);
    let threads = Threads::new(arguments.threads)
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let tuned = Tuned::load(&arguments.tuning, threads.threads())?;
    let held_back = arguments.level.and_then(|level| Cpu::detect().at(level));
    let kernels = held_back.map_or(tuned.kernels, |cpu| Kernels::new(&cpu));
    let config = *model.config();
    let precision = arguments.attention.precision();
    let options =
        Options { precision, audio_ctx: arguments.audio_ctx.audio_ctx, ..Options::default() };
    let window = options.audio_ctx.window(&config);
    let asked = arguments.seconds.map(|seconds| (seconds * SAMPLE_RATE as f64) as usize);
    let samples = chirp(asked.map_or(window, |samples| samples.clamp(1, window)));
    let plan = MemoryPlan::with_options(&model, threads.threads(), &options);
    let mut start = Instant::now();
    let mut arena = super::arena(plan.total())?;
    // As many as the decoder has room for.
    let tokens = arguments.tokens.min(config.n_text_ctx);
    let timed = threads.install(|| -> Result<_, Error> {
        let mut transcriber = Transcriber::new(&model, kernels, &threads, &mut arena, options)?;
        let ready = lap(&mut start);
        let mut times = Times::default();
        for _ in 0..arguments.runs {
            let mut start = Instant::now();
            transcriber.log_mel(&samples)?;
            times.log_mel.push(lap(&mut start));
            transcriber.encode(&samples)?;
            let encode = lap(&mut start);
            bytes.set_encoding_aside(&model);
            let mut start = Instant::now();
            let mut count = 0;
            while count < tokens && transcriber.feed(config.sot)?.is_some() {
                count += 1;
            }
            let decode = lap(&mut start);
            times.encode.push(encode);
            times.token.push(decode / f64::from(count.max(1)));
            times.all.push(encode + decode);
            bytes.release(0..model.container().file_len());
        }
        Ok((ready, times))
    });
    let (ready, times) =
        timed.map_err(|error| Failure::Model(format!("{}: {error}", bytes.name())))?;
    let length = samples.len() as f64 / SAMPLE_RATE as f64;
    let mut text = format!(
        "model               {}\n\
         threads             {}\n\
         load                {:>9.2} ms   (checksums included), {:.2} ms until it is ready for audio\n\
         log-mel {length:>6.1} s    {:>9.2} ms\n\
         encode {length:>7.1} s    {:>9.2} ms   in {} (log-mel and cross-attention keys included)\n\
         decode one token    {:>9.3} ms\n\
         audio and {:>3} {:6} {:>8.2} ms\n\
         medians of          {:>9} {}\n\
         arena               {:>9.1} MiB\n\
         peak memory         {:>13}\n\
         tuning              {}\n\
         kernels\n",
        bytes.name(),
        threads.threads(),
        load * 1e3,
        (load + ready) * 1e3,
        median(times.log_mel) * 1e3,
        median(times.encode) * 1e3,
        count(options.audio_ctx.positions(&config, samples.len()), "position"),
        median(times.token) * 1e3,
        tokens,
        plural(tokens as usize, "token"),
        median(times.all) * 1e3,
        arguments.runs,
        plural(arguments.runs as usize, "run"),
        plan.total() as f64 / (1 << 20) as f64,
        machine::peak_memory(),
        match (arguments.level, tuned.file()) {
            (None, Some((path, _))) => path.display().to_string(),
            _ => "none".into(),
        },
    );
    for name in kernels.names() {
        text += &format!("  {name}\n");
    }
    super::print(&text)
}
