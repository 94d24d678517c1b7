//! Keys as bytes that compare as the typed values do.

use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::row::{Row, RowConverter, Rows, SortField};

use crate::StoreError;
use crate::fingerprint::plain;

/// Encodes the keys of one group, and of the spine that it is joined to.
#[derive(Debug)]
pub(super) struct KeyEncoder {
    converter: RowConverter,
}

/// Keys, row by row; `None` where a NULL stands in any column.
pub(super) struct Keys {
    rows: Rows,
    nulls: Option<NullBuffer>,
}

impl KeyEncoder {
    /// For key columns of these types.
    pub(super) fn new(types: &[DataType]) -> Result<Self, StoreError> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        Ok(Self {
            converter: RowConverter::new(fields)?,
        })
    }

    /// The keys in these columns, which [`plain_key`] made plain.
    pub(super) fn encode(&self, columns: &[ArrayRef]) -> Result<Keys, StoreError> {
        let rows = self.converter.convert_columns(columns)?;
        let nulls = columns
            .iter()
            .fold(None, |all, column| NullBuffer::union(all.as_ref(), column.nulls()));
        Ok(Keys { rows, nulls })
    }
}

impl Keys {
    /// The key of a row; `None`: it holds a NULL, or there is no such row.
    pub(super) fn get(&self, row: usize) -> Option<Row<'_>> {
        let is_null = self
            .nulls
            .as_ref()
            .is_some_and(|nulls| row < nulls.len() && nulls.is_null(row));
        (row < self.rows.num_rows() && !is_null).then(|| self.rows.row(row))
    }

    /// Their number.
    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }
}

/// A key column without dictionary or text views, so that equal values have equal types.
pub(super) fn plain_key(column: &str, array: &ArrayRef) -> Result<ArrayRef, StoreError> {
    plain(array)?.ok_or_else(|| StoreError::UnsupportedType {
        column: column.to_owned(),
        found: array.data_type().to_string(),
    })
}

/// The spine's places in the order of the merge: by key, then time, then place. Rows with a NULL in the key are left out.
pub(super) struct SortedSpine {
    keys: Keys,
    times: Vec<i64>,
    order: Vec<usize>,
    next: usize,
}

impl SortedSpine {
    /// Sorts a spine; linear where it is sorted already.
    pub(super) fn new(keys: Keys, times: Vec<i64>) -> Self {
        let mut order: Vec<usize> = (0..keys.len()).filter(|place| keys.get(*place).is_some()).collect();
        order.sort_by(|a, b| {
            let by_key = keys
                .get(*a)
                .map(|key| key.data())
                .cmp(&keys.get(*b).map(|key| key.data()));
            by_key.then_with(|| times.get(*a).cmp(&times.get(*b)))
        });
        Self {
            keys,
            times,
            order,
            next: 0,
        }
    }

    /// Which stretch of the order has this key; keys must be asked for in ascending order.
    pub(super) fn advance(&mut self, key: &Row<'_>) -> Range<usize> {
        let compare =
            |keys: &Keys, place: usize| keys.get(place).map_or(Ordering::Less, |own| own.data().cmp(key.data()));
        while self
            .order
            .get(self.next)
            .is_some_and(|place| compare(&self.keys, *place).is_lt())
        {
            self.next += 1;
        }
        let from = self.next;
        while self
            .order
            .get(self.next)
            .is_some_and(|place| compare(&self.keys, *place).is_eq())
        {
            self.next += 1;
        }
        from..self.next
    }

    /// The places in a stretch of the order, ascending in time.
    pub(super) fn places(&self, stretch: Range<usize>) -> &[usize] {
        self.order.get(stretch).unwrap_or_default()
    }

    /// The time of a spine row.
    pub(super) fn time(&self, place: usize) -> i64 {
        self.times.get(place).copied().unwrap_or(i64::MIN)
    }

    /// The spine's rows.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }
}
