//! Rows that came late: **a row is late when an earlier ingestion had brought a row of the same entity with a later event time.**
//!
//! Its lateness is the time between the two. A row with the entity and event time of a row that an earlier ingestion brought is a
//! correction. One pass in total order; memory: the times of one entity.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::{ColumnName, Duration, EventTime, FeatureGroup, GroupRef, KnownAt};
use futures::TryStreamExt;
use serde::Serialize;

use crate::scan::order::{comparators, compare};
use crate::storage::{INGEST_ID, KNOWN_AT, PinAt, Store, pin_group};
use crate::{StoreError, scan_group};

/// What came late into a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lateness {
    /// The group.
    pub group: GroupRef,
    /// The Delta version that was looked at.
    pub delta_version: i64,
    /// Every ingestion, in order.
    pub ingestions: Vec<IngestionLateness>,
    /// The rows that came latest, latest first.
    pub latest: Vec<LateRow>,
}

/// What of an ingestion came late.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IngestionLateness {
    /// Its number.
    pub ingest_id: i64,
    /// When it was made.
    pub known_at: KnownAt,
    /// Its rows.
    pub rows: u64,
    /// Those that came late.
    pub late: u64,
    /// Those that correct an earlier row.
    pub corrections: u64,
    /// The mean lateness of the late rows, in microseconds.
    pub mean_micros: Option<i64>,
    /// The largest lateness.
    pub longest: Option<Duration>,
}

/// A row that came late.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LateRow {
    /// How late, in microseconds.
    pub late_micros: i64,
    /// Its key, as text, in the order of the group's entity columns.
    pub key: Vec<String>,
    /// Its event time.
    pub event_time: EventTime,
    /// The ingestion that brought it.
    pub ingest_id: i64,
}

/// Looks for late rows in the newest version of a group; `most` is how many of the latest are named.
///
/// # Errors
/// As [`pin_group`] and [`scan_group`].
pub async fn late_rows(store: &Store, group: &FeatureGroup, most: usize) -> Result<Lateness, StoreError> {
    let pin = pin_group(store, group, PinAt::Newest).await?;
    let keys = group.entity.iter().map(|column| column.name.clone());
    let columns: Vec<ColumnName> = keys.chain(group.event_time.clone()).collect();
    let mut rows = scan_group(store, group, &pin, &columns, None).await?.batches;
    let mut pass = Pass {
        keys: group.entity.len(),
        is_timed: group.event_time.is_some(),
        most,
        last_key: None,
        open: Vec::new(),
        ingestions: BTreeMap::new(),
        latest: BinaryHeap::new(),
    };
    while let Some(batch) = rows.try_next().await? {
        pass.see(&batch)?;
    }
    pass.close()?;
    Ok(Lateness {
        group: group.reference(),
        delta_version: pin.delta_version,
        ingestions: pass.ingestions.into_iter().map(|(id, sums)| sums.named(id)).collect(),
        latest: pass
            .latest
            .into_sorted_vec()
            .into_iter()
            .map(|Reverse(row)| row)
            .collect(),
    })
}

/// Counts of one ingestion.
#[derive(Debug, Default)]
struct Sums {
    known_at: i64,
    rows: u64,
    late: u64,
    corrections: u64,
    micros: i128,
    longest: i64,
}

impl Sums {
    fn named(self, ingest_id: i64) -> IngestionLateness {
        let is_late = self.late > 0;
        let mean = i64::try_from(self.micros / i128::from(self.late.max(1))).unwrap_or(i64::MAX);
        IngestionLateness {
            ingest_id,
            known_at: KnownAt(self.known_at),
            rows: self.rows,
            late: self.late,
            corrections: self.corrections,
            mean_micros: is_late.then_some(mean),
            longest: is_late.then(|| Duration::from_micros(self.longest)).flatten(),
        }
    }
}

