//! Model files from fuzz input.

use trit_core::container::MAGIC;

/// Bytes of the header, and of each record of the directory.
const HEAD: usize = 128;

/// Most bytes of a file.
const MOST: usize = 1 << 15;

/// A file in memory, aligned as readers want it.
#[repr(C, align(64))]
pub struct ModelFile {
    bytes: [u8; MOST],
    len: usize,
}

impl ModelFile {
    /// The file `data`, cut to 32 KiB, with magic, version, length and both checksums made right,
    /// so that what lies behind them is reached.
    pub fn sealed(data: &[u8]) -> Box<Self> {
        let len = data.len().min(MOST);
        let mut file = Box::new(Self { bytes: [0; MOST], len });
        file.bytes[..len].copy_from_slice(&data[..len]);
        let bytes = &mut file.bytes[..len];
        if len >= HEAD {
            bytes[..8].copy_from_slice(&MAGIC);
            bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
            bytes[16..24].copy_from_slice(&(len as u64).to_le_bytes());
            bytes[24..32].copy_from_slice(&(HEAD as u64).to_le_bytes());
            bytes[32..HEAD].fill(0);
            let entries = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
            let end = HEAD.saturating_add((entries as usize).saturating_mul(HEAD));
            if let Some(directory) = bytes.get(HEAD..end) {
                let crc = crc32fast::hash(directory);
                bytes[32..36].copy_from_slice(&crc.to_le_bytes());
            }
            let crc = crc32fast::hash(&bytes[..HEAD]);
            bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        }
        file
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
