//! Attention over keys and values in 7 bits, and storing them: blocks of queries share each tile of
//! codes, and only a block's scores are ever in memory.

use core::array;

use trit_core::heads::{BLOCK, MOST, OFFSET, Side, TILE};
use trit_core::layout::PLANE;
use trit_core::reference::{LANES, LEAST_WEIGHT, math};
use trit_core::{HeadShape, Heads, HeadsMut, QuantizeError};

use super::{Lanes, load, total};
use crate::arch::{CodeDot, Token};

/// Queries that share each tile.
pub(crate) const QUERIES: usize = 8;

/// Adding 1.5·2²³ to |x| < 2²² rounds it half to even and leaves the integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Bits of infinity: |x| with bits at or above is not finite.
const INFINITY_BITS: u32 = 0x7F80_0000;

/// Floats of scratch for attention over the positions of `shape`.
pub const fn scratch_len(shape: &HeadShape) -> usize {
    QUERIES * Layout::new(shape).each
}

/// What a query takes of the scratch.
#[derive(Clone, Copy)]
struct Layout {
    positions: usize,
    blocks: usize,
    width: usize,
    /// Floats for all of it.
    each: usize,
}

impl Layout {
    const fn new(shape: &HeadShape) -> Self {
        let (positions, width) = (shape.padded_positions(), shape.padded_width());
        let blocks = positions.div_ceil(BLOCK);
        // Scores, then weights; weights as int8; a scale and a sum for each block; the query as int8.
        let each = positions + positions / 4 + 2 * blocks + width / 4;
        Self { positions, blocks, width, each }
    }
}

/// Scratch of a block of queries, cut up.
struct Scratch<'a> {
    /// `[QUERIES, positions]`.
    weights: &'a mut [f32],
    /// `[QUERIES, positions]`, zero beyond the context up to a whole tile.
    codes: &'a mut [i8],
    /// `[QUERIES, blocks]`: what one of the codes stands for.
    scales: &'a mut [f32],
    /// `[QUERIES, blocks]`: Σ of the codes.
    sums: &'a mut [i32],
    /// `[QUERIES, width]`, zero beyond the width.
    queries: &'a mut [i8],
}

impl<'a> Scratch<'a> {
    #[inline(always)]
    fn new(layout: &Layout, scratch: &'a mut [f32]) -> Self {
        let (weights, rest) = scratch.split_at_mut(QUERIES * layout.positions);
        let (codes, rest) = rest.split_at_mut(QUERIES * layout.positions / 4);
        let (scales, rest) = rest.split_at_mut(QUERIES * layout.blocks);
        let (sums, rest) = rest.split_at_mut(QUERIES * layout.blocks);
        let queries = &mut rest[..QUERIES * layout.width / 4];
        let (codes, queries) = (bytemuck::cast_slice_mut(codes), bytemuck::cast_slice_mut(queries));
        Self { weights, codes, scales, sums: bytemuck::cast_slice_mut(sums), queries }
    }
}

/// As `trit_core::reference::store_heads`; x is whole positions that fit.
#[inline(always)]
pub(crate) fn store<I: Token>(
    isa: I,
    x: &[f32],
    side: Side,
    start: usize,
    out: &mut HeadsMut<'_>,
) -> Result<(), QuantizeError> {
    let shape = out.shape();
    check_finite(isa, x, shape.columns())?;
    isa.vectorize(
        #[inline(always)]
        || {
            let mut rest = x;
            let mut position = start;
            // Of values, a tile holds four positions.
            while side == Side::Values && !position.is_multiple_of(PLANE) && !rest.is_empty() {
                let (x, left) = rest.split_at(shape.columns());
                store_positions::<1>(x, side, position, out);
                (rest, position) = (left, position + 1);
            }
            while rest.len() >= PLANE * shape.columns() {
                let (x, left) = rest.split_at(PLANE * shape.columns());
                store_positions::<PLANE>(x, side, position, out);
                (rest, position) = (left, position + PLANE);
            }
            for x in rest.chunks_exact(shape.columns()) {
                store_positions::<1>(x, side, position, out);
                position += 1;
            }
        },
    );
    Ok(())
}

