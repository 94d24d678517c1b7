//! Writing sorted files into a table's folder, and committing them. Until the commit they are files that nobody reads.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::SchemaRef;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference, TransactionError};
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use deltalake::{DeltaTable, DeltaTableError};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use crate::StoreError;
use crate::encoding::{Saving, chosen};
use crate::error::delta_error;
use crate::storage::{INGEST_ID, KNOWN_AT, ROW_NUMBER, SORTED_TAG};

/// How often a commit is tried when other writers win.
pub(crate) const COMMIT_ATTEMPTS: u32 = 30;
const ROWS_PER_ROW_GROUP: usize = 131_072;
/// Pages are small, so that a join that needs few rows reads little.
const ROWS_PER_PAGE: usize = 8_192;
/// A column with more different values than fit is written as it is: the attempt is cheap, and gives up early.
const DICTIONARY_BYTES: usize = 128 << 10;
const ZSTD_LEVEL: i32 = 3;

/// How all files of tables are written, but for what is chosen by their rows.
pub(crate) fn file_properties() -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROWS_PER_ROW_GROUP))
        .set_data_page_row_count_limit(ROWS_PER_PAGE)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
}

/// Writes one file of a table, keeping the order of the rows.
pub(crate) struct TableWriter {
    /// `None` after a failure.
    writer: Option<RecordBatchWriter>,
    has_rows: bool,
    schema: SchemaRef,
    name: String,
}

/// A writer of a file of this table.
pub(crate) fn table_writer(table: &DeltaTable, name: &str) -> Result<TableWriter, StoreError> {
    let writer = RecordBatchWriter::for_table(table).map_err(delta_error(name, "written"))?;
    let writer = writer.with_writer_properties(file_properties().build());
    Ok(TableWriter {
        has_rows: false,
        schema: writer.arrow_schema(),
        writer: Some(writer),
        name: name.to_owned(),
    })
}

impl TableWriter {
    /// Writes rows. Columns of the table that they do not have, because another program added them, are NULL.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        let column = |field: &arrow::datatypes::FieldRef| -> Result<ArrayRef, StoreError> {
            Ok(match batch.column_by_name(field.name()) {
                Some(column) if column.data_type() == field.data_type() => column.clone(),
                Some(column) => arrow::compute::cast(column, field.data_type())?,
                None => new_null_array(field.data_type(), batch.num_rows()),
            })
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        let mut writer = self.open()?;
        if !self.has_rows && batch.num_rows() > 0 {
            // Nothing has been encoded yet.
            self.has_rows = true;
            writer = writer.with_writer_properties(chosen(file_properties(), &batch, Saving::Eighth, 1));
        }
        writer.write(batch).await.map_err(delta_error(&self.name, "written"))?;
        self.writer = Some(writer);
        Ok(())
    }

    fn open(&mut self) -> Result<RecordBatchWriter, StoreError> {
        self.writer.take().ok_or_else(|| StoreError::Task {
            detail: format!("a file of `{}` could not be written before", self.name),
        })
    }

    /// Completes the file; gives it tagged as sorted by these columns, if it is.
    pub(crate) async fn finish(mut self, sorted_by: Option<&[String]>) -> Result<Vec<Add>, StoreError> {
        let mut adds = self.open()?.flush().await.map_err(delta_error(&self.name, "written"))?;
        for add in &mut adds {
            add.stats = add.stats.as_deref().map(without_values);
        }
        if let Some(columns) = sorted_by {
            for add in &mut adds {
                let tag = (SORTED_TAG.to_owned(), Some(columns.join(",")));
                add.tags = Some([tag].into());
            }
        }
        Ok(adds)
    }
}

/// A file's statistics for the log, without the least and the greatest values of columns that a user declared. The log is never
/// rewritten, so a value in it would outlive the rows that are forgotten; the file says the same in its footer, and goes with them.
fn without_values(statistics: &str) -> String {
    let Ok(serde_json::Value::Object(mut all)) = serde_json::from_str(statistics) else {
        return statistics.to_owned();
    };
    for of_all in ["minValues", "maxValues"] {
        if let Some(serde_json::Value::Object(values)) = all.get_mut(of_all) {
            values.retain(|column, _| [KNOWN_AT, INGEST_ID, ROW_NUMBER].contains(&column.as_str()));
        }
    }
    serde_json::Value::Object(all).to_string()
}

