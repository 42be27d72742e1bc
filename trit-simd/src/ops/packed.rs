//! The product of weights packed with 16 rows in lanes and int8 activations: GEMV and GEMM, for any
//! layout and any scales.

use core::ops::Range;

use trit_core::activations::BLOCK;
use trit_core::{GroupSize, Scales, TILE_ROWS};

use super::Input;
use crate::arch::{Isa, prefetch_output};

/// Weights in row tiles of 16 rows, stored as codes that exceed them by a constant.
pub(super) trait Packed {
    /// What a code exceeds its weight by.
    const OFFSET: i32;

    /// Whether row tiles are worth going through side by side for one token.
    const STREAMS: bool = true;

    /// What is kept from one product of R row tiles to the next.
    type Scratch<const R: usize>;

    fn scratch<const R: usize>(&self) -> Self::Scratch<R>;

    /// Inputs of a row.
    fn k(&self) -> usize;

    /// The scales of the weights.
    fn scales(&self) -> Scales<'_>;

    /// Row tiles that a block of tokens passes before the next block does: as many as stay in
    /// [`CACHE_BYTES`], or fewer.
    fn tiles_at_once(&self) -> usize;

    /// The codes of row tile `tile`.
    fn row_tile(&self, tile: usize) -> &[u8];

    /// `Σ c·q` over the inputs `inputs`, which start at a multiple of 32 and end at one or at k, for
    /// the 16 rows of each of the row tiles whose codes are `tiles` and M tokens. `q` are whole
    /// tokens, padding included.
    fn dot<I: Isa, const R: usize, const M: usize>(
        &self,
        isa: I,
        scratch: &mut Self::Scratch<R>,
        tiles: [&[u8]; R],
        inputs: Range<usize>,
        q: [&[i8]; M],
    ) -> [[[i32; TILE_ROWS]; M]; R];
}

/// How far to shift an input right for the index of its group; without groups, to 0.
#[inline(always)]
pub(super) fn shift(group: Option<GroupSize>) -> u32 {
    group.map_or(usize::BITS - 1, |group| group.inputs().trailing_zeros())
}

/// Scales of any granularity, 16 rows at a time.
pub(super) struct RowScales<'a> {
    /// The one scale of a matrix that has no other.
    tensor: [f32; TILE_ROWS],
    rows: &'a [[f32; TILE_ROWS]],
    /// Elements of `rows` that a row tile has.
    groups: usize,
    shift: u32,
}

impl<'a> RowScales<'a> {
    #[inline(always)]
    pub(super) fn new(scales: Scales<'a>, k: usize) -> Self {
        let (tensor, values, groups) = match scales {
            Scales::Tensor(scale) => (scale, &[][..], 0),
            Scales::Row(values) => (0.0, values, 1),
            Scales::Group { size, values } => (0.0, values, k.div_ceil(size.inputs())),
        };
        let (rows, shift) = (values.as_chunks().0, shift(scales.group()));
        Self { tensor: [tensor; TILE_ROWS], rows, groups, shift }
    }

    /// The scales of row tile `tile` at `input`.
    ///
    /// By value: a reference to either field would keep the compiler from vectorising its use.
    #[inline(always)]
    pub(super) fn at(&self, tile: usize, input: usize) -> [f32; TILE_ROWS] {
        match self.rows.get(tile * self.groups + (input >> self.shift)) {
            Some(scales) => *scales,
            None => self.tensor,
        }
    }
}

/// The most weights, and the most activations of a panel: both together stay in the second level of
/// cache, while a block of tokens and the row tiles that it meets stay in the first.
pub(super) const CACHE_BYTES: usize = 128 << 10;

/// The most tokens of a panel.
const PANEL_TOKENS: usize = 128;

/// Tokens that all weights pass by before the next ones come.
struct Panel {
    tokens: Range<usize>,
    /// Inputs that share a scale of both weights and activations.
    part: usize,
    /// What the codes' offset adds to a token's sums, if all inputs share a scale.
    offsets: [i32; PANEL_TOKENS],
}

impl Panel {
    /// The panel that starts with token `first`, of blocks of `block` tokens.
    #[inline(always)]
    fn new<W: Packed>(w: &W, input: &Input<'_>, first: usize, block: usize) -> Self {
        let (x, k) = (&input.x, w.k());
        let groups = [w.scales().group(), x.group()];
        let part = groups.into_iter().flatten().min().map_or(k, GroupSize::inputs);
        let most = (CACHE_BYTES / x.stride()).clamp(block, PANEL_TOKENS) / block * block;
        let tokens = first..x.tokens().min(first + most);
        let mut panel = Self { tokens, part, offsets: [0; PANEL_TOKENS] };
        if part >= k {
            for (offset, token) in panel.offsets.iter_mut().zip(panel.tokens.clone()) {
                *offset = W::OFFSET.wrapping_mul(total(x.block_sums(token)));
            }
        }
        panel
    }
}

