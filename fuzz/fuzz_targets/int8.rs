//! Int8 products at every level, against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::{Int8Matrix, padded_rows, reference};
use trit_fuzz::{Activations, Operands, assert_same, guarded, levels};

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let (rows, k, tokens) = input.shape();
    let drawn = input.ints(rows * k);
    let stride = Int8Matrix::stride_of(k);
    let mut values = vec![0; rows * stride];
    for (to, from) in values.chunks_exact_mut(stride).zip(drawn.chunks_exact(k)) {
        to[..k].copy_from_slice(from);
    }
    let scales = input.floats(padded_rows(rows));
    let w = Int8Matrix::new(rows, k, &values, &scales).expect("buffers of the right lengths");
    let acts = Activations::new(&mut input, tokens, k);
    let bias = input.bias(rows);
    let range = input.rows(rows);
    let n = tokens * range.len();
    let expected = guarded(n, |y| {
        reference::int8(&w, &acts.view(), bias.as_deref(), range.clone(), y);
    });
    for (level, kernels) in levels() {
        let found = guarded(n, |y| {
            kernels
                .int8(&w, &acts.view(), bias.as_deref(), range.clone(), y)
                .expect("shapes that fit");
        });
        assert_same(&found, &expected, level);
    }
});
