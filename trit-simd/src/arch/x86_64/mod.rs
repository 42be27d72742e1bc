//! x86-64.

mod avx2;
mod avx512_vbmi;
mod avx512_vnni;
mod avx_vnni;
mod lanes;
