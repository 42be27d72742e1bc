//! Keys and values of one attention, in 7 bits or in f32.

use core::ops::Range;

use trit_core::heads::{OFFSET, Side};
use trit_core::{HeadShape, HeadsMut};
use trit_simd::{attention_scratch_len, attention_u7_scratch_len};

use super::linear::{Acts, Compute, Layer, linear_rows};
use super::split::{Share, over_heads};
use crate::arena::{Arena, size};
use crate::config::Config;
use crate::error::Error;

/// How keys and values are kept, and attention computed.
///
/// ```
/// use trit_whisper::{MemoryPlan, Model, Options, Precision, embedded};
///
/// let model = Model::parse(embedded::model())?;
/// let bytes = |attention| {
///     let options = Options { precision: attention, ..Options::default() };
///     MemoryPlan::with_options(&model, 1, &options).total()
/// };
/// assert!(bytes(Precision::SevenBits) < bytes(Precision::Float));
/// # Ok::<(), trit_whisper::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// In 7 bits with a scale per position and head, and integer products: a quarter of the memory,
    /// several times as fast. Logits of a dense model move by some 2 %.
    #[default]
    SevenBits,
    /// In f32, as the checkpoint's own framework computes it.
    Float,
}

/// Keys and values of one attention.
pub(crate) enum Cache<'a> {
    SevenBits {
        keys: HeadsMut<'a>,
        values: HeadsMut<'a>,
    },
    Float {
        shape: HeadShape,
        /// Transposed, `[columns, positions]`.
        keys_t: &'a mut [f32],
        /// `[positions, columns]`.
        values: &'a mut [f32],
    },
}

impl<'a> Cache<'a> {
    /// Bytes that [`take`](Self::take) takes.
    pub(crate) fn bytes(shape: &HeadShape, precision: Precision) -> usize {
        let one = match precision {
            Precision::SevenBits => {
                size::<u8>(shape.codes_len()).saturating_add(size::<f32>(shape.scales_len()))
            }
            Precision::Float => size::<f32>(shape.columns().saturating_mul(shape.positions())),
        };
        one.saturating_mul(2)
    }

    /// Room for keys and values of this shape; `None` when the arena is too small.
    pub(crate) fn take(
        shape: HeadShape,
        precision: Precision,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        Self::with(shape, precision, arena, Arena::heads)
    }

    /// The keys and values that [`take`](Self::take) has made room for at this place, as they are.
    fn again(shape: HeadShape, precision: Precision, arena: &mut Arena<'a>) -> Option<Self> {
        Self::with(shape, precision, arena, Arena::heads_again)
    }

