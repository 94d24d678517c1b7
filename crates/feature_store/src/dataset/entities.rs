//! Features for entities that have no label: what a model is asked about, joined by the code that made its training data.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType as ArrowType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use definitions::{ColumnName, DataType, FeatureGroup, FeatureView, GroupRef};
use futures::TryStreamExt;

use super::build::{JoinRun, Means, Sources, assemble, context_of};
use super::manifest::JoinReport;
use super::plan::Plan;
use super::spine::Spine;
use crate::error::plan_error;
use crate::fingerprint::declared_type;
use crate::{StoreError, arrow_type};

/// The features of some entities at some times.
#[derive(Debug, Clone)]
pub struct EntityFeatures {
    /// The view's features and helpers, in the dataset's order and under its names: a batch for each one that was given, a row for
    /// each of its rows.
    pub batches: Vec<RecordBatch>,
    /// What became of the rows in each join.
    pub joins: Vec<JoinReport>,
}

/// The columns that entities must have to be joined to a view's features: those that the joins compare, then the event time.
///
/// # Errors
/// When the view does not fit its groups.
pub fn entity_columns(
    view: &FeatureView,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
) -> Result<Vec<(ColumnName, DataType)>, StoreError> {
    Ok(wanted(&Plan::new(view, groups, None)?))
}

fn wanted(plan: &Plan) -> Vec<(ColumnName, DataType)> {
    let mut wanted: Vec<(ColumnName, DataType)> = Vec::new();
    let compared = plan
        .joins
        .iter()
        .flat_map(|join| &join.keys)
        .map(|pair| (pair.spine.clone(), pair.data_type));
    let time = plan
        .resolved
        .event_time()
        .map(|column| (column.column.clone(), DataType::Timestamp));
    for column in compared.chain(time) {
        if !wanted.contains(&column) {
            wanted.push(column);
        }
    }
    wanted
}

/// Joins a view's features to entities, in their order.
pub(crate) async fn join(
    plan: &Plan,
    entities: &[RecordBatch],
    sources: Sources<'_>,
    means: Means,
) -> Result<EntityFeatures, StoreError> {
    let wanted = wanted(plan);
    let chunks = entities
        .iter()
        .map(|batch| checked(batch, &wanted))
        .collect::<Result<Vec<_>, _>>()?;
    let spine = Spine::new(&plan.spine, chunks)?;
    let schema = feature_schema(plan);
    let run = JoinRun::new(plan, &spine, sources, context_of(sources, means)?)?;
    let mut stretches = run.rows()?;
    let mut all = Vec::new();
    while let Some(joined) = stretches
        .try_next()
        .await
        .map_err(plan_error("the features could not be joined"))?
    {
        let values = joined.columns().get(spine.width()..).unwrap_or_default();
        all.push(assemble(&schema, Vec::new(), values)?);
    }
    let all = concat_batches(&schema, &all)?;
    let mut from = 0;
    let cut = |batch: &RecordBatch| {
        from += batch.num_rows();
        all.slice(from - batch.num_rows(), batch.num_rows())
    };
    Ok(EntityFeatures {
        batches: entities.iter().map(cut).collect(),
        joins: run.reports(plan, spine.rows() as u64)?,
    })
}

fn feature_schema(plan: &Plan) -> SchemaRef {
    let joined = plan.resolved.columns.iter().filter(|column| column.selection.is_some());
    let field =
        |column: &definitions::ResolvedColumn| Field::new(column.name.as_str(), arrow_type(column.data_type), true);
    Arc::new(Schema::new(joined.map(field).collect::<Vec<_>>()))
}

/// The wanted columns of a batch, with the wanted types.
fn checked(batch: &RecordBatch, wanted: &[(ColumnName, DataType)]) -> Result<RecordBatch, StoreError> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (name, data_type) in wanted {
        let refused = |found: String| StoreError::EntityColumn {
            column: name.to_string(),
            wanted: data_type.word(),
            found,
        };
        let array = batch
            .column_by_name(name.as_str())
            .ok_or_else(|| refused("no such column".to_owned()))?;
        let typed = as_declared(array, *data_type)?.ok_or_else(|| refused(array.data_type().to_string()))?;
        if *data_type == DataType::Timestamp && typed.null_count() > 0 {
            return Err(refused(format!("{} rows without a time", typed.null_count())));
        }
        fields.push(Field::new(name.as_str(), typed.data_type().clone(), true));
        columns.push(typed);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The same values as the declared type; `None` where the type is another one, or a time is finer than a microsecond.
fn as_declared(array: &ArrayRef, data_type: DataType) -> Result<Option<ArrayRef>, StoreError> {
    let to = arrow_type(data_type);
    if declared_type(array.data_type()) == Some(data_type) {
        return Ok(Some(cast(array, &to)?));
    }
    match array.data_type() {
        ArrowType::Timestamp(unit, Some(_)) if data_type == DataType::Timestamp => {
            let whole = *unit != TimeUnit::Nanosecond || {
                let nanos = cast(array, &ArrowType::Int64)?;
                nanos
                    .as_primitive::<Int64Type>()
                    .iter()
                    .flatten()
                    .all(|nanos| nanos % 1_000 == 0)
            };
            Ok(if whole { Some(cast(array, &to)?) } else { None })
        }
        _ => Ok(None),
    }
}
