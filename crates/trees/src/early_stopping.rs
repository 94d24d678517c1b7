//! When to stop: the first metric of the first evaluation set has not improved by more than `min_delta` for so many rounds.

use learning::Measured;

use crate::parameters::larger_is_better;

/// What has been seen so far.
#[derive(Debug)]
pub(crate) struct EarlyStopping {
    patience: usize,
    min_delta: f64,
    best: Option<(usize, f64)>,
}

impl EarlyStopping {
    /// Stops after `patience` rounds without improvement; never when it is 0.
    pub(crate) fn new(patience: usize, min_delta: f64) -> Self {
        Self {
            patience,
            min_delta,
            best: None,
        }
    }

    /// Takes note of a round (from 1); says whether to stop.
    pub(crate) fn is_over(&mut self, iteration: usize, measured: &[Measured]) -> bool {
        let (true, Some(first)) = (self.patience > 0, measured.first()) else {
            return false;
        };
        let gain = |best: f64| {
            if larger_is_better(&first.metric) {
                first.value - best
            } else {
                best - first.value
            }
        };
        match self.best {
            Some((since, best)) if gain(best) <= self.min_delta || first.value.is_nan() => {
                iteration - since >= self.patience
            }
            _ => {
                self.best = Some((iteration, first.value));
                false
            }
        }
    }

    /// The round to keep: the best one where stopping is asked for, else the last.
    pub(crate) fn best_iteration(&self, last: usize) -> usize {
        self.best.map_or(last, |(iteration, _)| iteration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_at(patience: usize, min_delta: f64, metric: &str, values: &[f64]) -> (Option<usize>, usize) {
        let mut stopping = EarlyStopping::new(patience, min_delta);
        let measured = |value| {
            vec![Measured {
                set: "validation".into(),
                metric: metric.into(),
                value,
            }]
        };
        let stop = (1..)
            .zip(values)
            .find(|(at, value)| stopping.is_over(*at, &measured(**value)))
            .map(|(at, _)| at);
        (stop, stopping.best_iteration(values.len()))
    }

    #[test]
    fn stops_after_patience_and_keeps_the_best_round() {
        assert_eq!(stops_at(2, 0.0, "l2", &[3.0, 2.0, 2.0, 2.5, 1.0]), (Some(4), 2));
        assert_eq!(stops_at(2, 0.0, "auc", &[0.5, 0.6, 0.6, 0.55]), (Some(4), 2));
        assert_eq!(stops_at(3, 0.0, "l2", &[3.0, 2.0, 2.0, 2.5, 1.0]), (None, 5));
    }

    #[test]
    fn improvement_of_no_more_than_min_delta_does_not_count() {
        assert_eq!(stops_at(2, 0.5, "l2", &[3.0, 2.9, 2.8, 2.0]), (Some(3), 1));
        assert_eq!(stops_at(2, 0.05, "l2", &[3.0, 2.9, 2.8, 2.0]), (None, 4));
    }

    #[test]
    fn patience_of_zero_never_stops_and_keeps_the_last_round() {
        assert_eq!(stops_at(0, 0.0, "l2", &[1.0, 2.0, 3.0]), (None, 3));
    }
}
