//! `trit-whisper transcribe`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use trit_simd::{Cpu, Kernels};
use trit_whisper::output::{Format, Line, Transcript, render};
use trit_whisper::threads::Threads;
use trit_whisper::{Error, Event, MemoryPlan, Model, Options, SAMPLE_RATE, Transcriber, audio};

use super::{Failure, ModelBytes, machine};

/// Arguments of `transcribe`.
#[derive(clap::Args)]
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
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,
    /// Do not decode timestamps
    #[arg(long)]
    no_timestamps: bool,
    /// Print nothing but transcripts and errors
    #[arg(long, short)]
    quiet: bool,
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
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    if matches!(bytes, ModelBytes::Embedded) && !arguments.quiet {
        eprintln!("{}", known_words(&model));
    }
    let language = match &arguments.language {
        None => None,
        Some(code) => Some(model.language(code).map_err(|error| {
            let hint = if model.config().is_multilingual() { "" } else { ": it knows one only" };
            Failure::Model(format!("{}: {error}{hint}", bytes.name()))
        })?),
    };
    let options =
        Options { language, translate: arguments.translate, timestamps: !arguments.no_timestamps };
    let threads = Threads::new(arguments.threads)
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let mut last_failure = None;
    for file in &arguments.files {
        if let Err(failure) = one_file(arguments, &bytes, &model, &threads, options, file)
            && let Some(earlier) = last_failure.replace(failure)
        {
            eprintln!("error: {earlier}");
        }
    }
    last_failure.map_or(Ok(()), Err)
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
    options: Options,
    file: &Path,
) -> Result<(), Failure> {
    let shown = file.display();
    let from_stdin = file == Path::new("-");
    let audio = if from_stdin { audio::read_stream(io::stdin()) } else { audio::read_file(file) }
        .map_err(|error| Failure::Audio(format!("{shown}: {error}")))?;
    if let Some(warning) = &audio.warning {
        eprintln!("warning: {shown}: {warning}");
    }

    let started = Instant::now();
    let bar = progress_bar(audio.samples.len(), arguments.quiet);
    let mut transcript = Transcript {
        file: shown.to_string(),
        duration: audio.samples.len() as f64 / SAMPLE_RATE as f64,
        ..Transcript::default()
    };
    let kernels = Kernels::new(&Cpu::detect());
    let result = threads.install(|| {
        let plan = MemoryPlan::with_threads(model.config(), threads_of(threads));
        let mut arena = vec![0; plan.total()];
        let mut transcriber = Transcriber::new(model, kernels, threads, &mut arena, options)?;
        transcriber.transcribe(&audio.samples, &mut |event| match event {
            Event::Language { token } => {
                transcript.language = model.language_code(token).map(str::to_owned);
            }
            Event::Segment(segment) => transcript.segments.push(Line::from(&segment)),
            Event::Progress { done, .. } => bar.set_position(done as u64),
        })
    });
    bar.finish_and_clear();
    let summary = result.map_err(|error| match error {
        Error::EmptyAudio | Error::Sample { .. } => Failure::Audio(format!("{shown}: {error}")),
        error => Failure::Model(format!("{}: {error}", bytes.name())),
    })?;
    let texts: Vec<_> = transcript.segments.iter().map(|line| line.text.as_str()).collect();
    transcript.text = texts.join(" ");

    let format = Format::from(arguments.output);
    let text = render(&transcript, format);
    match &arguments.output_dir {
        Some(folder) => {
            let name = if from_stdin { Path::new("stdin") } else { file };
            let to = folder.join(name.file_stem().unwrap_or(name.as_os_str()));
            write_file(&to.with_extension(format.extension()), text.as_bytes())?;
        }
        None => io::stdout()
            .write_all(text.as_bytes())
            .and_then(|()| io::stdout().flush())
            .map_err(|error| Failure::Output(format!("standard output: {error}")))?,
    }
    if !arguments.quiet {
        let spent = started.elapsed();
        eprintln!(
            "{shown}: {:.1} s of audio in {:.3} s, real-time factor {:.3}; {} windows, {} silent, \
             {} tokens; {} threads, peak memory {}, {}",
            transcript.duration,
            spent.as_secs_f64(),
            spent.as_secs_f64() / transcript.duration,
            summary.windows,
            summary.silent,
            summary.tokens,
            threads_of(threads),
            machine::peak_memory(),
            kernels.names()[0],
        );
    }
    Ok(())
}

fn threads_of(threads: &Threads) -> usize {
    trit_simd::parallel::Join::threads(threads)
}

/// A bar on a terminal, after the first second; elsewhere nothing.
fn progress_bar(samples: usize, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() || samples < SAMPLE_RATE {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(samples as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}% {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Writes by way of a temporary file in the same folder, so that nothing is left half-written.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error: io::Error| Failure::Output(format!("{}: {error}", path.display())))
}
