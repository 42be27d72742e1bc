//! What the tests of several files here read.

use serde_json::Value;

/// Counts in a list of the fixture.
pub(super) fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

/// A token table of these bytes.
pub(super) fn table(tokens: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = (tokens.len() as u32).to_le_bytes().to_vec();
    let mut offset = 0u32;
    bytes.extend(offset.to_le_bytes());
    for token in tokens {
        offset += token.len() as u32;
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend(tokens.concat());
    bytes
}