/// Stores P positions, x `[P, columns]`; of values, 4 whose first is a multiple of 4, or 1.
#[inline(always)]
fn store_positions<const P: usize>(x: &[f32], side: Side, position: usize, out: &mut HeadsMut<'_>) {
    let shape = out.shape();
    let (columns, width) = (shape.columns(), shape.width());
    for head in 0..shape.heads() {
        let mut rows = [&[][..]; P];
        let mut scales = [0.0; P];
        for p in 0..P {
            rows[p] = &x[p * columns + head * width..][..width];
            scales[p] = absmax(rows[p]) / MOST;
            out.set_scale(head, position + p, scales[p]);
        }
        for column in (0..width).step_by(LANES) {
            let lanes = LANES.min(width - column);
            let mut numbers = [[0; LANES]; P];
            for p in 0..P {
                let x = &rows[p][column..][..lanes];
                match x.first_chunk::<LANES>() {
                    Some(x) => units(x, scales[p], MOST, &mut numbers[p]),
                    None => units(x, scales[p], MOST, &mut numbers[p]),
                }
            }
            match (side, numbers.first_chunk::<PLANE>()) {
                (Side::Values, Some(numbers)) => {
                    out.set_value_tile(head, position, column, lanes, numbers);
                }
                _ => {
                    for p in 0..P {
                        out.set_lanes(side, head, position + p, column, &numbers[p][..lanes]);
                    }
                }
            }
        }
    }
}

/// As `trit_core::reference::attention_u7`; shapes have been checked.
#[inline(always)]
pub(crate) fn attention<I: CodeDot>(
    isa: I,
    q: &[f32],
    keys: &Heads<'_>,
    values: &Heads<'_>,
    ctx: usize,
    scale: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) -> Result<(), QuantizeError> {
    let shape = keys.shape();
    check_finite(isa, q, shape.columns())?;
    isa.vectorize(
        #[inline(always)]
        || {
            let layout = Layout::new(&shape);
            let mut scratch = Scratch::new(&layout, scratch);
            let call = Call { shape, layout, keys, values, ctx, scale };
            let tokens = q.len() / shape.columns();
            // A head's keys and values stay in cache while its queries pass.
            for head in 0..shape.heads() {
                let mut t = 0;
                while t < tokens {
                    t += if tokens - t >= QUERIES {
                        call.block::<I, QUERIES>(isa, head, t, q, &mut scratch, out)
                    } else {
                        call.block::<I, 1>(isa, head, t, q, &mut scratch, out)
                    };
                }
            }
        },
    );
    Ok(())
}

/// One call's operands.
struct Call<'a> {
    shape: HeadShape,
    layout: Layout,
    keys: &'a Heads<'a>,
    values: &'a Heads<'a>,
    ctx: usize,
    scale: f32,
}

