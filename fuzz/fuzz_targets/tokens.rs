//! Any bytes as a token table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_whisper::TokenTable;

fuzz_target!(|data: &[u8]| {
    let stated = data.first_chunk().map_or(0, |count| u32::from_le_bytes(*count) as usize);
    assert!(TokenTable::parse(data, stated.wrapping_add(1)).is_err());
    assert!(TokenTable::parse(data, usize::MAX).is_err());
    let Ok(table) = TokenTable::parse(data, stated) else { return };
    assert_eq!((table.len(), table.is_empty()), (stated, stated == 0));
    // The tokens are the bytes after the offsets, in order.
    let tokens: Vec<u8> = (0..stated as u32).flat_map(|id| table.bytes(id)).copied().collect();
    assert_eq!(tokens, data[4 * (stated + 2)..]);
    for id in (0..stated as u32).take(8) {
        let found = table.find(table.bytes(id)).expect("it is there");
        assert!(found <= id && table.bytes(found) == table.bytes(id));
    }
    for beyond in [stated as u32, u32::MAX] {
        assert!(table.bytes(beyond).is_empty());
    }
});
