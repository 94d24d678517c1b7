//! Metrics of classes. Formulas and units stand at [`Metric`].
//!
//! The predicted class is the most probable one; of equally probable ones, the first (so of two classes it is the second only
//! where its probability is above 0.5).
//!
//! The area under the ROC curve is counted, not integrated: sort the rows by probability, and walk through groups of equal ones.
//!
//! ```text
//!     p      0.1   0.4  0.4   0.8        each positive wins against every negative below it, and half of those
//!     class   -     +    -     +         in its own group:  (1 + 1/2) + (2)  of  2 x 2 pairs  =  0.875
//! ```
//!
//! Wins are counted twice over, in whole numbers, so the value is exact for any number of rows: O(n log n) time, O(n) memory.
//! Source: Hanley & McNeil (1982), "The meaning and use of the area under a ROC curve"; ties as in Mann & Whitney's U.
//! Definitions otherwise as in scikit-learn 1.9 (`average="macro"` for several classes), except that what is divided by nothing
//! has no value where scikit-learn warns and gives 0.

use serde::{Deserialize, Serialize};

use crate::sum::sum;
use crate::truth::Value;
use crate::{EvaluationError, Metric, Task, Truth};

/// Probabilities are kept this far away from 0 and 1 before their logarithm is taken.
const MARGIN: f64 = f64::EPSILON;

/// How many rows of each class were predicted to be of which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// The classes.
    pub classes: Vec<String>,
    /// Rows: for each true class, for each predicted class.
    pub counts: Vec<Vec<u64>>,
}

/// The true and the predicted class of every row.
pub(crate) struct Classified {
    task: Task,
    classes: usize,
    truth: Vec<usize>,
    predicted: Vec<usize>,
}

/// What became of one class's rows.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    found: u64,
    missed: u64,
    mistaken: u64,
}

impl Classified {
    /// Takes labels and predictions that are finite.
    pub(crate) fn new(truth: Truth<'_>, predictions: &[Vec<f64>]) -> Result<Self, EvaluationError> {
        let classes = truth.classes.len().max(2);
        let class = |(row, label): (usize, &f64)| {
            let names = (0..classes).find(|class| *class as f64 == *label);
            names.ok_or(EvaluationError::UnknownClass {
                row,
                found: *label,
                classes,
            })
        };
        let numbers = truth.labels.iter().enumerate().map(class).collect::<Result<_, _>>()?;
        let predicted = (0..truth.labels.len())
            .map(|row| most_probable(predictions, row))
            .collect();
        Ok(Self {
            task: truth.task,
            classes,
            truth: numbers,
            predicted,
        })
    }

    pub(crate) fn confusion(&self, names: &[String]) -> ConfusionMatrix {
        let mut counts = vec![vec![0; self.classes]; self.classes];
        for (truth, predicted) in self.truth.iter().zip(&self.predicted) {
            if let Some(count) = counts.get_mut(*truth).and_then(|row| row.get_mut(*predicted)) {
                *count += 1;
            }
        }
        ConfusionMatrix {
            classes: names.to_vec(),
            counts,
        }
    }

    fn counts(&self) -> Vec<Counts> {
        let mut counts = vec![Counts::default(); self.classes];
        for (truth, predicted) in self.truth.iter().zip(&self.predicted) {
            let (is_right, of_predicted) = (truth == predicted, counts.get_mut(*predicted));
            if let Some(count) = of_predicted {
                *(if is_right {
                    &mut count.found
                } else {
                    &mut count.mistaken
                }) += 1;
            }
            if let (false, Some(count)) = (is_right, counts.get_mut(*truth)) {
                count.missed += 1;
            }
        }
        counts
    }

