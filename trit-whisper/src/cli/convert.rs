//! `trit-whisper convert`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use indicatif::ProgressBar;
use trit_core::GroupSize;
use trit_core::quantize::{Granularity, TernaryRule};
use trit_whisper::convert::{
    ConvertError, ConvertOptions, ConvertReport, Part, Storage, Ternarize, convert,
};
use trit_whisper::import::{self, ImportError};

use super::{Failure, tell, values};

const EXAMPLES: &str = "\
Types: f32, f16, int8, i4, and for parts of the blocks absmean, twn, exact (ternary by a rule, or
because they already are). :32, :64, :128 or :256 after one that has groups says how many inputs
share a scale: 64 for i4 and a whole row for ternary types if it is left out.

Parts: encoder.attn, encoder.mlp, decoder.attn, decoder.cross_attn, decoder.mlp

Examples:
  trit-whisper convert whisper-small/ small.trit
  trit-whisper convert ggml-small-wal-ternary-q2_0.bin small-ternary.trit
  trit-whisper convert --ternary exact --group 64 --head i4 my-ternary-whisper/ mine.trit
  trit-whisper convert --dense int8 --part encoder.mlp=i4:32 whisper-small/ small.trit";

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
    #[arg(long, value_name = "N", requires = "ternary", value_parser = values::group)]
    group: Option<GroupSize>,
    /// Type of linear weights that are not ternary
    #[arg(long, default_value = "f16", value_name = "TYPE")]
    dense: Dense,
    /// Type of the linear weights of one part of the blocks, ternary or not; may be repeated
    #[arg(long, value_name = "PART=TYPE")]
    part: Vec<PartType>,
    /// Type of the token embedding and head
    #[arg(long, default_value = "int8", value_name = "TYPE")]
    head: Dense,
    /// Type of the convolutions
    #[arg(long, default_value = "f16", value_name = "TYPE")]
    conv: Dense,
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

impl From<Rule> for Ternarize {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Absmean => Self::Rule(TernaryRule::Absmean),
            Rule::Twn => Self::Rule(TernaryRule::Twn),
            Rule::Exact => Self::Exact,
        }
    }
}

/// Inputs that share a 4-bit scale if nothing is said.
const INT4_GROUP: GroupSize = GroupSize::G64;

/// A type as `NAME` or `NAME:GROUP`, if it is one.
fn storage(text: &str) -> Option<Storage> {
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(GroupSize::new(group.parse().ok()?)?)),
        None => (text, None),
    };
    Some(match (name, group) {
        ("f32", None) => Storage::F32,
        ("f16", None) => Storage::F16,
        ("int8", None) => Storage::Int8,
        ("i4", group) => Storage::Int4(group.unwrap_or(INT4_GROUP)),
        (name, group) => {
            let rule = Rule::from_str(name, false).ok()?;
            Storage::Ternary(rule.into(), group.map_or(Granularity::Row, Granularity::Group))
        }
    })
}

/// A type that is not ternary.
#[derive(Clone, Copy)]
struct Dense(Storage);

impl FromStr for Dense {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match storage(text) {
            None | Some(Storage::Ternary(..)) => {
                Err("expected f32, f16, int8, i4 or i4:GROUP, with groups of 32, 64, 128 or 256")
            }
            Some(storage) => Ok(Self(storage)),
        }
    }
}

/// A part of the blocks and its type.
#[derive(Clone, Copy)]
struct PartType(Part, Storage);

impl FromStr for PartType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (part, kind) = text.split_once('=').ok_or("expected PART=TYPE")?;
        let part = Part::ALL.into_iter().find(|known| known.name() == part).ok_or_else(|| {
            format!("expected one of {} as PART", Part::ALL.map(Part::name).join(", "))
        })?;
        let kind = storage(kind).ok_or(
            "expected f32, f16, int8, i4, absmean, twn or exact as TYPE, the last four perhaps with \
             :32, :64, :128 or :256",
        )?;
        Ok(Self(part, kind))
    }
}

