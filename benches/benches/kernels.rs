//! Every variant this CPU has × every shape: multiply-accumulates a second, activations already
//! quantised.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use trit_benches::{Acts, SHAPES, TOKENS, Weights};
use trit_core::Layout;
use trit_simd::{Cpu, Kernels, Level, registry};

fn ternary(c: &mut Criterion) {
    let cpu = Cpu::detect();
    for (rows, k) in SHAPES {
        for tokens in TOKENS {
            let mut group = c.benchmark_group(format!("ternary {rows}x{k} M={tokens}"));
            group.throughput(Throughput::Elements((rows * k * tokens) as u64));
            let acts = Acts::new(tokens, k);
            let mut y = vec![0.0; tokens * rows];
            for (layout, operation) in
                [(Layout::T4, "ternary_t4_i8_f32__"), (Layout::T5, "ternary_t5_i8_f32__")]
            {
                let weights = Weights::new(layout, rows, k);
                for (name, level) in registry::variants() {
                    let Some(variant) = name.strip_prefix(operation) else { continue };
                    // The scalar variants take seconds on the large shapes.
                    if level == Level::Scalar && rows * k * tokens > 10_000_000 {
                        continue;
                    }
                    let Some(kernels) = Kernels::new(&cpu).with(name) else { continue };
                    let id = BenchmarkId::new(format!("{layout:?}"), variant);
                    group.bench_function(id, |b| {
                        b.iter(|| {
                            kernels.ternary(
                                black_box(&weights.view()),
                                black_box(&acts.view()),
                                None,
                                0..rows,
                                &mut y,
                            )
                        });
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(benches, ternary);
criterion_main!(benches);
