//! Target encodings: **the mean label of a row's category, over the rows of all entities whose labels are over and known at its time.**
//!
//! ```text
//!   rows, by key ── events ── sorted by time ── one walk, a sum per category ── sorted by place ── beside the rows, by key
//!                   a label, when it is over and known
//!                   a question, at the row's time
//! ```
//!
//! A label of the row at `s` is over at `s + horizon`, and never at its own time. Where the source declares `known_at`, it counts from then on, if that
//! is later. Labels of one time come before its questions; their sums are exact, so their order among each other makes no difference.
//!
//! A label stands in the values of all later rows: of its category, and of the others through the mean of all. So these are what a new row touches, and
//! so an encoded row became known no earlier than every row whose label is over, also where that label is NULL now: it may be a correction.
//!
//! Memory: what the sorts may hold, and a sum for each category; the rest goes to disk. Time: two sorts of each encoding's rows.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Float64Array, Float64Builder, Int8Array, Int64Array,
    Int64Builder, RecordBatch,
};
use arrow::compute::{SortOptions, cast, concat_batches};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int8Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use arrow::row::{RowConverter, SortField};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use definitions::{ColumnName, FeatureGroup};
use futures::{StreamExt, TryStreamExt};

use super::kernel::Tally;
use super::rows::Rows;
use super::touched::Frame;
use crate::StoreError;
use crate::error::{external, plan_error};
use crate::storage::{KNOWN_AT, spilling_context, utc_micros};

/// Rows per batch of the sorts.
const BATCH_ROWS: usize = 8192;
/// When the labels became known that stand in a row's encodings, in microseconds.
pub(super) const ENCODED_KNOWN_AT: &str = "__encoded_known_at";

/// What is encoded by what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoding {
    /// The category.
    pub category: ColumnName,
    /// The label.
    pub label: ColumnName,
    /// How far the label looks ahead, in microseconds.
    pub horizon: i64,
    /// How many rows the mean of all counts for.
    pub smoothing: f64,
}

impl Encoding {
    /// The labels that stand in a row's value.
    pub fn frame(&self) -> Frame {
        Frame {
            after: None,
            upto: -self.over_after(),
        }
    }

    /// From how long after its row on a label counts.
    fn over_after(&self) -> i64 {
        self.horizon.max(1)
    }
}

/// The column beside the rows that holds an encoding, by its place.
pub(super) fn encoded_name(place: usize) -> String {
    format!("__encoded_{place}")
}

/// How the sorts work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sorting<'a> {
    /// Bytes that they hold in memory, all together.
    pub memory: u64,
    /// Where the rest goes.
    pub folder: &'a Path,
}

/// The encodings of the rows of a group, in the rows' order: place, value, when it became known.
pub(super) fn encoded(
    rows: Rows,
    group: &FeatureGroup,
    encoding: &Encoding,
    sorting: Sorting<'_>,
) -> Result<Rows, StoreError> {
    // The second sort takes in what the first one gives out.
    let sorting = Sorting {
        memory: sorting.memory / 2,
        ..sorting
    };
    let events = sorted(events(rows, group, encoding), &event_schema(), &[AT, KIND], sorting)?;
    let answers = answers(events, encoding.smoothing);
    sorted(answers, &answer_schema(), &[PLACE], sorting)
}

const AT: &str = "at";
const KIND: &str = "kind";
const PLACE: &str = "place";
const CATEGORY: &str = "category";
const LABEL: &str = "label";
const KNOWN: &str = "known";
const VALUE: &str = "value";

/// Something that became known: a label, or that there is none.
const TOLD: i8 = 0;
/// A row that asks.
const ASKED: i8 = 1;

fn event_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(AT, DataType::Int64, false),
        Field::new(KIND, DataType::Int8, false),
        Field::new(PLACE, DataType::Int64, false),
        Field::new(CATEGORY, DataType::Binary, true),
        Field::new(LABEL, DataType::Float64, true),
        Field::new(KNOWN, DataType::Int64, true),
    ]))
}

fn answer_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(PLACE, DataType::Int64, false),
        Field::new(VALUE, DataType::Float64, true),
        Field::new(KNOWN, DataType::Int64, true),
    ]))
}

