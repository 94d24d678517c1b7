//! Runs: rows of a group in total order, in memory or in a Parquet file, that are read by place.
//!
//! A run knows bounds of its rows without reading them: it is cut into blocks (the pages of a file, or its row groups), and for each
//! block the least and the greatest value of the first key column, and the first and the last event time, are known where the file says
//! so. What lies outside is never read.

mod file;
mod materialized;

use std::ops::Range;
use std::path::Path;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};

use self::materialized::Source;
use super::GroupColumns;
use crate::StoreError;

pub(super) use self::materialized::memory_of;
pub(crate) use self::materialized::{Materialized, Materializer};

/// Rows in total order.
#[derive(Debug)]
pub(super) struct Run {
    rows: Materialized,
    blocks: Vec<Block>,
}

/// A stretch of rows and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// The rows.
    pub rows: Range<usize>,
    /// The least and the greatest value of the first key column.
    pub keys: KeyBounds,
    /// No event time is outside of these; `None`: not known.
    pub times: Option<(i64, i64)>,
}

/// A least and a greatest key, in arrow-row's encoding; `None`: not known.
pub(super) type KeyBounds = Option<(Box<[u8]>, Box<[u8]>)>;

/// The bounds of stretches of rows, as arrays with a value for each.
struct Bounds {
    rows: Vec<Range<usize>>,
    keys: Option<(ArrayRef, ArrayRef)>,
    times: Option<(ArrayRef, ArrayRef)>,
}

impl Run {
    /// Rows in blocks of so many, where they are in memory; a file says itself where its blocks are.
    pub(super) fn new(rows: Materialized, columns: &GroupColumns, block_rows: usize) -> Result<Self, StoreError> {
        let bounds = match rows.source() {
            Source::File(file) => file.bounds(columns)?,
            Source::Memory(batch) => bounds(batch, columns, block_rows)?,
        };
        Ok(Self {
            blocks: blocks(bounds)?,
            rows,
        })
    }

    /// The rows of a Parquet file whose columns are to come in the types of this schema.
    pub(super) fn of_file(path: &Path, schema: &SchemaRef, columns: &GroupColumns) -> Result<Self, StoreError> {
        Self::new(Materialized::of_file(path, schema)?, columns, 1)
    }

    /// Their number.
    pub(super) fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// The blocks, in order, without a gap.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Whether the bounds of its blocks ascend, as far as they are known.
    pub(super) fn is_in_order(&self) -> bool {
        let known = || self.blocks.iter().filter_map(|block| block.keys.as_ref());
        known().is_sorted_by(|before, after| before.0 <= after.0 && before.1 <= after.1)
    }

    /// The columns of these stretches of rows, which are in order and apart, as one batch.
    pub(super) fn read(&self, columns: &SchemaRef, stretches: &[Range<usize>]) -> Result<RecordBatch, StoreError> {
        self.rows.read(columns, stretches)
    }
}

/// Bounds of the rows of a batch, in blocks of so many.
fn bounds(batch: &RecordBatch, columns: &GroupColumns, block_rows: usize) -> Result<Bounds, StoreError> {
    let (rows, step) = (batch.num_rows(), block_rows.max(1));
    let stretches: Vec<_> = (0..rows)
        .step_by(step)
        .map(|from| from..rows.min(from + step))
        .collect();
    let of = |name: &String| {
        let column = batch.column_by_name(name);
        column.map(|column| extremes(column, &stretches)).transpose()
    };
    let keys = columns.keys.first().map(of).transpose()?.flatten();
    let times = columns.event_time.as_ref().map(of).transpose()?.flatten();
    Ok(Bounds {
        rows: stretches,
        keys,
        times,
    })
}

/// The rows with these columns, in these types; a column that is not there is NULL.
fn as_declared(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, StoreError> {
    let column = |field: &arrow::datatypes::FieldRef| -> Result<ArrayRef, StoreError> {
        Ok(match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => column.clone(),
            Some(column) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
    };
    let arrays = columns.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(columns.clone(), arrays, &options)?)
}

/// The least and greatest value of each stretch of a sorted or unsorted column.
fn extremes(column: &ArrayRef, stretches: &[Range<usize>]) -> Result<(ArrayRef, ArrayRef), StoreError> {
    let (mut least, mut greatest) = (Vec::new(), Vec::new());
    for rows in stretches {
        let order = arrow::compute::sort_to_indices(
            &column.slice(rows.start, rows.len()),
            Some(SortOptions::new(false, false)),
            None,
        )?;
        let values = rows.len() - column.slice(rows.start, rows.len()).null_count();
        let at = |place: usize| {
            order
                .values()
                .get(place)
                .map_or(rows.start, |at| rows.start + *at as usize) as u64
        };
        least.push(at(0));
        greatest.push(at(values.saturating_sub(1)));
    }
    let take = |places: Vec<u64>| arrow::compute::take(column, &arrow::array::UInt64Array::from(places), None);
    Ok((take(least)?, take(greatest)?))
}

fn blocks(bounds: Bounds) -> Result<Vec<Block>, StoreError> {
    let keys = bounds
        .keys
        .map(|(least, greatest)| encoded(&least, &greatest))
        .transpose()?
        .flatten();
    let times = bounds.times.map(|(first, last)| micros(&first, &last)).transpose()?;
    let block = |(at, rows): (usize, Range<usize>)| Block {
        rows,
        keys: keys.as_ref().and_then(|keys| keys.get(at).cloned().flatten()),
        times: times.as_ref().and_then(|times| times.get(at).copied().flatten()),
    };
    Ok(bounds.rows.into_iter().enumerate().map(block).collect())
}

/// Bounds of keys as bytes; `None` for types whose statistics say too little.
fn encoded(least: &ArrayRef, greatest: &ArrayRef) -> Result<Option<Vec<KeyBounds>>, StoreError> {
    let is_exact = matches!(
        least.data_type(),
        DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::Utf8
            | DataType::Date32
            | DataType::Timestamp(..)
    );
    if !is_exact {
        return Ok(None);
    }
    let converter = RowConverter::new(vec![SortField::new(least.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(least))?;
    let more = converter.convert_columns(std::slice::from_ref(greatest))?;
    let bound = |at: usize| {
        let is_known = least.is_valid(at) && greatest.is_valid(at);
        is_known.then(|| (rows.row(at).data().into(), more.row(at).data().into()))
    };
    Ok(Some((0..least.len()).map(bound).collect()))
}

fn micros(first: &ArrayRef, last: &ArrayRef) -> Result<Vec<Option<(i64, i64)>>, StoreError> {
    let whole = |array: &ArrayRef| cast(array, &DataType::Int64);
    let (first, last) = (whole(first)?, whole(last)?);
    let numbers = |array: &ArrayRef| -> Vec<Option<i64>> {
        arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::Int64Type>(array)
            .map_or_else(Vec::new, |values| values.iter().collect())
    };
    Ok(numbers(&first)
        .into_iter()
        .zip(numbers(&last))
        .map(|(first, last)| first.zip(last))
        .collect())
}
