#![expect(clippy::unwrap_used, reason = "tests may")]

mod card;
mod evaluate;
mod forecasts;
mod gates;
mod known_values;
mod metric;
mod slices;
mod twins;

use crate::{Metric, Score, Truth, scores};

/// One metric over rows.
fn one(metric: &str, truth: Truth<'_>, predictions: &[Vec<f64>]) -> Score {
    let metric: Metric = metric.parse().unwrap();
    scores(&[metric], truth, predictions).unwrap().remove(0)
}

/// One metric of numbers.
fn number(metric: &str, labels: &[f64], predictions: &[f64]) -> Score {
    one(metric, Truth::numbers(labels), &[predictions.to_vec()])
}

fn classes(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// One metric of two classes.
fn binary(metric: &str, labels: &[f64], probabilities: &[f64]) -> Score {
    one(
        metric,
        Truth::of_classes(&classes(&["no", "yes"]), labels),
        &[probabilities.to_vec()],
    )
}

fn close(found: Option<f64>, wanted: f64) {
    let found = found.unwrap();
    assert!(
        (found - wanted).abs() <= 1e-14 * wanted.abs().max(1.0),
        "found {found}, wanted {wanted}"
    );
}
