//! Who set a value: the revisions of one row, and where each came from.
//!
//! A row is a whole: a revision sets all of its values. So a value was set by the earliest of the last revisions that all agree on it, as
//! a line of a file was by the last change to it. One pass over the group's newest version; memory: the revisions of one row.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::{ColumnName, EventTime, FeatureGroup, GroupRef, KnownAt, WallTime};
use futures::TryStreamExt;
use serde::Serialize;

use crate::entity::Entity;
use crate::ingest::{IngestReceipt, ingestions, line_of_row};
use crate::periods::{Periods, VALID_TO};
use crate::storage::{INGEST_ID, KNOWN_AT, PinAt, ROW_NUMBER, Store, pin_group};
use crate::{StoreError, scan_group};

/// Who set the values of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blame {
    /// The group.
    pub group: GroupRef,
    /// The Delta version that was looked at.
    pub delta_version: i64,
    /// The row's event time; `None` in a static group.
    pub event_time: Option<EventTime>,
    /// Every feature: its value, and the revision that set it.
    pub values: Vec<BlamedValue>,
    /// Every revision of the row, in the order in which readers take them: the last one counts.
    pub revisions: Vec<Revision>,
}

/// A value and who set it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlamedValue {
    /// The feature.
    pub column: ColumnName,
    /// Its value as text; `None`: NULL.
    pub value: Option<String>,
    /// The revision that set it, by its place among the revisions.
    pub set_by: usize,
}

/// One revision of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Revision {
    /// The number of its ingestion.
    pub ingest_id: i64,
    /// From when it stood.
    pub valid_from: KnownAt,
    /// Until when; `None`: it stands.
    pub valid_to: Option<KnownAt>,
    /// When its ingestion was committed; `None` where the log has no receipt of it, as when another program wrote the row.
    pub committed_at: Option<WallTime>,
    /// Where it came from; `None` as above.
    pub origin: Option<Origin>,
    /// The values of the features, as text; `None`: NULL.
    pub values: Vec<Option<String>>,
}

/// A row of a file, or the groups that a row was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file, as it was named at its ingestion; of a derived row its sources at their versions.
    pub file: String,
    /// The row in it, from 1; `None` for a derived row.
    pub row: Option<u64>,
    /// The line on which the row starts, where the file still lies there as it was.
    pub line: Option<u64>,
}

/// Looks for the row of an entity at a time: the last one up to it. Without a time, the newest; `None` where there is no such row.
///
/// # Errors
/// As [`pin_group`] and [`scan_group`].
pub async fn blame(
    store: &Store,
    group: &FeatureGroup,
    entity: &Entity,
    at: Option<EventTime>,
) -> Result<Option<Blame>, StoreError> {
    let pin = pin_group(store, group, PinAt::Newest).await?;
    let columns: Vec<ColumnName> = group.stored_columns().into_iter().map(|(name, _)| name).collect();
    let mut rows = scan_group(store, group, &pin, &columns, None).await?.batches;
    let time = group.event_time.as_ref().map(|_| group.entity.len());
    let mut found = Found {
        time,
        at,
        revisions: Vec::new(),
    };
    while let Some(batch) = rows.try_next().await? {
        let of_entity = entity.rows_of(&batch)?;
        if of_entity.true_count() > 0 {
            found.see(&filter_record_batch(&batch, &of_entity)?)?;
        }
    }
    let Some(revisions) = found.periods(group)? else {
        return Ok(None);
    };
    let receipts = ingestions(store, group).await?;
    let event_time = time.and_then(|time| times(revisions.column(time))?.first().copied());
    let mut told = Vec::with_capacity(revisions.num_rows());
    for row in 0..revisions.num_rows() {
        told.push(revision(store, group, &revisions, row, &receipts).await?);
    }
    Ok(Some(Blame {
        group: group.reference(),
        delta_version: pin.delta_version,
        event_time: event_time.map(EventTime),
        values: blamed(group, &told),
        revisions: told,
    }))
}

/// The revisions of the last row so far.
struct Found {
    time: Option<usize>,
    at: Option<EventTime>,
    revisions: Vec<RecordBatch>,
}

