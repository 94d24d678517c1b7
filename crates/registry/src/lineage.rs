//! Lineage: from a model down to the ingestions, and from a group or an ingestion up to the models.

use definitions::{DatasetRef, Fingerprint, GroupRef, Name, Versioned, ViewRef, WallTime};
use serde::Serialize;

use crate::{Ingestion, Registry, RegistryError, RunId};

/// A group that a dataset read, and what had come into it by then.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupLineage {
    /// The group.
    pub group: GroupRef,
    /// The fingerprint of its definition.
    pub fingerprint: Fingerprint,
    /// The Delta version that was read.
    pub delta_version: u64,
    /// When that version was committed.
    pub committed_at: WallTime,
    /// The ingestions that it holds, in their order.
    pub ingestions: Vec<Ingestion>,
}

/// Where a model version comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lineage {
    /// The model and its version.
    pub model: Versioned,
    /// The run that made it.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// What it was trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The fingerprint of the dataset's content.
    pub dataset_fingerprint: Fingerprint,
    /// The view that made the dataset.
    pub view: ViewRef,
    /// The fingerprint of the view's definition.
    pub view_fingerprint: Fingerprint,
    /// The groups that the dataset read, by group.
    pub groups: Vec<GroupLineage>,
}

impl Registry {
    /// Where a model version comes from, down to the ingestions.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownModelVersion`.
    pub async fn lineage(&self, model: &Versioned) -> Result<Lineage, RegistryError> {
        todo!()
    }

    /// The model versions whose datasets read a group, by model and version.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn models_from_group(&self, group: &GroupRef) -> Result<Vec<Versioned>, RegistryError> {
        todo!()
    }

    /// The model versions whose datasets read rows of one ingestion, by model and version.
    ///
    /// # Errors
    /// `UnknownDefinition`, `UnknownIngestion`.
    pub async fn models_from_ingestion(
        &self,
        group: &GroupRef,
        ingest_id: i64,
    ) -> Result<Vec<Versioned>, RegistryError> {
        todo!()
    }
}
