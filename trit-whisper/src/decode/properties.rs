//! What holds of a window's tokens and segments, whatever the logits.

use std::ops::Range;
use std::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::NEVER;
use super::rules::{Suppressed, apply_rules};
use super::sampling::largest;
use crate::config::Config;
use crate::segment::{Cutter, Segment, Span, Window};
use crate::words::{Spoken, Timing};
use crate::{Model, Options, embedded};

/// Tokens of the embedded model.
const VOCAB: usize = 120;

/// Steps of a window.
const STEPS: usize = 14;

/// Options that the rules and segments depend on.
#[derive(Debug, Clone)]
struct Given {
    timestamps: bool,
    suppress: Vec<u32>,
    suppress_blank: bool,
    repetition_penalty: f32,
    no_repeat_ngram: usize,
    max_initial_timestamp: Option<usize>,
    max_segment_chars: Option<usize>,
    split_on_word: bool,
}

impl Given {
    fn options(&self) -> Options<'_> {
        Options {
            timestamps: self.timestamps,
            suppress: &self.suppress,
            suppress_blank: self.suppress_blank,
            repetition_penalty: self.repetition_penalty,
            no_repeat_ngram: self.no_repeat_ngram,
            max_initial_timestamp: self.max_initial_timestamp,
            max_segment_chars: self.max_segment_chars,
            split_on_word: self.split_on_word,
            ..Options::default()
        }
    }
}

fn given() -> impl Strategy<Value = Given> {
    let rules = (
        prop::bool::weighted(0.8),
        prop::collection::vec(0..VOCAB as u32 + 9, 0..4),
        any::<bool>(),
        prop::sample::select(&[1.0, 0.5, 3.0][..]),
        0usize..4,
    );
    let segments = (prop::option::of(0usize..100_000), prop::option::of(1usize..9), any::<bool>());
    (rules, segments).prop_map(|(rules, segments)| Given {
        timestamps: rules.0,
        suppress: rules.1,
        suppress_blank: rules.2,
        repetition_penalty: rules.3,
        no_repeat_ngram: rules.4,
        max_initial_timestamp: segments.0,
        max_segment_chars: segments.1,
        split_on_word: segments.2,
    })
}

/// Logits of every step, and which of the tokens that may come is taken.
fn steps() -> impl Strategy<Value = (Vec<f32>, Vec<Index>)> {
    let logit = prop_oneof![9 => -12.0f32..12.0, 1 => Just(NEVER)];
    (prop::collection::vec(logit, VOCAB * STEPS), prop::collection::vec(any::<Index>(), 0..=STEPS))
}

/// The log of the sum of probabilities.
fn together(logits: &[f32]) -> f64 {
    logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln()
}

/// What may come after `sampled`, checked against the rules one by one.
fn allowed(
    model: &Model<'_>,
    options: &Options<'_>,
    suppressed: &Suppressed<'_>,
    sampled: &[u32],
    logits: &[f32],
) -> Vec<f32> {
    let config = model.config();
    let apply = |keep: Range<usize>| {
        let mut logits = logits.to_vec();
        logits
            .iter_mut()
            .enumerate()
            .filter(|(id, _)| !keep.contains(id))
            .for_each(|x| *x.1 = NEVER);
        apply_rules(model, options, suppressed, sampled, &mut logits);
        logits
    };
    let (first, eot) = (config.timestamp_first as usize, config.eot as usize);
    let found = apply(0..VOCAB);

    let listed = model.ids("whisper.suppress").chain(options.suppress.iter().copied());
    let begin = model.ids("whisper.begin_suppress").chain([config.eot]);
    let begin = begin.filter(|_| sampled.is_empty() && options.suppress_blank);
    let special = config.eot + 1..config.timestamp_first;
    for id in listed.chain(begin).chain(special) {
        assert!(found.get(id as usize).is_none_or(|&logit| logit == NEVER), "{id}");
    }
    if !options.timestamps {
        assert!(found[first..].iter().all(|&logit| logit == NEVER));
    }
    for (id, (&found, &logit)) in found.iter().zip(logits).enumerate() {
        let penalty = options.repetition_penalty;
        let said = id < eot && penalty != 1.0 && sampled.contains(&(id as u32));
        let logit = match said {
            false => logit,
            true if logit < 0.0 => logit * penalty,
            true => logit / penalty,
        };
        assert!(found == logit || found == NEVER, "{id}: {found} of {logit}");
    }
    // Timestamps and text each for themselves: together, text gives way where timestamps are likelier.
    let (text, stamps) = (apply(0..first), apply(first..VOCAB));
    let (best, all) = (f64::from(largest(&text[..first])), together(&stamps[first..]));
    assert_eq!(found[first..], stamps[first..]);
    if all > best + 1e-4 {
        assert!(found[..first].iter().all(|&logit| logit == NEVER), "{best} {all}");
    } else if all < best - 1e-4 {
        assert_eq!(found[..first], text[..first], "{best} {all}");
    }
    found
}

