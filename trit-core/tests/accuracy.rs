//! Every float operation of `reference` against the same formula in double precision.
//!
//! Each bound below is first-order worst-case rounding analysis and stands in the operation's
//! documentation. `u` is 2⁻²⁴, half an ULP of 1. Where terms cancel, an error has no bound in ULP of
//! the result, and the bound is relative to the sum of the terms' sizes instead. A test reports the
//! worst error it saw as a share of its bound, and fails above the bound or above the share that
//! was seen when the test was written, so that lost accuracy shows even where the bound is wide.

use trit_core::reference::{self, DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE, math};
use trit_core::{F16Matrix, F32Matrix, GroupSize, QuantizedActsMut, activations, f16};

/// Unit roundoff of single precision.
const U: f64 = 1.0 / (1u64 << 24) as f64;

/// The worst error as a share of its bound.
struct Worst {
    share: f64,
    what: String,
}

impl Worst {
    fn new() -> Self {
        Self { share: 0.0, what: String::new() }
    }

    fn see(&mut self, found: f32, exact: f64, bound: f64, what: impl FnOnce() -> String) {
        // Results below the smallest number are not told apart.
        let share = (f64::from(found) - exact).abs() / bound.max(f64::from(f32::from_bits(1)));
        if share > self.share || share.is_nan() {
            self.share = share;
            self.what = format!("{}: {found:e} for {exact:e}", what());
        }
    }

    /// Fails if the worst share is above `seen`, itself at most the whole bound.
    fn at_most(&self, operation: &str, seen: f64) {
        println!("{operation}: {:.4} of the bound, at {}", self.share, self.what);
        assert!(seen <= 1.0 && self.share <= seen, "{operation}: {} at {}", self.share, self.what);
    }
}

/// One unit in the last place of a result near `exact`.
fn ulp(exact: f64) -> f64 {
    let near = (exact.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near)
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

    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Values that rounding treats differently: alike, of many sizes, far from zero, cancelling,
    /// constant, or one among zeros.
    fn values(&mut self, n: usize) -> Vec<f32> {
        let size = 2f32.powi(self.below(24) as i32 - 12);
        let kind = self.below(6);
        let mut values: Vec<f32> = (0..n)
            .map(|i| match kind {
                0 => self.unit() * size,
                1 => self.unit() * 2f32.powi(self.below(30) as i32 - 20),
                2 => size * (1000.0 + self.unit()),
                3 => size * if i % 2 == 0 { 1.0 + 0.01 * self.unit() } else { -1.0 },
                4 => size / 3.0,
                _ => 0.0,
            })
            .collect();
        if kind == 5 {
            let at = self.below(n);
            values[at] = size * self.unit();
        }
        values
    }

    /// Lengths around the 16 lanes, and those of real models.
    fn length(&mut self) -> usize {
        const LENGTHS: [usize; 14] =
            [1, 2, 15, 16, 17, 31, 33, 80, 384, 768, 1280, 2560, 6912, 8640];
        match self.below(2) {
            0 => LENGTHS[self.below(LENGTHS.len())],
            _ => 1 + self.below(300),
        }
    }
}

/// Roundings in the longest chain of `reference::sum` over n terms: the first addition, to +0, is
/// exact, and the tree has four.
fn sum_roundings(n: usize) -> f64 {
    n.div_ceil(LANES) as f64 + 3.0
}

/// Floats from `low` to `high`, both of one sign, every `step` representable numbers.
fn floats(low: f32, high: f32, step: usize) -> impl Iterator<Item = f32> {
    (low.to_bits()..=high.to_bits()).step_by(step).map(f32::from_bits)
}

/// Either sign of the floats from the smallest to `high`.
fn either_sign(high: f32, step: usize) -> impl Iterator<Item = f32> {
    floats(0.0, high, step).flat_map(|x| [x, -x])
}

#[test]
fn exp_is_within_two_ulp() {
    let mut worst = Worst::new();
    for x in floats(0.0, 88.0, 2003).chain(floats(-0.0, -87.0, 2003)).chain([88.0, -87.0]) {
        let exact = libm::exp(x.into());
        worst.see(math::exp(x), exact, 2.0 * ulp(exact), || format!("{x:e}"));
    }
    worst.at_most("exp", 0.5);
}

