//! Reading rows into the external sort: rows in any order go in, rows in total order come out.

use std::path::Path;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use definitions::FeatureGroup;

use super::feed::{Feed, sort_schema};
use super::rows::batch_rows;
use crate::StoreError;
use crate::error::{external, file_error, plan_error};
use crate::storage::{ROW_NUMBER, Sorting, sorted};

/// Batches between the reading thread and the sort.
const IN_FLIGHT: usize = 4;

/// Reads everything, and gives it back in total order. `memory` bounds what the sort holds; `spill` is where the rest goes.
pub(super) fn sorted_rows(feed: Feed, memory: u64, spill: &Path) -> Result<SendableRecordBatchStream, StoreError> {
    std::fs::create_dir_all(spill).map_err(file_error(spill))?;
    let group = feed.group.clone();
    let rows = batch_rows(feed.wanted.len());
    let schema = sort_schema(&group)?;
    let doing = format!("the rows for `{}` could not be sorted", group.reference());
    let fed = schema.clone();
    let open = move || -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(fed, IN_FLIGHT);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let send = |batch: RecordBatch| sender.blocking_send(Ok(batch)).is_ok();
            feed.run(send).map_err(external)
        });
        stream.build()
    };
    let sorting = Sorting {
        memory,
        rows,
        folder: spill,
    };
    sorted(open, &schema, ingest_order(&group), sorting).map_err(plan_error(doing))
}

/// Key, event time, declared `known_at`, and the row's number: what the total order comes to within one ingestion.
fn ingest_order(group: &FeatureGroup) -> impl Iterator<Item = &str> {
    let entity = group.entity.iter().map(|column| column.name.as_str());
    let times = [&group.event_time, &group.known_at].into_iter().flatten();
    entity.chain(times.map(|name| name.as_str())).chain([ROW_NUMBER])
}
