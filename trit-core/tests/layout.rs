//! Packing and unpacking, and the quantisers, over random shapes.

use proptest::prelude::*;
use trit_core::layout::{self, Layout};
use trit_core::quantize::{self, Granularity, TernaryRule};
use trit_core::{GroupSize, MAX_TERNARY_K, MatrixError, Scales, TernaryMatrix};

fn layouts() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::T4), Just(Layout::T5)]
}

fn granularity() -> impl Strategy<Value = Granularity> {
    prop_oneof![
        Just(Granularity::Tensor),
        Just(Granularity::Row),
        prop::sample::select(GroupSize::ALL.as_slice()).prop_map(Granularity::Group),
    ]
}

proptest! {
    #[test]
    fn unpacking_undoes_packing(
        layout in layouts(),
        rows in 1usize..50,
        k in 1usize..70,
        seed in any::<u64>(),
    ) {
        let weights: Vec<i8> = (0..rows * k)
            .map(|i| (seed.rotate_left(i as u32 % 64).wrapping_mul(i as u64 + 7) % 3) as i8 - 1)
            .collect();
        let mut codes = vec![0xEE; layout::bytes(layout, rows, k).unwrap()];
        layout::pack(layout, rows, k, &weights, &mut codes).unwrap();
        prop_assert!(codes.iter().all(|&byte| layout.is_canonical(byte)));
        let mut again = vec![9; rows * k];
        layout::unpack(layout, rows, k, &codes, &mut again).unwrap();
        prop_assert_eq!(&again, &weights);
        let matrix = TernaryMatrix::new(rows, k, layout, &codes, Scales::Tensor(1.0)).unwrap();
        prop_assert_eq!(matrix.weight(rows - 1, k - 1), weights[rows * k - 1]);
    }

    /// Any T5 bytes, not only those that packing makes: weights are the same, and for packed ones
    /// the bytes are those of packing to T4.
    #[test]
    fn converting_t5_to_t4_is_repacking(
        rows in 1usize..60,
        k in prop_oneof![1usize..200, Just(240), Just(400), Just(768)],
        range in any::<(usize, usize)>(),
        packed in any::<bool>(),
        seed in 1u64..,
    ) {
        let mut random = seed;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize
        };
        let mut weights: Vec<i8> = (0..rows * k).map(|_| (next() % 3) as i8 - 1).collect();
        let mut t5 = vec![0; layout::bytes(Layout::T5, rows, k).unwrap()];
        if packed {
            layout::pack(Layout::T5, rows, k, &weights, &mut t5).unwrap();
        } else {
            t5.fill_with(|| next() as u8);
            layout::unpack(Layout::T5, rows, k, &t5, &mut weights).unwrap();
        }
        let mut t4 = vec![0xEE; layout::bytes(Layout::T4, rows, k).unwrap()];
        layout::t5_to_t4(k, &t5, &mut t4).unwrap();
        let mut again = vec![9; rows * k];
        layout::unpack(Layout::T4, rows, k, &t4, &mut again).unwrap();
        prop_assert_eq!(again, &weights[..]);
        prop_assert!(t4.iter().all(|&byte| Layout::T4.is_canonical(byte)));
        if packed {
            let mut direct = vec![0; t4.len()];
            layout::pack(Layout::T4, rows, k, &weights, &mut direct).unwrap();
            prop_assert_eq!(&direct, &t4);
        }
        // A range of row tiles gives that part of the whole.
        let tiles = rows.div_ceil(16);
        let first = range.0 % tiles;
        let last = first + range.1 % (tiles - first) + 1;
        let (from, to) =
            (layout::row_tile_bytes(Layout::T5, k), layout::row_tile_bytes(Layout::T4, k));
        let mut part = vec![0xEE; (last - first) * to];
        layout::t5_to_t4(k, &t5[first * from..last * from], &mut part).unwrap();
        prop_assert_eq!(&part, &t4[first * to..last * to]);
    }

    #[test]
    fn exact_ternary_weights_survive_every_quantiser(
        granularity in granularity(),
        rows in 1usize..20,
        k in 1usize..300,
        seed in 1u64..,
    ) {
        // Each part holds −s, 0, s with s chosen by its index, and at least one non-zero.
        let part = match granularity {
            Granularity::Tensor => rows * k,
            Granularity::Row => k,
            Granularity::Group(size) => size.inputs(),
        };
        let weights: Vec<f32> = (0..rows * k)
            .map(|i| {
                let (row, input) = (i / k, i % k);
                let (index, first) = match granularity {
                    Granularity::Tensor => (0, i == 0),
                    Granularity::Row => (row, input == 0),
                    Granularity::Group(_) => (row * 9 + input / part, input % part == 0),
                };
                let trit = if first { 1 } else { (seed.wrapping_mul(i as u64 + 3) >> 20) as i64 % 3 - 1 };
                trit as f32 * (0.125 + index as f32 / 64.0)
            })
            .collect();
        let mut codes = vec![9; rows * k];
        let mut scales = vec![9.0; granularity.scales_len(rows, k)];
        let exact =
            quantize::ternary_exact(granularity, rows, k, &weights, &mut codes, &mut scales).unwrap();
        prop_assert!(exact);
        let mut packed = vec![0; layout::bytes(Layout::T4, rows, k).unwrap()];
        layout::pack(Layout::T4, rows, k, &codes, &mut packed).unwrap();
        let view = granularity.scales(&scales);
        let matrix = TernaryMatrix::new(rows, k, Layout::T4, &packed, view).unwrap();
        for (i, &w) in weights.iter().enumerate() {
            prop_assert_eq!(f32::from(matrix.weight(i / k, i % k)) * matrix.scale(i / k, i % k), w);
        }
        // TWN keeps the codes of such weights whatever the share of zeros.
        let mut twn = vec![9; rows * k];
        quantize::ternary(TernaryRule::Twn, granularity, rows, k, &weights, &mut twn, &mut scales)
            .unwrap();
        prop_assert_eq!(twn, codes);
    }
}

