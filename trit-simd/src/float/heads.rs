//! Attention over keys and values in 7 bits, and storing them: blocks of queries share each tile of
//! codes, and only a block's scores are ever in memory.

use core::array;

use trit_core::heads::{BLOCK, MOST, Side, TILE};
use trit_core::layout::PLANE;
use trit_core::reference::{LANES, LEAST_SCALE, OCTAVE, math, score_factor};
use trit_core::{HeadShape, Heads, HeadsMut, QuantizeError};

use super::{Lanes, load, total};
use crate::arch::{Block, CodeDot, Token, start};

/// Queries that share each tile.
pub(crate) const QUERIES: usize = 8;

/// Adding 1.5·2²³ to |x| < 2²² rounds it half to even and leaves the integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Bits of infinity: |x| with bits at or above is not finite.
const INFINITY_BITS: u32 = 0x7F80_0000;

/// Floats of scratch for attention over the positions of `shape`.
///
/// ```
/// use trit_core::HeadShape;
/// use trit_simd::{attention_scratch_len, attention_u7_scratch_len};
///
/// // Twelve heads of width 64, as in Whisper small. Scratch serves one head after another.
/// let shape = HeadShape::new(12, 64, 1500)?;
/// let one = HeadShape::new(1, 64, 1500)?;
/// assert_eq!(attention_u7_scratch_len(&shape), attention_u7_scratch_len(&one));
/// assert!(attention_u7_scratch_len(&shape) < attention_scratch_len(1500));
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
pub const fn scratch_len(shape: &HeadShape) -> usize {
    let Layout { positions, blocks, width } = Layout::new(shape);
    // Shares and steps; of each query codes, four numbers for each block, and itself as int8.
    positions / 2 + blocks + QUERIES * (positions / 4 + 4 * blocks + width / 4)
}

/// How scratch is laid out.
#[derive(Clone, Copy)]
struct Layout {
    /// Positions in whole blocks.
    positions: usize,
    /// Blocks, a multiple of 16.
    blocks: usize,
    width: usize,
}

impl Layout {
    const fn new(shape: &HeadShape) -> Self {
        let positions = shape.positions().next_multiple_of(BLOCK);
        let blocks = (positions / BLOCK).next_multiple_of(LANES);
        Self { positions, blocks, width: shape.padded_width() }
    }
}

/// Scratch, cut up.
struct Scratch<'a> {
    /// `[positions]` of a head: its values' scales as shares of the largest of a block.
    shares: &'a mut [i16],
    /// `[blocks]`: these largest.
    steps: &'a mut [f32],
    /// `[QUERIES, positions]`: weights.
    codes: &'a mut [i8],
    /// `[QUERIES, blocks]`: the largest score.
    tops: &'a mut [f32],
    /// `[QUERIES, blocks]`: Σ e.
    totals: &'a mut [f32],
    /// `[QUERIES, blocks]`: what weights were multiplied by to be codes, then what a code stands for.
    scales: &'a mut [f32],
    /// `[QUERIES, blocks]`: where sums of the codes' products start.
    starts: &'a mut [i32],
    /// `[QUERIES, width]`, zero beyond the width.
    queries: &'a mut [i8],
}

