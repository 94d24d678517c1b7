//! Count, mean and spread of a column, and how far two of them are apart.
//!
//! Welford's update for one value more, Chan's for two sets of values (Chan, Golub, LeVeque 1979): no sum of squares, so no cancellation.
//! Values come in total order, so the bits do not depend on threads.

use serde::{Deserialize, Serialize};

/// What is kept of a column of one ingestion.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// Values that are not NULL.
    pub count: u64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// The sum of the squares of their distances to the mean.
    pub squares: f64,
}

impl Moments {
    /// One value more.
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// These values and those.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        let share = other.count as f64 / count as f64;
        Self {
            count,
            mean: self.mean + distance * share,
            squares: self.squares + other.squares + distance * distance * self.count as f64 * share,
        }
    }

    /// The sample's standard deviation; `None` for fewer than two values.
    #[must_use]
    pub fn deviation(self) -> Option<f64> {
        let freedom = self.count.checked_sub(1).filter(|freedom| *freedom > 0)?;
        Some((self.squares / freedom as f64).sqrt())
    }

    /// How many standard deviations of `before` the means are apart; `None` where that cannot be told.
    pub(super) fn mean_drift(self, before: Self) -> Option<f64> {
        let deviation = before.deviation()?;
        if self.count == 0 {
            return None;
        }
        let distance = (self.mean - before.mean).abs();
        Some(if distance == 0.0 { 0.0 } else { distance / deviation })
    }

    /// How many times one standard deviation is the other, the larger above the smaller; `None` where that cannot be told.
    pub(super) fn deviation_drift(self, before: Self) -> Option<f64> {
        let (now, then) = (self.deviation()?, before.deviation()?);
        let (larger, smaller) = (now.max(then), now.min(then));
        Some(if larger == smaller { 1.0 } else { larger / smaller })
    }
}
