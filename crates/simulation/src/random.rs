//! Random numbers that are the same on every machine.
//!
//! xoshiro256** gives 64 bits at a time, from a state that SplitMix64 fills from the seed. Only whole-number operations and exact
//! float operations (addition, multiplication) are used, so no mathematics library has a say.
//! Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021), public-domain code.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: [u64; 4],
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// The stream of that number under a seed; streams of different numbers have nothing to do with each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut number = stream;
        let mut mixed = seed ^ split_mix(&mut number);
        Self {
            state: [(); 4].map(|()| split_mix(&mut mixed)),
        }
    }
    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
    /// From 0 up to, not including, 1; every multiple of 2^-53 equally likely.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }
    /// From `low` up to, not including, `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    /// A whole number from `low` to `high`, both included.
    pub(crate) fn whole(&mut self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low + 1)
    }
    /// True with that probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
    /// About normal, mean 0 and standard deviation 1, never beyond 3.5: the sum of four uniform numbers.
    pub(crate) fn noise(&mut self) -> f64 {
        const SQRT_OF_3: f64 = 1.732_050_807_568_877_2;
        let bits = self.bits();
        let parts = [0, 16, 32, 48].map(|shift| ((bits >> shift) & 0xFFFF) as f64 / 65_536.0 - 0.5);
        parts.iter().sum::<f64>() * SQRT_OF_3
    }
    /// One of several, by weight.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return at;
            }
        }
        weights.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_the_published_numbers() {
        let mut state = 1_234_567;
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!([(); 3].map(|()| split_mix(&mut state)), published);
    }

    #[test]
    fn xoshiro_gives_the_published_numbers() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let published = [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240];
        assert_eq!([(); 4].map(|()| random.bits()), published);
    }

    #[test]
    fn noise_has_mean_0_and_deviation_1() {
        let mut random = Random::new(1, 1);
        let drawn: Vec<f64> = (0..100_000).map(|_| random.noise()).collect();
        let mean = drawn.iter().sum::<f64>() / 100_000.0;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 100_000.0;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
