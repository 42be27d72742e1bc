//! All inline assembly: instructions that stable Rust has no intrinsics for.
//!
//! [`dot`](self::dot) wraps single instructions on NEON vectors, which the compiler places and
//! schedules like its own. [`sve`](self::sve) holds whole loops, because an SVE vector has no size
//! at compile time and so cannot be a value in Rust.

pub(super) mod dot;
pub(super) mod sve;
