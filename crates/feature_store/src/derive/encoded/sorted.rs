//! Sorting rows on their way, on disk where they do not fit into memory.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};

use super::super::rows::Rows;
use crate::StoreError;
use crate::error::{external, plan_error};
use crate::storage::spilling_context;

/// Rows per batch of the sorts.
const BATCH_ROWS: usize = 8192;

/// How the sorts work.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Sorting<'a> {
    /// Bytes that they hold in memory, all together.
    pub memory: u64,
    /// Where the rest goes.
    pub folder: &'a Path,
}

/// The same rows, in the order of these columns.
pub(super) fn sorted(rows: Rows, schema: &SchemaRef, by: &[&str], sorting: Sorting<'_>) -> Result<Rows, StoreError> {
    let failed = || plan_error("the rows for target encodings could not be sorted");
    let input = OneShot {
        schema: schema.clone(),
        rows: Mutex::new(Some(rows)),
    };
    let build = || {
        let ascending = |name: &&str| {
            let column = Arc::new(Column::new_with_schema(name, schema)?);
            Ok(PhysicalSortExpr::new(column, SortOptions::new(false, true)))
        };
        let order: Vec<_> = by.iter().map(ascending).collect::<datafusion::error::Result<_>>()?;
        let order =
            LexOrdering::new(order).ok_or_else(|| datafusion::common::internal_datafusion_err!("an empty order"))?;
        let source = StreamingTableExec::try_new(schema.clone(), vec![Arc::new(input)], None, [], false, None)?;
        let context = spilling_context(sorting.memory, 1, BATCH_ROWS, sorting.folder)?;
        execute_stream(Arc::new(SortExec::new(order, Arc::new(source))), Arc::new(context))
    };
    Ok(build().map_err(failed())?.map_err(move |error| failed()(error)).boxed())
}

/// A stream of rows as the input of a plan, once.
struct OneShot {
    schema: SchemaRef,
    rows: Mutex<Option<Rows>>,
}

impl fmt::Debug for OneShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneShot")
    }
}

impl PartitionStream for OneShot {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rows = rows.unwrap_or_else(|| futures::stream::empty().boxed());
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            rows.map_err(external),
        ))
    }
}
