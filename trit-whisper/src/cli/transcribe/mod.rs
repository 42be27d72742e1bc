//! `trit-whisper transcribe`.

mod colors;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use trit_whisper::new_file::NewFile;
use trit_whisper::output::{self, Format, Transcript, render};
use trit_whisper::{Model, Options};

use super::decoding::HEADING;
use super::inputs::{self, Input, Target};
use super::progress::Progress;
use super::recognition::RecognitionOptions;
use super::session::{News, Session};
use super::{Failure, Failures, ModelBytes, count, tell, values};
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
    #[command(flatten)]
    recognition: RecognitionOptions,
    #[command(flatten)]
    part: PartOptions,
    /// Forms of the transcript, separated by commas
    #[arg(long, value_enum, default_value = "txt", value_name = "FORM,…", value_delimiter = ',')]
    output: Vec<Output>,
    /// Write each transcript into this folder, named after its audio file, instead of printing it;
    /// the folder is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Colour the text on standard output by how sure the model is of it, from red to green, and
    /// with --verbose the segments; where it is a terminal and NO_COLOR is not set
    #[arg(long)]
    print_colors: bool,
    /// Print nothing but transcripts, warnings and errors
    #[arg(long, short)]
    quiet: bool,
    /// Tell of each segment when it is done, and how long each part of the work took
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Tell how probable each language is in the beginning of each file, instead of transcribing it
    #[arg(long, conflicts_with_all = ["output", "output_dir"])]
    detect_language: bool,
}

/// Which part of each file is transcribed, and how its segments are cut.
#[derive(clap::Args)]
struct PartOptions {
    /// Begin at this second
    #[arg(long, value_name = "SECONDS", value_parser = values::samples, default_value = "0",
          help_heading = HEADING)]
    offset: usize,
    /// Transcribe so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = values::samples_above_0,
          help_heading = HEADING)]
    duration: Option<usize>,
    /// Cut segments of more characters
    #[arg(long, value_name = "N", value_parser = values::whole(1..=usize::MAX),
          help_heading = HEADING)]
    max_len: Option<usize>,
    /// Cut segments between words only
    #[arg(long, requires = "max_len", help_heading = HEADING)]
    split_on_word: bool,
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
    let (recognition, part) = (&arguments.recognition, &arguments.part);
    let bytes = recognition.open()?;
    let model = bytes.model()?;
    if arguments.detect_language && !model.config().is_multilingual() {
        let name = bytes.name();
        return Err(Failure::Usage(format!("--detect-language: {name} knows one language only")));
    }
    let decoding = recognition.decoding(&model)?;
    let options = Options {
        offset: part.offset,
        duration: part.duration,
        max_segment_chars: part.max_len,
        split_on_word: part.split_on_word,
        ..recognition.options(&bytes.name(), &model, &decoding)?
    };
    let mut session = recognition.session(&bytes, &model, options)?;
    if let Some(folder) = arguments.output_dir.as_deref().filter(|_| targets.len() > 0) {
        super::make_folder(folder)?;
        super::remove_files_at_interrupt()?;
    }
    if matches!(bytes, ModelBytes::Embedded) && !arguments.quiet {
        tell(known_words(&model));
    }
    let files = inputs.len();
    let mut failures = Failures::new(files);
    for (index, input) in inputs.into_iter().enumerate() {
        let done = input.and_then(|input| {
            let progress = Progress::new(arguments.quiet, &input.shown(), index, files);
            // There is a target for each input that is no failure.
            targets.next().map_or(Ok(()), |target| {
                one_file(arguments, &mut session, &progress, &input, &target)
            })
        });
        if let Err(failure) = done
            && !failures.add(failure)
        {
            break;
        }
    }
    failures.result()
}

/// One line that says which words a small model knows, from its token table.
fn known_words(model: &Model<'_>) -> String {
    let words: BTreeSet<_> = (0..model.config().eot)
        .map(|id| String::from_utf8_lossy(model.tokens().bytes(id)).trim().to_owned())
        .collect();
    let list = words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    format!("the embedded model knows {}: {list}", count(words.len(), "word"))
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
