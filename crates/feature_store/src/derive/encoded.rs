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

mod events;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int8Type, Int64Type, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use definitions::{ColumnName, FeatureGroup};
use futures::{StreamExt, TryStreamExt};

use super::kernel::Tally;
use super::rows::Rows;
use super::touched::Frame;
use crate::StoreError;
use crate::error::{external, plan_error};
use crate::storage::{Sorting, sorted};

use events::{ASKED, AT, CATEGORY, KIND, LABEL, event_schema, events};

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
    let events = in_order(events(rows, group, encoding), event_schema(), &[AT, KIND], sorting)?;
    let answers = answers(events, encoding.smoothing);
    in_order(answers, answer_schema(), &[PLACE], sorting)
}

/// The same rows, in the order of these columns.
fn in_order(rows: Rows, schema: SchemaRef, by: &[&str], sorting: Sorting<'_>) -> Result<Rows, StoreError> {
    let failed = || plan_error("the rows for target encodings could not be sorted");
    let given = schema.clone();
    let open =
        move || -> SendableRecordBatchStream { Box::pin(RecordBatchStreamAdapter::new(given, rows.map_err(external))) };
    let rows = sorted(open, &schema, by.iter().copied(), sorting).map_err(failed())?;
    Ok(rows.map_err(move |error| failed()(error)).boxed())
}

const PLACE: &str = "place";
const KNOWN: &str = "known";
const VALUE: &str = "value";

fn answer_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(PLACE, DataType::Int64, false),
        Field::new(VALUE, DataType::Float64, true),
        Field::new(KNOWN, DataType::Int64, true),
    ]))
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
