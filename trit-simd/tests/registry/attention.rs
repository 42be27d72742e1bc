//! Attention over keys and values in 7 bits, as bits.

use proptest::prelude::*;
use trit_core::heads::{HeadShape, HeadsMut, MAX_CODE, Side};
use trit_core::{QuantizeError, reference};
use trit_simd::{Kernels, attention_scratch_len, attention_u7_scratch_len};

use crate::common::{GUARD, Odd, Random, banded, bits, cases, guarded, levels};

/// Codes and scales of one side's heads.
struct Buffers {
    shape: HeadShape,
    codes: Odd<u8>,
    scales: Odd<f32>,
}

impl Buffers {
    /// Codes of any value that may stand in padding or be left from before, or all `one`; scales as
    /// from a quantiser.
    fn new(random: &mut Random, shape: HeadShape, one: Option<u8>) -> Self {
        let code = |_| one.unwrap_or((random.next() % 128) as u8);
        let codes = Odd::new(shape.codes_len(), code);
        let scales = Odd::new(shape.scales_len(), |_| random.unit().abs() * 0.1);
        Self { shape, codes, scales }
    }

    fn heads(&mut self) -> HeadsMut<'_> {
        HeadsMut::new(self.shape, self.codes.as_mut(), self.scales.as_mut()).unwrap()
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Keys), Just(Side::Values)]
}

/// Heads, width, positions.
fn shape() -> impl Strategy<Value = HeadShape> {
    (1usize..4, prop_oneof![4 => 1usize..40, 1 => Just(64)], 1usize..150)
        .prop_map(|(heads, width, positions)| HeadShape::new(heads, width, positions).unwrap())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn storing_equals_the_reference(
        shape in shape(),
        side in side(),
        start in any::<prop::sample::Index>(),
        tokens in any::<prop::sample::Index>(),
        magnitude in prop_oneof![Just(1e-42f32), Just(1e-30), Just(1.0), Just(1e30)],
        seed in 1u64..,
    ) {
        let start = start.index(shape.positions());
        let tokens = tokens.index(shape.positions() - start) + 1;
        let mut random = Random(seed);
        let x = Odd::new(tokens * shape.columns(), |at| {
            // One token in three is zeros.
            if at / shape.columns() % 3 == 1 { 0.0 } else { magnitude * random.unit() }
        });
        let stored = |store: &dyn Fn(&mut HeadsMut<'_>)| {
            let before = Buffers::new(&mut Random(seed), shape, None);
            let mut scales = Vec::new();
            let codes = banded(200, shape.codes_len(), |codes| {
                codes.copy_from_slice(&before.codes);
                scales = guarded(shape.scales_len(), |scales| {
                    scales.copy_from_slice(&before.scales);
                    store(&mut HeadsMut::new(shape, codes, scales).unwrap());
                });
            });
            (codes, scales)
        };
        let expected = stored(&|heads| reference::store_heads(&x, side, start, heads).unwrap());
        prop_assert!(expected.0.iter().all(|&code| code <= MAX_CODE));
        for kernels in levels() {
            let found = stored(&|heads| kernels.store_heads(&x, side, start, heads).unwrap());
            prop_assert_eq!(&found, &expected, "{:?}", kernels);
        }
    }

    #[test]
    fn attention_equals_the_reference(
        shape in shape(),
        tokens in 1usize..19,
        ctx in any::<prop::sample::Index>(),
        codes in prop_oneof![4 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(MAX_CODE))],
        same in any::<bool>(),
        scale in prop_oneof![Just(1e-3f32), Just(0.125), Just(30.0)],
        seed in 1u64..,
    ) {
        let ctx = ctx.index(shape.positions()) + 1;
        let mut random = Random(seed);
        let mut keys = Buffers::new(&mut random, shape, codes);
        let mut values = Buffers::new(&mut random, shape, codes);
        // All the same, a query is ±127 throughout.
        let q = Odd::new(tokens * shape.columns(), |_| if same { -1.5 } else { random.unit() });
        let (keys, values) = (keys.heads(), values.heads());
        let (keys, values) = (keys.as_ref(), values.as_ref());
        let mut scratch = vec![GUARD; ctx];
        let expected = guarded(q.len(), |out| {
            reference::attention_u7(&q, &keys, &values, ctx, scale, &mut scratch, out).unwrap();
        });
        for kernels in levels() {
            let found = guarded(q.len(), |out| {
                guarded(attention_u7_scratch_len(&shape), |scratch| {
                    kernels.attention_u7(&q, &keys, &values, ctx, scale, scratch, out).unwrap();
                });
            });
            prop_assert_eq!(&found, &expected, "{:?}", kernels);
        }
    }
}

