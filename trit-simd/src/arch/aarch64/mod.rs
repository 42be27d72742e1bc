//! 64-bit ARM.

mod asm;
mod codes;
mod dotprod;
mod i8mm;
mod neon;
mod sve;
