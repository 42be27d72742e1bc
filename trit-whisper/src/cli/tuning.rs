//! Tuning files: which there is for this device, and what it says.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use etcetera::BaseStrategy;
use trit_simd::tune::{self, Shape, TuningError, Verdict};
use trit_simd::{Cpu, Kernels, Level, registry};
use trit_whisper::new_file::NewFile;

use super::{Failure, machine, tell};

/// Room for the shapes of a dozen models or thread counts.
pub(crate) const SHAPES: usize = 256;

pub(crate) type Tuning = tune::Tuning<SHAPES>;

/// Options of the commands that run by a tuning file.
#[derive(clap::Args)]
pub(crate) struct TuningOptions {
    /// What `tune` wrote with --file; without it, what `tune` keeps for this device, if anything
    #[arg(long, value_name = "FILE")]
    tuning: Option<PathBuf>,
    /// Run the default kernels, whatever `tune` found
    #[arg(long, conflicts_with = "tuning")]
    no_tuning: bool,
}

/// Kernels, and the tuning that they run by.
pub(crate) struct Tuned {
    pub(crate) device: String,
    pub(crate) kernels: Kernels,
    file: Option<(PathBuf, &'static Tuning)>,
}

impl Tuned {
    /// The kernels for products shared by `threads` threads, tuned if there is a file for it. A file
    /// that was asked for must be good; one that was only found gives a warning if it is not.
    pub(crate) fn load(options: &TuningOptions, threads: usize) -> Result<Self, Failure> {
        let cpu = Cpu::detect();
        let kernels = Kernels::new(&cpu);
        let device = device(&cpu);
        let path = match &options.tuning {
            _ if options.no_tuning => None,
            Some(path) => Some(path.clone()),
            None => default_path(&device).filter(|path| path.exists()),
        };
        let Some(path) = path else { return Ok(Self { device, kernels, file: None }) };
        match read(&path, &device, &cpu) {
            Ok(tuning) => {
                // A command loads one file, once.
                static TUNING: OnceLock<Tuning> = OnceLock::new();
                let tuning = TUNING.get_or_init(|| tuning);
                let kernels = kernels.selecting(tuning, threads);
                Ok(Self { device, kernels, file: Some((path, tuning)) })
            }
            Err(why) if options.tuning.is_some() => Err(Failure::Other(why)),
            Err(why) => {
                tell(format_args!("warning: {why}; the default kernels run"));
                Ok(Self { device, kernels, file: None })
            }
        }
    }

    /// The tuning, and where it came from.
    pub(crate) fn file(&self) -> Option<(&Path, &Tuning)> {
        self.file.as_ref().map(|(path, tuning)| (path.as_path(), *tuning))
    }

