//! Reading a pinned version of a group: its files become **one stream in the total order** of key, event time, known at, ingestion.
//!
//! ```text
//!   file 1 (ingestion 1, sorted)  ─┐
//!   file 2 (ingestion 2, sorted)  ─┼─ merge ─ order check ─ as known at ─ columns asked for + hidden columns
//!   file 3 (another writer) ─ sort ┘
//! ```
//!
//! The list of files comes from the pin, not from the log, so that what was pinned reads the same whatever becomes of the log. The
//! merge trusts the order that sorted files declare; the check behind it does not: a single row out of place is an error, never a
//! wrong result. A column that a file does not have (it was added later) is NULL; a column that is not declared is not read.
//!
//! Memory: one row group's pages per file, and one batch per file in the merge.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::lt_eq;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use definitions::{ColumnName, FeatureGroup, KnownAt};
use deltalake::logstore::object_store::ObjectMeta;
use deltalake::logstore::object_store::path::Path as StorePath;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};

use crate::StoreError;
use crate::error::{file_error, plan_error};
use crate::storage::spilling_context;
use crate::storage::{GroupPin, KNOWN_AT, Store, check_files, hidden_fields, order_columns, stored_schema};

pub(crate) mod order;
mod runs;

use order::OrderCheck;
pub(crate) use runs::group_runs;
#[cfg(test)]
pub(crate) use runs::parquet_run;

/// Rows per batch of a scan.
const BATCH_ROWS: usize = 8192;
/// What sorting the files of other writers may hold in memory.
const SORT_MEMORY: u64 = 256 << 20;

/// The rows of a pinned group, in total order.
pub struct GroupScan {
    /// The columns asked for, then `__known_at`, `__ingest_id` and `__row_number`.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, StoreError>>,
}

/// Opens a pinned group for reading.
///
/// # Errors
/// `PinnedFileMissing` or `PinnedFileChanged` when the files are not what was pinned; `UnknownColumn` for a column that is not
/// declared. While reading: `OrderBroken`, when a file is not in the order it promised.
pub async fn scan_group(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    columns: &[ColumnName],
    as_known_at: Option<KnownAt>,
) -> Result<GroupScan, StoreError> {
    let (read, schema) = (read_schema(group, columns)?, scan_schema(group, columns)?);
    scan_columns(store, group, pin, &read, &schema, as_known_at).await
}

/// As [`scan_group`], leaving out rows with which a predicate over the files' columns is not true. What can be told without reading a
/// row is not read; that no row is missing is not checked.
pub(crate) async fn scan_where(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    columns: &[ColumnName],
    predicate: impl FnOnce(&Schema) -> datafusion::error::Result<Arc<dyn PhysicalExpr>>,
) -> Result<GroupScan, StoreError> {
    let (read, schema) = (read_schema(group, columns)?, scan_schema(group, columns)?);
    let predicate = predicate(&read).map_err(plan_error(format!("`{}` could not be read", pin.group)))?;
    let wanted = Wanted {
        read: &read,
        schema: &schema,
        predicate: Some(predicate),
        as_known_at: None,
    };
    scan_wanted(store, group, pin, wanted).await
}

/// As [`scan_group`], for any columns of the files: `read` holds at least those of the order, `schema` is what comes out.
pub(crate) async fn scan_columns(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    read: &SchemaRef,
    schema: &SchemaRef,
    as_known_at: Option<KnownAt>,
) -> Result<GroupScan, StoreError> {
    let wanted = Wanted {
        read,
        schema,
        predicate: None,
        as_known_at,
    };
    scan_wanted(store, group, pin, wanted).await
}

/// What a scan reads and gives.
struct Wanted<'a> {
    /// The columns of the files that are read.
    read: &'a SchemaRef,
    /// What comes out.
    schema: &'a SchemaRef,
    /// What must be true of a row.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    as_known_at: Option<KnownAt>,
}

