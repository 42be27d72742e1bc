//! Any bytes as blocks of every foreign format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::foreign::bitnet;
use trit_core::foreign::ggml::{self, GgmlType};
use trit_core::foreign::i2_s::{self, I2sLayout};
use trit_fuzz::Operands;

const KINDS: [GgmlType; 10] = [
    GgmlType::F32,
    GgmlType::F16,
    GgmlType::Q4_0,
    GgmlType::Q4_1,
    GgmlType::Q5_0,
    GgmlType::Q5_1,
    GgmlType::Q8_0,
    GgmlType::Tq1_0,
    GgmlType::Tq2_0,
    GgmlType::Q2_0,
];

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    match input.byte() % 3 {
        0 => ggml_blocks(&mut input),
        1 => i2_s_tensor(&mut input),
        _ => bitnet_matrix(&mut input),
    }
});

fn ggml_blocks(input: &mut Operands<'_>) {
    let kind = input.pick(&KINDS);
    let (blocks, spare) = (input.number(0, 20), usize::from(input.byte().is_multiple_of(8)));
    let elements = blocks * kind.block_len();
    let bytes = input.bytes(blocks * kind.block_bytes() + spare);
    let (mut values, mut codes, mut scales) =
        (vec![0.0; elements], vec![0; elements], vec![0.0; blocks]);
    let dense = ggml::dequantize(kind, &bytes, &mut values);
    let ternary = ggml::ternary(kind, &bytes, &mut codes, &mut scales);
    assert_eq!(dense.is_ok(), spare == 0);
    if ternary.is_ok() {
        assert!(kind.is_ternary());
        assert!(codes.iter().all(|code| (-1..=1).contains(code)));
        for (i, &value) in values.iter().enumerate() {
            assert_eq!(f32::from(codes[i]) * scales[i / kind.block_len()], value);
        }
    }
}

fn i2_s_tensor(input: &mut Operands<'_>) {
    let layout = input.pick(&[I2sLayout::Blocks128, I2sLayout::Blocks64, I2sLayout::Rows4]);
    let (rows, k) = (input.number(0, 12), 32 * input.number(0, 12) + usize::from(input.byte() % 8));
    let spare = usize::from(input.byte().is_multiple_of(8));
    let bytes = input.bytes(i2_s::bytes(rows, k).expect("a small tensor") + spare);
    let mut codes = vec![9; rows * k];
    if let Ok(scale) = i2_s::read(layout, rows, k, &bytes, &mut codes) {
        assert!(scale.is_finite() && spare == 0);
        assert!(codes.iter().all(|code| (-1..=1).contains(code)));
    }
}

fn bitnet_matrix(input: &mut Operands<'_>) {
    let (rows, k) = (input.number(0, 40), input.number(0, 40));
    let spare = usize::from(input.byte().is_multiple_of(8));
    let bytes = input.bytes(rows / 4 * k + spare);
    let mut codes = vec![9; rows * k];
    if bitnet::read(rows, k, &bytes, &mut codes).is_ok() {
        assert!(rows % 4 == 0 && spare == 0);
        assert!(codes.iter().all(|code| (-1..=1).contains(code)));
    }
    let convention =
        input.pick(&[bitnet::ScaleConvention::Multiplies, bitnet::ScaleConvention::Divides]);
    if let Ok(scale) = convention.scale(input.raw_floats(1)[0]) {
        assert!(scale.is_finite());
    }
}
