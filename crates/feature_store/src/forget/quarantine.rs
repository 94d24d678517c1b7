//! An entity's rows in quarantine: they stand there as they were read, as JSON, so the key is read out of that.
//!
//! Nothing pins a quarantine, so what no longer counts is removed at once; also what a kill has left of an earlier call.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use definitions::FeatureGroup;
use deltalake::DeltaTable;
use deltalake::kernel::Action;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::protocol::DeltaOperation;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use crate::StoreError;
use crate::entity::Entity;
use crate::error::{delta_error, file_error, parquet_error};
use crate::ingest::{commit_operation, group_writer};
use crate::storage::{Store, open_table};

/// Takes an entity's rows out of its group's quarantine; gives how many there were. A row that cannot be read as one of anybody stays. No
/// other process may write the group meanwhile.
///
/// # Errors
/// `Delta`, `Parquet` and `File` when the table cannot be read or written.
pub async fn forget_in_quarantine(store: &Store, group: &FeatureGroup, entity: &Entity) -> Result<u64, StoreError> {
    let reference = group.reference();
    let folder = store.quarantine_folder(&reference);
    let name = format!("quarantine.{reference}");
    let Some(table) = open_table(&folder, &name, None).await? else {
        return Ok(0);
    };
    let state = table.snapshot().map_err(delta_error(&name, "read"))?;
    let (mut forgotten, mut actions) = (0, Vec::new());
    for view in state.log_data().iter() {
        let path = folder.join(view.path().as_ref());
        let mut of_file = 0;
        for batch in batches(&path)? {
            of_file += rows_of(&batch?, group, entity).true_count() as u64;
        }
        if of_file == 0 {
            continue;
        }
        forgotten += of_file;
        actions.push(Action::Remove(view.remove_action(true)));
        let mut writer = group_writer(&table, &name)?;
        let mut is_empty = true;
        for batch in batches(&path)? {
            let batch = batch?;
            let kept = filter_record_batch(&batch, &not(&rows_of(&batch, group, entity))?)?;
            if kept.num_rows() > 0 {
                is_empty = false;
                writer.write(kept).await?;
            }
        }
        if !is_empty {
            actions.extend(writer.finish(None).await?.into_iter().map(Action::Add));
        }
    }
    if !actions.is_empty() {
        let operation = DeltaOperation::Delete { predicate: None };
        let done = commit_operation(&table, actions, CommitProperties::default(), operation).await;
        done.map_err(delta_error(&name, "written"))?;
    }
    if let Some(table) = open_table(&folder, &name, None).await? {
        remove_unnamed(&table, &folder, &name)?;
    }
    Ok(forgotten)
}

/// Removes a group's quarantine altogether, in one step: where values of any row may be made of an entity's, so may those of rows in
/// quarantine. It is made again when it is needed.
///
/// # Errors
/// `File` when it cannot be removed.
pub fn forget_quarantine(store: &Store, group: &FeatureGroup) -> Result<(), StoreError> {
    let folder = store.quarantine_folder(&group.reference());
    if !folder.exists() {
        return Ok(());
    }
    let aside = store.root.join("staging").join(uuid::Uuid::new_v4().to_string());
    let parent = store.root.join("staging");
    std::fs::create_dir_all(&parent).map_err(file_error(&parent))?;
    std::fs::rename(&folder, &aside).map_err(file_error(&folder))?;
    std::fs::remove_dir_all(&aside).map_err(file_error(&aside))
}

/// Removes the data files that the newest version does not name.
fn remove_unnamed(table: &DeltaTable, folder: &Path, name: &str) -> Result<(), StoreError> {
    let state = table.snapshot().map_err(delta_error(name, "read"))?;
    let named: BTreeSet<_> = state
        .log_data()
        .iter()
        .map(|view| folder.join(view.path().as_ref()))
        .collect();
    for entry in std::fs::read_dir(folder).map_err(file_error(folder))? {
        let path = entry.map_err(file_error(folder))?.path();
        let is_data = path.extension().is_some_and(|end| end == "parquet");
        if is_data && !named.contains(&path) {
            std::fs::remove_file(&path).map_err(file_error(&path))?;
        }
    }
    Ok(())
}

fn batches(path: &Path) -> Result<ParquetRecordBatchReader, StoreError> {
    let file = File::open(path).map_err(file_error(path))?;
    ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(parquet_error(path))?
        .build()
        .map_err(parquet_error(path))
}

/// Which rows in quarantine are of the entity.
fn rows_of(batch: &RecordBatch, group: &FeatureGroup, entity: &Entity) -> BooleanArray {
    let texts = batch.column_by_name("row").and_then(|rows| rows.as_string_opt::<i32>());
    let is_entity = |row: usize| {
        let text = texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
        let row = text.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        Some(row.is_some_and(|row| entity.is_of(|column| text_of(&row, group, column))))
    };
    (0..batch.num_rows()).map(is_entity).collect()
}

/// The value of a column, as text: under its name in files, or its own.
fn text_of(row: &Map<String, Value>, group: &FeatureGroup, column: &definitions::ColumnName) -> Option<String> {
    let in_files = group.columns.get(column).and_then(|name| row.get(name));
    match in_files.or_else(|| row.get(column.as_str()))? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}
