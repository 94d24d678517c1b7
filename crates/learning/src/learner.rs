//! The interface of everything that learns, and of what comes of it.

use std::time::Duration;

use serde::Serialize;

use crate::{LearningError, Matrix};

/// Inputs and labels of the same rows.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The inputs.
    pub matrix: Matrix,
    /// One label a row: a number, or the index of a class.
    pub labels: Vec<f64>,
}

/// What a learner is given.
#[derive(Debug, Clone)]
pub struct TrainingData {
    /// What it learns from.
    pub train: Labelled,
    /// What it is measured on while it learns, by name; the first decides when to stop.
    pub evaluations: Vec<(String, Labelled)>,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// Threads to use; the result does not depend on it.
    pub threads: usize,
}

/// One metric of one set after one iteration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The set's name.
    pub set: String,
    /// The metric, as the learner calls it.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

/// How far a learner has come.
#[derive(Debug, Clone, Serialize)]
pub struct IterationReport {
    /// Iterations done, from 1.
    pub iteration: usize,
    /// Iterations there will be at most.
    pub of: usize,
    /// Time since it started.
    #[serde(skip)]
    pub elapsed: Duration,
    /// Every metric of every set.
    pub measured: Vec<Measured>,
}

/// Whether a learner goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// It does.
    Continue,
    /// It stops here, keeping what it has.
    Stop,
}

/// How much a feature matters to a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Importance {
    /// The feature.
    pub feature: String,
    /// Loss saved by splitting on it.
    pub gain: f64,
    /// How often the model splits on it.
    pub splits: u64,
}

/// Every feature's share in every prediction (SHAP values).
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// The features, in order.
    pub features: Vec<String>,
    /// Outputs (classes; otherwise one) × rows × (features + 1), the last being the expected value.
    pub values: Vec<f64>,
    /// Rows.
    pub rows: usize,
    /// Outputs.
    pub outputs: usize,
}

impl Contributions {
    /// Mean |SHAP| of each feature, over rows and outputs.
    #[must_use]
    pub fn mean_absolute(&self) -> Vec<f64> {
        let width = self.features.len() + 1;
        let mut sums = vec![0.0; self.features.len()];
        for row in self.values.chunks_exact(width) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value.abs();
            }
        }
        let count = (self.rows * self.outputs).max(1) as f64;
        sums.iter().map(|sum| sum / count).collect()
    }
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something that learns.
pub trait Learner {
    /// Learns, saying after every iteration how far it has come; `control` may stop it.
    ///
    /// # Errors
    /// Parameters or data that it cannot learn with.
    fn fit(
        &self,
        data: &TrainingData,
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<Box<dyn Model>, LearningError>;
}

/// What came of learning.
pub trait Model: Send {
    /// Predictions: one vector of rows for each output (one for numbers and two classes, one a class for more).
    ///
    /// # Errors
    /// A matrix with other columns than the model learned from.
    fn predict(&self, matrix: &Matrix) -> Result<Vec<Vec<f64>>, LearningError>;
    /// Every feature's share in every prediction.
    ///
    /// # Errors
    /// A matrix with other columns than the model learned from.
    fn contributions(&self, matrix: &Matrix) -> Result<Contributions, LearningError>;
    /// How much each feature matters, in the order of the inputs.
    ///
    /// # Errors
    /// When the learner fails.
    fn importance(&self) -> Result<Vec<Importance>, LearningError>;
    /// The files that the model is, the same bytes every time.
    ///
    /// # Errors
    /// When the learner fails.
    fn files(&self) -> Result<Vec<ModelFile>, LearningError>;
    /// The iteration that the model keeps, from 1.
    fn best_iteration(&self) -> usize;
    /// What was measured after each iteration; empty for a model that was loaded.
    fn history(&self) -> &[IterationReport];
}