    fn with(
        shape: HeadShape,
        precision: Precision,
        arena: &mut Arena<'a>,
        heads: fn(&mut Arena<'a>, HeadShape) -> Option<HeadsMut<'a>>,
    ) -> Option<Self> {
        Some(match precision {
            Precision::SevenBits => {
                Self::SevenBits { keys: heads(arena, shape)?, values: heads(arena, shape)? }
            }
            Precision::Float => {
                let floats = shape.columns() * shape.positions();
                let (keys_t, values) = (arena.take(floats)?, arena.take(floats)?);
                Self::Float { shape, keys_t, values }
            }
        })
    }

    /// Keeps keys or values `[rows, columns]` of the positions from `start` on.
    pub(crate) fn store(
        &mut self,
        compute: &Compute<'_>,
        rows: &[f32],
        side: Side,
        start: usize,
    ) -> Result<(), Error> {
        match (self, side) {
            (Self::SevenBits { keys, .. }, Side::Keys) => {
                compute.kernels.store_heads(rows, side, start, keys)?;
            }
            (Self::SevenBits { values, .. }, Side::Values) => {
                compute.kernels.store_heads(rows, side, start, values)?;
            }
            (Self::Float { shape, keys_t, .. }, Side::Keys) => {
                for (column, keys) in keys_t.chunks_exact_mut(shape.positions()).enumerate() {
                    let rows = rows.chunks_exact(shape.columns());
                    for (key, row) in keys[start..].iter_mut().zip(rows) {
                        *key = row[column];
                    }
                }
            }
            (Self::Float { shape, values, .. }, Side::Values) => {
                values[start * shape.columns()..][..rows.len()].copy_from_slice(rows);
            }
        }
        Ok(())
    }

    /// Writes one head's keys of some positions to `to`, transposed, `[width, stride]`.
    pub(crate) fn keys_t(
        &self,
        head: usize,
        positions: Range<usize>,
        stride: usize,
        to: &mut [f32],
    ) {
        match self {
            Self::SevenBits { keys, .. } => {
                let (keys, shape) = (keys.as_ref(), keys.shape());
                for (column, to) in to.chunks_exact_mut(stride).enumerate().take(shape.width()) {
                    for (to, position) in to.iter_mut().zip(positions.clone()) {
                        let code = keys.codes()[shape.key_at(head, position, column)];
                        let scale = keys.scales()[shape.scale_at(head, position)];
                        *to = f32::from(i16::from(code) - i16::from(OFFSET)) * scale;
                    }
                }
            }
            Self::Float { shape, keys_t, .. } => {
                let columns = keys_t.chunks_exact(shape.positions());
                let columns = columns.skip(head * shape.width()).take(shape.width());
                for (keys, to) in columns.zip(to.chunks_exact_mut(stride)) {
                    to[..positions.len()].copy_from_slice(&keys[positions.clone()]);
                }
            }
        }
    }

    /// Attention of queries `[tokens, columns]` without a mask over the first `ctx` positions.
    pub(crate) fn attend(
        &self,
        compute: &Compute<'_>,
        q: &[f32],
        ctx: usize,
        scratch: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let (kernels, scale) = (&compute.kernels, 1.0 / libm::sqrtf(self.shape().width() as f32));
        match self {
            Self::SevenBits { keys, values } => {
                let (keys, values) = (keys.as_ref(), values.as_ref());
                kernels.attention_u7(q, &keys, &values, ctx, scale, scratch, out)?;
            }
            Self::Float { shape, keys_t, values } => {
                let (heads, d, stride) = (shape.heads(), shape.columns(), shape.positions());
                kernels.attention(
                    q, keys_t, stride, values, heads, d, ctx, None, scale, scratch, out,
                )?;
            }
        }
        Ok(())
    }

    /// Heads and positions.
    pub(crate) fn shape(&self) -> HeadShape {
        match self {
            Self::SevenBits { keys, .. } => keys.shape(),
            Self::Float { shape, .. } => *shape,
        }
    }

    /// The heads before `head`, and those from it on; `None` where the layout keeps them together.
    pub(crate) fn split_at(&mut self, head: usize) -> Option<(Cache<'_>, Cache<'_>)> {
        let Self::SevenBits { keys, values } = self else { return None };
        let (keys, values) = (keys.split_at(head)?, values.split_at(head)?);
        Some((
            Cache::SevenBits { keys: keys.0, values: values.0 },
            Cache::SevenBits { keys: keys.1, values: values.1 },
        ))
    }

    /// One of `slots` equal parts of the heads, which is a cache by itself.
    pub(crate) fn slot(&mut self, slots: usize, slot: usize) -> Cache<'_> {
        let heads = self.shape().heads() / slots;
        match self {
            Self::SevenBits { keys, values } => {
                let heads = slot * heads..(slot + 1) * heads;
                Cache::SevenBits { keys: keys.part(heads.clone()), values: values.part(heads) }
            }
            Self::Float { shape, keys_t, values } => {
                let shape = shape.with_heads(heads);
                let floats = shape.columns() * shape.positions();
                let part = slot * floats..(slot + 1) * floats;
                Cache::Float { shape, keys_t: &mut keys_t[part.clone()], values: &mut values[part] }
            }
        }
    }

    /// Copies the keys and values of some positions from one of `slots` slots to another. Those just
    /// before them may be copied too.
    pub(crate) fn copy_slot(
        &mut self,
        slots: usize,
        from: usize,
        to: usize,
        positions: Range<usize>,
    ) {
        let shape = self.shape();
        let heads = shape.heads() / slots;
        match self {
            Self::SevenBits { keys, values } => {
                let from = from * heads..(from + 1) * heads;
                keys.copy(Side::Keys, from.clone(), to * heads, positions.clone());
                values.copy(Side::Values, from, to * heads, positions);
            }
            Self::Float { keys_t, values, .. } => {
                let (stride, columns) = (shape.positions(), heads * shape.width());
                let floats = columns * stride;
                for column in (0..floats).step_by(stride) {
                    let at = from * floats + column;
                    let source = at + positions.start..at + positions.end;
                    keys_t.copy_within(source, to * floats + column + positions.start);
                }
                let at = from * floats;
                let source = at + positions.start * columns..at + positions.end * columns;
                values.copy_within(source, to * floats + positions.start * columns);
            }
        }
    }

    /// Attention of one token's queries to the first `ctx` positions, split over threads by heads.
    pub(crate) fn attend_token(
        &mut self,
        compute: &Compute<'_>,
        queries: &[f32],
        ctx: usize,
        scores: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let share = Share { first: 0, out, buffer: &mut [], scores };
        over_heads(compute.join, compute.threads, self, share, &|cache, share| {
            let Share { first, out, scores, .. } = share;
            let queries = &queries[first * cache.shape().width()..][..cache.shape().columns()];
            cache.attend(compute, queries, ctx, scores, out)
        })
    }

