//! Any floats through the activation quantiser: every level against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::{GroupSize, QuantizedActsMut, activations, reference};
use trit_simd::{Cpu, Kernels, Level};

fuzz_target!(|data: &[u8]| {
    let Some((&group, data)) = data.split_first() else { return };
    let x: Vec<f32> =
        data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let k = x.len();
    if k == 0 {
        return;
    }
    let group = GroupSize::ALL.get(usize::from(group)).copied();
    let run = |quantise: &dyn Fn(&mut QuantizedActsMut<'_>) -> bool| {
        let mut values = vec![1; activations::values_len(1, k)];
        let mut scales = vec![0.0; activations::scales_len(1, k, group)];
        let mut sums = vec![0; activations::sums_len(1, k)];
        let mut out = QuantizedActsMut::new(1, k, group, &mut values, &mut scales, &mut sums)
            .expect("buffers of the right lengths");
        quantise(&mut out)
            .then(|| (values, scales.iter().map(|s| s.to_bits()).collect::<Vec<_>>(), sums))
    };
    let expected = run(&|out| reference::quantize(&x, k, out).is_ok());
    for level in Level::ALL {
        if let Some(cpu) = Cpu::detect().at(level) {
            let kernels = Kernels::new(&cpu);
            assert!(run(&|out| kernels.quantize(&x, k, out).is_ok()) == expected, "{level}");
        }
    }
});
