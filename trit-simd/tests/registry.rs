//! One property per operation, over every variant the CPU has: the same bits as the reference.

use std::collections::BTreeSet;

use proptest::prelude::*;
use trit_core::reference::{self, DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE};
use trit_core::{
    F16Matrix, F32Matrix, GroupSize, Int8Matrix, Layout, QuantizeError, QuantizedActs,
    QuantizedActsMut, Scales, TernaryMatrix, activations, layout, padded_rows,
};
use trit_simd::{Cpu, Kernels, Level, attention_scratch_len, registry};

/// A value that no kernel writes, put around outputs.
const GUARD: f32 = f32::from_bits(0x7FC0_DEAD);

/// The kernels of every level this CPU has.
fn levels() -> impl Iterator<Item = Kernels> {
    let cpu = Cpu::detect();
    Level::ALL.into_iter().filter_map(move |level| cpu.at(level)).map(|cpu| Kernels::new(&cpu))
}

/// xorshift64*: cheap and repeatable bulk data from one proptest seed.
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

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.unit()).collect()
    }
}

/// Bits, so that −0, +0 and NaN are told apart.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs `kernel` on an output of `len` floats inside guard bands and returns it.
fn guarded(len: usize, kernel: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut buffer = vec![GUARD; len + 64];
    // An odd offset, so that outputs are not aligned.
    kernel(&mut buffer[33..33 + len]);
    let (before, rest) = buffer.split_at(33);
    let (output, after) = rest.split_at(len);
    assert!(
        before.iter().chain(after).all(|x| x.to_bits() == GUARD.to_bits()),
        "guard overwritten"
    );
    output.to_vec()
}

/// What activations look like.
#[derive(Debug, Clone, Copy)]
enum Fill {
    Random,
    Lowest,
    Highest,
}

fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![4 => Just(Fill::Random), 1 => Just(Fill::Lowest), 1 => Just(Fill::Highest)]
}

fn group() -> impl Strategy<Value = Option<GroupSize>> {
    prop_oneof![
        Just(None),
        Just(Some(GroupSize::G32)),
        Just(Some(GroupSize::G64)),
        Just(Some(GroupSize::G128)),
        Just(Some(GroupSize::G256)),
    ]
}

/// Rows, inputs, tokens: around every boundary, and the awkward sizes of real models.
fn shape() -> impl Strategy<Value = (usize, usize, usize)> {
    let k = prop_oneof![6 => 1usize..300, 1 => Just(768), 1 => Just(80), 1 => Just(6912), 1 => Just(8640)];
    (1usize..70, k, 1usize..20)
}

struct Acts {
    values: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
    tokens: usize,
    k: usize,
    group: Option<GroupSize>,
}

impl Acts {
    /// Int8 values over the whole range, −128 included, which no quantiser of ours would write.
    fn new(
        random: &mut Random,
        tokens: usize,
        k: usize,
        group: Option<GroupSize>,
        fill: Fill,
    ) -> Self {
        let mut values = vec![0; activations::values_len(tokens, k)];
        for token in values.chunks_exact_mut(activations::stride(k)) {
            for value in &mut token[..k] {
                *value = match fill {
                    Fill::Random => random.next() as i8,
                    Fill::Lowest => -128,
                    Fill::Highest => 127,
                };
            }
        }
        let sums = values
            .chunks_exact(32)
            .map(|block| block.iter().map(|&q| i32::from(q)).sum())
            .collect();
        let scales = random.floats(activations::scales_len(tokens, k, group));
        Self { values, scales, sums, tokens, k, group }
    }

    fn view(&self) -> QuantizedActs<'_> {
        QuantizedActs::new(self.tokens, self.k, self.group, &self.values, &self.scales, &self.sums)
            .unwrap()
    }
}

struct Ternary {
    codes: Vec<u8>,
    scales: Vec<f32>,
    rows: usize,
    k: usize,
    layout: Layout,
    group: Option<GroupSize>,
    per_tensor: bool,
}