/// What rows tell and ask.
fn events(rows: Rows, group: &FeatureGroup, encoding: &Encoding) -> Rows {
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

/// The answers to what is asked, by events in order of time.
fn answers(events: Rows, smoothing: f64) -> Rows {
    let state = (events, Walk::default());
    let step = move |(mut events, mut walk): (Rows, Walk)| async move {
        let Some(batch) = events.try_next().await? else {
            return Ok::<_, StoreError>(None);
        };
        let answers = walk.through(&batch, smoothing)?;
        Ok(Some((answers, (events, walk))))
    };
    futures::stream::try_unfold(state, step).boxed()
}

/// What has been told so far.
#[derive(Default)]
struct Walk {
    tally: Tally,
    known: Option<i64>,
}

impl Walk {
    fn through(&mut self, events: &RecordBatch, smoothing: f64) -> Result<RecordBatch, StoreError> {
        let named = |name: &str| column(events, name);
        let (kinds, places, categories) = (named(KIND)?, named(PLACE)?, named(CATEGORY)?);
        let (labels, known) = (named(LABEL)?, named(KNOWN)?);
        let (kinds, places) = (kinds.as_primitive::<Int8Type>(), places.as_primitive::<Int64Type>());
        let (labels, known) = (labels.as_primitive::<Float64Type>(), known.as_primitive::<Int64Type>());
        let categories = categories.as_binary::<i32>();
        let (mut asking, mut values, mut known_at) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..events.num_rows() {
            let category = categories.is_valid(row).then(|| categories.value(row));
            if kinds.value(row) == ASKED {
                asking.push(places.value(row));
                values.push(category.and_then(|category| self.tally.value(category, smoothing)));
                known_at.push(self.known);
                continue;
            }
            self.known = self.known.max(known.is_valid(row).then(|| known.value(row)));
            if labels.is_valid(row) {
                self.tally.add(category, labels.value(row));
            }
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(asking)),
            Arc::new(Float64Array::from(values)),
            Arc::new(Int64Array::from(known_at)),
        ];
        Ok(RecordBatch::try_new(answer_schema(), columns)?)
    }
}

/// The same rows, in the order of these columns.
fn sorted(rows: Rows, schema: &SchemaRef, by: &[&str], sorting: Sorting<'_>) -> Result<Rows, StoreError> {
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

/// Rows with their encodings, each of them in the rows' order.
pub(super) fn beside(rows: Rows, encoded: Vec<Rows>) -> Rows {
    if encoded.is_empty() {
        return rows;
    }
    let encoded: Vec<Answers> = encoded.into_iter().map(Answers::new).collect();
    let step = |(mut rows, mut encoded): (Rows, Vec<Answers>)| async move {
        let Some(batch) = rows.try_next().await? else {
            return Ok::<_, StoreError>(None);
        };
        let batch = with_encodings(&batch, &mut encoded).await?;
        Ok(Some((batch, (rows, encoded))))
    };
    futures::stream::try_unfold((rows, encoded), step).boxed()
}

async fn with_encodings(batch: &RecordBatch, encoded: &mut [Answers]) -> Result<RecordBatch, StoreError> {
    let mut known_at = vec![i64::MIN; batch.num_rows()];
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (place, answers) in encoded.iter_mut().enumerate() {
        let answers = answers.next(batch.num_rows()).await?;
        columns.push((encoded_name(place), column(&answers, VALUE)?));
        let known = column(&answers, KNOWN)?;
        for (latest, known) in known_at.iter_mut().zip(known.as_primitive::<Int64Type>()) {
            *latest = known.map_or(*latest, |known| known.max(*latest));
        }
    }
    columns.push((ENCODED_KNOWN_AT.to_owned(), Arc::new(Int64Array::from(known_at))));
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    fields.extend(
        columns
            .iter()
            .map(|(name, column)| Arc::new(Field::new(name, column.data_type().clone(), true))),
    );
    let columns = batch
        .columns()
        .iter()
        .cloned()
        .chain(columns.into_iter().map(|(_, column)| column));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect())?)
}

/// Answers, taken as many at once as there are rows.
struct Answers {
    rows: Rows,
    left: RecordBatch,
}

impl Answers {
    fn new(rows: Rows) -> Self {
        Self {
            rows,
            left: RecordBatch::new_empty(answer_schema()),
        }
    }

    async fn next(&mut self, rows: usize) -> Result<RecordBatch, StoreError> {
        let mut taken = Vec::new();
        let mut missing = rows;
        while missing > 0 {
            if self.left.num_rows() == 0 {
                self.left = self.rows.try_next().await?.ok_or_else(|| StoreError::Task {
                    detail: "target encodings ended before the rows did".to_owned(),
                })?;
            }
            let now = missing.min(self.left.num_rows());
            taken.push(self.left.slice(0, now));
            self.left = self.left.slice(now, self.left.num_rows() - now);
            missing -= now;
        }
        Ok(concat_batches(&answer_schema(), &taken)?)
    }
}

fn column(rows: &RecordBatch, name: &str) -> Result<ArrayRef, StoreError> {
    rows.column_by_name(name)
        .cloned()
        .ok_or_else(|| StoreError::UnknownColumn {
            group: "the rows that are encoded".to_owned(),
            column: name.to_owned(),
        })
}
