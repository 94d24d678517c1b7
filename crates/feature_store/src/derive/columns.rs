//! From a stretch of source rows to rows of the derived group.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{cast, filter_record_batch, take};
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType};
use definitions::FeatureGroup;

use super::encoded::{ENCODED_KNOWN_AT, encoded_name};
use super::features::{Features, Output};
use super::kernel::{Operand, OrderedRows, compute_features};
use super::latest::latest_known;
use super::stretch::Stretch;
use crate::storage::{INGEST_ID, KNOWN_AT, ROW_NUMBER, stored_schema, utc_micros};
use crate::{StoreError, group_schema};

/// What turns stretches into rows.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    group: FeatureGroup,
    /// The first source's declared `known_at`.
    known_at: Option<String>,
    features: Features,
    observed_until: i64,
    schema: SchemaRef,
    threads: NonZeroUsize,
}

impl Columns {
    pub fn new(
        group: &FeatureGroup,
        source: &FeatureGroup,
        features: Features,
        observed_until: i64,
        threads: NonZeroUsize,
    ) -> Result<Self, StoreError> {
        group_schema(group)?;
        Ok(Self {
            group: group.clone(),
            known_at: source.known_at.as_ref().map(ToString::to_string),
            features,
            observed_until,
            schema: stored_schema(group)?,
            threads,
        })
    }

    /// The derived rows of a stretch, with all columns of the table; the ingestion's number is not known yet, so it is 0, and so are
    /// the rows' numbers.
    pub fn of(&self, stretch: &Stretch) -> Result<RecordBatch, StoreError> {
        let rows = &stretch.rows;
        let named = |name: &str| column(rows, name);
        let inputs = self
            .features
            .columns
            .iter()
            .map(|name| named(name.as_str()))
            .collect::<Result<Vec<_>, _>>()?;
        let ordered = OrderedRows {
            times: &stretch.times,
            columns: &inputs,
            segments: &stretch.segments,
            observed_until: self.observed_until,
        };
        let computed = compute_features(&self.features.computations, &ordered, self.threads)?;
        let asked = |column: &ArrayRef| take(column.as_ref(), &stretch.asked, None);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for place in 0..=self.group.entity.len() {
            let column = rows.columns().get(place).ok_or_else(|| missing(place))?;
            columns.push(asked(column)?);
        }
        if self.group.known_at.is_some() {
            let declared = self.known_at.as_deref().unwrap_or_default();
            columns.push(self.latest(stretch, &named(declared)?)?);
        }
        for output in &self.features.outputs {
            columns.push(match output {
                Output::Of(Operand::Column(place)) => asked(inputs.get(*place).ok_or_else(|| missing(*place))?)?,
                Output::Of(Operand::Computed(place)) => computed.get(*place).ok_or_else(|| missing(*place))?.clone(),
                Output::Encoded(place) => asked(&named(&encoded_name(*place))?)?,
            });
        }
        let mut known = self.latest(stretch, &named(KNOWN_AT)?)?;
        if let Some(encoded) = rows.column_by_name(ENCODED_KNOWN_AT) {
            known = later(&known, &asked(encoded)?)?;
        }
        columns.push(known);
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; stretch.asked.len()]));
        columns.extend([zeros.clone(), zeros]);
        let fitting = columns
            .into_iter()
            .zip(self.schema.fields())
            .map(|(column, field)| fit(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), fitting)?;
        Ok(filter_record_batch(&batch, &stretch.written)?)
    }

    /// The latest time of the rows that each asked row is made of.
    fn latest(&self, stretch: &Stretch, known: &ArrayRef) -> Result<ArrayRef, StoreError> {
        let known = cast(known, &utc_micros())?;
        let known = known.as_primitive::<TimestampMicrosecondType>();
        let latest = latest_known(
            &stretch.times,
            known.values(),
            &stretch.segments,
            &self.features.frames(),
        );
        Ok(Arc::new(TimestampMicrosecondArray::from(latest).with_timezone("UTC")))
    }
}

/// The later one of two times, row by row.
fn later(known: &ArrayRef, other: &ArrayRef) -> Result<ArrayRef, StoreError> {
    let (one, two) = (
        known.as_primitive::<TimestampMicrosecondType>(),
        other.as_primitive::<Int64Type>(),
    );
    let later: TimestampMicrosecondArray = arrow::compute::binary(one, two, i64::max)?;
    Ok(Arc::new(later.with_timezone("UTC")))
}

/// Gives rows the number of their materialisation, and their own, which begin at this one.
pub(super) fn numbered(rows: &RecordBatch, ingest_id: i64, first: i64) -> Result<RecordBatch, StoreError> {
    let count = i64::try_from(rows.num_rows()).unwrap_or(i64::MAX);
    let columns = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| -> ArrayRef {
            match field.name().as_str() {
                INGEST_ID => Arc::new(Int64Array::from(vec![ingest_id; rows.num_rows()])),
                ROW_NUMBER => Arc::new((first..first.saturating_add(count)).collect::<Int64Array>()),
                _ => column.clone(),
            }
        })
        .collect();
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

fn fit(column: ArrayRef, wanted: &DataType) -> Result<ArrayRef, StoreError> {
    if column.data_type() == wanted {
        return Ok(column);
    }
    Ok(cast(&column, wanted)?)
}

fn column(rows: &RecordBatch, name: &str) -> Result<ArrayRef, StoreError> {
    rows.column_by_name(name)
        .cloned()
        .ok_or_else(|| StoreError::UnknownColumn {
            group: "the rows that features are computed from".to_owned(),
            column: name.to_owned(),
        })
}

fn missing(place: usize) -> StoreError {
    StoreError::UnknownColumn {
        group: "the rows that features are computed from".to_owned(),
        column: place.to_string(),
    }
}
