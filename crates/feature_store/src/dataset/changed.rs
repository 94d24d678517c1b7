//! What would be different in a dataset if it were made of what is known now: its rows joined again, and compared value by value.

use std::path::Path;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::compute::kernels::cmp::distinct;
use definitions::Role;
use serde::Serialize;

use super::manifest::{Manifest, load_manifest};
use super::read::open_part;
use crate::StoreError;

/// How many values of a column are not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedValues {
    /// The column.
    pub column: String,
    /// Values that differ; NULL and a value differ.
    pub changed: u64,
    /// Values in all.
    pub rows: u64,
}

/// Compares the features and helpers of two datasets with the same rows, in the same order.
///
/// # Errors
/// `RowsLost` when they do not have the same rows; when one cannot be read.
pub fn changed_values(before: &Path, after: &Path) -> Result<Vec<ChangedValues>, StoreError> {
    let (first, second) = (load_manifest(before)?, load_manifest(after)?);
    let columns = first
        .columns
        .iter()
        .filter(|column| matches!(column.role, Role::Feature | Role::Helper));
    let mut changed: Vec<ChangedValues> = columns
        .map(|column| ChangedValues {
            column: column.name.clone(),
            changed: 0,
            rows: 0,
        })
        .collect();
    for part in &first.parts {
        let mut others = Rows {
            batches: open_part(after, part.part, None)?,
            held: RecordBatch::new_empty(second.schema()),
        };
        for batch in open_part(before, part.part, None)? {
            let batch = batch?;
            let other = others.take(batch.num_rows())?.ok_or_else(|| lost(&first, &second))?;
            for column in &mut changed {
                let (Some(a), Some(b)) = (
                    batch.column_by_name(&column.column),
                    other.column_by_name(&column.column),
                ) else {
                    continue;
                };
                column.changed += differing(a, b)?;
                column.rows += batch.num_rows() as u64;
            }
        }
        if others.take(1)?.is_some() {
            return Err(lost(&first, &second));
        }
    }
    Ok(changed)
}

fn lost(first: &Manifest, second: &Manifest) -> StoreError {
    StoreError::RowsLost {
        group: first.spine.group.to_string(),
        spine: first.rows_in_parts(),
        joined: second.rows_in_parts(),
    }
}

fn differing(a: &ArrayRef, b: &ArrayRef) -> Result<u64, StoreError> {
    let differ: BooleanArray = distinct(a, b)?;
    Ok(differ.true_count() as u64)
}

/// Rows of a part, as many as are wanted.
struct Rows<I> {
    batches: I,
    held: RecordBatch,
}

impl<I: Iterator<Item = Result<RecordBatch, StoreError>>> Rows<I> {
    /// The next rows; `None` where there are not so many.
    fn take(&mut self, rows: usize) -> Result<Option<RecordBatch>, StoreError> {
        while self.held.num_rows() < rows {
            let Some(next) = self.batches.next() else {
                return Ok(None);
            };
            let next = next?;
            self.held = if self.held.num_rows() == 0 {
                next
            } else {
                concat_batches(&next.schema(), [&self.held, &next])?
            };
        }
        let taken = self.held.slice(0, rows);
        self.held = self.held.slice(rows, self.held.num_rows() - rows);
        Ok(Some(taken))
    }
}
