//! The receipt of an ingestion. It is kept in the very commit that makes the rows visible, so that neither is there without the other.

use std::collections::BTreeMap;

use definitions::{ColumnName, EventTime, FeatureGroup, Fingerprint, GroupRef, IngestMode, KnownAt, WallTime};
use deltalake::DeltaTable;
use serde::{Deserialize, Serialize};

use super::source::SourceReceipt;
use crate::StoreError;
use crate::error::delta_error;
use crate::expect::{ExpectationResult, Moments};
use crate::storage::{Commit, Store, open_group, read_commits};

/// Under this key a commit's information holds the receipt.
pub(crate) const RECEIPT: &str = "platform.ingestion";
/// The application transaction whose version is the last `__ingest_id`.
pub(crate) const INGEST_TXN: &str = "platform.ingest";
/// The application transaction whose version is the last `__known_at`, in microseconds.
pub(crate) const KNOWN_AT_TXN: &str = "platform.known_at";

/// The application transaction of a content: its version is the last ingestion of just these bytes.
pub(super) fn content_txn(content: &Fingerprint) -> String {
    format!("platform.content.{content}")
}

/// What an ingestion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngestOutcome {
    /// The rows are in the table.
    Committed,
    /// The same bytes had been ingested before; the receipt is that of then.
    AlreadyThere,
    /// Everything was read and checked, nothing was written.
    DryRun,
}

/// The receipt of an ingestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IngestReceipt {
    /// The group.
    pub group: GroupRef,
    /// What became of it.
    pub outcome: IngestOutcome,
    /// The ingestion's own id, never used twice; quarantined rows carry it.
    pub ingestion: String,
    /// Its number within the table, from 1: `__ingest_id`. Of a dry run, the number it would have had.
    pub ingest_id: i64,
    /// The Delta version that it made; of a dry run, the version it looked at.
    #[serde(default)]
    pub delta_version: i64,
    /// The hash of everything that was read: of one file, its SHA-256.
    pub content_hash: Fingerprint,
    /// Upsert or append.
    pub mode: IngestMode,
    /// Rows in the files.
    pub rows_read: u64,
    /// Rows written to the table.
    pub rows: u64,
    /// Identical rows that were left out.
    pub duplicates: u64,
    /// NaN values that became NULL.
    pub nan_nulls: u64,
    /// Rows that went to the quarantine table.
    pub quarantined: u64,
    /// The one value of `__known_at` of its rows.
    pub known_at: KnownAt,
    /// The smallest event time among its rows; `None`: no rows, or a static group.
    pub min_event_time: Option<EventTime>,
    /// The largest event time among its rows.
    pub max_event_time: Option<EventTime>,
    /// The files that were read.
    pub sources: Vec<SourceReceipt>,
    /// Columns of the files that the definition does not name.
    pub ignored_columns: Vec<String>,
    /// The size of all files that were read.
    pub bytes: u64,
    /// The size of what was written.
    pub bytes_written: u64,
    /// What became of what the group expects, in the order of the definition.
    #[serde(default)]
    pub expectations: Vec<ExpectationResult>,
    /// Count, mean and spread of the columns whose drift is watched.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moments: BTreeMap<ColumnName, Moments>,
    /// The program that made it.
    pub software: String,
    /// When it started.
    pub started_at: WallTime,
    /// When the commit was made; of a dry run, when it started.
    pub committed_at: WallTime,
}

/// The ingestions of a group, in their order, from the log of its table.
///
/// # Errors
/// `NoTable` when the group has not been applied.
pub async fn ingestions(store: &Store, group: &FeatureGroup) -> Result<Vec<IngestReceipt>, StoreError> {
    let reference = group.reference();
    let table = open_group(store, &reference, None).await?;
    ingestions_of(&table, &reference).await
}

/// The ingestions up to the version at which a table is loaded.
pub(crate) async fn ingestions_of(table: &DeltaTable, group: &GroupRef) -> Result<Vec<IngestReceipt>, StoreError> {
    let commits = read_commits(table, table.version().unwrap_or_default(), &group.to_string()).await?;
    Ok(commits.iter().filter_map(receipt_of).collect())
}

/// The receipt in a commit.
pub(crate) fn receipt_of(commit: &Commit) -> Option<IngestReceipt> {
    let receipt = commit.info.get(RECEIPT)?;
    let mut receipt: IngestReceipt = serde_json::from_value(receipt.clone()).ok()?;
    receipt.delta_version = commit.version as i64;
    receipt.committed_at = WallTime(commit.at);
    Some(receipt)
}

/// What the next ingestion must know of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    /// Its number.
    pub ingest_id: i64,
    /// Its time, not below the last one's.
    pub known_at: i64,
}

/// What comes next in the version at which a table is loaded.
pub(crate) async fn next(table: &DeltaTable, group: &GroupRef, now: WallTime) -> Result<Next, StoreError> {
    let last_id = transaction(table, group, INGEST_TXN).await?.unwrap_or_default();
    let last_known = transaction(table, group, KNOWN_AT_TXN).await?.unwrap_or(i64::MIN);
    Ok(Next {
        ingest_id: last_id + 1,
        known_at: now.0.max(last_known),
    })
}

/// The last ingestion of just this content.
pub(super) async fn ingestion_of_content(
    table: &DeltaTable,
    group: &GroupRef,
    content: &Fingerprint,
) -> Result<Option<IngestReceipt>, StoreError> {
    let Some(ingest_id) = transaction(table, group, &content_txn(content)).await? else {
        return Ok(None);
    };
    let ingestions = ingestions_of(table, group).await?;
    Ok(ingestions.into_iter().find(|receipt| receipt.ingest_id == ingest_id))
}

async fn transaction(table: &DeltaTable, group: &GroupRef, name: &str) -> Result<Option<i64>, StoreError> {
    let state = table.snapshot().map_err(delta_error(group, "read"))?;
    state
        .transaction_version(table.log_store().as_ref(), name.to_owned())
        .await
        .map_err(delta_error(group, "read"))
}
