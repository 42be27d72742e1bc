//! A model: the container, its configuration, and where each tensor is.

use core::fmt::Write;
use core::ops::Range;

use heapless::{String, Vec};
use trit_core::container::{Container, ContainerError, DType, Name};
use trit_core::{F16Matrix, F32Matrix, Int4Matrix, Int8Matrix, TernaryMatrix};

use crate::config::Config;
use crate::error::{Error, ModelError};
use crate::tokens::TokenTable;

/// A weight matrix `[rows, k]` of any stored type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weights<'a> {
    Ternary(TernaryMatrix<'a>),
    Int8(Int8Matrix<'a>),
    Int4(Int4Matrix<'a>),
    F32(F32Matrix<'a>),
    F16(F16Matrix<'a>),
}

impl Weights<'_> {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Ternary(w) => w.rows(),
            Self::Int8(w) => w.rows(),
            Self::Int4(w) => w.rows(),
            Self::F32(w) => w.rows(),
            Self::F16(w) => w.rows(),
        }
    }

    /// Whether activations must be quantised for it.
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::Ternary(_) | Self::Int8(_) | Self::Int4(_))
    }

    /// Writes row `row` as floats into `to`; trits do not come as rows and give zeros.
    pub(crate) fn copy_row(&self, row: usize, to: &mut [f32]) {
        match self {
            Self::F32(w) => to.copy_from_slice(w.row(row)),
            Self::F16(w) => {
                for (to, &bits) in to.iter_mut().zip(w.row(row)) {
                    *to = trit_core::f16::to_f32(bits);
                }
            }
            Self::Int8(w) => {
                let scale = w.scales()[row];
                for (to, &value) in to.iter_mut().zip(w.row(row)) {
                    *to = f32::from(value) * scale;
                }
            }
            Self::Int4(w) => {
                for (input, to) in to.iter_mut().enumerate().take(w.k()) {
                    *to = f32::from(w.weight(row, input)) * w.scale(row, input);
                }
            }
            Self::Ternary(_) => to.fill(0.0),
        }
    }
}

/// Directory indices of a linear layer's weight and bias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    weight: u16,
    bias: Option<u16>,
}

/// Directory indices of a layer norm's gain and bias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    gain: u16,
    bias: u16,
}

/// The linear layers of an attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) out: Linear,
}

/// A transformer block; `cross` is there in the decoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) attn_ln: Norm,
    pub(crate) attn: Attention,
    pub(crate) cross: Option<(Norm, Attention)>,
    pub(crate) mlp_ln: Norm,
    pub(crate) mlp_in: Linear,
    pub(crate) mlp_out: Linear,
}

type Blocks = Vec<Block, { Config::MAX_LAYERS }>;

/// A Whisper model over the bytes of a `.trit` file.
///
/// ```
/// use trit_whisper::{Model, embedded};
///
/// let model = Model::parse(embedded::model())?;
/// assert_eq!(model.config().state(), 160);
/// assert!(model.text("meta.name").is_some() && model.text("meta.nothing").is_none());
/// // A model of one language has no token for it.
/// assert!(model.language("en").is_err());
/// assert_eq!(model.language_code(model.tokens().find(b" yes").unwrap()), None);
/// // The file does not say which heads tell when words are spoken, so the upper blocks' all do.
/// let heads = model.config().n_text_head as usize;
/// assert_eq!(model.alignment_heads().count(), heads * model.config().n_text_layer as usize / 2);
/// // A file that was damaged on its way: all checksums.
/// model.container().verify()?;
/// # Ok::<(), trit_whisper::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model<'a> {
    container: Container<'a>,
    config: Config,
    tokens: TokenTable<'a>,
    pub(crate) conv1: Linear,
    pub(crate) conv2: Linear,
    pub(crate) encoder: Blocks,
    pub(crate) ln_post: Norm,
    pub(crate) decoder: Blocks,
    pub(crate) ln: Norm,
    audio_positions: u16,
    text_positions: u16,
    embedding: u16,
    mel_filters: u16,
}

/// What a tensor's type may be.
#[derive(Clone, Copy)]
enum Kind {
    Linear,
    Conv,
    Embedding,
    Positions,
    Vector,
}

impl Kind {
    fn allows(self, dtype: DType) -> bool {
        match self {
            Self::Linear => dtype != DType::U8,
            Self::Conv | Self::Embedding => {
                matches!(dtype, DType::F32 | DType::F16 | DType::I8 | DType::I4)
            }
            Self::Positions => matches!(dtype, DType::F32 | DType::F16 | DType::I8),
            Self::Vector => dtype == DType::F32,
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Linear => "f32, f16, i8, i4, t4 or t5",
            Self::Conv | Self::Embedding => "f32, f16, i8 or i4",
            Self::Positions => "f32, f16 or i8",
            Self::Vector => "f32",
        }
    }
}

