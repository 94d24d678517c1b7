//! Ingestions: what came into a feature group, when, from where.

use definitions::{EventTime, Fingerprint, GroupRef, IngestMode, KnownAt, WallTime};
use serde::Serialize;

use crate::{Registry, RegistryError};

/// The receipt of an ingestion that has been committed to the group's table.
#[derive(Debug, Clone, PartialEq)]
pub struct NewIngestion {
    /// The group.
    pub group: GroupRef,
    /// Its number within the group, from 1: `__ingest_id`.
    pub ingest_id: i64,
    /// The Delta version that it made.
    pub delta_version: u64,
    /// The fingerprint of everything that was read.
    pub content_hash: Fingerprint,
    /// Where it came from: files, sizes, hashes, as the step reports them.
    pub sources: serde_json::Value,
    /// Upsert or append.
    pub mode: IngestMode,
    /// Rows written to the table.
    pub rows: u64,
    /// Identical rows that were left out.
    pub duplicates: u64,
    /// NaN values that became NULL.
    pub nan_nulls: u64,
    /// Rows that went to the quarantine table.
    pub quarantined: u64,
    /// Rows that were there and that readers no longer see; `None`: not counted.
    pub superseded: Option<u64>,
    /// The one value of `__known_at` of its rows.
    pub known_at: KnownAt,
    /// The smallest event time among its rows; `None`: no rows, or a static group.
    pub min_event_time: Option<EventTime>,
    /// The largest event time among its rows.
    pub max_event_time: Option<EventTime>,
    /// When it started.
    pub started_at: WallTime,
    /// When the table's commit was made.
    pub committed_at: WallTime,
}

/// A recorded ingestion.
pub type Ingestion = NewIngestion;

/// What recording did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// It is recorded now.
    Now,
    /// It had been recorded.
    Before,
}

impl Registry {
    /// Records an ingestion. Recording the same one twice is harmless, so that a command that died between the table's commit and this
    /// call can be made up for.
    ///
    /// # Errors
    /// `IngestionConflict` when another ingestion is recorded under its number; `UnknownDefinition` for a group that has not been applied.
    pub async fn record_ingestion(&self, new: &NewIngestion) -> Result<Recorded, RegistryError> {
        todo!()
    }

    /// The ingestions of a group, in their order.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn ingestions(&self, group: &GroupRef) -> Result<Vec<Ingestion>, RegistryError> {
        todo!()
    }

    /// The newest ingestion of a group.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn newest_ingestion(&self, group: &GroupRef) -> Result<Option<Ingestion>, RegistryError> {
        todo!()
    }

    /// The newest ingestion of this content into a group.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn ingestion_of_content(
        &self,
        group: &GroupRef,
        content_hash: &Fingerprint,
    ) -> Result<Option<Ingestion>, RegistryError> {
        todo!()
    }
}
