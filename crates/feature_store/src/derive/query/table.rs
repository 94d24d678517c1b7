//! A source as a table that the engine can ask: its rows that count, with event times in a span.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use definitions::{ColumnName, FeatureGroup};
use futures::{StreamExt, TryStreamExt};

use super::super::rows::{Rows, current_rows, read_columns};
use super::super::source::Source;
use super::super::touched::Span;
use crate::error::external;
use crate::storage::Store;
use crate::{GroupPin, StoreError, group_schema};

/// A source's rows in a span.
#[derive(Clone)]
pub(super) struct SourceTable {
    store: Store,
    group: FeatureGroup,
    pin: GroupPin,
    span: Span,
    schema: SchemaRef,
}

impl SourceTable {
    pub fn new(store: &Store, source: &Source, span: Span) -> Result<Self, StoreError> {
        Ok(Self {
            store: store.clone(),
            group: source.group.clone(),
            pin: source.pin.clone(),
            span,
            schema: group_schema(&source.group)?,
        })
    }

    /// These columns of the rows.
    async fn rows(self) -> Result<Rows, StoreError> {
        let schema = self.schema.clone();
        let stored = self.group.stored_columns().into_iter().map(|(name, _)| name);
        let wanted: Vec<ColumnName> = stored
            .filter(|name| schema.field_with_name(name.as_str()).is_ok())
            .collect();
        let columns = read_columns(&self.group, &wanted);
        let rows = current_rows(&self.store, &self.group, &self.pin, &columns, self.span.begin()).await?;
        let event_time = self.group.event_time.as_ref().map(ToString::to_string);
        let last = self.span.last;
        let cut = move |batch: RecordBatch| {
            let times = event_time.as_ref().and_then(|name| batch.column_by_name(name));
            let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
            let batch = match times.filter(|_| last < i64::MAX) {
                Some(times) => {
                    let within = times.values().iter().map(|time| Some(*time <= last)).collect();
                    filter_record_batch(&batch, &within)?
                }
                None => batch.clone(),
            };
            let places = schema
                .fields()
                .iter()
                .map(|field| batch.schema().index_of(field.name()));
            let batch = batch.project(&places.collect::<Result<Vec<_>, _>>()?)?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(
                schema.clone(),
                batch.columns().to_vec(),
                &options,
            )?)
        };
        Ok(rows.and_then(move |batch| std::future::ready(cut(batch))).boxed())
    }
}

impl fmt::Debug for SourceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.group.reference(), self.span)
    }
}

#[async_trait]
impl TableProvider for SourceTable {
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
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => self.schema.clone(),
        };
        let rows = Self {
            schema: schema.clone(),
            ..self.clone()
        };
        let plan = StreamingTableExec::try_new(schema, vec![Arc::new(rows)], None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

impl PartitionStream for SourceTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = futures::stream::once(self.clone().rows()).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            rows.map_err(external),
        ))
    }
}
