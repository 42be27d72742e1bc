//! Which language is spoken.

use crate::config::Config;
use crate::decode::sampling::Softmax;

/// The probability of each of a model's languages, which sum to 1.
///
/// ```
/// # use trit_whisper::convert::{ConvertOptions, convert};
/// # use trit_whisper::mmap::MappedFile;
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{MemoryPlan, Model, Options, Transcriber, import};
///
/// # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("dense.trit");
/// # let dense = import::open(&fixtures.join("dense"))?;
/// # convert(&*dense, &file, &ConvertOptions::default(), &mut |_, _| {})?;
/// let file = MappedFile::open(&file)?;
/// let model = Model::parse(&file)?;
/// # let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
/// # let (kernels, options) = (Kernels::new(&Cpu::detect()), Options::default());
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// let languages = transcriber.detect_language(&[0.0; 8_000])?;
/// let codes: Vec<_> = languages.iter().map(|(token, _)| model.language_code(token)).collect();
/// assert_eq!(codes, [Some("en"), Some("de")]);
///
/// let (token, probability) = languages.best();
/// assert!(model.config().is_language(token) && (0.5..=1.0).contains(&probability));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Languages<'t> {
    first: u32,
    probabilities: &'t [f32],
}

impl<'t> Languages<'t> {
    /// Turns the logits that follow `<|startoftranscript|>` into probabilities of languages, in
    /// place. As in Whisper the softmax is over language tokens alone.
    pub(crate) fn new(config: &Config, logits: &'t mut [f32]) -> Self {
        let first = config.language_first;
        let logits = logits.get_mut(first as usize..).unwrap_or_default();
        let count = logits.len().min(config.n_languages as usize);
        let logits = &mut logits[..count];
        if let Some(softmax) = Softmax::new(logits) {
            for logit in &mut *logits {
                *logit = softmax.probability(*logit);
            }
        }
        Self { first, probabilities: logits }
    }

    /// The token and probability of each language, in the order of tokens.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + use<'t> {
        (self.first..).zip(self.probabilities.iter().copied())
    }

    /// The likeliest language's token, and its probability.
    pub fn best(&self) -> (u32, f32) {
        let first = (self.first, self.probabilities.first().copied().unwrap_or(0.0));
        self.iter().fold(first, |best, next| if next.1 > best.1 { next } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tokens_take_no_part() {
        let config = Config { language_first: 2, n_languages: 3, ..Config::WHISPER };
        let mut logits = [9.0, 9.0, 1.0, 2.0, 1.0, 9.0];
        let languages = Languages::new(&config, &mut logits);
        let total: f32 = languages.iter().map(|(_, probability)| probability).sum();
        assert!((total - 1.0).abs() < 1e-6);
        let (token, probability) = languages.best();
        // e / (e + 2)
        assert!(token == 3 && (probability - 0.576_117).abs() < 1e-6);
        assert_eq!(languages.iter().map(|(token, _)| token).collect::<Vec<_>>(), [2, 3, 4]);
    }
}