/// Finds tensors and checks their types and shapes.
struct Finder<'a> {
    container: Container<'a>,
}

impl Finder<'_> {
    fn tensor(&self, name: &str, kind: Kind, expected: [usize; 2]) -> Result<u16, ModelError> {
        let index = self.container.find(name)?;
        let entry = self.container.entry(index).ok_or(ContainerError::Missing(Name::new(name)))?;
        let form = entry.form();
        let shown = Name::new(name);
        if !kind.allows(form.dtype) {
            let (expected, found) = (kind.expected(), form.dtype);
            return Err(ContainerError::Type { name: shown, expected, found }.into());
        }
        // Vectors are stored as [n]; everything else is seen as a matrix.
        let found = [form.rows(), form.k().unwrap_or(0)];
        if found != expected {
            return Err(ModelError::Shape { name: shown, expected, found });
        }
        if matches!(kind, Kind::Conv) && !matches!(form.dimensions(), [_, 3, _]) {
            let field = "order of dimensions, expected [out, tap, in]";
            return Err(ContainerError::BadEntry { name: shown, field }.into());
        }
        match form.dtype {
            DType::I8 => drop(entry.int8()?),
            DType::T4 | DType::T5 => drop(entry.ternary()?),
            DType::I4 => drop(entry.int4()?),
            DType::F32 => drop(entry.f32()?),
            DType::F16 => drop(entry.f16()?),
            DType::U8 => {}
        }
        // A directory has at most 4096 entries.
        Ok(index as u16)
    }

    fn linear(
        &self,
        name: &str,
        kind: Kind,
        rows: usize,
        k: usize,
        bias: bool,
    ) -> Result<Linear, ModelError> {
        Ok(Linear {
            weight: self.tensor(&join(name, "weight"), kind, [rows, k])?,
            bias: if bias {
                Some(self.tensor(&join(name, "bias"), Kind::Vector, [rows, 1])?)
            } else {
                None
            },
        })
    }

    fn norm(&self, name: &str, d: usize) -> Result<Norm, ModelError> {
        Ok(Norm {
            gain: self.tensor(&join(name, "weight"), Kind::Vector, [d, 1])?,
            bias: self.tensor(&join(name, "bias"), Kind::Vector, [d, 1])?,
        })
    }

    fn attention(&self, name: &str, d: usize) -> Result<Attention, ModelError> {
        let linear = |part, bias| self.linear(&join(name, part), Kind::Linear, d, d, bias);
        Ok(Attention {
            query: linear("query", true)?,
            key: linear("key", false)?,
            value: linear("value", true)?,
            out: linear("out", true)?,
        })
    }

    fn blocks(&self, side: &str, count: u32, d: usize, cross: bool) -> Result<Blocks, ModelError> {
        let mut blocks = Blocks::new();
        for index in 0..count {
            let mut name = TensorName::new();
            // Cannot fail: the longest such name has 40 bytes.
            let _ = write!(name, "{side}.blocks.{index}");
            let part = |part| join(&name, part);
            let block = Block {
                attn_ln: self.norm(&part("attn_ln"), d)?,
                attn: self.attention(&part("attn"), d)?,
                cross: if cross {
                    let norm = self.norm(&part("cross_attn_ln"), d)?;
                    Some((norm, self.attention(&part("cross_attn"), d)?))
                } else {
                    None
                },
                mlp_ln: self.norm(&part("mlp_ln"), d)?,
                mlp_in: self.linear(&part("mlp.0"), Kind::Linear, 4 * d, d, true)?,
                mlp_out: self.linear(&part("mlp.2"), Kind::Linear, d, 4 * d, true)?,
            };
            // The configuration allows no more blocks than fit.
            let _ = blocks.push(block);
        }
        Ok(blocks)
    }
}

type TensorName = String<64>;

fn join(name: &str, part: &str) -> TensorName {
    let mut joined = TensorName::new();
    // Cannot fail: see `blocks`.
    let _ = write!(joined, "{name}.{part}");
    joined
}

const ALIGNMENT_HEADS: &str = "whisper.alignment_heads";

/// Pairs of u16.
fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u16; 2]> {
    let number = |low: u8, high: u8| u16::from_le_bytes([low, high]);
    bytes.chunks_exact(4).map(move |b| [number(b[0], b[1]), number(b[2], b[3])])
}

