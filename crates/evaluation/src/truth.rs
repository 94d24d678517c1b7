//! The rows that are measured: what was true, what was predicted, and the scores that come of both.

use serde::{Deserialize, Serialize};

use crate::classification::Classified;
use crate::{ConfusionMatrix, EvaluationError, Metric, Task, classification, regression};

/// What was true of each row.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// What kind of answer was asked for.
    pub task: Task,
    /// The names of the classes, in the order of their numbers; empty for numbers.
    pub classes: &'a [String],
    /// One label a row: the number, or the number of the class. Rows whose label is NULL are left out by the caller.
    pub labels: &'a [f64],
}

impl<'a> Truth<'a> {
    /// Numbers.
    #[must_use]
    pub fn numbers(labels: &'a [f64]) -> Self {
        Self {
            task: Task::Regression,
            classes: &[],
            labels,
        }
    }
    /// Classes: binary where there are two.
    #[must_use]
    pub fn of_classes(classes: &'a [String], labels: &'a [f64]) -> Self {
        Self {
            task: if classes.len() > 2 {
                Task::Multiclass
            } else {
                Task::Binary
            },
            classes,
            labels,
        }
    }
    /// How many outputs a prediction has: one, or a probability for each of several classes.
    #[must_use]
    pub fn outputs(&self) -> usize {
        if self.task == Task::Multiclass {
            self.classes.len()
        } else {
            1
        }
    }
    /// Checks that the predictions are one vector of rows for each output.
    pub(crate) fn check(&self, of: &str, predictions: &[Vec<f64>]) -> Result<(), EvaluationError> {
        let rows = self.labels.len();
        if predictions.len() != self.outputs() {
            let (wanted, found) = (self.outputs(), predictions.len());
            return Err(EvaluationError::Outputs {
                of: of.to_owned(),
                wanted,
                found,
            });
        }
        match predictions.iter().find(|output| output.len() != rows) {
            Some(output) => Err(EvaluationError::Length {
                of: of.to_owned(),
                rows,
                found: output.len(),
            }),
            None => Ok(()),
        }
    }
}

/// The value of one metric over some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// What was measured.
    pub metric: Metric,
    /// Its value, always finite; `None`: not defined, and `note` says why.
    pub value: Option<f64>,
    /// What a reader of the value should know: why there is none, or what was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A value with what should be known of it, or why there is none.
pub(crate) type Value = Result<(f64, Option<String>), String>;

/// Every metric over these rows, in the order of the metrics. `predictions` holds one vector of rows for each output: numbers, the
/// probability of the second of two classes, or a probability for each of several.
///
/// # Errors
/// Predictions that are not as many as the rows and outputs; a label that is no class; a metric that does not fit.
pub fn scores(metrics: &[Metric], truth: Truth<'_>, predictions: &[Vec<f64>]) -> Result<Vec<Score>, EvaluationError> {
    truth.check("the model", predictions)?;
    let task = truth.task;
    if let Some(metric) = metrics.iter().copied().find(|metric| !metric.fits(task)) {
        return Err(EvaluationError::MetricDoesNotFit { metric, task });
    }
    let reason = nothing_to_measure(truth.labels, predictions);
    let classified = match (task, &reason) {
        (Task::Regression | Task::Forecast, _) | (_, Some(_)) => None,
        (Task::Binary | Task::Multiclass, None) => Some(Classified::new(truth, predictions)?),
    };
    let measure = |metric: Metric| -> Value {
        match (&reason, &classified) {
            (Some(reason), _) => Err(reason.clone()),
            (None, Some(classified)) => classification::measure(metric, classified, predictions),
            (None, None) => regression::measure(
                metric,
                truth.labels,
                predictions.first().map(Vec::as_slice).unwrap_or_default(),
            ),
        }
    };
    Ok(metrics.iter().map(|metric| score(*metric, measure(*metric))).collect())
}

/// Rows by their true and their predicted class; `None` for numbers, and where something is not finite.
///
/// # Errors
/// Predictions that are not as many as the rows and outputs; a label that is no class.
pub fn confusion(truth: Truth<'_>, predictions: &[Vec<f64>]) -> Result<Option<ConfusionMatrix>, EvaluationError> {
    truth.check("the model", predictions)?;
    let unfinished = truth
        .labels
        .iter()
        .chain(predictions.iter().flatten())
        .any(|value| !value.is_finite());
    if truth.task == Task::Regression || unfinished {
        return Ok(None);
    }
    Ok(Some(Classified::new(truth, predictions)?.confusion(truth.classes)))
}

fn score(metric: Metric, value: Value) -> Score {
    match value {
        Ok((value, note)) if value.is_finite() => Score {
            metric,
            value: Some(value),
            note,
        },
        Ok(_) => Score {
            metric,
            value: None,
            note: Some("the numbers are too large to add up".to_owned()),
        },
        Err(reason) => Score {
            metric,
            value: None,
            note: Some(reason),
        },
    }
}

fn nothing_to_measure(labels: &[f64], predictions: &[Vec<f64>]) -> Option<String> {
    let rows = labels.len();
    if rows == 0 {
        return Some("there are no rows".to_owned());
    }
    let odd_labels = labels.iter().filter(|label| !label.is_finite()).count();
    if odd_labels > 0 {
        return Some(format!("{odd_labels} of {rows} labels are not finite"));
    }
    let odd = (0..rows)
        .filter(|row| {
            predictions
                .iter()
                .any(|output| output.get(*row).is_none_or(|p| !p.is_finite()))
        })
        .count();
    (odd > 0).then(|| format!("{odd} of {rows} predictions are not finite"))
}
