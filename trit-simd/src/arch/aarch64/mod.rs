//! 64-bit ARM.

mod neon;

pub(crate) use neon::Neon;