impl Arguments {
    fn options(&self) -> ConvertOptions {
        let granularity = self.group.map_or(Granularity::Row, Granularity::Group);
        let linear = match self.ternary {
            Some(rule) => Storage::Ternary(rule.into(), granularity),
            None => self.dense.0,
        };
        let mut parts = [None; Part::ALL.len()];
        for PartType(part, storage) in &self.part {
            for (known, own) in Part::ALL.iter().zip(&mut parts) {
                if known == part {
                    *own = Some(*storage);
                }
            }
        }
        let positions = if self.f32_positions { Storage::F32 } else { Storage::F16 };
        ConvertOptions { linear, parts, head: self.head.0, conv: self.conv.0, positions }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let options = arguments.options();
    if is_source(&arguments.dest, &arguments.source) {
        let what = "would be written over, and is to be converted";
        return Err(Failure::Usage(format!("{}: {what}", arguments.dest.display())));
    }
    super::remove_files_at_interrupt()?;
    let checkpoint = import::open(&arguments.source).map_err(|error| match error {
        ImportError::Io { .. } | ImportError::File { .. } => Failure::Model(error.to_string()),
        error => Failure::Model(format!("{}: {error}", arguments.source.display())),
    })?;
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

    let size = report.bytes as f64 / (1 << 20) as f64;
    tell(format_args!("{}; {} has {size:.1} MiB", table(&report), arguments.dest.display()));
    let by_rule = |storage: &Storage| matches!(storage, Storage::Ternary(Ternarize::Rule(_), _));
    if options.parts.iter().flatten().chain([&options.linear]).any(by_rule) {
        tell(
            "warning: a checkpoint that was not trained for ternary weights is unusable after this: \
             its word error rate goes beyond 100 %. Train it first (trit-whisper/train), or convert \
             without --ternary.",
        );
    }
    Ok(())
}

/// Whether there is something at `dest` that is the checkpoint `source`, or a part of it.
fn is_source(dest: &Path, source: &Path) -> bool {
    let (Ok(dest), Ok(source)) = (dest.canonicalize(), source.canonicalize()) else { return false };
    let is_read = |extension| dest.extension().is_some_and(|found| found == extension);
    let inside = dest.parent() == Some(&source);
    dest == source && dest.is_file() || inside && ["safetensors", "json"].into_iter().any(is_read)
}

/// A line for each tensor and each type, and one for all.
fn table(report: &ConvertReport) -> String {
    let mut text =
        format!("{:44}{:>6}{:>12}{:>12}{:>12}\n", "tensor", "type", "bytes", "bits each", "error");
    let bits = |bytes: usize, elements: usize| bytes as f64 * 8.0 / elements.max(1) as f64;
    let mut types = BTreeMap::<_, (usize, usize)>::new();
    for tensor in &report.tensors {
        let (name, stored, bytes) = (&tensor.name, tensor.stored, tensor.bytes);
        let each = bits(bytes, tensor.elements);
        text += &format!("{name:44}{stored:>6}{bytes:>12}{each:>12.2}{:>12.2e}\n", tensor.error);
        let sum = types.entry(stored).or_default();
        *sum = (sum.0 + bytes, sum.1 + tensor.elements);
    }
    for (stored, &(bytes, elements)) in &types {
        let each = bits(bytes, elements);
        text += &format!("{:44}{stored:>6}{bytes:>12}{each:>12.2}\n", "all of this type");
    }
    let all = |of: fn(&(usize, usize)) -> usize| types.values().map(of).sum::<usize>();
    let (bytes, elements) = (all(|sum| sum.0), all(|sum| sum.1));
    text + &format!("{elements} weights, {:.2} bits each", bits(bytes, elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_with_their_groups() {
        let expected = [
            ("f32", Some(Storage::F32)),
            ("int8", Some(Storage::Int8)),
            ("i4", Some(Storage::Int4(GroupSize::G64))),
            ("i4:256", Some(Storage::Int4(GroupSize::G256))),
            ("exact", Some(Storage::Ternary(Ternarize::Exact, Granularity::Row))),
            (
                "twn:32",
                Some(Storage::Ternary(
                    Ternarize::Rule(TernaryRule::Twn),
                    Granularity::Group(GroupSize::G32),
                )),
            ),
            ("i4:", None),
            ("i4:33", None),
            ("f16:32", None),
            ("t4", None),
            ("", None),
        ];
        for (text, found) in expected {
            assert_eq!(storage(text), found, "{text}");
        }
        assert!(Dense::from_str("exact").is_err() && PartType::from_str("encoder.attn").is_err());
        assert!(PartType::from_str("decoder.norm=f16").is_err());
        let PartType(part, kind) = PartType::from_str("decoder.cross_attn=i4:32").unwrap();
        assert_eq!((part, kind), (Part::CrossAttention, Storage::Int4(GroupSize::G32)));
    }
}
