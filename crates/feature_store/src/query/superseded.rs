//! Of the rows with one key and event time, only the one known last counts.
//!
//! ```text
//!   host  ts     __known_at            host  ts     __known_at
//!   a     12:00  day 1           ─▶
//!   a     12:00  day 2                 a     12:00  day 2
//!   a     12:05  day 1                 a     12:05  day 1
//! ```
//!
//! Rows come in total order, so a row is superseded when the next one has its key and time. One row is held back between batches.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::StoreError;

/// Drops superseded rows, batch by batch.
pub(crate) struct Superseded {
    /// The columns of key and event time.
    identity: Vec<usize>,
    converter: Option<RowConverter>,
    held: Option<(RecordBatch, OwnedRow)>,
}

impl Superseded {
    /// Rows are the same when these columns are.
    pub(crate) fn new(identity: Vec<usize>) -> Self {
        Self {
            identity,
            converter: None,
            held: None,
        }
    }

    /// The rows that are known to count now: the last row of a batch waits for the next one.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, StoreError> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let columns: Vec<ArrayRef> = self
            .identity
            .iter()
            .filter_map(|at| batch.columns().get(*at).cloned())
            .collect();
        let converter = match &mut self.converter {
            Some(converter) => converter,
            None => {
                let fields = columns
                    .iter()
                    .map(|column| SortField::new(column.data_type().clone()))
                    .collect();
                self.converter.insert(RowConverter::new(fields)?)
            }
        };
        let keys = converter.convert_columns(&columns)?;
        let mut out = Vec::new();
        if let Some((held, key)) = self.held.take()
            && key.row() != keys.row(0)
        {
            out.push(held);
        }
        let last = rows - 1;
        let counts: BooleanArray = (0..rows)
            .map(|row| Some(row < last && keys.row(row) != keys.row(row + 1)))
            .collect();
        out.push(filter_record_batch(batch, &counts)?);
        self.held = Some((batch.slice(last, 1), keys.row(last).owned()));
        Ok(out)
    }

    /// The last row.
    pub(crate) fn finish(&mut self) -> Option<RecordBatch> {
        self.held.take().map(|(batch, _)| batch)
    }
}
