//! Datasets: what a view made of pinned groups.

use std::io;

use definitions::{DatasetRef, Fingerprint, GroupRef, KnownAt, Name, ViewRef, WallTime};
use serde::Serialize;

use crate::{Registry, RegistryError};

/// A feature group at the Delta version that a dataset read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedGroup {
    /// The group.
    pub group: GroupRef,
    /// The Delta version that was read.
    pub delta_version: u64,
    /// When that version was committed.
    pub committed_at: WallTime,
}

/// Whether a dataset with the same pins is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfUnchanged {
    /// No: the newest one with the same pins is the answer.
    Reuse,
    /// Yes, under a new number.
    CreateAgain,
}

/// A dataset that has been written to a staging folder.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDataset {
    /// The view that made it.
    pub view: ViewRef,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// The fingerprint of everything that determines it: definitions, pins, range, seed. Equal keys, equal content.
    pub pins_key: Fingerprint,
    /// Rows in all parts.
    pub rows: u64,
    /// Rows of each part, and of none: `{"train": 700, …}`.
    pub part_rows: serde_json::Value,
    /// The seed of what was drawn at random.
    pub seed: u64,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// When it was made.
    pub created_at: WallTime,
    /// What it read: every group once.
    pub groups: Vec<PinnedGroup>,
    /// Rows that became known later were left out (`--as-known-at`).
    pub as_known_at: Option<KnownAt>,
    /// Whether to make it again when one with the same pins exists.
    pub if_unchanged: IfUnchanged,
}

/// What is known of a dataset only once its number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedDataset {
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The SHA-256 of its `manifest.json`.
    pub manifest_sha256: Fingerprint,
}

/// A recorded dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dataset {
    /// Its view and number.
    #[serde(serialize_with = "crate::row::as_text")]
    pub reference: DatasetRef,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// The fingerprint of everything that determines it.
    pub pins_key: Fingerprint,
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The SHA-256 of its `manifest.json`.
    pub manifest_sha256: Fingerprint,
    /// Rows in all parts.
    pub rows: u64,
    /// Rows of each part, and of none.
    pub part_rows: serde_json::Value,
    /// The seed of what was drawn at random.
    pub seed: u64,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// When it was made.
    pub created_at: WallTime,
    /// What it read, by group.
    pub groups: Vec<PinnedGroup>,
}

/// What asking for a dataset gave.
#[derive(Debug, Clone, PartialEq)]
pub enum CreatedDataset {
    /// A new one.
    Created(Dataset),
    /// The newest one with the same pins; nothing was published.
    Unchanged(Dataset),
}

impl Registry {
    /// Records a dataset under the view's next number. `publish` is told the number and moves the staging folder to its place; it runs
    /// inside the write transaction, so that two processes never publish at once and a crash leaves a folder that nobody refers to,
    /// never a record without one.
    ///
    /// # Errors
    /// `Publish` when `publish` fails (then nothing is recorded); `UnknownDefinition` for a view or group that has not been applied.
    pub async fn create_dataset(
        &self,
        new: &NewDataset,
        publish: impl FnOnce(u32) -> io::Result<PublishedDataset> + Send,
    ) -> Result<CreatedDataset, RegistryError> {
        todo!()
    }

    /// One dataset.
    ///
    /// # Errors
    /// `UnknownDataset`, naming the newest one of the view.
    pub async fn dataset(&self, reference: &DatasetRef) -> Result<Dataset, RegistryError> {
        todo!()
    }

    /// The newest dataset of a view.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn newest_dataset(&self, view: &ViewRef) -> Result<Option<Dataset>, RegistryError> {
        todo!()
    }

    /// The newest dataset of a view with these pins.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn dataset_with_pins(
        &self,
        view: &ViewRef,
        pins_key: &Fingerprint,
    ) -> Result<Option<Dataset>, RegistryError> {
        todo!()
    }

    /// The datasets of all views, of all versions of the view of that name, in order of view and number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn datasets(&self, view: Option<&Name>) -> Result<Vec<Dataset>, RegistryError> {
        todo!()
    }

    /// The Delta versions of a group that datasets pin, ascending: what vacuum must keep.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn pinned_delta_versions(&self, group: &GroupRef) -> Result<Vec<u64>, RegistryError> {
        todo!()
    }
}
