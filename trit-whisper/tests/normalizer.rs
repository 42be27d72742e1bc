//! The normalisers against openai-whisper's, on texts that `oracle/normalizer.py` put through them.

use proptest::prelude::*;
use trit_whisper::wer::{basic, english};

const FIXTURE: &str = include_str!("fixtures/normalizer.jsonl");

#[test]
fn texts_become_what_openai_whisper_makes_of_them() {
    let mut wrong = Vec::new();
    for line in FIXTURE.lines() {
        let [rules, text, expected]: [String; 3] = serde_json::from_str(line).unwrap();
        let found = match rules.as_str() {
            "english" => english(&text),
            "basic" => basic(&text),
            other => panic!("{other}"),
        };
        if found != expected {
            wrong.push(format!("{rules}: {text:?}\n  {found:?} is not\n  {expected:?}"));
        }
    }
    assert!(FIXTURE.lines().count() > 500);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

proptest! {
    #[test]
    fn any_text_becomes_words_between_single_spaces(
        text in r"\PC{0,40}",
        words in prop::collection::vec(
            prop::sample::select(vec![
                "one", "twenty", "hundred", "decillion", "decillionth", "first", "point", "and",
                "and a half", "double", "per", "cent", "minus", "dollars", "0", "007", "2.5", ".",
                "$", "99999999999999999999999999999999999999999",
            ]),
            0..12,
        ),
    ) {
        for text in [text, words.join(" ")] {
            for text in [english(&text), basic(&text)] {
                prop_assert_eq!(&text, &text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
}
