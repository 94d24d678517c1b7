//! Rows of a run that were read to be matched: their keys, and what time says of them.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use definitions::Availability;

use super::keys::{KeyEncoder, Stretches, plain_key};
use super::sweep::Moment;
use super::{GroupColumns, JoinRule};
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError};

/// Which columns are read to be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Keys and event times.
    Times,
    /// Also what decides among equal event times, what was known when, and the columns that are filled.
    All,
}

/// Rows that were read.
pub(super) struct Slice {
    /// Where they lie in the run, in order, and how many rows come before each.
    places: Vec<(Range<usize>, usize)>,
    /// Their keys.
    pub stretches: Stretches,
    batch: RecordBatch,
    event_time: Option<TimestampMicrosecondArray>,
    clocks: Option<Clocks>,
}

struct Clocks {
    known_at: Option<TimestampMicrosecondArray>,
    ingested_at: TimestampMicrosecondArray,
    ingest_id: Int64Array,
    row_number: Int64Array,
}

/// Where a row stands in the total order within its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    event_time: Option<i64>,
    known_at: Option<i64>,
    ingestion: (i64, i64, i64),
}

/// The columns to read, in the group's types.
pub(super) fn schema_of(schema: &Schema, group: &GroupColumns, depth: Depth) -> Result<SchemaRef, StoreError> {
    let mut names: Vec<&str> = Vec::new();
    let hidden = [KNOWN_AT, INGEST_ID, ROW_NUMBER];
    let times = group.keys.iter().chain(&group.event_time).map(String::as_str);
    let more = group
        .known_at
        .iter()
        .map(String::as_str)
        .chain(hidden)
        .chain(group.last_known.iter().map(String::as_str));
    for name in times.chain(more.filter(|_| depth == Depth::All)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    project(schema, names, &group.group)
}

/// These columns of a schema.
pub(super) fn project<'a>(
    schema: &Schema,
    names: impl IntoIterator<Item = &'a str>,
    group: &str,
) -> Result<SchemaRef, StoreError> {
    let find = |name: &str| {
        schema.index_of(name).map_err(|_| StoreError::UnknownColumn {
            group: group.to_owned(),
            column: name.to_owned(),
        })
    };
    let at = names.into_iter().map(find).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(schema.project(&at)?))
}

impl Slice {
    /// The rows of a batch that was read at these places.
    pub(super) fn new(
        batch: RecordBatch,
        places: &[Range<usize>],
        group: &GroupColumns,
        encoder: &KeyEncoder,
        depth: Depth,
    ) -> Result<Self, StoreError> {
        let keys = group
            .keys
            .iter()
            .map(|name| plain_key(name, column(&batch, name, group)?));
        let stretches = encoder.stretches(&keys.collect::<Result<Vec<_>, _>>()?)?;
        let times = |name: &str| column_as::<TimestampMicrosecondType, _>(&batch, name, group);
        let numbers = |name: &str| column_as::<Int64Type, _>(&batch, name, group);
        let clocks = || -> Result<Clocks, StoreError> {
            Ok(Clocks {
                known_at: group.known_at.as_deref().map(times).transpose()?,
                ingested_at: times(KNOWN_AT)?,
                ingest_id: numbers(INGEST_ID)?,
                row_number: numbers(ROW_NUMBER)?,
            })
        };
        let event_time = group.event_time.as_deref().map(times).transpose()?;
        let mut before = 0;
        let place = |rows: &Range<usize>| {
            before += rows.len();
            (rows.clone(), before - rows.len())
        };
        let places = places.iter().map(place).collect();
        let clocks = (depth == Depth::All).then(clocks).transpose()?;
        let slice = Self {
            places,
            stretches,
            event_time,
            clocks,
            batch,
        };
        if slice.is_in_order() {
            Ok(slice)
        } else {
            Err(StoreError::OrderBroken {
                group: group.group.clone(),
            })
        }
    }

    /// Whether the rows are in total order, as far as it was read.
    fn is_in_order(&self) -> bool {
        let in_order = |rows: Range<usize>| match &self.clocks {
            Some(_) => rows
                .clone()
                .zip(rows.skip(1))
                .all(|(row, next)| !self.is_after(row, next)),
            None => self.times(rows).is_none_or(|times| times.is_sorted()),
        };
        self.stretches.are_ascending() && (0..self.stretches.len()).all(|at| in_order(self.stretches.rows(at)))
    }

