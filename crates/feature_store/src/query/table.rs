//! A feature group as a table that DataFusion can ask.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use definitions::{ColumnName, FeatureGroup, IngestMode};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::removed::{Readable, readable, rows_upto};
use super::superseded::Superseded;
use crate::error::external;
use crate::periods::{Periods, with_period_fields};
use crate::storage::stored_schema;
use crate::{PinAt, Store, StoreError, scan_group};

/// Which rows and columns are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visible {
    /// Rows that count, declared columns.
    Counting,
    /// Every row, hidden columns too.
    All,
    /// Every revision of a row, declared columns, with its period of validity.
    Periods,
}

/// A group at a version.
#[derive(Debug, Clone)]
pub(super) struct GroupTable {
    store: Store,
    group: FeatureGroup,
    at: PinAt,
    visible: Visible,
    schema: SchemaRef,
}

impl GroupTable {
    pub(super) fn new(store: &Store, group: &FeatureGroup, at: PinAt, visible: Visible) -> Result<Self, StoreError> {
        let stored = stored_schema(group)?;
        let declared = stored
            .fields()
            .iter()
            .filter(|field| visible == Visible::All || !field.name().starts_with("__"));
        let mut schema = Arc::new(Schema::new(declared.cloned().collect::<Vec<_>>()));
        if visible == Visible::Periods {
            schema = with_period_fields(&schema);
        }
        Ok(Self {
            store: store.clone(),
            group: group.clone(),
            at,
            visible,
            schema,
        })
    }
}

#[async_trait]
impl TableProvider for GroupTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = readable(&self.store, &self.group, self.at).await.map_err(external)?;
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => self.schema.clone(),
        };
        let rows = GroupRows {
            table: self.clone(),
            rows,
            schema: schema.clone(),
        };
        Ok(Arc::new(StreamingTableExec::try_new(
            schema,
            vec![Arc::new(rows)],
            None,
            [],
            false,
            limit,
        )?))
    }
}

/// The rows of a pinned group, as asked for.
#[derive(Debug)]
struct GroupRows {
    table: GroupTable,
    rows: Readable,
    schema: SchemaRef,
}

impl PartitionStream for GroupRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, from, schema) = (self.table.clone(), self.rows.clone(), self.schema.clone());
        let asked_for = schema.clone();
        let rows = async move {
            let identity = table.identity();
            let scan = scan_group(
                &table.store,
                &table.group,
                &from.pin,
                &table.columns(&asked_for, &identity),
                None,
            )
            .await?;
            let scan = match from.upto {
                Some(last) => rows_upto(scan, last),
                None => scan,
            };
            Ok::<_, StoreError>(table.visible_rows(scan, &identity, asked_for))
        };
        let rows = futures::stream::once(rows).try_flatten().map_err(external);
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }
}

impl GroupTable {
    /// The columns that tell rows apart, where some of them may not count; none where all do.
    fn identity(&self) -> Vec<ColumnName> {
        if self.visible == Visible::All || self.group.mode == IngestMode::Append {
            return Vec::new();
        }
        let keys = self.group.entity.iter().map(|column| column.name.clone());
        keys.chain(self.group.event_time.clone()).collect()
    }

    fn columns(&self, schema: &Schema, identity: &[ColumnName]) -> Vec<ColumnName> {
        let stored = self.group.stored_columns();
        let wanted = |name: &ColumnName| schema.field_with_name(name.as_str()).is_ok() || identity.contains(name);
        stored.into_iter().map(|(name, _)| name).filter(wanted).collect()
    }

    fn visible_rows(
        &self,
        scan: crate::GroupScan,
        identity: &[ColumnName],
        schema: SchemaRef,
    ) -> BoxStream<'static, Result<RecordBatch, StoreError>> {
        let found = match self.visible {
            Visible::Periods => with_period_fields(&scan.schema),
            Visible::Counting | Visible::All => scan.schema.clone(),
        };
        let places = |name: &String| found.index_of(name).ok();
        let asked_for: Vec<usize> = schema
            .fields()
            .iter()
            .filter_map(|field| places(field.name()))
            .collect();
        let key: Vec<usize> = identity.iter().filter_map(|name| places(&name.to_string())).collect();
        let project = move |batch: RecordBatch| -> Result<RecordBatch, StoreError> {
            let columns = batch.project(&asked_for)?.columns().to_vec();
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
        };
        if self.visible == Visible::Periods {
            return with_periods(scan, key.len(), project).boxed();
        }
        let superseded = (!key.is_empty()).then(|| Superseded::new(key));
        let step = |(mut rows, mut superseded): (_, Option<Superseded>)| async move {
            let next: Option<Result<RecordBatch, StoreError>> = futures::StreamExt::next(&mut rows).await;
            let out: Vec<RecordBatch> = match (next.transpose()?, &mut superseded) {
                (Some(batch), Some(superseded)) => superseded.push(&batch)?,
                (Some(batch), None) => vec![batch],
                (None, Some(last)) => match last.finish() {
                    Some(batch) => vec![batch],
                    None => return Ok::<_, StoreError>(None),
                },
                (None, None) => return Ok(None),
            };
            Ok(Some((
                futures::stream::iter(out.into_iter().map(Ok)),
                (rows, superseded),
            )))
        };
        futures::stream::try_unfold((scan.batches.fuse(), superseded), step)
            .try_flatten()
            .and_then(move |batch| std::future::ready(project(batch)))
            .boxed()
    }
}

/// Rows with their periods, whose first columns are key and event time.
fn with_periods(
    scan: crate::GroupScan,
    identity: usize,
    project: impl Fn(RecordBatch) -> Result<RecordBatch, StoreError> + Send + 'static,
) -> impl futures::Stream<Item = Result<RecordBatch, StoreError>> + Send {
    let step = |(mut rows, mut periods, is_done): (BoxStream<'static, _>, Periods, bool)| async move {
        if is_done {
            return Ok::<_, StoreError>(None);
        }
        let next: Option<Result<RecordBatch, StoreError>> = futures::StreamExt::next(&mut rows).await;
        let (out, is_done) = match next.transpose()? {
            Some(batch) => (periods.push(&batch)?, false),
            None => (periods.finish()?, true),
        };
        Ok(Some((
            futures::stream::iter(out.into_iter().map(Ok)),
            (rows, periods, is_done),
        )))
    };
    futures::stream::try_unfold((scan.batches, Periods::new(identity), false), step)
        .try_flatten()
        .and_then(move |batch| std::future::ready(project(batch)))
}