    /// Computes keys and values of tokens and keeps them from position `start` on, split over threads
    /// by heads. `buffer` has 2 · columns floats for each token at least.
    pub(crate) fn project(
        &mut self,
        compute: &Compute<'_>,
        [key, value]: [&Layer<'_>; 2],
        acts: &Acts<'_>,
        start: usize,
        buffer: &mut [f32],
    ) -> Result<(), Error> {
        let share = Share { first: 0, out: &mut [], buffer, scores: &mut [] };
        over_heads(compute.join, compute.threads, self, share, &|cache, share| {
            let Share { first, buffer, .. } = share;
            cache.keep(compute, [key, value], acts, first, start, buffer)
        })
    }

    /// Self-attention of one token at `position`: keeps its key and value, and attends to all so far,
    /// split over threads by heads. `buffer` has 2 · columns floats at least.
    pub(crate) fn attend_self(
        &mut self,
        compute: &Compute<'_>,
        [query, key, value]: [&Layer<'_>; 3],
        acts: &Acts<'_>,
        position: usize,
        share: Share<'_>,
    ) -> Result<(), Error> {
        over_heads(compute.join, compute.threads, self, share, &|cache, share| {
            let Share { first, out, buffer, scores } = share;
            cache.keep(compute, [key, value], acts, first, position, buffer)?;
            let queries = cache.projected(compute, query, acts, first, buffer)?;
            cache.attend(compute, queries, position + 1, scores, out)
        })
    }

    /// Attention of one token to the first `ctx` positions, split over threads by heads.
    pub(crate) fn attend_cross(
        &mut self,
        compute: &Compute<'_>,
        query: &Layer<'_>,
        acts: &Acts<'_>,
        ctx: usize,
        share: Share<'_>,
    ) -> Result<(), Error> {
        over_heads(compute.join, compute.threads, self, share, &|cache, share| {
            let Share { first, out, buffer, scores } = share;
            let queries = cache.projected(compute, query, acts, first, buffer)?;
            cache.attend(compute, queries, ctx, scores, out)
        })
    }

    /// Computes and keeps the keys and values of these heads, the first of which is `first`.
    fn keep(
        &mut self,
        compute: &Compute<'_>,
        [key, value]: [&Layer<'_>; 2],
        acts: &Acts<'_>,
        first: usize,
        start: usize,
        buffer: &mut [f32],
    ) -> Result<(), Error> {
        for (layer, side) in [(key, Side::Keys), (value, Side::Values)] {
            let rows = self.projected(compute, layer, acts, first, buffer)?;
            self.store(compute, rows, side, start)?;
        }
        Ok(())
    }

    /// What a layer gives for these heads, in `buffer`.
    fn projected<'b>(
        &self,
        compute: &Compute<'_>,
        layer: &Layer<'_>,
        acts: &Acts<'_>,
        first: usize,
        buffer: &'b mut [f32],
    ) -> Result<&'b [f32], Error> {
        let (columns, width) = (self.shape().columns(), self.shape().width());
        let rows = first * width..first * width + columns;
        let projected = &mut buffer[..acts.tokens() * columns];
        linear_rows(compute, layer, acts, rows, projected)?;
        Ok(projected)
    }
}

/// The caches of several blocks, all of one shape, in memory that the encoder has another use for
/// before they are filled.
pub(crate) struct Caches<'a> {
    shape: HeadShape,
    precision: Precision,
    blocks: usize,
    memory: &'a mut [u8],
}

impl<'a> Caches<'a> {
    /// Room of `bytes` bytes, the caches of `blocks` blocks or more; `None` when the arena is too
    /// small.
    pub(crate) fn take(
        shape: HeadShape,
        precision: Precision,
        blocks: usize,
        bytes: usize,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        Some(Self { shape, precision, blocks, memory: arena.take(bytes)? })
    }

    /// The memory, for its other use; after it comes [`renewed`](Self::renewed).
    pub(crate) fn lend(&mut self) -> Arena<'_> {
        Arena::new(self.memory)
    }

    /// The caches one by one, after the memory's other use.
    pub(crate) fn renewed(&mut self) -> impl Iterator<Item = Cache<'_>> {
        let Self { shape, precision, .. } = *self;
        self.each().filter_map(move |memory| Cache::take(shape, precision, &mut Arena::new(memory)))
    }

    /// The caches one by one, as they are.
    pub(crate) fn iter(&mut self) -> impl Iterator<Item = Cache<'_>> {
        let Self { shape, precision, .. } = *self;
        self.each()
            .filter_map(move |memory| Cache::again(shape, precision, &mut Arena::new(memory)))
    }

    /// The memory of each cache, which is as much as [`Cache::take`] takes.
    fn each(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.memory.chunks_exact_mut(Cache::bytes(&self.shape, self.precision)).take(self.blocks)
    }
}

/// Floats of scratch that any attention of the model takes on one thread.
pub(crate) fn scratch_len(config: &Config, precision: Precision) -> usize {
    let shapes = [config.encoder_heads(), config.cross_heads(), config.text_heads(1)];
    let length = |shape: &HeadShape| match precision {
        Precision::SevenBits => attention_u7_scratch_len(shape),
        Precision::Float => attention_scratch_len(shape.positions()),
    };
    shapes.iter().flatten().map(length).max().unwrap_or(0)
}
