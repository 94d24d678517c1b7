//! What can be wrong with what a learner or a model is given.

use definitions::{Duration, Fault};

/// Why something cannot be learned or predicted.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    /// Inputs that do not fit a model's signature.
    #[error("the input does not fit the model: {}", problems.join("; "))]
    Input {
        /// Each missing or wrongly typed input, by name.
        problems: Vec<String>,
    },
    /// A column that learners cannot use.
    #[error("column `{column}` cannot be learned from: wanted {wanted}, found {found}")]
    Column {
        /// The column.
        column: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// Labels from which nothing can be learned.
    #[error("label `{label}` cannot be learned: {reason}")]
    Label {
        /// The label's column.
        label: String,
        /// Why.
        reason: String,
    },
    /// A season that is not a whole number of steps.
    #[error("`seasonal_naive({season})` of steps of {step}: wanted a whole number of steps")]
    Season {
        /// The season.
        season: Duration,
        /// The length of a step.
        step: Duration,
    },
    /// The learner failed.
    #[error("{learner} failed")]
    Learner {
        /// Which one.
        learner: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Whose fault that is.
        fault: Fault,
        /// What to type.
        hint: Option<String>,
    },
    /// Arrow refused an operation that should have worked.
    #[error("cannot convert a column")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl LearningError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Input { .. } | Self::Column { .. } | Self::Label { .. } | Self::Season { .. } => Fault::Input,
            Self::Learner { fault, .. } => *fault,
            Self::Arrow(_) => Fault::Platform,
        }
    }
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Input { .. } => Some("platform registry show MODEL lists the inputs with their types".to_owned()),
            Self::Learner { hint, .. } => hint.clone(),
            Self::Season { step, .. } => Some(format!("choose a multiple of {step}")),
            Self::Column { .. } | Self::Label { .. } | Self::Arrow(_) => None,
        }
    }
}
