//! 64-bit ARM.

mod neon;
