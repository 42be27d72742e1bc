//! Products of 4-bit weights with every group of weights and activations, at every level, against
//! the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::{GroupSize, Int4Matrix, Scales, int4, reference};
use trit_fuzz::{Activations, Operands, assert_same, guarded, levels};

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let group = input.pick(&GroupSize::ALL);
    let (rows, k, tokens) = input.shape();
    let codes = input.bytes(int4::bytes(rows, k).expect("a small matrix"));
    let scales = input.floats(Scales::len(rows, k, Some(group)));
    let w = Int4Matrix::new(rows, k, group, &codes, &scales).expect("buffers of the right lengths");
    let acts = Activations::new(&mut input, tokens, k);
    let bias = input.bias(rows);
    let range = input.rows(rows);
    let n = tokens * range.len();
    let expected = guarded(n, |y| {
        reference::int4(&w, &acts.view(), bias.as_deref(), range.clone(), y);
    });
    for (level, kernels) in levels() {
        let found = guarded(n, |y| {
            kernels
                .int4(&w, &acts.view(), bias.as_deref(), range.clone(), y)
                .expect("shapes that fit");
        });
        assert_same(&found, &expected, level);
    }
});
