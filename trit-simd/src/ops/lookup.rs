//! Ternary weights × int8 activations of many tokens, without multiplying.
//!
//! A byte of T4 holds four trits of a row: the weights of inputs j, 4 + j, 8 + j and 12 + j of its
//! tile, a quad. There are 3⁴ = 81 such bytes. For a block of tokens, whatever the number of rows,
//! the sum of a quad's activations with each of the 81 signs is computed once; a row then adds one
//! vector of such sums for each of its bytes.
//!
//! ```text
//! activations of a block, transposed        table of a quad              a row's byte
//! q[j]      token 0, 1, 2 …                 −q[j]−q[4+j]−q[8+j]−q[12+j]   2-bit codes c3 c2 c1 c0
//! q[4+j]    token 0, 1, 2 …            ─►   +0   −q[4+j]−q[8+j]−q[12+j]   entry c0 + 3c1 + 9c2 + 27c3
//! q[8+j]    token 0, 1, 2 …                 +q[j]−q[4+j]−q[8+j]−q[12+j]   ─► added to the row's sums,
//! q[12+j]   token 0, 1, 2 …                 …                                token by token
//! ```
//!
//! An addition of i16 thus does the work of four multiplications and additions of int8. The tables
//! of a chunk of inputs lie in the first cache; sums and totals of a block of rows stream from the
//! second. All is plain Rust over arrays of tokens, which the compiler turns into vectors.
//!
//! Sums are of signed weights, so that nothing comes off for codes. Two rare inputs do not fit and
//! go to the other design: code 3, which no table has, and 256 activations of −128 in a row, whose
//! sum may be 2¹⁵. So do groups shorter than a chunk, 32 inputs where a chunk has 64.

use core::ops::Range;

use trit_core::activations::BLOCK;
use trit_core::layout::{PLANE, TILE_BYTES, row_tile_bytes};
use trit_core::{GroupSize, Layout, QuantizedActs, TILE_ROWS, TernaryMatrix};

use super::Input;
use super::packed::{RowScales, shift, total};
use super::ternary;
use crate::arch::{ENTRIES, Isa, Tables};

/// Trits of a byte, and activations of a quad.
const TRITS: usize = Layout::T4.planes();
const TILE_K: usize = Layout::T4.tile_k();

// A table has 81 entries, and room for every index that [`entry`] makes of any byte.
const _: () = assert!(entry(0xAA) == 80 && (entry(0xFF) as usize) < ENTRIES);

/// Inputs summed as i16, at most. Each adds ±128 at most, so that |Σ| ≤ 2¹⁵, and 2¹⁵ itself, which
/// an i16 does not hold, only if all of them are −128.
const SEGMENT: usize = 256;
const _: () = assert!(SEGMENT * 128 == 1 << 15);

/// Most inputs whose sum an f32 holds exactly, however it is added up: 128·2¹⁷ = 2²⁴.
const MAX_K: usize = 1 << 17;
const _: () = assert!(128 * MAX_K <= 1 << f32::MANTISSA_DIGITS);

/// Row tiles whose sums are kept at once: enough that making tables takes a tenth of the time.
const TILES: usize = 64;

/// On a cache line's boundary, so that no vector lies across two.
#[repr(C, align(64))]
struct Aligned<T>(T);

/// 264 KiB for 32 tokens and 8 quads, 336 KiB for 16.
struct Scratch<const B: usize, const Q: usize> {
    /// Of a chunk of Q quads: for each entry and quad, the sums of B tokens.
    tables: Aligned<Tables<B, Q>>,
    /// The entries of a chunk, by row.
    entries: [[[u8; Q]; TILE_ROWS]; TILES],
    /// `Σ w·q` of a segment, by row and token.
    sums: Aligned<[[[i16; B]; TILE_ROWS]; TILES]>,
    /// What goes into y: `Σ (sx·sw) · Σ w·q` over the groups, or `Σ w·q` where there are none.
    totals: Aligned<[[[f32; B]; TILE_ROWS]; TILES]>,
}

