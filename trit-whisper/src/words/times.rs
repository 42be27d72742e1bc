//! When the words of a window are spoken.

use bytemuck::{Pod, Zeroable};
use heapless::Vec;

use super::align::{self, Aligner, Head};
use super::text::{Text, has_spaces};
use super::{Spoken, Timing, fit};
use crate::arena::{Arena, size};
use crate::config::Config;
use crate::decode::math;
use crate::decode::sampling::probability;
use crate::decode::search::Machine;
use crate::error::Error;
use crate::model::Model;
use crate::network::{HOP, MOST_ROWS, Row};
use crate::segment::{Cutter, Span, Window};

/// Samples of a frame that the decoder attends to, two of the log-mel's.
const FRAME: u64 = 2 * HOP as u64;

/// When tokens are spoken in a window, and how probable they are there.
///
/// ```
/// # use trit_simd::{Cpu, Kernels, parallel::Sequential};
/// # use trit_whisper::{AudioCtx, MemoryPlan, Model, Options, Tokenizer, Transcriber, audio, embedded};
/// # let model = Model::parse(embedded::model())?;
/// # // The first word, and a window no longer than that.
/// # let audio_ctx = AudioCtx::Positions(40.try_into()?);
/// # let options = Options { audio_ctx, words: true, ..Options::default() };
/// # let mut arena = vec![0; MemoryPlan::with_options(&model, 1, &options).total()];
/// # let kernels = Kernels::new(&Cpu::detect());
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// # let samples = &audio::read_file(&folder.join("samples/yes-no.flac"))?.samples[..12_800];
/// # let mut transcriber = Transcriber::new(&model, kernels, &Sequential, &mut arena, options)?;
/// let text = Tokenizer::of_model(&model).encode(" yes yes")?;
/// transcriber.encode(samples)?;
/// let alignment = transcriber.align(None, &text, samples.len())?.unwrap();
/// for (&token, start) in text.iter().zip(alignment.starts()) {
///     println!("{:?} from sample {start}", model.tokens().bytes(token));
/// }
/// // Two beginnings and the end of the last.
/// assert!(alignment.starts().count() == 3 && alignment.starts().is_sorted());
/// let [first, second] = alignment.probabilities() else { panic!("one for each token") };
/// assert!(first > second, "it was said once");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Alignment<'t> {
    first: &'t [u32],
    probabilities: &'t [f32],
}

impl<'t> Alignment<'t> {
    /// The sample, in the window, at which each token begins, and at last that at which all of them
    /// have ended; multiples of 20 ms.
    pub fn starts(&self) -> impl Iterator<Item = usize> + use<'t> {
        self.first.iter().map(|&frame| frame as usize * FRAME as usize)
    }

    /// The probability of each token among all text tokens after those before it, in 0..=1.
    pub fn probabilities(&self) -> &'t [f32] {
        self.probabilities
    }
}

/// A span of the window and its words.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Timed {
    start: u64,
    end: u64,
    /// Its text tokens in the window.
    from: u32,
    to: u32,
    /// The same with the timestamps around them.
    from_stamp: u32,
    to_stamp: u32,
    /// Its words.
    first_word: u32,
    last_word: u32,
}

impl Timed {
    /// A span without words.
    fn new(span: &Span) -> Self {
        Self {
            start: span.start as u64,
            end: span.end as u64,
            from: span.text.start as u32,
            to: span.text.end as u32,
            from_stamp: span.tokens.start as u32,
            to_stamp: span.tokens.end as u32,
            first_word: 0,
            last_word: 0,
        }
    }

    /// The span with the times that its words gave it.
    fn span(&self) -> Span {
        Span {
            start: self.start as usize,
            end: self.end as usize,
            text: self.from as usize..self.to as usize,
            tokens: self.from_stamp as usize..self.to_stamp as usize,
        }
    }
}

/// What timing a window's words gave.
pub(crate) struct Found {
    /// Number of spans.
    pub(crate) spans: usize,
    /// Samples to move on.
    pub(crate) advance: usize,
}

/// What text is aligned after: the start, language and task, and no timestamps.
fn prompt(machine: &Machine<'_, '_, '_>, language: Option<u32>) -> Vec<u32, 4> {
    let config = machine.model.config();
    let task = if machine.options.translate { config.translate } else { config.transcribe };
    let language = language.map(|language| [language, task]);
    let mut prompt = Vec::new();
    // Four at most.
    prompt.extend(
        [config.sot]
            .into_iter()
            .chain(language.into_iter().flatten())
            .chain([config.no_timestamps]),
    );
    prompt
}

