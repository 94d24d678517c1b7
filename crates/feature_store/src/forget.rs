//! Forgetting an entity: its rows go from the newest version, and with the files that held them from every version that nothing pins.
//!
//! ```text
//!   files with rows of the entity ─ the same rows without them, in new files ─ one commit ─ remove the files that neither a pin nor the
//!                                                                                          newest version names
//! ```
//!
//! A kill before the commit leaves the table as it was, and files for `gc`; a kill behind it leaves files that the same call removes when
//! it is made again: it finds nothing to rewrite and goes on. A pinned version keeps its files, so it reads as before, the entity with it.
//!
//! Statistics of the ingestions that brought such rows go first: they name values. The table's log names none (`ingest::write`).
//!
//! Cost: one pass over the keys of all files, and one over those that hold rows of the entity. Memory: a batch.

mod derived;
mod quarantine;

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::Int64Type;
use definitions::{ColumnName, Duration, FeatureGroup, GroupRef, WallTime};
use deltalake::kernel::Add;
use deltalake::protocol::DeltaOperation;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use crate::entity::Entity;
use crate::error::{delta_error, file_error, parquet_error};
use crate::ingest::{
    COMMIT_ATTEMPTS, Earnest, back_off, discard_files, file_properties, forget_statistics, group_writer, ingestions_of,
    is_lost_race,
};
use crate::maintenance::{RemovedFile, Replacement, VacuumRequest, plain_text, replace, vacuum};
use crate::scan::scan_columns;
use crate::storage::{
    GroupPin, INGEST_ID, PinAt, PinnedFile, Store, open_group, order_columns, pin_group, table_schema,
};
use crate::{StoreError, scan_group};

pub use derived::{ForgetReach, Traced, derived_from, is_behind_removals};
pub use quarantine::{forget_in_quarantine, forget_quarantine};

/// What became of an entity's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForgetReceipt {
    /// The group.
    pub group: GroupRef,
    /// The newest Delta version now.
    pub delta_version: i64,
    /// Rows that the newest version had of the entity, superseded ones too.
    pub rows: u64,
    /// Files that were written again without them.
    pub files_rewritten: u64,
    /// Files that no version that matters needs any more: they held the entity, or were nobody's.
    pub files_removed: Vec<RemovedFile>,
}

/// How many rows of an entity a pinned version has, superseded ones too.
///
/// # Errors
/// As [`scan_group`].
pub async fn rows_of_entity(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    entity: &Entity,
) -> Result<u64, StoreError> {
    Ok(found_in(store, group, pin, entity).await?.0)
}

/// How many rows of an entity a pinned version has, and the ingestions that brought them.
async fn found_in(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    entity: &Entity,
) -> Result<(u64, BTreeSet<i64>), StoreError> {
    let keys: Vec<ColumnName> = group.entity.iter().map(|column| column.name.clone()).collect();
    let mut rows = scan_group(store, group, pin, &keys, None).await?.batches;
    let (mut found, mut ingestions) = (0, BTreeSet::new());
    while let Some(batch) = rows.try_next().await? {
        let own = filter_record_batch(&batch, &entity.rows_of(&batch)?)?;
        found += own.num_rows() as u64;
        let ids = own
            .column_by_name(INGEST_ID)
            .and_then(|ids| ids.as_primitive_opt::<Int64Type>());
        ingestions.extend(ids.into_iter().flat_map(|ids| ids.values().iter().copied()));
    }
    Ok((found, ingestions))
}

/// Takes an entity's rows out of the newest version, and removes every file that neither it nor one of `pins` names. No other process may
/// write the table meanwhile.
///
/// # Errors
/// As [`pin_group`], [`scan_group`] and [`vacuum`]; `Contended` when other writers always win.
pub async fn forget(
    store: &Store,
    group: &FeatureGroup,
    entity: &Entity,
    pins: &[GroupPin],
    now: WallTime,
) -> Result<ForgetReceipt, StoreError> {
    let (rows, files_rewritten) = rewrite(store, group, entity).await?;
    let request = VacuumRequest {
        pins,
        grace: Duration::ZERO,
        now,
        earnest: Earnest::Commit,
    };
    let files_removed = vacuum(store, group, &request).await?;
    let delta_version = pin_group(store, group, PinAt::Newest).await?.delta_version;
    Ok(ForgetReceipt {
        group: group.reference(),
        delta_version,
        rows,
        files_rewritten,
        files_removed,
    })
}

