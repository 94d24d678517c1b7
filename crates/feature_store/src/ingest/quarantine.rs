//! Rows that were kept out of a group: set aside in a file while an ingestion runs, then committed to the group's quarantine table.
//!
//! The quarantine is committed before the group, under the ingestion's own id. A crash in between leaves rows there whose ingestion
//! never happened; readers show only those of ingestions that stand in the group's log, so nobody sees them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use definitions::{FeatureGroup, GroupRef};
use deltalake::kernel::Action;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::violation::Violation;
use super::write::{COMMIT_ATTEMPTS, back_off, commit_actions, is_lost_race, table_writer};
use crate::StoreError;
use crate::error::{delta_error, file_error, parquet_error};
use crate::storage::{Spool, Store, create_with};

/// Rows held before they go to the file.
const HELD_ROWS: usize = 4096;
/// The column of the quarantine table that names the ingestion.
pub(crate) const INGESTION: &str = "ingestion";

/// A row that was kept out.
pub(crate) struct QuarantinedRow {
    /// What is wrong with it.
    pub violation: Violation,
    /// What it looked like, as a JSON object where it could be read.
    pub row: String,
}

/// The columns of a row that was kept out, as they are stored.
pub(crate) fn quarantine_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(INGESTION, DataType::Utf8, false),
        Field::new("file", DataType::Utf8, false),
        Field::new("line", DataType::Int64, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("value", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("detail", DataType::Utf8, false),
        Field::new("row", DataType::Utf8, false),
    ]))
}

fn spool_schema() -> SchemaRef {
    let fields = quarantine_schema();
    Arc::new(Schema::new(fields.fields().iter().skip(1).cloned().collect::<Vec<_>>()))
}

/// The file in which rows wait.
pub(crate) struct QuarantineSpool {
    held: Vec<QuarantinedRow>,
    spool: Spool,
}

impl QuarantineSpool {
    /// Waiting rows will be in this file.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            held: Vec::new(),
            spool: Spool::new(path),
        }
    }

    /// Takes in a row.
    pub(crate) fn push(&mut self, row: QuarantinedRow) -> Result<(), StoreError> {
        self.held.push(row);
        if self.held.len() >= HELD_ROWS {
            self.write()
        } else {
            Ok(())
        }
    }

    /// Completes the file; `None` where no row waits.
    pub(crate) fn finish(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.write()?;
        self.spool.finish()
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.spool.write(&spool_batch(&std::mem::take(&mut self.held))?)
    }
}

fn spool_batch(rows: &[QuarantinedRow]) -> Result<RecordBatch, StoreError> {
    let texts = |text: &dyn Fn(&QuarantinedRow) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    };
    let lines: UInt64Array = rows.iter().map(|row| row.violation.location.line).collect();
    let columns = vec![
        texts(&|row| Some(row.violation.location.file.clone())),
        arrow::compute::cast(&lines, &DataType::Int64)?,
        texts(&|row| row.violation.column.as_ref().map(ToString::to_string)),
        texts(&|row| Some(row.violation.value.clone()).filter(|value| !value.is_empty())),
        texts(&|row| Some(row.violation.reason.words().to_owned())),
        texts(&|row| Some(row.violation.detail.clone())),
        texts(&|row| Some(row.row.clone())),
    ];
    Ok(RecordBatch::try_new(spool_schema(), columns)?)
}

/// Commits waiting rows to the group's quarantine table, which is made when it is first needed.
pub(crate) async fn commit_quarantine(
    store: &Store,
    group: &FeatureGroup,
    ingestion: &str,
    waiting: &Path,
) -> Result<(), StoreError> {
    let reference = group.reference();
    let folder = store.quarantine_folder(&reference);
    let name = format!("quarantine.{reference}");
    let mut table = create_with(store, &folder, &reference, &quarantine_schema()).await?;
    let mut writer = table_writer(&table, &name)?;
    let file = File::open(waiting).map_err(file_error(waiting))?;
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(parquet_error(waiting))?
        .build()
        .map_err(parquet_error(waiting))?
    {
        writer.write(stamped(&batch?, ingestion)?).await?;
    }
    let actions: Vec<Action> = writer.finish(None).await?.into_iter().map(Action::Add).collect();
    for attempt in 0..COMMIT_ATTEMPTS {
        match commit_actions(
            &table,
            actions.clone(),
            deltalake::kernel::transaction::CommitProperties::default(),
        )
        .await
        {
            Ok(_) => return Ok(()),
            Err(error) if is_lost_race(&error) => back_off(attempt).await,
            Err(error) => return Err(delta_error(&name, "written")(error)),
        }
        table = reopened(&folder, &reference).await?;
    }
    Err(StoreError::Contended {
        table: name,
        attempts: COMMIT_ATTEMPTS,
    })
}

async fn reopened(folder: &Path, group: &GroupRef) -> Result<deltalake::DeltaTable, StoreError> {
    let table = crate::storage::open_table(folder, group, None).await?;
    table.ok_or_else(|| StoreError::NoTable { group: group.clone() })
}

fn stamped(batch: &RecordBatch, ingestion: &str) -> Result<RecordBatch, StoreError> {
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec![ingestion; batch.num_rows()]))];
    columns.extend(batch.columns().iter().cloned());
    Ok(RecordBatch::try_new(quarantine_schema(), columns)?)
}
