//! What should be said of a training beside its losses.

use serde::{Deserialize, Serialize};

/// Something that a model card says of a training.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingNote {
    /// What it is about.
    pub title: String,
    /// What was done, in whole sentences.
    pub text: String,
    /// The headings of a table; empty: there is none.
    pub columns: Vec<String>,
    /// Its rows: as many cells each.
    pub rows: Vec<Vec<String>>,
}