/// `y[m, n] = Σ_g (sx·sw) · Σ w·q + bias[n]`, as `trit_core::reference::ternary`, for T4.
///
/// `B` tokens are a block, `Q` quads a chunk: those of two tiles or four. What is left after whole
/// blocks is one more block if it has `LEAST` tokens, and else goes to [`ternary::t4`], as does all
/// that does not fit.
#[inline(always)]
pub(crate) fn t4<I: Isa, const B: usize, const Q: usize, const LEAST: usize>(
    isa: I,
    w: &TernaryMatrix<'_>,
    input: &Input<'_>,
    y: &mut [f32],
) {
    const { assert!(Q * TRITS == BLOCK || Q * TRITS == 2 * BLOCK) };
    const { assert!(LEAST <= B) };
    let tokens = input.x.tokens();
    let left = tokens % B;
    let mut done = if left < LEAST { tokens - left } else { tokens };
    isa.vectorize(
        #[inline(always)]
        || {
            if done > 0 && fits(w, input, Q * TRITS) {
                product::<I, B, Q>(isa, w, input, done, y);
            } else {
                done = 0;
            }
        },
    );
    if done < tokens {
        let rest = Input { x: input.x.slice(done..tokens), ..*input };
        ternary::t4(isa, w, &rest, &mut y[done * input.rows..]);
    }
}

/// The row tiles of a range of rows.
#[inline(always)]
fn row_tiles(input: &Input<'_>) -> Range<usize> {
    input.first_row / TILE_ROWS..(input.first_row + input.rows).div_ceil(TILE_ROWS)
}

/// The codes of row tiles.
#[inline(always)]
fn codes<'a>(w: &TernaryMatrix<'a>, tiles: Range<usize>) -> &'a [u8] {
    let bytes = row_tile_bytes(Layout::T4, w.k());
    &w.codes()[tiles.start * bytes..tiles.end * bytes]
}

/// Whether scales span a chunk of inputs, and all sums are exact: k within its bound, no code 3, and
/// no segment of a token that is −128 throughout.
#[inline(always)]
fn fits(w: &TernaryMatrix<'_>, input: &Input<'_>, chunk: usize) -> bool {
    let mut threes = [0; TILE_BYTES];
    for tile in codes(w, row_tiles(input)).as_chunks::<TILE_BYTES>().0 {
        for (threes, &byte) in threes.iter_mut().zip(tile) {
            *threes |= byte & (byte >> 1) & 0x55;
        }
    }
    let lowest = |token: usize| {
        let segments = input.x.block_sums(token).chunks_exact(SEGMENT / BLOCK);
        segments.map(total).any(|sum| sum == SEGMENT as i32 * -128)
    };
    group(w, &input.x).is_none_or(|group| group >= chunk)
        && w.k() <= MAX_K
        && threes == [0; TILE_BYTES]
        && !(0..input.x.tokens()).any(lowest)
}

/// The first `tokens` tokens.
#[inline(always)]
fn product<I: Isa, const B: usize, const Q: usize>(
    isa: I,
    w: &TernaryMatrix<'_>,
    input: &Input<'_>,
    tokens: usize,
    y: &mut [f32],
) {
    let mut scratch = Scratch::<B, Q> {
        tables: Aligned([[[0; B]; Q]; ENTRIES]),
        entries: [[[0; Q]; TILE_ROWS]; TILES],
        sums: Aligned([[[0; B]; TILE_ROWS]; TILES]),
        totals: Aligned([[[0.0; B]; TILE_ROWS]; TILES]),
    };
    let scales = RowScales::new(w.scales(), w.k());
    let tiles = row_tiles(input);
    // Parts of one size, as none is cheaper for being small.
    let part = tiles.len().div_ceil(tiles.len().div_ceil(TILES));
    for first in (0..tokens).step_by(B) {
        let block = first..tokens.min(first + B);
        for start in tiles.clone().step_by(part) {
            let tiles = start..tiles.end.min(start + part);
            fill(isa, w, &scales, input, tiles.clone(), block.clone(), &mut scratch);
            write(w, &scales, input, tiles, block.clone(), &scratch, y);
        }
    }
}

