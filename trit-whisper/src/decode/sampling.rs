//! Choosing tokens by their logits, in `f32` operations that give the same bits everywhere.

use trit_core::reference::sum;

use super::{NEVER, math};

/// The softmax of a row of logits: their largest, and the logarithm of the sum of e to the
/// differences from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax {
    largest: f32,
    log_sum: f32,
}

impl Softmax {
    /// `None` if no logit may be chosen.
    pub(crate) fn new(logits: &[f32]) -> Option<Self> {
        let largest = largest(logits);
        if largest == NEVER {
            return None;
        }
        let total = sum(logits.iter().map(|x| math::exp(x - largest)));
        Some(Self { largest, log_sum: libm::logf(total) })
    }

    /// The log probability of a token with this logit.
    pub(crate) fn logprob(&self, logit: f32) -> f32 {
        (logit - self.largest) - self.log_sum
    }

    /// The probability of a token with this logit.
    pub(crate) fn probability(&self, logit: f32) -> f32 {
        if logit == NEVER { 0.0 } else { math::exp(self.logprob(logit)) }
    }
}

/// The largest of some logits.
pub(crate) fn largest(logits: &[f32]) -> f32 {
    logits.iter().fold(NEVER, |most, &x| if x > most { x } else { most })
}

/// The likeliest token, the first of several.
pub(crate) fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// The probability of `id` among all tokens; 0 if there is no such token.
pub(crate) fn probability(logits: &[f32], id: u32) -> f32 {
    match (Softmax::new(logits), logits.get(id as usize)) {
        (Some(softmax), Some(&logit)) => softmax.probability(logit),
        _ => 0.0,
    }
}

/// Draws a token from the softmax of `logits` / `temperature`, which is positive, by a number that is
/// uniform in [0, 1). At least one logit may be chosen.
///
/// The first token at which the sum of weights from the first on exceeds that share of them all; sums
/// are in `f64` and in order, so that they are the same everywhere.
pub(crate) fn draw(logits: &[f32], temperature: f32, uniform: f64) -> u32 {
    let largest = largest(logits);
    let weights = || {
        let allowed = (0..).zip(logits).filter(|&(_, &logit)| logit > NEVER);
        allowed.map(|(id, &logit)| (id, f64::from(math::exp((logit - largest) / temperature))))
    };
    let mut left = uniform * weights().map(|(_, weight)| weight).sum::<f64>();
    let mut chosen = 0;
    for (id, weight) in weights() {
        chosen = id;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    chosen
}

/// Random numbers by counters: each is a function of the seed and of what it is drawn for, so that
/// neither threads nor what was drawn before can change it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Other numbers for each `index`.
    pub(crate) fn of(self, index: usize) -> Self {
        Self(mix(self.0 ^ (index as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// A number in [0, 1), a multiple of 2⁻⁵³.
    pub(crate) fn uniform(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014, variant 13 of Stafford).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn probabilities_sum_to_one_over_what_may_be_chosen() {
        let logits = [1.0, NEVER, 3.0, -2.0];
        let softmax = Softmax::new(&logits).unwrap();
        let probabilities = logits.map(|logit| softmax.probability(logit));
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(probabilities[1], 0.0);
        assert_eq!(softmax.logprob(NEVER), NEVER);
        assert_eq!(likeliest(&logits), 2);
        assert_eq!(probability(&logits, 4), 0.0);
        assert!(Softmax::new(&[NEVER; 3]).is_none());
    }

    #[test]
    fn of_equal_logits_the_first_is_the_likeliest() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0]), 1);
        assert_eq!(likeliest(&[NEVER, NEVER]), 0);
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_probable() {
        let logits = [0.0, NEVER, libm::logf(2.0), libm::logf(5.0)];
        let mut count = [0; 4];
        let random = Random::new(7);
        for index in 0..80_000 {
            count[draw(&logits, 1.0, random.of(index).uniform()) as usize] += 1;
        }
        // Five standard deviations of a count of 80,000 · p are below 700.
        for (count, expected) in count.into_iter().zip([10_000i32, 0, 20_000, 50_000]) {
            assert!((count - expected).abs() < 700, "{count} of {expected}");
        }
        assert_eq!(count[1], 0);
        // The colder, the likelier the likeliest.
        assert!((0..1000).all(|index| draw(&logits, 1e-3, random.of(index).uniform()) == 3));
        assert_eq!(draw(&logits, 1e-30, 0.999), 3);
    }

    #[test]
    fn the_last_token_is_drawn_at_the_end() {
        assert_eq!(draw(&[0.0, 0.0, NEVER], 1.0, 1.0 - f64::EPSILON / 2.0), 1);
        assert_eq!(draw(&[NEVER, 0.0, NEVER], 1.0, 0.0), 1);
    }

    /// What a seed gives is fixed: transcripts depend on it.
    #[test]
    fn random_numbers_are_these() {
        let random = Random::new(42).of(3).of(0);
        assert_eq!(random.uniform().to_bits(), Random::new(42).of(3).of(0).uniform().to_bits());
        assert_ne!(random.uniform(), Random::new(42).of(0).of(3).uniform());
        assert_ne!(random.uniform(), Random::new(43).of(3).of(0).uniform());
        assert_eq!(Random::new(0).of(0).0, 0xE220_A839_7B1D_CDAF);
    }

    /// Logits of which one at least may be chosen.
    fn any_logits() -> impl Strategy<Value = std::vec::Vec<f32>> {
        let logit = prop_oneof![8 => -60.0f32..60.0, 1 => Just(NEVER), 1 => Just(3.0)];
        let some = |logits: &std::vec::Vec<f32>| largest(logits) > NEVER;
        prop::collection::vec(logit, 1..40).prop_filter("none may be chosen", some)
    }

    proptest! {
        #[test]
        fn probabilities_are_probabilities(logits in any_logits()) {
            let softmax = Softmax::new(&logits).unwrap();
            let found: std::vec::Vec<_> = logits.iter().map(|&x| softmax.probability(x)).collect();
            prop_assert!(found.iter().all(|p| (0.0..=1.000_001).contains(p)), "{:?}", found);
            prop_assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", found);
            let best = likeliest(&logits) as usize;
            prop_assert_eq!(logits[best], largest(&logits));
            prop_assert!(logits[..best].iter().all(|&logit| logit < logits[best]));
            prop_assert_eq!(probability(&logits, best as u32).to_bits(), found[best].to_bits());
        }

        /// However cold or hot, and for every random number.
        #[test]
        fn what_is_drawn_may_be_chosen(
            logits in any_logits(),
            temperature in prop_oneof![
                0.01f32..4.0,
                prop::sample::select(&[1e-45, f32::MIN_POSITIVE, 1e-20, 1e20, f32::MAX][..]),
            ],
            seed in any::<u64>(),
            index in any::<usize>(),
        ) {
            let uniform = Random::new(seed).of(index).uniform();
            prop_assert!((0.0..1.0).contains(&uniform));
            let drawn = draw(&logits, temperature, uniform);
            prop_assert!(logits[drawn as usize] > NEVER);
            prop_assert_eq!(drawn, draw(&logits, temperature, Random::new(seed).of(index).uniform()));
            if temperature < 1e-19 {
                prop_assert_eq!(logits[drawn as usize], largest(&logits));
            }
            // The greater the number, the later the token.
            prop_assert!(drawn <= draw(&logits, temperature, 1.0 - f64::EPSILON / 2.0));
            prop_assert!(draw(&logits, temperature, 0.0) <= drawn);
        }
    }
}
