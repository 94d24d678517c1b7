//! Runs: every attempt to train, with its evidence, whether or not a model came of it.

use std::fmt;
use std::str::FromStr;

use definitions::{DatasetRef, Fingerprint, Name, Versioned, ViewRef, WallTime};
use serde::{Deserialize, Serialize};

use crate::{DefinitionRecord, Registry, RegistryError};

/// The number of a run, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(
    /// The number.
    pub i64,
);

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Not ended yet, or its process died.
    Running,
    /// A model version came of it.
    Registered,
    /// A gate said no.
    Refused,
    /// It broke.
    Failed,
}

/// A run that starts.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// What it trains on.
    pub dataset: DatasetRef,
    /// The learner.
    pub learner: String,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// The learner's parameters, defaults included.
    pub parameters: serde_json::Value,
    /// The programs that train, with their versions.
    pub software: serde_json::Value,
    /// The process that trains: whoever finds the run `running` can tell whether it still is.
    pub holder: String,
    /// When it started.
    pub started_at: WallTime,
}

/// One number about one subject on one part of the dataset, or on one slice of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// `train`, `validation` or `test`.
    pub part: String,
    /// `model`, or what it is compared with: a baseline (`last_value`) or a rival (`champion`).
    pub subject: String,
    /// The column that slices; `None`: the whole part.
    pub slice_column: Option<String>,
    /// The slice's value; `None` in a slice: the rows where the column is NULL.
    pub slice_value: Option<String>,
    /// The metric.
    pub metric: String,
    /// Its value; `None` where it is not defined. NaN is recorded as `None`.
    pub value: Option<f64>,
    /// Rows that it was computed from.
    pub rows: u64,
}

/// One check of one gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateCheck {
    /// The gate: `mae`, `slice_mae`, `beats last_value`.
    pub gate: String,
    /// What was measured; `None` where it is not defined.
    pub value: Option<f64>,
    /// What it had to be, in words: `<= 4`.
    pub limit: String,
    /// Whether it was.
    pub passed: bool,
    /// What was checked, in words.
    pub detail: String,
}

/// What a run found out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Every metric, whole and per slice, of the model and what it is compared with.
    pub evaluations: Vec<Evaluation>,
    /// Every check of every gate.
    pub gate_checks: Vec<GateCheck>,
    /// The metrics in short, for listings.
    pub metrics: serde_json::Value,
    /// Everything else worth keeping: history, importance, timings.
    pub report: serde_json::Value,
}

/// A recorded run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// The view.
    pub view: ViewRef,
    /// What it trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The learner.
    pub learner: String,
    /// The seed.
    pub seed: u64,
    /// The learner's parameters.
    pub parameters: serde_json::Value,
    /// The programs that trained, with their versions.
    pub software: serde_json::Value,
    /// The process that trained.
    pub holder: String,
    /// When it started.
    pub started_at: WallTime,
    /// When it ended.
    pub finished_at: Option<WallTime>,
    /// The metrics in short.
    pub metrics: Option<serde_json::Value>,
    /// Its folder, relative to the storage root, where it left one.
    pub path: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The model version that came of it.
    pub model: Option<Versioned>,
}

/// A run with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Every metric.
    pub evaluations: Vec<Evaluation>,
    /// Every check of every gate, in order.
    pub gate_checks: Vec<GateCheck>,
    /// Everything else worth keeping.
    pub report: Option<serde_json::Value>,
}

impl Registry {
    /// Records that a run started.
    ///
    /// # Errors
    /// `UnknownDataset`, or `UnknownDefinition` for a pipeline text that has not been applied.
    pub async fn start_run(&self, new: &NewRun) -> Result<RunId, RegistryError> {
        todo!()
    }

    /// Records that a gate said no: the evidence stays, there is no model. `path`: the run's folder, where it left one.
    ///
    /// # Errors
    /// `UnknownRun`; `RunEnded`.
    pub async fn refuse_run(
        &self,
        run: RunId,
        evidence: &Evidence,
        path: Option<&str>,
        at: WallTime,
    ) -> Result<(), RegistryError> {
        todo!()
    }

    /// Records that a run broke.
    ///
    /// # Errors
    /// `UnknownRun`; `RunEnded`.
    pub async fn fail_run(&self, run: RunId, error: &str, at: WallTime) -> Result<(), RegistryError> {
        todo!()
    }

    /// One run with its evidence.
    ///
    /// # Errors
    /// `UnknownRun`.
    pub async fn run(&self, run: RunId) -> Result<RunDetails, RegistryError> {
        todo!()
    }

    /// All runs, or those of one pipeline, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn runs(&self, pipeline: Option<&Name>) -> Result<Vec<Run>, RegistryError> {
        todo!()
    }

    /// The runs that have not ended: under way, or left by a process that died (their holder tells).
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn running_runs(&self) -> Result<Vec<Run>, RegistryError> {
        todo!()
    }

    /// The pipeline as it was when the run started.
    ///
    /// # Errors
    /// `UnknownRun`.
    pub async fn pipeline_of_run(&self, run: RunId) -> Result<DefinitionRecord, RegistryError> {
        todo!()
    }
}
