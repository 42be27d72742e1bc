//! From logits to tokens: how one window is decoded.

pub(crate) mod beam;
pub(crate) mod deflate;
mod huffman;
pub(crate) mod prompt;
#[cfg(all(test, feature = "std"))]
mod properties;
pub(crate) mod rules;
pub(crate) mod sampling;
pub(crate) mod search;
pub(crate) mod sequences;
pub(crate) mod window;

pub(crate) use trit_core::reference::math;

/// A logit that cannot be chosen.
pub(crate) const NEVER: f32 = f32::NEG_INFINITY;
