//! What a group holds: counts, times, and every column's values, in one pass over its newest version in total order.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{ColumnName, EventTime, FeatureGroup, GroupRef, IngestMode, WallTime};
use futures::TryStreamExt;
use serde::Serialize;

use crate::dataset::{ColumnStatistics, StatisticsCollector};
use crate::query::superseded::Superseded;
use crate::scan::order::{comparators, compare};
use crate::storage::{PinAt, Store, group_schema, pin_group};
use crate::{StoreError, scan_group};

/// What a group holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupStatistics {
    /// The group.
    pub group: GroupRef,
    /// The Delta version that was looked at.
    pub delta_version: i64,
    /// When it was committed.
    pub committed_at: WallTime,
    /// Rows that readers see.
    pub rows: u64,
    /// Rows that a later one with the same key and time hides; they are kept.
    pub superseded: u64,
    /// Different keys.
    pub entities: u64,
    /// The smallest event time; `None`: no rows, or a static group.
    pub first_event_time: Option<EventTime>,
    /// The largest event time.
    pub last_event_time: Option<EventTime>,
    /// Data files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// The declared columns, over the rows that readers see.
    pub columns: Vec<ColumnStatistics>,
}

/// Looks at the newest version of a group.
///
/// # Errors
/// As [`pin_group`] and [`scan_group`].
pub async fn group_statistics(store: &Store, group: &FeatureGroup) -> Result<GroupStatistics, StoreError> {
    let pin = pin_group(store, group, PinAt::Newest).await?;
    let columns: Vec<ColumnName> = group.stored_columns().into_iter().map(|(name, _)| name).collect();
    let mut rows = scan_group(store, group, &pin, &columns, None).await?.batches;
    let mut pass = Pass::new(group)?;
    while let Some(batch) = rows.try_next().await? {
        pass.see(&batch)?;
    }
    pass.see_last()?;
    let times = pass.times.map(|(first, last)| (EventTime(first), EventTime(last)));
    Ok(GroupStatistics {
        group: group.reference(),
        delta_version: pin.delta_version,
        committed_at: pin.committed_at,
        rows: pass.visible,
        superseded: pass.stored - pass.visible,
        entities: pass.entities,
        first_event_time: times.map(|(first, _)| first),
        last_event_time: times.map(|(_, last)| last),
        files: pin.files.len() as u64,
        bytes: pin.files.iter().map(|file| file.bytes).sum(),
        columns: pass.collector.finish(),
    })
}

/// One pass over the rows.
struct Pass {
    keys: usize,
    event_time: Option<usize>,
    declared: Vec<usize>,
    superseded: Option<Superseded>,
    collector: StatisticsCollector,
    last_key: Option<Vec<ArrayRef>>,
    stored: u64,
    visible: u64,
    entities: u64,
    times: Option<(i64, i64)>,
}

impl Pass {
    fn new(group: &FeatureGroup) -> Result<Self, StoreError> {
        let schema = group_schema(group)?;
        let keys = group.entity.len();
        let identity = keys + usize::from(group.event_time.is_some());
        let superseded = (group.mode == IngestMode::Upsert).then(|| Superseded::new((0..identity).collect()));
        Ok(Self {
            keys,
            event_time: group.event_time.is_some().then_some(keys),
            declared: (0..schema.fields().len()).collect(),
            superseded,
            collector: StatisticsCollector::new(&schema),
            last_key: None,
            stored: 0,
            visible: 0,
            entities: 0,
            times: None,
        })
    }

    fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.stored += batch.num_rows() as u64;
        self.count_entities(batch)?;
        let visible = match &mut self.superseded {
            Some(superseded) => superseded.push(batch)?,
            None => vec![batch.clone()],
        };
        visible.iter().try_for_each(|batch| self.see_visible(batch))
    }

    fn see_last(&mut self) -> Result<(), StoreError> {
        match self.superseded.as_mut().and_then(Superseded::finish) {
            Some(batch) => self.see_visible(&batch),
            None => Ok(()),
        }
    }

    fn see_visible(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.visible += batch.num_rows() as u64;
        if let Some(column) = self.event_time {
            let times = batch.column(column).as_primitive::<TimestampMicrosecondType>();
            if let (Some(first), Some(last)) = (arrow::compute::min(times), arrow::compute::max(times)) {
                let (known_first, known_last) = self.times.unwrap_or((first, last));
                self.times = Some((known_first.min(first), known_last.max(last)));
            }
        }
        self.collector.update(&batch.project(&self.declared)?)
    }

    /// Rows come key by key, so a new key is one that differs from the row before.
    fn count_entities(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let keys: Vec<ArrayRef> = batch.columns().iter().take(self.keys).cloned().collect();
        let is_new = match &self.last_key {
            Some(last) => compare(&comparators(last, &keys)?, 0, 0).is_ne(),
            None => true,
        };
        let within = comparators(&keys, &keys)?;
        let changes = (1..batch.num_rows())
            .filter(|row| compare(&within, row - 1, *row).is_ne())
            .count();
        self.entities += changes as u64 + u64::from(is_new);
        self.last_key = Some(keys.iter().map(|key| key.slice(batch.num_rows() - 1, 1)).collect());
        Ok(())
    }
}
