//! Weight quantisers on any floats.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::quantize::{self, Granularity, TernaryRule};
use trit_core::{GroupSize, Int8Matrix, Scales, padded_rows};
use trit_fuzz::Operands;

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let granularity = input.pick(&[
        Granularity::Tensor,
        Granularity::Row,
        Granularity::Group(GroupSize::G32),
        Granularity::Group(GroupSize::G256),
    ]);
    let (rows, k) = (input.number(1, 20), input.number(1, 300));
    let weights = input.floats(rows * k);
    let finite = weights.iter().all(|w| w.is_finite());
    let (mut codes, mut scales) =
        (vec![9i8; rows * k], vec![f32::NAN; granularity.scales_len(rows, k)]);
    let scale_of = |scales: &[f32], index: usize| match granularity {
        Granularity::Tensor => scales[0],
        Granularity::Row => scales[index / k],
        Granularity::Group(size) => scales[Scales::group_index(k, size, index / k, index % k)],
    };

    for rule in [TernaryRule::Absmean, TernaryRule::Twn] {
        let result =
            quantize::ternary(rule, granularity, rows, k, &weights, &mut codes, &mut scales);
        assert_eq!(result.is_ok(), finite);
        if finite {
            assert!(codes.iter().all(|code| (-1..=1).contains(code)));
            assert!(scales.iter().all(|scale| scale.is_finite() && *scale >= 0.0));
            // A trit's sign is its weight's.
            let same = |(&code, &w): (&i8, &f32)| code == 0 || (code > 0) == (w > 0.0);
            assert!(codes.iter().zip(&weights).all(same));
        }
    }

    // What was made of trits and scales is found to be ternary, and gives them back.
    if finite
        && quantize::ternary(
            TernaryRule::Absmean,
            granularity,
            rows,
            k,
            &weights,
            &mut codes,
            &mut scales,
        )
        .is_ok()
    {
        let made = |index: usize| f32::from(codes[index]) * scale_of(&scales, index);
        let made: Vec<f32> = (0..rows * k).map(made).collect();
        let (mut again, mut scales_again) = (vec![9i8; rows * k], vec![f32::NAN; scales.len()]);
        let exact =
            quantize::ternary_exact(granularity, rows, k, &made, &mut again, &mut scales_again);
        assert_eq!(exact, Ok(true));
        for (index, &w) in made.iter().enumerate() {
            assert_eq!(f32::from(again[index]) * scale_of(&scales_again, index), w);
        }
    }

    let given = input.floats(scales.len());
    let result = quantize::ternary_with_scales(granularity, rows, k, &weights, &mut codes, &given);
    if result.is_ok() {
        assert!(finite && codes.iter().all(|code| (-1..=1).contains(code)));
    }

    let stride = Int8Matrix::stride_of(k);
    let (mut values, mut scales) = (vec![99i8; rows * stride], vec![f32::NAN; padded_rows(rows)]);
    let result = quantize::int8(rows, k, &weights, &mut values, &mut scales);
    assert_eq!(result.is_ok(), finite);
    if finite {
        assert!(scales.iter().all(|scale| scale.is_finite() && *scale >= 0.0));
        for row in values.chunks_exact(stride) {
            assert!(row[..k].iter().all(|value| *value >= -127));
            assert!(row[k..].iter().all(|value| *value == 0));
        }
    }

    let size = input.pick(&GroupSize::ALL);
    let mut values = vec![99i8; rows * k];
    let mut scales = vec![f32::NAN; Scales::len(rows, k, Some(size))];
    let result = quantize::int4(size, rows, k, &weights, &mut values, &mut scales);
    assert_eq!(result.is_ok(), finite);
    if finite {
        assert!(scales.iter().all(|scale| scale.is_finite() && *scale >= 0.0));
        assert!(values.iter().all(|value| (-7..=7).contains(value)));
    }
});
