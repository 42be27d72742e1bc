//! The token table: the bytes of every token.

use crate::error::ModelError;

/// A view of the entry `whisper.tokens`: u32 count, count + 1 u32 offsets, the bytes.
///
/// ```
/// use trit_whisper::{Model, ModelError, TokenTable, embedded};
///
/// let tokens = Model::parse(embedded::model())?.tokens();
/// let id = tokens.find(b" seven").unwrap();
/// assert_eq!(tokens.bytes(id), b" seven");
/// assert!(tokens.find(b" eleven").is_none() && tokens.len() > 35);
/// assert!(!tokens.is_empty() && tokens.bytes(u32::MAX).is_empty());
///
/// let cut = TokenTable::parse(&[1, 0, 0, 0], 1).unwrap_err();
/// assert_eq!(cut, ModelError::Tokens("it is too short for its offsets"));
/// # Ok::<(), ModelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TokenTable<'a> {
    offsets: &'a [u8],
    blob: &'a [u8],
}

fn word(bytes: &[u8], index: usize) -> Option<usize> {
    let (four, _) = bytes.get(index.checked_mul(4)?..)?.split_first_chunk()?;
    Some(u32::from_le_bytes(*four) as usize)
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
        // Only 32-bit targets can overflow here.
        let blob = vocab.checked_add(2).and_then(|words| words.checked_mul(4));
        let Some(blob) = blob.filter(|&blob| blob <= bytes.len()) else {
            return Err(ModelError::Tokens("it is too short for its offsets"));
        };
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
        let next = id.checked_add(1).and_then(|next| word(self.offsets, next));
        match (word(self.offsets, id), next) {
            (Some(start), Some(end)) => &self.blob[start..end],
            _ => &[],
        }
    }

    /// The first token of exactly these bytes.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        (0..self.len() as u32).find(|&id| self.bytes(id) == bytes)
    }
}

/// What the tests of several files read.
#[cfg(all(test, feature = "std"))]
pub(crate) mod testing {
    use std::vec::Vec;

    /// A token table of these bytes.
    pub(crate) fn table(tokens: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let mut bytes = (tokens.len() as u32).to_le_bytes().to_vec();
        let mut offset = 0u32;
        bytes.extend(offset.to_le_bytes());
        for token in tokens {
            offset += token.as_ref().len() as u32;
            bytes.extend(offset.to_le_bytes());
        }
        bytes.extend(tokens.iter().flat_map(|token| token.as_ref()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tokens, `a` and nothing.
    const TABLE: [u8; 17] = [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, b'a'];

    #[test]
    fn ids_beyond_the_table_have_no_bytes() {
        let table = TokenTable::parse(&TABLE, 2).unwrap();
        assert_eq!((table.bytes(0), table.bytes(1)), (&b"a"[..], &b""[..]));
        // The last two are where four times an id overflows 32 bits.
        for id in [2, 3, u32::MAX / 4 + 1, u32::MAX] {
            assert!(table.bytes(id).is_empty(), "{id}");
        }
    }

    #[test]
    fn counts_beyond_the_bytes_are_refused() {
        for count in [3, u32::MAX / 4, u32::MAX - 1, u32::MAX] {
            let mut table = TABLE;
            table[..4].copy_from_slice(&count.to_le_bytes());
            assert!(TokenTable::parse(&table, count as usize).is_err(), "{count}");
        }
    }
}