/// A window's tokens, each of which the rules allowed.
fn walk(model: &Model<'_>, options: &Options<'_>, logits: &[f32], taken: &[Index]) -> Vec<u32> {
    let mut bits = [0; VOCAB.div_ceil(32)];
    let suppressed = Suppressed::new(model, options, &mut bits);
    let mut tokens = Vec::new();
    for (logits, taken) in logits.chunks_exact(VOCAB).zip(taken) {
        let allowed = allowed(model, options, &suppressed, &tokens, logits);
        let may: Vec<_> = (0..VOCAB).filter(|&id| allowed[id] > NEVER).collect();
        if may.is_empty() {
            break;
        }
        let token = *taken.get(&may) as u32;
        if token == model.config().eot {
            break;
        }
        tokens.push(token);
    }
    tokens
}

/// Checks what a whole sequence keeps to.
fn check_tokens(config: &Config, options: &Options<'_>, tokens: &[u32]) {
    let is_stamp = |id: &u32| *id >= config.timestamp_first;
    assert!(tokens.iter().all(|id| *id < config.eot || is_stamp(id)), "{tokens:?}");
    if options.timestamps {
        if let Some(&first) = tokens.first() {
            assert!(
                (config.timestamp_first..=options.last_initial_timestamp(config)).contains(&first)
            );
        }
        let stamps: Vec<_> = tokens.iter().filter(|id| is_stamp(id)).collect();
        assert!(stamps.is_sorted(), "{tokens:?}");
        // Pairs, but for the first and perhaps the last, between which there is text.
        let runs: Vec<_> = tokens.chunk_by(|a, b| is_stamp(a) == is_stamp(b)).collect();
        for (at, run) in runs.iter().enumerate().filter(|(_, run)| is_stamp(&run[0])) {
            let inside = at > 0 && at + 1 < runs.len();
            assert!(if inside { run.len() == 2 } else { run.len() <= 2 }, "{tokens:?}");
            if at > 0 {
                assert!(
                    run[0] > runs[at - 2][runs[at - 2].len() - 1],
                    "no time passes: {tokens:?}"
                );
            }
        }
    }
    let n = options.no_repeat_ngram;
    for end in n..=tokens.len() {
        let last = &tokens[end - n..end];
        let again = n > 0 && tokens[..end - 1].windows(n).any(|earlier| earlier == last);
        assert!(!again || is_stamp(&last[n - 1]), "{n}: {tokens:?}");
    }
}

/// A window of these tokens.
fn window<'t>(place: Range<usize>, tokens: &'t [u32], logprobs: &'t [f32]) -> Window<'t> {
    Window {
        start: place.start,
        end: place.end,
        tokens,
        logprobs: &logprobs[..tokens.len()],
        avg_logprob: -0.5,
        no_speech_prob: 0.1,
        temperature: 0.0,
        compression_ratio: 1.0,
        silent: false,
    }
}

/// The window's segments, which lie in it.
fn spans(cutter: &Cutter<'_>, model: &Model<'_>, window: &Window<'_>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    cutter.cut(model.tokens(), window, &mut |span| spans.push(span));
    for span in &spans {
        assert!(window.start <= span.start && span.start < span.end && span.end <= window.end);
        assert!(span.tokens.start <= span.text.start && span.text.end <= span.tokens.end);
        assert!(window.tokens[span.text.clone()].iter().all(|&id| id < cutter.config.eot));
    }
    assert!(spans.windows(2).all(|pair| pair[0].tokens.end <= pair[1].tokens.start), "{spans:?}");
    spans
}

/// Words of a span: how many tokens each has at most, what is silent before it and how long it takes.
fn words(span: &Span, window: &Window<'_>, shapes: &[(u32, u64, u64)]) -> Vec<Timing> {
    let (mut from, to) = (span.text.start as u32, span.text.end as u32);
    let (mut last, most) = ((span.start - window.start) as u64, (span.end - window.start) as u64);
    let word = |&(tokens, silent, length): &(u32, u64, u64)| {
        let start = most.min(last + silent);
        let word = Timing {
            start,
            end: most.min(start + length),
            from,
            to: to.min(from + tokens),
            probability: 0.5,
            reserved: 0,
        };
        (from, last) = (word.to, word.end);
        (word.from < word.to).then_some(word)
    };
    shapes.iter().cycle().map_while(word).collect()
}

