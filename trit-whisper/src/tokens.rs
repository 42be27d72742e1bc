//! The token table: the bytes of every token.

use crate::error::ModelError;

/// A view of the entry `whisper.tokens`: u32 count, count + 1 u32 offsets, the bytes.
#[derive(Debug, Clone, Copy)]
pub struct TokenTable<'a> {
    offsets: &'a [u8],
    blob: &'a [u8],
}

fn word(bytes: &[u8], index: usize) -> Option<usize> {
    let four = bytes.get(4 * index..4 * index + 4)?;
    Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
}

impl<'a> TokenTable<'a> {
    /// Reads and checks the table of `vocab` tokens.
    ///
    /// # Errors
    /// A wrong count, or offsets that do not ascend to the end of the bytes.
    pub fn parse(bytes: &'a [u8], vocab: usize) -> Result<Self, ModelError> {
        if word(bytes, 0) != Some(vocab) {
            return Err(ModelError::Tokens("its count is not n_vocab"));
        }
        let blob = 4 * (vocab + 2);
        if bytes.len() < blob {
            return Err(ModelError::Tokens("it is too short for its offsets"));
        }
        let table = Self { offsets: &bytes[4..blob], blob: &bytes[blob..] };
        let mut last = 0;
        for index in 0..=vocab {
            let offset = word(table.offsets, index).unwrap_or(usize::MAX);
            if offset < last || offset > table.blob.len() || (index == 0 && offset != 0) {
                return Err(ModelError::Tokens("its offsets do not ascend within the bytes"));
            }
            last = offset;
        }
        if last != table.blob.len() {
            return Err(ModelError::Tokens("its offsets end before the bytes do"));
        }
        Ok(table)
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.offsets.len() / 4 - 1
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of token `id`, not always whole characters; nothing for an id beyond the table.
    pub fn bytes(&self, id: u32) -> &'a [u8] {
        let id = id as usize;
        match (word(self.offsets, id), word(self.offsets, id + 1)) {
            (Some(start), Some(end)) => &self.blob[start..end],
            _ => &[],
        }
    }

    /// The first token of exactly these bytes.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        (0..self.len() as u32).find(|&id| self.bytes(id) == bytes)
    }
}