/// Writes the files that hold rows of the entity again without them, in one commit; gives how many rows and files that were.
async fn rewrite(store: &Store, group: &FeatureGroup, entity: &Entity) -> Result<(u64, u64), StoreError> {
    let reference = group.reference();
    for attempt in 0..COMMIT_ATTEMPTS {
        let pin = pin_group(store, group, PinAt::Newest).await?;
        let (mut rows, mut holding, mut brought_by) = (0, Vec::new(), BTreeSet::new());
        for file in &pin.files {
            let (of_file, ingestions) = found_in(store, group, &alone(&pin, file), entity).await?;
            if of_file > 0 {
                rows += of_file;
                holding.push(file.clone());
                brought_by.extend(ingestions);
            }
        }
        if holding.is_empty() {
            return Ok((0, 0));
        }
        let table = open_group(store, &reference, u64::try_from(pin.delta_version).ok()).await?;
        let folder = store.group_folder(&reference);
        let receipts = ingestions_of(&table, &reference).await?;
        for receipt in receipts
            .iter()
            .filter(|receipt| brought_by.contains(&receipt.ingest_id))
        {
            forget_statistics(&folder, &receipt.ingestion);
        }
        let mut written: Vec<Add> = Vec::new();
        for file in &holding {
            written.extend(without(store, group, &table, &alone(&pin, file), entity).await?);
        }
        let files = holding.len() as u64;
        let part = GroupPin { files: holding, ..pin };
        let replacement = Replacement {
            part: &part,
            written: &written,
            operation: DeltaOperation::Delete { predicate: None },
            changes_data: true,
        };
        match replace(store, &table, group, replacement).await {
            Ok(_) => return Ok((rows, files)),
            Err(error) => {
                discard_files(&folder, &written).await;
                if !is_lost_race(&error) {
                    return Err(delta_error(&reference, "written")(error));
                }
                back_off(attempt).await;
            }
        }
    }
    Err(StoreError::Contended {
        table: reference.to_string(),
        attempts: COMMIT_ATTEMPTS,
    })
}

fn alone(pin: &GroupPin, file: &PinnedFile) -> GroupPin {
    GroupPin {
        files: vec![file.clone()],
        ..pin.clone()
    }
}

/// A file's rows that are not of the entity, in new files: none where there are none.
async fn without(
    store: &Store,
    group: &FeatureGroup,
    table: &deltalake::DeltaTable,
    file: &GroupPin,
    entity: &Entity,
) -> Result<Vec<Add>, StoreError> {
    let reference = group.reference();
    let schema = plain_text(&table_schema(table, &reference)?);
    let keys: Vec<usize> = entity
        .values()
        .filter_map(|(column, _)| schema.index_of(column.name.as_str()).ok())
        .collect();
    let mut rows = scan_columns(store, group, file, &schema, &schema, None).await?.batches;
    let mut writer = group_writer(table, &reference.to_string())?;
    let mut is_empty = true;
    while let Some(batch) = rows.try_next().await? {
        let columns: Vec<ArrayRef> = keys.iter().map(|key| batch.column(*key).clone()).collect();
        let kept = filter_record_batch(&batch, &not(&entity.rows(&columns)?)?)?;
        if kept.num_rows() > 0 {
            is_empty = false;
            writer.write(kept).await?;
        }
    }
    if is_empty {
        return Ok(Vec::new());
    }
    writer.finish(Some(&order_columns(group))).await
}

/// Takes the rows whose columns of these names are the entity's out of a Parquet file, in one step: who reads it sees it as it was before
/// or without them. Gives how many rows that were; a file that has none is left alone.
///
/// # Errors
/// `File` and `Parquet` when it cannot be read or written.
pub fn forget_in_file(path: &Path, entity: &Entity, columns: &[String], staging: &Path) -> Result<u64, StoreError> {
    let batches = || -> Result<_, StoreError> {
        let file = std::fs::File::open(path).map_err(file_error(path))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet_error(path))?;
        let schema = reader.schema().clone();
        Ok((schema, reader.build().map_err(parquet_error(path))?))
    };
    let of_entity = |batch: &RecordBatch| {
        let keys: Option<Vec<ArrayRef>> = columns.iter().map(|name| batch.column_by_name(name).cloned()).collect();
        // A file without the key has no row of anybody.
        keys.map(|keys| entity.rows(&keys)).transpose()
    };
    let mut found = 0;
    for batch in batches()?.1 {
        found += of_entity(&batch?)?.map_or(0, |rows| rows.true_count() as u64);
    }
    if found == 0 {
        return Ok(0);
    }
    let (schema, rows) = batches()?;
    let half = staging.join(uuid::Uuid::new_v4().to_string());
    let file = std::fs::File::create(&half).map_err(file_error(&half))?;
    let mut writer =
        ArrowWriter::try_new(file, schema, Some(file_properties().build())).map_err(parquet_error(path))?;
    for batch in rows {
        let batch = batch?;
        if let Some(rows) = of_entity(&batch)? {
            writer
                .write(&filter_record_batch(&batch, &not(&rows)?)?)
                .map_err(parquet_error(path))?;
        }
    }
    let file = writer.into_inner().map_err(parquet_error(path))?;
    file.sync_all().map_err(file_error(&half))?;
    std::fs::rename(&half, path).map_err(file_error(path))?;
    Ok(found)
}
