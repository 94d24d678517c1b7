//! What can be measured: the metrics by name, which way is better, and for which tasks they stand.

use std::fmt;
use std::str::FromStr;

use definitions::{Evaluate, Gates};
use serde::{Deserialize, Serialize};

use crate::EvaluationError;

/// What kind of answer a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A number per row (a quantile, too).
    Regression,
    /// Numbers for many steps ahead.
    Forecast,
    /// One of two classes: the probability of the second.
    Binary,
    /// One of several classes: a probability for each.
    Multiclass,
}

/// Objectives by name, as LightGBM spells them, and their tasks.
const OBJECTIVES: [(&str, Task); 27] = [
    ("regression", Task::Regression),
    ("regression_l2", Task::Regression),
    ("l2", Task::Regression),
    ("mean_squared_error", Task::Regression),
    ("mse", Task::Regression),
    ("l2_root", Task::Regression),
    ("root_mean_squared_error", Task::Regression),
    ("rmse", Task::Regression),
    ("regression_l1", Task::Regression),
    ("l1", Task::Regression),
    ("mean_absolute_error", Task::Regression),
    ("mae", Task::Regression),
    ("huber", Task::Regression),
    ("fair", Task::Regression),
    ("poisson", Task::Regression),
    ("quantile", Task::Regression),
    ("mape", Task::Regression),
    ("mean_absolute_percentage_error", Task::Regression),
    ("gamma", Task::Regression),
    ("tweedie", Task::Regression),
    ("binary", Task::Binary),
    ("multiclass", Task::Multiclass),
    ("softmax", Task::Multiclass),
    ("multiclassova", Task::Multiclass),
    ("multiclass_ova", Task::Multiclass),
    ("ova", Task::Multiclass),
    ("ovr", Task::Multiclass),
];

pub(crate) fn objectives() -> String {
    list([
        "regression",
        "regression_l1",
        "huber",
        "fair",
        "poisson",
        "quantile",
        "mape",
        "gamma",
        "tweedie",
        "binary",
        "multiclass",
        "multiclassova",
    ])
}

fn list<T: fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    words
        .into_iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Task {
    /// The task of a learner's objective.
    ///
    /// # Errors
    /// The objective is not known, or ranks instead of predicting.
    pub fn of_objective(objective: &str) -> Result<Self, EvaluationError> {
        let known = OBJECTIVES.iter().find(|(name, _)| *name == objective);
        known
            .map(|(_, task)| *task)
            .ok_or_else(|| EvaluationError::UnknownObjective {
                found: objective.to_owned(),
            })
    }
    /// What is measured when the pipeline does not say; the first decides who beats whom. `quantile` is the one that is
    /// predicted, where the objective is a quantile.
    #[must_use]
    pub fn default_metrics(self, quantile: Option<Quantile>) -> Vec<Metric> {
        match (self, quantile) {
            (Self::Regression, Some(quantile)) => vec![Metric::Pinball(quantile), Metric::Mae],
            (Self::Regression, None) => vec![Metric::Mae, Metric::Rmse, Metric::R2],
            (Self::Forecast, _) => vec![
                Metric::Mae,
                Metric::Rmse,
                Metric::Mase,
                Metric::Smape,
                Metric::WeightedQuantileLoss,
            ],
            (Self::Binary, _) => {
                vec![
                    Metric::Auc,
                    Metric::LogLoss,
                    Metric::F1,
                    Metric::Accuracy,
                    Metric::Precision,
                    Metric::Recall,
                ]
            }
            (Self::Multiclass, _) => {
                vec![
                    Metric::LogLoss,
                    Metric::F1,
                    Metric::Accuracy,
                    Metric::Precision,
                    Metric::Recall,
                ]
            }
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regression => "regression",
            Self::Forecast => "forecast",
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
        })
    }
}

/// A quantile: above 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quantile(f64);

impl Quantile {
    /// The quantile at this share; `None` where it is not above 0 and below 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share < 1.0).then_some(Self(share))
    }
    /// The share of the values below it.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A smaller value is better: errors and losses.
    Lower,
    /// A larger value is better: scores.
    Higher,
}

