//! `trit-whisper convert`.

use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::ProgressBar;
use trit_core::GroupSize;
use trit_core::quantize::{Granularity, TernaryRule};
use trit_whisper::convert::{ConvertError, ConvertOptions, Dense, Ternarize, convert};
use trit_whisper::import;

use super::{Failure, tell};

const EXAMPLES: &str = "\
Examples:
  trit-whisper convert whisper-small/ small.trit
  trit-whisper convert ggml-small-wal-ternary-q2_0.bin small-ternary.trit
  trit-whisper convert --ternary exact --group 64 my-ternary-whisper/ mine.trit";

/// Arguments of `convert`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A Hugging Face directory, or a whisper.cpp `.bin` file
    source: PathBuf,
    /// The `.trit` file to write
    dest: PathBuf,
    /// Make dense linear weights ternary; `exact` only if they already are
    #[arg(long, value_enum, value_name = "RULE")]
    ternary: Option<Rule>,
    /// Inputs that share a scale (32, 64, 128 or 256) with --ternary; a row if not given
    #[arg(long, value_name = "N", requires = "ternary")]
    group: Option<usize>,
    /// Type of linear weights that are not ternary
    #[arg(long, value_enum, default_value_t = Type::F16, value_name = "TYPE")]
    dense: Type,
    /// Type of the token embedding and head
    #[arg(long, value_enum, default_value_t = Type::Int8, value_name = "TYPE")]
    head: Type,
    /// Type of the convolutions
    #[arg(long, value_enum, default_value_t = Type::F16, value_name = "TYPE")]
    conv: Type,
    /// Keep positions in f32 instead of f16
    #[arg(long)]
    f32_positions: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rule {
    Absmean,
    Twn,
    Exact,
}

#[derive(Clone, Copy, ValueEnum)]
enum Type {
    F32,
    F16,
    Int8,
}

impl From<Type> for Dense {
    fn from(kind: Type) -> Self {
        match kind {
            Type::F32 => Self::F32,
            Type::F16 => Self::F16,
            Type::Int8 => Self::Int8,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let granularity = match arguments.group {
        None => Granularity::Row,
        Some(inputs) => Granularity::Group(GroupSize::new(inputs).ok_or_else(|| {
            Failure::Usage(format!("--group {inputs}: expected 32, 64, 128 or 256"))
        })?),
    };
    let how = arguments.ternary.map(|rule| match rule {
        Rule::Absmean => Ternarize::Rule(TernaryRule::Absmean),
        Rule::Twn => Ternarize::Rule(TernaryRule::Twn),
        Rule::Exact => Ternarize::Exact,
    });
    let options = ConvertOptions {
        ternary: how.map(|how| (how, granularity)),
        linear: arguments.dense.into(),
        head: arguments.head.into(),
        conv: arguments.conv.into(),
        positions: if arguments.f32_positions { Dense::F32 } else { Dense::F16 },
    };
    let checkpoint =
        import::open(&arguments.source).map_err(|error| Failure::Model(error.to_string()))?;
    let bar = ProgressBar::new(1);
    let report = convert(checkpoint.as_ref(), &arguments.dest, &options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })
    .map_err(|error| match error {
        ConvertError::Write { .. } => Failure::Output(error.to_string()),
        error => Failure::Model(format!("{}: {error}", arguments.source.display())),
    })?;
    bar.finish_and_clear();

    let mut table = format!("{:44}{:>6}{:>12}{:>12}\n", "tensor", "type", "bits each", "error");
    let (mut bytes, mut elements) = (0, 0);
    for tensor in &report.tensors {
        let bits = tensor.bytes as f64 * 8.0 / tensor.elements as f64;
        let (name, stored) = (&tensor.name, tensor.stored);
        table += &format!("{name:44}{stored:>6}{bits:>12.2}{:>12.2e}\n", tensor.error);
        bytes += tensor.bytes;
        elements += tensor.elements;
    }
    tell(format_args!(
        "{table}{elements} weights, {:.2} bits each; {} has {:.1} MiB",
        bytes as f64 * 8.0 / elements.max(1) as f64,
        arguments.dest.display(),
        report.bytes as f64 / (1 << 20) as f64
    ));
    if matches!(how, Some(Ternarize::Rule(_))) {
        tell(
            "warning: a checkpoint that was not trained for ternary weights is unusable after this: \
             its word error rate goes beyond 100 %. Train it first (trit-whisper/train), or convert \
             without --ternary.",
        );
    }
    Ok(())
}
