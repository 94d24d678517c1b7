//! Target encoding: the mean label of a category, of labels that come one by one, of all entities. Sums are exact, so the order of labels makes no
//! difference. Nobody knows which sizes are to come, so they are of full width: 280 bytes for each category.

use std::collections::HashMap;

use super::exact::{Parts, Span};
use super::wide::Wide;

/// The labels that count so far.
#[derive(Debug, Default)]
pub(in super::super) struct Tally {
    all: Sum,
    each: HashMap<Box<[u8]>, Sum>,
}

/// Limbs for a sum of any float64s.
const FULL: usize = 34;

impl Tally {
    /// A label counts from now on; `None`: for the mean of all only. What is not finite does not count.
    pub(in super::super) fn add(&mut self, category: Option<&[u8]>, label: f64) {
        if !label.is_finite() {
            return;
        }
        self.all.add(label);
        let Some(category) = category else { return };
        match self.each.get_mut(category) {
            Some(sum) => sum.add(label),
            None => {
                let mut sum = Sum::default();
                sum.add(label);
                self.each.insert(category.into(), sum);
            }
        }
    }

    /// The encoding of a category, drawn towards the mean of all: `(sum + smoothing * mean of all) / (count + smoothing)`; `None`: no label
    /// counts yet.
    pub(in super::super) fn value(&self, category: &[u8], smoothing: f64) -> Option<f64> {
        let sum = self.each.get(category).copied().unwrap_or_default();
        let mean = self.all.value() / self.all.count as f64;
        let weight = sum.count as f64 + smoothing;
        let value = match weight > 0.0 {
            true => (sum.value() + smoothing * mean) / weight,
            false => mean,
        };
        Some(value).filter(|value| !value.is_nan())
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u64,
    sum: Wide<FULL>,
}

impl Sum {
    fn add(&mut self, label: f64) {
        self.count += 1;
        if let Some(parts) = Parts::of(label) {
            let magnitude = Wide::shifted(parts.mantissa.into(), parts.shift(Span::ALL));
            self.sum = self.sum.plus_signed(magnitude, parts.is_negative);
        }
    }

    fn value(self) -> f64 {
        self.sum.rounded().over(1.0, Span::ALL.unit).value()
    }
}
