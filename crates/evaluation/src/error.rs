//! What can be wrong with what was asked to be measured.

use definitions::Fault;

use crate::{Metric, Task};

/// Why nothing could be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// A metric's name is not known.
    #[error("`{found}` is not a metric: expected one of {}", Metric::words())]
    UnknownMetric {
        /// The name as it was given.
        found: String,
    },
    /// A metric says nothing about such a task.
    #[error("metric `{metric}` does not fit a {task} task: expected one of {}", Metric::words_for(*.task))]
    MetricDoesNotFit {
        /// The metric.
        metric: Metric,
        /// The task.
        task: Task,
    },
    /// An objective's name is not known.
    #[error(
        "`{found}` is not an objective that can be evaluated: expected one of {}",
        crate::metric::objectives()
    )]
    UnknownObjective {
        /// The name as it was given.
        found: String,
    },
    /// A prediction has more or fewer outputs than the task.
    #[error("{of} predicts {found} outputs: expected {wanted}")]
    Outputs {
        /// Whose predictions they are.
        of: String,
        /// How many outputs were expected.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// There are not as many predictions as rows.
    #[error("{of} predicts {found} rows: expected {rows}")]
    Length {
        /// Whose predictions they are.
        of: String,
        /// How many rows there are.
        rows: usize,
        /// How many predictions were given.
        found: usize,
    },
    /// A row's class is not one of the classes.
    #[error("row {row} is of class number {found}: expected a whole number below {classes}")]
    UnknownClass {
        /// The row, from 0.
        row: usize,
        /// Its label.
        found: f64,
        /// How many classes there are.
        classes: usize,
    },
    /// A slice names a row that is not there.
    #[error("slice {slice} holds row {found}: expected a number below {rows}")]
    UnknownRow {
        /// The slice.
        slice: String,
        /// The row, from 0.
        found: usize,
        /// How many rows there are.
        rows: usize,
    },
}

impl EvaluationError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::UnknownMetric { .. } | Self::MetricDoesNotFit { .. } | Self::UnknownObjective { .. } => Fault::Input,
            Self::Outputs { .. } | Self::Length { .. } | Self::UnknownClass { .. } | Self::UnknownRow { .. } => {
                Fault::Platform
            }
        }
    }
    /// What can be typed to go on.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownMetric { found } => Metric::nearest(found).map(|metric| format!("metrics = [\"{metric}\"]")),
            Self::MetricDoesNotFit { task, .. } => {
                let fitting: Vec<String> = task
                    .default_metrics(None)
                    .iter()
                    .map(|metric| format!("\"{metric}\""))
                    .collect();
                Some(format!("metrics = [{}]", fitting.join(", ")))
            }
            Self::UnknownObjective { .. } => Some("objective = \"regression\"".to_owned()),
            Self::Outputs { .. } | Self::Length { .. } | Self::UnknownClass { .. } | Self::UnknownRow { .. } => None,
        }
    }
}
