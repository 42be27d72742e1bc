//! x86-64.

mod avx2;
mod avx512_vnni;
