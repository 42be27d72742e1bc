//! Power spectrum of 400 samples, and the mel filters.

use super::LANES;

/// Samples of a frame.
pub const FFT_SIZE: usize = 400;
/// Bins of a power spectrum.
pub const SPECTRUM_SIZE: usize = FFT_SIZE / 2 + 1;

/// cos and sin of 2πi/400.
///
/// ```
/// let table = trit_core::reference::DftTable::new();
/// assert_eq!((table.cos[0], table.sin[0]), (1.0, 0.0));
/// // A quarter turn.
/// assert_eq!(table.sin[100], 1.0);
/// assert!(table.cos[100].abs() < 1e-7);
/// ```
#[derive(Debug, Clone)]
pub struct DftTable {
    /// cos(2πi/400).
    pub cos: [f32; FFT_SIZE],
    /// sin(2πi/400).
    pub sin: [f32; FFT_SIZE],
}

impl Default for DftTable {
    fn default() -> Self {
        Self::new()
    }
}

impl DftTable {
    /// The table, computed in double precision.
    ///
    /// ```
    /// use trit_core::reference::DftTable;
    ///
    /// assert_eq!(DftTable::new().cos[200], -1.0);
    /// ```
    pub fn new() -> Self {
        let angle = |i: usize| i as f64 * (core::f64::consts::TAU / FFT_SIZE as f64);
        Self {
            cos: core::array::from_fn(|i| libm::cos(angle(i)) as f32),
            sin: core::array::from_fn(|i| libm::sin(angle(i)) as f32),
        }
    }
}

/// Factors of the transform: 400 = 20 · 20.
const RADIX: usize = 20;

/// `|X[k]|²`, k in 0..=200, of the discrete Fourier transform of [`LANES`] real frames at once,
/// side by side: `frames[n]` holds sample n of each.
///
/// Cooley and Tukey's two steps of 20: with n = 20a + b and k = c + 20e,
/// `X[c + 20e] = Σ_b W₄₀₀^{bc} · W₂₀^{be} · (Σ_a x[20a + b] · W₂₀^{ac})`, W = exp(−2πi/N). Sums run
/// in ascending a and b from +0. Columns c above 10 follow from conjugate symmetry.
///
/// Bins cancel, so with A = Σ|x| of a frame, a power P is within 202·u·A·√P + (100·u·A)²: table,
/// product and 19 additions in either step are at most 70 roundings of either part of X.
///
/// ```
/// use trit_core::reference::{DftTable, FFT_SIZE, LANES, SPECTRUM_SIZE, power_spectrum};
///
/// // A constant 1: all power in bin 0, 400².
/// let frames = [[1.0; LANES]; FFT_SIZE];
/// let mut power = [[9.0; LANES]; SPECTRUM_SIZE];
/// power_spectrum(&DftTable::new(), &frames, &mut power);
/// assert_eq!(power[0], [160_000.0; LANES]);
/// assert!(power[1..].as_flattened().iter().all(|&p| p < 1e-3));
/// ```
#[inline(always)]
pub fn power_spectrum(
    table: &DftTable,
    frames: &[[f32; LANES]; FFT_SIZE],
    power: &mut [[f32; LANES]; SPECTRUM_SIZE],
) {
    const HALF: usize = RADIX / 2 + 1;
    // Step one and the twiddles: z[c][b] = W₄₀₀^{bc} · Σ_a x[20a + b] · W₂₀^{ac}.
    let mut re = [[[0.0f32; LANES]; RADIX]; HALF];
    let mut im = [[[0.0f32; LANES]; RADIX]; HALF];
    for c in 0..HALF {
        for b in 0..RADIX {
            let (mut sum_re, mut sum_im) = ([0.0f32; LANES], [0.0f32; LANES]);
            for a in 0..RADIX {
                let turn = a * c % RADIX * RADIX;
                let (cos, sin) = (table.cos[turn], table.sin[turn]);
                let x = &frames[RADIX * a + b];
                for lane in 0..LANES {
                    sum_re[lane] += x[lane] * cos;
                    sum_im[lane] -= x[lane] * sin;
                }
            }
            let (cos, sin) = (table.cos[b * c], table.sin[b * c]);
            for lane in 0..LANES {
                re[c][b][lane] = sum_re[lane] * cos + sum_im[lane] * sin;
                im[c][b][lane] = sum_im[lane] * cos - sum_re[lane] * sin;
            }
        }
    }
    // Step two. A real signal has X[400 − k] = conj X[k], so bin k = c + 20e with c above 10 is the
    // bin 400 − k, whose column is 20 − c.
    for (k, power) in power.iter_mut().enumerate() {
        let k = if k % RADIX < HALF { k } else { FFT_SIZE - k };
        let (c, e) = (k % RADIX, k / RADIX);
        let (mut sum_re, mut sum_im) = ([0.0f32; LANES], [0.0f32; LANES]);
        for b in 0..RADIX {
            let turn = b * e % RADIX * RADIX;
            let (cos, sin) = (table.cos[turn], table.sin[turn]);
            let (x, y) = (&re[c][b], &im[c][b]);
            for lane in 0..LANES {
                sum_re[lane] += x[lane] * cos + y[lane] * sin;
                sum_im[lane] += y[lane] * cos - x[lane] * sin;
            }
        }
        for lane in 0..LANES {
            power[lane] = sum_re[lane] * sum_re[lane] + sum_im[lane] * sum_im[lane];
        }
    }
}

