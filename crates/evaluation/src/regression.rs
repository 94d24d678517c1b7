//! Metrics of numbers: means over the rows, in their order, with compensated sums. Formulas and units stand at [`Metric`].
//!
//! One or two passes over the rows, no memory. Definitions as in scikit-learn 1.9 (`sklearn.metrics`), except where it gives a
//! number that stands for nothing: a zero label makes its MAPE astronomic (here the row is left out and counted), and its R²
//! of a constant label is 0 or 1 (here there is none).

use crate::Metric;
use crate::sum::sum;
use crate::truth::Value;

/// The metric's value over rows that are at least one and all finite.
pub(crate) fn measure(metric: Metric, labels: &[f64], predictions: &[f64]) -> Value {
    let mean = |term: fn(f64, f64) -> f64| mean_over(labels, predictions, term);
    match metric {
        Metric::Mae => Ok((mean(|y, p| (y - p).abs()), None)),
        Metric::Mse => Ok((mean(squared_error), None)),
        Metric::Rmse => Ok((mean(squared_error).sqrt(), None)),
        Metric::Mape => mape(labels, predictions),
        Metric::Smape => Ok((mean(symmetric_percentage_error), None)),
        Metric::R2 => r2(labels, predictions),
        Metric::Pinball(quantile) => {
            let share = quantile.share();
            Ok((
                mean_over(labels, predictions, |y, p| {
                    (share * (y - p)).max((share - 1.0) * (y - p))
                }),
                None,
            ))
        }
        Metric::Auc | Metric::LogLoss | Metric::F1 | Metric::Accuracy | Metric::Precision | Metric::Recall => {
            Err("it is a metric of classes".to_owned())
        }
        Metric::Mase | Metric::WeightedQuantileLoss => Err("it is a metric of forecasts".to_owned()),
    }
}

fn mean_over(labels: &[f64], predictions: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    sum(labels.iter().zip(predictions).map(|(y, p)| term(*y, *p))) / labels.len() as f64
}

fn squared_error(y: f64, p: f64) -> f64 {
    (y - p) * (y - p)
}

fn symmetric_percentage_error(y: f64, p: f64) -> f64 {
    let size = y.abs() + p.abs();
    if size == 0.0 { 0.0 } else { 2.0 * (y - p).abs() / size }
}

fn mape(labels: &[f64], predictions: &[f64]) -> Value {
    let counted = labels.iter().filter(|label| **label != 0.0).count();
    let left_out = labels.len() - counted;
    if counted == 0 {
        return Err("every label is 0".to_owned());
    }
    let errors = labels
        .iter()
        .zip(predictions)
        .filter(|(y, _)| **y != 0.0)
        .map(|(y, p)| (y - p).abs() / y.abs());
    let note = (left_out > 0).then(|| format!("{left_out} of {} rows left out, their label is 0", labels.len()));
    Ok((sum(errors) / counted as f64, note))
}

fn r2(labels: &[f64], predictions: &[f64]) -> Value {
    let first = labels.first().copied().unwrap_or_default();
    if labels.iter().all(|label| *label == first) {
        return Err("every label is the same".to_owned());
    }
    let mean = sum(labels.iter().copied()) / labels.len() as f64;
    let around_mean = sum(labels.iter().map(|y| squared_error(*y, mean)));
    let around_predictions = sum(labels.iter().zip(predictions).map(|(y, p)| squared_error(*y, *p)));
    Ok((1.0 - around_predictions / around_mean, None))
}
