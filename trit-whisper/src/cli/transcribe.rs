//! `trit-whisper transcribe`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use trit_simd::parallel::Join;
use trit_whisper::audio::Reader;
use trit_whisper::new_file::NewFile;
use trit_whisper::output::{Format, Transcript, render};
use trit_whisper::threads::Threads;
use trit_whisper::{Event, MemoryPlan, Model, Options, SAMPLE_RATE, Transcriber};

use super::tuning::{Tuned, TuningOptions};
use super::{AttentionOptions, Failure, ModelBytes, machine, tell};

const EXAMPLES: &str = "\
Examples:
  trit-whisper transcribe speech.flac
  trit-whisper transcribe --output srt --output-dir subtitles --model small.trit *.mp3
  trit-whisper transcribe --language de --translate --model small.trit talk.m4a
  ffmpeg -i film.mkv -f wav - | trit-whisper transcribe -";

/// Arguments of `transcribe`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Audio files (WAV, FLAC, MP3, OGG, M4A, …); `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A `.trit` model; without it, the embedded model of 35 spoken words
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The spoken language, such as `en`; detected if not given
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Translate to English
    #[arg(long)]
    translate: bool,
    /// Form of the transcript
    #[arg(long, value_enum, default_value_t = Output::Txt, value_name = "FORM")]
    output: Output,
    /// Write each transcript into this folder, named after its audio file, instead of printing it
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = super::threads)]
    threads: usize,
    #[command(flatten)]
    attention: AttentionOptions,
    /// Do not decode timestamps
    #[arg(long)]
    no_timestamps: bool,
    /// Print nothing but transcripts and errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    tuning: TuningOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Txt,
    Srt,
    Vtt,
    Json,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Txt => Self::Txt,
            Output::Srt => Self::Srt,
            Output::Vtt => Self::Vtt,
            Output::Json => Self::Json,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let targets = targets(arguments)?;
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    let options = options(arguments, &bytes.name(), &model)?;
    if matches!(bytes, ModelBytes::Embedded) && !arguments.quiet {
        tell(known_words(&model));
    }
    let threads = Threads::new(arguments.threads)
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let tuned = Tuned::load(&arguments.tuning, threads.threads())?;
    let mut failures = Vec::new();
    for (file, target) in arguments.files.iter().zip(&targets) {
        let target = target.as_deref();
        let done = one_file(arguments, &bytes, &model, &threads, &tuned, options, file, target);
        if let Err(failure) = done {
            if targets.len() > 1 {
                tell(format_args!("error: {failure}"));
            }
            failures.push(failure);
        }
    }
    match failures.iter().map(Failure::code).max() {
        None => Ok(()),
        Some(code) if targets.len() > 1 => {
            Err(Failure::Files { failed: failures.len(), files: targets.len(), code })
        }
        Some(_) => failures.pop().map_or(Ok(()), Err),
    }
}

/// Where each file's transcript goes: `None` is standard output.
fn targets(arguments: &Arguments) -> Result<Vec<Option<PathBuf>>, Failure> {
    let Some(folder) = &arguments.output_dir else {
        let format = Format::from(arguments.output);
        let joinable = matches!(format, Format::Txt | Format::Json);
        if arguments.files.len() > 1 && !joinable {
            return Err(Failure::Usage(format!(
                "several files need --output-dir: {} of one after another is no valid file",
                format.extension(),
            )));
        }
        return Ok(vec![None; arguments.files.len()]);
    };
    if !folder.is_dir() {
        return Err(Failure::Output(format!("{}: not a folder", folder.display())));
    }
    let mut taken = BTreeMap::new();
    let target = |file: &PathBuf| {
        let stem = if is_stdin(file) { None } else { file.file_stem() };
        let mut name = stem.unwrap_or("stdin".as_ref()).to_owned();
        name.push(".");
        name.push(Format::from(arguments.output).extension());
        let target = folder.join(name);
        match taken.insert(target.clone(), file.clone()) {
            None => Ok(Some(target)),
            Some(other) => Err(Failure::Usage(format!(
                "{} and {} would both be written to {}",
                other.display(),
                file.display(),
                target.display(),
            ))),
        }
    };
    arguments.files.iter().map(target).collect()
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// The options, if the model can follow them.
fn options(
    arguments: &Arguments,
    name: &str,
    model: &Model<'_>,
) -> Result<Options<'static>, Failure> {
    let config = model.config();
    let language = match &arguments.language {
        None => None,
        Some(code) if !config.is_multilingual() => {
            return Err(Failure::Usage(format!(
                "--language {code}: {name} knows one language only; leave it out"
            )));
        }
        Some(code) => Some(model.language(code).map_err(|_| {
            let last = config.language_first + config.n_languages;
            let known: Vec<_> =
                (config.language_first..last).filter_map(|id| model.language_code(id)).collect();
            let known = known.join(" ");
            Failure::Usage(format!("--language {code}: {name} does not know it, only {known}"))
        })?),
    };
    if arguments.translate && !config.is_multilingual() {
        return Err(Failure::Usage(format!("--translate: {name} cannot translate")));
    }
    Ok(Options {
        language,
        translate: arguments.translate,
        timestamps: !arguments.no_timestamps,
        precision: arguments.attention.precision(),
        ..Options::default()
    })
}

