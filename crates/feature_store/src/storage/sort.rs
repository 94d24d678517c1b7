//! The external sort: rows in any order go in, rows in order come out, in bounded memory; what does not fit goes to disk.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{EmptyRecordBatchStream, execute_stream};

use super::spilling_context;

/// How a sort works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sorting<'a> {
    /// Bytes that it holds in memory.
    pub memory: u64,
    /// Rows of a batch that comes out.
    pub rows: usize,
    /// Where the rest goes.
    pub folder: &'a Path,
}

/// The rows of a stream, opened when it begins, in ascending order of these columns, NULLs last.
pub(crate) fn sorted<'c>(
    open: impl FnOnce() -> SendableRecordBatchStream + Send + 'static,
    schema: &SchemaRef,
    by: impl IntoIterator<Item = &'c str>,
    sorting: Sorting<'_>,
) -> datafusion::error::Result<SendableRecordBatchStream> {
    let ascending = |name| {
        let column = Arc::new(Column::new_with_schema(name, schema)?);
        Ok(PhysicalSortExpr::new(column, SortOptions::new(false, true)))
    };
    let order: Vec<_> = by
        .into_iter()
        .map(ascending)
        .collect::<datafusion::error::Result<_>>()?;
    let order =
        LexOrdering::new(order).ok_or_else(|| datafusion::common::internal_datafusion_err!("an empty order"))?;
    let input = OneShot {
        schema: schema.clone(),
        open: Mutex::new(Some(Box::new(open))),
    };
    let source = StreamingTableExec::try_new(schema.clone(), vec![Arc::new(input)], None, [], false, None)?;
    let context = spilling_context(sorting.memory, 1, sorting.rows, sorting.folder)?;
    execute_stream(Arc::new(SortExec::new(order, Arc::new(source))), Arc::new(context))
}

type Open = Box<dyn FnOnce() -> SendableRecordBatchStream + Send>;

/// A stream as the input of a plan, once.
struct OneShot {
    schema: SchemaRef,
    open: Mutex<Option<Open>>,
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
        match self.open.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(open) => open(),
            None => Box::pin(EmptyRecordBatchStream::new(self.schema.clone())),
        }
    }
}
