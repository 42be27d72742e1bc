//! Norms, softmax and element-wise operations on any floats at every level, against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::reference;
use trit_fuzz::{Operands, assert_same, guarded, levels};

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let (d, tokens) = (input.number(1, 300), input.number(1, 5));
    let n = tokens * d;
    let x = input.floats(n);
    let (gain, bias) = (input.floats(d), input.floats(d));
    let eps = input.floats(1)[0];
    // The logarithm's floor is a positive normal number.
    let floor = input.raw_floats(1)[0].abs();
    let floor = if floor.is_normal() { floor } else { 1e-10 };
    let map = |f: &dyn Fn(&mut [f32])| {
        guarded(n, |y| {
            y.copy_from_slice(&x);
            f(y);
        })
    };
    let log10 = |y: &mut [f32]| {
        for y in y {
            *y = reference::math::log10(if *y > floor { *y } else { floor });
        }
    };
    let expected = [
        guarded(n, |y| reference::layer_norm(&x, &gain, &bias, eps, y)),
        guarded(n, |y| reference::rms_norm(&x, &gain, eps, y)),
        map(&reference::softmax),
        map(&reference::gelu),
        map(&reference::squared_relu),
        map(&|y| reference::add(y, &x)),
        map(&log10),
    ];
    for (level, kernels) in levels() {
        let found = [
            guarded(n, |y| kernels.layer_norm(&x, &gain, &bias, eps, y).expect("they fit")),
            guarded(n, |y| kernels.rms_norm(&x, &gain, eps, y).expect("they fit")),
            map(&|y| kernels.softmax(y)),
            map(&|y| kernels.gelu(y)),
            map(&|y| kernels.squared_relu(y)),
            map(&|y| kernels.add(y, &x).expect("they fit")),
            map(&|y| kernels.log10(y, floor)),
        ];
        for (operation, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_same(found, expected, (level, operation));
        }
    }
});
