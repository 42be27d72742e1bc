//! One window at rising temperatures, until what is decoded can be believed, as in openai-whisper's
//! `decode_with_fallback`.

use super::deflate::Deflate;
use super::prompt::Prompt;
use super::sampling::{Random, probability};
use super::search::{Best, Machine, Search};
use crate::arena::Arena;
use crate::config::Config;
use crate::error::Error;
use crate::model::Model;
use crate::network::{MOST_ROWS, Row};
use crate::options::Options;

/// What decoding a window gave; its tokens are [`WindowDecoder::tokens`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decoded {
    /// Number of tokens, without the end.
    pub(crate) len: usize,
    /// Tokens decoded in all attempts.
    pub(crate) decoded: usize,
    pub(crate) avg_logprob: f32,
    pub(crate) no_speech_prob: f32,
    pub(crate) temperature: f32,
    pub(crate) compression_ratio: f32,
    pub(crate) silent: bool,
}

/// Decodes windows.
pub(crate) struct WindowDecoder<'a> {
    search: Search<'a>,
    deflate: Deflate<'a>,
}

impl<'a> WindowDecoder<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config, options: &Options<'_>) -> usize {
        Search::bytes(config, options) + Deflate::bytes(config)
    }

    /// Room to decode a window; `None` when the arena is too small.
    pub(crate) fn take(
        model: &Model<'_>,
        options: &Options<'_>,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        let search = Search::take(model, options, arena)?;
        Some(Self { search, deflate: Deflate::take(model.config(), arena)? })
    }

    /// The first `len` tokens decoded last, and their log probabilities.
    pub(crate) fn tokens(&self, len: usize) -> (&[u32], &[f32]) {
        self.search.best(len)
    }

    /// Decodes the window encoded last.
    pub(crate) fn run(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        prompt: Prompt<'_>,
        random: Random,
    ) -> Result<Decoded, Error> {
        let (config, options) = (machine.model.config(), machine.options);
        let no_speech_prob = feed_prompt(machine, prompt)?;
        let len = prompt.tokens.len();
        self.search.start(len);
        let mut decoded = Decoded {
            len: 0,
            decoded: 0,
            avg_logprob: 0.0,
            no_speech_prob,
            temperature: 0.0,
            compression_ratio: 0.0,
            silent: options.silent_at_once(config, no_speech_prob),
        };
        if decoded.silent {
            return Ok(decoded);
        }
        for (attempt, &temperature) in options.temperatures.iter().enumerate() {
            if attempt > 0
                && let Some(&token) = prompt.tokens.last()
            {
                // The rules have changed the logits that follow the prompt.
                machine.feed(&[Row { token, slot: 0, position: len - 1 }])?;
                machine.logits(0..1)?;
            }
            let best = self.search.run(machine, len, temperature, random.of(attempt))?;
            decoded = Decoded {
                temperature,
                decoded: decoded.decoded + best.decoded,
                ..self.judge(machine.model, &best, decoded)
            };
            if !options.needs_fallback(config, &decoded) {
                break;
            }
        }
        decoded.silent = options.is_silent(config, no_speech_prob, decoded.avg_logprob);
        Ok(decoded)
    }

    /// Mean log probability and compression ratio of an attempt.
    fn judge(&mut self, model: &Model<'_>, best: &Best, before: Decoded) -> Decoded {
        let table = model.tokens();
        let (tokens, _) = self.search.best(best.len);
        let text = tokens.iter().filter(|&&id| id < model.config().eot).map(|&id| table.bytes(id));
        Decoded {
            len: best.len,
            avg_logprob: best.sum / (best.len + 1) as f32,
            compression_ratio: self.deflate.ratio(text),
            ..before
        }
    }
}

/// Feeds the prompt to the first slot and computes the logits that follow it. Returns the probability
/// that there is no speech, which is that of `<|nospeech|>` after `<|startoftranscript|>`.
fn feed_prompt(machine: &mut Machine<'_, '_, '_>, prompt: Prompt<'_>) -> Result<f32, Error> {
    let no_speech = machine.model.config().no_speech;
    let mut no_speech_prob = 0.0;
    let last = prompt.tokens.len() - 1;
    for (chunk, tokens) in prompt.tokens.chunks(MOST_ROWS).enumerate() {
        let first = chunk * MOST_ROWS;
        let mut rows = heapless::Vec::<Row, MOST_ROWS>::new();
        rows.extend((first..).zip(tokens).map(|(position, &token)| Row {
            token,
            slot: 0,
            position,
        }));
        machine.feed(&rows)?;
        for at in [prompt.start, last] {
            if let Some(row) = at.checked_sub(first).filter(|&row| row < tokens.len()) {
                let logits = machine.logits(row..row + 1)?;
                if at == prompt.start {
                    no_speech_prob = probability(logits, no_speech);
                }
            }
            if prompt.start == last {
                break;
            }
        }
    }
    Ok(no_speech_prob)
}
