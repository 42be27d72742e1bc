//! Keys and values of one attention, in 7 bits or in f32.

use trit_core::heads::Side;
use trit_core::{HeadShape, HeadsMut};
use trit_simd::{attention_scratch_len, attention_u7_scratch_len};

use crate::arena::{Arena, size};
use crate::config::Config;
use crate::error::Error;
use crate::linear::{Compute, split};

/// How keys and values are kept, and attention computed.
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
        2 * match precision {
            Precision::SevenBits => size::<u8>(shape.codes_len()) + size::<f32>(shape.scales_len()),
            Precision::Float => size::<f32>(shape.columns() * shape.positions()),
        }
    }

    /// Room for keys and values of this shape; `None` when the arena is too small.
    pub(crate) fn take(
        shape: HeadShape,
        precision: Precision,
        arena: &mut Arena<'a>,
    ) -> Option<Self> {
        Some(match precision {
            Precision::SevenBits => {
                Self::SevenBits { keys: arena.heads(shape)?, values: arena.heads(shape)? }
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

    /// Attention of queries `[tokens, columns]` without a mask over the first `ctx` positions, split
    /// over threads by queries.
    pub(crate) fn attend(
        &self,
        compute: &Compute<'_>,
        q: &[f32],
        ctx: usize,
        scratch: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let shape = match self {
            Self::SevenBits { keys, .. } => keys.shape(),
            Self::Float { shape, .. } => *shape,
        };
        let (d, scale) = (shape.columns(), 1.0 / libm::sqrtf(shape.width() as f32));
        let (kernels, threads) = (&compute.kernels, compute.join.threads());
        split(compute.join, threads, 0..q.len() / d, d, out, scratch, &|range, out, scratch| {
            let q = &q[range.start * d..range.end * d];
            match self {
                Self::SevenBits { keys, values } => {
                    let (keys, values) = (keys.as_ref(), values.as_ref());
                    kernels.attention_u7(q, &keys, &values, ctx, scale, scratch, out)?;
                }
                Self::Float { keys_t, values, .. } => {
                    let (stride, heads) = (shape.positions(), shape.heads());
                    kernels.attention(
                        q, keys_t, stride, values, heads, d, ctx, None, scale, scratch, out,
                    )?;
                }
            }
            Ok(())
        })
    }
}

/// Floats of scratch that any attention of the model takes on one thread.
pub(crate) fn scratch_len(config: &Config, precision: Precision) -> usize {
    let shapes = [config.encoder_heads(), config.cross_heads(), config.text_heads()];
    let length = |shape: &HeadShape| match precision {
        Precision::SevenBits => attention_u7_scratch_len(shape),
        Precision::Float => attention_scratch_len(shape.positions()),
    };
    shapes.iter().flatten().map(length).max().unwrap_or(0)
}