/// Weights so small that a block is left out, and scales of 0.
#[test]
fn blocks_without_weight_add_nothing() {
    let shape = HeadShape::new(1, 20, 200).unwrap();
    let mut random = Random(3);
    let mut keys = Buffers::new(&mut random, shape, None);
    let mut values = Buffers::new(&mut random, shape, None);
    for (at, scale) in values.scales.as_mut().iter_mut().enumerate() {
        *scale = [1.0, 0.0, 1e-32, 1e-30][at / 64];
    }
    let q = random.floats(9 * 20);
    let (keys, values) = (keys.heads(), values.heads());
    let (keys, values) = (keys.as_ref(), values.as_ref());
    let expected = guarded(q.len(), |out| {
        reference::attention_u7(&q, &keys, &values, 200, 1.0, &mut [0.0; 200], out).unwrap();
    });
    assert!(expected.iter().all(|&bits| f32::from_bits(bits).is_finite()));
    for kernels in levels() {
        let mut scratch = vec![GUARD; attention_u7_scratch_len(&shape)];
        let found = guarded(q.len(), |out| {
            kernels.attention_u7(&q, &keys, &values, 200, 1.0, &mut scratch, out).unwrap();
        });
        assert_eq!(found, expected, "{kernels:?}");
    }
}

/// Scores that f32 would not hold are held back, and those of keys and queries of zeros are all the same.
#[test]
fn scores_of_any_size_give_numbers() {
    let shape = HeadShape::new(1, 20, 200).unwrap();
    let mut random = Random(5);
    let mut values = Buffers::new(&mut random, shape, None);
    let values = values.heads();
    for (key_scale, magnitude, scale) in [
        (5e36, 1e30, 1e8),
        (1e-38, f32::MAX, f32::MAX),
        (0.0, 1.0, 1.0),
        (1.0, 0.0, f32::INFINITY),
        (1.0, 1.0, -3.0),
    ] {
        let mut keys = Buffers::new(&mut random, shape, None);
        keys.scales.as_mut().fill(key_scale);
        let keys = keys.heads();
        let q: Vec<_> =
            random.floats(9 * 20).iter().map(|x| x.clamp(-1.0, 1.0) * magnitude).collect();
        let (keys, values) = (keys.as_ref(), values.as_ref());
        let expected = guarded(q.len(), |out| {
            reference::attention_u7(&q, &keys, &values, 200, scale, &mut [0.0; 200], out).unwrap();
        });
        assert!(expected.iter().all(|&bits| f32::from_bits(bits).is_finite()));
        for kernels in levels() {
            let mut scratch = vec![GUARD; attention_u7_scratch_len(&shape)];
            let found = guarded(q.len(), |out| {
                kernels.attention_u7(&q, &keys, &values, 200, scale, &mut scratch, out).unwrap();
            });
            assert_eq!(found, expected, "{kernels:?}");
        }
    }
}

