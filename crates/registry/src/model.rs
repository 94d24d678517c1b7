//! Registering a model version: everything at once, or nothing.

use std::io;

use definitions::{Fingerprint, Name, Version, Versioned, WallTime};
use serde::{Deserialize, Serialize};

use crate::{Evidence, Registry, RegistryError, Reproduction, RunId};

/// A file of a model version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Its name within the model's folder.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
    /// How many bytes.
    pub bytes: u64,
}

/// A model version that has been trained, has passed its gates, and lies in a staging folder.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModelVersion {
    /// The model's name; the model is made with its first version.
    pub model: Name,
    /// The run that made it.
    pub run: RunId,
    /// What the run found out; every check of every gate has passed.
    pub evidence: Evidence,
    /// Inputs with types and order, outputs.
    pub signature: serde_json::Value,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// When it is registered.
    pub created_at: WallTime,
}

/// What is known of a model version only once its number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedModel {
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The model card, in Markdown.
    pub card: String,
    /// The files in the folder.
    pub artefacts: Vec<Artefact>,
}

/// What was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisteredModel {
    /// The model and its new version.
    pub reference: Versioned,
    /// Its folder, relative to the storage root.
    pub path: String,
}

impl Registry {
    /// Registers a model version under the model's next number, with lineage, evidence, card and artefacts, and marks its run as
    /// registered: one transaction. `publish` is told the version and moves the staging folder to its place, as in `create_dataset`.
    ///
    /// # Errors
    /// `GateNotPassed`; `UnknownRun`; `RunEnded`; `Publish` when `publish` fails (then nothing is recorded).
    pub async fn register_model(
        &self,
        new: &NewModelVersion,
        publish: impl FnOnce(Version) -> io::Result<PublishedModel> + Send,
    ) -> Result<RegisteredModel, RegistryError> {
        todo!()
    }

    /// Records an attempt to make a model version again.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownModelVersion`.
    pub async fn record_reproduction(
        &self,
        model: &Versioned,
        reproduction: &Reproduction,
    ) -> Result<(), RegistryError> {
        todo!()
    }
}
