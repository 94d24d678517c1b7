//! Quantiles of a stream: sorted buffers whose weights double, with an error that is counted while it is made.
//!
//! ```text
//!   values ─► block, sorted ─► every 4th ─► weight 4 ─┐ two of one weight: merged, every other kept
//!              (k · 4)           (k)       weight 8 ◄┘─┐
//!                                          weight 16 ◄─┘ …
//! ```
//!
//! A sorted block of 4k values is thinned to every fourth, alternately the second and the third: the rank of any value is off by at most 2.
//! Two full buffers of weight w are merged and every other value is kept, alternately the first and the second of each pair: two such steps
//! in a row are off by at most w together. The bound is the sum of all that; it is a fact about this stream, not a chance. With n values
//! and k in a buffer it is below `n / k · (1/2 + log2(n / 4k) / 4)`: with k = 512, at most 0.6 % of the rows for 2 million of them, 0.9 %
//! for 100 million; in practice a tenth of that, because errors cancel. Fewer values than a block are exact.
//!
//! Cost: what sorting blocks costs; the rest is a quarter of the values, merged. Memory: a block, and a buffer for each doubling.
//! Source: Munro and Paterson 1980; Manku, Rajagopalan and Lindsay 1998.

/// How many values are in a buffer: more of them, smaller errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    /// For a column among a thousand: 512 values in a buffer, about 60 kB for 2 million values.
    Summary,
    /// For comparing columns: 4,096 values in a buffer, about 0.4 MB for 2 million values.
    Fine,
}

/// Values of a block that become one of a buffer.
const THINNING: usize = 4;

impl Accuracy {
    fn buffer(self) -> usize {
        match self {
            Self::Summary => 512,
            Self::Fine => 4_096,
        }
    }

    /// Values in a block.
    #[must_use]
    pub fn block(self) -> usize {
        self.buffer() * THINNING
    }
}

/// The quantiles of a stream of keys; full blocks come in sorted, what is left over at the end.
#[derive(Debug, Clone)]
pub struct QuantileSketch {
    count: u64,
    blocks: u64,
    levels: Vec<Level>,
    /// What is known of the error so far, in ranks.
    error: u64,
}

#[derive(Debug, Clone, Default)]
struct Level {
    buffer: Option<Vec<u64>>,
    /// Whether the next merge keeps the second of each pair.
    is_second: bool,
}

/// What is left of a stream: keys with the number of values up to each.
#[derive(Debug, Clone)]
pub struct Quantiles {
    /// Keys in order, each with how many values are not above it.
    steps: Vec<(u64, u64)>,
    count: u64,
    error: u64,
}

impl Default for QuantileSketch {
    fn default() -> Self {
        Self::new()
    }
}

impl QuantileSketch {
    /// No values yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            count: 0,
            blocks: 0,
            levels: Vec::new(),
            error: 0,
        }
    }

    /// Takes in a full block, sorted.
    pub fn add_block(&mut self, block: &[u64]) {
        let is_third = !self.blocks.is_multiple_of(2);
        let (fours, _) = block.as_chunks::<THINNING>();
        let kept = fours
            .iter()
            .map(|[_, second, third, _]| if is_third { *third } else { *second })
            .collect();
        self.blocks += 1;
        self.count += block.len() as u64;
        self.error += THINNING as u64 / 2;
        self.carry(0, kept);
    }

    /// Puts a buffer onto a level; two of them become one on the next.
    fn carry(&mut self, mut at: usize, mut buffer: Vec<u64>) {
        loop {
            if self.levels.len() <= at {
                self.levels.resize_with(at + 1, Level::default);
            }
            let Some(level) = self.levels.get_mut(at) else { return };
            let Some(other) = level.buffer.take() else {
                level.buffer = Some(buffer);
                return;
            };
            buffer = every_other(&other, &buffer, usize::from(level.is_second));
            if !level.is_second {
                self.error += weight(at);
            }
            level.is_second = !level.is_second;
            at += 1;
        }
    }

    /// Takes in the full blocks of another sketch; what both have left over is merged by who owns it.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.blocks += other.blocks;
        self.error += other.error;
        for (at, level) in other.levels.iter().enumerate() {
            if let Some(buffer) = &level.buffer {
                self.carry(at, buffer.clone());
            }
        }
    }

    /// The quantiles, with the values that did not fill a block; sorted.
    #[must_use]
    pub fn finish(&self, rest: &[u64]) -> Quantiles {
        let of_level = |(at, level): (usize, &Level)| {
            let keys = level.buffer.clone().unwrap_or_default();
            keys.into_iter().map(move |key| (key, weight(at)))
        };
        let mut weighted: Vec<(u64, u64)> = self.levels.iter().enumerate().flat_map(of_level).collect();
        weighted.extend(rest.iter().map(|key| (*key, 1)));
        // Buffers are in order: this sort merges what is.
        weighted.sort();
        let mut steps: Vec<(u64, u64)> = Vec::with_capacity(weighted.len());
        let mut so_far = 0;
        for (key, weight) in weighted {
            so_far += weight;
            match steps.last_mut() {
                Some((last, up_to)) if *last == key => *up_to = so_far,
                _ => steps.push((key, so_far)),
            }
        }
        Quantiles {
            steps,
            count: self.count + rest.len() as u64,
            error: self.error,
        }
    }
}