/// The sum of block sums. Those of the values do not overflow; others, which nobody has checked, wrap.
#[inline(always)]
pub(super) fn total(block_sums: &[i32]) -> i32 {
    block_sums.iter().fold(0, |sum, &block| sum.wrapping_add(block))
}

/// `y[m, n] = Σ_g (sx·sw) · (Σ c·q − offset · Σ q) + bias[n]`, compiled for the instruction set.
///
/// Panels of tokens in the outer loop, so that a panel's activations stay in cache while the weights
/// pass by once; inside it some row tiles that stay in cache as well; inside them blocks of tokens
/// that share unpacked weights, and for each block the row tiles, as many side by side as the
/// instruction set has registers for, so that a token's outputs are written one after another.
#[inline(always)]
pub(super) fn product<I: Isa, W: Packed>(isa: I, w: &W, input: &Input<'_>, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            let scales = RowScales::new(w.scales(), w.k());
            let last_row = input.first_row + input.rows;
            let tiles = input.first_row / TILE_ROWS..last_row.div_ceil(TILE_ROWS);
            let mut first = 0;
            while first < input.x.tokens() {
                let panel = Panel::new(w, input, first, I::TOKENS);
                first = panel.tokens.end;
                let mut tokens = panel.tokens.clone();
                // Constants of the instruction set, so that only one of these is compiled.
                if I::TOKENS == 8 {
                    tokens = gemm::<I, W, 8>(isa, w, &scales, input, &tiles, &panel, tokens, y);
                } else if I::TOKENS == 6 {
                    tokens = gemm::<I, W, 6>(isa, w, &scales, input, &tiles, &panel, tokens, y);
                }
                tokens = gemm::<I, W, 4>(isa, w, &scales, input, &tiles, &panel, tokens, y);
                gemv(isa, w, &scales, input, &tiles, &panel, tokens, y);
            }
        },
    );
}

/// The tokens `tokens` of a panel in blocks of M, but for a rest of less than M, which it returns.
#[inline(always)]
fn gemm<I: Isa, W: Packed, const M: usize>(
    isa: I,
    w: &W,
    scales: &RowScales<'_>,
    input: &Input<'_>,
    tiles: &Range<usize>,
    panel: &Panel,
    tokens: Range<usize>,
    y: &mut [f32],
) -> Range<usize> {
    let whole = tokens.start + tokens.len() / M * M;
    let blocks = tokens.start..whole;
    if !blocks.is_empty() {
        let mut left = tiles.clone();
        if I::GEMM_TILES == 2 {
            left = streams::<I, W, 2, M>(isa, w, scales, input, left, panel, &blocks, y);
        }
        streams::<I, W, 1, M>(isa, w, scales, input, left, panel, &blocks, y);
    }
    whole..tokens.end
}

/// The tokens `tokens` of a panel one by one.
#[inline(always)]
fn gemv<I: Isa, W: Packed>(
    isa: I,
    w: &W,
    scales: &RowScales<'_>,
    input: &Input<'_>,
    tiles: &Range<usize>,
    panel: &Panel,
    tokens: Range<usize>,
    y: &mut [f32],
) {
    if !tokens.is_empty() {
        let mut left = tiles.clone();
        if W::STREAMS && I::GEMV_TILES == 4 {
            left = streams::<I, W, 4, 1>(isa, w, scales, input, left, panel, &tokens, y);
        } else if W::STREAMS && I::GEMV_TILES == 2 {
            left = streams::<I, W, 2, 1>(isa, w, scales, input, left, panel, &tokens, y);
        }
        streams::<I, W, 1, 1>(isa, w, scales, input, left, panel, &tokens, y);
    }
}

/// The row tiles `tiles` in R streams side by side, but for a rest of less than R, which it returns;
/// and whole blocks of M tokens.
///
/// For one token, where weights may come from memory, the streams lie a share of all row tiles apart:
/// each reads memory from beginning to end, which is what hardware fetches ahead best. For several
/// tokens they are neighbours, and so are their outputs.
#[inline(always)]
fn streams<I: Isa, W: Packed, const R: usize, const M: usize>(
    isa: I,
    w: &W,
    scales: &RowScales<'_>,
    input: &Input<'_>,
    tiles: Range<usize>,
    panel: &Panel,
    tokens: &Range<usize>,
    y: &mut [f32],
) -> Range<usize> {
    let mut scratch = w.scratch::<R>();
    let steps = tiles.len() / R;
    let [step, apart] = if M == 1 { [1, steps] } else { [R, 1] };
    let at_once = (w.tiles_at_once() / R).max(1);
    for some in (0..steps).step_by(at_once) {
        for first in tokens.clone().step_by(M) {
            for i in some..steps.min(some + at_once) {
                let mut at = [tiles.start + i * step; R];
                for r in 0..R {
                    at[r] += r * apart;
                }
                if M > 1 {
                    for m in 0..M {
                        for r in 0..R {
                            // A tile that begins before the first row has its outputs from there.
                            let row = (at[r] * TILE_ROWS).saturating_sub(input.first_row);
                            prefetch_output(&y[(first + m) * input.rows + row]);
                        }
                    }
                }
                let sums =
                    block::<I, W, R, M>(isa, w, scales, &mut scratch, input, at, panel, first);
                for m in 0..M {
                    for r in 0..R {
                        store(input, at[r], first + m, sums[r][m], y);
                    }
                }
            }
        }
    }
    tiles.start + R * steps..tiles.end
}

