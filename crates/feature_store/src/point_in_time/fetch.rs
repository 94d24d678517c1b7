//! Values of the rows that were chosen: read late, and only from the first to the last of rows that lie close together.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;

use super::group::{Group, Matches, NOTHING, Place};
use crate::StoreError;

/// Decoding so many rows in between costs less than skipping them.
const CLOSE: usize = 16;

/// Rows that were read, and which of them each place is.
struct Fetched {
    rows: RecordBatch,
    at: UInt32Array,
}

/// Columns that follow the same places.
pub(super) struct Lane<'a> {
    /// Which of the group's values they are.
    pub columns: Vec<usize>,
    /// Where each row gets them from.
    pub places: &'a [Place],
}

impl Group {
    /// The group's values for the rows that were matched, in the order of its columns.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn values_of(&self, matches: &Matches) -> Result<Vec<ArrayRef>, StoreError> {
        let mut values: Vec<(usize, ArrayRef)> = Vec::new();
        for lane in self.lanes(matches) {
            let Fetched { rows, at } = self.fetch(&lane)?;
            for (column, array) in lane.columns.iter().zip(rows.columns()) {
                values.push((*column, take(array, &at, None)?));
            }
        }
        values.sort_by_key(|(column, _)| *column);
        Ok(values.into_iter().map(|(_, array)| array).collect())
    }

    /// The chosen rows' columns together, and each filled column by itself.
    pub(super) fn lanes<'a>(&self, matches: &'a Matches) -> Vec<Lane<'a>> {
        let fill = |column: &usize| {
            let name = self.columns.values.get(*column);
            self.columns.last_known.iter().position(|filled| Some(filled) == name)
        };
        let plain: Vec<usize> = (0..self.values.fields().len())
            .filter(|column| fill(column).is_none())
            .collect();
        let mut lanes = vec![Lane {
            columns: plain,
            places: &matches.chosen,
        }];
        for column in 0..self.values.fields().len() {
            if let Some(places) = fill(&column).and_then(|filled| matches.filled.get(filled)) {
                lanes.push(Lane {
                    columns: vec![column],
                    places,
                });
            }
        }
        lanes.retain(|lane| !lane.columns.is_empty());
        lanes
    }

    /// The values of a lane: each row that is seen once, and for each place which of them it is.
    pub(super) fn kept_of(&self, lane: &Lane<'_>) -> Result<(RecordBatch, Vec<Option<u32>>), StoreError> {
        let mut seen: Vec<Place> = lane.places.iter().copied().filter(|place| *place != NOTHING).collect();
        seen.sort_unstable();
        seen.dedup();
        let once = Lane {
            columns: lane.columns.clone(),
            places: &seen,
        };
        let Fetched { rows, at } = self.fetch(&once)?;
        let columns = rows
            .columns()
            .iter()
            .map(|array| take(array, &at, None))
            .collect::<Result<Vec<_>, _>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(seen.len()));
        let kept = RecordBatch::try_new_with_options(rows.schema(), columns, &options)?;
        let number = |place: &Place| seen.binary_search(place).ok().map(|at| at as u32);
        Ok((kept, lane.places.iter().map(number).collect()))
    }

    fn fetch(&self, lane: &Lane<'_>) -> Result<Fetched, StoreError> {
        let schema: SchemaRef = Arc::new(self.values.project(&lane.columns)?);
        let mut at: Vec<Option<u32>> = vec![None; lane.places.len()];
        let mut batches = Vec::new();
        let mut before = 0;
        for (number, run) in self.runs.iter().enumerate() {
            let rows = rows_of(lane.places, number as u32);
            if rows.is_empty() {
                continue;
            }
            let stretches = stretches(&rows);
            let batch = run.read(&schema, &stretches)?;
            self.work.fetched(batch.num_rows());
            let index = Index::new(&stretches, before);
            for (slot, (_, row)) in at
                .iter_mut()
                .zip(lane.places)
                .filter(|(_, (run, _))| *run as usize == number)
            {
                *slot = index.of(*row as usize);
            }
            before += batch.num_rows();
            batches.push(batch);
        }
        let rows = match batches.as_slice() {
            [only] => only.clone(),
            _ => concat_batches(&schema, &batches)?,
        };
        Ok(Fetched { rows, at: at.into() })
    }
}

/// The rows of a run among these places, ascending, each once.
fn rows_of(places: &[Place], number: u32) -> Vec<usize> {
    let of_run = places
        .iter()
        .filter(|(run, row)| *run == number && (*run, *row) != NOTHING);
    let mut rows: Vec<usize> = of_run.map(|(_, row)| *row as usize).collect();
    if !rows.is_sorted() {
        rows.sort_unstable();
    }
    rows.dedup();
    rows
}

/// What to read for these rows: from the first to the last of those that lie close to each other, so that what is decoded is bounded by what is
/// wanted.
fn stretches(rows: &[usize]) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for row in rows {
        match stretches.last_mut() {
            Some(last) if *row < last.end + CLOSE => last.end = row + 1,
            _ => stretches.push(*row..*row + 1),
        }
    }
    stretches
}

/// Where a row of a run went in the batch that was read.
pub(super) struct Index {
    stretches: Vec<(Range<usize>, usize)>,
}

impl Index {
    /// Of stretches that were read one after the other, after so many other rows.
    pub(super) fn new(stretches: &[Range<usize>], mut before: usize) -> Self {
        let mut all = Vec::with_capacity(stretches.len());
        for rows in stretches {
            all.push((rows.clone(), before));
            before += rows.len();
        }
        Self { stretches: all }
    }

    fn of(&self, row: usize) -> Option<u32> {
        let at = self.stretches.partition_point(|(rows, _)| rows.end <= row);
        let (rows, before) = self.stretches.get(at)?;
        rows.contains(&row).then(|| (before + row - rows.start) as u32)
    }
}
