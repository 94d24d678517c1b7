//! Revisions and when they stood: **a revision stands from its `__known_at` until the first `__known_at` of those behind it in the total
//! order.**
//!
//! ```text
//!   host  ts     __known_at  cpu       host  ts     cpu  valid_from  valid_to
//!   a     12:00  day 1       5         a     12:00  5    day 1       day 2
//!   a     12:00  day 2       6     ─▶  a     12:00  6    day 2       NULL: it stands
//!   a     12:05  day 1       7         a     12:05  7    day 1       NULL
//! ```
//!
//! Rows with one key and event time are revisions of one row; readers at a time take the last of those known by then, in total order.
//! So a revision that comes late and is in front of one known before (a declared `known_at` orders them) never stood, and neither did one
//! whose successor came in the same ingestion: its period is empty, `valid_to = valid_from`. Periods are half open:
//! `valid_from <= T < valid_to`.
//!
//! One pass; memory: the revisions of one row.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};

use crate::StoreError;
use crate::scan::order::{comparators, compare};
use crate::storage::{KNOWN_AT, utc_micros};

/// The column of when a revision began to stand.
pub const VALID_FROM: &str = "valid_from";
/// The column of when it ceased to; NULL while it stands.
pub const VALID_TO: &str = "valid_to";

/// The two columns of a period.
pub(crate) fn period_fields() -> [Field; 2] {
    let micros: DataType = utc_micros();
    [
        Field::new(VALID_FROM, micros.clone(), false),
        Field::new(VALID_TO, micros, true),
    ]
}

/// Gives rows in total order their periods, batch by batch.
pub(crate) struct Periods {
    /// How many columns make a row the same: key and event time, in front.
    identity: usize,
    /// The revisions of the last row: more of them may come.
    open: Vec<RecordBatch>,
}

impl Periods {
    /// Rows are revisions of one row when their first so many columns are the same.
    pub(crate) fn new(identity: usize) -> Self {
        Self {
            identity,
            open: Vec::new(),
        }
    }

    /// The rows whose period is known now, with it.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, StoreError> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let keys: Vec<ArrayRef> = batch.columns().iter().take(self.identity).cloned().collect();
        let within = comparators(&keys, &keys)?;
        let last_start = (1..rows)
            .rev()
            .find(|row| compare(&within, row - 1, *row).is_ne())
            .unwrap_or(0);
        let mut settled = Vec::new();
        let goes_on = match self.open.last() {
            Some(open) => {
                let last: Vec<ArrayRef> = open.columns().iter().take(self.identity).cloned().collect();
                compare(&comparators(&last, &keys)?, open.num_rows() - 1, 0).is_eq()
            }
            None => false,
        };
        if goes_on && last_start == 0 {
            self.open.push(batch.clone());
            return Ok(Vec::new());
        }
        settled.append(&mut self.open);
        if last_start > 0 {
            settled.push(batch.slice(0, last_start));
        }
        self.open.push(batch.slice(last_start, rows - last_start));
        self.with_periods(&settled)
    }

    /// The rest.
    pub(crate) fn finish(&mut self) -> Result<Vec<RecordBatch>, StoreError> {
        let rest = std::mem::take(&mut self.open);
        self.with_periods(&rest)
    }

    /// Rows among which no row lacks a revision.
    fn with_periods(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, StoreError> {
        let Some(first) = batches.first() else {
            return Ok(Vec::new());
        };
        let batch = concat_batches(&first.schema(), batches)?;
        let known = batch
            .column_by_name(KNOWN_AT)
            .and_then(|known| known.as_primitive_opt::<TimestampMicrosecondType>());
        let known: Vec<i64> = known.map(|known| known.values().to_vec()).unwrap_or_default();
        let keys: Vec<ArrayRef> = batch.columns().iter().take(self.identity).cloned().collect();
        let within = comparators(&keys, &keys)?;
        let mut ends: Vec<Option<i64>> = vec![None; known.len()];
        // From the back: the first time at which any of the revisions behind became known.
        let mut soonest: Option<i64> = None;
        for (row, (from, end)) in known.iter().zip(&mut ends).enumerate().rev() {
            if row + 1 < known.len() && compare(&within, row, row + 1).is_ne() {
                soonest = None;
            }
            *end = soonest.map(|soonest| soonest.max(*from));
            soonest = Some(soonest.map_or(*from, |soonest| soonest.min(*from)));
        }
        let from: ArrayRef = Arc::new(TimestampMicrosecondArray::from(known).with_timezone("UTC"));
        let to: ArrayRef = Arc::new(TimestampMicrosecondArray::from(ends).with_timezone("UTC"));
        let mut columns = batch.columns().to_vec();
        columns.extend([from, to]);
        Ok(vec![RecordBatch::try_new(
            with_period_fields(&batch.schema()),
            columns,
        )?])
    }
}

/// A schema with the two columns behind its own.
pub(crate) fn with_period_fields(schema: &Schema) -> SchemaRef {
    let mut fields = schema.fields().to_vec();
    fields.extend(period_fields().map(Arc::new));
    Arc::new(Schema::new(fields))
}