/// The bias of the rows of a tile, as [`Input::bias`] gives it.
#[inline(always)]
fn bias(input: &Input<'_>, tile: usize) -> [f32; TILE_ROWS] {
    let mut out = [-0.0; TILE_ROWS];
    if let Some(bias) = input.bias {
        let rows = &bias[tile * TILE_ROWS..];
        match rows.first_chunk() {
            Some(rows) => out = *rows,
            None => out[..rows.len()].copy_from_slice(rows),
        }
    }
    out
}

/// The sums of the row tiles `tiles` and tokens `first .. first + M`.
#[inline(always)]
fn block<I: Isa, W: Packed, const R: usize, const M: usize>(
    isa: I,
    w: &W,
    scales: &RowScales<'_>,
    scratch: &mut W::Scratch<R>,
    input: &Input<'_>,
    tiles: [usize; R],
    panel: &Panel,
    first: usize,
) -> [[[f32; TILE_ROWS]; M]; R] {
    let (x, k) = (&input.x, w.k());
    // All that does not depend on the group, which may be as short as two tiles.
    let (mut q, mut sx) = ([&[][..]; M], [&[][..]; M]);
    let (mut sums, mut offsets) = ([&[][..]; M], [0; M]);
    for m in 0..M {
        q[m] = x.token(first + m);
        sx[m] = x.scales(first + m);
        sums[m] = x.block_sums(first + m);
        offsets[m] = panel.offsets[first + m - panel.tokens.start];
    }
    let mut codes = [&[][..]; R];
    for r in 0..R {
        codes[r] = w.row_tile(tiles[r]);
    }
    let x_shift = shift(x.group());
    let mut acc = [[[0.0f32; TILE_ROWS]; M]; R];
    let mut start = 0;
    while start < k {
        let end = k.min(start + panel.part);
        let dots = w.dot(isa, scratch, codes, start..end, q);
        let mut sw = [[0.0; TILE_ROWS]; R];
        for r in 0..R {
            sw[r] = scales.at(tiles[r], start);
        }
        for m in 0..M {
            if panel.part < k {
                let blocks = &sums[m][start / BLOCK..end.div_ceil(BLOCK)];
                // That a group has no more says that there is little to vectorise.
                let blocks = &blocks[..blocks.len().min(GroupSize::G256.inputs() / BLOCK)];
                offsets[m] = W::OFFSET.wrapping_mul(total(blocks));
            }
            let sx = sx[m][start >> x_shift];
            for r in 0..R {
                acc[r][m] = accumulate(acc[r][m], dots[r][m], offsets[m], sw[r], sx);
            }
        }
        start = end;
    }
    acc
}

/// Adds one group of a token to 16 rows.
#[inline(always)]
fn accumulate(
    mut acc: [f32; TILE_ROWS],
    dots: [i32; TILE_ROWS],
    offset: i32,
    sw: [f32; TILE_ROWS],
    sx: f32,
) -> [f32; TILE_ROWS] {
    for r in 0..TILE_ROWS {
        acc[r] += (sx * sw[r]) * dots[r].wrapping_sub(offset) as f32;
    }
    acc
}

/// Writes the outputs of a row tile and a token, those of them that are asked for.
#[inline(always)]
fn store(input: &Input<'_>, tile: usize, token: usize, mut sums: [f32; TILE_ROWS], y: &mut [f32]) {
    let bias = bias(input, tile);
    for r in 0..TILE_ROWS {
        sums[r] += bias[r];
    }
    let start = input.first_row.max(tile * TILE_ROWS);
    let end = (input.first_row + input.rows).min((tile + 1) * TILE_ROWS);
    let y = &mut y[token * input.rows + start - input.first_row..][..end - start];
    match y.first_chunk_mut() {
        Some(y) => *y = sums,
        None => y.copy_from_slice(&sums[start % TILE_ROWS..][..end - start]),
    }
}

/// The inputs of M tokens from `start` on.
#[inline(always)]
pub(super) fn from<const M: usize>(mut q: [&[i8]; M], start: usize) -> [&[i8]; M] {
    for q in &mut q {
        *q = &q[start..];
    }
    q
}
