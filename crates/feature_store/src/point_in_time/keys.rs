//! Keys as bytes that compare as the typed values do, one for each stretch of rows with the same key.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::{partition, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

use crate::StoreError;
use crate::fingerprint::plain;

/// Encodes the keys of one group, and of the spine that it is joined to.
#[derive(Debug)]
pub(super) struct KeyEncoder {
    converter: RowConverter,
}

/// Neighbouring rows with the same key, each stretch with its key. Rows with a NULL in the key are in none.
pub(super) struct Stretches {
    ranges: Vec<Range<usize>>,
    keys: Rows,
}

impl KeyEncoder {
    /// For key columns of these types.
    pub(super) fn new(types: &[DataType]) -> Result<Self, StoreError> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        Ok(Self {
            converter: RowConverter::new(fields)?,
        })
    }

    /// The stretches of these columns, which [`plain_key`] made plain. Only one key of each stretch is encoded.
    pub(super) fn stretches(&self, columns: &[ArrayRef]) -> Result<Stretches, StoreError> {
        let mut ranges = partition(columns)?.ranges();
        if columns.iter().any(|column| column.null_count() > 0) {
            ranges.retain(|rows| columns.iter().all(|column| column.is_valid(rows.start)));
        }
        let firsts: UInt64Array = ranges.iter().map(|rows| rows.start as u64).collect::<Vec<_>>().into();
        let firsts = columns
            .iter()
            .map(|column| take(column, &firsts, None))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Stretches {
            ranges,
            keys: self.converter.convert_columns(&firsts)?,
        })
    }
}

impl Stretches {
    /// Their number.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The rows of a stretch.
    pub(super) fn rows(&self, stretch: usize) -> Range<usize> {
        self.ranges.get(stretch).cloned().unwrap_or_default()
    }

    /// The key of a stretch; past the last one a key that is before all others.
    pub(super) fn key(&self, stretch: usize) -> &[u8] {
        if stretch < self.ranges.len() {
            self.keys.row(stretch).data()
        } else {
            &[]
        }
    }

    /// Whether each key comes after the one before it.
    pub(super) fn are_ascending(&self) -> bool {
        (1..self.len()).all(|stretch| self.key(stretch - 1) < self.key(stretch))
    }

    /// The first stretch from `from` on whose key is not before this one.
    pub(super) fn seek(&self, from: usize, key: &[u8]) -> usize {
        let mut step = 1;
        let mut low = from;
        while low + step < self.len() && self.key(low + step) < key {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// A key column without dictionary or text views, so that equal values have equal types.
pub(super) fn plain_key(column: &str, array: &ArrayRef) -> Result<ArrayRef, StoreError> {
    plain(array)?.ok_or_else(|| StoreError::UnsupportedType {
        column: column.to_owned(),
        found: array.data_type().to_string(),
    })
}
