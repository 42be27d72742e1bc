//! Any bytes as packed weights, and any weights to be packed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::{Layout, MatrixError, Scales, TernaryMatrix, int4, layout};
use trit_fuzz::{Operands, guarded, levels};

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    if input.flag() { four_bits(&mut input) } else { trits(&mut input) }
});

fn trits(input: &mut Operands<'_>) {
    let layout = input.pick(&[Layout::T4, Layout::T5]);
    let (rows, k) = (input.number(1, 40), input.number(1, 90));
    let len = layout::bytes(layout, rows, k).expect("a small matrix");

    let codes = input.bytes(len);
    let mut weights = vec![i8::MIN; rows * k];
    layout::unpack(layout, rows, k, &codes, &mut weights).expect("buffers that fit");
    let matrix = TernaryMatrix::new(rows, k, layout, &codes, Scales::Tensor(1.0));
    let matrix = matrix.expect("buffers that fit");
    for (index, &weight) in weights.iter().enumerate() {
        assert_eq!(weight, matrix.weight(index / k, index % k));
        assert!((-1..=1).contains(&weight) || (weight == 2 && layout == Layout::T4));
    }
    let mut packed = vec![0; len];
    let result = layout::pack(layout, rows, k, &weights, &mut packed);
    match weights.iter().position(|&weight| weight == 2) {
        Some(index) => assert_eq!(result, Err(MatrixError::NotTernary { index, found: 2 })),
        None => {
            result.expect("trits");
            assert!(packed.iter().all(|&byte| layout.is_canonical(byte)));
            // Without padding, packing gives back just the bytes it could have made.
            if rows % 16 == 0 && k % layout.tile_k() == 0 {
                let canonical = codes.iter().all(|&byte| layout.is_canonical(byte));
                assert_eq!(packed == codes, canonical);
            }
        }
    }

    if layout == Layout::T5 {
        let mut t4 = vec![0xFF; layout::bytes(Layout::T4, rows, k).expect("a small matrix")];
        layout::t5_to_t4(k, &codes, &mut t4).expect("buffers that fit");
        let mut again = vec![i8::MIN; rows * k];
        layout::unpack(Layout::T4, rows, k, &t4, &mut again).expect("buffers that fit");
        assert_eq!(again, weights);
        for (level, kernels) in levels() {
            let found = guarded(t4.len(), |t4| {
                kernels.t5_to_t4(k, &codes, t4).expect("buffers that fit");
            });
            assert_eq!(found, t4, "{level}");
        }
    }

    let drawn = input.ints(rows * k);
    let result = layout::pack(layout, rows, k, &drawn, &mut packed);
    match drawn.iter().position(|weight| !(-1..=1).contains(weight)) {
        Some(index) => {
            assert_eq!(result, Err(MatrixError::NotTernary { index, found: drawn[index] }));
        }
        None => {
            result.expect("trits");
            layout::unpack(layout, rows, k, &packed, &mut weights).expect("buffers that fit");
            assert_eq!(weights, drawn);
        }
    }
}

fn four_bits(input: &mut Operands<'_>) {
    let (rows, k) = (input.number(1, 40), input.number(1, 90));
    let codes = input.bytes(int4::bytes(rows, k).expect("a small matrix"));
    let mut weights = vec![i8::MIN; rows * k];
    int4::unpack(rows, k, &codes, &mut weights).expect("buffers that fit");
    let mut packed = vec![0; codes.len()];
    int4::pack(rows, k, &weights, &mut packed).expect("every code is a weight");
    let padded = rows % 16 != 0 || k % int4::TILE_K != 0;
    assert!(padded || packed == codes);

    let drawn = input.ints(rows * k);
    let result = int4::pack(rows, k, &drawn, &mut packed);
    match drawn.iter().position(|weight| !int4::RANGE.contains(weight)) {
        Some(index) => assert_eq!(result, Err(MatrixError::NotInt4 { index, found: drawn[index] })),
        None => {
            result.expect("weights of 4 bits");
            int4::unpack(rows, k, &packed, &mut weights).expect("buffers that fit");
            assert_eq!(weights, drawn);
        }
    }
}
