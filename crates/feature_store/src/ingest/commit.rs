//! The commit of an ingestion: rows, receipt, number, time and content hash in one Delta version.
//!
//! The rows were written under the number that came next when the ingestion began. If another ingestion was committed meanwhile, the
//! file is written again with the number that comes next now; if it was of the same content, nothing is left to do. A commit is
//! made on top of exactly the version that was looked at, so nothing can slip in between.

use std::path::Path;

use definitions::{FeatureGroup, KnownAt, WallTime};
use deltalake::DeltaTable;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{Action, Add, Transaction};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::receipt::{
    INGEST_TXN, IngestOutcome, IngestReceipt, KNOWN_AT_TXN, Next, RECEIPT, content_txn, ingestion_of_content,
    ingestions_of, next,
};
use super::write::{COMMIT_ATTEMPTS, back_off, commit_actions, discard, is_lost_race, stamp, table_writer};
use crate::StoreError;
use crate::error::{delta_error, file_error, parquet_error};
use crate::storage::{Store, open_group, order_columns};

/// Whether content that is there already is ingested again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// No: the earlier receipt is the answer.
    Skip,
    /// Yes.
    Again,
}

/// Files that have been written under a number, and wait for their commit.
pub(super) struct Staged {
    /// The files.
    pub files: Vec<Add>,
    /// The number and time that their rows carry.
    pub stamp: Next,
}

/// Commits staged files with their receipt.
pub(super) async fn commit_ingestion(
    store: &Store,
    group: &FeatureGroup,
    mut staged: Staged,
    mut receipt: IngestReceipt,
    repeat: Repeat,
) -> Result<IngestReceipt, StoreError> {
    let reference = group.reference();
    let folder = store.group_folder(&reference);
    for attempt in 0..COMMIT_ATTEMPTS {
        let table = open_group(store, &reference, None).await?;
        if repeat == Repeat::Skip
            && let Some(earlier) = ingestion_of_content(&table, &reference, &receipt.content_hash).await?
        {
            if earlier.ingestion != receipt.ingestion {
                discard(&folder, &staged.files).await;
                return Ok(IngestReceipt {
                    outcome: IngestOutcome::AlreadyThere,
                    ..earlier
                });
            }
            return Ok(earlier);
        }
        let next = next(&table, &reference, receipt.started_at).await?;
        if next != staged.stamp {
            let files = restamped(&table, group, &folder, &staged, next).await?;
            discard(&folder, &staged.files).await;
            staged = Staged { files, stamp: next };
        }
        receipt.ingest_id = next.ingest_id;
        receipt.known_at = KnownAt(next.known_at);
        let actions = staged.files.iter().cloned().map(Action::Add).collect();
        match commit_actions(&table, actions, properties(&receipt)?).await {
            Ok(version) => return committed(store, group, version, receipt).await,
            Err(error) if is_lost_race(&error) => back_off(attempt).await,
            // The commit itself may have been made, and only what follows it have failed.
            Err(error) => match find(store, group, &receipt.ingestion).await? {
                Some(found) => return Ok(found),
                None => return Err(delta_error(&reference, "written")(error)),
            },
        }
    }
    discard(&folder, &staged.files).await;
    Err(StoreError::Contended {
        table: reference.to_string(),
        attempts: COMMIT_ATTEMPTS,
    })
}

fn properties(receipt: &IngestReceipt) -> Result<CommitProperties, StoreError> {
    let json = |source| StoreError::Json {
        path: RECEIPT.into(),
        source,
    };
    let transactions = vec![
        Transaction::new(INGEST_TXN, receipt.ingest_id),
        Transaction::new(KNOWN_AT_TXN, receipt.known_at.0),
        Transaction::new(content_txn(&receipt.content_hash), receipt.ingest_id),
    ];
    let metadata = [(RECEIPT.to_owned(), serde_json::to_value(receipt).map_err(json)?)];
    Ok(CommitProperties::default()
        .with_application_transactions(transactions)
        .with_metadata(metadata))
}

async fn committed(
    store: &Store,
    group: &FeatureGroup,
    version: i64,
    mut receipt: IngestReceipt,
) -> Result<IngestReceipt, StoreError> {
    receipt.delta_version = version;
    // The log is the last word on when it was.
    let found = find(store, group, &receipt.ingestion).await?;
    receipt.committed_at = found.map_or(WallTime(receipt.known_at.0), |found| found.committed_at);
    Ok(receipt)
}

async fn find(store: &Store, group: &FeatureGroup, ingestion: &str) -> Result<Option<IngestReceipt>, StoreError> {
    let reference = group.reference();
    let table = open_group(store, &reference, None).await?;
    let ingestions = ingestions_of(&table, &reference).await?;
    Ok(ingestions
        .into_iter()
        .rev()
        .find(|receipt| receipt.ingestion == ingestion))
}

/// The same rows in new files, under another number.
async fn restamped(
    table: &DeltaTable,
    group: &FeatureGroup,
    folder: &Path,
    staged: &Staged,
    next: Next,
) -> Result<Vec<Add>, StoreError> {
    let mut writer = table_writer(table, &group.reference().to_string())?;
    for file in &staged.files {
        let path = folder.join(&file.path);
        let opened = std::fs::File::open(&path).map_err(file_error(&path))?;
        for batch in ParquetRecordBatchReaderBuilder::try_new(opened)
            .map_err(parquet_error(&path))?
            .build()
            .map_err(parquet_error(&path))?
        {
            writer.write(stamp(&batch?, next.known_at, next.ingest_id)?).await?;
        }
    }
    writer.finish(Some(&order_columns(group))).await
}
