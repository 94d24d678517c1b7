//! What happened to a group, version by version.

use definitions::{FeatureGroup, WallTime};
use serde::Serialize;

use crate::StoreError;
use crate::ingest::{IngestReceipt, receipt_of};
use crate::storage::{Store, open_group, read_commits};

/// One version of a group's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The Delta version.
    pub version: i64,
    /// When it was committed.
    pub at: WallTime,
    /// What was done: `CREATE TABLE`, `WRITE`, `OPTIMIZE`, …
    pub operation: String,
    /// The ingestion, if it was one of ours.
    pub ingestion: Option<IngestReceipt>,
}

/// Everything that happened to a group, oldest first.
///
/// # Errors
/// `NoTable` when the group has not been applied.
pub async fn history(store: &Store, group: &FeatureGroup) -> Result<Vec<Change>, StoreError> {
    let reference = group.reference();
    let table = open_group(store, &reference, None).await?;
    let commits = read_commits(&table, table.version().unwrap_or_default(), &reference.to_string()).await?;
    let change = |commit: &crate::storage::Commit| Change {
        version: commit.version as i64,
        at: WallTime(commit.at),
        operation: commit.operation.clone(),
        ingestion: receipt_of(commit),
    };
    Ok(commits.iter().map(change).collect())
}
