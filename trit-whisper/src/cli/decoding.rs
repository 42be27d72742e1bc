//! How to decode: the options that say so, and what they mean to a model.

use regex::Regex;
use trit_whisper::{Model, Options, Tokenizer};

use super::Failure;
use super::values::{self, TokenIds};

/// Options about decoding; names and defaults are openai-whisper's, unless one says otherwise.
#[derive(clap::Args)]
pub(crate) struct DecodingOptions {
    /// Temperatures to decode at, one after another, until the text can be believed
    #[arg(long, value_name = "T,…", value_parser = values::temperature, value_delimiter = ',',
          default_value = "0,0.2,0.4,0.6,0.8,1", help_heading = HEADING)]
    temperature: Vec<f32>,
    /// Sequences followed side by side at temperature 0; openai-whisper follows 5
    #[arg(long, value_name = "N", value_parser = values::whole(1..=Options::MOST_SEQUENCES),
          default_value_t = 1, help_heading = HEADING)]
    beam_size: usize,
    /// Beam search ends after so many times as many sequences as there are beams
    #[arg(long, value_name = "X", value_parser = values::factor, default_value_t = 1.0,
          help_heading = HEADING)]
    patience: f32,
    /// Sequences drawn above temperature 0, of which the best is taken; openai-whisper draws 5
    #[arg(long, value_name = "N", value_parser = values::whole(1..=Options::MOST_SEQUENCES),
          default_value_t = 1, help_heading = HEADING)]
    best_of: usize,
    /// Compare sequences by this power of their length, 0 to 1, instead of their length
    #[arg(long, value_name = "X", value_parser = values::fraction, help_heading = HEADING)]
    length_penalty: Option<f32>,
    /// Make text that was said already less likely; 1 does not
    #[arg(long, value_name = "X", value_parser = values::factor, default_value_t = 1.0,
          help_heading = HEADING)]
    repetition_penalty: f32,
    /// Never say the same N tokens twice in a window; 0 allows it
    #[arg(long, value_name = "N", value_parser = values::whole(0..=usize::MAX), default_value_t = 0,
          help_heading = HEADING)]
    no_repeat_ngram_size: usize,
    /// What random numbers depend on: the same text for the same seed everywhere
    #[arg(long, value_name = "N", value_parser = values::whole(0..=u64::MAX), default_value_t = 0,
          help_heading = HEADING)]
    seed: u64,
    /// Text before the first window, such as names in it
    #[arg(long, value_name = "TEXT", help_heading = HEADING)]
    initial_prompt: Option<String>,
    /// Put the initial prompt before every window
    #[arg(long, requires = "initial_prompt", help_heading = HEADING)]
    carry_initial_prompt: bool,
    /// Words to listen for in every window
    #[arg(long, value_name = "TEXT", conflicts_with = "prefix", help_heading = HEADING)]
    hotwords: Option<String>,
    /// Text that the first window begins with, which is not part of the transcript
    #[arg(long, value_name = "TEXT", help_heading = HEADING)]
    prefix: Option<String>,
    /// Do not show the model the text of the windows before
    #[arg(long, help_heading = HEADING)]
    no_context: bool,
    /// Token ids never to say; -1 stands for the model's own list, and nothing for none
    #[arg(long, value_name = "ID,…", allow_hyphen_values = true, default_value = "-1",
          help_heading = HEADING)]
    suppress_tokens: TokenIds,
    /// Never say tokens that this regular expression matches a part of
    #[arg(long, value_name = "REGEX", value_parser = values::regex, help_heading = HEADING)]
    suppress_regex: Option<Regex>,
    /// Let windows begin with a blank or with their end
    #[arg(long, help_heading = HEADING)]
    allow_blank: bool,
    /// Most tokens of a window
    #[arg(long, value_name = "N", value_parser = values::whole(1..=usize::MAX),
          help_heading = HEADING)]
    max_tokens: Option<usize>,
    /// Latest second at which a window may begin to speak
    #[arg(long, value_name = "SECONDS", value_parser = values::samples, help_heading = HEADING)]
    max_initial_timestamp: Option<usize>,
    /// Text that zlib makes shorter by more than this factor is decoded anew
    #[arg(long, value_name = "X", value_parser = values::threshold, default_value_t = 2.4,
          allow_hyphen_values = true, help_heading = HEADING)]
    compression_ratio_threshold: f32,
    /// Text whose mean log probability is below this is decoded anew; with `-inf` none is, nor is any
    /// improbable enough to be silent
    #[arg(long, value_name = "X", value_parser = values::threshold, default_value_t = -1.0,
          allow_hyphen_values = true, help_heading = HEADING)]
    logprob_threshold: f32,
    /// Windows whose probability of no speech is above this, and whose text is improbable, are silent;
    /// the model's own if not given
    #[arg(long, value_name = "P", value_parser = values::threshold, allow_hyphen_values = true,
          help_heading = HEADING)]
    no_speech_threshold: Option<f32>,
}