#[test]
fn erf_is_within_its_bound() {
    let (mut absolute, mut relative) = (Worst::new(), Worst::new());
    for x in either_sign(30.0, 2003) {
        let exact = libm::erf(x.into());
        absolute.see(math::erf(x), exact, 4e-7, || format!("{x:e}"));
        // A subnormal argument loses bits in x · p, but no more than an ULP of the smallest normal.
        relative.see(math::erf(x), exact, 8.0 * ulp(exact), || format!("{x:e}"));
    }
    absolute.at_most("erf, absolute", 0.82);
    relative.at_most("erf, in units of 8 ULP", 0.7);
}

#[test]
fn log10_is_within_its_bound() {
    let mut worst = Worst::new();
    let near_one = floats(0.99, 1.01, 97);
    for x in floats(f32::MIN_POSITIVE, f32::MAX, 4001).chain(near_one).chain([f32::MAX]) {
        let exact = libm::log10(x.into());
        let bound = 2e-7 + 2.0 * ulp(exact);
        worst.see(math::log10(x), exact, bound, || format!("{x:e}"));
    }
    worst.at_most("log10", 0.8);
}

#[test]
fn exp2_q14_is_within_its_bound() {
    let mut worst = Worst::new();
    for below in 0..=4095u16 {
        let exact = (-f64::from(below) / 256.0).exp2() * 16_384.0;
        let found = math::exp2_q14(below);
        worst.see(f32::from(found), exact, 0.0002 * exact + 0.5, || format!("below {below}"));
    }
    worst.at_most("exp2_q14", 1.0);
    assert_eq!([0, 15 * 256, 4095].map(math::exp2_q14), [16_383, 0, 0]);
    assert!(math::exp2_q14(15 * 256 - 1) > 0);
}

#[test]
fn codes_of_weights_are_seven_bits() {
    for most in 0..=math::exp2_q14(0) {
        let factor = reference::code_factor(most);
        let code = math::multiply_q15(most, factor);
        let least = if most < 127 { most } else { 126 };
        assert!((least..=127).contains(&code), "{most}: {code}");
    }
}

#[test]
fn gelu_is_within_its_bound() {
    let mut worst = Worst::new();
    // Below 2⁻¹⁰⁰ the bound itself leaves single precision.
    for x in either_sign(1000.0, 2003).filter(|x| x.abs() > 2f32.powi(-100)) {
        let wide = f64::from(x);
        let exact = 0.5 * wide * (1.0 + libm::erf(wide * core::f64::consts::FRAC_1_SQRT_2));
        let mut y = [x];
        reference::gelu(&mut y);
        worst.see(y[0], exact, 3.5e-7 * wide.abs(), || format!("{x:e}"));
    }
    worst.at_most("gelu", 0.6);
}

/// One rounding: the product of two floats is exact in double precision, and the sum so nearly that
/// rounding it again gives the same float (Figueroa 1995: 53 ≥ 2·24 + 2).
#[test]
fn squared_relu_and_add_are_correctly_rounded() {
    let mut random = Random(1);
    let edges = [0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 3e-23, 1.8e19, 3e19, f32::MAX, f32::MIN];
    for at in 0..1_000_000 {
        let mut any = |at: usize| match edges.get(at) {
            Some(&edge) => edge,
            None => loop {
                let x = f32::from_bits(random.next());
                if x.is_finite() {
                    break x;
                }
            },
        };
        let (x, y) = (any(at / 16), any(at % 16));
        let mut square = [x];
        reference::squared_relu(&mut square);
        let positive = f64::from(x.max(0.0));
        assert_eq!(square[0].to_bits(), ((positive * positive) as f32).to_bits(), "{x:e}");
        let mut sum = [x];
        reference::add(&mut sum, &[y]);
        assert_eq!(sum[0], (f64::from(x) + f64::from(y)) as f32, "{x:e} + {y:e}");
    }
}