impl Call<'_> {
    /// Queries `t .. t + M` of one head; returns M.
    #[inline(always)]
    fn block<I: CodeDot, const M: usize>(
        &self,
        isa: I,
        head: usize,
        t: usize,
        q: &[f32],
        scratch: &mut Scratch<'_>,
        out: &mut [f32],
    ) -> usize {
        let factors = self.queries::<M>(head, t, q, scratch.queries);
        self.scores::<I, M>(isa, head, factors, scratch);
        let mut totals = [0.0; M];
        for (m, total) in totals.iter_mut().enumerate() {
            *total = self.weights(head, m, scratch);
            self.quantize(m, scratch);
        }
        self.outputs::<I, M>(isa, head, t, totals, scratch, out);
        M
    }

    /// Quantises queries; gives the unit of each times the scale of scores.
    #[inline(always)]
    fn queries<const M: usize>(
        &self,
        head: usize,
        t: usize,
        q: &[f32],
        numbers: &mut [i8],
    ) -> [f32; M] {
        let (columns, width) = (self.shape.columns(), self.shape.width());
        let mut factors = [0.0; M];
        let rows = numbers.chunks_exact_mut(self.layout.width);
        for ((m, factor), numbers) in factors.iter_mut().enumerate().zip(rows) {
            let q = &q[(t + m) * columns + head * width..][..width];
            let unit = absmax(q) / 127.0;
            units(q, unit, 127.0, numbers);
            numbers[width..].fill(0);
            *factor = unit * self.scale;
        }
        factors
    }

    /// Scores of M queries, 16 keys side by side. Those of positions beyond the context, up to a
    /// whole tile, are computed from whatever is there and not used.
    #[inline(always)]
    fn scores<I: CodeDot, const M: usize>(
        &self,
        isa: I,
        head: usize,
        factors: [f32; M],
        scratch: &mut Scratch<'_>,
    ) {
        let Layout { positions, width, .. } = self.layout;
        let q: [&[i8]; M] = array::from_fn(|m| &scratch.queries[m * width..][..width]);
        let mut offsets = [0; M];
        for m in 0..M {
            offsets[m] = i32::from(OFFSET) * sum(q[m]);
        }
        for key in (0..self.ctx).step_by(LANES) {
            let tiles = &self.keys.codes()[self.shape.key_at(head, key, 0)..];
            let dots = isa.dot_u7(&tiles[..width / PLANE * TILE], q);
            let scales = load(&self.keys.scales()[self.shape.scale_at(head, key)..]);
            for m in 0..M {
                let scores = &mut scratch.weights[m * positions + key..][..LANES];
                for l in 0..LANES {
                    scores[l] = (dots[m][l] - offsets[m]) as f32 * (factors[m] * scales[l]);
                }
            }
        }
    }

    /// Tiles of 16 positions in the context, the last one perhaps in part.
    #[inline(always)]
    fn tiles(&self) -> usize {
        self.ctx.div_ceil(LANES)
    }

    /// Turns the scores of query m into weights: e = exp(score − largest), each times its value's
    /// scale, and 0 beyond the context up to a whole tile. Keeps the largest weight of each block and
    /// gives Σ e.
    #[inline(always)]
    fn weights(&self, head: usize, m: usize, scratch: &mut Scratch<'_>) -> f32 {
        let Layout { positions, blocks, .. } = self.layout;
        let row = &mut scratch.weights[m * positions..][..self.tiles() * LANES];
        row[self.ctx..].fill(f32::NEG_INFINITY);
        let most = largest(row.as_chunks().0);
        for x in row.iter_mut() {
            *x = math::exp(*x - most);
        }
        row[self.ctx..].fill(0.0);
        let scales = &self.values.scales()[self.shape.scale_at(head, 0)..][..row.len()];
        let mut sums: Lanes = [0.0; LANES];
        let tops = &mut scratch.scales[m * blocks..][..blocks];
        for ((row, scales), block_top) in row.chunks_mut(BLOCK).zip(scales.chunks(BLOCK)).zip(tops)
        {
            let mut top: Lanes = [0.0; LANES];
            let tiles = row.as_chunks_mut::<LANES>().0.iter_mut();
            for (x, scales) in tiles.zip(scales.as_chunks::<LANES>().0) {
                // Read before the first is written, as the compiler cannot know them to lie apart.
                let (e, scales) = (*x, *scales);
                let mut weights: Lanes = [0.0; LANES];
                for l in 0..LANES {
                    sums[l] += e[l];
                    weights[l] = e[l] * scales[l];
                    top[l] = larger(weights[l], top[l]);
                }
                *x = weights;
            }
            *block_top = fold(top);
        }
        // Where the scale of a position beyond the context was not finite.
        row[self.ctx..].fill(0.0);
        total(sums)
    }

    /// Weights of query m as int8, block by block.
    #[inline(always)]
    fn quantize(&self, m: usize, scratch: &mut Scratch<'_>) {
        let Layout { positions, blocks, .. } = self.layout;
        let weights = &scratch.weights[m * positions..][..self.tiles() * LANES];
        let codes = &mut scratch.codes[m * positions..][..weights.len()];
        let scales = &mut scratch.scales[m * blocks..][..blocks];
        for ((weights, codes), &mut most) in
            weights.chunks(BLOCK).zip(codes.chunks_mut(BLOCK)).zip(&mut *scales)
        {
            let factor = if most >= LEAST_WEIGHT { 127.0 / most } else { 0.0 };
            for (code, &weight) in codes.iter_mut().zip(weights) {
                // A weight is at most the largest, so this is 0 to 127.
                *code = integer(weight * factor) as i8;
            }
        }
        // Apart from the codes' making, as they are read back in longer vectors than were written.
        for (sum, codes) in scratch.sums[m * blocks..][..blocks].iter_mut().zip(codes.chunks(BLOCK))
        {
            *sum = match codes.as_array::<BLOCK>() {
                Some(codes) => weight_sum(codes),
                None => weight_sum(codes),
            };
        }
        for scale in scales {
            *scale = if *scale >= LEAST_WEIGHT { *scale / 127.0 } else { 0.0 };
        }
    }

    /// Outputs of M queries, 16 columns side by side.
    #[inline(always)]
    fn outputs<I: CodeDot, const M: usize>(
        &self,
        isa: I,
        head: usize,
        t: usize,
        totals: [f32; M],
        scratch: &Scratch<'_>,
        out: &mut [f32],
    ) {
        let Layout { positions, blocks, .. } = self.layout;
        let (columns, width) = (self.shape.columns(), self.shape.width());
        for column in (0..width).step_by(LANES) {
            let mut sums: [Lanes; M] = [[0.0; LANES]; M];
            for (block, first) in (0..self.ctx).step_by(BLOCK).enumerate() {
                // Whole tiles of positions, beyond the context as well, where codes are 0.
                let count = BLOCK.min((self.ctx - first).next_multiple_of(LANES));
                let tiles = &self.values.codes()[self.shape.value_at(head, first, column)..];
                let codes: [&[i8]; M] =
                    array::from_fn(|m| &scratch.codes[m * positions + first..][..count]);
                let totals = array::from_fn(|m| scratch.sums[m * blocks + block]);
                let dots = isa.dot_weights(&tiles[..count / PLANE * TILE], codes, totals);
                for m in 0..M {
                    let scale = scratch.scales[m * blocks + block];
                    for l in 0..LANES {
                        sums[m][l] += scale * dots[m][l] as f32;
                    }
                }
            }
            let lanes = LANES.min(width - column);
            for m in 0..M {
                let factor = 1.0 / totals[m];
                let out = &mut out[(t + m) * columns + head * width + column..][..lanes];
                for l in 0..lanes {
                    out[l] = sums[m][l] * factor;
                }
            }
        }
    }
}