/// Whether the alignment heads, if there are any, are heads of the model.
fn check_heads(container: &Container<'_>, config: &Config) -> Result<(), ModelError> {
    let Ok(entry) = container.get(ALIGNMENT_HEADS) else { return Ok(()) };
    let bytes = entry.bytes()?;
    let exists = |[layer, head]: [u16; 2]| {
        u32::from(layer) < config.n_text_layer && u32::from(head) < config.n_text_head
    };
    let whole = !bytes.is_empty() && bytes.len().is_multiple_of(4);
    // No more than there are heads, so that the arena's size is bounded by the configuration.
    let most = config.n_text_layer as usize * config.n_text_head as usize;
    if whole && bytes.len() / 4 <= most && pairs(bytes).all(exists) {
        return Ok(());
    }
    let (name, field) = (Name::new(ALIGNMENT_HEADS), "list of decoder blocks and heads");
    Err(ContainerError::BadEntry { name, field }.into())
}

impl<'a> Model<'a> {
    /// Reads a model from the bytes of a `.trit` file, which must start at a multiple of 64.
    ///
    /// The configuration, the token table and the presence, type and shape of every tensor are
    /// checked; weights are not read ([`Container::verify`] does that).
    ///
    /// # Errors
    /// The first thing that is wrong, by name.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let container = Container::open(bytes)?;
        let config = Config::parse(container.get("whisper.config")?.bytes()?)?;
        let tokens = TokenTable::parse(container.get("whisper.tokens")?.bytes()?, config.vocab())?;
        let find = Finder { container };
        let (d, mels) = (config.state(), config.n_mels as usize);
        for list in ["whisper.suppress", "whisper.begin_suppress"] {
            if let Ok(entry) = container.get(list)
                && !entry.bytes()?.len().is_multiple_of(4)
            {
                let (name, field) = (Name::new(list), "length, not a multiple of 4");
                return Err(ContainerError::BadEntry { name, field }.into());
            }
        }
        check_heads(&container, &config)?;
        Ok(Self {
            container,
            config,
            tokens,
            conv1: find.linear("encoder.conv1", Kind::Conv, d, 3 * mels, true)?,
            conv2: find.linear("encoder.conv2", Kind::Conv, d, 3 * d, true)?,
            encoder: find.blocks("encoder", config.n_audio_layer, d, false)?,
            ln_post: find.norm("encoder.ln_post", d)?,
            decoder: find.blocks("decoder", config.n_text_layer, d, true)?,
            ln: find.norm("decoder.ln", d)?,
            audio_positions: find.tensor(
                "encoder.positional_embedding",
                Kind::Positions,
                [config.audio_ctx(), d],
            )?,
            text_positions: find.tensor(
                "decoder.positional_embedding",
                Kind::Positions,
                [config.text_ctx(), d],
            )?,
            embedding: find.tensor(
                "decoder.token_embedding.weight",
                Kind::Embedding,
                [config.vocab(), d],
            )?,
            mel_filters: find.tensor(
                "mel.filters",
                Kind::Vector,
                [mels, trit_core::reference::SPECTRUM_SIZE],
            )?,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The token table.
    pub fn tokens(&self) -> TokenTable<'a> {
        self.tokens
    }

    /// The container that the model lies in.
    pub fn container(&self) -> &Container<'a> {
        &self.container
    }

    /// Where in the file the weights are that a window's tokens do not need once it is encoded: the
    /// encoder's, and those that make keys and values of its output.
    ///
    /// ```
    /// use trit_whisper::{Model, embedded};
    ///
    /// let model = Model::parse(embedded::model())?;
    /// let encoding: usize = model.encoding_spans().map(|span| span.len()).sum();
    /// assert!(encoding > embedded::model().len() / 3 && encoding < embedded::model().len());
    /// # Ok::<(), trit_whisper::ModelError>(())
    /// ```
    pub fn encoding_spans(&self) -> impl Iterator<Item = Range<usize>> {
        let keys_and_values = (0..self.config.n_text_layer).flat_map(|block| {
            ["key", "value"].map(|part| {
                let mut name = TensorName::new();
                // Cannot fail: see `blocks`.
                let _ = write!(name, "decoder.blocks.{block}.cross_attn.{part}.");
                name
            })
        });
        let spans = keys_and_values.map(|name| self.container.span(&name));
        core::iter::once(self.container.span("encoder.")).chain(spans)
    }

