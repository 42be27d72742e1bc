//! The tensors of a Whisper model.

use crate::Config;

/// What a tensor is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Linear(Part),
    Conv,
    Head,
    Positions,
    Vector,
}

/// A part of the blocks, whose linear weights may be stored in a way of their own.
///
/// ```
/// use trit_whisper::convert::Part;
///
/// // Which part a tensor is of.
/// let part = |name: &str| {
///     Part::ALL.into_iter().find(|part| {
///         part.name().split_once('.').is_some_and(|(side, layer)| {
///             name.starts_with(side) && name.contains(&format!(".{layer}."))
///         })
///     })
/// };
/// assert_eq!(part("decoder.blocks.3.cross_attn.key.weight"), Some(Part::CrossAttention));
/// assert_eq!(part("encoder.blocks.0.mlp.2.weight"), Some(Part::EncoderMlp));
/// assert_eq!(part("encoder.conv1.weight"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Self-attention of the encoder.
    EncoderAttention,
    /// Perceptrons of the encoder.
    EncoderMlp,
    /// Self-attention of the decoder.
    DecoderAttention,
    /// Attention of the decoder to the audio.
    CrossAttention,
    /// Perceptrons of the decoder.
    DecoderMlp,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 5] = [
        Self::EncoderAttention,
        Self::EncoderMlp,
        Self::DecoderAttention,
        Self::CrossAttention,
        Self::DecoderMlp,
    ];

    /// Its name, which is what the names of its tensors have besides the block's number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EncoderAttention => "encoder.attn",
            Self::EncoderMlp => "encoder.mlp",
            Self::DecoderAttention => "decoder.attn",
            Self::CrossAttention => "decoder.cross_attn",
            Self::DecoderMlp => "decoder.mlp",
        }
    }
}

/// Name, class and shape of every tensor of a model.
pub(super) fn tensors(config: &Config) -> Vec<(String, Class, Vec<usize>)> {
    let (d, mels) = (config.state(), config.n_mels as usize);
    let mut tensors = vec![
        ("encoder.conv1.weight".into(), Class::Conv, vec![d, 3, mels]),
        ("encoder.conv1.bias".into(), Class::Vector, vec![d]),
        ("encoder.conv2.weight".into(), Class::Conv, vec![d, 3, d]),
        ("encoder.conv2.bias".into(), Class::Vector, vec![d]),
        ("encoder.positional_embedding".into(), Class::Positions, vec![config.audio_ctx(), d]),
        ("decoder.positional_embedding".into(), Class::Positions, vec![config.text_ctx(), d]),
        ("decoder.token_embedding.weight".into(), Class::Head, vec![config.vocab(), d]),
    ];
    let mut norm = |name: &str| {
        for part in ["weight", "bias"] {
            tensors.push((format!("{name}.{part}"), Class::Vector, vec![d]));
        }
    };
    norm("encoder.ln_post");
    norm("decoder.ln");
    let encoder = (&[("attn", Part::EncoderAttention)][..], Part::EncoderMlp);
    let decoder = [("attn", Part::DecoderAttention), ("cross_attn", Part::CrossAttention)];
    let decoder = (&decoder[..], Part::DecoderMlp);
    let sides =
        [("encoder", config.n_audio_layer, encoder), ("decoder", config.n_text_layer, decoder)];
    for (side, layers, (attentions, mlp)) in sides {
        for block in 0..layers {
            let block = format!("{side}.blocks.{block}");
            for &(attention, part_of) in attentions {
                for part in ["weight", "bias"] {
                    let name = format!("{block}.{attention}_ln.{part}");
                    tensors.push((name, Class::Vector, vec![d]));
                }
                for part in ["query", "key", "value", "out"] {
                    let name = format!("{block}.{attention}.{part}");
                    tensors.push((format!("{name}.weight"), Class::Linear(part_of), vec![d, d]));
                    if part != "key" {
                        tensors.push((format!("{name}.bias"), Class::Vector, vec![d]));
                    }
                }
            }
            for (part, rows, k) in [("mlp.0", 4 * d, d), ("mlp.2", d, 4 * d)] {
                tensors.push((format!("{block}.{part}.weight"), Class::Linear(mlp), vec![rows, k]));
                tensors.push((format!("{block}.{part}.bias"), Class::Vector, vec![rows]));
            }
            for part in ["weight", "bias"] {
                tensors.push((format!("{block}.mlp_ln.{part}"), Class::Vector, vec![d]));
            }
        }
    }
    tensors
}
