//! Every variant this CPU has × every shape: elements a second, which for products are
//! multiply-accumulates with activations already quantised.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use trit_benches::{Acts, SHAPES, TOKENS, Weights};
use trit_core::heads::{HeadShape, HeadsMut, Side};
use trit_core::{
    GroupSize, Int4Matrix, Int8Matrix, Layout, QuantizedActsMut, Scales, activations, int4, layout,
    padded_rows,
};
use trit_simd::{Cpu, Kernels, Level, attention_u7_scratch_len, registry};

/// The vocabulary head of Whisper small.
const HEAD: (usize, usize) = (51_865, 768);

/// Elements beyond which scalar variants would take seconds.
const SCALAR_MOST: usize = 10_000_000;

/// Runs each variant of `operation` that this CPU has.
fn variants(
    group: &mut BenchmarkGroup<'_, WallTime>,
    operation: &str,
    elements: usize,
    mut run: impl FnMut(&Kernels),
) {
    group.throughput(Throughput::Elements(elements as u64));
    let kernels = Kernels::new(&Cpu::detect());
    for (name, level) in registry::variants() {
        let Some(variant) = name.strip_prefix(operation).and_then(|rest| rest.strip_prefix("__"))
        else {
            continue;
        };
        if level == Level::Scalar && elements > SCALAR_MOST {
            continue;
        }
        let Some(kernels) = kernels.with(name) else { continue };
        group.bench_function(BenchmarkId::new(operation, variant), |b| b.iter(|| run(&kernels)));
    }
}

fn ternary(c: &mut Criterion) {
    for (rows, k) in SHAPES {
        for tokens in TOKENS {
            let mut group = c.benchmark_group(format!("ternary {rows}x{k} M={tokens}"));
            let acts = Acts::new(tokens, k);
            let mut y = vec![0.0; tokens * rows];
            for (layout, operation) in
                [(Layout::T4, "ternary_t4_i8_f32"), (Layout::T5, "ternary_t5_i8_f32")]
            {
                let weights = Weights::new(layout, rows, k);
                variants(&mut group, operation, rows * k * tokens, |kernels| {
                    let (w, x) = (black_box(weights.view()), black_box(acts.view()));
                    kernels.ternary(&w, &x, None, 0..rows, &mut y).expect("shapes fit");
                });
            }
            group.finish();
        }
    }
}

fn head(c: &mut Criterion) {
    let (rows, k) = HEAD;
    let acts = Acts::new(1, k);
    let mut y = vec![0.0; rows];
    let mut group = c.benchmark_group(format!("head {rows}x{k} M=1"));

    let weights = vec![1; rows * Int8Matrix::stride_of(k)];
    let scales = vec![0.01; padded_rows(rows)];
    let w = Int8Matrix::new(rows, k, &weights, &scales).expect("the buffers fit");
    variants(&mut group, "matmul_i8_i8_f32", rows * k, |kernels| {
        kernels.int8(black_box(&w), &acts.view(), None, 0..rows, &mut y).expect("shapes fit");
    });

    let size = GroupSize::G64;
    let codes = vec![0x99; int4::bytes(rows, k).expect("the shape is small")];
    let scales = vec![0.01; Scales::len(rows, k, Some(size))];
    let w = Int4Matrix::new(rows, k, size, &codes, &scales).expect("the buffers fit");
    variants(&mut group, "matmul_i4_i8_f32", rows * k, |kernels| {
        kernels.int4(black_box(&w), &acts.view(), None, 0..rows, &mut y).expect("shapes fit");
    });
    group.finish();
}

fn conversions(c: &mut Criterion) {
    let mut group = c.benchmark_group("conversions");
    let (rows, k) = (768, 768);
    let t5 = vec![0; layout::bytes(Layout::T5, rows, k).expect("the shape is small")];
    let mut t4 = vec![0; layout::bytes(Layout::T4, rows, k).expect("the shape is small")];
    variants(&mut group, "convert_t5_none_t4", rows * k, |kernels| {
        kernels.t5_to_t4(k, black_box(&t5), &mut t4).expect("shapes fit");
    });

    let tokens = 64;
    let x: Vec<f32> = (0..tokens * k).map(|i| (i as f32).sin()).collect();
    let mut values = vec![0; activations::values_len(tokens, k)];
    let (mut scales, mut sums) = (vec![0.0; tokens], vec![0; activations::sums_len(tokens, k)]);
    variants(&mut group, "quantize_none_f32_i8", tokens * k, |kernels| {
        let mut out = QuantizedActsMut::new(tokens, k, None, &mut values, &mut scales, &mut sums)
            .expect("the buffers fit");
        kernels.quantize(black_box(&x), k, &mut out).expect("finite values");
    });
    group.finish();
}

/// Whisper small's attention over a whole window: multiply-accumulates of scores and sums.
fn attention(c: &mut Criterion) {
    let shape = HeadShape::new(12, 64, 1500).expect("the shape is small");
    let (columns, positions) = (shape.columns(), shape.positions());
    let x: Vec<f32> = (0..positions * columns).map(|i| (i as f32).sin()).collect();
    let mut codes = [vec![0; shape.codes_len()], vec![0; shape.codes_len()]];
    let mut scales = [vec![0.0; shape.scales_len()], vec![0.0; shape.scales_len()]];
    let ([key_codes, value_codes], [key_scales, value_scales]) = (&mut codes, &mut scales);
    let mut keys = HeadsMut::new(shape, key_codes, key_scales).expect("the buffers fit");
    let mut values = HeadsMut::new(shape, value_codes, value_scales).expect("the buffers fit");
    let kernels = Kernels::new(&Cpu::detect());
    kernels.store_heads(&x, Side::Keys, 0, &mut keys).expect("finite values");
    kernels.store_heads(&x, Side::Values, 0, &mut values).expect("finite values");
    let mut scratch = vec![0.0; attention_u7_scratch_len(&shape)];
    for tokens in [1, 64] {
        let mut group = c.benchmark_group(format!("attention 12x64 ctx=1500 M={tokens}"));
        let q = &x[..tokens * columns];
        let mut out = vec![0.0; q.len()];
        let elements = 2 * tokens * columns * positions;
        let (keys, values) = (keys.as_ref(), values.as_ref());
        variants(&mut group, "attention_u7_f32_f32", elements, |kernels| {
            kernels
                .attention_u7(
                    black_box(q),
                    &keys,
                    &values,
                    positions,
                    0.125,
                    &mut scratch,
                    &mut out,
                )
                .expect("shapes fit");
        });
        group.finish();
    }
}

criterion_group!(benches, ternary, head, conversions, attention);
criterion_main!(benches);
