//! All inline assembly: instructions that stable Rust has no intrinsics for, and inner loops whose
//! order matters.
//!
//! [`dot`](self::dot) wraps single instructions on NEON vectors, which the compiler places and
//! schedules like its own. [`neon`](self::neon) and [`dotprod`](self::dotprod) hold the loops over
//! ternary tiles that cores without out-of-order execution run most, and [`lines`](self::lines) those
//! that add up lines of tables. [`sve`](self::sve) holds whole loops, because an SVE vector has no size at compile time and so cannot be a value in Rust.

pub(super) mod dot;
pub(super) mod dotprod;
pub(super) mod lines;
pub(super) mod neon;
pub(super) mod sve;
