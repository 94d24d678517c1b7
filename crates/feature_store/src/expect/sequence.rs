//! Expectations about the rows of an entity in the order of their event times: which way a column goes, and how far rows are apart.
//!
//! Rows come key by key and in time order, so the entity's last row is all that has to be remembered.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::{Duration, EventTime, FeatureGroup, Monotonic};

use super::Finding;
use crate::StoreError;
use crate::scan::order::{comparators, compare};

/// Where one entity's rows end and the next one's begin, batch after batch.
pub(super) struct Entities {
    names: Vec<String>,
    last: Option<Vec<ArrayRef>>,
}

/// The rows of one entity in a batch.
pub(super) struct Stretch {
    /// The rows.
    pub rows: Range<usize>,
    /// Whether the batch before ended with the same entity.
    pub continues: bool,
}

impl Entities {
    /// For the rows of a group.
    pub(super) fn of(group: &FeatureGroup) -> Self {
        Self {
            names: group.entity.iter().map(|column| column.name.to_string()).collect(),
            last: None,
        }
    }

    /// The stretches of a batch, whose first columns are the key.
    pub(super) fn stretches(&mut self, batch: &RecordBatch) -> Result<Vec<Stretch>, StoreError> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let keys: Vec<ArrayRef> = batch.columns().iter().take(self.names.len()).cloned().collect();
        let mut continues = match &self.last {
            Some(last) => compare(&comparators(last, &keys)?, 0, 0).is_eq(),
            None => false,
        };
        let within = comparators(&keys, &keys)?;
        let (mut stretches, mut start) = (Vec::new(), 0);
        for row in 1..=rows {
            if row == rows || compare(&within, row - 1, row).is_ne() {
                stretches.push(Stretch {
                    rows: start..row,
                    continues,
                });
                (start, continues) = (row, false);
            }
        }
        self.last = Some(keys.iter().map(|key| key.slice(rows - 1, 1)).collect());
        Ok(stretches)
    }

    /// The entity of a row, for people.
    pub(super) fn shown(&self, batch: &RecordBatch, row: usize) -> Result<String, StoreError> {
        let cell = |(name, column): (&String, &ArrayRef)| Ok(format!("`{name}` = `{}`", shown(column, row)?));
        let cells: Vec<String> = self
            .names
            .iter()
            .zip(batch.columns())
            .map(cell)
            .collect::<Result<_, StoreError>>()?;
        Ok(cells.join(", "))
    }
}

/// A value, for people.
pub(super) fn shown(column: &ArrayRef, row: usize) -> Result<String, StoreError> {
    let options = FormatOptions::default().with_null("NULL");
    Ok(ArrayFormatter::try_new(column, &options)?.value(row).to_string())
}

/// A column that goes one way.
pub(super) struct Way {
    way: Monotonic,
    column: usize,
    name: String,
    last: Option<ArrayRef>,
    broken: u64,
    first: Option<String>,
}

impl Way {
    /// For a column by its place and name.
    pub(super) fn new(way: Monotonic, column: usize, name: String) -> Self {
        Self {
            way,
            column,
            name,
            last: None,
            broken: 0,
            first: None,
        }
    }

    /// Takes in the rows of an entity. NULLs say nothing.
    pub(super) fn see(
        &mut self,
        batch: &RecordBatch,
        stretch: &Stretch,
        entities: &Entities,
    ) -> Result<(), StoreError> {
        let values = batch.column(self.column);
        let mut before = self.last.take().filter(|_| stretch.continues);
        let within = comparators(std::slice::from_ref(values), std::slice::from_ref(values))?;
        let mut last: Option<usize> = None;
        for row in stretch.rows.clone().filter(|row| values.is_valid(*row)) {
            let order = match (last, &before) {
                (Some(last), _) => Some(compare(&within, row, last)),
                (None, Some(before)) => {
                    let across = comparators(std::slice::from_ref(values), std::slice::from_ref(before))?;
                    Some(compare(&across, row, 0))
                }
                (None, None) => None,
            };
            if order.is_some_and(|order| !self.way.allows(order)) {
                self.broken += 1;
                if self.first.is_none() {
                    let from = match (last, &before) {
                        (Some(last), _) => shown(values, last)?,
                        (None, Some(before)) => shown(before, 0)?,
                        (None, None) => String::new(),
                    };
                    let (to, entity) = (shown(values, row)?, entities.shown(batch, row)?);
                    self.first = Some(format!("from `{from}` to `{to}` for {entity}"));
                }
            }
            last = Some(row);
            before = None;
        }
        self.last = last.map(|row| values.slice(row, 1)).or(before);
        Ok(())
    }

    /// What speaks against it.
    pub(super) fn finish(self) -> Option<Finding> {
        let first = self.first?;
        let way = self.way.word().replace('_', " ");
        let times = if self.broken == 1 {
            "once".to_owned()
        } else {
            format!("{} times, first", self.broken)
        };
        Some(Finding {
            found: format!("`{}` is not {way}: {times} {first}", self.name),
            instead: None,
        })
    }
}

/// Rows that are no further apart than so.
pub(super) struct Gaps {
    limit: Duration,
    time: usize,
    last: Option<i64>,
    broken: u64,
    longest: i64,
    first: Option<String>,
}

impl Gaps {
    /// For the event time by its column's place.
    pub(super) fn new(limit: Duration, time: usize) -> Self {
        Self {
            limit,
            time,
            last: None,
            broken: 0,
            longest: 0,
            first: None,
        }
    }

    /// Takes in the rows of an entity.
    pub(super) fn see(
        &mut self,
        batch: &RecordBatch,
        stretch: &Stretch,
        entities: &Entities,
    ) -> Result<(), StoreError> {
        let Some(times) = batch.column(self.time).as_primitive_opt::<TimestampMicrosecondType>() else {
            return Ok(());
        };
        let mut last = self.last.take().filter(|_| stretch.continues);
        for row in stretch.rows.clone() {
            let time = times.value(row);
            let gap = last.map_or(0, |last| time.saturating_sub(last));
            if gap > self.limit.micros() {
                self.broken += 1;
                self.longest = self.longest.max(gap);
                if let (None, Some(last)) = (&self.first, last) {
                    let (from, to) = (EventTime(last), EventTime(time));
                    self.first = Some(format!(
                        "{} has no row from {from} to {to}",
                        entities.shown(batch, row)?
                    ));
                }
            }
            last = Some(time);
        }
        self.last = last;
        Ok(())
    }

    /// What speaks against it.
    pub(super) fn finish(self) -> Option<Finding> {
        let first = self.first?;
        let longest = Duration::from_micros(self.longest).unwrap_or_default();
        let gaps = if self.broken == 1 {
            format!("found one of {longest}")
        } else {
            format!("found {}, the longest {longest}", self.broken)
        };
        Some(Finding {
            found: format!("{first}: wanted no gap above {}, {gaps}", self.limit),
            instead: Some(format!("max_gap = \"{longest}\"")),
        })
    }
}
