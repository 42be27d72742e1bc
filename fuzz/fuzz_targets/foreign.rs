//! Any bytes as foreign blocks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::foreign::{bitnet, ggml, i2_s};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    if let Some(kind) = ggml::GgmlType::new(u32::from(kind)) {
        let elements = data.len() / kind.block_bytes() * kind.block_len();
        let bytes = &data[..elements / kind.block_len() * kind.block_bytes()];
        let mut values = vec![0.0; elements];
        ggml::dequantize(kind, bytes, &mut values).expect("whole blocks");
        let (mut codes, mut scales) = (vec![0; elements], vec![0.0; elements / kind.block_len()]);
        if ggml::ternary(kind, bytes, &mut codes, &mut scales).is_ok() {
            assert!(codes.iter().all(|code| (-1..=1).contains(code)));
            let group = kind.block_len();
            for (i, &value) in values.iter().enumerate() {
                assert_eq!(f32::from(codes[i]) * scales[i / group], value);
            }
        }
    }
    for layout in [i2_s::I2sLayout::Blocks128, i2_s::I2sLayout::Blocks64, i2_s::I2sLayout::Rows4] {
        let rows = data.len() / 32;
        let _ = i2_s::read(layout, rows, 128, data, &mut vec![0; rows * 128]);
    }
    let rows = data.len() / 8 * 4;
    let _ = bitnet::read(rows, 8, &data[..rows * 2], &mut vec![0; rows * 8]);
});
