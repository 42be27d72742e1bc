//! WebAssembly, 32-bit memory.

mod simd128;
