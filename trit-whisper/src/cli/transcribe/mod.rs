//! `trit-whisper transcribe`.

mod colors;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use trit_simd::parallel::Join;
use trit_whisper::new_file::NewFile;
use trit_whisper::output::{self, Format, Transcript, render};
use trit_whisper::threads::Threads;
use trit_whisper::{Model, Options, VadOptions};

use super::decoding::{Decoding, DecodingOptions};
use super::inputs::{self, Input, Target};
use super::progress::Progress;
use super::session::{News, Session, language};
use super::speech::VadArguments;
use super::tuning::{Tuned, TuningOptions};
use super::{AttentionOptions, AudioCtxOptions, Failure, ModelBytes, tell};
use colors::colored;

const EXAMPLES: &str = "\
Examples:
  trit-whisper transcribe speech.flac
  trit-whisper transcribe --output srt,json --output-dir subtitles --model small.trit talks/
  trit-whisper transcribe --language de --translate --model small.trit talk.m4a
  ffmpeg -i film.mkv -f wav - | trit-whisper transcribe -";

/// Arguments of `transcribe`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Audio files (WAV, FLAC, MP3, OGG, M4A, …), or folders to look for them in; `-` reads
    /// standard input
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
    /// Forms of the transcript, separated by commas
    #[arg(long, value_enum, default_value = "txt", value_name = "FORM,…", value_delimiter = ',')]
    output: Vec<Output>,
    /// Write each transcript into this folder, named after its audio file, instead of printing it
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = super::threads)]
    threads: usize,
    /// Threads that decode, if fewer; decoding may end at the memory before it ends at the cores
    #[arg(long, value_name = "N", value_parser = super::decoder_threads)]
    decoder_threads: Option<usize>,
    /// Find out when each word is spoken; takes about as long again as decoding
    #[arg(long)]
    word_timestamps: bool,
    #[command(flatten)]
    vad: VadArguments,
    #[command(flatten)]
    attention: AttentionOptions,
    #[command(flatten)]
    audio_ctx: AudioCtxOptions,
    /// Colour the text on standard output by how sure the model is of it, from red to green, and
    /// with --verbose the segments; where it is a terminal and NO_COLOR is not set
    #[arg(long)]
    print_colors: bool,
    /// Do not decode timestamps
    #[arg(long)]
    no_timestamps: bool,
    /// Print nothing but transcripts, warnings and errors
    #[arg(long, short)]
    quiet: bool,
    /// Tell of each segment when it is done, and how long each part of the work took
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Tell how probable each language is in the beginning of each file, instead of transcribing it
    #[arg(long, conflicts_with_all = ["output", "output_dir"])]
    detect_language: bool,
    #[command(flatten)]
    decoding: DecodingOptions,
    #[command(flatten)]
    tuning: TuningOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Txt,
    Srt,
    Vtt,
    Lrc,
    Json,
    Tsv,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Txt => Self::Txt,
            Output::Srt => Self::Srt,
            Output::Vtt => Self::Vtt,
            Output::Lrc => Self::Lrc,
            Output::Json => Self::Json,
            Output::Tsv => Self::Tsv,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let inputs = inputs::inputs(&arguments.files);
    let mut formats = Vec::new();
    for format in arguments.output.iter().copied().map(Format::from) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    let found: Vec<_> = inputs.iter().flatten().collect();
    let mut targets =
        inputs::targets(found.iter().copied(), &formats, arguments.output_dir.as_deref())?
            .into_iter();
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    let decoding = Decoding::new(&arguments.decoding, &model)?;
    let options = options(arguments, &bytes.name(), &model, decoding.options())?;
    if matches!(bytes, ModelBytes::Embedded) && !arguments.quiet {
        tell(known_words(&model));
    }
    let threads = Threads::new(arguments.threads)
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let tuned = Tuned::load(&arguments.tuning, threads.threads())?;
    let mut session = Session::new(&bytes, &model, threads, tuned, options)?;
    let files = inputs.len();
    let mut failures = Vec::new();
    for (index, input) in inputs.into_iter().enumerate() {
        let done = input.and_then(|input| {
            let progress = Progress::new(arguments.quiet, &input.shown(), index, files);
            // There is a target for each input that is no failure.
            targets.next().map_or(Ok(()), |target| {
                one_file(arguments, &mut session, &progress, &input, &target)
            })
        });
        if let Err(failure) = done {
            if files > 1 {
                tell(format_args!("error: {failure}"));
            }
            failures.push(failure);
        }
    }
    match failures.iter().map(Failure::code).max() {
        None => Ok(()),
        Some(code) if files > 1 => Err(Failure::Files { failed: failures.len(), files, code }),
        Some(_) => failures.pop().map_or(Ok(()), Err),
    }
}

