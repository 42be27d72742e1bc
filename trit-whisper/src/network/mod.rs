//! The network: log-mel in, logits out, in memory that is given to it.

mod cache;
mod decoder;
mod encoder;
mod features;
mod linear;
pub(crate) mod mel;
mod scratch;
mod split;

pub(crate) use cache::Cache;
pub use cache::Precision;
pub(crate) use decoder::{Decoder, MOST_ROWS, Row};
pub(crate) use encoder::Encoder;
pub(crate) use features::Features;
pub(crate) use linear::Compute;
pub(crate) use mel::{HOP, LogMel};
pub(crate) use scratch::Scratch;