impl Ternary {
    fn view(&self) -> TernaryMatrix<'_> {
        let scales = match self.group {
            _ if self.per_tensor => Scales::Tensor(self.scales[0]),
            None => Scales::Row(&self.scales),
            Some(size) => Scales::Group { size, values: &self.scales },
        };
        TernaryMatrix::new(self.rows, self.k, self.layout, &self.codes, scales).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn ternary_equals_the_reference(
        (rows, k, tokens) in shape(),
        seed in 1u64..,
        fill in fill(),
        all_ones in any::<bool>(),
        t5 in any::<bool>(),
        per_tensor in any::<bool>(),
        code_three in any::<bool>(),
        weight_group in group(),
        act_group in group(),
    ) {
        let mut random = Random(seed);
        let layout = if t5 { Layout::T5 } else { Layout::T4 };
        let weights: Vec<i8> =
            (0..rows * k).map(|_| if all_ones { 1 } else { (random.next() % 3) as i8 - 1 }).collect();
        let mut codes = vec![0; layout::bytes(layout, rows, k).unwrap()];
        layout::pack(layout, rows, k, &weights, &mut codes).unwrap();
        if code_three && !t5 && k.is_multiple_of(16) {
            // Not a trit, but memory can hold it, and kernels must stay exact: the weight +2.
            codes.fill(0xFF);
        }
        let scales = random.floats(Scales::len(rows, k, weight_group));
        let w = Ternary { codes, scales, rows, k, layout, group: weight_group, per_tensor };
        let acts = Acts::new(&mut random, tokens, k, act_group, fill);
        let bias = (seed % 2 == 0).then(|| random.floats(rows));
        let first = random.next() as usize % rows;
        let last = first + 1 + random.next() as usize % (rows - first);
        let n = tokens * (last - first);
        let expected = guarded(n, |y| {
            reference::ternary(&w.view(), &acts.view(), bias.as_deref(), first..last, y);
        });
        for kernels in levels() {
            let found = guarded(n, |y| {
                kernels.ternary(&w.view(), &acts.view(), bias.as_deref(), first..last, y).unwrap();
            });
            prop_assert_eq!(bits(&found), bits(&expected), "{:?}", kernels);
        }
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
        let mut values = vec![0i8; rows * stride];
        for row in values.chunks_exact_mut(stride) {
            for value in &mut row[..k] {
                *value = match weights {
                    Fill::Random => random.next() as i8,
                    Fill::Lowest => -128,
                    Fill::Highest => 127,
                };
            }
        }
        let scales = random.floats(padded_rows(rows));
        let w = Int8Matrix::new(rows, k, &values, &scales).unwrap();
        let acts = Acts::new(&mut random, tokens, k, act_group, fill);
        let bias = (seed % 2 == 0).then(|| random.floats(rows));
        let first = random.next() as usize % rows;
        let n = tokens * (rows - first);
        let expected = guarded(n, |y| {
            reference::int8(&w, &acts.view(), bias.as_deref(), first..rows, y);
        });
        for kernels in levels() {
            let found = guarded(n, |y| {
                kernels.int8(&w, &acts.view(), bias.as_deref(), first..rows, y).unwrap();
            });
            prop_assert_eq!(bits(&found), bits(&expected), "{:?}", kernels);
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
        // Odd offset; ties appear because a third of the values are multiples of absmax / 254.
        let mut x: Vec<f32> = (0..n + 1)
            .map(|i| {
                let unit = random.unit();
                let value = if i % 3 == 0 { (unit * 254.0).round() / 254.0 } else { unit };
                value * 2f32.powi(exponent / 2) * 2f32.powi(exponent - exponent / 2)
            })
            .collect();
        if let Some(at) = broken {
            x[1 + at as usize % n] = if at % 2 == 0 { f32::NAN } else { f32::NEG_INFINITY };
        }
        let x = &x[1..];
        type Quantised = (Vec<i8>, Vec<u32>, Vec<i32>);
        let run = |f: &dyn Fn(&mut QuantizedActsMut<'_>) -> Result<(), QuantizeError>|
            -> Result<Quantised, QuantizeError> {
            let mut values = vec![77; activations::values_len(tokens, k)];
            let mut scales = vec![GUARD; activations::scales_len(tokens, k, group)];
            let mut sums = vec![-1; activations::sums_len(tokens, k)];
            let mut out =
                QuantizedActsMut::new(tokens, k, group, &mut values, &mut scales, &mut sums)?;
            f(&mut out)?;
            Ok((values, bits(&scales), sums))
        };
        let expected = run(&|out| reference::quantize(x, stride, out));
        for kernels in levels() {
            let found = run(&|out| kernels.quantize(x, stride, out));
            prop_assert_eq!(&found, &expected, "{:?}", kernels);
        }
    }

    #[test]
    fn dense_equals_the_reference(
        rows in 1usize..20,
        k in 1usize..200,
        tokens in 1usize..10,
        seed in 1u64..,
    ) {
        let mut random = Random(seed);
        let w = random.floats(rows * k);
        let half: Vec<u16> = w.iter().map(|&w| trit_core::f16::from_f32(w)).collect();
        let (single, half) =
            (F32Matrix::new(rows, k, &w).unwrap(), F16Matrix::new(rows, k, &half).unwrap());
        let x = random.floats(tokens * k);
        let bias = (seed % 2 == 0).then(|| random.floats(rows));
        let bias = bias.as_deref();
        let n = tokens * rows;
        let expected = guarded(n, |y| reference::dense_f32(&single, &x, bias, y));
        let expected_half = guarded(n, |y| reference::dense_f16(&half, &x, bias, y));
        for kernels in levels() {
            let found =
                guarded(n, |y| kernels.dense_f32(&single, &x, k, tokens, bias, 0..rows, y).unwrap());
            prop_assert_eq!(bits(&found), bits(&expected), "{:?}", kernels);
            let found =
                guarded(n, |y| kernels.dense_f16(&half, &x, k, tokens, bias, 0..rows, y).unwrap());
            prop_assert_eq!(bits(&found), bits(&expected_half), "{:?}", kernels);
        }
    }

    #[test]
    fn norms_and_elementwise_equal_the_reference(
        d in 1usize..200,
        tokens in 1usize..4,
        seed in 1u64..,
        size in prop_oneof![Just(1e-3f32), Just(1.0), Just(8.0), Just(1e4)],
    ) {
        let mut random = Random(seed);
        let n = tokens * d;
        let x: Vec<f32> = random.floats(n).iter().map(|x| x * size).collect();
        let (gain, bias) = (random.floats(d), random.floats(d));
        let map = |f: &dyn Fn(&mut [f32])| guarded(n, |y| {
            y.copy_from_slice(&x);
            f(y);
        });
        for kernels in levels() {
            let pairs = [
                (guarded(n, |y| kernels.layer_norm(&x, &gain, &bias, 1e-5, y).unwrap()),
                 guarded(n, |y| reference::layer_norm(&x, &gain, &bias, 1e-5, y))),
                (guarded(n, |y| kernels.rms_norm(&x, &gain, 1e-5, y).unwrap()),
                 guarded(n, |y| reference::rms_norm(&x, &gain, 1e-5, y))),
                (map(&|y| kernels.softmax(y)), map(&|y| reference::softmax(y))),
                (map(&|y| kernels.gelu(y)), map(&|y| reference::gelu(y))),
                (map(&|y| kernels.squared_relu(y)), map(&|y| reference::squared_relu(y))),
                (map(&|y| kernels.add(y, &x).unwrap()), map(&|y| reference::add(y, &x))),
                (map(&|y| kernels.log10(y, 1e-10)),
                 map(&|y| for y in y { *y = reference::math::log10(y.max(1e-10)) })),
            ];
            for (found, expected) in pairs {
                prop_assert_eq!(bits(&found), bits(&expected), "{:?}", kernels);
            }
        }
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
        let mut scratch = vec![GUARD; attention_scratch_len(ctx)];
        let expected = guarded(tokens * d, |y| {
            reference::attention(&q, &keys, stride, &values, heads, d, ctx, causal, 2.5, &mut scratch, y);
        });
        for kernels in levels() {
            let mut scratch = vec![GUARD; attention_scratch_len(ctx)];
            let found = guarded(tokens * d, |y| {
                kernels
                    .attention(&q, &keys, stride, &values, heads, d, ctx, causal, 2.5, &mut scratch, y)
                    .unwrap();
            });
            prop_assert_eq!(bits(&found), bits(&expected), "{:?}", kernels);
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

/// The largest k at the extremes: every i16 and i32 bound is reached.
#[test]
fn the_largest_k_is_exact() {
    let k = trit_core::MAX_TERNARY_K;
    for fill in [Fill::Lowest, Fill::Highest] {
        let acts = Acts::new(&mut Random(3), 1, k, None, fill);
        let q: i64 = if matches!(fill, Fill::Lowest) { -128 } else { 127 };
        let codes = vec![0b10_10_10_10; layout::bytes(Layout::T4, 16, k).unwrap()];
        let w = TernaryMatrix::new(16, k, Layout::T4, &codes, Scales::Tensor(1.0)).unwrap();
        for kernels in levels() {
            let mut y = [0.0; 16];
            kernels.ternary(&w, &acts.view(), None, 0..16, &mut y).unwrap();
            assert_eq!(y, [acts.scales[0] * (q * k as i64) as f32; 16], "{kernels:?}");
        }
    }
    let k = trit_core::MAX_INT8_K;
    let acts = Acts::new(&mut Random(3), 1, k, None, Fill::Lowest);
    let (values, scales) = (vec![-128i8; k], [1.0; 16]);
    let w = Int8Matrix::new(1, k, &values, &scales).unwrap();
    for kernels in levels() {
        let mut y = [0.0];
        kernels.int8(&w, &acts.view(), None, 0..1, &mut y).unwrap();
        assert_eq!(y, [acts.scales[0] * (1u64 << 30) as f32], "{kernels:?}");
    }
}

/// A level that this CPU must have is really exercised above; none is skipped in silence.
#[test]
fn every_level_of_this_architecture_is_named() {
    let built: BTreeSet<_> = registry::variants().map(|(_, level)| level.name()).collect();
    let expected: &[&str] = if cfg!(target_arch = "x86_64") {
        &["avx2", "avx512vnni", "scalar"]
    } else if cfg!(target_arch = "aarch64") {
        &["neon", "scalar"]
    } else {
        &["scalar"]
    };
    assert_eq!(built, expected.iter().copied().collect());
    let exercised: Vec<_> = levels().flat_map(|kernels| kernels.names()).collect();
    for (name, level) in registry::variants() {
        let runs = exercised.contains(&name);
        println!("{name}: {}", if runs { "exercised" } else { "this CPU lacks the level" });
        assert_eq!(runs, Cpu::detect().has(level), "{name}");
    }
    if cfg!(target_arch = "aarch64") {
        assert!(Cpu::detect().has(Level::Neon), "64-bit ARM has NEON");
    }
}

#[test]
fn each_cpu_gets_its_kernels() {
    assert!(Kernels::scalar().names().iter().all(|name| name.ends_with("__scalar")));
    assert_eq!(Cpu::baseline().level(), Level::Scalar);
    for level in Level::ALL {
        if let Some(cpu) = Cpu::detect().at(level) {
            assert_eq!(cpu.level(), level);
            let suffix = format!("__{level}");
            let names = Kernels::new(&cpu).names();
            assert!(names.iter().any(|name| name.ends_with(&suffix)), "{level} adds nothing");
            assert_eq!(names, registry::chosen(level.levels()));
        }
    }
}

#[test]
fn misfits_are_errors() {
    let acts = Acts::new(&mut Random(1), 2, 20, None, Fill::Random);
    let codes = vec![0; layout::bytes(Layout::T4, 3, 20).unwrap()];
    let w = TernaryMatrix::new(3, 20, Layout::T4, &codes, Scales::Tensor(1.0)).unwrap();
    let kernels = Kernels::new(&Cpu::detect());
    let x = acts.view();
    assert!(kernels.ternary(&w, &x, None, 0..3, &mut [0.0; 5]).is_err());
    assert!(kernels.ternary(&w, &x, None, 1..4, &mut [0.0; 6]).is_err());
    assert!(kernels.ternary(&w, &x, None, 2..2, &mut []).is_err());
    assert!(kernels.ternary(&w, &x, Some(&[0.0; 2]), 0..3, &mut [0.0; 6]).is_err());
    assert!(kernels.layer_norm(&[0.0; 4], &[], &[], 1e-5, &mut [0.0; 4]).is_err());
    let mut y = [0.0; 4];
    assert!(
        kernels
            .attention(
                &[0.0; 4],
                &[0.0; 4],
                1,
                &[0.0; 4],
                3,
                4,
                1,
                None,
                1.0,
                &mut [0.0; 64],
                &mut y
            )
            .is_err()
    );
}
