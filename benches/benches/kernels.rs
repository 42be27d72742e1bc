//! Every level this CPU has × every shape: multiply-accumulates a second, activations already
//! quantised.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use trit_benches::{Acts, SHAPES, TOKENS, Weights};
use trit_core::Layout;
use trit_simd::{Cpu, Kernels, Level};

fn ternary(c: &mut Criterion) {
    let cpu = Cpu::detect();
    for (rows, k) in SHAPES {
        for tokens in TOKENS {
            let mut group = c.benchmark_group(format!("ternary {rows}x{k} M={tokens}"));
            group.throughput(Throughput::Elements((rows * k * tokens) as u64));
            let acts = Acts::new(tokens, k);
            let mut y = vec![0.0; tokens * rows];
            for layout in [Layout::T4, Layout::T5] {
                let weights = Weights::new(layout, rows, k);
                for level in Level::ALL.into_iter().filter(|&level| cpu.has(level)) {
                    // The scalar variants take seconds on the large shapes.
                    if level == Level::Scalar && rows * k * tokens > 10_000_000 {
                        continue;
                    }
                    let Some(cpu) = cpu.at(level) else { continue };
                    let kernels = Kernels::new(&cpu);
                    let id = BenchmarkId::new(format!("{layout:?}"), level);
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
