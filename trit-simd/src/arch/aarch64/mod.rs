//! 64-bit ARM.

mod asm;
mod codes;
mod dotprod;
mod i8mm;
mod lines;
#[cfg(trit_mca)]
mod mca;
mod neon;
#[cfg(feature = "probe")]
mod probe;
mod sve;
mod weights;