impl Direction {
    /// Whether `value` is better than `other`; equal values are not, and neither is a NaN.
    #[must_use]
    pub fn is_better(self, value: f64, other: f64) -> bool {
        match self {
            Self::Lower => value < other,
            Self::Higher => value > other,
        }
    }
}

/// A number that says how good predictions are. `y` is the truth, `p` the prediction, means are over the rows.
///
/// A value that is not defined (no rows, a division by nothing, a prediction that is not finite) is `None` with the reason,
/// never 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Metric {
    /// Mean absolute error, `mean(|y - p|)`, in the label's unit.
    Mae,
    /// Root of the mean squared error, `sqrt(mean((y - p)^2))`, in the label's unit.
    Rmse,
    /// Mean squared error, `mean((y - p)^2)`, in the label's unit squared.
    Mse,
    /// Mean absolute percentage error, `mean(|y - p| / |y|)`, as a ratio: 0.12 is 12 %. Rows whose label is 0 are left out and
    /// counted; with no other rows it is not defined.
    Mape,
    /// Symmetric mean absolute percentage error, `mean(2 |y - p| / (|y| + |p|))`, as a ratio from 0 to 2. A row where label and
    /// prediction are both 0 is predicted right, and counts as 0.
    Smape,
    /// Coefficient of determination, `1 - sum((y - p)^2) / sum((y - mean(y))^2)`, no unit, at most 1. Not defined where every
    /// label is the same.
    R2,
    /// Pinball loss of a quantile q, `mean(max(q (y - p), (q - 1) (y - p)))`, in the label's unit. Written `pinball(0.9)`.
    Pinball(Quantile),
    /// Area under the ROC curve: how often a row of the second class is given a higher probability than one of the first; a
    /// tie counts half. From 0 to 1, counted exactly. Binary only; not defined where every row is of one class.
    Auc,
    /// `-mean(ln(probability given to the row's class))`, in nats. Probabilities are kept away from 0 and 1 by 2^-52.
    LogLoss,
    /// `2 TP / (2 TP + FP + FN)`, of the second class; for several classes their plain mean. Where a row is of the second class and
    /// none is predicted to be, it is 0; not defined where neither happens.
    F1,
    /// The share of rows whose most probable class is the right one.
    Accuracy,
    /// `TP / (TP + FP)`, of the second class; for several classes their plain mean. Not defined where no row is predicted to be of
    /// the second class. Of several classes, one that occurs and is never predicted counts as 0, and is counted.
    Precision,
    /// `TP / (TP + FN)`, of the second class; for several classes their plain mean. Not defined where no row is of the second
    /// class. Of several classes, one that is predicted and never occurs counts as 0, and is counted.
    Recall,
    /// Mean absolute scaled error, `mean(|y - p| / scale)`, no unit: 1 is as good as the seasonal naive forecast within the training rows of
    /// the series, whose mean absolute error is the scale. Forecasts only.
    Mase,
    /// The mean over quantiles q of `2 sum(max(q (y - p_q), (q - 1) (y - p_q))) / sum(|y|)`, as a ratio. Forecasts only.
    WeightedQuantileLoss,
}

/// Every metric; 0.5 stands for any quantile.
const ALL: [Metric; 15] = [
    Metric::Mae,
    Metric::Rmse,
    Metric::Mse,
    Metric::Mape,
    Metric::Smape,
    Metric::R2,
    Metric::Pinball(Quantile(0.5)),
    Metric::Auc,
    Metric::LogLoss,
    Metric::F1,
    Metric::Accuracy,
    Metric::Precision,
    Metric::Recall,
    Metric::Mase,
    Metric::WeightedQuantileLoss,
];