impl DecodingOptions {
    /// Whether the first window is to begin with a text.
    pub(super) fn has_prefix(&self) -> bool {
        self.prefix.is_some()
    }
}

/// What help shows them under.
pub(super) const HEADING: &str = "Decoding";

/// The options as tokens of a model.
pub(crate) struct Decoding<'d> {
    options: &'d DecodingOptions,
    initial_prompt: Vec<u32>,
    hotwords: Vec<u32>,
    prefix: Vec<u32>,
    suppress: Vec<u32>,
}

impl<'d> Decoding<'d> {
    /// Looks up what the options say of text and tokens.
    pub(crate) fn new(options: &'d DecodingOptions, model: &Model<'_>) -> Result<Self, Failure> {
        let encode = |name: &str, text: &Option<String>| -> Result<Vec<u32>, Failure> {
            let text = text.as_deref().unwrap_or_default().trim();
            if text.is_empty() {
                return Ok(Vec::new());
            }
            let text = format!(" {text}");
            let ids = Tokenizer::of_model(model).encode(&text);
            ids.map_err(|error| Failure::Usage(format!("--{name}: {error}")))
        };
        let mut suppress = Vec::new();
        let tokens = model.config().n_vocab;
        for &id in options.suppress_tokens.0.iter().filter(|&&id| id != -1) {
            let known = u32::try_from(id).ok().filter(|&id| id < tokens);
            suppress.push(known.ok_or_else(|| {
                let last = tokens.saturating_sub(1);
                Failure::Usage(format!(
                    "--suppress-tokens: {id} is no token of the model, which has 0 to {last}"
                ))
            })?);
        }
        if let Some(pattern) = &options.suppress_regex {
            let matches = |&id: &u32| {
                std::str::from_utf8(model.tokens().bytes(id))
                    .is_ok_and(|text| pattern.is_match(text))
            };
            suppress.extend((0..model.config().eot).filter(matches));
        }
        Ok(Self {
            options,
            initial_prompt: encode("initial-prompt", &options.initial_prompt)?,
            hotwords: encode("hotwords", &options.hotwords)?,
            prefix: encode("prefix", &options.prefix)?,
            suppress,
        })
    }

    /// The same for a transcription; what is not about decoding is as by default.
    pub(crate) fn options(&self) -> Options<'_> {
        let options = self.options;
        Options {
            temperatures: &options.temperature,
            beam_size: options.beam_size,
            patience: options.patience,
            best_of: options.best_of,
            length_penalty: options.length_penalty,
            repetition_penalty: options.repetition_penalty,
            no_repeat_ngram: options.no_repeat_ngram_size,
            seed: options.seed,
            initial_prompt: &self.initial_prompt,
            carry_initial_prompt: options.carry_initial_prompt,
            hotwords: &self.hotwords,
            prefix: &self.prefix,
            condition_on_previous: !options.no_context,
            suppress: &self.suppress,
            suppress_listed: options.suppress_tokens.0.contains(&-1),
            suppress_blank: !options.allow_blank,
            max_tokens: options.max_tokens,
            max_initial_timestamp: options.max_initial_timestamp,
            compression_ratio_threshold: options.compression_ratio_threshold,
            // Nothing is below −∞, as in openai-whisper; to the library it stands for no threshold.
            logprob_threshold: options.logprob_threshold.max(f32::MIN),
            no_speech_threshold: options.no_speech_threshold,
            ..Options::default()
        }
    }
}
