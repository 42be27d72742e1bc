//! Ternary products: every layout, scale granularity and activation group, at every level, against
//! the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::quantize::Granularity;
use trit_core::{GroupSize, Layout, TernaryMatrix, layout, reference};
use trit_fuzz::{Activations, Operands, assert_same, guarded, levels};

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let layout = input.pick(&[Layout::T4, Layout::T5]);
    let granularity = input.pick(&[
        Granularity::Tensor,
        Granularity::Row,
        Granularity::Group(GroupSize::G32),
        Granularity::Group(GroupSize::G64),
        Granularity::Group(GroupSize::G128),
        Granularity::Group(GroupSize::G256),
    ]);
    let (rows, k, tokens) = input.shape();
    // Any bytes: a 2-bit code 3 acts as the weight +2, and padding need not be clean.
    let codes = input.bytes(layout::bytes(layout, rows, k).expect("a small matrix"));
    let scales = input.floats(granularity.scales_len(rows, k));
    let w = TernaryMatrix::new(rows, k, layout, &codes, granularity.scales(&scales))
        .expect("buffers of the right lengths");
    let acts = Activations::new(&mut input, tokens, k);
    let bias = input.bias(rows);
    let range = input.rows(rows);
    let n = tokens * range.len();
    let expected = guarded(n, |y| {
        reference::ternary(&w, &acts.view(), bias.as_deref(), range.clone(), y);
    });
    for (level, kernels) in levels() {
        let found = guarded(n, |y| {
            kernels
                .ternary(&w, &acts.view(), bias.as_deref(), range.clone(), y)
                .expect("shapes that fit");
        });
        assert_same(&found, &expected, level);
    }
});