/// The options, if the model can follow them.
fn options<'o>(
    arguments: &Arguments,
    name: &str,
    model: &Model<'_>,
    decoding: Options<'o>,
) -> Result<Options<'o>, Failure> {
    let config = model.config();
    let language = language(model, name, arguments.language.as_deref())?;
    if arguments.translate && !config.is_multilingual() {
        return Err(Failure::Usage(format!("--translate: {name} cannot translate")));
    }
    if arguments.detect_language && !config.is_multilingual() {
        return Err(Failure::Usage(format!("--detect-language: {name} knows one language only")));
    }
    let options = Options {
        language,
        translate: arguments.translate,
        timestamps: !arguments.no_timestamps,
        words: arguments.word_timestamps,
        vad: arguments.vad.options(VadOptions::WHOLE),
        precision: arguments.attention.precision(),
        audio_ctx: arguments.audio_ctx.audio_ctx,
        decoder_threads: arguments.decoder_threads,
        ..decoding
    };
    options.check(config).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(options)
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
    session: &mut Session<'_>,
    progress: &Progress,
    input: &Input,
    target: &Target,
) -> Result<(), Failure> {
    let shown = input.shown();
    if arguments.detect_language {
        let mut text = String::new();
        for (code, probability) in session.languages(&input.path, &shown)? {
            text += &format!("{shown}\t{code}\t{probability:.6}\n");
        }
        return super::print(&text);
    }
    let mut colors = String::new();
    let done = session.transcribe(&input.path, &shown, &mut |news| match news {
        News::Segment(segment, line) => {
            if arguments.verbose {
                let text =
                    if arguments.print_colors { &colored(segment, true) } else { &line.text };
                progress.tell(&format!("[{}]  {text}", output::span(line)));
            }
            if arguments.print_colors {
                colors += &colored(segment, colors.is_empty());
            }
        }
        News::Progress { done, total } => progress.set(done, total),
    });
    progress.finish();
    let done = done?;
    if let Some(warning) = &done.warning {
        tell(format_args!("warning: {shown}: {warning}"));
    }
    match target {
        Target::Stdout(Format::Txt) if arguments.print_colors => {
            super::print_colored(&format!("{colors}\n"))?;
        }
        Target::Stdout(format) => super::print(&render(&done.transcript, *format))?,
        Target::Files(files) => write_files(files, &done.transcript)?,
    }
    if arguments.verbose {
        let (encoding, decoding) = (done.encoding.as_secs_f64(), done.decoding.as_secs_f64());
        tell(format_args!("{shown}: {encoding:.3} s until encoded, {decoding:.3} s of decoding"));
    }
    if !arguments.quiet {
        tell(session.figures(&shown, &done));
    }
    Ok(())
}

/// Writes the transcript in all formats, and makes the folders that they lie in below the output
/// folder. No file gets its name before all are written.
fn write_files(files: &[(Format, PathBuf)], transcript: &Transcript) -> Result<(), Failure> {
    let mut written = Vec::new();
    for (format, path) in files {
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = NewFile::create(path)?;
            file.write_all(render(transcript, *format).as_bytes())?;
            Ok(file)
        };
        written.push((path, write().map_err(|error| unwritable(path, &error))?));
    }
    written
        .into_iter()
        .try_for_each(|(path, file)| file.finish().map_err(|error| unwritable(path, &error)))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Output(format!("{}: {error}", path.display()))
}