fn weight(level: usize) -> u64 {
    (THINNING as u64) << level.min(60)
}

/// Merges two sorted buffers and keeps every other key. Which of them comes next cannot be foreseen, so nothing branches on it.
fn every_other(a: &[u64], b: &[u64], offset: usize) -> Vec<u64> {
    let (mut at_a, mut at_b) = (0, 0);
    let mut next = || {
        // Behind its end a buffer has the greatest key there is: a key like that comes out right, whichever buffer it is taken from.
        let key = |buffer: &[u64], at: usize| buffer.get(at).copied().unwrap_or(u64::MAX);
        let (left, right) = (key(a, at_a), key(b, at_b));
        let is_left = left <= right;
        at_a += usize::from(is_left);
        at_b += usize::from(!is_left);
        if is_left { left } else { right }
    };
    let pairs = (a.len() + b.len()) / 2;
    let kept = (0..pairs).map(|_| {
        let (first, second) = (next(), next());
        if offset == 0 { first } else { second }
    });
    kept.collect()
}

impl Quantiles {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// By how many ranks an answer may be off; 0: none is.
    #[must_use]
    pub fn error(&self) -> u64 {
        self.error
    }

    /// The smallest key that at least this share of the values do not exceed (`inverted_cdf` in NumPy's words); `None` without values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let at = self.steps.partition_point(|(_, up_to)| *up_to < wanted);
        self.steps.get(at).or_else(|| self.steps.last()).map(|(key, _)| *key)
    }

    /// How many values do not exceed a key.
    #[must_use]
    pub fn rank(&self, key: u64) -> u64 {
        let at = self.steps.partition_point(|(step, _)| *step <= key);
        at.checked_sub(1)
            .and_then(|at| self.steps.get(at))
            .map_or(0, |(_, up_to)| *up_to)
    }

    /// The keys at which the distribution steps up, in order.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.steps.iter().map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sorts everything: the naive twin.
    fn check(values: &[u64], quantiles: &Quantiles) {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        assert_eq!(quantiles.count(), sorted.len() as u64);
        let probes = sorted.iter().step_by(1 + sorted.len() / 200);
        for probe in probes.chain([&0, &u64::MAX]) {
            let rank = sorted.partition_point(|value| value <= probe) as u64;
            assert!(
                quantiles.rank(*probe).abs_diff(rank) <= quantiles.error(),
                "rank of {probe}"
            );
        }
        for percent in 0..=100_u64 {
            let Some(key) = quantiles.quantile(percent as f64 / 100.0) else {
                assert!(sorted.is_empty());
                continue;
            };
            let wanted = (percent as f64 / 100.0 * sorted.len() as f64).ceil() as u64;
            let (below, up_to) = (
                sorted.partition_point(|value| *value < key) as u64,
                sorted.partition_point(|value| *value <= key) as u64,
            );
            assert!(wanted.max(1) <= up_to + quantiles.error(), "{percent} %");
            assert!(below <= wanted.max(1) - 1 + quantiles.error(), "{percent} %");
        }
    }

    fn sketch(values: &[u64], accuracy: Accuracy) -> (QuantileSketch, Vec<u64>) {
        let mut sketch = QuantileSketch::new();
        let mut blocks = values.chunks_exact(accuracy.block());
        for block in &mut blocks {
            let mut block = block.to_vec();
            block.sort_unstable();
            sketch.add_block(&block);
        }
        let mut rest = blocks.remainder().to_vec();
        rest.sort_unstable();
        (sketch, rest)
    }

    fn stream(count: usize, seed: u64, shape: u64) -> Vec<u64> {
        let drawn = |at: usize| crate::key::mixed(seed.wrapping_add(at as u64));
        let value = |at: usize| match shape {
            0 => drawn(at),
            1 => at as u64,
            2 => (count - at) as u64,
            3 => drawn(at) % 7,
            _ => drawn(at) % (at as u64 + 1),
        };
        (0..count).map(value).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn ranks_are_within_the_bound(count in 0_usize..60_000, seed in any::<u64>(), shape in 0_u64..5) {
            let values = stream(count, seed, shape);
            let (sketch, rest) = sketch(&values, Accuracy::Summary);
            check(&values, &sketch.finish(&rest));
        }

        #[test]
        fn merged_sketches_are_within_the_bound(a in 0_usize..30_000, b in 0_usize..30_000, seed in any::<u64>(), shape in 0_u64..5) {
            let (a, b) = (stream(a, seed, shape), stream(b, seed ^ 1, 0));
            let ((mut one, mut rest), (other, more)) = (sketch(&a, Accuracy::Summary), sketch(&b, Accuracy::Summary));
            one.merge(&other);
            rest.extend(more);
            rest.sort_unstable();
            check(&[a, b].concat(), &one.finish(&rest));
        }
    }

    #[test]
    fn two_million_rows_are_within_the_stated_bound() {
        for (accuracy, promised) in [(Accuracy::Summary, 0.006), (Accuracy::Fine, 0.0006)] {
            let values = stream(2_000_000, 1, 0);
            let (sketch, rest) = sketch(&values, accuracy);
            let quantiles = sketch.finish(&rest);
            assert!((quantiles.error() as f64) < promised * 2e6, "{}", quantiles.error());
            check(&values, &quantiles);
        }
    }
}
