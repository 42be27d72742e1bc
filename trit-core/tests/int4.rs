//! 4-bit weights: packing, quantiser and reference operation over random shapes, and the bounds.

use proptest::prelude::*;
use trit_core::{
    GroupSize, Int4Matrix, MAX_INT4_K, MatrixError, QuantizedActs, Scales, activations, int4,
    quantize, reference,
};

fn group() -> impl Strategy<Value = GroupSize> {
    prop::sample::select(GroupSize::ALL.as_slice())
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn weights(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| (self.next() % 16) as i8 - 8).collect()
    }
}

fn packed(rows: usize, k: usize, weights: &[i8]) -> Vec<u8> {
    let mut codes = vec![0xEE; int4::bytes(rows, k).unwrap()];
    int4::pack(rows, k, weights, &mut codes).unwrap();
    codes
}

proptest! {
    #[test]
    fn unpacking_undoes_packing(rows in 1usize..50, k in 1usize..70, seed in 1u64..) {
        let weights = Random(seed).weights(rows * k);
        let codes = packed(rows, k, &weights);
        let mut again = vec![99; rows * k];
        int4::unpack(rows, k, &codes, &mut again).unwrap();
        prop_assert_eq!(&again, &weights);
        // All that is padding is the weight 0.
        let zeros = codes.iter().map(|&byte| {
            usize::from(int4::code(byte, 0) == int4::ZERO) + usize::from(int4::code(byte, 1) == int4::ZERO)
        });
        let padding = 2 * codes.len() - rows * k;
        prop_assert_eq!(zeros.sum::<usize>(), padding + weights.iter().filter(|&&w| w == 0).count());
    }

    /// The quantiser lands on the nearest of the 15 values, and on no other than an exact tie.
    #[test]
    fn quantised_weights_are_the_nearest(
        group in group(),
        rows in 1usize..20,
        k in 1usize..600,
        exponent in -120i32..120,
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let weights: Vec<f32> =
            (0..rows * k).map(|_| random.unit() * 2f32.powi(exponent)).collect();
        let mut values = vec![99; rows * k];
        let mut scales = vec![9.0; Scales::len(rows, k, Some(group))];
        quantize::int4(group, rows, k, &weights, &mut values, &mut scales).unwrap();
        let codes = packed(rows, k, &values);
        let matrix = Int4Matrix::new(rows, k, group, &codes, &scales).unwrap();
        for (i, &w) in weights.iter().enumerate() {
            let (q, scale) = (matrix.weight(i / k, i % k), matrix.scale(i / k, i % k));
            prop_assert!((-7..=7).contains(&q));
            // Half a step, and what rounding the scale and the quotient may add at a tie.
            let error = (f64::from(w) - f64::from(q) * f64::from(scale)).abs();
            prop_assert!(error <= f64::from(scale) * (0.5 + 1e-6), "{w} as {q}·{scale}");
        }
        // Padding rows have scale 0.
        let scaled = |row| scales[Scales::group_index(k, group, row, 0)];
        prop_assert!((rows..rows.next_multiple_of(16)).all(|row| scaled(row) == 0.0));
    }

    /// The reference operation against the contract evaluated in integers and f64.
    #[test]
    fn the_reference_is_the_contract(
        group in group(),
        act_group in prop::option::of(group()),
        rows in 1usize..20,
        k in 1usize..600,
        tokens in 1usize..3,
        lowest in any::<bool>(),
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let weights = random.weights(rows * k);
        let codes = packed(rows, k, &weights);
        let scales: Vec<f32> =
            (0..Scales::len(rows, k, Some(group))).map(|_| random.unit()).collect();
        let w = Int4Matrix::new(rows, k, group, &codes, &scales).unwrap();
        let mut values = vec![0i8; activations::values_len(tokens, k)];
        for token in values.chunks_exact_mut(activations::stride(k)) {
            token[..k].fill_with(|| if lowest { -128 } else { random.next() as i8 });
        }
        let sums: Vec<i32> =
            values.chunks_exact(32).map(|b| b.iter().map(|&q| i32::from(q)).sum()).collect();
        let sx: Vec<f32> =
            (0..activations::scales_len(tokens, k, act_group)).map(|_| random.unit()).collect();
        let x = QuantizedActs::new(tokens, k, act_group, &values, &sx, &sums).unwrap();
        let bias: Vec<f32> = (0..rows).map(|_| random.unit()).collect();
        let mut y = vec![0.0; tokens * rows];
        reference::int4(&w, &x, Some(&bias), 0..rows, &mut y);

        let part = act_group.map_or(group, |act| act.min(group)).inputs();
        for (at, &y) in y.iter().enumerate() {
            let (m, n) = (at / rows, at % rows);
            let (mut exact, mut size) = (f64::from(bias[n]), f64::from(bias[n]).abs());
            for start in (0..k).step_by(part) {
                // As a kernel computes it: codes, and the block sums for the offset.
                let inputs = start..k.min(start + part);
                let dot: i32 = inputs
                    .map(|i| {
                        let (offset, plane) = int4::position(k, n, i);
                        i32::from(int4::code(codes[offset], plane)) * i32::from(x.token(m)[i])
                    })
                    .sum();
                let blocks = &x.block_sums(m)[start / 32..k.min(start + part).div_ceil(32)];
                let sum = dot - i32::from(int4::ZERO) * blocks.iter().sum::<i32>();
                let sx = x.scales(m)[act_group.map_or(0, |size| start / size.inputs())];
                let term = f64::from(sx) * f64::from(w.scale(n, start)) * f64::from(sum);
                exact += term;
                size += term.abs();
            }
            let roundings = k.div_ceil(part) as f64 + 3.0;
            let bound = roundings * f64::from(f32::EPSILON) / 2.0 * size;
            prop_assert!((f64::from(y) - exact).abs() <= bound, "{y} for {exact}");
        }
    }
}

