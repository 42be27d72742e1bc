//! How to transcribe.

use crate::audio_ctx::AudioCtx;
use crate::config::Config;
use crate::decode::window::Decoded;
use crate::error::Error;
use crate::network::{MOST_ROWS, Precision};
use crate::vad::VadOptions;

/// How to transcribe. Names, defaults and meanings are openai-whisper's unless a field says
/// otherwise.
///
/// ```
/// use trit_whisper::Options;
///
/// let careful = Options { beam_size: 5, best_of: 5, seed: 7, ..Options::default() };
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
    /// Find the times of words ([`Segment::words`](crate::Segment::words)), for which each window's
    /// text is decoded once more. Segments then begin and end with their words.
    pub words: bool,
    /// Leave out stretches without speech; `None` decodes all audio. Not as in openai-whisper, whose
    /// windows follow one another.
    pub vad: Option<VadOptions>,
    /// How attention keeps keys and values.
    pub precision: Precision,
    /// How much of a window is encoded.
    pub audio_ctx: AudioCtx,
    /// Threads that decode, of all that encode; `None` takes them all. Decoding reads most weights
    /// once for each token, so that it may end at the memory before it ends at the cores.
    pub decoder_threads: Option<usize>,

    /// Temperatures to decode a window at, one after another until one gives what can be believed;
    /// the last is taken in any case. At 0 the likeliest tokens are taken, above it they are drawn.
    pub temperatures: &'o [f32],
    /// Sequences followed side by side at temperature 0; 1 takes the likeliest token at each step.
    /// At most [`MOST_SEQUENCES`](Self::MOST_SEQUENCES). openai-whisper's program follows 5; each takes a
    /// cache of keys and values.
    pub beam_size: usize,
    /// Beam search ends when `beam_size · patience` sequences have (rounded to the nearest).
    pub patience: f32,
    /// Sequences drawn side by side above temperature 0, of which the best is taken. At most
    /// [`MOST_SEQUENCES`](Self::MOST_SEQUENCES). openai-whisper's program draws 5; each takes a cache
    /// of keys and values.
    pub best_of: usize,
    /// Sequences are compared by their sum of log probabilities divided by their length, or with
    /// `Some(α)`, 0 to 1, by ((5 + length) / 6)^α.
    pub length_penalty: Option<f32>,
    /// Logits of text tokens that a window has already are divided by this if positive, else
    /// multiplied; 1 is no penalty. As in faster-whisper, but timestamps, which come in pairs, have
    /// none.
    pub repetition_penalty: f32,
    /// No text token may complete a sequence of so many tokens that the window has already; 0 allows
    /// any.
    pub no_repeat_ngram: usize,
    /// What random numbers depend on, together with the window, the attempt, the sequence and the
    /// token: the same text for the same seed on every machine and number of threads.
    pub seed: u64,

    /// Tokens before the first window, of which the last `n_text_ctx / 2 − 1` count.
    pub initial_prompt: &'o [u32],
    /// Whether the initial prompt comes before every window, and not only as long as it is part of
    /// the text before.
    pub carry_initial_prompt: bool,
    /// Tokens of words to listen for, before the text that precedes each window, unless there is a
    /// prefix (faster-whisper).
    pub hotwords: &'o [u32],
    /// Tokens that the first window begins with, and that its text does not repeat.
    pub prefix: &'o [u32],
    /// Whether the text of the windows before is part of each prompt, where the model has learnt to go
    /// on from it ([`Config::no_previous_text`]).
    pub condition_on_previous: bool,
    /// Text decoded at a higher temperature than this, and all before it, is in no prompt.
    pub prompt_reset_temperature: f32,

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

    /// Text that zlib makes shorter by more than this factor repeats itself: the window is decoded
    /// anew at the next temperature. ∞ switches the rule off.
    pub compression_ratio_threshold: f32,
    /// A mean log probability below this is too low: the window is decoded anew at the next
    /// temperature, or is silent if its no-speech probability says so. −∞ switches the rule off
    /// and lets the no-speech probability decide alone, as None does in openai-whisper. Below
    /// [`f32::MIN`] is nothing, and so nothing is silent.
    pub logprob_threshold: f32,
    /// A no-speech probability above this makes a window silent, if its mean log probability is too
    /// low too; `None` is the model's own threshold, 0.6 in Whisper, and 1 switches the rule off. A
    /// model may say that the probability alone decides.
    pub no_speech_threshold: Option<f32>,

    /// The first sample that is transcribed.
    pub offset: usize,
    /// How many samples are; `None` is all.
    pub duration: Option<usize>,
    /// Segments of more characters are cut into several, at tokens, with times in proportion to
    /// their characters (whisper.cpp's `-ml`).
    pub max_segment_chars: Option<usize>,
    /// Whether segments are cut only before tokens that begin a word with a blank (`-sow`).
    pub split_on_word: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            language: None,
            translate: false,
            timestamps: true,
            words: false,
            vad: Some(VadOptions::WHOLE),
            precision: Precision::default(),
            audio_ctx: AudioCtx::default(),
            decoder_threads: None,
            temperatures: &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            beam_size: 1,
            patience: 1.0,
            best_of: 1,
            length_penalty: None,
            repetition_penalty: 1.0,
            no_repeat_ngram: 0,
            seed: 0,
            initial_prompt: &[],
            carry_initial_prompt: false,
            hotwords: &[],
            prefix: &[],
            condition_on_previous: true,
            prompt_reset_temperature: 0.5,
            suppress: &[],
            suppress_listed: true,
            suppress_blank: true,
            max_tokens: None,
            max_initial_timestamp: None,
            compression_ratio_threshold: 2.4,
            logprob_threshold: -1.0,
            no_speech_threshold: None,
            offset: 0,
            duration: None,
            max_segment_chars: None,
            split_on_word: false,
        }
    }
}