    /// The rows' event times; `None` where there are none, or one of them is NULL.
    pub(super) fn times(&self, rows: Range<usize>) -> Option<&[i64]> {
        self.event_time
            .as_ref()
            .filter(|times| times.null_count() == 0)
            .and_then(|times| times.values().get(rows))
    }

    /// Whether rows that the event time does not tell apart are among those of one key.
    pub(super) fn has_ties(&self) -> bool {
        (0..self.stretches.len()).any(|at| {
            let rows = self.stretches.rows(at);
            match self.times(rows.clone()) {
                Some(times) => times.iter().zip(times.iter().skip(1)).any(|(time, next)| time == next),
                None => rows.len() > 1 || self.event_time.is_some(),
            }
        })
    }

    /// Where a row lies in the run.
    pub(super) fn place(&self, row: usize) -> usize {
        let at = self.places.partition_point(|(rows, before)| before + rows.len() <= row);
        self.places
            .get(at)
            .map_or(usize::MAX, |(rows, before)| rows.start + row - before)
    }

    /// Whether a column that was read has a value in a row.
    pub(super) fn has_value(&self, column: &str, row: usize) -> bool {
        self.batch
            .column_by_name(column)
            .is_some_and(|column| column.is_valid(row))
    }

    /// What time says of a row.
    pub(super) fn moment(&self, row: usize, rule: &JoinRule) -> Moment {
        let event_time = self
            .event_time
            .as_ref()
            .map(|times| times.is_valid(row).then(|| times.value(row)));
        // Ingest refuses rows without event time; one that is there all the same is never seen.
        let Some(event_time) = event_time.unwrap_or(Some(i64::MIN)) else {
            return Moment {
                event_time: i64::MAX,
                known_from: None,
            };
        };
        let mut known_from = Some(i64::MIN);
        if let Some(clocks) = &self.clocks {
            let ingested_at = clocks.ingested_at.value(row);
            if let Some(declared) = &clocks.known_at {
                known_from = declared.is_valid(row).then(|| declared.value(row));
            }
            if rule.availability == Availability::Ingested {
                known_from = known_from.map(|known| known.max(ingested_at));
            }
            if rule.as_known_at.is_some_and(|limit| ingested_at > limit.0) {
                known_from = None;
            }
        }
        Moment { event_time, known_from }
    }

    /// Where a row stands in the total order.
    pub(super) fn rank(&self, row: usize) -> Rank {
        let time = |times: &TimestampMicrosecondArray| times.is_valid(row).then(|| times.value(row));
        let clocks = self.clocks.as_ref();
        Rank {
            event_time: self.event_time.as_ref().and_then(time),
            known_at: clocks.and_then(|clocks| clocks.known_at.as_ref()).and_then(time),
            ingestion: clocks.map_or((0, 0, 0), |clocks| {
                (
                    clocks.ingested_at.value(row),
                    clocks.ingest_id.value(row),
                    clocks.row_number.value(row),
                )
            }),
        }
    }

    /// Whether a row belongs after the next one of the same key.
    fn is_after(&self, row: usize, next: usize) -> bool {
        let (row, next) = (self.rank(row), self.rank(next));
        match row.event_time.cmp(&next.event_time) {
            Ordering::Less => false,
            Ordering::Greater => true,
            // A NULL is never known, so it does not matter on which side of the others it stands.
            Ordering::Equal if row.known_at.is_some() != next.known_at.is_some() => false,
            Ordering::Equal => row > next,
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str, group: &GroupColumns) -> Result<&'a ArrayRef, StoreError> {
    batch.column_by_name(name).ok_or_else(|| StoreError::UnknownColumn {
        group: group.group.clone(),
        column: name.to_owned(),
    })
}

fn column_as<T, A>(batch: &RecordBatch, name: &str, group: &GroupColumns) -> Result<A, StoreError>
where
    T: arrow::array::ArrowPrimitiveType,
    A: From<arrow::array::ArrayData>,
{
    let column = column(batch, name, group)?;
    match column.as_primitive_opt::<T>() {
        Some(values) => Ok(A::from(values.to_data())),
        None => Err(StoreError::UnsupportedType {
            column: name.to_owned(),
            found: column.data_type().to_string(),
        }),
    }
}
