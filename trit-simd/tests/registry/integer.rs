//! Integer products, the quantiser and the conversion of layouts.

use core::ops::Range;

use proptest::prelude::*;
use trit_core::{
    GroupSize, Int4Matrix, Int8Matrix, Layout, MAX_INT4_K, MAX_INT8_K, MAX_TERNARY_K,
    QuantizeError, QuantizedActs, QuantizedActsMut, Scales, TernaryMatrix, activations, int4,
    layout, padded_rows, reference,
};
use trit_simd::Kernels;

use crate::common::{
    Acts, Fill, GUARD, Odd, Random, banded, bits, cases, fill, group, guarded, levels, shape, size,
};

/// What ternary weights look like.
#[derive(Debug, Clone, Copy)]
enum Trits {
    Random,
    Ones,
    MinusOnes,
    /// Any bytes. In T4 some hold the code 3, which is no trit; memory can hold it, and kernels must
    /// stay exact: the weight +2. In T5 some are none that packing makes.
    Bytes,
}

fn trits() -> impl Strategy<Value = Trits> {
    prop_oneof![
        4 => Just(Trits::Random),
        1 => Just(Trits::Ones),
        1 => Just(Trits::MinusOnes),
        2 => Just(Trits::Bytes),
    ]
}

struct Ternary {
    codes: Odd<u8>,
    scales: Odd<f32>,
    rows: usize,
    k: usize,
    layout: Layout,
    group: Option<GroupSize>,
    per_tensor: bool,
}

impl Ternary {
    fn codes(random: &mut Random, layout: Layout, rows: usize, k: usize, trits: Trits) -> Odd<u8> {
        let mut codes = Odd::new(layout::bytes(layout, rows, k).unwrap(), |_| random.next() as u8);
        let weight = |_| match trits {
            Trits::Ones => 1,
            Trits::MinusOnes => -1,
            Trits::Random | Trits::Bytes => random.below(3) as i8 - 1,
        };
        if !matches!(trits, Trits::Bytes) {
            let weights: Vec<i8> = (0..rows * k).map(weight).collect();
            layout::pack(layout, rows, k, &weights, codes.as_mut()).unwrap();
        }
        codes
    }

    fn view(&self) -> TernaryMatrix<'_> {
        let scales = match self.group {
            _ if self.per_tensor => Scales::Tensor(self.scales[0]),
            None => Scales::Row(&self.scales),
            Some(size) => Scales::Group { size, values: &self.scales },
        };
        TernaryMatrix::new(self.rows, self.k, self.layout, &self.codes, scales).unwrap()
    }
}

/// All rows, or part of them, starting and ending anywhere.
fn range(random: &mut Random, rows: usize) -> Range<usize> {
    if random.below(2) == 0 {
        return 0..rows;
    }
    let first = random.below(rows);
    first..first + 1 + random.below(rows - first)
}

/// A product as the reference and as a kernel give it.
type Product<'p> = dyn Fn(&QuantizedActs<'_>, Option<&[f32]>, Range<usize>, &mut [f32]) + 'p;