/// Inputs that share a scale of the weights and one of the activations, if not all do.
#[inline(always)]
fn group(w: &TernaryMatrix<'_>, x: &QuantizedActs<'_>) -> Option<usize> {
    let groups = [w.scales().group(), x.group()];
    groups.into_iter().flatten().min().map(GroupSize::inputs).filter(|&group| group < w.k())
}

/// The totals of the row tiles `tiles` and the tokens `block`.
#[inline(always)]
fn fill<I: Isa, const B: usize, const Q: usize>(
    isa: I,
    w: &TernaryMatrix<'_>,
    scales: &RowScales<'_>,
    input: &Input<'_>,
    tiles: Range<usize>,
    block: Range<usize>,
    scratch: &mut Scratch<B, Q>,
) {
    let (x, k, group) = (&input.x, w.k(), group(w, &input.x));
    let segment = group.map_or(SEGMENT, |group| group.min(SEGMENT));
    let x_shift = shift(x.group());
    let row_tile = row_tile_bytes(Layout::T4, k);
    let codes = codes(w, tiles.clone());
    let Scratch { tables, entries, sums, totals } = scratch;
    let (entries, sums) = (&mut entries[..tiles.len()], &mut sums.0[..tiles.len()]);
    for start in (0..k).step_by(segment) {
        let end = k.min(start + segment);
        for at in (start..end).step_by(Q * TRITS) {
            tabulate(&transpose::<B, Q>(x, block.clone(), at), &mut tables.0);
            let part = at / TILE_K * TILE_BYTES;
            let part = part..row_tile.min(part + Q / PLANE * TILE_BYTES);
            // Apart from the additions, which then follow each other without a pause.
            for (entries, codes) in entries.iter_mut().zip(codes.chunks_exact(row_tile)) {
                *entries = find(&codes[part.clone()]);
            }
            let (entries, sums) = (entries.as_flattened(), sums.as_flattened_mut());
            if at == start {
                isa.add_lines::<B, Q, true>(&tables.0, entries, sums);
            } else {
                isa.add_lines::<B, Q, false>(&tables.0, entries, sums);
            }
        }
        let mut sx = [1.0; B];
        if group.is_some() {
            for (sx, token) in sx.iter_mut().zip(block.clone()) {
                *sx = x.scales(token)[start >> x_shift];
            }
        }
        for (tile, (sums, totals)) in tiles.clone().zip(sums.iter().zip(&mut totals.0)) {
            let first = start == 0;
            if group.is_some() {
                let sw = scales.at(tile, start);
                fold(
                    sums,
                    totals,
                    first,
                    #[inline(always)]
                    |r, t| sx[t] * sw[r],
                );
            } else {
                fold(
                    sums,
                    totals,
                    first,
                    #[inline(always)]
                    |_, _| 1.0,
                );
            }
        }
    }
}

/// Activations of a chunk of quads and a block, tokens side by side.
type Acts<const B: usize, const Q: usize> = [[[i16; B]; TRITS]; Q];

/// The activations of a chunk of Q quads from input `at` on; tokens and inputs that are not there
/// are 0.
#[inline(always)]
fn transpose<const B: usize, const Q: usize>(
    x: &QuantizedActs<'_>,
    block: Range<usize>,
    at: usize,
) -> Acts<B, Q> {
    let mut words = [[0; B]; Q];
    for (t, token) in block.enumerate() {
        let fours = x.token(token)[at..].as_chunks::<PLANE>().0;
        for (words, four) in words.iter_mut().zip(fours) {
            words[t] = u32::from_le_bytes(four.map(|q| q as u8));
        }
    }
    let mut acts = [[[0; B]; TRITS]; Q];
    for input in 0..Q * TRITS {
        let up = 24 - input % PLANE * 8;
        let quad = input / TILE_K * PLANE + input % PLANE;
        let q = &mut acts[quad][input % TILE_K / PLANE];
        for t in 0..B {
            q[t] = ((words[input / PLANE][t] << up) as i32 >> 24) as i16;
        }
    }
    acts
}

