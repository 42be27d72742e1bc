//! Float operations, as bits.

use proptest::prelude::*;
use trit_core::reference::{self, DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
use trit_core::{F16Matrix, F32Matrix, f16};
use trit_simd::{Kernels, attention_scratch_len};

use crate::common::{GUARD, Random, bits, cases, guarded, levels};

/// Lengths around the 16 lanes, and those of real models.
fn length() -> BoxedStrategy<usize> {
    if cfg!(miri) {
        return (1usize..50).boxed();
    }
    prop_oneof![6 => 1usize..200, 1 => Just(384), 1 => Just(768), 1 => Just(6912)].boxed()
}

/// Inputs and tokens of a dense product: few, and those around the ends of its blocks, of 768 and 64.
fn dense_shape() -> BoxedStrategy<(usize, usize)> {
    if cfg!(miri) {
        return (1usize..50, 1usize..10).boxed();
    }
    prop_oneof![
        6 => (length(), 1usize..10),
        1 => (prop_oneof![750usize..800, 1530usize..1560], 1usize..10),
        1 => (1usize..40, 60usize..70),
    ]
    .boxed()
}

/// Sizes of operands, from where everything underflows to where exp and erf saturate.
fn magnitude() -> impl Strategy<Value = f32> {
    prop_oneof![Just(1e-30f32), Just(1e-3), Just(1.0), Just(8.0), Just(1e4)]
}

/// Values of one size, with zeros of either sign among them.
fn values(seed: u64, n: usize, magnitude: f32) -> Vec<f32> {
    let mut random = Random(seed);
    let value = |_| match random.below(16) {
        0 => 0.0,
        1 => -0.0,
        _ => magnitude * random.unit(),
    };
    (0..n).map(value).collect()
}

/// Compares every level with the reference, both writing an output of `n` floats.
fn compare(
    n: usize,
    reference: impl FnOnce(&mut [f32]),
    kernel: impl Fn(&Kernels, &mut [f32]),
) -> Result<(), TestCaseError> {
    let expected = guarded(n, reference);
    for kernels in levels() {
        let found = guarded(n, |y| kernel(&kernels, y));
        prop_assert_eq!(&found, &expected, "{:?}", kernels);
    }
    Ok(())
}

/// As [`compare`], for operations in place on `x`.
fn compare_in_place(
    x: &[f32],
    reference: impl FnOnce(&mut [f32]),
    kernel: impl Fn(&Kernels, &mut [f32]),
) -> Result<(), TestCaseError> {
    let from_x = |y: &mut [f32]| y.copy_from_slice(x);
    compare(
        x.len(),
        |y| {
            from_x(y);
            reference(y);
        },
        |kernels, y| {
            from_x(y);
            kernel(kernels, y);
        },
    )
}

/// Of one input, so that every weight is an output: for one token, and for several.
#[test]
fn every_half_is_widened_exactly() {
    let step = if cfg!(miri) { 97 } else { 1 };
    let half: Vec<u16> = (0..=u16::MAX).step_by(step).collect();
    let rows = half.len();
    let w = F16Matrix::new(rows, 1, &half).unwrap();
    for kernels in levels() {
        for tokens in [1, 2] {
            let mut y = vec![0.0; tokens * rows];
            kernels.dense_f16(&w, &[1.0, 1.0], 1, tokens, None, 0..rows, &mut y).unwrap();
            for (&y, &half) in y.iter().zip(half.iter().cycle()) {
                // A sum starts from +0, so that no sum is −0; which NaN is left open.
                let expected = f16::to_f32(half) + 0.0;
                let same = y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan();
                assert!(same, "{kernels:?}: {half:#06x} is {y:e}");
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn dense_equals_the_reference(
        rows in 1usize..20,
        (k, tokens) in dense_shape(),
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let (w, x) = (random.floats(rows * k), random.floats(tokens * k));
        let half: Vec<u16> = w.iter().map(|&w| f16::from_f32(w)).collect();
        let (single, half) =
            (F32Matrix::new(rows, k, &w).unwrap(), F16Matrix::new(rows, k, &half).unwrap());
        let bias = (seed % 2 == 0).then(|| random.floats(rows));
        let bias = bias.as_deref();
        let n = tokens * rows;
        compare(
            n,
            |y| reference::dense_f32(&single, &x, bias, y),
            |kernels, y| kernels.dense_f32(&single, &x, k, tokens, bias, 0..rows, y).unwrap(),
        )?;
        compare(
            n,
            |y| reference::dense_f16(&half, &x, bias, y),
            |kernels, y| kernels.dense_f16(&half, &x, k, tokens, bias, 0..rows, y).unwrap(),
        )?;
    }

    /// Overlapping patches of tokens, and part of the rows: a convolution as a product.
    #[test]
    fn dense_patches_equal_the_convolution(
        rows in 1usize..12,
        channels in 1usize..40,
        frames in 3usize..12,
        stride in 1usize..3,
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let k = 3 * channels;
        let w = random.floats(rows * k);
        let w = F32Matrix::new(rows, k, &w).unwrap();
        // A frame of zeros on either side stands for the padding.
        let mut x = vec![0.0; (frames + 2) * channels];
        x[channels..(frames + 1) * channels].copy_from_slice(&random.floats(frames * channels));
        let tokens = frames.div_ceil(stride);
        let bias = random.floats(rows);
        let mut whole = vec![0.0; tokens * rows];
        let inner = &x[channels..(frames + 1) * channels];
        reference::conv1d(&w, inner, channels, stride, Some(&bias), &mut whole);
        let first = random.below(rows);
        let part = |y: &mut [f32]| {
            for (y, whole) in y.chunks_exact_mut(rows - first).zip(whole.chunks_exact(rows)) {
                y.copy_from_slice(&whole[first..]);
            }
        };
        let x_stride = stride * channels;
        compare(tokens * (rows - first), part, |kernels, y| {
            kernels.dense_f32(&w, &x, x_stride, tokens, Some(&bias), first..rows, y).unwrap();
        })?;
    }

    #[test]
    fn layer_norms_equal_the_reference(
        d in length(), tokens in 1usize..4, seed in 1u64.., magnitude in magnitude(),
    ) {
        let (x, gain, bias) =
            (values(seed, tokens * d, magnitude), values(seed + 1, d, 2.0), values(seed + 2, d, 1.0));
        compare(
            tokens * d,
            |y| reference::layer_norm(&x, &gain, &bias, 1e-5, y),
            |kernels, y| kernels.layer_norm(&x, &gain, &bias, 1e-5, y).unwrap(),
        )?;
    }

    #[test]
    fn rms_norms_equal_the_reference(
        d in length(), tokens in 1usize..4, seed in 1u64.., magnitude in magnitude(),
    ) {
        let (x, gain) = (values(seed, tokens * d, magnitude), values(seed + 1, d, 2.0));
        compare(
            tokens * d,
            |y| reference::rms_norm(&x, &gain, 1e-5, y),
            |kernels, y| kernels.rms_norm(&x, &gain, 1e-5, y).unwrap(),
        )?;
    }

    #[test]
    fn softmax_equals_the_reference(n in length(), seed in 1u64.., magnitude in magnitude()) {
        let x = values(seed, n, magnitude);
        compare_in_place(&x, reference::softmax, |kernels, y| kernels.softmax(y))?;
    }

    #[test]
    fn gelu_equals_the_reference(n in length(), seed in 1u64.., magnitude in magnitude()) {
        let x = values(seed, n, magnitude);
        compare_in_place(&x, reference::gelu, |kernels, y| kernels.gelu(y))?;
    }

    #[test]
    fn squared_relu_equals_the_reference(n in length(), seed in 1u64.., magnitude in magnitude()) {
        let x = values(seed, n, magnitude);
        compare_in_place(&x, reference::squared_relu, |kernels, y| kernels.squared_relu(y))?;
    }

    #[test]
    fn residual_sums_equal_the_reference(n in length(), seed in 1u64.., magnitude in magnitude()) {
        let (x, other) = (values(seed, n, magnitude), values(seed + 1, n, 1.0));
        compare_in_place(
            &x,
            |y| reference::add(y, &other),
            |kernels, y| kernels.add(y, &other).unwrap(),
        )?;
    }

    #[test]
    fn log10_equals_the_reference(n in length(), seed in 1u64.., magnitude in magnitude()) {
        let x = values(seed, n, magnitude);
        compare_in_place(
            &x,
            |y| y.iter_mut().for_each(|y| *y = reference::math::log10(y.max(1e-10))),
            |kernels, y| kernels.log10(y, 1e-10),
        )?;
    }

    #[test]
    fn attention_equals_the_reference(
        heads in 1usize..4,
        width in 1usize..40,
        tokens in 1usize..11,
        ctx in 1usize..90,
        spare in 0usize..9,
        causal in prop_oneof![Just(None), (0usize..90).prop_map(Some)],
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let (d, stride) = (heads * width, ctx + spare);
        let (q, keys) = (random.floats(tokens * d), random.floats(d * stride));
        let values = random.floats(ctx * d);
        let scratch = || vec![GUARD; attention_scratch_len(ctx)];
        compare(
            tokens * d,
            |y| {
                let scratch = &mut scratch();
                reference::attention(
                    &q, &keys, stride, &values, heads, d, ctx, causal, 2.5, scratch, y,
                );
            },
            |kernels, y| {
                let scratch = &mut scratch();
                kernels
                    .attention(&q, &keys, stride, &values, heads, d, ctx, causal, 2.5, scratch, y)
                    .unwrap();
            },
        )?;
    }
}

/// A value that a query does not see must not reach it, NaN and infinity included; and a start
/// beyond all keys is no overflow.
#[test]
fn causal_attention_keeps_unseen_values_out() {
    let (d, tokens, ctx) = (20, 4, 9);
    let mut random = Random(5);
    let (q, keys) = (random.floats(tokens * d), random.floats(d * ctx));
    let mut values = random.floats(ctx * d);
    values.as_mut()[6 * d..7 * d].fill(f32::NAN);
    values.as_mut()[8 * d..].fill(f32::INFINITY);
    for start in [5, usize::MAX] {
        let run = |attend: &dyn Fn(&mut [f32], &mut [f32])| {
            let mut scratch = vec![GUARD; attention_scratch_len(ctx)];
            let bits = guarded(tokens * d, |y| attend(&mut scratch, y));
            bits.into_iter().map(f32::from_bits).collect::<Vec<_>>()
        };
        let (causal, values) = (Some(start), &values);
        let expected = run(&|scratch, y| {
            reference::attention(&q, &keys, ctx, values, 1, d, ctx, causal, 1.0, scratch, y);
        });
        for kernels in levels() {
            let found = run(&|scratch, y| {
                kernels
                    .attention(&q, &keys, ctx, values, 1, d, ctx, causal, 1.0, scratch, y)
                    .unwrap();
            });
            // Which NaN is left open.
            let same =
                |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            assert!(found.iter().zip(&expected).all(same), "{kernels:?}");
            assert_eq!(found[..d].iter().all(|x| x.is_finite()), start == 5, "{kernels:?}");
        }
    }
}

#[test]
fn mel_equals_the_reference() {
    let mut random = Random(7);
    let table = DftTable::new();
    let frames: Vec<[f32; LANES]> =
        (0..FFT_SIZE).map(|_| core::array::from_fn(|_| random.unit())).collect();
    let frames: &[[f32; LANES]; FFT_SIZE] = frames.as_slice().try_into().unwrap();
    let filters: Vec<f32> = (0..80 * SPECTRUM_SIZE)
        .map(|i| if i % 7 < 4 { 0.0 } else { random.unit().abs() })
        .collect();
    let mut power = [[0.0; LANES]; SPECTRUM_SIZE];
    reference::power_spectrum(&table, frames, &mut power);
    let mut expected = vec![[0.0; LANES]; 80];
    reference::mel_project(&filters, &power, |m, mels| expected[m] = mels);
    for kernels in levels() {
        let mut found = vec![[GUARD; LANES]; 80];
        kernels.mel(&table, &filters, frames, &mut found).unwrap();
        assert_eq!(bits(found.as_flattened()), bits(expected.as_flattened()), "{kernels:?}");
    }
}
