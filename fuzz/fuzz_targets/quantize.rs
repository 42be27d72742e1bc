//! The activation quantiser on any floats at every level, against the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trit_core::{QuantizeError, QuantizedActsMut, activations, reference};
use trit_fuzz::{Guarded, Operands, levels};

/// Values, bits of the scales, block sums.
type Quantised = (Vec<i8>, Vec<u32>, Vec<i32>);

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let group = input.group();
    let (k, tokens) = (input.number(1, 600), input.number(1, 6));
    // Below k, tokens overlap; above, there is something between them.
    let stride = input.number(0, k + 9);
    let x = input.floats((tokens - 1) * stride + k);
    type Quantiser<'q> = &'q dyn Fn(&mut QuantizedActsMut<'_>) -> Result<(), QuantizeError>;
    let run = |quantise: Quantiser<'_>| -> Result<Quantised, QuantizeError> {
        let mut values = Guarded::new(activations::values_len(tokens, k));
        let mut scales = Guarded::<f32>::new(activations::scales_len(tokens, k, group));
        let mut sums = Guarded::new(activations::sums_len(tokens, k));
        let mut out =
            QuantizedActsMut::new(tokens, k, group, values.inner(), scales.inner(), sums.inner())
                .expect("buffers of the right lengths");
        quantise(&mut out)?;
        let scales = scales.finish().iter().map(|scale| scale.to_bits()).collect();
        Ok((values.finish(), scales, sums.finish()))
    };
    let expected = run(&|out| reference::quantize(&x, stride, out));
    for (level, kernels) in levels() {
        let found = run(&|out| kernels.quantize(&x, stride, out));
        assert_eq!(found, expected, "{level}");
    }
});
