//! A ternary product over threads of one's own: each gets a range of output rows.
//!
//! The kernels know nothing of threads. A call computes the rows it is asked for, into a slice of
//! their own, so any pool will do; here it is two workers behind a channel.
//!
//! `cargo run --release -p trit-simd --example own_threads`

use std::sync::mpsc;
use std::thread;

use trit_core::{
    Layout, MatrixError, QuantizedActsMut, Scales, TILE_ROWS, TernaryMatrix, activations, layout,
};
use trit_simd::{Cpu, Kernels};

const ROWS: usize = 1000;
const K: usize = 768;
const WORKERS: usize = 2;

type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

fn main() -> Result<(), MatrixError> {
    let weights: Vec<i8> = (0..ROWS * K).map(|i| (i * i % 3) as i8 - 1).collect();
    let mut codes = vec![0; layout::bytes(Layout::T4, ROWS, K).expect("the sizes are small")];
    layout::pack(Layout::T4, ROWS, K, &weights, &mut codes)?;
    let w = TernaryMatrix::new(ROWS, K, Layout::T4, &codes, Scales::Tensor(0.1))?;

    let kernels = Kernels::new(&Cpu::detect());
    let x: Vec<f32> = (0..K).map(|i| (i as f32 * 0.1).cos()).collect();
    let (mut values, mut scale, mut sums) =
        (vec![0; activations::values_len(1, K)], [0.0], vec![0; activations::sums_len(1, K)]);
    let mut token = QuantizedActsMut::new(1, K, None, &mut values, &mut scale, &mut sums)?;
    kernels.quantize(&x, K, &mut token).expect("the inputs are finite");
    let token = token.as_ref();

    let mut expected = vec![0.0; ROWS];
    kernels.ternary(&w, &token, None, 0..ROWS, &mut expected)?;

    // Whole tiles of 16 rows, so that no tile is unpacked twice.
    let part = ROWS.div_ceil(WORKERS).next_multiple_of(TILE_ROWS);
    let mut y = vec![0.0; ROWS];
    thread::scope(|scope| {
        let queues: Vec<_> = (0..WORKERS)
            .map(|_| {
                let (queue, jobs) = mpsc::channel::<Job<'_>>();
                scope.spawn(move || jobs.into_iter().for_each(|job| job()));
                queue
            })
            .collect();
        for (index, y) in y.chunks_mut(part).enumerate() {
            let first = index * part;
            let job = move || {
                kernels
                    .ternary(&w, &token, None, first..first + y.len(), y)
                    .expect("the ranges were made to fit");
            };
            queues[index % WORKERS]
                .send(Box::new(job))
                .expect("a worker lives as long as its queue");
        }
    });
    assert_eq!(y, expected);
    println!("{ROWS} rows on {WORKERS} workers, the same as on one thread");
    Ok(())
}