async fn scan_wanted(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    wanted: Wanted<'_>,
) -> Result<GroupScan, StoreError> {
    let Wanted {
        read,
        schema,
        predicate,
        as_known_at,
    } = wanted;
    let reference = group.reference();
    if pin.group != reference {
        return Err(StoreError::WrongPin {
            wanted: reference,
            found: pin.group.clone(),
        });
    }
    let (checked_store, checked) = (store.clone(), pin.clone());
    let paths = tokio::task::spawn_blocking(move || check_files(&checked_store, &checked)).await;
    let paths = paths.map_err(|error| StoreError::Task {
        detail: error.to_string(),
    })??;
    let files: Vec<_> = pin
        .files
        .iter()
        .zip(&paths)
        .map(|(file, path)| SourceFile::new(file, path))
        .collect::<Result<_, _>>()?;
    let doing = format!("`{reference}` could not be read");
    let batches: BoxStream<'static, Result<RecordBatch, StoreError>> = if files.is_empty() {
        futures::stream::empty().boxed()
    } else {
        let plan = merge_plan(group, read, files, predicate.as_ref()).map_err(plan_error(&doing))?;
        let rows = execute_stream(plan, Arc::new(task_context(store, pin)?)).map_err(plan_error(&doing))?;
        let mut check = ScanCheck::new(group, pin, store.group_folder(&reference), read)?;
        check.wanted = check.wanted.filter(|_| predicate.is_none());
        finish(rows, check, doing, schema.clone(), as_known_at).boxed()
    };
    Ok(GroupScan {
        schema: schema.clone(),
        batches,
    })
}

/// Reads a pinned group into memory; at least one batch, so that there is a schema.
///
/// # Errors
/// As [`scan_group`].
pub async fn collect_group(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    columns: &[ColumnName],
    as_known_at: Option<KnownAt>,
) -> Result<Vec<RecordBatch>, StoreError> {
    let scan = scan_group(store, group, pin, columns, as_known_at).await?;
    let mut batches: Vec<RecordBatch> = scan.batches.try_collect().await?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(scan.schema));
    }
    Ok(batches)
}

/// The columns asked for in the order asked for, then the hidden ones.
fn scan_schema(group: &FeatureGroup, columns: &[ColumnName]) -> Result<SchemaRef, StoreError> {
    let stored = stored_schema(group)?;
    let field = |column: &ColumnName| {
        stored
            .field_with_name(column.as_str())
            .cloned()
            .map_err(|_| StoreError::UnknownColumn {
                group: group.reference().to_string(),
                column: column.to_string(),
            })
    };
    let mut fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    fields.extend(hidden_fields());
    Ok(Arc::new(Schema::new(fields)))
}

