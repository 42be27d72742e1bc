//! Attention on any floats at every level, against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::reference;
use trit_fuzz::{Guarded, Operands, assert_same, guarded, levels};
use trit_simd::attention_scratch_len;

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let (heads, width) = (input.number(1, 4), input.number(1, 40));
    let (tokens, ctx) = (input.number(1, 11), input.number(1, 90));
    let key_stride = ctx + input.number(0, 20);
    let causal = match input.byte() % 4 {
        0 | 1 => None,
        2 => Some(input.number(0, 2 * ctx)),
        _ => Some(usize::MAX - input.number(0, 2 * tokens)),
    };
    let d = heads * width;
    let q = input.floats(tokens * d);
    let (keys, values) = (input.floats(d * key_stride), input.floats(ctx * d));
    let scale = input.floats(1)[0];
    let expected = guarded(tokens * d, |out| {
        let mut scratch = vec![0.0; ctx];
        reference::attention(
            &q,
            &keys,
            key_stride,
            &values,
            heads,
            d,
            ctx,
            causal,
            scale,
            &mut scratch,
            out,
        );
    });
    for (level, kernels) in levels() {
        let mut scratch = Guarded::new(attention_scratch_len(ctx));
        let found = guarded(tokens * d, |out| {
            let scratch = scratch.inner();
            kernels
                .attention(
                    &q, &keys, key_stride, &values, heads, d, ctx, causal, scale, scratch, out,
                )
                .expect("shapes that fit");
        });
        // Scratch need not be written, but the bands around it must not be.
        scratch.inner().fill(0.0);
        scratch.finish();
        assert_same(&found, &expected, level);
    }
});
