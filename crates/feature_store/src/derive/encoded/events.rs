//! What rows tell and ask, as events that can be sorted by time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Float64Array, Float64Builder, Int8Array, Int64Array,
    Int64Builder, RecordBatch,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use definitions::{ColumnName, FeatureGroup};
use futures::{StreamExt, TryStreamExt};

use super::super::rows::Rows;
use super::{Encoding, KNOWN, PLACE, column};
use crate::StoreError;
use crate::storage::{KNOWN_AT, utc_micros};

pub(super) const AT: &str = "at";
pub(super) const KIND: &str = "kind";
pub(super) const CATEGORY: &str = "category";
pub(super) const LABEL: &str = "label";

/// Something that became known: a label, or that there is none.
const TOLD: i8 = 0;
/// A row that asks.
pub(super) const ASKED: i8 = 1;

pub(super) fn event_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(AT, DataType::Int64, false),
        Field::new(KIND, DataType::Int8, false),
        Field::new(PLACE, DataType::Int64, false),
        Field::new(CATEGORY, DataType::Binary, true),
        Field::new(LABEL, DataType::Float64, true),
        Field::new(KNOWN, DataType::Int64, true),
    ]))
}

/// What rows tell and ask.
pub(super) fn events(rows: Rows, group: &FeatureGroup, encoding: &Encoding) -> Rows {
    let (group, encoding) = (group.clone(), encoding.clone());
    let mut first = 0;
    let of_batch = move |batch: RecordBatch| {
        let events = events_of(&batch, &group, &encoding, first);
        first += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        std::future::ready(events)
    };
    rows.and_then(of_batch).boxed()
}

/// The events of rows, the first of which has this place.
fn events_of(
    rows: &RecordBatch,
    group: &FeatureGroup,
    encoding: &Encoding,
    first: i64,
) -> Result<RecordBatch, StoreError> {
    let micros = |name: &str| {
        let column = cast(&column(rows, name)?, &utc_micros())?;
        Ok::<_, StoreError>(column.as_primitive::<TimestampMicrosecondType>().clone())
    };
    let times = micros(group.event_time.as_ref().map_or("", ColumnName::as_str))?;
    let known = micros(KNOWN_AT)?;
    let declared = group.known_at.as_ref().map(|name| micros(name.as_str())).transpose()?;
    let labels = cast(&column(rows, encoding.label.as_str())?, &DataType::Float64)?;
    let labels = labels.as_primitive::<Float64Type>();
    let categories = categories(&column(rows, encoding.category.as_str())?)?;
    let mut events = Events::default();
    for row in 0..rows.num_rows() {
        let (time, place) = (times.value(row), first.saturating_add(row as i64));
        let category = categories.is_valid(row).then(|| categories.value(row));
        let label = labels.is_valid(row).then(|| labels.value(row));
        let over = time.saturating_add(encoding.over_after());
        let counts_from = over.max(declared.as_ref().map_or(i64::MIN, |declared| declared.value(row)));
        let known = Some(known.value(row));
        if counts_from > over {
            events.push(
                over,
                TOLD,
                place,
                &Event {
                    known,
                    ..Event::default()
                },
            );
        }
        events.push(counts_from, TOLD, place, &Event { category, label, known });
        events.push(
            time,
            ASKED,
            place,
            &Event {
                category,
                ..Event::default()
            },
        );
    }
    events.finish()
}

/// Categories as bytes, equal where they are.
fn categories(column: &ArrayRef) -> Result<BinaryArray, StoreError> {
    // 0.0 and -0.0 are one category.
    let column: ArrayRef = if column.data_type().is_floating() {
        let numbers = cast(column, &DataType::Float64)?;
        let numbers: Float64Array = numbers.as_primitive::<Float64Type>().unary(|number| number + 0.0);
        Arc::new(numbers)
    } else {
        column.clone()
    };
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(&column))?;
    let mut bytes = BinaryBuilder::new();
    for (row, key) in rows.iter().enumerate() {
        bytes.append_option(column.is_valid(row).then_some(key.data()));
    }
    Ok(bytes.finish())
}

#[derive(Default)]
struct Events {
    at: Vec<i64>,
    kinds: Vec<i8>,
    places: Vec<i64>,
    categories: BinaryBuilder,
    labels: Float64Builder,
    known: Int64Builder,
}

/// What a row tells or asks.
#[derive(Default)]
struct Event<'a> {
    category: Option<&'a [u8]>,
    label: Option<f64>,
    known: Option<i64>,
}

impl Events {
    fn push(&mut self, at: i64, kind: i8, place: i64, event: &Event<'_>) {
        self.at.push(at);
        self.kinds.push(kind);
        self.places.push(place);
        self.categories.append_option(event.category);
        self.labels.append_option(event.label);
        self.known.append_option(event.known);
    }

    fn finish(mut self) -> Result<RecordBatch, StoreError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.at)),
            Arc::new(Int8Array::from(self.kinds)),
            Arc::new(Int64Array::from(self.places)),
            Arc::new(self.categories.finish()),
            Arc::new(self.labels.finish()),
            Arc::new(self.known.finish()),
        ];
        Ok(RecordBatch::try_new(event_schema(), columns)?)
    }
}