/// Compares every level with the reference on part of the rows, with and without a bias.
fn compare(
    random: &mut Random,
    acts: &Acts,
    rows: usize,
    reference: &Product<'_>,
    product: impl Fn(&Kernels, &QuantizedActs<'_>, Option<&[f32]>, Range<usize>, &mut [f32]),
) -> Result<(), TestCaseError> {
    let bias = (random.below(2) == 0).then(|| random.floats(rows));
    let (bias, part) = (bias.as_deref(), range(random, rows));
    let n = acts.view().tokens() * part.len();
    let expected = guarded(n, |y| reference(&acts.view(), bias, part.clone(), y));
    for kernels in levels() {
        let found = guarded(n, |y| product(&kernels, &acts.view(), bias, part.clone(), y));
        prop_assert_eq!(&found, &expected, "{:?}", kernels);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn ternary_equals_the_reference(
        (rows, k, tokens) in shape(),
        seed in 1u64..,
        fill in fill(),
        trits in trits(),
        t5 in any::<bool>(),
        per_tensor in any::<bool>(),
        weight_group in group(),
        act_group in group(),
    ) {
        let mut random = Random(seed);
        let layout = if t5 { Layout::T5 } else { Layout::T4 };
        let codes = Ternary::codes(&mut random, layout, rows, k, trits);
        let scales = random.floats(Scales::len(rows, k, weight_group));
        let w = Ternary { codes, scales, rows, k, layout, group: weight_group, per_tensor };
        let w = w.view();
        let acts = Acts::new(&mut random, tokens, k, act_group, fill);
        compare(
            &mut random,
            &acts,
            rows,
            &|x, bias, rows, y| reference::ternary(&w, x, bias, rows, y),
            |kernels, x, bias, rows, y| kernels.ternary(&w, x, bias, rows, y).unwrap(),
        )?;
    }

    #[test]
    fn int4_equals_the_reference(
        (rows, k, tokens) in shape(),
        seed in 1u64..,
        fill in fill(),
        // Both codes 0, both 15, or any.
        byte in prop_oneof![1 => Just(Some(0x00)), 1 => Just(Some(0xFF)), 4 => Just(None)],
        weight_group in size(),
        act_group in group(),
    ) {
        let mut random = Random(seed);
        let codes = Odd::new(int4::bytes(rows, k).unwrap(), |_| byte.unwrap_or(random.next() as u8));
        let scales = random.floats(Scales::len(rows, k, Some(weight_group)));
        let w = Int4Matrix::new(rows, k, weight_group, &codes, &scales).unwrap();
        let acts = Acts::new(&mut random, tokens, k, act_group, fill);
        compare(
            &mut random,
            &acts,
            rows,
            &|x, bias, rows, y| reference::int4(&w, x, bias, rows, y),
            |kernels, x, bias, rows, y| kernels.int4(&w, x, bias, rows, y).unwrap(),
        )?;
    }

    #[test]
    fn int8_equals_the_reference(
        (rows, k, tokens) in shape(),
        seed in 1u64..,
        fill in fill(),
        weights in fill(),
        act_group in group(),
    ) {
        let mut random = Random(seed);
        let stride = Int8Matrix::stride_of(k);
        let value = |at: usize| if at % stride < k { weights.value(&mut random, at) } else { 0 };
        let values = Odd::new(rows * stride, value);
        let scales = random.floats(padded_rows(rows));
        let w = Int8Matrix::new(rows, k, &values, &scales).unwrap();
        let acts = Acts::new(&mut random, tokens, k, act_group, fill);
        compare(
            &mut random,
            &acts,
            rows,
            &|x, bias, rows, y| reference::int8(&w, x, bias, rows, y),
            |kernels, x, bias, rows, y| kernels.int8(&w, x, bias, rows, y).unwrap(),
        )?;
    }

    #[test]
    fn conversion_equals_the_reference(
        (rows, k, _) in shape(),
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let t5 = Ternary::codes(&mut random, Layout::T5, rows, k, Trits::Bytes);
        let tiles = range(&mut random, rows.div_ceil(16));
        let (from, to) =
            (layout::row_tile_bytes(Layout::T5, k), layout::row_tile_bytes(Layout::T4, k));
        let part = &t5[tiles.start * from..tiles.end * from];
        let n = tiles.len() * to;
        let expected = banded(0xEE, n, |t4| layout::t5_to_t4(k, part, t4).unwrap());
        for kernels in levels() {
            let found = banded(0xEE, n, |t4| kernels.t5_to_t4(k, part, t4).unwrap());
            prop_assert_eq!(&found, &expected, "{:?}", kernels);
        }
    }

    #[test]
    fn quantize_equals_the_reference(
        k in 1usize..400,
        tokens in 1usize..6,
        overlap in any::<bool>(),
        exponent in -150i32..120,
        seed in 1u64..,
        group in group(),
        broken in prop_oneof![3 => Just(None), 1 => any::<u32>().prop_map(Some)],
    ) {
        let mut random = Random(seed);
        let stride = if overlap { k.div_ceil(3) } else { k };
        let n = (tokens - 1) * stride + k;
        // Ties appear because a third of the values are multiples of absmax / 254.
        let mut x = Odd::new(n, |i| {
            let unit = random.unit();
            let value = if i % 3 == 0 { (unit * 254.0).round() / 254.0 } else { unit };
            value * 2f32.powi(exponent / 2) * 2f32.powi(exponent - exponent / 2)
        });
        if let Some(at) = broken {
            x.as_mut()[at as usize % n] = if at % 2 == 0 { f32::NAN } else { f32::NEG_INFINITY };
        }
        type Quantised = (Vec<i8>, Vec<u32>, Vec<i32>);
        let run = |f: &dyn Fn(&mut QuantizedActsMut<'_>) -> Result<(), QuantizeError>|
            -> Result<Quantised, QuantizeError> {
            let mut sums = vec![-1; activations::sums_len(tokens, k)];
            let mut scales = vec![GUARD; activations::scales_len(tokens, k, group)];
            let mut result = Ok(());
            let values = banded(77, activations::values_len(tokens, k), |values| {
                result = QuantizedActsMut::new(tokens, k, group, values, &mut scales, &mut sums)
                    .map_err(QuantizeError::from)
                    .and_then(|mut out| f(&mut out));
            });
            result.map(|()| (values, bits(&scales), sums))
        };
        let expected = run(&|out| reference::quantize(&x, stride, out));
        for kernels in levels() {
            let found = run(&|out| kernels.quantize(&x, stride, out));
            prop_assert_eq!(&found, &expected, "{:?}", kernels);
        }
    }
}

/// The largest k at the extremes: every i16 and i32 bound is reached.
#[test]
#[cfg_attr(miri, ignore = "16 million products a variant")]
fn the_largest_k_is_exact() {
    let mut random = Random(3);
    let k = MAX_TERNARY_K;
    for fill in [Fill::Lowest, Fill::Highest] {
        let acts = Acts::new(&mut random, 1, k, None, fill);
        let q: i64 = fill.value(&mut random, 0).into();
        let exact = |w: i64, k: usize| acts.scales[0] * (w * q * k as i64) as f32;
        // A byte of the layout's highest codes: +2, which is no trit but stays exact, and +1.
        for (layout, byte, weight) in [
            (Layout::T4, 0xFF, 2),
            (Layout::T4, 0xAA, 1),
            (Layout::T4, 0x00, -1),
            (Layout::T5, 0xFF, 1),
        ] {
            let codes = vec![byte; layout::bytes(layout, 16, k).unwrap()];
            let w = TernaryMatrix::new(16, k, layout, &codes, Scales::Tensor(1.0)).unwrap();
            for kernels in levels() {
                let mut y = [0.0; 16];
                kernels.ternary(&w, &acts.view(), None, 0..16, &mut y).unwrap();
                assert_eq!(y, [exact(weight, k); 16], "{layout:?} {byte:#x} {kernels:?}");
            }
        }
        for (byte, weight) in [(0x00, -8), (0xFF, 7)] {
            let codes = vec![byte; int4::bytes(16, MAX_INT4_K).unwrap()];
            let group = GroupSize::G256;
            let scales = vec![1.0; Scales::len(16, MAX_INT4_K, Some(group))];
            let w = Int4Matrix::new(16, MAX_INT4_K, group, &codes, &scales).unwrap();
            let mut expected = [0.0; 16];
            reference::int4(&w, &acts.view(), None, 0..16, &mut expected);
            for kernels in levels() {
                let mut y = [0.0; 16];
                kernels.int4(&w, &acts.view(), None, 0..16, &mut y).unwrap();
                assert_eq!(y, expected, "{byte:#x} {kernels:?}");
                let relative = y[0] / exact(weight, MAX_INT4_K) - 1.0;
                assert!(relative.abs() < 1e-3, "4096 roundings: {relative}");
            }
        }
    }
    let k = MAX_INT8_K;
    for (fill, weight) in [(Fill::Lowest, -128i8), (Fill::Lowest, 127), (Fill::Highest, 127)] {
        let acts = Acts::new(&mut random, 1, k, None, fill);
        let q = i64::from(fill.value(&mut random, 0));
        let (values, scales) = (vec![weight; k], [1.0; 16]);
        let w = Int8Matrix::new(1, k, &values, &scales).unwrap();
        for kernels in levels() {
            let mut y = [0.0];
            kernels.int8(&w, &acts.view(), None, 0..1, &mut y).unwrap();
            let exact = i64::from(weight) * q * k as i64;
            assert_eq!(y, [acts.scales[0] * exact as f32], "{fill:?} {weight} {kernels:?}");
        }
    }
}

/// Many tokens at the extremes: sums of 256 activations at both ends of an i16 and just beyond.
#[test]
#[cfg_attr(miri, ignore = "a million products a variant")]
fn many_tokens_are_exact_at_the_extremes() {
    let mut random = Random(7);
    let (rows, k, tokens) = (17, 600, 37);
    for trits in [Trits::Ones, Trits::MinusOnes, Trits::Random] {
        for group in [None, Some(GroupSize::G32), Some(GroupSize::G256)] {
            let scales = random.floats(Scales::len(rows, k, group));
            let codes = Ternary::codes(&mut random, Layout::T4, rows, k, trits);
            let w =
                Ternary { codes, scales, rows, k, layout: Layout::T4, group, per_tensor: false };
            // 256·128 = 2^15 either way; one −127 among them, 2^15 − 1; the largest of both signs.
            for fill in [Fill::Lowest, Fill::AlmostLowest, Fill::Highest, Fill::Mirrored] {
                let acts = Acts::new(&mut random, tokens, k, None, fill);
                compare(
                    &mut random,
                    &acts,
                    rows,
                    &|x, bias, rows, y| reference::ternary(&w.view(), x, bias, rows, y),
                    |kernels, x, bias, rows, y| {
                        kernels.ternary(&w.view(), x, bias, rows, y).unwrap();
                    },
                )
                .unwrap();
            }
        }
    }
}

/// One code 3 among trits, in each plane in turn: a design for many tokens that tabulates trits must
/// find it wherever it is.
#[test]
#[cfg_attr(miri, ignore = "a million products a variant")]
fn one_code_3_among_many_tokens_is_exact() {
    let mut random = Random(11);
    let (rows, k, tokens) = (17, 80, 37);
    let scales = random.floats(Scales::len(rows, k, None));
    let acts = Acts::new(&mut random, tokens, k, None, Fill::Random);
    for plane in 0..4 {
        let mut codes = Ternary::codes(&mut random, Layout::T4, rows, k, Trits::Ones);
        // The weight +1 of the first row is the code 2.
        codes.as_mut()[64] |= 1 << (2 * plane);
        let w = TernaryMatrix::new(rows, k, Layout::T4, &codes, Scales::Row(&scales)).unwrap();
        compare(
            &mut random,
            &acts,
            rows,
            &|x, bias, rows, y| reference::ternary(&w, x, bias, rows, y),
            |kernels, x, bias, rows, y| kernels.ternary(&w, x, bias, rows, y).unwrap(),
        )
        .unwrap();
    }
}

/// Random data just below the largest k, where neither layout's tiles nor groups end with k.
#[test]
#[cfg_attr(miri, ignore = "millions of products a variant")]
fn just_below_the_largest_k_equals_the_reference() {
    let mut random = Random(5);
    let k = MAX_TERNARY_K - 7;
    for layout in [Layout::T4, Layout::T5] {
        for group in [None, Some(GroupSize::G32)] {
            let codes = Ternary::codes(&mut random, layout, 3, k, Trits::Bytes);
            let scales = random.floats(Scales::len(3, k, group));
            let w = Ternary { codes, scales, rows: 3, k, layout, group, per_tensor: false };
            let w = w.view();
            let acts = Acts::new(&mut random, 1, k, None, Fill::Random);
            compare(
                &mut random,
                &acts,
                3,
                &|x, bias, rows, y| reference::ternary(&w, x, bias, rows, y),
                |kernels, x, bias, rows, y| kernels.ternary(&w, x, bias, rows, y).unwrap(),
            )
            .unwrap();
        }
    }
}