/// Fills the tables of Q quads.
#[inline(always)]
fn tabulate<const B: usize, const Q: usize>(acts: &Acts<B, Q>, tables: &mut Tables<B, Q>) {
    for quad in 0..Q {
        let [q0, q1, q2, q3] = &acts[quad];
        for low in 0..9 {
            let mut nine = [0; B];
            for t in 0..B {
                nine[t] = (low as i16 % 3 - 1) * q0[t] + (low as i16 / 3 - 1) * q1[t];
            }
            for high in 0..9 {
                for t in 0..B {
                    tables[high * 9 + low][quad][t] =
                        nine[t] + (high as i16 % 3 - 1) * q2[t] + (high as i16 / 3 - 1) * q3[t];
                }
            }
        }
    }
}

/// The entry of a byte in its quad's table: `c0 + 3·c1 + 9·c2 + 27·c3`, at most 80 for trits.
#[inline(always)]
const fn entry(byte: u8) -> u8 {
    let nines = byte - ((byte >> 2) & 0x33);
    (nines & 0x0F) + (nines >> 4) + ((nines & 0xF0) >> 1)
}

/// The entries of each row's bytes in some tiles.
#[inline(always)]
fn find<const Q: usize>(tiles: &[u8]) -> [[u8; Q]; TILE_ROWS] {
    let mut entries = [[0; Q]; TILE_ROWS];
    for (tile, bytes) in tiles.as_chunks::<TILE_BYTES>().0.iter().enumerate() {
        let mut found = [0; TILE_BYTES];
        for (found, &byte) in found.iter_mut().zip(bytes) {
            *found = entry(byte);
        }
        for (entries, found) in entries.iter_mut().zip(found.as_chunks::<PLANE>().0) {
            entries[tile * PLANE..(tile + 1) * PLANE].copy_from_slice(found);
        }
    }
    entries
}

/// Adds a segment to the totals of 16 rows, or starts them with it, times the scale of each row and
/// token.
#[inline(always)]
fn fold<const B: usize>(
    sums: &[[i16; B]; TILE_ROWS],
    totals: &mut [[f32; B]; TILE_ROWS],
    first: bool,
    scale: impl Fn(usize, usize) -> f32,
) {
    for r in 0..TILE_ROWS {
        for t in 0..B {
            let total = if first { 0.0 } else { totals[r][t] };
            totals[r][t] = total + scale(r, t) * f32::from(sums[r][t]);
        }
    }
}

/// Writes the totals of the row tiles `tiles` and the tokens `block` to y, scaled where groups have
/// not been.
#[inline(always)]
fn write<const B: usize, const Q: usize>(
    w: &TernaryMatrix<'_>,
    scales: &RowScales<'_>,
    input: &Input<'_>,
    tiles: Range<usize>,
    block: Range<usize>,
    scratch: &Scratch<B, Q>,
    y: &mut [f32],
) {
    let grouped = group(w, &input.x).is_some();
    for (tile, totals) in tiles.zip(&scratch.totals.0) {
        let row = tile * TILE_ROWS;
        let rows = input.first_row.max(row)..(input.first_row + input.rows).min(row + TILE_ROWS);
        let mut bias = [-0.0; TILE_ROWS];
        for row in rows.clone() {
            bias[row % TILE_ROWS] = input.bias(row);
        }
        let sw = if grouped { [1.0; TILE_ROWS] } else { scales.at(tile, 0) };
        for (t, token) in block.clone().enumerate() {
            let sx = if grouped { 1.0 } else { input.x.scales(token)[0] };
            let mut line = [0.0; TILE_ROWS];
            for r in 0..TILE_ROWS {
                line[r] = (0.0 + (sx * sw[r]) * totals[r][t]) + bias[r];
            }
            let y = &mut y[token * input.rows + rows.start - input.first_row..][..rows.len()];
            match y.first_chunk_mut() {
                Some(y) => *y = line,
                None => y.copy_from_slice(&line[rows.start - row..rows.end - row]),
            }
        }
    }
}