    /// A text entry such as `meta.name`, if there is one.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        core::str::from_utf8(self.container.get(name).ok()?.bytes().ok()?).ok()
    }

    /// The token of a language such as `en`.
    ///
    /// # Errors
    /// The model knows one language only, or not this one.
    pub fn language(&self, code: &str) -> Result<u32, Error> {
        let mut shown = [0; 8];
        let len = code.len().min(8);
        shown[..len].copy_from_slice(&code.as_bytes()[..len]);
        let unknown = Error::Language(shown);
        if !self.config.is_multilingual() {
            return Err(unknown);
        }
        let first = self.config.language_first;
        (first..first + self.config.n_languages)
            .find(|&id| self.language_code(id) == Some(code))
            .ok_or(unknown)
    }

    /// The code of a language token.
    pub fn language_code(&self, id: u32) -> Option<&'a str> {
        let text = core::str::from_utf8(self.tokens.bytes(id)).ok()?;
        text.strip_prefix("<|")?.strip_suffix("|>")
    }

    /// The token ids of `whisper.suppress` or `whisper.begin_suppress`.
    pub(crate) fn ids(&self, list: &str) -> impl Iterator<Item = u32> + use<'a> {
        let bytes = self.container.get(list).and_then(|entry| entry.bytes()).unwrap_or_default();
        bytes.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]]))
    }

    /// Decoder blocks and heads whose attention over the audio tells when words are spoken: those of
    /// `whisper.alignment_heads`, or else all heads of the upper half of the blocks.
    pub fn alignment_heads(&self) -> impl Iterator<Item = [u16; 2]> + use<'a> {
        let listed = self.container.get(ALIGNMENT_HEADS).and_then(|entry| entry.bytes());
        let (layers, heads) = (self.config.n_text_layer, self.config.n_text_head);
        let upper = if listed.is_ok() { 0..0 } else { layers / 2 * heads..layers * heads };
        // A configuration has at most 48 blocks and 8192 heads.
        let upper = upper.map(move |index| [(index / heads) as u16, (index % heads) as u16]);
        pairs(listed.unwrap_or_default()).chain(upper)
    }

    /// Whether the file says which heads those are.
    pub(crate) fn lists_alignment_heads(&self) -> bool {
        self.container.get(ALIGNMENT_HEADS).is_ok()
    }

    /// The matrix at a directory index that parsing has checked.
    fn weights(&self, index: u16) -> Result<Weights<'a>, ModelError> {
        let entry = self.container.entry(index.into());
        let entry = entry.ok_or(ContainerError::Missing(Name::new("")))?;
        Ok(match entry.form().dtype {
            DType::T4 | DType::T5 => Weights::Ternary(entry.ternary()?),
            DType::I8 => Weights::Int8(entry.int8()?),
            DType::F16 => Weights::F16(entry.f16()?),
            DType::I4 => Weights::Int4(entry.int4()?),
            DType::F32 | DType::U8 => Weights::F32(entry.f32()?),
        })
    }

    fn vector(&self, index: u16) -> Result<&'a [f32], ModelError> {
        let entry = self.container.entry(index.into());
        Ok(entry.ok_or(ContainerError::Missing(Name::new("")))?.f32()?.values())
    }

    /// Weight and bias of a linear layer.
    pub(crate) fn linear(
        &self,
        linear: Linear,
    ) -> Result<(Weights<'a>, Option<&'a [f32]>), ModelError> {
        let bias = linear.bias.map(|index| self.vector(index)).transpose()?;
        Ok((self.weights(linear.weight)?, bias))
    }

    /// Whether all layers that take the encoder's output multiply integers.
    pub(crate) fn hears_integers(&self) -> bool {
        let cross = self.decoder.iter().filter_map(|block| block.cross.as_ref());
        let mut layers = cross.flat_map(|(_, attn)| [attn.key, attn.value]);
        layers.all(|layer| self.weights(layer.weight).is_ok_and(|weights| weights.is_integer()))
    }

    /// Gain and bias of a norm.
    pub(crate) fn norm(&self, norm: Norm) -> Result<(&'a [f32], &'a [f32]), ModelError> {
        Ok((self.vector(norm.gain)?, self.vector(norm.bias)?))
    }

    pub(crate) fn audio_positions(&self) -> Result<Weights<'a>, ModelError> {
        self.weights(self.audio_positions)
    }

    pub(crate) fn text_positions(&self) -> Result<Weights<'a>, ModelError> {
        self.weights(self.text_positions)
    }

    pub(crate) fn embedding(&self) -> Result<Weights<'a>, ModelError> {
        self.weights(self.embedding)
    }

    pub(crate) fn mel_filters(&self) -> Result<&'a [f32], ModelError> {
        self.vector(self.mel_filters)
    }
}