/// The columns that are read: those asked for and those of the order, in stored order.
fn read_schema(group: &FeatureGroup, columns: &[ColumnName]) -> Result<SchemaRef, StoreError> {
    let stored = stored_schema(group)?;
    let order = order_columns(group);
    let wanted =
        |name: &str| order.iter().any(|column| column == name) || columns.iter().any(|column| column.as_str() == name);
    let fields: Vec<_> = stored
        .fields()
        .iter()
        .filter(|field| wanted(field.name()))
        .cloned()
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// One file of the scan.
struct SourceFile {
    file: PartitionedFile,
    sorted: bool,
}

impl SourceFile {
    fn new(pinned: &crate::PinnedFile, path: &std::path::Path) -> Result<Self, StoreError> {
        let location = StorePath::from_absolute_path(path).map_err(|error| StoreError::File {
            path: path.to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let last_modified = chrono::DateTime::<chrono::Utc>::UNIX_EPOCH;
        let meta = ObjectMeta {
            location,
            last_modified,
            size: pinned.bytes,
            e_tag: None,
            version: None,
        };
        Ok(Self {
            file: PartitionedFile::new_from_meta(meta),
            sorted: pinned.sorted,
        })
    }
}

/// All files, merged in order.
fn merge_plan(
    group: &FeatureGroup,
    schema: &SchemaRef,
    files: Vec<SourceFile>,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let order = lex_ordering(group, schema)?;
    let (sorted, unsorted): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.sorted);
    let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
    if !sorted.is_empty() {
        let groups = sorted.into_iter().map(|file| FileGroup::new(vec![file.file])).collect();
        inputs.push(parquet_source(schema, groups, Some(order.clone()), predicate));
    }
    if !unsorted.is_empty() {
        let source = parquet_source(
            schema,
            vec![FileGroup::new(unsorted.into_iter().map(|file| file.file).collect())],
            None,
            predicate,
        );
        inputs.push(Arc::new(SortExec::new(order.clone(), source)));
    }
    let input = match inputs.pop() {
        Some(only) if inputs.is_empty() => only,
        Some(last) => {
            inputs.push(last);
            UnionExec::try_new(inputs)?
        }
        None => return datafusion::common::internal_err!("a scan of no files"),
    };
    Ok(Arc::new(SortPreservingMergeExec::new(order, input)))
}

/// One partition per group of files. With an order, each group is one file, and promises to be in it.
fn parquet_source(
    schema: &SchemaRef,
    groups: Vec<FileGroup>,
    order: Option<LexOrdering>,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
) -> Arc<dyn ExecutionPlan> {
    let mut source =
        ParquetSource::new(TableSchema::from(schema.clone())).with_table_parquet_options(parquet_options());
    if let Some(predicate) = predicate {
        source = source.with_predicate(predicate.clone()).with_pushdown_filters(true);
    }
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
        .with_file_groups(groups)
        .with_output_ordering(order.into_iter().collect())
        .with_preserve_order(true)
        .build();
    DataSourceExec::from_data_source(config)
}

fn parquet_options() -> TableParquetOptions {
    let mut options = TableParquetOptions::default();
    options.global.schema_force_view_types = false;
    options.global.pushdown_filters = false;
    options
}

fn lex_ordering(group: &FeatureGroup, schema: &Schema) -> datafusion::error::Result<LexOrdering> {
    let columns = order_columns(group);
    let exprs = columns
        .iter()
        .map(|name| {
            let column = Column::new_with_schema(name, schema)?;
            Ok(PhysicalSortExpr::new(
                Arc::new(column),
                arrow::compute::SortOptions::new(false, true),
            ))
        })
        .collect::<datafusion::error::Result<Vec<_>>>()?;
    LexOrdering::new(exprs).ok_or_else(|| datafusion::common::internal_datafusion_err!("an empty order"))
}

/// Merging takes a batch per file, which is not limited; sorting files of other writers is.
fn task_context(store: &Store, pin: &GroupPin) -> Result<TaskContext, StoreError> {
    let spill = store.spill_folder();
    if pin.files.iter().all(|file| file.sorted) {
        let config = SessionConfig::new()
            .with_batch_size(BATCH_ROWS)
            .with_target_partitions(1);
        return Ok(TaskContext::default().with_session_config(config));
    }
    std::fs::create_dir_all(&spill).map_err(file_error(&spill))?;
    spilling_context(SORT_MEMORY, 1, BATCH_ROWS, &spill).map_err(plan_error("files could not be sorted"))
}

/// What is checked while a pin is read: the order of the rows, and at the end their number.
struct ScanCheck {
    order: OrderCheck,
    group: definitions::GroupRef,
    version: i64,
    folder: std::path::PathBuf,
    /// `None`: some rows are left out on purpose.
    wanted: Option<u64>,
    found: u64,
}

impl ScanCheck {
    fn new(
        group: &FeatureGroup,
        pin: &GroupPin,
        folder: std::path::PathBuf,
        schema: &Schema,
    ) -> Result<Self, StoreError> {
        let order = OrderCheck::new(&group.reference().to_string(), schema, &order_columns(group))?;
        Ok(Self {
            order,
            group: group.reference(),
            version: pin.delta_version,
            folder,
            wanted: Some(pin.rows()),
            found: 0,
        })
    }

    fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.found += batch.num_rows() as u64;
        self.order.see(batch)
    }

    fn end(self) -> Result<(), StoreError> {
        let Some(wanted) = self.wanted.filter(|wanted| *wanted != self.found) else {
            return Ok(());
        };
        let Self {
            group,
            version,
            folder: path,
            found,
            ..
        } = self;
        Err(StoreError::PinnedFileChanged {
            group,
            version,
            path,
            unit: "rows",
            found,
            wanted,
        })
    }
}

/// Checks the order, leaves out what was not known, and gives the columns asked for.
fn finish(
    rows: SendableRecordBatchStream,
    check: ScanCheck,
    doing: String,
    schema: SchemaRef,
    as_known_at: Option<KnownAt>,
) -> impl Stream<Item = Result<RecordBatch, StoreError>> + Send {
    let step = move |(mut rows, mut check, doing, schema): (
        SendableRecordBatchStream,
        ScanCheck,
        String,
        SchemaRef,
    )| async move {
        let Some(batch) = rows.next().await else {
            check.end()?;
            return Ok(None);
        };
        let batch = batch.map_err(plan_error(&doing))?;
        check.see(&batch)?;
        let known = known_rows(&batch, as_known_at)?;
        let columns = schema
            .fields()
            .iter()
            .filter_map(|field| known.column_by_name(field.name()).cloned())
            .collect();
        let batch = RecordBatch::try_new(schema.clone(), columns)?;
        Ok(Some((batch, (rows, check, doing, schema))))
    };
    futures::stream::try_unfold((rows, check, doing, schema), step)
        .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
}

fn known_rows(batch: &RecordBatch, as_known_at: Option<KnownAt>) -> Result<RecordBatch, StoreError> {
    let (Some(time), Some(known_at)) = (as_known_at, batch.column_by_name(KNOWN_AT)) else {
        return Ok(batch.clone());
    };
    let limit = arrow::array::TimestampMicrosecondArray::from(vec![time.0]).with_timezone("UTC");
    let known = lt_eq(known_at, &arrow::array::Scalar::new(limit))?;
    Ok(filter_record_batch(batch, &known)?)
}