impl Found {
    /// Takes in rows of the entity, which come in the order of their event times.
    fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let Some(time) = self.time else {
            self.revisions.push(batch.clone());
            return Ok(());
        };
        let Some(stamps) = times(batch.column(time)) else {
            return Ok(());
        };
        let upto = match self.at {
            Some(at) => stamps.partition_point(|time| *time <= at.0),
            None => stamps.len(),
        };
        let Some(newest) = stamps.get(..upto).and_then(<[i64]>::last) else {
            return Ok(());
        };
        let start = stamps.partition_point(|time| time < newest);
        let held = self
            .revisions
            .last()
            .and_then(|held| times(held.column(time))?.last().copied());
        if held != Some(*newest) {
            self.revisions.clear();
        }
        self.revisions.push(batch.slice(start, upto - start));
        Ok(())
    }

    /// All of them with their periods.
    fn periods(self, group: &FeatureGroup) -> Result<Option<RecordBatch>, StoreError> {
        let mut periods = Periods::new(group.entity.len() + usize::from(self.time.is_some()));
        let mut out = Vec::new();
        for batch in &self.revisions {
            out.extend(periods.push(batch)?);
        }
        out.extend(periods.finish()?);
        let Some(first) = out.first() else { return Ok(None) };
        Ok(Some(concat_batches(&first.schema(), &out)?))
    }
}

fn times(column: &ArrayRef) -> Option<&[i64]> {
    Some(column.as_primitive_opt::<TimestampMicrosecondType>()?.values())
}

async fn revision(
    store: &Store,
    group: &FeatureGroup,
    batch: &RecordBatch,
    row: usize,
    receipts: &[IngestReceipt],
) -> Result<Revision, StoreError> {
    let number = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        Some(column.value(row))
    };
    let time = |name: &str| {
        let column = batch
            .column_by_name(name)?
            .as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let ingest_id = number(INGEST_ID).unwrap_or_default();
    let receipt = receipts.iter().find(|receipt| receipt.ingest_id == ingest_id);
    let origin = match (receipt, number(ROW_NUMBER)) {
        (Some(receipt), Some(number)) => origin(store, group, receipt, number).await,
        _ => None,
    };
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let value = |feature: &definitions::Feature| -> Result<Option<String>, StoreError> {
        let Some(column) = batch.column_by_name(feature.name.as_str()) else {
            return Ok(None);
        };
        let text = || Ok(ArrayFormatter::try_new(column, &options)?.value(row).to_string());
        column.is_valid(row).then(text).transpose()
    };
    Ok(Revision {
        ingest_id,
        valid_from: KnownAt(time(KNOWN_AT).unwrap_or_default()),
        valid_to: time(VALID_TO).map(KnownAt),
        committed_at: receipt.map(|receipt| receipt.committed_at),
        origin,
        values: group.features.iter().map(value).collect::<Result<_, _>>()?,
    })
}

/// The file and row of a row by its number in its ingestion, which counts the rows of all files in their order.
async fn origin(store: &Store, group: &FeatureGroup, receipt: &IngestReceipt, number: i64) -> Option<Origin> {
    if group.is_derived() {
        let sources: Vec<&str> = receipt.sources.iter().map(|source| source.path.as_str()).collect();
        return Some(Origin {
            file: sources.join(", "),
            row: None,
            line: None,
        });
    }
    let mut row = u64::try_from(number).ok()?;
    for source in &receipt.sources {
        if row < source.rows {
            let (source, group, spill) = (source.clone(), group.clone(), store.spill_folder());
            let file = source.path.clone();
            let look = move || line_of_row(&source, &group, row, Path::new(&spill));
            // A file that cannot be read any more has no line to tell.
            let line = tokio::task::spawn_blocking(look).await.ok().flatten();
            return Some(Origin {
                file,
                row: Some(row + 1),
                line,
            });
        }
        row -= source.rows;
    }
    None
}

/// For every feature the earliest of the last revisions that agree on its value.
fn blamed(group: &FeatureGroup, revisions: &[Revision]) -> Vec<BlamedValue> {
    let value = |(at, feature): (usize, &definitions::Feature)| {
        let of = |revision: &Revision| revision.values.get(at).cloned().flatten();
        let value = revisions.last().and_then(of);
        let agreeing = revisions
            .iter()
            .rev()
            .take_while(|revision| of(revision) == value)
            .count();
        BlamedValue {
            column: feature.name.clone(),
            value,
            set_by: revisions.len() - agreeing,
        }
    };
    group.features.iter().enumerate().map(value).collect()
}
