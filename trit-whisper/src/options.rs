//! How to transcribe.

use crate::cache::Precision;
use crate::config::Config;
use crate::error::Error;

/// How to transcribe. Names, defaults and meanings are openai-whisper's unless a field says
/// otherwise.
///
/// ```
/// use trit_whisper::Options;
///
/// let careful = Options { max_tokens: Some(64), suppress: &[13], ..Options::default() };
/// assert!(careful.timestamps);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options<'o> {
    /// The spoken language's token ([`Model::language`](crate::Model::language)); `None` detects it
    /// in the first window that holds speech.
    pub language: Option<u32>,
    /// Translate to English instead of transcribing.
    pub translate: bool,
    /// Decode timestamps, and so segments; without them a window is one segment.
    pub timestamps: bool,
    /// How attention keeps keys and values.
    pub precision: Precision,
    /// Token ids that are never chosen, besides special tokens and the model's own list.
    pub suppress: &'o [u32],
    /// Whether the model's own list of tokens that are never chosen counts: of OpenAI's models,
    /// signs that are not spoken.
    pub suppress_listed: bool,
    /// Whether a window may not begin with a blank or with its end.
    pub suppress_blank: bool,
    /// Most tokens of a window, timestamps included; never more than half of the decoder's
    /// positions, which is also what `None` stands for.
    pub max_tokens: Option<usize>,
    /// Latest timestamp that a window may begin with, in samples; `None` is the model's own, 1 s in
    /// Whisper.
    pub max_initial_timestamp: Option<usize>,
    /// A mean log probability below this is too low: the window is decoded anew at the next
    /// temperature, or is silent if its no-speech probability says so. −∞ switches the rule off.
    pub logprob_threshold: f32,
    /// A no-speech probability above this makes a window silent, if its mean log probability is too
    /// low too; `None` is the model's own threshold, 0.6 in Whisper, and 1 switches the rule off. A
    /// model may say that the probability alone decides.
    pub no_speech_threshold: Option<f32>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            language: None,
            translate: false,
            timestamps: true,
            precision: Precision::default(),
            suppress: &[],
            suppress_listed: true,
            suppress_blank: true,
            max_tokens: None,
            max_initial_timestamp: None,
            logprob_threshold: -1.0,
            no_speech_threshold: None,
        }
    }
}

impl Options<'_> {
    /// Whether a model of this configuration can follow them.
    pub(crate) fn check(&self, config: &Config) -> Result<(), Error> {
        let check = |option, valid: bool, expected| {
            if valid { Ok(()) } else { Err(Error::Option { option, expected }) }
        };
        if self.translate && !config.is_multilingual() {
            return Err(Error::Translate);
        }
        if let Some(token) = self.language
            && !config.is_language(token)
        {
            return Err(Error::LanguageToken(token));
        }
        check("max_tokens", self.max_tokens != Some(0), "1 or more")?;
        check("logprob_threshold", !self.logprob_threshold.is_nan(), "a number")?;
        let threshold = self.no_speech_threshold;
        check("no_speech_threshold", threshold.is_none_or(|p| !p.is_nan()), "a number")
    }

    /// Most tokens of a window.
    pub(crate) fn sample_len(&self, config: &Config) -> usize {
        config.sample_len().min(self.max_tokens.unwrap_or(usize::MAX))
    }

    /// Latest timestamp token that a window may begin with; it may be beyond the vocabulary.
    pub(crate) fn last_initial_timestamp(&self, config: &Config) -> u32 {
        let step = config.timestamp_step as usize;
        let steps = match self.max_initial_timestamp {
            None => config.max_initial_timestamp,
            // Rounded to the nearest step, as in Whisper.
            Some(samples) => {
                u32::try_from(samples.saturating_add(step / 2) / step).unwrap_or(u32::MAX)
            }
        };
        config.timestamp_first.saturating_add(steps)
    }

    /// Whether a window is silent.
    pub(crate) fn is_silent(&self, config: &Config, no_speech_prob: f32, avg_logprob: f32) -> bool {
        let believable = avg_logprob > self.logprob_threshold && self.logprob_threshold.is_finite();
        self.may_be_silent(config, no_speech_prob)
            && (config.no_speech_needs_low_logprob == 0 || !believable)
    }

    fn may_be_silent(&self, config: &Config, no_speech_prob: f32) -> bool {
        no_speech_prob > self.no_speech_threshold.unwrap_or(config.no_speech_threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_numbers_are_refused_by_name() {
        let refused = |options: Options<'_>, name: &str| match options.check(&Config::WHISPER) {
            Err(Error::Option { option, .. }) => assert_eq!(option, name),
            other => panic!("{name}: {other:?}"),
        };
        let good = Options::default();
        assert_eq!(good.check(&Config::WHISPER), Ok(()));
        refused(Options { max_tokens: Some(0), ..good }, "max_tokens");
        refused(Options { logprob_threshold: f32::NAN, ..good }, "logprob_threshold");
        refused(Options { no_speech_threshold: Some(f32::NAN), ..good }, "no_speech_threshold");
        let off = Options { logprob_threshold: f32::NEG_INFINITY, ..good };
        assert_eq!(off.check(&Config::WHISPER), Ok(()));
    }

    #[test]
    fn initial_timestamps_are_rounded_to_steps() {
        let config = Config { timestamp_first: 100, ..Config::WHISPER };
        let last = |samples| {
            let options = Options { max_initial_timestamp: samples, ..Options::default() };
            options.last_initial_timestamp(&config)
        };
        assert_eq!(last(None), 150);
        assert_eq!((last(Some(159)), last(Some(160)), last(Some(320))), (100, 101, 101));
        assert_eq!(last(Some(usize::MAX)), u32::MAX);
    }
}
