//! Operands drawn from fuzz input.

use trit_core::{GroupSize, QuantizedActs, activations};

/// Most products of a matrix product, so that a case takes about a millisecond.
const WORK: usize = 1 << 16;

/// Fuzz input, read from the front. Past its end everything is 0, so every input is a case.
pub struct Operands<'a> {
    data: &'a [u8],
}

impl<'a> Operands<'a> {
    /// All of `data` is left to be drawn.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data }
    }

    /// Up to `len` bytes as they are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.data.split_at(len.min(self.data.len()));
        self.data = rest;
        taken
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// One byte's lowest bit.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number of `least ..= most` by two bytes.
    pub fn number(&mut self, least: usize, most: usize) -> usize {
        let drawn = usize::from(u16::from_le_bytes([self.byte(), self.byte()]));
        least + drawn % (most - least + 1)
    }

    /// One of `from` by one byte.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// `n` bytes: a pattern of up to 255 bytes, repeated, each time raised by a step. One byte makes
    /// all elements alike; a longer pattern of an odd length falls differently on every tile.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        let (len, step) = (self.byte(), self.byte());
        let pattern = self.take(len.into());
        if pattern.is_empty() {
            return vec![step; n];
        }
        let value = |i: usize| {
            let lap = (i / pattern.len()) as u8;
            pattern[i % pattern.len()].wrapping_add(lap.wrapping_mul(step))
        };
        (0..n).map(value).collect()
    }

    /// As [`bytes`](Self::bytes), signed.
    pub fn ints(&mut self, n: usize) -> Vec<i8> {
        self.bytes(n).into_iter().map(|byte| byte as i8).collect()
    }

    /// `n` floats: ordinary ones whose products round, or any bits.
    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        match self.byte() % 3 {
            0 => self.ints(n).into_iter().map(|x| f32::from(x) / 61.0).collect(),
            1 => self
                .bytes(2 * n)
                .chunks_exact(2)
                .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 977.0)
                .collect(),
            _ => self.raw_floats(n),
        }
    }

    /// `n` floats of any bits, but for NaN one bit pattern.
    pub fn raw_floats(&mut self, n: usize) -> Vec<f32> {
        self.bytes(4 * n)
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .map(|x| if x.is_nan() { f32::NAN } else { x })
            .collect()
    }

    /// A bias of `rows` values, or none.
    pub fn bias(&mut self, rows: usize) -> Option<Vec<f32>> {
        self.flag().then(|| self.floats(rows))
    }

    /// A group size, or none.
    pub fn group(&mut self) -> Option<GroupSize> {
        let index = usize::from(self.byte()) % (GroupSize::ALL.len() + 1);
        GroupSize::ALL.get(index).copied()
    }

    /// A range of rows that is not empty.
    pub fn rows(&mut self, rows: usize) -> core::ops::Range<usize> {
        let start = self.number(0, rows - 1);
        start..self.number(start + 1, rows)
    }

    /// Rows, inputs and tokens of a matrix product, around every boundary, with inputs as long as
    /// in real models now and then.
    pub fn shape(&mut self) -> (usize, usize, usize) {
        let k = if self.byte().is_multiple_of(8) {
            self.pick(&[768, 1024, 2560, 6912, 8640])
        } else {
            self.number(1, 640)
        };
        let rows = self.number(1, (WORK / k).clamp(1, 70));
        let tokens = self.number(1, (WORK / (k * rows)).clamp(1, 20));
        (rows, k, tokens)
    }
}

/// Quantised tokens with values over the whole range of i8, −128 included, which no quantiser of
/// ours would write.
pub struct Activations {
    tokens: usize,
    k: usize,
    group: Option<GroupSize>,
    values: Vec<i8>,
    scales: Vec<f32>,
    block_sums: Vec<i32>,
}

impl Activations {
    /// Draws `tokens` tokens of `k` inputs.
    pub fn new(input: &mut Operands<'_>, tokens: usize, k: usize) -> Self {
        let group = input.group();
        let drawn = input.ints(tokens * k);
        let mut values = vec![0; activations::values_len(tokens, k)];
        for (to, from) in values.chunks_exact_mut(activations::stride(k)).zip(drawn.chunks_exact(k))
        {
            to[..k].copy_from_slice(from);
        }
        let sum = |block: &[i8]| block.iter().map(|&q| i32::from(q)).sum();
        let block_sums = values.chunks_exact(activations::BLOCK).map(sum).collect();
        let scales = input.floats(activations::scales_len(tokens, k, group));
        Self { tokens, k, group, values, scales, block_sums }
    }

    /// The view that kernels take.
    ///
    /// # Panics
    /// Never: the buffers have the lengths asked for.
    pub fn view(&self) -> QuantizedActs<'_> {
        let Self { tokens, k, group, values, scales, block_sums } = self;
        QuantizedActs::new(*tokens, *k, *group, values, scales, block_sums)
            .expect("buffers of the right lengths")
    }
}
