//! Writes what `trit_fuzz::Operands` reads.

/// A seed being written, front to back.
#[derive(Default)]
pub struct Draft {
    /// What was written so far.
    pub bytes: Vec<u8>,
}

impl Draft {
    /// Bytes without meaning, the same for the same `seed` (xorshift32).
    pub fn mixed(seed: u32) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
        let bytes = (0..300).map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        });
        Self { bytes: bytes.collect() }
    }

    /// One byte.
    pub fn byte(mut self, byte: u8) -> Self {
        self.bytes.push(byte);
        self
    }

    /// A number above the least that may be drawn.
    pub fn number(mut self, above: u16) -> Self {
        self.bytes.extend(above.to_le_bytes());
        self
    }

    /// All elements alike.
    pub fn fill(self, value: u8) -> Self {
        self.byte(0).byte(value)
    }

    /// A pattern of up to 255 bytes, each lap raised by `step`.
    pub fn pattern(mut self, step: u8, pattern: &[u8]) -> Self {
        self.bytes.extend([pattern.len() as u8, step]);
        self.bytes.extend(pattern);
        self
    }
}