    /// A ratio of the second class, or the mean of every class's that occurs or is predicted.
    fn ratio(&self, of: impl Fn(&Counts) -> (u64, u64), undefined: &str) -> Value {
        let counts = self.counts();
        if self.task == Task::Binary {
            let (part, whole) = counts.get(1).map(of).unwrap_or_default();
            return if whole == 0 {
                Err(undefined.to_owned())
            } else {
                Ok((part as f64 / whole as f64, None))
            };
        }
        let present = counts
            .iter()
            .filter(|count| count.found + count.missed + count.mistaken > 0);
        let ratios: Vec<(u64, u64)> = present.map(of).collect();
        let empty = ratios.iter().filter(|(_, whole)| *whole == 0).count();
        let value = sum(ratios.iter().map(|(part, whole)| *part as f64 / (*whole).max(1) as f64)) / ratios.len() as f64;
        let note = (empty > 0).then(|| format!("{undefined} for {empty} of {} classes, counted as 0", ratios.len()));
        Ok((value, note))
    }
}

fn most_probable(predictions: &[Vec<f64>], row: usize) -> usize {
    let probability = |output: &Vec<f64>| output.get(row).copied().unwrap_or(f64::NEG_INFINITY);
    if let [only] = predictions {
        return usize::from(probability(only) > 0.5);
    }
    let better = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    predictions
        .iter()
        .map(probability)
        .enumerate()
        .fold((0, f64::NEG_INFINITY), better)
        .0
}

/// The metric's value over rows that are at least one and all finite.
pub(crate) fn measure(metric: Metric, rows: &Classified, predictions: &[Vec<f64>]) -> Value {
    match metric {
        Metric::Auc => auc(&rows.truth, predictions.first().map(Vec::as_slice).unwrap_or_default()),
        Metric::LogLoss => log_loss(&rows.truth, predictions),
        Metric::Accuracy => {
            let right = rows
                .truth
                .iter()
                .zip(&rows.predicted)
                .filter(|(truth, predicted)| truth == predicted)
                .count();
            Ok((right as f64 / rows.truth.len() as f64, None))
        }
        Metric::F1 => {
            let both = |count: &Counts| (2 * count.found, 2 * count.found + count.missed + count.mistaken);
            rows.ratio(both, "no row is, or is predicted to be, of the second class")
        }
        Metric::Precision => rows.ratio(
            |count| (count.found, count.found + count.mistaken),
            "no row is predicted to be of it",
        ),
        Metric::Recall => rows.ratio(|count| (count.found, count.found + count.missed), "no row is of it"),
        Metric::Mae | Metric::Rmse | Metric::Mse | Metric::Mape | Metric::Smape | Metric::R2 | Metric::Pinball(_) => {
            Err("it is a metric of numbers".to_owned())
        }
        Metric::Mase | Metric::WeightedQuantileLoss => Err("it is a metric of forecasts".to_owned()),
    }
}

fn auc(truth: &[usize], probabilities: &[f64]) -> Value {
    let mut rows: Vec<(f64, bool)> = probabilities
        .iter()
        .zip(truth)
        .map(|(p, class)| (*p, *class == 1))
        .collect();
    rows.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (mut wins_twice, mut positives, mut negatives) = (0_u128, 0_u128, 0_u128);
    for group in rows.chunk_by(|one, other| one.0 == other.0) {
        let positive = group.iter().filter(|(_, is_positive)| *is_positive).count() as u128;
        let negative = group.len() as u128 - positive;
        wins_twice += positive * (2 * negatives + negative);
        positives += positive;
        negatives += negative;
    }
    if positives == 0 || negatives == 0 {
        return Err("every row is of one class".to_owned());
    }
    Ok((wins_twice as f64 / (2 * positives * negatives) as f64, None))
}

fn log_loss(truth: &[usize], predictions: &[Vec<f64>]) -> Value {
    let given = |(row, class): (usize, &usize)| match predictions {
        [second] => {
            let second = second.get(row).copied().unwrap_or_default().clamp(MARGIN, 1.0 - MARGIN);
            if *class == 1 { second } else { 1.0 - second }
        }
        _ => predictions
            .get(*class)
            .and_then(|output| output.get(row))
            .copied()
            .unwrap_or_default(),
    };
    let losses = truth
        .iter()
        .enumerate()
        .map(|row| -given(row).clamp(MARGIN, 1.0 - MARGIN).ln());
    Ok((sum(losses) / truth.len() as f64, None))
}
