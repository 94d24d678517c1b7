//! Looking models up: what a deployment asks, and what a listing shows.

use definitions::{DatasetRef, Fingerprint, ModelRef, Name, Version, Versioned, ViewRef, WallTime};
use serde::Serialize;

use crate::{Artefact, PinnedGroup, Registry, RegistryError, RunId};

/// An attempt to make a model version again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduction {
    /// Whether everything was the same.
    pub passed: bool,
    /// What was compared, line by line.
    pub report: serde_json::Value,
    /// When.
    pub at: WallTime,
}

/// Everything about a model version that a deployment, a reproduction or a reader needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersionRecord {
    /// The model and its version.
    pub reference: Versioned,
    /// The aliases that point to it, by name.
    pub aliases: Vec<Name>,
    /// When it was registered.
    pub created_at: WallTime,
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The files in the folder, by name.
    pub artefacts: Vec<Artefact>,
    /// Inputs with types and order, outputs.
    pub signature: serde_json::Value,
    /// The run that made it.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// The learner.
    pub learner: String,
    /// The seed of the run.
    pub seed: u64,
    /// The learner's parameters.
    pub parameters: serde_json::Value,
    /// The metrics in short.
    pub metrics: Option<serde_json::Value>,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// The view.
    pub view: ViewRef,
    /// What it was trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The fingerprint of the dataset's content.
    pub dataset_fingerprint: Fingerprint,
    /// The dataset's folder, relative to the storage root.
    pub dataset_path: String,
    /// The groups that the dataset read, at their Delta versions, by group.
    pub groups: Vec<PinnedGroup>,
    /// The newest attempt to make it again.
    pub reproduction: Option<Reproduction>,
}

/// A model in a listing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Its name.
    pub model: Name,
    /// Its newest version.
    pub newest: Version,
    /// How many versions it has.
    pub versions: u64,
    /// Its aliases and where they point, by name.
    pub aliases: Vec<(Name, Version)>,
    /// When the model was made.
    pub created_at: WallTime,
    /// When its newest version was registered.
    pub newest_at: WallTime,
}

/// A model version in a listing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersionSummary {
    /// The model and its version.
    pub reference: Versioned,
    /// The aliases that point to it, by name.
    pub aliases: Vec<Name>,
    /// When it was registered.
    pub created_at: WallTime,
    /// The run that made it.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// The learner.
    pub learner: String,
    /// What it was trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The metrics in short.
    pub metrics: Option<serde_json::Value>,
}

impl Registry {
    /// The model version that a reference means.
    ///
    /// # Errors
    /// `UnknownModel` with names that are near, `UnknownModelVersion` with the newest, `UnknownAlias` with those there are.
    pub async fn resolve(&self, reference: &ModelRef) -> Result<ModelVersionRecord, RegistryError> {
        todo!()
    }

    /// The card of a model version, in Markdown.
    ///
    /// # Errors
    /// As `resolve`.
    pub async fn card(&self, reference: &ModelRef) -> Result<String, RegistryError> {
        todo!()
    }

    /// All models, by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn models(&self) -> Result<Vec<ModelSummary>, RegistryError> {
        todo!()
    }

    /// The versions of a model, the newest first.
    ///
    /// # Errors
    /// `UnknownModel`.
    pub async fn model_versions(&self, model: &Name) -> Result<Vec<ModelVersionSummary>, RegistryError> {
        todo!()
    }

    /// The attempts to make a model version again, the newest first.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownModelVersion`.
    pub async fn reproductions(&self, model: &Versioned) -> Result<Vec<Reproduction>, RegistryError> {
        todo!()
    }
}
