//! WebAssembly, 32-bit memory.

mod codes;
mod simd128;
mod weights;
