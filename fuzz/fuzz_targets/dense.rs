//! Dense products of f32 and f16 weights at every level, against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::{F16Matrix, F32Matrix, f16, reference};
use trit_fuzz::{Operands, assert_same, guarded, levels};

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let (rows, k, tokens) = input.shape();
    // Below k, tokens overlap as the patches of a convolution do.
    let stride = input.number(0, k + 9);
    let single = input.floats(rows * k);
    let half: Vec<u16> = if input.flag() {
        single.iter().map(|&w| f16::from_f32(w)).collect()
    } else {
        input
            .bytes(2 * rows * k)
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect()
    };
    let x = input.floats((tokens - 1) * stride + k);
    let bias = input.bias(rows);
    let bias = bias.as_deref();
    let range = input.rows(rows);
    let single = F32Matrix::new(rows, k, &single).expect("buffers of the right lengths");
    let half = F16Matrix::new(rows, k, &half).expect("buffers of the right lengths");

    // The reference takes tokens side by side and gives all rows.
    let tokens_of_x: Vec<f32> =
        (0..tokens).flat_map(|token| &x[token * stride..][..k]).copied().collect();
    let all = |product: &dyn Fn(&mut [f32])| -> Vec<f32> {
        let y = guarded(tokens * rows, |y| product(y));
        y.chunks_exact(rows).flat_map(|y| &y[range.clone()]).copied().collect()
    };
    let expected = all(&|y| reference::dense_f32(&single, &tokens_of_x, bias, y));
    let expected_half = all(&|y| reference::dense_f16(&half, &tokens_of_x, bias, y));
    for (level, kernels) in levels() {
        let found = guarded(tokens * range.len(), |y| {
            kernels
                .dense_f32(&single, &x, stride, tokens, bias, range.clone(), y)
                .expect("shapes that fit");
        });
        assert_same(&found, &expected, (level, "f32"));
        let found = guarded(tokens * range.len(), |y| {
            kernels
                .dense_f16(&half, &x, stride, tokens, bias, range.clone(), y)
                .expect("shapes that fit");
        });
        assert_same(&found, &expected_half, (level, "f16"));
    }
});