    /// A few words on what runs.
    pub(crate) fn summary(&self) -> String {
        let kernel = self.kernels.names()[0];
        match self.file() {
            None => format!("{kernel}, not tuned"),
            Some((_, tuning)) => {
                let other = tuning.iter().filter(|choice| choice.verdict() == Verdict::Won);
                let (other, all) = (other.count(), tuning.len());
                format!(
                    "{kernel}, tuned: another kernel for {other} of {}",
                    super::count(all, "shape")
                )
            }
        }
    }
}

/// What a tuning is good for: this CPU, and the variants of this program. One line.
pub(crate) fn device(cpu: &Cpu) -> String {
    let levels: Vec<_> = Level::ALL.into_iter().filter(|&level| cpu.has(level)).collect();
    let mut features: Vec<_> = levels.iter().flat_map(|level| level.features()).copied().collect();
    features.sort_unstable();
    features.dedup();
    let levels: Vec<_> = levels.into_iter().map(Level::name).collect();
    let names: Vec<_> = registry::variants().map(|(name, _)| name).collect();
    format!(
        "{}; {}; {}; trit {} with kernels {:08x}",
        machine::cpu_model(),
        features.join(" "),
        levels.join(" "),
        env!("CARGO_PKG_VERSION"),
        crc32fast::hash(names.join(" ").as_bytes()),
    )
}

/// The file that `tune` keeps for `device`: in the user's cache folder, with a name of its own for
/// each device, as home folders may be shared.
pub(crate) fn default_path(device: &str) -> Option<PathBuf> {
    let folder = etcetera::choose_base_strategy().ok()?.cache_dir().join("trit-whisper");
    Some(folder.join(format!("tuning-{:08x}.txt", crc32fast::hash(device.as_bytes()))))
}

/// Larger than any tuning file.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a tuning file, or why there is none.
fn text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let system = |error: io::Error| format!("{shown}: {error}");
    let file = File::open(path).map_err(system)?;
    if !file.metadata().map_err(system)?.is_file() {
        return Err(format!("{shown}: is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(system)?;
    let magic = |text: String| (text.len() as u64 <= MOST_BYTES).then_some(text);
    String::from_utf8(bytes).ok().and_then(magic).ok_or(format!("{shown}: {}", TuningError::Magic))
}

/// Reads a tuning for `device`, or says why it cannot.
fn read(path: &Path, device: &str, cpu: &Cpu) -> Result<Tuning, String> {
    let text = text(path)?;
    Tuning::parse(&text, device, cpu).map_err(|error| format!("{}: {error}", path.display()))
}

/// What is at `path` already, to be added to; a tuning that is of no use here counts as empty. What is
/// not a tuning at all, or cannot be replaced, is a failure.
pub(crate) fn read_to_extend(path: &Path, device: &str, cpu: &Cpu) -> Result<Tuning, Failure> {
    let fails = |why: String| Failure::Output(format!("{why}; it is left as it is"));
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tuning::new()),
        _ => {}
    }
    let text = text(path).map_err(fails)?;
    match Tuning::parse(&text, device, cpu) {
        Ok(tuning) => Ok(tuning),
        Err(error @ TuningError::Magic) => Err(fails(format!("{}: {error}", path.display()))),
        Err(error) => {
            tell(format_args!("warning: {}: {error}; it will be replaced", path.display()));
            Ok(Tuning::new())
        }
    }
}

/// Sees that a tuning file can be written, and makes its folder if it is the program's own.
pub(crate) fn prepare(path: &Path, own: bool) -> Result<(), Failure> {
    let prepare = || {
        if let (true, Some(folder)) = (own, path.parent()) {
            fs::create_dir_all(folder)?;
        }
        // Removed again when dropped.
        NewFile::create(path).map(drop)
    };
    prepare().map_err(|error| Failure::Output(format!("{}: {error}", path.display())))
}

/// Writes a tuning file, which appears whole or not at all.
pub(crate) fn write(path: &Path, device: &str, tuning: &Tuning) -> Result<(), Failure> {
    let mut text = String::new();
    // A string takes everything.
    let _ = tuning.write(device, &mut text);
    let write = || {
        let mut file = NewFile::create(path)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    };
    write().map_err(|error: io::Error| Failure::Output(format!("{}: {error}", path.display())))
}

/// What was chosen and why, a line for each shape.
pub(crate) fn table(tuning: &Tuning) -> String {
    let mut table = format!(
        "{:18}{:>7}{:>6}{:>10}{:>8}  {:18}{:>11}  {:18}{:>11}{:>7}  {}\n",
        "product",
        "rows",
        "k",
        "tokens",
        "threads",
        "default",
        "time",
        "fastest other",
        "time",
        "calls",
        "which runs"
    );
    for choice in tuning.iter() {
        let shape = choice.shape();
        let (product, default) = choice.default().split_once("__").unwrap_or_default();
        let (other, other_time) = match choice.rival() {
            Some((name, cost)) => (name.rsplit("__").next().unwrap_or(name), time(shape, cost)),
            None => ("–", "–".into()),
        };
        let tokens = match shape.tokens() {
            1 => "1".into(),
            tokens => format!("{tokens}–{}", 2 * tokens - 1),
        };
        let why = match choice.verdict() {
            Verdict::Only => "the default: there is no other",
            Verdict::Unbeaten => "the default: no other is faster",
            Verdict::Unclear => "the default: the other is not clearly faster",
            Verdict::Won => "the other: clearly faster",
            _ => "the default",
        };
        table += &format!(
            "{product:18}{:>7}{:>6}{tokens:>10}{:>8}  {default:18}{:>11}  {other:18}{other_time:>11}{:>7}  {why}\n",
            shape.rows(),
            shape.k(),
            shape.threads(),
            choice.default_cost().map_or("–".into(), |cost| time(shape, cost)),
            choice.calls(),
        );
    }
    table
}

/// The time of a call with the fewest tokens of its bucket, from a cost in nanoseconds.
fn time(shape: Shape, cost: f32) -> String {
    let nanoseconds = f64::from(cost) * shape.macs() as f64;
    match nanoseconds {
        ..1e6 => format!("{:.2} µs", nanoseconds / 1e3),
        ..1e9 => format!("{:.2} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}
