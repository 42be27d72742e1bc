//! What a window's tokens follow: text before it, the start of transcript, a prefix.

use crate::arena::{Arena, size};
use crate::config::Config;
use crate::options::Options;

/// The prompt of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prompt<'p> {
    pub(crate) tokens: &'p [u32],
    /// Where `<|startoftranscript|>` is.
    pub(crate) start: usize,
}

/// Text before the window, as much as a prompt takes: half of the decoder's positions less one.
pub(crate) struct Context<'a> {
    /// The last tokens are the latest.
    tokens: &'a mut [u32],
    len: usize,
    prompt: &'a mut [u32],
}

const fn most_before(config: &Config) -> usize {
    (config.text_ctx() / 2).saturating_sub(1)
}

/// The last `most` of some tokens.
fn last(tokens: &[u32], most: usize) -> &[u32] {
    &tokens[tokens.len().saturating_sub(most)..]
}

/// The first `most` of some tokens.
fn first(tokens: &[u32], most: usize) -> &[u32] {
    &tokens[..tokens.len().min(most)]
}

impl<'a> Context<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(config: &Config) -> usize {
        size::<u32>(most_before(config)) + size::<u32>(config.text_ctx())
    }

    /// Room for a context and a prompt; `None` when the arena is too small.
    pub(crate) fn take(config: &Config, arena: &mut Arena<'a>) -> Option<Self> {
        let tokens = arena.take(most_before(config))?;
        Some(Self { tokens, len: 0, prompt: arena.take(config.text_ctx())? })
    }

    /// The text.
    #[cfg(feature = "std")]
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens[..self.len]
    }

    /// Forgets all text.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds text.
    pub(crate) fn push(&mut self, tokens: &[u32]) {
        let tokens = last(tokens, self.tokens.len());
        let kept = self.len.min(self.tokens.len() - tokens.len());
        self.tokens.copy_within(self.len - kept..self.len, 0);
        self.len = kept + tokens.len();
        self.tokens[kept..self.len].copy_from_slice(tokens);
    }

    /// The prompt of the next window; `is_first` if it is the first one.
    ///
    /// As in Whisper: the last `n_text_ctx / 2 − 1` tokens of the text before, the start of
    /// transcript, and at the first window the prefix. Hotwords come before the text, as in
    /// faster-whisper, and an initial prompt that is carried along is there too; the text has what
    /// they leave. A quarter of the decoder's positions stays free for the window's tokens: what does
    /// not fit gives way, first the text, then the prefix.
    pub(crate) fn prompt(
        &mut self,
        config: &Config,
        options: &Options<'_>,
        language: Option<u32>,
        is_first: bool,
    ) -> Prompt<'_> {
        let mut start = heapless::Vec::<u32, 4>::new();
        // Four at most, and a decoder has no fewer positions.
        let task = if options.translate { config.translate } else { config.transcribe };
        let of_language = language.map(|language| [language, task]);
        let no_timestamps = (!options.timestamps).then_some(config.no_timestamps);
        start.extend(
            [config.sot].into_iter().chain(of_language.into_iter().flatten()).chain(no_timestamps),
        );
        let most = most_before(config);
        let room = (config.text_ctx() / 4 * 3).saturating_sub(start.len());
        let prefix = if is_first { last(options.prefix, most.min(room)) } else { &[] };
        // One position is `<|startofprev|>`.
        let room = (room - prefix.len()).saturating_sub(1).min(most);
        let hotwords = if prefix.is_empty() { first(options.hotwords, room) } else { &[] };
        let room = room - hotwords.len();
        let carried = if options.carry_initial_prompt { options.initial_prompt } else { &[] };
        let carried = last(carried, room);
        let text = last(&self.tokens[..self.len], room - carried.len());

        let before = hotwords.len() + carried.len() + text.len();
        let previous: &[u32] = if before > 0 { &[config.sot_prev] } else { &[] };
        let mut len = 0;
        for part in [previous, hotwords, carried, text, &start, prefix] {
            self.prompt[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Prompt { tokens: &self.prompt[..len], start: previous.len() + before }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 24 positions, so 11 tokens of text before.
    const CONFIG: Config = Config {
        n_text_ctx: 24,
        sot: 101,
        transcribe: 105,
        translate: 104,
        sot_prev: 107,
        no_timestamps: 109,
        ..Config::WHISPER
    };

    fn with<R>(check: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let mut memory = vec![0; Context::bytes(&CONFIG) + 64];
        check(&mut Context::take(&CONFIG, &mut Arena::new(&mut memory)).unwrap())
    }

    fn range(from: u32, to: u32) -> Vec<u32> {
        (from..to).collect()
    }

    #[test]
    fn a_window_alone_begins_with_the_start() {
        with(|context| {
            let options = Options::default();
            let prompt = context.prompt(&CONFIG, &options, None, true);
            assert_eq!(prompt, Prompt { tokens: &[101], start: 0 });
            let options = Options { timestamps: false, translate: true, ..options };
            let prompt = context.prompt(&CONFIG, &options, Some(103), true);
            assert_eq!(prompt.tokens, [101, 103, 104, 109]);
        });
    }

    #[test]
    fn the_last_text_comes_before() {
        with(|context| {
            let options = Options::default();
            context.push(&[1, 2, 3]);
            let prompt = context.prompt(&CONFIG, &options, Some(103), false);
            assert_eq!(prompt, Prompt { tokens: &[107, 1, 2, 3, 101, 103, 105], start: 4 });
            context.push(&range(4, 14));
            let prompt = context.prompt(&CONFIG, &options, None, false);
            let expected = [&[107][..], &range(3, 14), &[101]].concat();
            assert_eq!(prompt, Prompt { tokens: &expected, start: 12 });
            context.push(&range(20, 50));
            let prompt = context.prompt(&CONFIG, &options, None, false);
            assert_eq!(prompt.tokens[1..12], range(39, 50));
            context.clear();
            assert_eq!(context.prompt(&CONFIG, &options, None, false).tokens, [101]);
        });
    }

    #[test]
    fn hotwords_and_carried_prompts_leave_the_rest_to_the_text() {
        with(|context| {
            context.push(&range(1, 12));
            let (hotwords, initial) = ([50, 51], [60, 61, 62]);
            let options =
                Options { hotwords: &hotwords, initial_prompt: &initial, ..Options::default() };
            let prompt = context.prompt(&CONFIG, &options, None, false);
            assert_eq!(prompt.tokens, [&[107, 50, 51][..], &range(3, 12), &[101]].concat());
            let carried = Options { carry_initial_prompt: true, ..options };
            let prompt = context.prompt(&CONFIG, &carried, None, false);
            let expected = [&[107, 50, 51, 60, 61, 62][..], &range(6, 12), &[101]].concat();
            assert_eq!(prompt.tokens, expected);
            // Without text before there is still what they say.
            context.clear();
            let prompt = context.prompt(&CONFIG, &options, None, false);
            assert_eq!(prompt, Prompt { tokens: &[107, 50, 51, 101], start: 3 });
            let many = range(50, 80);
            let options = Options { hotwords: &many, ..options };
            let prompt = context.prompt(&CONFIG, &options, None, false);
            assert_eq!(prompt.tokens, [&[107][..], &many[..11], &[101]].concat());
        });
    }

    #[test]
    fn a_prefix_is_for_the_first_window() {
        with(|context| {
            let prefix = range(200, 230);
            let options = Options { prefix: &prefix, hotwords: &[50], ..Options::default() };
            context.push(&range(1, 12));
            let prompt = context.prompt(&CONFIG, &options, None, true);
            // 18 of 24 positions: <|startofprev|>, 5 of text, <|startoftranscript|>, the last 11.
            assert_eq!(prompt.tokens.len(), 18);
            assert_eq!((prompt.start, &prompt.tokens[7..]), (6, &prefix[19..]));
            let prompt = context.prompt(&CONFIG, &options, Some(103), true);
            assert_eq!((prompt.tokens.len(), prompt.start), (18, 4));
            let prompt = context.prompt(&CONFIG, &options, None, false);
            assert_eq!(prompt.tokens.len(), 13);
        });
    }

    #[test]
    fn the_smallest_decoder_has_room_for_the_start() {
        let config = Config { n_text_ctx: 4, ..CONFIG };
        let mut memory = vec![0; Context::bytes(&config) + 64];
        let mut context = Context::take(&config, &mut Arena::new(&mut memory)).unwrap();
        context.push(&[1, 2, 3]);
        let options = Options { timestamps: false, prefix: &[5, 6], ..Options::default() };
        let prompt = context.prompt(&config, &options, Some(103), true);
        assert_eq!(prompt, Prompt { tokens: &[101, 103, 105, 109], start: 0 });
        let options = Options::default();
        let prompt = context.prompt(&config, &options, None, true);
        assert_eq!(prompt, Prompt { tokens: &[107, 3, 101], start: 2 });
    }

    proptest! {
        /// Whatever is asked for, a quarter of the positions stays free where there are enough for the
        /// start of transcript, and each part is the end of what was given, or the beginning of hotwords.
        #[test]
        fn prompts_leave_room_for_an_answer(
            n_text_ctx in 4u32..70,
            pushed in prop::collection::vec(0usize..40, 0..4),
            (hotwords, initial, prefix) in (0u32..80, 0u32..80, 0u32..80),
            (carry, timestamps, translate, is_first) in any::<(bool, bool, bool, bool)>(),
            language in prop::option::of(Just(103)),
        ) {
            let config = Config { n_text_ctx, ..CONFIG };
            let mut memory = std::vec![0; Context::bytes(&config) + 64];
            let mut context = Context::take(&config, &mut Arena::new(&mut memory)).unwrap();
            let mut said = std::vec::Vec::new();
            for len in pushed {
                let tokens = range(1_000 + said.len() as u32, (1_000 + said.len() + len) as u32);
                context.push(&tokens);
                said.extend(tokens);
            }
            prop_assert!(said.ends_with(context.tokens()));
            let hotwords = range(2_000, 2_000 + hotwords);
            let (initial, prefix) = (range(3_000, 3_000 + initial), range(4_000, 4_000 + prefix));
            let options = Options {
                hotwords: &hotwords,
                initial_prompt: &initial,
                carry_initial_prompt: carry,
                prefix: &prefix,
                timestamps,
                translate,
                ..Options::default()
            };
            let Prompt { tokens, start } = context.prompt(&config, &options, language, is_first);

            let ctx = n_text_ctx as usize;
            let part = |from: u32| -> std::vec::Vec<u32> {
                tokens.iter().copied().filter(|id| (from..from + 1_000).contains(id)).collect()
            };
            let starts = 1 + 2 * usize::from(language.is_some()) + usize::from(!timestamps);
            prop_assert!(tokens.len() <= (ctx / 4 * 3).max(starts) && tokens.len() <= ctx);
            prop_assert_eq!(tokens.iter().filter(|&&id| id == config.sot).count(), 1);
            prop_assert_eq!(tokens[start], config.sot);
            prop_assert_eq!(start > 0, tokens[0] == config.sot_prev);
            let before = part(1_000).len() + part(2_000).len() + part(3_000).len();
            prop_assert_eq!(start, before + usize::from(before > 0));
            prop_assert_eq!(tokens.len(), start + starts + part(4_000).len());
            prop_assert!(tokens.ends_with(&part(4_000)) && before < (ctx / 2).max(1));
            prop_assert!(said.ends_with(&part(1_000)) && hotwords.starts_with(&part(2_000)));
            prop_assert!(initial.ends_with(&part(3_000)) && prefix.ends_with(&part(4_000)));
            prop_assert!(carry || part(3_000).is_empty());
            prop_assert!(is_first || part(4_000).is_empty());
        }
    }
}
