//! Applied definitions: what counts, word for word, for ever.

use std::fmt;
use std::str::FromStr;

use definitions::{Fingerprint, Name, Version, WallTime};
use serde::{Deserialize, Serialize};

use crate::{Registry, RegistryError};

/// What is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    /// A feature group.
    FeatureGroup,
    /// A feature view.
    FeatureView,
    /// A pipeline; it has no version.
    Pipeline,
}

/// A definition as it stands in a file, checked, to be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDefinition {
    /// What it declares.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Name,
    /// Its version; `None` for pipelines, and only for them.
    pub version: Option<Version>,
    /// The fingerprint of its meaning: equal fingerprints are the same definition, whatever the comments.
    pub fingerprint: Fingerprint,
    /// Its text.
    pub text: String,
    /// Its meaning, with all defaults filled in.
    pub canonical: serde_json::Value,
    /// The file it came from, relative to the repository.
    pub file: String,
}

/// What applying a definition did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// It is new.
    Added,
    /// A pipeline of that name was there with another meaning; this one counts from now on.
    Changed,
    /// It was there.
    Unchanged,
}

/// A definition that was applied just now, or had been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedDefinition {
    /// What it declares.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Name,
    /// Its version; `None` for pipelines.
    pub version: Option<Version>,
    /// What happened.
    pub outcome: ApplyOutcome,
}

/// A definition that has been applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefinitionRecord {
    /// What it declares.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Name,
    /// Its version; `None` for pipelines.
    pub version: Option<Version>,
    /// The fingerprint of its meaning.
    pub fingerprint: Fingerprint,
    /// Its text as applied.
    pub text: String,
    /// Its meaning, with all defaults filled in.
    pub canonical: serde_json::Value,
    /// The file it came from, relative to the repository.
    pub file: String,
    /// When it was applied.
    pub applied_at: WallTime,
}

impl Registry {
    /// Applies definitions: all of them or, at the first that contradicts what was applied before, none.
    ///
    /// # Errors
    /// `ImmutableDefinition` when a group or view of that name and version was applied with another meaning.
    pub async fn apply_definitions(
        &self,
        new: &[NewDefinition],
        at: WallTime,
    ) -> Result<Vec<AppliedDefinition>, RegistryError> {
        todo!()
    }

    /// One applied definition. Without a version: the newest version of a group or view; of a pipeline, the text that counts.
    ///
    /// # Errors
    /// `UnknownDefinition`, with names that are near.
    pub async fn definition(
        &self,
        kind: DefinitionKind,
        name: &Name,
        version: Option<Version>,
    ) -> Result<DefinitionRecord, RegistryError> {
        todo!()
    }

    /// Every applied group and view, and of every pipeline the text that counts, by kind, name and version.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn definitions(&self, kind: Option<DefinitionKind>) -> Result<Vec<DefinitionRecord>, RegistryError> {
        todo!()
    }

    /// The texts that a pipeline has had, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn pipeline_texts(&self, name: &Name) -> Result<Vec<DefinitionRecord>, RegistryError> {
        todo!()
    }
}
