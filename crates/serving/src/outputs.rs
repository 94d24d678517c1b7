//! What a model gives, as it stands in its signature: names, types and meaning of the output columns.
//!
//! | the model gives | columns |
//! |---|---|
//! | a number | `prediction` |
//! | a quantile | `prediction_q0.9` |
//! | one of several classes | `prediction` (the class), then `probability_<class>` for each |

use definitions::DataType;
use learning::Output;

/// The column of a predicted number or class.
pub const PREDICTION: &str = "prediction";

/// The column of a class's probability.
#[must_use]
pub fn probability_column(class: &str) -> String {
    format!("probability_{class}")
}

/// The column of a predicted quantile, by the share of values below it.
#[must_use]
pub fn quantile_column(share: f64) -> String {
    format!("{PREDICTION}_q{share}")
}

/// What a model of numbers gives; `quantile`: the share of values below the prediction, where that was learned.
#[must_use]
pub fn number_outputs(target: &str, quantile: Option<f64>) -> Vec<Output> {
    let (name, description) = match quantile {
        Some(share) => (
            quantile_column(share),
            format!("`{target}` is below it with probability {share}"),
        ),
        None => (PREDICTION.to_owned(), format!("`{target}` as it is expected to be")),
    };
    vec![Output {
        name,
        data_type: DataType::Float64,
        description,
    }]
}

/// What a model of classes gives.
#[must_use]
pub fn class_outputs(target: &str, classes: &[String]) -> Vec<Output> {
    let description = format!("the most probable class of `{target}`");
    let mut outputs = vec![Output {
        name: PREDICTION.to_owned(),
        data_type: DataType::Utf8,
        description,
    }];
    outputs.extend(classes.iter().map(|class| Output {
        name: probability_column(class),
        data_type: DataType::Float64,
        description: format!("the probability that `{target}` is `{class}`"),
    }));
    outputs
}
