//! The commit of a materialisation: rows, receipt, number, and what was seen of the sources, in one Delta version.
//!
//! Unlike ingested rows, derived rows carry the times at which they became known themselves, so a file is never written again: where
//! another materialisation was committed meanwhile, this one has seen too little, and is refused.

use definitions::FeatureGroup;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};

use super::materialize::Extent;
use super::seen::{ANEW, SEEN, SEEN_IN_PART, Seen};
use crate::StoreError;
use crate::error::delta_error;
use crate::ingest::{
    COMMIT_ATTEMPTS, INGEST_TXN, IngestReceipt, KNOWN_AT_TXN, RECEIPT, back_off, commit_actions, commit_operation,
    discard_files, ingestions, is_lost_race, next_ingestion,
};
use crate::storage::{Store, open_group};

/// What was read of the sources, and for which rows.
#[derive(Clone, Copy)]
pub(super) struct Seeing<'a> {
    /// What was read.
    pub seen: &'a Seen,
    /// The rows that were computed. Those of a range say nothing of what is new.
    pub extent: Extent,
}

/// Commits files with their receipt and what was seen.
pub(super) async fn commit_materialization(
    store: &Store,
    group: &FeatureGroup,
    files: &[Add],
    mut receipt: IngestReceipt,
    seeing: Seeing<'_>,
) -> Result<IngestReceipt, StoreError> {
    let reference = group.reference();
    let contended = || StoreError::Contended {
        table: reference.to_string(),
        attempts: COMMIT_ATTEMPTS,
    };
    let folder = store.group_folder(&reference);
    for attempt in 0..COMMIT_ATTEMPTS {
        let table = open_group(store, &reference, None).await?;
        let next = next_ingestion(&table, &reference, receipt.started_at).await?;
        if next.ingest_id != receipt.ingest_id {
            break;
        }
        let added = files.iter().cloned().map(Action::Add).collect();
        match commit(&table, added, properties(&receipt, seeing)?, seeing.extent).await {
            Ok(version) => {
                receipt.delta_version = version;
                return Ok(found(store, group, &receipt).await?.unwrap_or(receipt));
            }
            Err(error) if is_lost_race(&error) => back_off(attempt).await,
            // The commit itself may have been made, and only what follows it have failed.
            Err(error) => match found(store, group, &receipt).await? {
                Some(found) => return Ok(found),
                None => return Err(delta_error(&reference, "written")(error)),
            },
        }
    }
    discard_files(&folder, files).await;
    Err(contended())
}

async fn commit(
    table: &DeltaTable,
    mut actions: Vec<Action>,
    properties: CommitProperties,
    extent: Extent,
) -> Result<i64, DeltaTableError> {
    if extent != Extent::Anew {
        return commit_actions(table, actions, properties).await;
    }
    let state = table.snapshot()?;
    actions.extend(
        state
            .log_data()
            .iter()
            .map(|view| Action::Remove(view.remove_action(true))),
    );
    let operation = DeltaOperation::Write {
        mode: SaveMode::Overwrite,
        partition_by: None,
        predicate: None,
    };
    commit_operation(table, actions, properties, operation).await
}

async fn found(
    store: &Store,
    group: &FeatureGroup,
    receipt: &IngestReceipt,
) -> Result<Option<IngestReceipt>, StoreError> {
    let mut all = ingestions(store, group).await?;
    let at = all.iter().position(|other| other.ingestion == receipt.ingestion);
    Ok(at.map(|at| all.swap_remove(at)))
}

fn properties(receipt: &IngestReceipt, seeing: Seeing<'_>) -> Result<CommitProperties, StoreError> {
    let json = |source| StoreError::Json {
        path: RECEIPT.into(),
        source,
    };
    let transactions = vec![
        Transaction::new(INGEST_TXN, receipt.ingest_id),
        Transaction::new(KNOWN_AT_TXN, receipt.known_at.0),
    ];
    let mut metadata = vec![(RECEIPT.to_owned(), serde_json::to_value(receipt).map_err(json)?)];
    let key = match seeing.extent {
        Extent::Between { .. } => SEEN_IN_PART,
        Extent::New | Extent::Full | Extent::Anew => SEEN,
    };
    metadata.push((key.to_owned(), serde_json::to_value(seeing.seen).map_err(json)?));
    if seeing.extent == Extent::Anew {
        metadata.push((ANEW.to_owned(), true.into()));
    }
    Ok(CommitProperties::default()
        .with_application_transactions(transactions)
        .with_metadata(metadata))
}