#[test]
fn bytes_are_where_the_diagram_says() {
    let mut weights = [0; 16 * 20];
    weights[3 * 20 + 8 + 4 + 1] = -8;
    weights[3 * 20 + 8 + 1] = 7;
    let codes = packed(16, 20, &weights);
    assert_eq!(codes.len(), 3 * 64);
    // Tile 1, row 3, lane 1: plane 0 is 7 + 8, plane 1 is −8 + 8.
    assert_eq!(codes[64 + 4 * 3 + 1], 0x0F);
    assert!(codes.iter().enumerate().all(|(at, &byte)| at == 64 + 13 || byte == 0x88));
}

/// k at its bound and one beyond; the largest sum a group can have is an exact f32.
#[test]
#[cfg_attr(miri, ignore = "a million products")]
fn the_largest_k_is_exact() {
    let k = MAX_INT4_K;
    let group = GroupSize::G256;
    let codes = vec![0x00; int4::bytes(1, k).unwrap()];
    let scales = vec![1.0; Scales::len(1, k, Some(group))];
    let w = Int4Matrix::new(1, k, group, &codes, &scales).unwrap();
    let (values, sums) = (vec![-128i8; k], vec![-128 * 32; k / 32]);
    let x = QuantizedActs::new(1, k, None, &values, &[1.0], &sums).unwrap();
    let mut y = [0.0];
    reference::int4(&w, &x, None, 0..1, &mut y);
    // Every partial sum is a multiple of 2¹⁸ up to 2³⁰.
    assert_eq!(y, [(8.0 * 128.0) * k as f32]);

    let beyond = Int4Matrix::new(1, k + 1, group, &codes, &scales).unwrap_err();
    let dimension = MatrixError::Dimension { what: "k", found: k + 1, most: k };
    assert_eq!(beyond, dimension);
    assert_eq!(int4::pack(1, k + 1, &[], &mut []), Err(dimension));
    let quantised = quantize::int4(group, 1, k + 1, &[], &mut [], &mut []);
    assert_eq!(quantised, Err(dimension.into()));
}

#[test]
fn misfits_are_errors() {
    let mut codes = [0; 64];
    let pack = |weights: &[i8], codes: &mut [u8]| int4::pack(1, 2, weights, codes);
    assert_eq!(pack(&[-8, 8], &mut codes), Err(MatrixError::NotInt4 { index: 1, found: 8 }));
    assert_eq!(pack(&[-9, 0], &mut codes), Err(MatrixError::NotInt4 { index: 0, found: -9 }));
    assert!(matches!(pack(&[0], &mut codes), Err(MatrixError::Length { what: "weights", .. })));
    assert!(matches!(pack(&[0, 0], &mut []), Err(MatrixError::Length { what: "codes", .. })));
    let new = |rows, codes: &[u8], scales: &[f32]| {
        Int4Matrix::new(rows, 2, GroupSize::G32, codes, scales).map(|_| ()).unwrap_err()
    };
    assert!(matches!(new(0, &codes, &[0.0; 16]), MatrixError::Dimension { what: "rows", .. }));
    assert!(matches!(new(1, &[], &[0.0; 16]), MatrixError::Length { what: "codes", .. }));
    assert!(matches!(new(1, &codes, &[0.0; 15]), MatrixError::Length { what: "group scales", .. }));
    assert_eq!(int4::bytes(usize::MAX, usize::MAX), None);
}
