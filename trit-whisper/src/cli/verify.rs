//! `trit-whisper verify`.

use std::path::PathBuf;
use std::time::Instant;

use trit_whisper::threads::Threads;
use trit_whisper::{Model, SelfTest, embedded};

use super::tuning::{Tuned, TuningOptions};
use super::{Failure, ModelBytes, count, values};

const EXAMPLES: &str = "\
Examples:
  trit-whisper verify
  trit-whisper verify small.trit";

/// Arguments of `verify`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A `.trit` model; without it, the embedded model
    model: Option<PathBuf>,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = values::threads)]
    threads: usize,
    #[command(flatten)]
    tuning: TuningOptions,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    // Parses it and checks every checksum, scale and code.
    let model = bytes.model()?;
    let name = bytes.name();
    special_tokens(&model).map_err(|what| Failure::Model(format!("{name}: {what}")))?;

    let threads = Threads::new(arguments.threads)
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let tuned = Tuned::load(&arguments.tuning, arguments.threads)?;
    let started = Instant::now();
    let found = threads
        .install(|| SelfTest::run(&model, tuned.kernels, &threads))
        .map_err(|error| Failure::Model(format!("{name}: {error}")))?;
    let seconds = started.elapsed().as_secs_f64();
    let stored = match bytes {
        ModelBytes::Embedded => Some(embedded::SELF_TEST),
        ModelBytes::File(..) => SelfTest::stored(&model),
    };
    let verdict = match stored {
        None => "none is stored in this model, so there is nothing to compare with".into(),
        Some(stored) if stored.arithmetic != found.arithmetic => format!(
            "stored by a program of arithmetic {}, which this one's, {}, cannot be compared with",
            stored.arithmetic, found.arithmetic
        ),
        Some(stored) if stored != found => {
            return Err(Failure::Other(format!(
                "{name}: the self-test gives {:08x} where {:08x} is stored: this program computes \
                 other values here than where the model was converted",
                found.logits, stored.logits
            )));
        }
        Some(_) => format!("{:08x}, as stored: the same bits", found.logits),
    };
    let container = model.container();
    super::print(&format!(
        "model           {name}\n\
         checksums       {} in {} bytes, all as stored\n\
         configuration   as it may be\n\
         special tokens  where the configuration says\n\
         self-test       {verdict} ({seconds:.2} s)\n\
         kernels         {}\n",
        count(container.entries().count(), "entry"),
        container.file_len(),
        tuned.summary(),
    ))
}

/// Checks that the tokens that the configuration names are those.
fn special_tokens(model: &Model<'_>) -> Result<(), String> {
    let config = model.config();
    let mut expected: Vec<(u32, &[&str])> = vec![
        (config.eot, &["<|endoftext|>"]),
        (config.sot, &["<|startoftranscript|>"]),
        (config.no_speech, &["<|nospeech|>", "<|nocaptions|>"]),
        (config.no_timestamps, &["<|notimestamps|>"]),
        // Older checkpoints have no text for timestamps.
        (config.timestamp_first, &["<|0.00|>", ""]),
    ];
    if config.is_multilingual() {
        expected.push((config.translate, &["<|translate|>"]));
        expected.push((config.transcribe, &["<|transcribe|>"]));
    }
    for (id, texts) in expected {
        let found = String::from_utf8_lossy(model.tokens().bytes(id));
        if !texts.contains(&found.as_ref()) {
            return Err(format!("token {id} is `{found}`, expected `{}`", texts[0]));
        }
    }
    Ok(())
}
