//! Where values are missing: rows and NULLs in stretches of time of equal length.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use definitions::EventTime;

use crate::dataset::Manifest;

/// Stretches of time.
pub const MISSING_BUCKETS: usize = 48;

/// Rows and NULLs over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Where the first stretch begins.
    pub from: EventTime,
    /// Where the last one ends: the last event time.
    pub to: EventTime,
    /// Rows in each stretch.
    pub rows: Vec<u64>,
    /// Columns with a NULL anywhere, in the dataset's order, with the NULLs in each stretch.
    pub columns: Vec<(String, Vec<u64>)>,
}

pub(super) struct MissingCollector {
    names: Vec<String>,
    from: i64,
    to: i64,
    rows: Vec<u64>,
    nulls: BTreeMap<String, Vec<u64>>,
}

impl MissingCollector {
    /// Nothing yet; `None` where no row has a time.
    pub(super) fn new(manifest: &Manifest, names: Vec<String>) -> Option<Self> {
        let from = manifest.parts.iter().filter_map(|part| part.first_event_time).min()?;
        let to = manifest.parts.iter().filter_map(|part| part.last_event_time).max()?;
        Some(Self {
            names,
            from: from.0,
            to: to.0,
            rows: vec![0; MISSING_BUCKETS],
            nulls: BTreeMap::new(),
        })
    }

    fn bucket(&self, time: i64) -> usize {
        let (off, span) = (
            i128::from(time) - i128::from(self.from),
            i128::from(self.to) - i128::from(self.from) + 1,
        );
        let bucket = off * MISSING_BUCKETS as i128 / span;
        usize::try_from(bucket).unwrap_or(0).min(MISSING_BUCKETS - 1)
    }

    /// Takes in the next rows; each is counted in one pass only.
    pub(super) fn update(&mut self, batch: &RecordBatch, time: &str, counts_rows: bool) {
        let times = batch.column_by_name(time);
        let Some(times) = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>()) else {
            return;
        };
        let buckets: Vec<usize> = times.values().iter().map(|time| self.bucket(*time)).collect();
        if counts_rows {
            buckets.iter().for_each(|bucket| add(&mut self.rows, *bucket));
        }
        for field in batch.schema().fields() {
            let name = field.name();
            let Some(array) = batch.column_by_name(name).filter(|_| self.names.contains(name)) else {
                continue;
            };
            if array.null_count() == 0 {
                continue;
            }
            let nulls = self
                .nulls
                .entry(name.clone())
                .or_insert_with(|| vec![0; MISSING_BUCKETS]);
            let missing = buckets.iter().enumerate().filter(|(row, _)| array.is_null(*row));
            missing.for_each(|(_, bucket)| add(nulls, *bucket));
        }
    }

    pub(super) fn finish(mut self) -> Missing {
        let nulls = &mut self.nulls;
        let columns = self.names.into_iter();
        Missing {
            from: EventTime(self.from),
            to: EventTime(self.to),
            rows: self.rows,
            columns: columns
                .filter_map(|name| nulls.remove(&name).map(|counts| (name, counts)))
                .collect(),
        }
    }
}

fn add(counts: &mut [u64], bucket: usize) {
    if let Some(count) = counts.get_mut(bucket) {
        *count += 1;
    }
}
