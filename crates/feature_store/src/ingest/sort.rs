//! The external sort: rows in any order go in, rows in total order come out, in bounded memory; what does not fit goes to disk.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use definitions::FeatureGroup;

use super::feed::{Feed, sort_schema};
use super::rows::batch_rows;
use crate::StoreError;
use crate::error::{external, file_error, plan_error};
use crate::storage::{ROW_NUMBER, spilling_context};

/// Batches between the reading thread and the sort.
const IN_FLIGHT: usize = 4;

/// Reads everything, and gives it back in total order. `memory` bounds what the sort holds; `spill` is where the rest goes.
pub(super) fn sorted_rows(feed: Feed, memory: u64, spill: &Path) -> Result<SendableRecordBatchStream, StoreError> {
    std::fs::create_dir_all(spill).map_err(file_error(spill))?;
    let group = feed.group.clone();
    let rows = batch_rows(feed.wanted.len());
    let schema = sort_schema(&group)?;
    let doing = format!("the rows for `{}` could not be sorted", group.reference());
    let input = OneShot {
        schema: schema.clone(),
        feed: Mutex::new(Some(feed)),
    };
    let build = || {
        let source = StreamingTableExec::try_new(schema.clone(), vec![Arc::new(input)], None, [], false, None)?;
        let sort = Arc::new(SortExec::new(ingest_ordering(&group, &schema)?, Arc::new(source)));
        execute_stream(sort, Arc::new(spilling_context(memory, 1, rows, spill)?))
    };
    build().map_err(plan_error(doing))
}

/// Key, event time, declared `known_at`, and the row's number: what the total order comes to within one ingestion.
fn ingest_ordering(group: &FeatureGroup, schema: &Schema) -> datafusion::error::Result<LexOrdering> {
    let entity = group.entity.iter().map(|column| column.name.as_str());
    let times = [&group.event_time, &group.known_at]
        .into_iter()
        .flatten()
        .map(|name| name.as_str());
    let exprs = entity
        .chain(times)
        .chain([ROW_NUMBER])
        .map(|name| {
            let column = Arc::new(Column::new_with_schema(name, schema)?);
            Ok(PhysicalSortExpr::new(column, SortOptions::new(false, true)))
        })
        .collect::<datafusion::error::Result<Vec<_>>>()?;
    LexOrdering::new(exprs).ok_or_else(|| datafusion::common::internal_datafusion_err!("an empty order"))
}

/// The rows of a feed, once.
struct OneShot {
    schema: SchemaRef,
    feed: Mutex<Option<Feed>>,
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
        let feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut stream = RecordBatchReceiverStream::builder(self.schema.clone(), IN_FLIGHT);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let Some(feed) = feed else { return Ok(()) };
            let send = |batch: RecordBatch| sender.blocking_send(Ok(batch)).is_ok();
            feed.run(send).map_err(external)
        });
        stream.build()
    }
}