impl Options<'_> {
    /// Most sequences that are decoded side by side.
    pub const MOST_SEQUENCES: usize = MOST_ROWS;

    /// Whether a model of this configuration can follow them.
    ///
    /// ```
    /// use trit_whisper::{Error, Model, Options, embedded};
    ///
    /// let model = Model::parse(embedded::model())?;
    /// assert_eq!(Options::default().check(model.config()), Ok(()));
    ///
    /// let wide = Options { beam_size: Options::MOST_SEQUENCES + 1, ..Options::default() };
    /// let error = wide.check(model.config()).unwrap_err();
    /// assert!(matches!(error, Error::Option { option: "beam_size", .. }));
    /// # Ok::<(), trit_whisper::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// The first option that has a value it cannot have, or that the model cannot follow.
    pub fn check(&self, config: &Config) -> Result<(), Error> {
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
        check("decoder_threads", self.decoder_threads != Some(0), "1 or more")?;
        let usable = |t: &f32| t.is_finite() && *t >= 0.0;
        let temperatures = !self.temperatures.is_empty() && self.temperatures.iter().all(usable);
        check("temperatures", temperatures, "one or more finite numbers from 0 on")?;
        let sequences = 1..=Self::MOST_SEQUENCES;
        check("beam_size", sequences.contains(&self.beam_size), "1 to 32")?;
        check("best_of", sequences.contains(&self.best_of), "1 to 32")?;
        let patience = self.patience.is_finite() && self.patience > 0.0;
        let expected = "a finite number above 0.5 divided by the number of beams";
        check("patience", patience && self.beam_candidates() > 0, expected)?;
        let alpha = self.length_penalty.is_none_or(|alpha| (0.0..=1.0).contains(&alpha));
        check("length_penalty", alpha, "0 to 1")?;
        let penalty = self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0;
        check("repetition_penalty", penalty, "a finite number above 0")?;
        for (option, tokens) in [
            ("initial_prompt", self.initial_prompt),
            ("hotwords", self.hotwords),
            ("prefix", self.prefix),
            ("suppress", self.suppress),
        ] {
            let known = tokens.iter().all(|&id| id < config.n_vocab);
            check(option, known, "ids of the model's tokens")?;
        }
        let reset = self.prompt_reset_temperature;
        check("prompt_reset_temperature", !reset.is_nan(), "a number")?;
        if let Some(vad) = &self.vad {
            vad.check()?;
        }
        check("max_tokens", self.max_tokens != Some(0), "1 or more")?;
        let ratio = self.compression_ratio_threshold;
        check("compression_ratio_threshold", !ratio.is_nan(), "a number")?;
        check("logprob_threshold", !self.logprob_threshold.is_nan(), "a number")?;
        let threshold = self.no_speech_threshold;
        check("no_speech_threshold", threshold.is_none_or(|p| !p.is_nan()), "a number")?;
        check("max_segment_chars", self.max_segment_chars != Some(0), "1 or more")
    }

    /// Sequences that are decoded side by side at most.
    pub(crate) fn slots(&self) -> usize {
        let draws = self.temperatures.iter().any(|&temperature| temperature > 0.0);
        let slots = if draws { self.beam_size.max(self.best_of) } else { self.beam_size };
        slots.clamp(1, Self::MOST_SEQUENCES)
    }

    /// Sequences that end beam search when they have ended. Rounded to the nearest, to even if there
    /// are two, as in Python.
    pub(crate) fn beam_candidates(&self) -> usize {
        libm::rintf(self.beam_size as f32 * self.patience) as usize
    }

    /// Threads that decode, where there are so many in all.
    pub(crate) fn decoder_threads(&self, all: usize) -> usize {
        self.decoder_threads.unwrap_or(all).clamp(1, all.max(1))
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
            // Rounded to the nearest step, to even if there are two, as in Python.
            Some(samples) => {
                let (whole, rest) = (samples / step, samples % step);
                let up = 2 * rest > step || (2 * rest == step && whole % 2 == 1);
                u32::try_from(whole + usize::from(up)).unwrap_or(u32::MAX)
            }
        };
        config.timestamp_first.saturating_add(steps)
    }

    /// Whether a window is to be decoded anew at the next temperature.
    pub(crate) fn needs_fallback(&self, config: &Config, decoded: &Decoded) -> bool {
        let Decoded { avg_logprob, no_speech_prob, compression_ratio, .. } = *decoded;
        let too_low = avg_logprob < self.logprob_threshold;
        let silent = self.may_be_silent(config, no_speech_prob) && too_low;
        !silent && (too_low || compression_ratio > self.compression_ratio_threshold)
    }

    /// Whether a window is silent.
    pub(crate) fn is_silent(&self, config: &Config, no_speech_prob: f32, avg_logprob: f32) -> bool {
        let believable =
            avg_logprob > self.logprob_threshold && self.logprob_threshold > f32::NEG_INFINITY;
        self.may_be_silent(config, no_speech_prob)
            && (config.no_speech_needs_low_logprob == 0 || !believable)
    }

    /// Whether a window is silent whatever is decoded there.
    pub(crate) fn silent_at_once(&self, config: &Config, no_speech_prob: f32) -> bool {
        config.no_speech_needs_low_logprob == 0 && self.may_be_silent(config, no_speech_prob)
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
        for temperatures in [&[][..], &[f32::NAN], &[0.0, -0.1], &[f32::INFINITY]] {
            refused(Options { temperatures, ..good }, "temperatures");
        }
        for count in [0, 33, usize::MAX] {
            refused(Options { beam_size: count, ..good }, "beam_size");
            refused(Options { best_of: count, ..good }, "best_of");
        }
        for patience in [0.0, 0.1, -1.0, f32::NAN, f32::INFINITY] {
            refused(Options { patience, ..good }, "patience");
        }
        for penalty in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            refused(Options { repetition_penalty: penalty, ..good }, "repetition_penalty");
        }
        for alpha in [-0.1, 1.1, f32::NAN] {
            refused(Options { length_penalty: Some(alpha), ..good }, "length_penalty");
        }
        refused(Options { prefix: &[0], ..good }, "prefix");
        refused(Options { hotwords: &[0], ..good }, "hotwords");
        refused(Options { suppress: &[u32::MAX], ..good }, "suppress");
        refused(Options { initial_prompt: &[0], ..good }, "initial_prompt");
        refused(
            Options { compression_ratio_threshold: f32::NAN, ..good },
            "compression_ratio_threshold",
        );
        refused(Options { prompt_reset_temperature: f32::NAN, ..good }, "prompt_reset_temperature");
        refused(Options { max_segment_chars: Some(0), ..good }, "max_segment_chars");
        assert_eq!(good.check(&Config::WHISPER), Ok(()));
        refused(Options { max_tokens: Some(0), ..good }, "max_tokens");
        refused(Options { decoder_threads: Some(0), ..good }, "decoder_threads");
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
        assert_eq!((last(Some(159)), last(Some(161)), last(Some(320))), (100, 101, 101));
        assert_eq!((last(Some(160)), last(Some(480)), last(Some(800))), (100, 102, 102));
        assert_eq!(last(Some(usize::MAX)), u32::MAX);
    }

    #[test]
    fn beams_and_samples_share_slots() {
        let good = Options::default();
        assert_eq!(good.slots(), 1);
        assert_eq!(Options { beam_size: 5, best_of: 3, ..good }.slots(), 5);
        assert_eq!(Options { beam_size: 2, best_of: 3, ..good }.slots(), 3);
        // Nothing is drawn at temperature 0.
        assert_eq!(Options { best_of: 3, temperatures: &[0.0], ..good }.slots(), 1);
        let candidates =
            |beam_size, patience| Options { beam_size, patience, ..good }.beam_candidates();
        assert_eq!((candidates(5, 1.0), candidates(5, 2.0)), (5, 10));
        assert_eq!((candidates(1, 2.5), candidates(1, 3.5)), (2, 4));
    }

    #[test]
    fn what_cannot_be_believed_is_decoded_anew() {
        let (config, options) = (Config { ..Config::WHISPER }, Options::default());
        let decoded = |avg_logprob, no_speech_prob, compression_ratio| Decoded {
            len: 0,
            decoded: 0,
            avg_logprob,
            no_speech_prob,
            temperature: 0.0,
            compression_ratio,
            silent: false,
        };
        let again = |decoded| options.needs_fallback(&config, &decoded);
        assert!(!again(decoded(-0.5, 0.1, 2.0)) && !again(decoded(-1.0, 0.1, 2.4)));
        assert!(again(decoded(-0.5, 0.1, 2.5)) && again(decoded(-1.1, 0.1, 1.0)));
        // Silence is, and so is repetition that is believed to be speech.
        assert!(!again(decoded(-1.1, 0.7, 9.0)) && again(decoded(-0.5, 0.7, 9.0)));
        assert!(options.is_silent(&config, 0.7, -1.1) && !options.is_silent(&config, 0.7, -0.9));
        assert!(!options.is_silent(&config, 0.6, -9.0));
        let off = Options { logprob_threshold: f32::NEG_INFINITY, ..options };
        assert!(off.is_silent(&config, 0.7, -0.1));
        // Nothing is below the least number.
        let least = Options { logprob_threshold: f32::MIN, ..options };
        assert!(
            !least.is_silent(&config, 1.0, -9e9)
                && !least.needs_fallback(&config, &decoded(-9e9, 0.1, 1.0))
        );
        let config = Config { no_speech_needs_low_logprob: 0, ..config };
        assert!(options.is_silent(&config, 0.7, -0.1) && options.silent_at_once(&config, 0.7));
    }
}
