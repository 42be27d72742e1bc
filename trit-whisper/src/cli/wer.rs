//! `trit-whisper wer`.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use trit_simd::parallel::Join;
use trit_whisper::wer::{Normalizer, WordErrors};

use super::inputs::{self, Input};
use super::progress::Progress;
use super::recognition::RecognitionOptions;
use super::session::{Done, News, Session};
use super::{Failure, Failures, count, machine, tell};

const EXAMPLES: &str = "\
Examples:
  trit-whisper wer reference.txt transcript.txt
  trit-whisper wer --text \"the grey cat\" \"a gray cat\"
  trit-whisper wer --audio LibriSpeech/test-clean --model small.trit --language en
  trit-whisper wer --audio talks --model small.trit --beam-size 5 --vad off";

/// What goes with audio alone, since texts are not recognised: options, and groups of them.
const OF_AUDIO: [&str; 14] = [
    "audio",
    "verbose",
    // A group that has groups in it is none to clap.
    "model",
    "language",
    "translate",
    "threads",
    "decoder_threads",
    "word_timestamps",
    "no_timestamps",
    "VadArguments",
    "AttentionOptions",
    "AudioCtxOptions",
    "DecodingOptions",
    "TuningOptions",
];

/// Arguments of `wer`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file with what was said
    #[arg(required_unless_present = "audio", conflicts_with_all = OF_AUDIO, value_name = "REF")]
    reference: Option<OsString>,
    /// A file with what was understood; `-` reads standard input
    #[arg(required_unless_present = "audio", conflicts_with = "audio", value_name = "HYP")]
    transcript: Option<OsString>,
    /// REF and HYP are texts themselves
    #[arg(long)]
    text: bool,
    /// What is done to texts before their words are compared
    #[arg(long, value_enum, default_value_t = Rules::English, value_name = "RULES")]
    normalizer: Rules,
    /// Transcribe the audio in this folder, or this file, and compare with the transcripts beside it: those in
    /// `*.trans.txt`, as in LibriSpeech, or `.txt` of the same name
    #[arg(long, value_name = "FOLDER")]
    audio: Option<PathBuf>,
    #[command(flatten)]
    recognition: RecognitionOptions,
    /// Tell of each file, with both texts as they are compared
    #[arg(long, short, requires = "audio")]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rules {
    /// OpenAI's for English: contractions, spelling, numbers
    English,
    /// For any language: lower case, no punctuation
    Basic,
    /// The texts as they are
    None,
}

