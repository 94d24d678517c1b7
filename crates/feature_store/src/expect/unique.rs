//! Whether any value of a column comes twice: the values are written aside, sorted on disk, and looked at side by side.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{SortOptions, filter_record_batch, is_not_null};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Finding;
use super::sequence::shown;
use crate::StoreError;
use crate::error::{external, file_error, parquet_error, plan_error};
use crate::scan::order::{comparators, compare};
use crate::storage::{Spool, spilling_context};

/// Rows per batch of the sort.
const BATCH_ROWS: usize = 8192;
/// Batches between the reading thread and the sort.
const IN_FLIGHT: usize = 4;
const VALUE: &str = "value";

/// The values of a column, on their way to a file.
pub(super) struct Unique {
    column: usize,
    name: String,
    folder: PathBuf,
    schema: Option<SchemaRef>,
    spool: Spool,
}

impl Unique {
    /// For a column by its place and name; its values go to a file in this folder.
    pub(super) fn new(column: usize, name: String, folder: PathBuf) -> Self {
        let path = folder.join(format!("unique-{}.parquet", uuid::Uuid::new_v4()));
        Self {
            column,
            name,
            folder,
            schema: None,
            spool: Spool::new(path),
        }
    }

    /// Takes in rows.
    pub(super) fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let values = batch.column(self.column);
        let schema = self.schema.get_or_insert_with(|| {
            let field = Field::new(VALUE, values.data_type().clone(), true);
            Arc::new(Schema::new(vec![field]))
        });
        let column = RecordBatch::try_new(schema.clone(), vec![values.clone()])?;
        self.spool.write(&filter_record_batch(&column, &is_not_null(values)?)?)
    }

    /// What speaks against it; the sort holds so many bytes in memory.
    pub(super) async fn finish(mut self, memory: u64) -> Result<Option<Finding>, StoreError> {
        let (Some(path), Some(schema)) = (self.spool.finish()?, self.schema.clone()) else {
            return Ok(None);
        };
        let failed = || plan_error(format!("the values of `{}` could not be sorted", self.name));
        let mut sorted = self.sorted(path, schema, memory).map_err(failed())?;
        let mut pass = Pass::default();
        while let Some(batch) = sorted.try_next().await.map_err(failed())? {
            pass.see(batch.column(0))?;
        }
        let Some(first) = pass.first else { return Ok(None) };
        let found = match pass.repeated {
            1 => format!("found `{first}` more than once"),
            more => format!("found {more} values more than once, such as `{first}`"),
        };
        Ok(Some(Finding {
            found: format!("`{}` is not unique: wanted every value once, {found}", self.name),
            instead: None,
        }))
    }

    fn sorted(
        &self,
        path: PathBuf,
        schema: SchemaRef,
        memory: u64,
    ) -> datafusion::error::Result<SendableRecordBatchStream> {
        let values = StoredValues {
            schema: schema.clone(),
            path,
        };
        let source = StreamingTableExec::try_new(schema.clone(), vec![Arc::new(values)], None, [], false, None)?;
        let column = Arc::new(Column::new_with_schema(VALUE, &schema)?);
        let order = LexOrdering::new([PhysicalSortExpr::new(column, SortOptions::new(false, true))])
            .ok_or_else(|| datafusion::common::internal_datafusion_err!("an empty order"))?;
        let sort = Arc::new(SortExec::new(order, Arc::new(source)));
        execute_stream(sort, Arc::new(spilling_context(memory, 1, BATCH_ROWS, &self.folder)?))
    }
}

/// Looks at sorted values.
#[derive(Default)]
struct Pass {
    last: Option<ArrayRef>,
    /// Whether the last value has been counted.
    is_counted: bool,
    repeated: u64,
    first: Option<String>,
}

impl Pass {
    fn see(&mut self, values: &ArrayRef) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let within = comparators(std::slice::from_ref(values), std::slice::from_ref(values))?;
        for row in 0..values.len() {
            let is_same = match (row, &self.last) {
                (0, Some(last)) => compare(
                    &comparators(std::slice::from_ref(last), std::slice::from_ref(values))?,
                    0,
                    0,
                )
                .is_eq(),
                (0, None) => false,
                _ => compare(&within, row - 1, row).is_eq(),
            };
            if is_same && !self.is_counted {
                self.repeated += 1;
                if self.first.is_none() {
                    self.first = Some(shown(values, row)?);
                }
            }
            self.is_counted = is_same;
        }
        self.last = Some(values.slice(values.len() - 1, 1));
        Ok(())
    }
}

/// The values in the file.
#[derive(Debug)]
struct StoredValues {
    schema: SchemaRef,
    path: PathBuf,
}

impl PartitionStream for StoredValues {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let path = self.path.clone();
        let mut stream = RecordBatchReceiverStream::builder(self.schema.clone(), IN_FLIGHT);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let read = || -> Result<(), StoreError> {
                let file = File::open(&path).map_err(file_error(&path))?;
                for batch in ParquetRecordBatchReaderBuilder::try_new(file)
                    .map_err(parquet_error(&path))?
                    .with_batch_size(BATCH_ROWS)
                    .build()
                    .map_err(parquet_error(&path))?
                {
                    if sender.blocking_send(Ok(batch?)).is_err() {
                        return Ok(());
                    }
                }
                Ok(())
            };
            read().map_err(external)
        });
        stream.build()
    }
}
