//! AVX-512 with VNNI and VBMI (Ice Lake, Zen 4 and later): bytes looked up in tables of 128.
//!
//! | instruction | what for | Ice Lake | Zen 4, 5 |
//! |---|---|---|---|
//! | `vpermi2b zmm` | a byte's entry in a table of 128 | 3 µops, two on p5 | 1 µop |
//! | `vpmovb2m`, `vpblendmb` | the upper or the lower table | 1, p0; 1, p05 | 1 µop each |
//! | `vpcmpub` | the first digit | 1, p5 | 1 µop |
//! | `vpternlogd` | joining | 1, p05 | 1 µop |
//!
//! Products are those of [`avx512_vnni`](super::avx512_vnni). What VBMI adds is the rewriting of T5
//! as T4: a byte of five base-3 digits looks up four of them, packed in the bits where they will
//! stand, and two comparisons give the fifth. 80 inputs are 4 tiles of T5, with digits a to d, and
//! 5 of T4; nothing needs shifting:
//!
//! ```text
//! bits of a T4 byte    7 6    5 4    3 2    1 0
//! tile 0               a₃     a₂     a₁     a₀        looked up: a₁ a₂ a₃ a₄
//! tile 1               b₂     b₁     b₀     a₄                   b₁ b₂ b₃ b₄
//! tile 2               c₁     c₀     b₄     b₃                   c₁ c₂ c₃ c₄
//! tile 3               d₀     c₄     c₃     c₂                   d₁ d₂ d₃ d₄
//! tile 4               d₄     d₃     d₂     d₁        compared:  a₀ b₀ c₀ d₀
//! ```

use core::arch::x86_64::*;

use trit_core::layout::TILE_BYTES;
use trit_core::{Layout, TILE_ROWS};

use super::avx512_vnni::{GEMM_TILES, GEMV_TILES, dot, dot_i8};
use super::{dot_kernels, lanes};
use crate::arch::DotKernels;
use crate::cpu::Avx512Vbmi;

/// Digits 1 to 4 of every T5 byte, digit 1 at bit `first` and each next one two bits on, around.
const fn table(first: u32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut p = 1;
        while p < 5 {
            let code = Layout::T5.code(byte as u8, p);
            table[byte] |= code.rotate_left(first + 2 * (p as u32 - 1));
            p += 1;
        }
        byte += 1;
    }
    table
}

/// The tables of tiles a, b, c and d.
static TABLES: [[u8; 256]; 4] = [table(2), table(4), table(6), table(0)];

impl DotKernels for Avx512Vbmi {
    const GEMV_TILES: usize = GEMV_TILES;
    const GEMM_TILES: usize = GEMM_TILES;

    dot_kernels!("avx512f,avx512bw,avx512vnni", "avx512f,avx512bw,avx512vnni,avx2");

    #[inline(always)]
    fn t5_block_to_t4(self, t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
        lanes::prefetch(t5.map(core::ptr::from_ref), lanes::AHEAD);
        // SAFETY: the token proves the instructions.
        unsafe { t5_block_to_t4(t5, t4) }
    }
}

/// As `trit_core::layout::t5_block_to_t4`.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn t5_block_to_t4(t5: [&[u8; TILE_BYTES]; 4], t4: &mut [[u8; TILE_BYTES]; 5]) {
    let mut others = [_mm512_setzero_si512(); 4];
    let mut firsts = [_mm512_setzero_si512(); 4];
    for tile in 0..4 {
        let v = load(t5[tile]);
        let (tables, _) = TABLES[tile].as_chunks::<TILE_BYTES>();
        let lower = _mm512_permutex2var_epi8(load(&tables[0]), v, load(&tables[1]));
        let upper = _mm512_permutex2var_epi8(load(&tables[2]), v, load(&tables[3]));
        others[tile] = _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), lower, upper);
        // Digit 0 is 1 from 86 and 2 from 171 on; tile t has it at bit 2t.
        let one = _mm512_cmpgt_epu8_mask(v, _mm512_set1_epi8(85));
        let two = _mm512_cmpgt_epu8_mask(v, _mm512_set1_epi8(170u8 as i8));
        let first = _mm512_maskz_mov_epi8(one, _mm512_set1_epi8(1 << (2 * tile)));
        firsts[tile] = _mm512_mask_mov_epi8(first, two, _mm512_set1_epi8((2 << (2 * tile)) as i8));
    }
    let ([a, b, c, d], [a0, b0, c0, d0]) = (others, firsts);
    store(&mut t4[0], select(0xFC, a, a0));
    store(&mut t4[1], select(0xF0, b, select(0x03, a, b0)));
    store(&mut t4[2], select(0xC0, c, select(0x0F, b, c0)));
    store(&mut t4[3], select(0x3F, c, d0));
    store(&mut t4[4], d);
}

/// In every byte, the bits of `x` where `mask` has ones, and those of `y` elsewhere.
#[target_feature(enable = "avx512f")]
#[inline]
fn select(mask: u8, x: __m512i, y: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xCA>(_mm512_set1_epi8(mask as i8), x, y)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(bytes: &[u8; TILE_BYTES]) -> __m512i {
    // SAFETY: the reference leads to 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(bytes: &mut [u8; TILE_BYTES], v: __m512i) {
    // SAFETY: the reference leads to 64 bytes.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), v) };
}
