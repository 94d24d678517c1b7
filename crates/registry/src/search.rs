//! Searching model versions by words, alias and metrics.

use std::str::FromStr;

use definitions::Name;

use crate::{ModelVersionSummary, Registry, RegistryError};

/// How a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
}

/// A limit on a metric of the model on the part it was judged by: `test`, or `validation` where there is no test part, or else `train`.
/// Written `mae < 3`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFilter {
    /// The metric.
    pub metric: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: f64,
}

/// What to look for; everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Search {
    /// Words that must all occur, in any letter case, in the names of model, aliases, view, pipeline or learner, or in the descriptions,
    /// tags and owners of view and pipeline.
    pub words: Vec<String>,
    /// An alias that must point to it.
    pub alias: Option<Name>,
    /// Limits on its metrics.
    pub metrics: Vec<MetricFilter>,
}

impl Registry {
    /// The model versions that a search finds, by model, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn search(&self, search: &Search) -> Result<Vec<ModelVersionSummary>, RegistryError> {
        todo!()
    }
}