impl From<Rules> for Normalizer {
    fn from(rules: Rules) -> Self {
        match rules {
            Rules::English => Self::English,
            Rules::Basic => Self::Basic,
            Rules::None => Self::Verbatim,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let normalizer = Normalizer::from(arguments.normalizer);
    if let Some(folder) = &arguments.audio {
        return of_audio(arguments, folder, normalizer);
    }
    let [reference, transcript] = [&arguments.reference, &arguments.transcript]
        .map(|argument| argument.as_deref().unwrap_or_default());
    if !arguments.text && [reference, transcript] == ["-"; 2] {
        let once = "standard input can be REF or HYP, not both";
        return Err(Failure::Usage(once.into()));
    }
    let text = |argument: &OsStr| {
        let text = if arguments.text {
            argument.to_str().map(str::to_owned).ok_or_else(|| {
                Failure::Usage(format!("{}: is not UTF-8", argument.to_string_lossy()))
            })?
        } else {
            read(Path::new(argument))?
        };
        Ok::<_, Failure>(normalizer.apply(&text))
    };
    let errors = WordErrors::of(&text(reference)?, &text(transcript)?);
    super::print(&describe(&errors)?)
}

/// A text file, or standard input.
fn read(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let text = text.map_err(|error| Failure::Other(format!("{}: {error}", path.display())))?;
    // A byte order mark is no part of the first word.
    Ok(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text))
}

fn describe(errors: &WordErrors) -> Result<String, Failure> {
    let rate = errors.rate().ok_or_else(|| {
        Failure::Other("the reference has no words, so there is no error rate".into())
    })?;
    Ok(format!(
        "word error rate     {:>9.2} %\n\
         words               {:>9}\n\
         substitutions       {:>9}\n\
         insertions          {:>9}\n\
         deletions           {:>9}\n",
        rate * 100.0,
        errors.words,
        errors.substitutions,
        errors.insertions,
        errors.deletions
    ))
}

fn of_audio(arguments: &Arguments, folder: &Path, normalizer: Normalizer) -> Result<(), Failure> {
    if let Err(error) = fs::metadata(folder) {
        return Err(Failure::Audio(format!("{}: {error}", folder.display())));
    }
    let inputs = inputs::inputs(&[folder.to_owned()]);
    let mut references = References::default();
    let mut failures = Failures::new(inputs.len());
    let mut pairs = Vec::new();
    for input in inputs {
        let pair = input.and_then(|input| Ok((references.of(&input.path)?, input)));
        match pair {
            Ok((Some(text), input)) => pairs.push((input, text)),
            Ok((None, input)) => {
                tell(format_args!("warning: {}: has no transcript", input.shown()));
            }
            Err(failure) => _ = failures.add(failure),
        }
    }
    if pairs.is_empty() {
        failures.result()?;
        return Err(Failure::Other(format!("{}: no transcripts of audio", folder.display())));
    }
    let recognition = &arguments.recognition;
    let bytes = recognition.open()?;
    let model = bytes.model()?;
    let decoding = recognition.decoding(&model)?;
    let options = recognition.options(&bytes.name(), &model, &decoding)?;
    let mut session = recognition.session(&bytes, &model, options)?;

    let (mut errors, mut seconds, mut spent) = (WordErrors::default(), 0.0, Duration::ZERO);
    let mut compared = 0;
    for (index, (input, reference)) in pairs.iter().enumerate() {
        let progress = Progress::new(false, &input.shown(), index, pairs.len());
        let done = match one_file(&mut session, input, &progress) {
            Ok(done) => done,
            Err(failure) => {
                failures.add(failure);
                continue;
            }
        };
        let [said, understood] =
            [reference, &done.transcript.text].map(|text| normalizer.apply(text));
        let found = WordErrors::of(&said, &understood);
        if arguments.verbose {
            let (wrong, words) = (count(found.errors(), "error"), count(found.words, "word"));
            tell(format_args!(
                "{}: {wrong} in {words}\n  said        {said}\n  understood  {understood}",
                input.shown()
            ));
        }
        errors = errors + found;
        compared += 1;
        seconds += done.heard;
        spent += done.spent;
    }
    if compared == 0 {
        return failures.result();
    }
    let mut text = describe(&errors)?;
    text += &format!(
        "files               {:>9}\n\
         audio               {seconds:>9.1} s\n\
         time                {:>9.1} s\n\
         real-time factor    {:>9.3}\n\
         threads             {:>9}\n\
         peak memory         {:>13}\n",
        compared,
        spent.as_secs_f64(),
        spent.as_secs_f64() / seconds,
        session.threads.threads(),
        machine::peak_memory(),
    );
    super::print(&text)?;
    failures.result()
}

fn one_file(
    session: &mut Session<'_>,
    input: &Input,
    progress: &Progress,
) -> Result<Done, Failure> {
    let shown = input.shown();
    let done = session.transcribe(&input.path, &shown, &mut |news| match news {
        News::Segment(..) => {}
        News::Progress { done, total } => progress.set(done, total),
    });
    progress.finish();
    let done = done?;
    if let Some(warning) = &done.warning {
        tell(format_args!("warning: {shown}: {warning}"));
    }
    Ok(done)
}

/// Transcripts that lie beside audio.
#[derive(Default)]
struct References {
    /// For each folder, what its `*.trans.txt` files say of each name.
    lists: BTreeMap<PathBuf, HashMap<String, String>>,
}

impl References {
    /// What was said in the file, if that is known.
    fn of(&mut self, audio: &Path) -> Result<Option<String>, Failure> {
        let folder = match audio.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let list = match self.lists.entry(folder) {
            Entry::Occupied(list) => list.into_mut(),
            Entry::Vacant(place) => {
                // What cannot be read is said once, of the first file here; the rest counts.
                let mut texts = HashMap::new();
                let read = lists(place.key(), &mut texts);
                let list = place.insert(texts);
                read?;
                list
            }
        };
        let name = audio.file_stem().unwrap_or_default().to_string_lossy();
        if let Some(text) = list.get(name.as_ref()) {
            return Ok(Some(text.clone()));
        }
        let beside = audio.with_extension("txt");
        if beside.is_file() { read(&beside).map(Some) } else { Ok(None) }
    }
}

/// Adds the lines of all `*.trans.txt` in `folder` to `texts`: a name, a space or tab, what was said.
fn lists(folder: &Path, texts: &mut HashMap<String, String>) -> Result<(), Failure> {
    let unreadable = |error| Failure::Other(format!("{}: {error}", folder.display()));
    let mut failed = None;
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".trans.txt")) {
            let lines = match read(&path) {
                Ok(lines) => lines,
                Err(failure) => {
                    failed.get_or_insert(failure);
                    continue;
                }
            };
            let lines = lines.lines().filter_map(|line| line.split_once([' ', '\t']));
            texts.extend(lines.map(|(name, text)| (name.to_owned(), text.to_owned())));
        }
    }
    failed.map_or(Ok(()), Err)
}
