//! Results as they are made, value after value.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;

use crate::StoreError;

/// The results of one computation so far.
#[derive(Debug)]
pub(super) enum Output {
    /// Numbers; NaN stands for NULL.
    Numbers(Vec<f64>),
    /// Counts; a negative one stands for NULL.
    Counts(Vec<i64>),
    /// Rows whose value it is; [`NO_ROW`] stands for NULL.
    Rows(Vec<u32>),
}

/// No row has the value.
pub(super) const NO_ROW: u32 = u32::MAX;

impl Output {
    pub(super) fn number(&mut self, number: f64) {
        if let Self::Numbers(numbers) = self {
            numbers.push(number);
        }
    }

    pub(super) fn count(&mut self, count: i64) {
        if let Self::Counts(counts) = self {
            counts.push(count);
        }
    }

    pub(super) fn row(&mut self, row: u32) {
        if let Self::Rows(rows) = self {
            rows.push(row);
        }
    }

    /// So many NULLs.
    pub(super) fn nulls(&mut self, count: usize) {
        match self {
            Self::Numbers(numbers) => numbers.resize(numbers.len() + count, f64::NAN),
            Self::Counts(counts) => counts.resize(counts.len() + count, -1),
            Self::Rows(rows) => rows.resize(rows.len() + count, NO_ROW),
        }
    }

    /// The array; rows are those of `column`.
    pub(super) fn finish(self, column: &ArrayRef) -> Result<ArrayRef, StoreError> {
        Ok(match self {
            Self::Numbers(numbers) => numbers_or_null(numbers),
            Self::Counts(counts) => {
                let nulls = nulls_where(counts.len(), |place| counts.get(place).is_some_and(|count| *count < 0));
                Arc::new(Int64Array::new(counts.into(), nulls))
            }
            Self::Rows(rows) => {
                let nulls = nulls_where(rows.len(), |place| rows.get(place) == Some(&NO_ROW));
                take(column, &UInt32Array::new(rows.into(), nulls), None)?
            }
        })
    }
}

/// Numbers as an array; NaN becomes NULL.
pub(super) fn numbers_or_null(numbers: Vec<f64>) -> ArrayRef {
    let is_null = |place| numbers.get(place).is_some_and(|number: &f64| number.is_nan());
    let any = numbers.iter().any(|number| number.is_nan());
    let nulls = any.then(|| nulls_where(numbers.len(), is_null)).flatten();
    Arc::new(Float64Array::new(numbers.into(), nulls))
}

fn nulls_where(length: usize, is_null: impl Fn(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(length, |place| !is_null(place)));
    (nulls.null_count() > 0).then_some(nulls)
}

/// An output for a result of this type; `takes_rows`: a value of the column itself.
pub(super) fn output_of(kind: &DataType, takes_rows: bool, length: usize) -> Output {
    match kind {
        _ if takes_rows => Output::Rows(Vec::with_capacity(length)),
        DataType::Int64 => Output::Counts(Vec::with_capacity(length)),
        _ => Output::Numbers(Vec::with_capacity(length)),
    }
}