impl<'a> Scratch<'a> {
    #[inline(always)]
    fn new(layout: &Layout, scratch: &'a mut [f32]) -> Self {
        let &Layout { positions, blocks, width } = layout;
        let mut rest = scratch;
        let mut take = |floats: usize| rest.split_off_mut(..floats).unwrap_or_default();
        Self {
            shares: bytemuck::cast_slice_mut(take(positions / 2)),
            steps: take(blocks),
            codes: bytemuck::cast_slice_mut(take(QUERIES * positions / 4)),
            tops: take(QUERIES * blocks),
            totals: take(QUERIES * blocks),
            scales: take(QUERIES * blocks),
            starts: bytemuck::cast_slice_mut(take(QUERIES * blocks)),
            queries: bytemuck::cast_slice_mut(take(QUERIES * width / 4)),
        }
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
                let largest_key = call.head(head, &mut scratch);
                let mut t = 0;
                while t < tokens {
                    t += if tokens - t >= QUERIES {
                        call.block::<I, QUERIES>(isa, head, largest_key, t, q, &mut scratch, out)
                    } else {
                        call.block::<I, 1>(isa, head, largest_key, t, q, &mut scratch, out)
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
    /// Positions of whole tiles that hold the context.
    #[inline(always)]
    fn covered(&self) -> usize {
        self.ctx.next_multiple_of(LANES)
    }

    /// Keeps what depends on one head's values alone; gives the largest scale of its keys.
    #[inline(always)]
    fn head(&self, head: usize, scratch: &mut Scratch<'_>) -> f32 {
        let at = self.shape.scale_at(head, 0);
        let scales = self.values.scales()[at..][..self.ctx].chunks(BLOCK);
        let blocks = scratch.shares.as_chunks_mut::<BLOCK>().0.iter_mut().zip(&mut *scratch.steps);
        for (scales, (shares, step)) in scales.zip(blocks) {
            *step = to_shares(scales, shares) * 2.0;
        }
        // Of blocks that are not there, which come as whole vectors of them.
        scratch.steps[self.ctx.div_ceil(BLOCK)..].fill(0.0);
        let scales = self.keys.scales()[at..][..self.ctx].chunks(BLOCK);
        scales.map(|scales| largest(&padded(scales))).fold(f32::MIN, larger)
    }

    /// Queries `t .. t + M` of one head; returns M.
    #[inline(always)]
    fn block<I: CodeDot, const M: usize>(
        &self,
        isa: I,
        head: usize,
        largest_key: f32,
        t: usize,
        q: &[f32],
        scratch: &mut Scratch<'_>,
        out: &mut [f32],
    ) -> usize {
        let factors = self.queries::<M>(head, largest_key, t, q, scratch.queries);
        self.weights::<I, M>(isa, head, factors, scratch);
        let mut totals = [0.0; M];
        for (m, total) in totals.iter_mut().enumerate() {
            *total = self.scales(m, scratch);
        }
        self.outputs::<I, M>(isa, head, t, totals, scratch, out);
        M
    }

    /// Quantises queries; gives the factor of each one's scores.
    #[inline(always)]
    fn queries<const M: usize>(
        &self,
        head: usize,
        largest_key: f32,
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
            *factor = score_factor(unit, self.scale, largest_key);
        }
        factors
    }

    /// Weights of M queries as codes, 0 beyond the context, and what goes with each block.
    #[inline(always)]
    fn weights<I: CodeDot, const M: usize>(
        &self,
        isa: I,
        head: usize,
        factors: [f32; M],
        scratch: &mut Scratch<'_>,
    ) {
        let Layout { positions, blocks, width } = self.layout;
        let q: [&[i8]; M] = array::from_fn(|m| &scratch.queries[m * width..][..width]);
        let starts = q.map(|q| start(sum(q)));
        let shares = scratch.shares.as_chunks::<BLOCK>().0;
        let mut dots = [[0; BLOCK]; M];
        let mut last = [0.0; BLOCK];
        for (block, (first, shares)) in (0..self.ctx).step_by(BLOCK).zip(shares).enumerate() {
            // Whole tiles of positions: those beyond the context hold anything.
            let covered = BLOCK.min(self.covered() - first);
            for key in (0..covered).step_by(LANES) {
                let tiles = &self.keys.codes()[self.shape.key_at(head, first + key, 0)..];
                let tile = isa.dot_u7(&tiles[..width / PLANE * TILE], q, starts);
                for m in 0..M {
                    dots[m][key..][..LANES].copy_from_slice(&tile[m]);
                }
            }
            let scales = &self.keys.scales()[self.shape.scale_at(head, first)..][..covered];
            let scales = scales.as_array().unwrap_or_else(|| {
                last[..covered].copy_from_slice(scales);
                &last
            });
            let count = BLOCK.min(self.ctx - first);
            let mut codes = [[0; BLOCK]; M];
            let input = Block { dots: &dots, factors, scales, shares, count };
            let found = isa.weights(&input, &mut codes);
            for (m, (found, codes)) in found.into_iter().zip(codes).enumerate() {
                scratch.codes[m * positions + first..][..BLOCK].copy_from_slice(&codes);
                let at = m * blocks + block;
                scratch.tops[at] = found.top;
                scratch.totals[at] = found.sum as f32 * (1.0 / 16_384.0);
                scratch.scales[at] = f32::from(found.factor);
                scratch.starts[at] = start(found.codes);
            }
        }
    }

    /// What a code of each block of query m stands for; gives the sum of all exponentials.
    #[inline(always)]
    fn scales(&self, m: usize, scratch: &mut Scratch<'_>) -> f32 {
        let Layout { blocks, .. } = self.layout;
        let (used, row) = (self.ctx.div_ceil(BLOCK), m * blocks..(m + 1) * blocks);
        let (tops, totals) = (&mut scratch.tops[row.clone()], &mut scratch.totals[row.clone()]);
        // Blocks that are not there add +0, which changes no sum that started from +0.
        let whole = used.next_multiple_of(LANES);
        tops[used..whole].fill(f32::MIN);
        totals[used..whole].fill(0.0);
        scratch.scales[row.clone()][used..whole].fill(1.0);
        let most = largest(tops[..whole].as_chunks().0);
        let mut sums: Lanes = [0.0; LANES];
        for first in (0..whole).step_by(LANES) {
            let (tops, totals) = (load(&tops[first..]), load(&totals[first..]));
            let steps = load(&scratch.steps[first..]);
            let scales = &mut scratch.scales[row.start + first..][..LANES];
            for l in 0..LANES {
                let gain = math::exp((tops[l] - most) * OCTAVE);
                sums[l] += gain * totals[l];
                scales[l] = (gain * steps[l]) / scales[l];
            }
        }
        total(sums)
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
                let count = BLOCK.min(self.covered() - first);
                let tiles = &self.values.codes()[self.shape.value_at(head, first, column)..];
                let codes: [&[i8]; M] =
                    array::from_fn(|m| &scratch.codes[m * positions + first..][..count]);
                let starts = array::from_fn(|m| scratch.starts[m * blocks + block]);
                let dots = isa.dot_weights(&tiles[..count / PLANE * TILE], codes, starts);
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

/// A block's numbers, and `f32::MIN` beyond them.
#[inline(always)]
fn padded(x: &[f32]) -> [Lanes; BLOCK / LANES] {
    let mut rows = [[f32::MIN; LANES]; BLOCK / LANES];
    rows.as_flattened_mut()[..x.len()].copy_from_slice(x);
    rows
}

/// Shares of a block's values in the largest of their `scales`, 0 beyond these; gives the largest.
#[inline(always)]
fn to_shares(scales: &[f32], shares: &mut [i16; BLOCK]) -> f32 {
    let most = largest(&padded(scales));
    let factor = if most >= LEAST_SCALE { 32_767.0 / most } else { 0.0 };
    shares.fill(0);
    for (share, &scale) in shares.iter_mut().zip(scales) {
        *share = integer(scale * factor) as i16;
    }
    most
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
