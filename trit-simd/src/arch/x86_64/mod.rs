//! x86-64.

mod avx2;
mod avx512_vnni;

pub(crate) use avx2::Avx2;
pub(crate) use avx512_vnni::Avx512Vnni;
