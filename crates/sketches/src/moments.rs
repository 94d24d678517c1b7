//! Mean and standard deviation in one pass, block by block.
//!
//! A block's sum and squares about its own mean are plain loops; blocks are put together by the formula of Chan, Golub and LeVeque (1979),
//! which loses no digits where the mean is large and the deviation small. The blocks are of one size, so batches do not matter.

/// Sums that are run side by side, so that none waits for another.
const LANES: usize = 4;

/// Count, mean and squares about the mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// The moments of some values, in their order.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        Self::of_all(values, |value| value)
    }

    /// The moments of what some items stand for, in their order.
    pub(crate) fn of_all<T: Copy>(items: &[T], value: impl Fn(T) -> f64) -> Self {
        if items.is_empty() {
            return Self::default();
        }
        let count = items.len() as f64;
        let mean = sum(items, &value) / count;
        let squares = sum(items, |item| {
            let off = value(item) - mean;
            off * off
        });
        Self { count, mean, squares }
    }

    /// Takes in other values' moments.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = *other;
            return;
        }
        let count = self.count + other.count;
        let off = other.mean - self.mean;
        self.mean += off * (other.count / count);
        self.squares += other.squares + off * off * (self.count * other.count / count);
        self.count = count;
    }

    /// The mean; `None` without values, or where it is not finite.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0 && self.mean.is_finite()).then_some(self.mean)
    }

    /// The standard deviation (n - 1), from two values on; `None` where it is not finite.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let deviation = (self.squares / (self.count - 1.0)).sqrt();
        (self.count > 1.0 && deviation.is_finite()).then_some(deviation)
    }
}

/// The sum of what is made of values, in an order that depends on their number alone.
fn sum<T: Copy>(values: &[T], of: impl Fn(T) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += of(*value);
        }
    }
    let rest = chunks.remainder().iter().map(|value| of(*value));
    lanes.into_iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_together_are_as_good_as_all_at_once() {
        let values: Vec<f64> = (0..10_000).map(|at| 1e9 + f64::from(at % 7)).collect();
        let mut merged = Moments::default();
        values.chunks(33).for_each(|block| merged.merge(&Moments::of(block)));
        let all = Moments::of(&values);
        assert!((merged.mean().unwrap() - all.mean().unwrap()).abs() < 1e-6);
        assert!((merged.deviation().unwrap() - all.deviation().unwrap()).abs() < 1e-7);
        // numpy.std(1e9 + numpy.arange(10_000) % 7, ddof=1)
        assert!((merged.deviation().unwrap() - 2.000_049_914_368_638).abs() < 1e-7);
    }

    #[test]
    fn few_values_and_infinities_have_no_moments() {
        assert_eq!(Moments::default().mean(), None);
        assert_eq!(Moments::of(&[3.0]).deviation(), None);
        assert_eq!(Moments::of(&[3.0]).mean(), Some(3.0));
        assert_eq!(Moments::of(&[3.0, f64::INFINITY]).mean(), None);
    }
}
