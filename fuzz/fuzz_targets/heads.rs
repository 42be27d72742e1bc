//! Keys and values in 7 bits, and attention over them, at every level, against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::heads::{MAX_CODE, Side};
use trit_core::{HeadShape, HeadsMut, reference};
use trit_fuzz::{Guarded, Operands, assert_same, guarded, levels};
use trit_simd::attention_u7_scratch_len;

/// Codes and scales of keys or values.
type Buffers = (Vec<u8>, Vec<f32>);

/// What `store` leaves in buffers of the given codes.
fn stored(shape: HeadShape, codes: &[u8], store: impl FnOnce(&mut HeadsMut<'_>)) -> Buffers {
    let (mut codes, mut scales) = (codes.to_vec(), vec![0.0; shape.scales_len()]);
    store(&mut HeadsMut::new(shape, &mut codes, &mut scales).expect("codes of 7 bits"));
    (codes, scales)
}

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let (heads, width) = (input.number(1, 4), input.number(1, 70));
    let (tokens, ctx) = (input.number(1, 11), input.number(1, 150));
    let positions = ctx + input.number(0, 20);
    let shape = HeadShape::new(heads, width, positions).expect("small dimensions");
    let (d, scale) = (shape.columns(), input.pick(&[0.0, 1e-3, 0.125, 3.0]));
    let mut finite = |n: usize| -> Vec<f32> {
        input.floats(n).into_iter().map(|x| if x.abs() < 1e15 { x } else { 0.0 }).collect()
    };
    let (q, keys, values) = (finite(tokens * d), finite(ctx * d), finite(ctx * d));
    let codes: Vec<u8> =
        input.bytes(shape.codes_len()).into_iter().map(|code| code & MAX_CODE).collect();

    let mut sides = [(Side::Keys, keys), (Side::Values, values)].map(|(side, x)| {
        let expected = stored(shape, &codes, |heads| {
            reference::store_heads(&x, side, 0, heads).expect("finite values that fit");
        });
        for (level, kernels) in levels() {
            let found = stored(shape, &codes, |heads| {
                kernels.store_heads(&x, side, 0, heads).expect("finite values that fit");
            });
            assert_eq!(found.0, expected.0, "{level}: codes");
            assert_same(&found.1, &expected.1, level);
        }
        expected
    });
    let [keys, values] = &mut sides;
    let keys = HeadsMut::new(shape, &mut keys.0, &mut keys.1).expect("codes of 7 bits");
    let values = HeadsMut::new(shape, &mut values.0, &mut values.1).expect("codes of 7 bits");
    let (keys, values) = (keys.as_ref(), values.as_ref());
    let expected = guarded(q.len(), |out| {
        reference::attention_u7(&q, &keys, &values, ctx, scale, &mut vec![0.0; ctx], out)
            .expect("shapes that fit");
    });
    for (level, kernels) in levels() {
        let mut scratch = Guarded::new(attention_u7_scratch_len(&shape));
        let found = guarded(q.len(), |out| {
            kernels
                .attention_u7(&q, &keys, &values, ctx, scale, scratch.inner(), out)
                .expect("shapes that fit");
        });
        // Scratch need not be written, but the bands around it must not be.
        scratch.inner().fill(0.0);
        scratch.finish();
        assert_same(&found, &expected, level);
    }
});
