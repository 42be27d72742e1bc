//! Any bytes as a model file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::container::{Container, MAGIC};
use trit_whisper::Model;

#[repr(C, align(64))]
struct Aligned([u8; 1 << 16]);

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    (!crc).to_le_bytes()
}

fuzz_target!(|data: &[u8]| {
    let mut file = Box::new(Aligned([0; 1 << 16]));
    let len = data.len().min(1 << 16);
    let bytes = &mut file.0[..len];
    bytes.copy_from_slice(&data[..len]);
    if len >= 128 {
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
        bytes[16..24].copy_from_slice(&(len as u64).to_le_bytes());
        bytes[24..32].copy_from_slice(&128u64.to_le_bytes());
        let entries = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as usize;
        if let Some(directory) = bytes.get(128..128 + entries.min(4096) * 128) {
            let crc = crc(directory);
            bytes[32..36].copy_from_slice(&crc);
        }
        bytes[36..128].fill(0);
        let crc = crc(&bytes[..128]);
        bytes[36..40].copy_from_slice(&crc);
    }
    if let Ok(container) = Container::open(bytes) {
        let _ = container.verify();
    }
    let _ = Model::parse(bytes);
});