/// Finds the times of words, window by window.
pub(crate) struct WordTimes<'a> {
    aligner: Aligner<'a>,
    /// Whether the model says which heads follow words. Of one that does not, timestamps are believed
    /// before words: segments keep their times, and their words lie in them.
    listed: bool,
    spans: &'a mut [Timed],
    /// Text tokens of all spans.
    text: &'a mut [u32],
    /// Their probabilities: where they were decoded, or as what text to align says.
    probabilities: &'a mut [f32],
    /// Their first frames, and the one after all.
    first: &'a mut [u32],
    words: &'a mut [Timing],
    lengths: &'a mut [u64],
    /// Where speech ended before this window.
    last_speech: u64,
}

impl<'a> WordTimes<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config, heads: usize) -> usize {
        let rows = align::rows(config);
        size::<Head>(heads)
            + Aligner::bytes(config, heads)
            + size::<Timed>(rows)
            + size::<u32>(rows)
            + size::<f32>(rows)
            + size::<u32>(rows)
            + size::<Timing>(rows)
            + size::<u64>(rows)
    }

    /// Room for the windows of a model; `None` when the arena is too small.
    pub(crate) fn take(model: &Model<'_>, arena: &mut Arena<'a>) -> Option<Self> {
        let config = model.config();
        let heads = arena.take::<Head>(model.alignment_heads().count())?;
        for (to, head) in heads.iter_mut().zip(model.alignment_heads()) {
            *to = head;
        }
        let rows = align::rows(config);
        Some(Self {
            aligner: Aligner::take(config, heads, arena)?,
            listed: model.lists_alignment_heads(),
            spans: arena.take(rows)?,
            text: arena.take(rows)?,
            probabilities: arena.take(rows)?,
            first: arena.take(rows)?,
            words: arena.take(rows)?,
            lengths: arena.take(rows)?,
            last_speech: 0,
        })
    }

    /// Forgets what was spoken before, at the beginning of other audio.
    pub(crate) fn start(&mut self) {
        self.last_speech = 0;
    }

    /// Times the words of a window that was decoded in `language`. A window with more text than an
    /// alignment has room for has no words.
    ///
    /// # Errors
    /// Unusable weights.
    pub(crate) fn find(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        cutter: &Cutter<'_>,
        window: &Window<'_>,
        language: Option<u32>,
    ) -> Result<Found, Error> {
        let model = machine.model;
        let (mut spans, mut len) = (0, 0);
        let moves = cutter.cut(model.tokens(), window, &mut |span| {
            let Some(to) = self.spans.get_mut(spans) else { return };
            let Some(text) = self.text.get_mut(len..len + span.text.len()) else { return };
            text.copy_from_slice(&window.tokens[span.text.clone()]);
            let logprobs = &window.logprobs[span.text.clone()];
            for (to, &logprob) in self.probabilities[len..].iter_mut().zip(logprobs) {
                *to = math::exp(logprob);
            }
            *to = Timed::new(&span);
            spans += 1;
            len += text.len();
        });
        let frames = (window.end - window.start) / FRAME as usize;
        let prompt = prompt(machine, language);
        if len == 0 || frames == 0 || prompt.len() + len >= align::rows(model.config()) {
            return Ok(Found { spans, advance: moves.samples });
        }
        self.align(machine, &prompt, len, frames, false)?;
        let code = language.and_then(|token| model.language_code(token));
        let text = Text { tokens: &self.text[..len], table: model.tokens() };
        let count = text.split(has_spaces(code), self.words);
        for word in &mut self.words[..count] {
            let tokens = word.tokens();
            let sum = self.probabilities[tokens.clone()].iter().fold(0.0, |sum, p| sum + p);
            word.probability = sum / tokens.len() as f32;
            word.start = window.start as u64 + FRAME * u64::from(self.first[tokens.start]);
            word.end = window.start as u64 + FRAME * u64::from(self.first[tokens.end]);
        }
        let found = &mut self.words[..count];
        let median = fit::median_length(found, self.lengths);
        fit::shorten_at_sentences(&text, found, median);
        text.merge_punctuation(found);
        let count = drop_empty(found);
        self.assign(spans, count, median);

        let end = self.words[..count].last().map(|word| word.end as usize);
        let end = end.filter(|&end| self.listed && end > window.start && !moves.is_over);
        let advance = end.map(|end| end - window.start);
        // Where no window would begin after the words, text that is left has one after the timestamps.
        let is_lost = |&samples: &usize| moves.leaves_text && cutter.is_over(window.start, samples);
        let advance = advance.filter(|samples| !is_lost(samples)).unwrap_or(moves.samples);
        Ok(Found { spans, advance })
    }

    /// Aligns `tokens` with the window encoded last, of `samples` samples: [`Alignment`]. `None` if there
    /// is nothing to align, more than there is room for, or a token that is not text.
    ///
    /// # Errors
    /// Unusable weights.
    pub(crate) fn align_text(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        language: Option<u32>,
        tokens: &[u32],
        samples: usize,
    ) -> Result<Option<Alignment<'_>>, Error> {
        let config = machine.model.config();
        let frames = samples.min(config.window()) / FRAME as usize;
        let len = tokens.len();
        let prompt = prompt(machine, language);
        let fits = len > 0 && frames > 0 && prompt.len() + len < align::rows(config);
        if !fits || tokens.iter().any(|&id| id >= config.eot) {
            return Ok(None);
        }
        self.text[..len].copy_from_slice(tokens);
        self.align(machine, &prompt, len, frames, true)?;
        let (first, probabilities) = (&self.first[..=len], &self.probabilities[..len]);
        Ok(Some(Alignment { first, probabilities }))
    }

    /// A span of the window timed last, and its words.
    pub(crate) fn span(&self, index: usize) -> (Span, Spoken<'_>) {
        let timed = &self.spans[index];
        let words = &self.words[timed.first_word as usize..timed.last_word as usize];
        let before = self.spans[..index].iter().map(|span| (span.to - span.from) as usize).sum();
        (timed.span(), Spoken { words, text: self.text, first: before, origin: 0, bounds: None })
    }

    /// Feeds the first `len` text tokens to the decoder once more, after a prompt that ends with
    /// `<|notimestamps|>`, and finds their first frames and, if they are `asked` for, the probabilities that
    /// they have there, each of which takes the head's whole product.
    fn align(
        &mut self,
        machine: &mut Machine<'_, '_, '_>,
        prompt: &[u32],
        len: usize,
        frames: usize,
        asked: bool,
    ) -> Result<(), Error> {
        let Machine { compute, model, decoder, scratch, .. } = machine;
        let eot = model.config().eot;
        let text = &self.text[..len];
        let sequence = || prompt.iter().chain(text).copied().chain([eot]);
        // The last of the prompt predicts the first of the text.
        let before = prompt.len() - 1;
        let total = prompt.len() + len + 1;
        for first in (0..total).step_by(MOST_ROWS) {
            let mut rows = Vec::<Row, MOST_ROWS>::new();
            let tokens = sequence().zip(0..).skip(first).take(MOST_ROWS);
            rows.extend(tokens.map(|(token, position)| Row { token, slot: 0, position }));
            let aligner = Some(&mut self.aligner);
            decoder.feed_recorded(compute, model, &rows, scratch, aligner)?;
            for (row, at) in rows.iter().enumerate() {
                let Some(index) = at.position.checked_sub(before) else { continue };
                if asked && index < len {
                    let logits = decoder.logits(compute, model, row..row + 1, scratch)?;
                    self.probabilities[index] = probability(&logits[..eot as usize], text[index]);
                }
            }
        }
        decoder.align(&mut self.aligner, before..total, frames, self.first);
        Ok(())
    }

    /// Gives each of the first `count` words to the span that its first token is in, and brings their
    /// times together.
    fn assign(&mut self, spans: usize, count: usize, median: u64) {
        // Where the segments so far end, and from where on later ones may begin.
        let (mut word, mut tokens) = (0, 0);
        let (mut told, mut floor) = (self.last_speech, self.last_speech);
        for span in &mut self.spans[..spans] {
            tokens += span.to - span.from;
            let first = word;
            while word < count && self.words[word].from < tokens {
                word += 1;
            }
            (span.first_word, span.last_word) = (first as u32, word as u32);
            let mut times = span.start..span.end;
            let words = &mut self.words[first..word];
            if self.listed {
                fit::fit_segment(&mut times, words, median, self.last_speech);
            } else {
                fit::fit_words(&times, words);
            }
            for word in &mut *words {
                (word.start, word.end) = (word.start.max(floor), word.end.max(floor));
            }
            times = times.start.max(floor)..times.end.max(floor);
            if times.start < times.end {
                (span.start, span.end) = (times.start, times.end);
            } else {
                // Words that all fall into one frame say less than the segment's own times, as far as the
                // words before leave them.
                (span.start, span.end) = (span.start.max(told), span.end.max(told));
                fit::fit_words(&(span.start..span.end), words);
                floor = span.end;
            }
            told = told.max(span.end);
            if !words.is_empty() {
                self.last_speech = span.end;
            }
        }
    }
}

/// Drops words without tokens and returns how many are left.
fn drop_empty(words: &mut [Timing]) -> usize {
    let mut count = 0;
    for at in 0..words.len() {
        if words[at].from < words[at].to {
            words[count] = words[at];
            count += 1;
        }
    }
    count
}