/// The parts that a segment is split into, which have all its tokens and lie in it and in order.
fn check_parts(cutter: &Cutter<'_>, whole: Segment<'_>) {
    let (mut tokens, mut logprobs, mut last) = (Vec::new(), Vec::new(), whole.start);
    // Where there are no moments but some that are as good as none, all parts take time.
    let mut times: Vec<_> = whole.words().flat_map(|word| [word.start, word.end]).collect();
    times.extend([whole.start, whole.end]);
    times.sort_unstable();
    let has_time = times.windows(2).all(|pair| pair[0] == pair[1] || pair[1] - pair[0] >= 3_000);
    cutter.split(whole, &mut |part| {
        assert!(last <= part.start && part.start <= part.end && part.end <= whole.end);
        assert!(part.start < part.end || !has_time, "{:?}", part.start..part.end);
        last = part.end;
        tokens.extend_from_slice(part.tokens);
        logprobs.extend_from_slice(part.logprobs);
        let chars: usize =
            part.text().map(|bytes| String::from_utf8_lossy(bytes).chars().count()).sum();
        let fits = cutter.options.max_segment_chars.is_none_or(|most| chars <= most);
        assert!(fits || part.tokens.len() == 1 || cutter.options.split_on_word);
    });
    assert_eq!((&tokens[..], &logprobs[..], last), (whole.tokens, whole.logprobs, whole.end));
}

proptest! {
    #[test]
    fn rules_and_segments_hold_for_any_logits(
        given in given(),
        (logits, taken) in steps(),
        place in (0usize..1 << 40, 1usize..100_000),
        over in prop::option::of(0usize..100_000),
        step in prop::sample::select(&[320u32, 1_600][..]),
    ) {
        let model = Model::parse(embedded::model()).unwrap();
        let (config, options) = (model.config(), given.options());
        let tokens = walk(&model, &options, &logits, &taken);
        check_tokens(config, &options, &tokens);

        let config = &Config { timestamp_step: step, ..*config };
        let cutter = Cutter { config, options: &options, over: over.map_or(usize::MAX, |over| place.0 + over) };
        let logprobs: Vec<f32> = (0..tokens.len()).map(|at| -(at as f32)).collect();
        let window = window(place.0..place.0 + place.1, &tokens, &logprobs);
        let spans = spans(&cutter, &model, &window);
        let apart = spans.windows(2).all(|pair| pair[0].end <= pair[1].start);
        prop_assert!(apart || place.1 < STEPS, "{:?}", spans);
        for span in &spans {
            check_parts(&cutter, window.segment(span, Spoken::default(), model.tokens()));
        }
        // No text is lost that has more to it than blanks, but for what follows the last pair of
        // timestamps without another: the next window begins with it, if there is one.
        let told = |at: &usize| spans.iter().any(|span| span.text.contains(at));
        let is_stamp = |at: usize| tokens[at] >= config.timestamp_first;
        let pair = (1..tokens.len()).rev().find(|&at| is_stamp(at - 1) && is_stamp(at));
        let open = tokens.last().is_some_and(|&id| id < config.eot);
        let is_next = |&at: &usize| {
            let samples = (tokens[at - 1] - config.timestamp_first) * step;
            over.is_none_or(|over| samples.max(step) < over as u32)
        };
        let done = pair.filter(|_| open).filter(is_next).unwrap_or(tokens.len());
        for at in (0..done).filter(|&at| tokens[at] < config.eot) {
            let blank = model.tokens().bytes(tokens[at]).trim_ascii().is_empty();
            prop_assert!(blank || told(&at), "{} of {:?}: {:?}", at, tokens, spans);
        }
    }

    /// Nor does a sequence that no rule allows break anything.
    #[test]
    fn any_tokens_have_segments_in_their_window(
        tokens in prop::collection::vec(0..VOCAB as u32, 0..STEPS),
        place in (0usize..1 << 40, 1usize..100_000),
        given in given(),
        shapes in prop::collection::vec((1u32..4, 0u64..9_000, 0u64..9_000), 1..5),
    ) {
        let model = Model::parse(embedded::model()).unwrap();
        let (config, options) = (model.config(), given.options());
        let cutter = Cutter { config, options: &options, over: usize::MAX };
        let logprobs = [-0.25; STEPS];
        let window = window(place.0..place.0 + place.1, &tokens, &logprobs);
        for span in &spans(&cutter, &model, &window) {
            check_parts(&cutter, window.segment(span, Spoken::default(), model.tokens()));
            let words = &words(span, &window, &shapes);
            let (text, first, origin) = (window.tokens, span.text.start, window.start);
            let spoken = Spoken { words, text, first, origin, bounds: None };
            check_parts(&cutter, window.segment(span, spoken, model.tokens()));
        }
    }
}