#[test]
fn every_t5_byte_decodes_and_243_are_canonical() {
    let mut canonical = 0;
    for byte in 0..=u8::MAX {
        assert!((0..5).all(|p| Layout::T5.code(byte, p) <= 2), "{byte}");
        canonical += usize::from(Layout::T5.is_canonical(byte));
    }
    assert_eq!(canonical, 243);
    assert_eq!((0..=u8::MAX).filter(|&byte| Layout::T4.is_canonical(byte)).count(), 81);
}

#[test]
fn bytes_are_where_the_diagram_says() {
    let mut weights = [0; 16 * 20];
    weights[3 * 20 + 4 * 2 + 1] = 1;
    let mut codes = [0; 128];
    layout::pack(Layout::T4, 16, 20, &weights, &mut codes).unwrap();
    // Row 3, lane 1, plane 2: code 2 at bit 4 among ones.
    assert_eq!(codes[4 * 3 + 1], 0b01_10_01_01);
    layout::pack(Layout::T5, 16, 20, &weights, &mut codes[..64]).unwrap();
    let value: u32 = 81 + 27 + 2 * 9 + 3 + 1;
    assert_eq!(u32::from(codes[4 * 3 + 1]), (value * 256).div_ceil(243));
}

#[test]
fn misfits_are_errors() {
    let mut codes = [0; 64];
    let pack = |weights: &[i8], codes: &mut [u8]| layout::pack(Layout::T4, 1, 2, weights, codes);
    assert_eq!(pack(&[0, 2], &mut codes), Err(MatrixError::NotTernary { index: 1, found: 2 }));
    assert!(matches!(pack(&[0], &mut codes), Err(MatrixError::Length { what: "weights", .. })));
    assert!(matches!(pack(&[0, 0], &mut []), Err(MatrixError::Length { what: "codes", .. })));
    let too_wide = TernaryMatrix::new(1, (1 << 20) + 1, Layout::T4, &[], Scales::Tensor(1.0));
    assert!(matches!(too_wide, Err(MatrixError::Dimension { what: "k", .. })));
    let convert = |k, from, to| layout::t5_to_t4(k, &[0; 512][..from], &mut [0; 512][..to]);
    assert_eq!(convert(20, 128, 256), Ok(()));
    assert_eq!(convert(20, 0, 0), Ok(()));
    let length = |what, expected, found| Err(MatrixError::Length { what, expected, found });
    assert_eq!(convert(20, 100, 256), length("t5 codes", 64, 100));
    assert_eq!(convert(20, 128, 128), length("t4 codes", 256, 128));
    assert!(matches!(convert(0, 64, 64), Err(MatrixError::Dimension { what: "k", .. })));
    let beyond = convert(MAX_TERNARY_K + 1, 64, 64);
    assert!(matches!(beyond, Err(MatrixError::Dimension { what: "k", .. })));
}