#[test]
fn layer_norm_is_within_its_bound() {
    let (mut random, mut worst) = (Random(2), Worst::new());
    for _ in 0..3000 {
        let d = random.length();
        let (x, gain, bias) = (random.values(d), random.values(d), random.values(d));
        let eps = [1e-5f32, 1e-12, 0.1][random.below(3)];
        let mut y = vec![0.0; d];
        reference::layer_norm(&x, &gain, &bias, eps, &mut y);
        let mean_of =
            |term: &dyn Fn(f64) -> f64| x.iter().map(|&x| term(x.into())).sum::<f64>() / d as f64;
        let (mean, size) = (mean_of(&|x| x), mean_of(&f64::abs));
        let deviation = (mean_of(&|x| (x - mean).powi(2)) + f64::from(eps)).sqrt();
        for i in 0..d {
            let z = (f64::from(x[i]) - mean) / deviation;
            let exact = z * f64::from(gain[i]) + f64::from(bias[i]);
            let spread = (1.0 + z.abs()) * f64::from(gain[i]).abs();
            let roundings = d.div_ceil(LANES) as f64 + 9.0;
            let bound = U * (roundings * (1.0 + size / deviation) * spread + exact.abs());
            worst.see(y[i], exact, bound, || format!("{i} of {d}"));
        }
    }
    worst.at_most("layer norm", 1.0);
}

#[test]
fn rms_norm_is_within_its_bound() {
    let (mut random, mut worst) = (Random(3), Worst::new());
    for _ in 0..3000 {
        let d = random.length();
        let (x, gain) = (random.values(d), random.values(d));
        let eps = [1e-5f32, 1e-12, 0.1][random.below(3)];
        let mut y = vec![0.0; d];
        reference::rms_norm(&x, &gain, eps, &mut y);
        let square = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / d as f64;
        let scale = 1.0 / (square + f64::from(eps)).sqrt();
        for i in 0..d {
            let exact = f64::from(x[i]) * scale * f64::from(gain[i]);
            let bound = U * (0.5 * d.div_ceil(LANES) as f64 + 7.0) * exact.abs();
            worst.see(y[i], exact, bound, || format!("{i} of {d}"));
        }
    }
    worst.at_most("RMS norm", 0.5);
}

#[test]
fn softmax_is_within_its_bound() {
    let (mut random, mut worst) = (Random(4), Worst::new());
    for case in 0..3000 {
        let n = random.length();
        let mut x = random.values(n);
        if case % 3 == 0 {
            // Attention-like scores up to beyond where exp is clamped.
            x.iter_mut().for_each(|x| *x = 100.0 * random.unit());
        }
        let mut y = x.clone();
        reference::softmax(&mut y);
        let most = f64::from(x.iter().copied().fold(f32::MIN, f32::max));
        let total: f64 = x.iter().map(|&x| libm::exp(f64::from(x) - most)).sum();
        for i in 0..n {
            let below = most - f64::from(x[i]);
            let exact = libm::exp(-below) / total;
            let roundings = below + (n as f64).ln() + n.div_ceil(LANES) as f64 + 13.0;
            worst.see(y[i], exact, U * roundings * exact + 2e-38, || format!("{i} of {n}"));
        }
    }
    worst.at_most("softmax", 0.85);
}

#[test]
fn dense_products_are_within_their_bound() {
    let (mut random, mut worst) = (Random(5), Worst::new());
    for _ in 0..3000 {
        let k = random.length();
        let (w, x, bias) = (random.values(k), random.values(k), random.values(1));
        let half: Vec<u16> = w.iter().map(|&w| f16::from_f32(w.clamp(-60e3, 60e3))).collect();
        let (mut single, mut narrow) = ([0.0], [0.0]);
        let matrix = F32Matrix::new(1, k, &w).unwrap();
        reference::dense_f32(&matrix, &x, Some(&bias), &mut single);
        let matrix = F16Matrix::new(1, k, &half).unwrap();
        reference::dense_f16(&matrix, &x, Some(&bias), &mut narrow);
        let mut compare = |found: f32, w: &dyn Fn(usize) -> f32| {
            let term = |i: usize| f64::from(w(i)) * f64::from(x[i]);
            let bias = f64::from(bias[0]);
            let exact = (0..k).map(term).sum::<f64>() + bias;
            let size: f64 = (0..k).map(|i| term(i).abs()).sum();
            let bound = U * ((sum_roundings(k) + 1.0) * size + exact.abs());
            worst.see(found, exact, bound, || format!("k = {k}"));
        };
        compare(single[0], &|i| w[i]);
        compare(narrow[0], &|i| f16::to_f32(half[i]));
    }
    worst.at_most("dense products", 1.0);
}