/// Seven bits lie near f32, for scores from flat to peaked.
#[test]
fn seven_bits_are_near_f32() {
    let (heads, width, ctx, tokens) = (2, 64, if cfg!(miri) { 70 } else { 500 }, 9);
    let (shape, d) = (HeadShape::new(heads, width, ctx).unwrap(), heads * width);
    let mut random = Random(11);
    // Near to normal: a sum of four.
    let mut normal = |n| Odd::new(n, |_| (0..4).map(|_| random.unit()).sum::<f32>() * 0.866);
    let (q, k, v) = (normal(tokens * d), normal(ctx * d), normal(ctx * d));
    let mut keys_t = vec![0.0; d * ctx];
    for (at, &key) in k.iter().enumerate() {
        keys_t[at % d * ctx + at / d] = key;
    }
    let kernels = Kernels::scalar();
    let mut buffers = [(); 2].map(|()| Buffers::new(&mut Random(1), shape, Some(0)));
    let [keys, values] = &mut buffers;
    let (mut keys, mut values) = (keys.heads(), values.heads());
    kernels.store_heads(&k, Side::Keys, 0, &mut keys).unwrap();
    kernels.store_heads(&v, Side::Values, 0, &mut values).unwrap();
    for (scale, most) in [(0.02, 0.02), (0.125, 0.02), (0.6, 0.05)] {
        let (mut exact, mut found) = (vec![0.0; q.len()], vec![0.0; q.len()]);
        let mut scratch = vec![0.0; attention_scratch_len(ctx)];
        let (q, v) = (&*q, &*v);
        kernels
            .attention(q, &keys_t, ctx, v, heads, d, ctx, None, scale, &mut scratch, &mut exact)
            .unwrap();
        let mut scratch = vec![0.0; attention_u7_scratch_len(&shape)];
        let (keys, values) = (keys.as_ref(), values.as_ref());
        kernels.attention_u7(q, &keys, &values, ctx, scale, &mut scratch, &mut found).unwrap();
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let error = norm(&mut exact.iter().zip(&found).map(|(a, b)| a - b));
        let relative = (error / norm(&mut exact.iter().copied())).sqrt();
        println!("scale {scale}: {relative:.4}");
        assert!(relative <= most, "scale {scale}: {relative}");
    }
}

#[test]
fn misfits_and_infinities_are_errors() {
    let shape = HeadShape::new(2, 3, 5).unwrap();
    let mut random = Random(2);
    let mut buffers = [(); 2].map(|()| Buffers::new(&mut random, shape, None));
    let [keys, values] = &mut buffers;
    let (mut keys, mut values) = (keys.heads(), values.heads());
    for kernels in levels() {
        assert!(kernels.store_heads(&[0.0; 7], Side::Keys, 0, &mut keys).is_err());
        assert!(kernels.store_heads(&[0.0; 12], Side::Keys, 4, &mut keys).is_err());
        assert!(kernels.store_heads(&[0.0; 6], Side::Keys, usize::MAX, &mut keys).is_err());
        let mut x = [0.0; 12];
        x[8] = f32::NAN;
        let error = Err(QuantizeError::NonFinite { token: 1, index: 2 });
        assert_eq!(kernels.store_heads(&x, Side::Values, 0, &mut values), error);
        let (keys, values) = (keys.as_ref(), values.as_ref());
        let mut scratch = vec![0.0; attention_u7_scratch_len(&shape)];
        let mut attend = |q: &[f32], ctx, out: &mut [f32]| {
            kernels.attention_u7(q, &keys, &values, ctx, 1.0, &mut scratch, out)
        };
        assert_eq!(attend(&x, 5, &mut [0.0; 12]), error);
        assert!(attend(&x[..6], 0, &mut [0.0; 6]).is_err());
        assert!(attend(&x[..6], 6, &mut [0.0; 6]).is_err());
        assert!(attend(&x[..5], 1, &mut [0.0; 5]).is_err());
        assert!(attend(&x[..6], 1, &mut [0.0; 5]).is_err());
        let mut other = Buffers::new(&mut Random(4), HeadShape::new(2, 4, 5).unwrap(), None);
        let other = other.heads();
        let mut out = [0.0; 6];
        let result =
            kernels.attention_u7(&x[..6], &keys, &other.as_ref(), 1, 1.0, &mut scratch, &mut out);
        assert!(result.is_err());
        assert_eq!(bits(&out), bits(&[0.0; 6]));
    }
    // So does the definition.
    let mut other = Buffers::new(&mut Random(4), HeadShape::new(2, 3, 64).unwrap(), None);
    let (keys, values, other) = (keys.as_ref(), values.as_ref(), other.heads());
    let attend =
        |q: &[f32], values: &trit_core::Heads<'_>, scratch: &mut [f32], out: &mut [f32]| {
            reference::attention_u7(q, &keys, values, 5, 1.0, scratch, out)
        };
    let (mut scratch, mut out) = ([0.0; 5], [0.0; 6]);
    assert!(attend(&[0.0; 6], &values, &mut scratch, &mut out).is_ok());
    assert!(attend(&[0.0; 6], &other.as_ref(), &mut scratch, &mut out).is_err());
    assert!(attend(&[0.0; 6], &values, &mut scratch[1..], &mut out).is_err());
    assert!(attend(&[0.0; 5], &values, &mut scratch, &mut out[1..]).is_err());
}
