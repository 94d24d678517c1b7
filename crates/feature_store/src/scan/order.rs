//! Whether rows come in the order that was promised: each one strictly after the one before. One comparison per row, mostly decided
//! by the first columns; also in release builds, because it turns silent wrongness into an error.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, DynComparator, RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::Schema;

use crate::StoreError;

const ASCENDING: SortOptions = SortOptions {
    descending: false,
    nulls_first: true,
};

/// The order of a stream, checked batch by batch.
pub(crate) struct OrderCheck {
    group: String,
    columns: Vec<usize>,
    /// The last row so far, one value per column of the order.
    last: Option<Vec<ArrayRef>>,
}

impl OrderCheck {
    /// A check of these columns of a schema.
    pub(crate) fn new(group: &str, schema: &Schema, columns: &[String]) -> Result<Self, StoreError> {
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| StoreError::UnknownColumn {
                group: group.to_owned(),
                column: name.clone(),
            })
        };
        let columns = columns.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self {
            group: group.to_owned(),
            columns,
            last: None,
        })
    }

    /// Checks the next rows.
    pub(crate) fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|column| batch.column(*column).clone())
            .collect();
        if let Some(last) = &self.last {
            let before = comparators(last, &arrays)?;
            self.ascending(&before, 0, 0)?;
        }
        let within = comparators(&arrays, &arrays)?;
        for row in 1..batch.num_rows() {
            self.ascending(&within, row - 1, row)?;
        }
        self.last = Some(
            arrays
                .iter()
                .map(|array| array.slice(batch.num_rows() - 1, 1))
                .collect(),
        );
        Ok(())
    }

    fn ascending(&self, comparators: &[DynComparator], row: usize, next: usize) -> Result<(), StoreError> {
        match compare(comparators, row, next) {
            Ordering::Less => Ok(()),
            _ => Err(StoreError::OrderBroken {
                group: self.group.clone(),
            }),
        }
    }
}

/// One comparator per column, between the rows of two sets of columns.
pub(crate) fn comparators(left: &[ArrayRef], right: &[ArrayRef]) -> Result<Vec<DynComparator>, StoreError> {
    left.iter()
        .zip(right)
        .map(|(left, right)| Ok(make_comparator(left, right, ASCENDING)?))
        .collect()
}

/// How two rows compare, column by column.
pub(crate) fn compare(comparators: &[DynComparator], row: usize, other: usize) -> Ordering {
    comparators
        .iter()
        .map(|compare| compare(row, other))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
