//! A sum that hardly depends on the sizes of what is added.
//!
//! Neumaier's variant of Kahan summation: beside the running total stands what was rounded off, and it is added at the end.
//!
//! ```text
//! total = 1e16, next = 1.0   ->  total + next = 1e16, and the lost 1.0 goes to the correction
//! ```
//!
//! One pass, two numbers of memory, in the order of the rows: the same rows in the same order give the same bits. An infinite
//! or undefined term makes the sum infinite or undefined, as in a plain sum.
//! Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).

/// A compensated sum.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    /// Adds one term.
    pub fn add(&mut self, term: f64) {
        let total = self.total + term;
        self.lost += if self.total.abs() >= term.abs() {
            (self.total - total) + term
        } else {
            (term - total) + self.total
        };
        self.total = total;
    }
    /// The sum of the terms so far.
    #[must_use]
    pub fn value(self) -> f64 {
        // An infinite total makes the correction undefined, and says enough by itself.
        if self.total.is_finite() {
            self.total + self.lost
        } else {
            self.total
        }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }
}

/// The sum of these terms, in their order.
pub(crate) fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().collect::<Sum>().value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_between_large_ones_are_not_lost() {
        assert_eq!(sum([1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum((0..10).map(|_| 0.1)), 1.0);
    }

    #[test]
    fn infinite_term_makes_the_sum_infinite() {
        assert_eq!(sum([1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(sum([]), 0.0);
    }
}
