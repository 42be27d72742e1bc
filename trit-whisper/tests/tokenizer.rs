//! OpenAI's tokenizers, both ways, on texts in many scripts; `oracle/tokenizer.py` made the ids with
//! tiktoken.

use serde_json::Value;
use trit_whisper::Tokenizer;

const ORACLE: &str = include_str!("fixtures/tokenizer.json");

/// Bytes that the fixture writes as characters of Latin-1.
fn bytes(latin: &Value) -> Vec<u8> {
    latin.as_str().unwrap().chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn id(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn both_ways(name: &str) {
    let oracle: Value = serde_json::from_str(ORACLE).unwrap();
    let rows = oracle[name]["vocabulary"].as_array().unwrap();
    let vocabulary: Vec<(Vec<u8>, u32)> =
        rows.iter().map(|row| (bytes(&row[1]), id(&row[0]))).collect();
    let tokenizer = Tokenizer::of(vocabulary.iter().map(|(bytes, id)| (bytes.as_slice(), *id)));
    let texts = oracle["texts"].as_array().unwrap();
    let ids = oracle[name]["ids"].as_array().unwrap();
    assert!(texts.len() > 300 && texts.len() == ids.len());
    for (text, ids) in texts.iter().zip(ids) {
        let text = text.as_str().unwrap();
        let expected: Vec<u32> = ids.as_array().unwrap().iter().map(id).collect();
        assert_eq!(tokenizer.encode(text).unwrap(), expected, "{text:?}");
        let back = expected.iter().flat_map(|id| {
            let found = vocabulary.iter().find(|(_, other)| other == id);
            found.unwrap().0.iter().copied()
        });
        assert_eq!(back.collect::<Vec<_>>(), text.as_bytes(), "{text:?}");
    }
}

#[test]
fn english_models_tokens() {
    both_ways("gpt2");
}

#[test]
fn multilingual_models_tokens() {
    both_ways("multilingual");
}
