//! What a card is written from: plain fields, gathered from receipts. Times are RFC 3339, as text.

use serde::{Deserialize, Serialize};

use super::forecast::CardForecast;
use crate::{Evaluation, GateReport, LeakCheck, Score};

/// Everything a model card says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardEvidence {
    /// The model version: `cpu_forecaster:v3`.
    pub model: String,
    /// When it was registered.
    pub created: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is, in the pipeline's words.
    pub description: Option<String>,
    /// What it is meant for, in the pipeline's words.
    pub intended_use: Option<String>,
    /// Where it should not be trusted, in the pipeline's words.
    pub limitations: Option<String>,
    /// What it learned from.
    pub data: CardData,
    /// How it learned.
    pub training: CardTraining,
    /// How good it is.
    pub evaluation: Evaluation,
    /// How good the pipeline was on each fold, where the split has folds.
    #[serde(default)]
    pub folds: Vec<CardFold>,
    /// Their means, of the model and then of each baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fold_means: Vec<CardFoldMean>,
    /// What the leak tests found.
    #[serde(default)]
    pub leaks: Vec<LeakCheck>,
    /// What it goes by, the most important feature first.
    pub importance: Vec<CardFeature>,
    /// What it looks at, and how far, where it forecasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<CardForecast>,
    /// Whether that was good enough.
    pub gates: GateReport,
    /// The files that it is, with their hashes; the card itself is not among them.
    pub files: Vec<CardFile>,
}

/// What a model learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardData {
    /// The view: `cpu_fv:v2`.
    pub view: String,
    /// What the view is for, in its own words.
    pub description: Option<String>,
    /// The training dataset: `cpu_fv:v2/5`.
    pub dataset: String,
    /// The SHA-256 of the dataset's content.
    pub fingerprint: String,
    /// The label column.
    pub target: String,
    /// The classes, where the label is one of them.
    pub classes: Option<Vec<String>>,
    /// The model's inputs, in order.
    pub inputs: Vec<String>,
    /// The groups, the spine first.
    pub groups: Vec<CardGroup>,
    /// The parts, in the order train, validation, test.
    pub parts: Vec<CardPart>,
    /// How the rows were divided.
    pub split: CardSplit,
    /// What was found to be odd while the dataset was made.
    pub warnings: Vec<String>,
}

/// A group that a dataset was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardGroup {
    /// The group: `server_metrics:v1`.
    pub group: String,
    /// The columns that were taken from it, as they are named in the dataset.
    pub columns: Vec<String>,
    /// The version of its Delta table.
    pub delta_version: i64,
    /// When that version was committed.
    pub committed_at: String,
    /// The first and the last event time that were used, where the group has event times.
    pub times: Option<(String, String)>,
    /// What became of each spine row; `None` for the spine itself.
    pub join: Option<CardJoin>,
}

/// What became of each spine row in a join. The five outcomes sum to the spine's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CardJoin {
    /// Rows that found a value.
    pub matched: u64,
    /// Rows whose entity the group does not know.
    pub unknown_entity: u64,
    /// Rows before the entity's first row.
    pub before_first: u64,
    /// Rows whose newest row is older than `max_age`.
    pub expired: u64,
    /// Rows for which nothing was known yet.
    pub not_yet_known: u64,
    /// Matches between several rows of one key and time.
    pub decided_by_tie_rule: u64,
}

impl CardJoin {
    /// The spine's rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.matched + self.unknown_entity + self.before_first + self.expired + self.not_yet_known
    }
}

/// A part of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardPart {
    /// `train`, `validation` or `test`.
    pub part: String,
    /// Its rows.
    pub rows: u64,
    /// Those without a label, from which nothing is learned and on which nothing is measured.
    pub without_label: u64,
    /// Those whose label is a class that training never saw, which are not measured either.
    #[serde(default)]
    pub of_unknown_class: u64,
    /// Its first and last event time, where it has rows and they have times.
    pub times: Option<(String, String)>,
}

/// How rows were divided into parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardSplit {
    /// `time`, `walk_forward`, `random`, `group`, or `none` for a single part.
    pub strategy: String,
    /// The gap between parts: `1h`.
    pub gap: Option<String>,
    /// The sum that the gap comes of: `label horizon 1h (cpu_max_next_1h) + longest lookback 0s`.
    pub gap_sum: Option<String>,
    /// Rows that stand in the gap, and in no part.
    pub rows_in_gap: u64,
    /// What proves that the parts are apart, a sentence each: `the last label of train ends at …`.
    pub certificate: Vec<String>,
    /// Whether a gap that is too short was accepted, and used.
    pub overlap_allowed: bool,
}

/// What was measured on one part of one fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardFold {
    /// The fold, from 1; the model is that of the last.
    pub fold: u32,
    /// `validation` or `test`.
    pub part: String,
    /// Its rows with a label.
    pub rows: u64,
    /// The scores.
    pub scores: Vec<Score>,
    /// The scores of each baseline, by name, where they are measured on folds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<(String, Vec<Score>)>,
}

/// A metric over all folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardFoldMean {
    /// `validation` or `test`.
    pub part: String,
    /// The baseline; `None`: this model.
    pub baseline: Option<String>,
    /// The metric.
    pub metric: String,
    /// Its mean over the folds in which it is defined.
    pub mean: f64,
    /// Its standard deviation (n - 1); `None`: of one fold.
    pub std: Option<f64>,
}

/// How a model learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardTraining {
    /// The pipeline.
    pub pipeline: String,
    /// The SHA-256 of its definition.
    pub pipeline_fingerprint: String,
    /// The learner: `lightgbm`.
    pub learner: String,
    /// What it optimised: `regression`.
    pub objective: String,
    /// The parameters it was given, by name.
    pub parameters: Vec<(String, String)>,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// Iterations that were run.
    pub iterations: u64,
    /// The iteration that is kept.
    pub best_iteration: u64,
    /// Software by name, and its version.
    pub software: Vec<(String, String)>,
}

/// How much a feature matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardFeature {
    /// The feature.
    pub feature: String,
    /// Loss saved by splitting on it.
    pub gain: f64,
    /// How often the model splits on it.
    pub splits: u64,
    /// Mean |SHAP|: how far it moves a prediction, in the unit of the raw score; `None`: not computed.
    pub mean_absolute_shap: Option<f64>,
}

/// A file of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardFile {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: String,
}
