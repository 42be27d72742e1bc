//! Ternary weights × int8 activations: GEMV and GEMM, any layout, any scales.

use core::ops::Range;

use trit_core::activations::BLOCK;
use trit_core::layout::{PLANE, TILE_BYTES};
use trit_core::{GroupSize, Layout, Scales, TILE_ROWS, TernaryMatrix};

use super::Input;
use crate::arch::Isa;

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − Σ q) + bias[n]`, as `trit_core::reference::ternary`, for T4.
#[inline(always)]
pub(crate) fn t4<I: Isa>(isa: I, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || product(isa, T4, w, input, y),
    );
}

/// As [`t4`], for T5: planes are decoded into plain codes.
#[inline(always)]
pub(crate) fn t5<I: Isa>(isa: I, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || product(isa, T5, w, input, y),
    );
}

/// How the codes of one layout meet activations.
trait Codes: Copy {
    /// `Σ c·q` over the inputs `inputs`, which start at a multiple of 32, for 16 rows and M tokens.
    /// `tiles` are the tiles of the row tile and `q` whole tokens, padding included.
    fn dot<I: Isa, const M: usize>(
        self,
        isa: I,
        tiles: &[u8],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M];
}

#[derive(Clone, Copy)]
struct T4;

impl Codes for T4 {
    #[inline(always)]
    fn dot<I: Isa, const M: usize>(
        self,
        isa: I,
        tiles: &[u8],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M] {
        const K: usize = Layout::T4.tile_k();
        let tiles = &tiles[inputs.start / K * TILE_BYTES..inputs.end.div_ceil(K) * TILE_BYTES];
        isa.dot_t4(tiles, q.map(|q| &q[inputs.start..]))
    }
}

#[derive(Clone, Copy)]
struct T5;

impl Codes for T5 {
    #[inline(always)]
    fn dot<I: Isa, const M: usize>(
        self,
        _isa: I,
        tiles: &[u8],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[i32; TILE_ROWS]; M] {
        // Tiles of 20 do not line up with groups, but planes of 4 do. |Σ| < 2²⁹ as for T4.
        let mut sums = [[0; TILE_ROWS]; M];
        for plane in inputs.start / PLANE..inputs.end.div_ceil(PLANE) {
            let (tile, p) = (plane / Layout::T5.planes(), plane % Layout::T5.planes());
            let bytes = &tiles[tile * TILE_BYTES..][..TILE_BYTES];
            let codes: [u8; TILE_BYTES] = core::array::from_fn(|at| Layout::T5.code(bytes[at], p));
            for (sums, q) in sums.iter_mut().zip(q) {
                let q = &q[plane * PLANE..][..PLANE];
                for (sum, codes) in sums.iter_mut().zip(codes.chunks_exact(PLANE)) {
                    for (&code, &q) in codes.iter().zip(q) {
                        *sum += i32::from(code) * i32::from(q);
                    }
                }
            }
        }
        sums
    }
}

/// Walks row tiles in the outer loop, so that weights stream through once, and tokens in blocks
/// that share unpacked weights.
#[inline(always)]
fn product<I: Isa, C: Codes>(
    isa: I,
    codes: C,
    w: &TernaryMatrix<'_>,
    input: &Input<'_>,
    y: &mut [f32],
) {
    let last_row = input.first_row + input.rows;
    let mut row = input.first_row;
    while row < last_row {
        let end = last_row.min((row / TILE_ROWS + 1) * TILE_ROWS);
        let tokens = input.x.tokens();
        let mut m = 0;
        while m < tokens {
            let left = tokens - m;
            // A constant for each instruction set, so one of the branches is compiled.
            m += if I::TOKENS == 8 && left >= 8 {
                block::<I, C, 8>(isa, codes, w, input, row..end, m, y)
            } else if left >= 4 {
                block::<I, C, 4>(isa, codes, w, input, row..end, m, y)
            } else {
                block::<I, C, 1>(isa, codes, w, input, row..end, m, y)
            };
        }
        row = end;
    }
}

/// The rows `rows`, all of one tile, of tokens `first .. first + M`; returns M.
#[inline(always)]
fn block<I: Isa, C: Codes, const M: usize>(
    isa: I,
    codes: C,
    w: &TernaryMatrix<'_>,
    input: &Input<'_>,
    rows: Range<usize>,
    first: usize,
    y: &mut [f32],
) -> usize {
    let (x, k) = (&input.x, w.k());
    let tile = rows.start / TILE_ROWS;
    let tile_bytes = k.div_ceil(w.layout().tile_k()) * TILE_BYTES;
    let tiles = &w.codes()[tile * tile_bytes..][..tile_bytes];
    let q: [&[i8]; M] = core::array::from_fn(|m| x.token(first + m));
    let part =
        [w.scales().group(), x.group()].into_iter().flatten().min().map_or(k, GroupSize::inputs);

    let mut acc = [[0.0f32; TILE_ROWS]; M];
    let mut start = 0;
    while start < k {
        let end = k.min(start + part);
        let dots = codes.dot(isa, tiles, start..end, q);
        let sw = row_scales(w, tile, start);
        for m in 0..M {
            let blocks = &x.block_sums(first + m)[start / BLOCK..end.div_ceil(BLOCK)];
            let sum: i32 = blocks.iter().sum();
            let sx = x.scales(first + m)[x.group().map_or(0, |group| start / group.inputs())];
            for r in 0..TILE_ROWS {
                acc[m][r] += (sx * sw[r]) * (dots[m][r] - sum) as f32;
            }
        }
        start = end;
    }
    for (m, acc) in acc.iter().enumerate() {
        let y = &mut y[(first + m) * input.rows..][..input.rows];
        for row in rows.clone() {
            y[row - input.first_row] = acc[row % TILE_ROWS] + input.bias(row);
        }
    }
    M
}

/// Scales of the 16 rows of `tile` at input `start`.
#[inline(always)]
fn row_scales(w: &TernaryMatrix<'_>, tile: usize, start: usize) -> [f32; TILE_ROWS] {
    let at = match w.scales() {
        Scales::Tensor(scale) => return [scale; TILE_ROWS],
        Scales::Row(values) => &values[tile * TILE_ROWS..],
        Scales::Group { size, values } => {
            &values[Scales::group_index(w.k(), size, tile * TILE_ROWS, start)..]
        }
    };
    core::array::from_fn(|r| at[r])
}