/// `mel[m] = Σ_f filters[m, f] · power[f]` of [`LANES`] frames at once, over ascending bins f from
/// +0. Terms with a zero filter add +0 and may be left out. `filters` is `[mels, 201]`.
///
/// Within n·u·Σ|filter · power| for a filter with n bins that are not zero: n ULP of a mel energy
/// at most, since neither factor is negative.
///
/// ```
/// use trit_core::reference::{LANES, SPECTRUM_SIZE, mel_project};
///
/// // Two filters: bin 1 alone, and half of bins 1 and 2.
/// let mut filters = [0.0; 2 * SPECTRUM_SIZE];
/// filters[1] = 1.0;
/// filters[SPECTRUM_SIZE + 1..][..2].fill(0.5);
/// let power = std::array::from_fn(|bin| [bin as f32; LANES]);
/// let mut mel = [0.0; 2];
/// mel_project(&filters, &power, |m, lanes| mel[m] = lanes[0]);
/// assert_eq!(mel, [1.0, 1.5]);
/// ```
#[inline(always)]
pub fn mel_project(
    filters: &[f32],
    power: &[[f32; LANES]; SPECTRUM_SIZE],
    mut put: impl FnMut(usize, [f32; LANES]),
) {
    for (m, filter) in filters.chunks_exact(SPECTRUM_SIZE).enumerate() {
        let mut sum = [0.0; LANES];
        for (weight, power) in filter.iter().zip(power).filter(|(weight, _)| **weight != 0.0) {
            for lane in 0..LANES {
                sum[lane] += weight * power[lane];
            }
        }
        put(m, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_definition_in_double_precision() {
        let mut state = 1u32;
        let frames: [[f32; LANES]; FFT_SIZE] = core::array::from_fn(|_| {
            core::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
        });
        let mut power = [[0.0; LANES]; SPECTRUM_SIZE];
        power_spectrum(&DftTable::new(), &frames, &mut power);
        for lane in [0, 7, 15] {
            let norm: f64 = frames.iter().map(|x| f64::from(x[lane]).powi(2)).sum();
            for (k, power) in power.iter().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, x) in frames.iter().enumerate() {
                    let angle = (n * k % FFT_SIZE) as f64 * core::f64::consts::TAU / 400.0;
                    re += f64::from(x[lane]) * libm::cos(angle);
                    im -= f64::from(x[lane]) * libm::sin(angle);
                }
                let error = (f64::from(power[lane]) - (re * re + im * im)).abs();
                assert!(error <= 2e-6 * norm * FFT_SIZE as f64 / 16.0, "bin {k}: {error}");
            }
        }
    }

    #[test]
    fn a_constant_has_only_the_lowest_bin() {
        let mut power = [[9.0; LANES]; SPECTRUM_SIZE];
        power_spectrum(&DftTable::new(), &[[0.5; LANES]; FFT_SIZE], &mut power);
        assert!((power[0][0] - 40_000.0).abs() < 0.1);
        assert!(power[1..].iter().all(|bin| bin[0] < 1e-6));
    }
}