#[test]
fn convolutions_are_within_their_bound() {
    let (mut random, mut worst) = (Random(6), Worst::new());
    for _ in 0..300 {
        let (channels, frames) = (1 + random.below(100), 1 + random.below(6));
        let stride = 1 + random.below(2);
        let (w, x) = (random.values(3 * channels), random.values(frames * channels));
        let mut y = vec![0.0; frames.div_ceil(stride)];
        let matrix = F32Matrix::new(1, 3 * channels, &w).unwrap();
        reference::conv1d(&matrix, &x, channels, stride, None, &mut y);
        for (t, &y) in y.iter().enumerate() {
            let (mut exact, mut size) = (0.0, 0.0);
            for (at, &w) in w.iter().enumerate() {
                let frame = (t * stride + at / channels).checked_sub(1);
                if let Some(frame) = frame.filter(|&frame| frame < frames) {
                    let term = f64::from(w) * f64::from(x[frame * channels + at % channels]);
                    exact += term;
                    size += term.abs();
                }
            }
            let bound = U * (sum_roundings(3 * channels) + 1.0) * size;
            worst.see(y, exact, bound, || format!("frame {t} of {frames}"));
        }
    }
    worst.at_most("convolution", 0.3);
}

#[test]
fn attention_is_within_its_bound() {
    let (mut random, mut worst) = (Random(7), Worst::new());
    for _ in 0..400 {
        let (width, ctx) = ([1, 20, 64, 80][random.below(4)], 1 + random.below(200));
        let (heads, tokens) = (2, 2);
        let d = heads * width;
        let scale = 1.0 / (width as f32).sqrt();
        let q: Vec<f32> = (0..tokens * d).map(|_| 3.0 * random.unit()).collect();
        let keys: Vec<f32> = (0..d * ctx).map(|_| 3.0 * random.unit()).collect();
        let values = random.values(ctx * d);
        let causal = (random.below(2) == 0).then(|| random.below(ctx));
        let (mut scratch, mut out) = (vec![0.0; ctx], vec![0.0; tokens * d]);
        reference::attention(
            &q,
            &keys,
            ctx,
            &values,
            heads,
            d,
            ctx,
            causal,
            scale,
            &mut scratch,
            &mut out,
        );
        let largest = values.iter().fold(0.0f64, |most, &v| most.max(f64::from(v).abs()));
        for (t, head) in (0..tokens).flat_map(|t| (0..heads).map(move |head| (t, head))) {
            let seen = causal.map_or(ctx, |start| ctx.min(start + t + 1));
            let columns = head * width..(head + 1) * width;
            let term = |i: usize, key: usize| {
                f64::from(q[t * d + i]) * f64::from(scale) * f64::from(keys[i * ctx + key])
            };
            let scores: Vec<f64> =
                (0..seen).map(|key| columns.clone().map(|i| term(i, key)).sum()).collect();
            let size = (0..seen)
                .map(|key| columns.clone().map(|i| term(i, key).abs()).sum())
                .fold(0.0f64, f64::max);
            let most = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| libm::exp(score - most)).collect();
            let total: f64 = weights.iter().sum();
            let bound = U * largest * (2.0 * (width + 2) as f64 * size + 2.0 * seen as f64 + 32.0);
            for i in columns {
                let sum: f64 =
                    (0..seen).map(|key| weights[key] * f64::from(values[key * d + i])).sum();
                worst.see(out[t * d + i], sum / total, bound, || format!("{seen} keys, {width}"));
            }
        }
    }
    worst.at_most("attention", 0.05);
}

