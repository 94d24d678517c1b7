//! What `doctor` and `gc` ask: is the database whole, and what should lie where.

use std::collections::BTreeSet;

use definitions::Fingerprint;
use serde::Serialize;

use crate::{Registry, RegistryError};

/// A row that refers to one that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenForeignKey {
    /// The table of the row.
    pub table: String,
    /// The row.
    pub row: Option<i64>,
    /// The table that it refers to.
    pub parent: String,
}

/// Whether the database is whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CheckReport {
    /// What is broken in the file; empty: nothing.
    pub integrity: Vec<String>,
    /// Rows that refer to nothing.
    pub foreign_keys: Vec<BrokenForeignKey>,
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// A dataset.
    Dataset,
    /// A model version.
    Model,
    /// What a run left without a model.
    Run,
}

/// A file that should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// Its name within the folder.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
    /// How many bytes, where known.
    pub bytes: Option<u64>,
}

/// A folder that should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredFolder {
    /// What it holds.
    pub kind: StoredKind,
    /// Which one: `cpu_fv:v2/5`, `cpu_forecaster:v3`, `17`.
    pub reference: String,
    /// Where it lies, relative to the storage root.
    pub path: String,
    /// The files whose hashes are known: of a dataset its `manifest.json`, of a model all.
    pub files: Vec<StoredFile>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.integrity.is_empty() && self.foreign_keys.is_empty()
    }
}

impl Registry {
    /// Reads the whole database and says what is broken.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn check(&self) -> Result<CheckReport, RegistryError> {
        todo!()
    }

    /// Every folder that should be there, with the hashes that are known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn stored_folders(&self) -> Result<Vec<StoredFolder>, RegistryError> {
        todo!()
    }

    /// The paths of every dataset, model version and run, relative to the storage root: what `gc` must not touch.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn known_paths(&self) -> Result<BTreeSet<String>, RegistryError> {
        todo!()
    }
}
