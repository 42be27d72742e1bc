//! `trit-whisper info`.

use std::path::PathBuf;

use trit_core::container::ScaleKind;
use trit_whisper::{MemoryPlan, Model, Options, Precision, SAMPLE_RATE};

use super::tuning::{Tuned, TuningOptions, table};
use super::{AttentionOptions, Failure, ModelBytes, count, machine, values};

const EXAMPLES: &str = "\
Examples:
  trit-whisper info
  trit-whisper info --threads 4 small.trit";

/// Arguments of `info`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A `.trit` model; without it, the embedded model
    model: Option<PathBuf>,
    /// Threads to plan memory for; 0 means one for each core
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = values::threads)]
    threads: usize,
    #[command(flatten)]
    attention: AttentionOptions,
    #[command(flatten)]
    tuning: TuningOptions,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = ModelBytes::open(arguments.model.as_deref())?;
    let model = bytes.model()?;
    let tuned = Tuned::load(&arguments.tuning, arguments.threads)?;
    let precision = arguments.attention.precision();
    let text = describe(&bytes, &model, arguments.threads, precision) + &kernels(&tuned);
    super::print(&text)
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

fn describe(bytes: &ModelBytes, model: &Model<'_>, threads: usize, precision: Precision) -> String {
    let c = model.config();
    let mut text = format!("model         {}\n", bytes.name());
    for (label, entry) in [
        ("name          ", "meta.name"),
        ("description   ", "meta.description"),
        ("licence       ", "meta.license"),
    ] {
        if let Some(value) = model.text(entry) {
            text += &format!("{label}{value}\n");
        }
    }
    let of = |number: u32, thing| count(number as usize, thing);
    text += &format!(
        "encoder       {}, {}, width {}, {} ({:.1} s), {}\n\
         decoder       {}, {}, {}, {}, {}\n\n",
        of(c.n_audio_layer, "block"),
        of(c.n_audio_head, "head"),
        c.n_audio_state,
        of(c.n_audio_ctx, "position"),
        c.window() as f64 / SAMPLE_RATE as f64,
        of(c.n_mels, "mel"),
        of(c.n_text_layer, "block"),
        of(c.n_text_head, "head"),
        of(c.n_text_ctx, "position"),
        of(c.n_vocab, "token"),
        if c.is_multilingual() { of(c.n_languages, "language") } else { "one language".into() },
    );

    text += &format!(
        "{:44}{:>6}{:>18}{:>12}{:>12}\n",
        "tensor", "type", "shape", "scales", "bits each"
    );
    let (mut stored, mut elements) = (0, 0);
    for entry in model.container().entries() {
        let form = entry.form();
        let numbers = form.elements().unwrap_or(0);
        let bits = entry.stored_len() as f64 * 8.0 / numbers as f64;
        let scales = match form.scales {
            ScaleKind::None => String::new(),
            ScaleKind::Tensor => "tensor".into(),
            ScaleKind::Row => "row".into(),
            ScaleKind::Group(size) => format!("group {}", size.inputs()),
        };
        let shape = form.dimensions().iter().map(u32::to_string).collect::<Vec<_>>().join("×");
        let (entry_name, dtype) = (entry.name(), form.dtype.name());
        text += &format!("{entry_name:44}{dtype:>6}{shape:>18}{scales:>12}{bits:>12.2}\n");
        if entry_name.contains('.')
            && !entry_name.starts_with("whisper.")
            && !entry_name.starts_with("meta.")
        {
            stored += entry.stored_len();
            elements += numbers;
        }
    }
    text += &format!(
        "\n{} numbers in {:.2} MiB, {:.2} bits each; the file has {:.2} MiB\n\n",
        elements,
        mib(stored),
        stored as f64 * 8.0 / elements.max(1) as f64,
        mib(model.container().file_len()),
    );

    let options = Options { precision, ..Options::default() };
    let plan = MemoryPlan::with_options(model, threads, &options);
    text += &format!("memory besides the weights, {}\n", count(threads, "thread"));
    for (label, part) in [
        ("log-mel", plan.mel),
        ("residual stream", plan.encoder),
        ("encoder's cache", plan.encoder_cache),
        ("encoder's output", plan.features),
        ("cross-attention cache", plan.cross_cache),
        ("self-attention cache", plan.self_cache),
        ("decoding", plan.decoding),
        ("scratch", plan.scratch),
        ("in use while encoding", plan.encoding_phase()),
        ("for the audio's keys", plan.cross_phase()),
        ("while decoding", plan.decoding_phase()),
        ("arena in all", plan.total()),
    ] {
        text += &format!("  {label:24}{part:>14} bytes {:>9.2} MiB\n", mib(part));
    }

    // What was in use once stays resident, so of the arena all counts.
    let (encoding, decoding) = bytes.resident_len(model);
    let weights = if encoding > decoding {
        ("weights while encoding", encoding)
    } else {
        ("weights while decoding", decoding)
    };
    let samples = c.window() * size_of::<f32>();
    let mut parts = vec![("arena", plan.total()), weights, ("samples", samples)];
    if let Some(program) = machine::resident_memory() {
        parts.push(("this program", program));
    }
    parts.push(("in all", parts.iter().map(|(_, bytes)| bytes).sum()));
    text += "\npeak resident memory for a window of audio\n";
    for (label, part) in parts {
        text += &format!("  {label:24}{part:>14} bytes {:>9.2} MiB\n", mib(part));
    }
    text
}

fn kernels(tuned: &Tuned) -> String {
    let mut text = format!("\ndevice        {}\n\nkernels on this CPU\n", tuned.device);
    let (one, many) = (tuned.kernels.names(), tuned.kernels.names_for(usize::MAX));
    for (one, many) in one.into_iter().zip(many) {
        text += &format!("  {one}\n");
        if one != many {
            text += &format!("  {many} for many tokens\n");
        }
    }
    match tuned.file() {
        None => text += "\nnot tuned: `trit-whisper tune` finds what is fastest on this device\n",
        Some((path, tuning)) => {
            text += &format!("\ntuned by {}\n{}", path.display(), table(tuning));
        }
    }
    text
}
