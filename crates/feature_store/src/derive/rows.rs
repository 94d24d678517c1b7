//! The rows of a source that count now, in total order: superseded ones are left out, and so are rows that are never known.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{filter_record_batch, is_not_null};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::scalar::ScalarValue;
use definitions::{ColumnName, FeatureGroup, IngestMode};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use crate::query::superseded::Superseded;
use crate::scan::scan_where;
use crate::storage::{INGEST_ID, arrow_type};
use crate::{GroupPin, Store, StoreError, scan_group};

/// A stream of rows.
pub(super) type Rows = BoxStream<'static, Result<RecordBatch, StoreError>>;

/// The columns of a source that are read: its key, its event time, its declared `known_at`, then these.
pub(super) fn read_columns(source: &FeatureGroup, columns: &[ColumnName]) -> Vec<ColumnName> {
    let mut read: Vec<ColumnName> = source.entity.iter().map(|entity| entity.name.clone()).collect();
    read.extend([&source.event_time, &source.known_at].into_iter().flatten().cloned());
    for column in columns {
        if !read.contains(column) {
            read.push(column.clone());
        }
    }
    read
}

/// The rows of a pinned source that are ever known, superseded ones too, not before `from`, if it is given; with these columns and the hidden
/// ones.
pub(super) async fn known_rows(
    store: &Store,
    source: &FeatureGroup,
    pin: &GroupPin,
    columns: &[ColumnName],
    from: Option<i64>,
) -> Result<Rows, StoreError> {
    let scan = match (from, &source.event_time) {
        (Some(from), Some(event_time)) => {
            let at_least = |schema: &Schema| at_least(schema, event_time.as_str(), time_value(from));
            scan_where(store, source, pin, columns, at_least).await?
        }
        _ => scan_group(store, source, pin, columns, None).await?,
    };
    let known_at = source.known_at.as_ref().map(ToString::to_string);
    let known = scan
        .batches
        .and_then(move |batch| std::future::ready(ever_known(batch, known_at.as_deref())));
    Ok(known.boxed())
}

/// As [`known_rows`], without superseded ones.
pub(super) async fn current_rows(
    store: &Store,
    source: &FeatureGroup,
    pin: &GroupPin,
    columns: &[ColumnName],
    from: Option<i64>,
) -> Result<Rows, StoreError> {
    let known = known_rows(store, source, pin, columns, from).await?;
    if source.mode == IngestMode::Append {
        return Ok(known);
    }
    // The key and the event time are read first.
    let identity = (0..source.entity.len() + usize::from(source.event_time.is_some())).collect();
    let state = (known, Some(Superseded::new(identity)));
    let counting =
        futures::stream::try_unfold(state, |(mut rows, superseded): (Rows, Option<Superseded>)| async move {
            let Some(mut superseded) = superseded else {
                return Ok::<_, StoreError>(None);
            };
            match rows.try_next().await? {
                Some(batch) => Ok(Some((superseded.push(&batch)?, (rows, Some(superseded))))),
                None => Ok(Some((superseded.finish().into_iter().collect(), (rows, None)))),
            }
        });
    Ok(counting
        .map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok)))
        .try_flatten()
        .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
        .boxed())
}

/// All rows of a pinned source that ingestions after this one brought, superseded or not; key, event time and hidden columns.
pub(super) async fn rows_after(
    store: &Store,
    source: &FeatureGroup,
    pin: &GroupPin,
    ingest_id: i64,
) -> Result<Rows, StoreError> {
    let after = |schema: &Schema| at_least(schema, INGEST_ID, ScalarValue::Int64(Some(ingest_id.saturating_add(1))));
    let scan = scan_where(store, source, pin, &read_columns(source, &[]), after).await?;
    Ok(scan.batches)
}

/// Rows whose declared `known_at` is NULL are never known.
fn ever_known(batch: RecordBatch, known_at: Option<&str>) -> Result<RecordBatch, StoreError> {
    let known = known_at.and_then(|name| batch.column_by_name(name));
    match known.filter(|known| known.null_count() > 0) {
        Some(known) => Ok(filter_record_batch(&batch, &is_not_null(known)?)?),
        None => Ok(batch),
    }
}

fn time_value(micros: i64) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
}

fn at_least(schema: &Schema, column: &str, value: ScalarValue) -> datafusion::error::Result<Arc<dyn PhysicalExpr>> {
    let column = Arc::new(Column::new_with_schema(column, schema)?);
    Ok(Arc::new(BinaryExpr::new(
        column,
        Operator::GtEq,
        Arc::new(Literal::new(value)),
    )))
}

/// The encoding of a source's keys, in which their order is that of their bytes.
pub(super) fn key_converter(source: &FeatureGroup) -> Result<RowConverter, StoreError> {
    let field = |entity: &definitions::EntityColumn| SortField::new(arrow_type(entity.data_type));
    Ok(RowConverter::new(source.entity.iter().map(field).collect())?)
}

/// The columns of the key, which come first.
pub(super) fn key_columns(batch: &RecordBatch, source: &FeatureGroup) -> Vec<ArrayRef> {
    batch.columns().iter().take(source.entity.len()).cloned().collect()
}