#[test]
fn spectrum_and_mel_are_within_their_bounds() {
    let (mut random, mut power_worst, mut mel_worst) = (Random(8), Worst::new(), Worst::new());
    let table = DftTable::new();
    for case in 0..4 {
        let mut frames = [[0.0f32; LANES]; FFT_SIZE];
        for lane in 0..LANES {
            let samples = random.values(FFT_SIZE);
            let tone = (case * LANES + lane) as f32 * 3.1;
            for n in 0..FFT_SIZE {
                // Half of the frames are tones, whose other bins cancel.
                frames[n][lane] = match lane % 2 {
                    0 => samples[n],
                    _ => (n as f32 * tone * core::f32::consts::TAU / FFT_SIZE as f32).sin(),
                };
            }
        }
        let mut power = [[0.0f32; LANES]; SPECTRUM_SIZE];
        reference::power_spectrum(&table, &frames, &mut power);
        for lane in 0..LANES {
            let size: f64 = frames.iter().map(|frame| f64::from(frame[lane]).abs()).sum();
            for (k, power) in power.iter().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, frame) in frames.iter().enumerate() {
                    let angle = (n * k % FFT_SIZE) as f64 * core::f64::consts::TAU / 400.0;
                    re += f64::from(frame[lane]) * libm::cos(angle);
                    im -= f64::from(frame[lane]) * libm::sin(angle);
                }
                let exact = re * re + im * im;
                let bound = U * 202.0 * size * exact.sqrt() + (U * 100.0 * size).powi(2);
                let what = || format!("bin {k}, case {case}, lane {lane}");
                power_worst.see(power[lane], exact, bound, what);
            }
        }
        // Triangles of every width, as mel filters are, and one over all bins.
        let filters: Vec<f32> = (0..40 * SPECTRUM_SIZE)
            .map(|at| {
                let (m, f) = (at / SPECTRUM_SIZE, at % SPECTRUM_SIZE);
                let slope = 1.0 - (f as f32 - 5.0 * m as f32).abs() / (m + 1) as f32;
                if m == 39 { 0.01 } else { slope.max(0.0) * 0.03 }
            })
            .collect();
        reference::mel_project(&filters, &power, |m, mels| {
            let filter = &filters[m * SPECTRUM_SIZE..][..SPECTRUM_SIZE];
            let used = filter.iter().filter(|&&weight| weight != 0.0).count();
            for lane in 0..LANES {
                let term = |f: usize| f64::from(filter[f]) * f64::from(power[f][lane]);
                let exact: f64 = (0..SPECTRUM_SIZE).map(term).sum();
                let bound = U * used as f64 * exact;
                mel_worst.see(mels[lane], exact, bound, || format!("mel {m}"));
            }
        });
    }
    power_worst.at_most("power spectrum", 0.05);
    mel_worst.at_most("mel projection", 0.85);
}

/// Half a step, plus what rounding scale and quotient may add.
#[test]
fn quantised_activations_are_within_half_a_step() {
    let (mut random, mut worst) = (Random(9), Worst::new());
    for case in 0..2000 {
        let k = random.length();
        let x = random.values(k);
        let group = (case % 2 == 0).then(|| GroupSize::ALL[random.below(4)]);
        let mut values = vec![0; activations::values_len(1, k)];
        let mut scales = vec![0.0; activations::scales_len(1, k, group)];
        let mut sums = vec![0; activations::sums_len(1, k)];
        let mut out =
            QuantizedActsMut::new(1, k, group, &mut values, &mut scales, &mut sums).unwrap();
        reference::quantize(&x, k, &mut out).unwrap();
        let part = group.map_or(k, GroupSize::inputs);
        for (i, &x) in x.iter().enumerate() {
            let scale = f64::from(scales[i / part]);
            let stored = (f64::from(values[i]) * scale) as f32;
            let bound = (0.5 + 1.0 / 32768.0) * scale;
            worst.see(stored, x.into(), bound, || format!("{i} of {k}"));
        }
    }
    worst.at_most("activation quantiser", 1.0);
}
