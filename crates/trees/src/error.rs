//! What can go wrong with trees.

use definitions::Fault;

use crate::ParameterError;

/// Why trees cannot be trained, loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum TreesError {
    /// A parameter that LightGBM does not know, or would not accept.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// LightGBM refused or failed.
    #[error("lightgbm failed to {doing}: {said}")]
    LightGbm {
        /// What it was doing.
        doing: &'static str,
        /// What it said.
        said: String,
    },
    /// More rows, columns or bytes than LightGBM can count.
    #[error("{what} do not fit lightgbm: wanted at most {}, found {found}", i32::MAX)]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// A name that C cannot hold.
    #[error("`{name}` holds a zero byte")]
    ZeroByte {
        /// The name.
        name: String,
    },
    /// A table that does not fit the model.
    #[error("the model takes {wanted} features, found {found}")]
    Features {
        /// What the model takes.
        wanted: usize,
        /// What the table has.
        found: usize,
    },
    /// A table with other columns than those that the model learned from.
    #[error("the model takes `{wanted}` as feature {place}, found `{found}`")]
    Feature {
        /// Which one, from 1.
        place: usize,
        /// What the model takes.
        wanted: String,
        /// What the table has.
        found: String,
    },
    /// A model that training cannot go on from.
    #[error("training cannot go on from a model with another {what}: wanted {wanted}, found {found}")]
    Start {
        /// What is another.
        what: &'static str,
        /// What is being trained.
        wanted: String,
        /// What the model has.
        found: String,
    },
    /// A kind of label that the objective does not learn.
    #[error("objective `{objective}` learns {wanted}, found {found}")]
    Objective {
        /// The objective.
        objective: &'static str,
        /// What it learns.
        wanted: &'static str,
        /// What the labels are.
        found: String,
    },
    /// An objective that does not learn differences, or not their middle.
    #[error("objective `{objective}` cannot forecast: wanted `regression_l1`, `regression`, `huber` or `fair`")]
    ForecastObjective {
        /// The objective.
        objective: &'static str,
    },
    /// A metric that says nothing about what the objective learns: LightGBM would measure something else under its name.
    #[error("metric `{metric}` does not fit objective `{objective}`: wanted {wanted}")]
    Metric {
        /// The metric.
        metric: String,
        /// The objective.
        objective: &'static str,
        /// What would fit.
        wanted: String,
    },
    /// A list with one value for each feature that has another length, or a value that the feature cannot have.
    #[error("`{name}`: wanted {wanted}, found {found}")]
    PerFeature {
        /// The parameter.
        name: &'static str,
        /// What it should hold.
        wanted: String,
        /// What it holds.
        found: String,
    },
    /// Labels that the objective cannot learn.
    #[error("objective `{objective}` cannot learn label {found}: wanted {wanted}")]
    Label {
        /// The objective.
        objective: String,
        /// What it can learn.
        wanted: &'static str,
        /// A label that it cannot.
        found: f64,
    },
    /// No rows to learn from.
    #[error("there are no rows to learn from")]
    NoRows,
    /// No columns to learn from.
    #[error("there are no features to learn from")]
    NoFeatures,
    /// Rows without a label, or labels without a row.
    #[error("every row needs a label: {rows} rows, {labels} labels")]
    Labels {
        /// Rows.
        rows: usize,
        /// Labels.
        labels: usize,
    },
    /// Arrow refused to lend its memory.
    #[error("cannot hand a table to lightgbm")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl TreesError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Parameter(_)
            | Self::Label { .. }
            | Self::Objective { .. }
            | Self::ForecastObjective { .. }
            | Self::Metric { .. }
            | Self::NoRows
            | Self::NoFeatures
            | Self::Features { .. }
            | Self::Feature { .. }
            | Self::PerFeature { .. }
            | Self::Start { .. }
            | Self::TooMany { .. } => Fault::Input,
            Self::LightGbm { said, .. } if said.contains("bad_alloc") => Fault::Platform,
            // What LightGBM refuses is nearly always a combination of parameters or data that it cannot learn from.
            Self::LightGbm { .. } => Fault::Input,
            Self::Labels { .. } | Self::ZeroByte { .. } | Self::Arrow(_) => Fault::Platform,
        }
    }
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Parameter(error) => error.hint(),
            Self::LightGbm { .. } => Some("change `[train.lightgbm]` of the pipeline, then: platform apply".to_owned()),
            Self::Label { .. } | Self::Objective { .. } => {
                Some("choose another `objective` in `[train.lightgbm]`, or another label".to_owned())
            }
            Self::ForecastObjective { .. } => Some(
                "remove `objective` from `[train.lightgbm]`: without it, the absolute error is made small".to_owned(),
            ),
            Self::Metric { .. } => {
                Some("remove `metric` from `[train.lightgbm]`: without it, the objective's own is used".to_owned())
            }
            _ => None,
        }
    }
}

impl From<TreesError> for learning::LearningError {
    fn from(error: TreesError) -> Self {
        let (fault, hint) = (error.fault(), error.hint());
        Self::Learner {
            learner: "lightgbm",
            source: Box::new(error),
            fault,
            hint,
        }
    }
}
