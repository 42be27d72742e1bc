//! From logits to tokens.

pub(crate) mod rules;
pub(crate) mod sampling;

pub(crate) use trit_core::reference::math;

/// A logit that cannot be chosen.
pub(crate) const NEVER: f32 = f32::NEG_INFINITY;