struct Pass {
    keys: usize,
    is_timed: bool,
    most: usize,
    last_key: Option<Vec<ArrayRef>>,
    /// Event time and ingestion of the rows of the last key, in total order.
    open: Vec<(i64, i64)>,
    ingestions: BTreeMap<i64, Sums>,
    latest: BinaryHeap<Reverse<LateRow>>,
}

impl Pass {
    fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let keys: Vec<ArrayRef> = batch.columns().iter().take(self.keys).cloned().collect();
        let times = self
            .is_timed
            .then(|| batch.column(self.keys).as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(ids), Some(known)) = (number(batch, INGEST_ID), clock(batch, KNOWN_AT)) else {
            return Ok(());
        };
        let within = comparators(&keys, &keys)?;
        for row in 0..batch.num_rows() {
            let is_same = match (row, &self.last_key) {
                (0, Some(last)) => compare(&comparators(last, &keys)?, 0, 0).is_eq(),
                (0, None) => false,
                _ => compare(&within, row - 1, row).is_eq(),
            };
            if !is_same {
                self.close()?;
                self.last_key = Some(keys.iter().map(|key| key.slice(row, 1)).collect());
            }
            let sums = self.ingestions.entry(ids.value(row)).or_default();
            sums.known_at = known.value(row);
            sums.rows += 1;
            if let Some(Some(times)) = times {
                self.open.push((times.value(row), ids.value(row)));
            }
        }
        Ok(())
    }

    /// Judges the rows of the last key.
    fn close(&mut self) -> Result<(), StoreError> {
        let open = std::mem::take(&mut self.open);
        // The newest event time that each ingestion, or one before it, had brought.
        let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
        for (time, id) in &open {
            let best = newest.entry(*id).or_insert(i64::MIN);
            *best = (*best).max(*time);
        }
        let mut so_far = i64::MIN;
        for best in newest.values_mut() {
            so_far = so_far.max(*best);
            *best = so_far;
        }
        for (at, (time, id)) in open.iter().enumerate() {
            let before = newest.range(..id).next_back().map(|(_, best)| *best);
            let late = before.map_or(0, |best| best.saturating_sub(*time));
            // Rows of one event time stand in the order of their ingestions.
            let is_correction = at
                .checked_sub(1)
                .and_then(|before| open.get(before))
                .is_some_and(|(t, i)| t == time && i < id);
            let Some(sums) = self.ingestions.get_mut(id) else {
                continue;
            };
            sums.corrections += u64::from(is_correction);
            if late > 0 && !is_correction {
                sums.late += 1;
                sums.micros += i128::from(late);
                sums.longest = sums.longest.max(late);
                self.name(late, *time, *id)?;
            }
        }
        Ok(())
    }

    /// Keeps a late row if it is among the latest so far.
    fn name(&mut self, late_micros: i64, event_time: i64, ingest_id: i64) -> Result<(), StoreError> {
        let least = self.latest.peek().map(|Reverse(row)| row.late_micros);
        if self.latest.len() >= self.most && least.is_none_or(|least| least >= late_micros) {
            return Ok(());
        }
        let options = FormatOptions::default().with_null("");
        let cell = |key: &ArrayRef| Ok(ArrayFormatter::try_new(key.as_ref(), &options)?.value(0).to_string());
        let key = self
            .last_key
            .iter()
            .flatten()
            .map(cell)
            .collect::<Result<_, StoreError>>()?;
        let event_time = EventTime(event_time);
        self.latest.push(Reverse(LateRow {
            late_micros,
            key,
            event_time,
            ingest_id,
        }));
        if self.latest.len() > self.most {
            self.latest.pop();
        }
        Ok(())
    }
}

fn number<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a arrow::array::PrimitiveArray<Int64Type>> {
    batch.column_by_name(name)?.as_primitive_opt()
}

fn clock<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a arrow::array::PrimitiveArray<TimestampMicrosecondType>> {
    batch.column_by_name(name)?.as_primitive_opt()
}