/// Gives rows the hidden columns that all rows of an ingestion share, in place of any they have.
pub(crate) fn stamp(batch: &RecordBatch, known_at: i64, ingest_id: i64) -> Result<RecordBatch, StoreError> {
    let rows = batch.num_rows();
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.name() != KNOWN_AT && field.name() != INGEST_ID {
            columns.push((field.name().clone(), column.clone()));
        }
    }
    let known: TimestampMicrosecondArray = TimestampMicrosecondArray::from(vec![known_at; rows]).with_timezone("UTC");
    columns.push((KNOWN_AT.to_owned(), Arc::new(known)));
    columns.push((INGEST_ID.to_owned(), Arc::new(Int64Array::from(vec![ingest_id; rows]))));
    let names = columns
        .iter()
        .map(|(name, column)| arrow::datatypes::Field::new(name, column.data_type().clone(), true));
    let schema = Arc::new(arrow::datatypes::Schema::new(names.collect::<Vec<_>>()));
    Ok(RecordBatch::try_new(
        schema,
        columns.into_iter().map(|(_, column)| column).collect(),
    )?)
}

/// Appends on top of exactly the version at which the table is loaded, or fails: what the caller read there still holds.
pub(crate) async fn commit_actions(
    table: &DeltaTable,
    actions: Vec<Action>,
    properties: CommitProperties,
) -> Result<i64, DeltaTableError> {
    // `false` says that nothing was read, so that no engine takes this append for one that depends on rows removed meanwhile.
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: None,
        predicate: Some("false".to_owned()),
    };
    commit_operation(table, actions, properties, operation).await
}

/// Commits on top of exactly the version at which the table is loaded, or fails.
pub(crate) async fn commit_operation(
    table: &DeltaTable,
    actions: Vec<Action>,
    properties: CommitProperties,
    operation: DeltaOperation,
) -> Result<i64, DeltaTableError> {
    let properties = properties.with_max_retries(0).with_cleanup_expired_logs(Some(false));
    let state = table.snapshot()?;
    let folder = table.table_url().to_file_path().unwrap_or_default();
    for action in &actions {
        if let Action::Add(file) = action {
            sync(&folder.join(&file.path)).await?;
        }
    }
    let commit = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(state as &dyn TableReference), table.log_store(), operation)
        .await?;
    let log = folder.join("_delta_log");
    for path in [log.join(format!("{:020}.json", commit.version())), log, folder] {
        // The commit stands; what a power failure now could do to it is no reason to say that it does not.
        let _unsynced = sync(&path).await;
    }
    Ok(commit.version() as i64)
}

/// Waits until a file or folder is on the disk: delta-rs does not, and a power failure would leave a commit of nothing.
async fn sync(path: &std::path::Path) -> std::io::Result<()> {
    tokio::fs::File::open(path).await?.sync_all().await
}

/// Whether a commit failed because another one was made first.
pub(crate) fn is_lost_race(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::CommitConflict(_)
                | TransactionError::MaxCommitAttempts(_)
                | TransactionError::VersionAlreadyExists(_)
        ),
        _ => false,
    }
}

/// Waits before the next attempt, longer each time, and not as long as others do.
pub(crate) async fn back_off(attempt: u32) {
    let spread = u64::from(uuid::Uuid::new_v4().as_bytes().first().copied().unwrap_or_default());
    let base = 2_u64.saturating_pow(attempt.min(7));
    tokio::time::sleep(Duration::from_millis(base + spread * base / 256)).await;
}

/// Removes files that were written and not committed. One that cannot be removed is left for `gc`.
pub(crate) async fn discard(table_folder: &std::path::Path, files: &[Add]) {
    for file in files {
        let _left = tokio::fs::remove_file(table_folder.join(&file.path)).await;
    }
}