/// One line that says which words a small model knows, from its token table.
fn known_words(model: &Model<'_>) -> String {
    let words: BTreeSet<_> = (0..model.config().eot)
        .map(|id| String::from_utf8_lossy(model.tokens().bytes(id)).trim().to_owned())
        .collect();
    let list = words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    format!("the embedded model knows {} words: {list}", words.len())
}

fn one_file(
    arguments: &Arguments,
    bytes: &ModelBytes,
    model: &Model<'_>,
    threads: &Threads,
    tuned: &Tuned,
    options: Options<'_>,
    file: &Path,
    target: Option<&Path>,
) -> Result<(), Failure> {
    let shown = if is_stdin(file) { Path::new("standard input") } else { file }.display();
    let failure = |error| Failure::Audio(format!("{shown}: {error}"));
    let mut reader =
        if is_stdin(file) { Reader::from_stream(io::stdin()) } else { Reader::open(file) }
            .map_err(failure)?;

    let started = Instant::now();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let shows_progress = !arguments.quiet && io::stderr().is_terminal();
    let mut transcript = Transcript { file: file.display().to_string(), ..Transcript::default() };
    let plan = MemoryPlan::with_options(model.config(), threads.threads(), &options);
    let mut arena = super::arena(plan.total())?;
    let result = threads.install(|| {
        let mut transcriber = Transcriber::new(model, tuned.kernels, threads, &mut arena, options)?;
        transcriber.transcribe_from(&mut reader, &mut |event| match event {
            Event::Language { token, .. } => {
                transcript.language = model.language_code(token).map(str::to_owned);
            }
            Event::Encoded => bytes.release(model.encoder_span()),
            Event::Segment(segment) => transcript.push(&segment),
            Event::Progress { done, total } => {
                // What the decoder reads need not stay while the next window is encoded.
                bytes.release(0..model.container().file_len());
                if shows_progress && bar.is_hidden() && started.elapsed() > BAR_AFTER {
                    show(&bar);
                }
                if let Some(total) = total {
                    bar.set_length(total as u64);
                }
                bar.set_position(done as u64);
            }
            _ => {}
        })
    });
    bar.finish_and_clear();
    let summary = match (result, reader.take_error()) {
        (Ok(summary), _) => summary,
        (Err(_), Some(error)) => return Err(failure(error)),
        (Err(error), None) => return Err(Failure::Model(format!("{}: {error}", bytes.name()))),
    };
    if let Some(warning) = reader.warning() {
        tell(format_args!("warning: {shown}: {warning}"));
    }
    transcript.duration = reader.len() as f64 / SAMPLE_RATE as f64;
    let format = Format::from(arguments.output);
    let text = render(&transcript, format);
    match target {
        Some(target) => write_file(target, text.as_bytes())?,
        None => super::print(&text)?,
    }
    if !arguments.quiet {
        let spent = started.elapsed();
        tell(format_args!(
            "{shown}: {:.1} s of audio in {:.3} s, real-time factor {:.3}; {} windows, {} silent, \
             {} tokens; {} threads, peak memory {}, {}",
            transcript.duration,
            spent.as_secs_f64(),
            spent.as_secs_f64() / transcript.duration,
            summary.windows,
            summary.silent,
            summary.tokens,
            threads.threads(),
            machine::peak_memory(),
            tuned.summary(),
        ));
    }
    Ok(())
}

/// Work shorter than this shows no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);

/// Lets the bar appear on the terminal.
fn show(bar: &ProgressBar) {
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}% {eta} left") {
        bar.set_style(style);
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(200));
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        let mut file = NewFile::create(path)?;
        file.write_all(bytes)?;
        file.finish()
    };
    write().map_err(|error: io::Error| Failure::Output(format!("{}: {error}", path.display())))
}
