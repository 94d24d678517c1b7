//! A join whose group has another key than the spine's order: matched in the order of the group's key, wanted in the spine's.
//!
//! The rows that are seen are kept, each once for a stretch of the sorted chunk, and every spine row knows its own.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{SortColumn, interleave, lexsort_to_indices, take};

use super::Outcome;
use super::group::{Group, Matches};
use crate::StoreError;

/// Where a kept row lies: which batch, which row. Batch 0 is one row of NULLs.
type Kept = (u32, u32);

/// What the spine rows get, in any order.
#[derive(Debug)]
pub(super) struct Gathered {
    lanes: Vec<LaneKept>,
    columns: usize,
    /// How often the order of equal event times decided.
    pub tied: u64,
    pub outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct LaneKept {
    columns: Vec<usize>,
    batches: Vec<RecordBatch>,
    kept: Vec<Kept>,
}

/// The places of a spine in the order of its keys, then its times.
pub(super) fn key_order(keys: &[ArrayRef], times: &[i64]) -> Result<UInt32Array, StoreError> {
    let times: ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(times.to_vec()));
    let columns = keys
        .iter()
        .cloned()
        .chain([times])
        .map(|values| SortColumn { values, options: None });
    Ok(lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?)
}

/// Rows of the spine in key order, cut out of it.
pub(super) fn sorted(
    keys: &[ArrayRef],
    times: &[i64],
    order: &UInt32Array,
    rows: Range<usize>,
) -> Result<(Vec<ArrayRef>, Vec<i64>), StoreError> {
    let order = order.slice(rows.start, rows.len());
    let keys = keys
        .iter()
        .map(|key| take(key, &order, None))
        .collect::<Result<Vec<_>, _>>()?;
    let time = |place: &u32| times.get(*place as usize).copied().unwrap_or(i64::MIN);
    Ok((keys, order.values().iter().map(time).collect()))
}

/// What was matched for a stretch of the sorted spine.
pub(super) struct Stretch {
    matches: Matches,
    lanes: Vec<(RecordBatch, Vec<Option<u32>>)>,
}

impl Stretch {
    /// Reads the values of the rows that are seen.
    pub(super) fn new(group: &Group, matches: Matches) -> Result<Self, StoreError> {
        let lanes = group
            .lanes(&matches)
            .iter()
            .map(|lane| group.kept_of(lane))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { matches, lanes })
    }

    /// The memory of what is kept.
    pub(super) fn bytes(&self) -> usize {
        self.lanes.iter().map(|(batch, _)| batch.get_array_memory_size()).sum()
    }
}

impl Gathered {
    /// Nothing yet, for so many rows of the spine.
    pub(super) fn new(group: &Group, rows: usize) -> Result<Self, StoreError> {
        let nothing = Matches {
            outcomes: Vec::new(),
            tied: 0,
            chosen: Vec::new(),
            filled: vec![Vec::new(); group.columns.last_known.len()],
        };
        let lane = |lane: super::fetch::Lane<'_>| -> Result<LaneKept, StoreError> {
            let schema = std::sync::Arc::new(group.values.project(&lane.columns)?);
            let nulls = schema
                .fields()
                .iter()
                .map(|field| new_null_array(field.data_type(), 1))
                .collect();
            Ok(LaneKept {
                columns: lane.columns,
                batches: vec![RecordBatch::try_new(schema, nulls)?],
                kept: vec![(0, 0); rows],
            })
        };
        Ok(Self {
            lanes: group.lanes(&nothing).into_iter().map(lane).collect::<Result<_, _>>()?,
            columns: group.values.fields().len(),
            tied: 0,
            outcomes: vec![Outcome::UnknownEntity; rows],
        })
    }

    /// The memory of what is known of each spine row.
    pub(super) fn bytes(&self) -> usize {
        self.outcomes.len() * (size_of::<Outcome>() + self.lanes.len() * size_of::<Kept>())
    }

    /// Takes in what was matched for these places.
    pub(super) fn take_in(&mut self, places: &[u32], stretch: Stretch) {
        self.tied += stretch.matches.tied;
        for (place, outcome) in places.iter().zip(&stretch.matches.outcomes) {
            if let Some(slot) = self.outcomes.get_mut(*place as usize) {
                *slot = *outcome;
            }
        }
        for (lane, (batch, rows)) in self.lanes.iter_mut().zip(stretch.lanes) {
            let number = lane.batches.len() as u32;
            for (place, row) in places.iter().zip(rows) {
                if let (Some(slot), Some(row)) = (lane.kept.get_mut(*place as usize), row) {
                    *slot = (number, row);
                }
            }
            lane.batches.push(batch);
        }
    }

    /// The values for these spine rows, in the order of the group's columns.
    pub(super) fn values_of(&self, rows: Range<usize>) -> Result<Vec<ArrayRef>, StoreError> {
        let mut values: Vec<Option<ArrayRef>> = vec![None; self.columns];
        for lane in &self.lanes {
            let kept = lane.kept.get(rows.clone()).unwrap_or_default();
            // Only the batches that are needed: interleaving looks at each one it is given.
            let mut needed: Vec<u32> = kept.iter().map(|(batch, _)| *batch).collect();
            needed.sort_unstable();
            needed.dedup();
            let at: Vec<(usize, usize)> = kept
                .iter()
                .map(|(batch, row)| (needed.binary_search(batch).unwrap_or_default(), *row as usize))
                .collect();
            for (place, column) in lane.columns.iter().enumerate() {
                let arrays = needed.iter().filter_map(|batch| lane.batches.get(*batch as usize));
                let arrays: Vec<&dyn Array> = arrays.map(|batch| batch.column(place).as_ref()).collect();
                if let (Some(slot), false) = (values.get_mut(*column), at.is_empty()) {
                    *slot = Some(interleave(&arrays, &at)?);
                }
            }
        }
        Ok(values.into_iter().flatten().collect())
    }
}