/// The sum of codes of weights, 0 to 127: as bytes without a sign, which x86-64 adds up eight at a time.
#[inline(always)]
fn weight_sum(codes: &[i8]) -> i32 {
    codes.iter().map(|&code| i32::from(code as u8)).sum()
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The larger of each two lanes N apart.
#[inline(always)]
fn halve<const N: usize>(lanes: &[f32]) -> [f32; N] {
    let mut out = [0.0; N];
    for l in 0..N {
        out[l] = larger(lanes[l], lanes[l + N]);
    }
    out
}

/// The largest lane, the same in any order.
#[inline(always)]
fn fold(lanes: Lanes) -> f32 {
    let [a, b] = halve(&halve::<4>(&halve::<8>(&lanes)));
    larger(a, b)
}

/// The largest lane of all tiles.
#[inline(always)]
fn largest(tiles: &[Lanes]) -> f32 {
    // As many at once as hide the latency of a comparison.
    let mut most = [[f32::NEG_INFINITY; LANES]; 4];
    let (fours, rest) = tiles.as_chunks::<4>();
    for four in fours {
        for i in 0..4 {
            for l in 0..LANES {
                most[i][l] = larger(four[i][l], most[i][l]);
            }
        }
    }
    for tile in rest {
        for l in 0..LANES {
            most[0][l] = larger(tile[l], most[0][l]);
        }
    }
    let [mut all, rest @ ..] = most;
    for most in rest {
        for l in 0..LANES {
            all[l] = larger(most[l], all[l]);
        }
    }
    fold(all)
}

/// |x| < 2²² rounded half to even.
#[inline(always)]
fn integer(x: f32) -> i32 {
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}

/// Numbers of `x` in units of `scale`, clamped to ±`most`; zeros if `scale` is 0.
#[inline(always)]
fn units(x: &[f32], scale: f32, most: f32, numbers: &mut [i8]) {
    if scale > 0.0 {
        for (number, &x) in numbers.iter_mut().zip(x) {
            let q = x / scale;
            let q = if q > most { most } else { q };
            let q = if q < -most { -most } else { q };
            *number = integer(q) as i8;
        }
    } else {
        numbers[..x.len()].fill(0);
    }
}

/// Bits of the largest magnitude: magnitudes order as their bits do, and NaN lies above infinity.
#[inline(always)]
fn magnitude(x: &[f32]) -> u32 {
    x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF))
}

#[inline(always)]
fn absmax(x: &[f32]) -> f32 {
    f32::from_bits(magnitude(x))
}

#[inline(always)]
fn sum(x: &[i8]) -> i32 {
    x.iter().map(|&x| i32::from(x)).sum()
}

#[inline(always)]
fn check_finite<I: Token>(isa: I, x: &[f32], columns: usize) -> Result<(), QuantizeError> {
    let most = isa.vectorize(
        #[inline(always)]
        || magnitude(x),
    );
    if most < INFINITY_BITS {
        return Ok(());
    }
    let at = x.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Err(QuantizeError::NonFinite { token: at / columns, index: at % columns })
}
