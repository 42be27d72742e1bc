//! `trit-whisper tune`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use trit_simd::parallel::Join;
use trit_simd::tune::{Shared, SystemClock, Verdict};
use trit_simd::{Cpu, Kernels};
use trit_whisper::threads::Threads;
use trit_whisper::{Error, MemoryPlan, Model, Options, Transcriber};

use super::tuning::{self, SHAPES, Tuning};
use super::{Failure, ModelBytes, bench, count, tell, values};

const EXAMPLES: &str = "\
Examples:
  trit-whisper tune
  trit-whisper tune --threads 1,4 small.trit
  trit-whisper tune --file board.txt small.trit";

/// Arguments of `tune`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A `.trit` model; without it, the embedded model
    model: Option<PathBuf>,
    /// Numbers of threads to tune for; 0 means one for each core
    #[arg(
        long,
        default_value = "1,0",
        value_name = "N,…",
        value_delimiter = ',',
        value_parser = values::threads
    )]
    threads: Vec<usize>,
    /// Where to keep what was found, instead of the user's cache folder
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The tuner of the process.
type Tuner = Shared<SystemClock, SHAPES>;

/// A window is encoded, or decoded to its end, so often at most: enough for the calls that a shape
/// needs, should a window have only one of it.
const MOST_WINDOWS: u32 = 200;

/// Encoding, or decoding, goes on no longer than this once every shape has come up. What is still open
/// then comes up so rarely that it hardly matters.
const MOST_TIME: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    let cpu = Cpu::detect();
    let device = tuning::device(&cpu);
    let path =
        arguments.file.clone().or_else(|| tuning::default_path(&device)).ok_or_else(|| {
            Failure::Output(
                "there is no home folder to keep a file in; name one with --file".into(),
            )
        })?;
    let mut kept = tuning::read_to_extend(&path, &device, &cpu)?;
    tuning::prepare(&path, arguments.file.is_none())?;

    static TUNER: OnceLock<Tuner> = OnceLock::new();
    let tuner = TUNER.get_or_init(|| Shared::new(&cpu, SystemClock::default()));
    let started = Instant::now();
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} shapes, {elapsed}") {
        bar.set_style(style);
    }
    for threads in arguments.threads.iter().copied().collect::<BTreeSet<_>>() {
        let threads = Threads::new(threads)
            .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
        let mut arena =
            super::arena(MemoryPlan::with_threads(model.config(), threads.threads()).total())?;
        let kernels = Kernels::new(&cpu).selecting(tuner, threads.threads());
        threads
            .install(|| explore(&model, kernels, &threads, &mut arena, tuner, &bar))
            .map_err(|error| Failure::Model(format!("{}: {error}", bytes.name())))?;
    }
    bar.finish_and_clear();

    let found = tuner.tuning();
    for choice in found.iter() {
        if !kept.insert(*choice) {
            tell(format_args!(
                "warning: {} has no room for more than {SHAPES} shapes; the others run the default",
                path.display()
            ));
            break;
        }
    }
    tuning::write(&path, &device, &kept)?;
    super::print(&report(&device, &found, tuner.progress().0, started, &path.display().to_string()))
}

/// Encodes and decodes with `kernels`, which `tuner` selects, until each shape that comes up has its
/// variant.
fn explore(
    model: &Model<'_>,
    kernels: Kernels,
    threads: &Threads,
    arena: &mut [u8],
    tuner: &Tuner,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let config = model.config();
    let mut transcriber = Transcriber::new(model, kernels, threads, arena, Options::default())?;
    let samples = bench::chirp(config.window());
    // Shapes of another number of threads that were left open do not come up again.
    let (shapes, settled) = tuner.progress();
    let open_before = shapes - settled;
    let settled = || {
        let (shapes, settled) = tuner.progress();
        bar.set_length(shapes as u64);
        bar.set_position(settled as u64);
        shapes - settled <= open_before
    };
    let started = Instant::now();
    for _ in 0..MOST_WINDOWS {
        transcriber.encode(&samples)?;
        if settled() || started.elapsed() > MOST_TIME {
            break;
        }
    }
    let started = Instant::now();
    for _ in 0..MOST_WINDOWS {
        while transcriber.feed(config.sot)?.is_some() {
            if settled() || started.elapsed() > MOST_TIME {
                return Ok(());
            }
        }
        // Empties the decoder.
        transcriber.encode(&samples)?;
    }
    Ok(())
}

fn report(device: &str, found: &Tuning, shapes: usize, started: Instant, path: &str) -> String {
    let won = found.iter().filter(|choice| choice.verdict() == Verdict::Won).count();
    let mut text = format!("device {device}\n\n{}\n", tuning::table(found));
    text += &format!(
        "{} in {:.1} s: another kernel than the default for {won} of them",
        count(found.len(), "shape"),
        started.elapsed().as_secs_f64()
    );
    if shapes > found.len() {
        text += &format!("; {} more came up too rarely", shapes - found.len());
    }
    text + &format!("\nkept in {path}\n")
}