impl Metric {
    /// Which way is better.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Mae | Self::Rmse | Self::Mse | Self::Mape | Self::Smape | Self::Pinball(_) | Self::LogLoss => {
                Direction::Lower
            }
            Self::Mase | Self::WeightedQuantileLoss => Direction::Lower,
            Self::R2 | Self::Auc | Self::F1 | Self::Accuracy | Self::Precision | Self::Recall => Direction::Higher,
        }
    }
    /// Whether it says something about such a task.
    #[must_use]
    pub fn fits(self, task: Task) -> bool {
        match self {
            Self::Mae | Self::Rmse | Self::Mse | Self::Mape | Self::Smape | Self::R2 | Self::Pinball(_) => {
                matches!(task, Task::Regression | Task::Forecast)
            }
            Self::Mase | Self::WeightedQuantileLoss => task == Task::Forecast,
            Self::Auc => task == Task::Binary,
            Self::LogLoss | Self::F1 | Self::Accuracy | Self::Precision | Self::Recall => {
                matches!(task, Task::Binary | Task::Multiclass)
            }
        }
    }
    /// Every metric's name, for messages.
    pub(crate) fn words() -> String {
        list(ALL)
    }
    /// The names of those that fit the task, for messages.
    pub(crate) fn words_for(task: Task) -> String {
        list(ALL.into_iter().filter(|metric| metric.fits(task)))
    }
    /// The metric whose name is most like `word`, if one is.
    pub(crate) fn nearest(word: &str) -> Option<Self> {
        let word = word.to_lowercase().replace(['-', ' '], "_");
        let known = [
            ("logloss", Self::LogLoss),
            ("mean_absolute_error", Self::Mae),
            ("mean_squared_error", Self::Mse),
        ];
        let also = [
            ("r_squared", Self::R2),
            ("roc_auc", Self::Auc),
            ("f1_score", Self::F1),
            ("pinball", ALL[6]),
        ];
        let other_name = known
            .into_iter()
            .chain(also)
            .find(|(name, _)| *name == word)
            .map(|(_, metric)| metric);
        let by_letters = || {
            ALL.into_iter()
                .map(|metric| (distance(&metric.to_string(), &word), metric))
                .filter(|(far, _)| *far <= 2)
        };
        other_name.or_else(|| by_letters().min_by_key(|(far, _)| *far).map(|(_, metric)| metric))
    }
}

/// Letters to insert, remove or change to make one word of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut left = at + 1;
        let mut next = vec![left];
        for (pair, other) in row.windows(2).zip(to.chars()) {
            if let [diagonal, above] = pair {
                left = (diagonal + usize::from(letter != other)).min(above + 1).min(left + 1);
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::Mse => "mse",
            Self::Mape => "mape",
            Self::Smape => "smape",
            Self::R2 => "r2",
            Self::Pinball(quantile) => return write!(f, "pinball({})", quantile.0),
            Self::Auc => "auc",
            Self::LogLoss => "log_loss",
            Self::F1 => "f1",
            Self::Accuracy => "accuracy",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Mase => "mase",
            Self::WeightedQuantileLoss => "weighted_quantile_loss",
        })
    }
}

impl FromStr for Metric {
    type Err = EvaluationError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let quantile = text.strip_prefix("pinball(").and_then(|rest| rest.strip_suffix(')'));
        let pinball = quantile
            .and_then(|share| share.trim().parse().ok())
            .and_then(Quantile::new)
            .map(Self::Pinball);
        let named = || {
            ALL.into_iter()
                .find(|metric| !matches!(metric, Self::Pinball(_)) && metric.to_string() == text)
        };
        pinball
            .or_else(named)
            .ok_or_else(|| EvaluationError::UnknownMetric { found: text.to_owned() })
    }
}

impl TryFrom<String> for Metric {
    type Error = EvaluationError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> String {
        metric.to_string()
    }
}

/// What to measure: what the pipeline names, or what fits the task where it names nothing; then what its gates need, each once.
/// The first decides who beats whom. `confusion` may be named among classes: the matrix is always part of an evaluation.
///
/// # Errors
/// A metric is not known, or does not fit the task.
pub fn metrics_to_measure(
    task: Task,
    quantile: Option<Quantile>,
    evaluate: &Evaluate,
    gates: &Gates,
) -> Result<Vec<Metric>, EvaluationError> {
    let is_matrix = |name: &str| name == "confusion" && matches!(task, Task::Binary | Task::Multiclass);
    let named: Vec<&String> = evaluate.metrics.iter().filter(|name| !is_matrix(name)).collect();
    let mut metrics = if named.is_empty() {
        task.default_metrics(quantile)
    } else {
        Vec::new()
    };
    for name in named.into_iter().chain(gates.metrics.keys()).chain(gates.slices.keys()) {
        let metric: Metric = name.parse()?;
        if !metric.fits(task) {
            return Err(EvaluationError::MetricDoesNotFit { metric, task });
        }
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    Ok(metrics)
}
