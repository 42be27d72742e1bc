//! What the tests of several files here read.

use serde_json::Value;

pub(super) use crate::tokens::testing::table;

/// Counts in a list of the fixture.
pub(super) fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}
