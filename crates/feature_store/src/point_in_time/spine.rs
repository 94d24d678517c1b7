//! The spine as a join reads it: stretch by stretch, by place, wherever its rows lie.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};

use super::group::Group;
use super::run::Materialized;
use crate::StoreError;

/// Rows that are looked at together to see whether a spine is in order.
const CHECKED_ROWS: usize = 65_536;

/// The rows that groups are joined to.
#[derive(Debug)]
pub(super) struct Spine {
    rows: Arc<Materialized>,
    event_time: String,
}

/// Some rows of it.
#[derive(Debug)]
pub(super) struct SpinePiece {
    /// The columns that were read.
    pub batch: RecordBatch,
    times: ArrayRef,
}

impl Spine {
    /// These rows, whose times are in this column.
    ///
    /// # Errors
    /// `UnsupportedType` for times that are none.
    pub(super) fn new(rows: Arc<Materialized>, event_time: String) -> Result<Self, StoreError> {
        let spine = Self { rows, event_time };
        spine.read(0..0)?.times()?;
        Ok(spine)
    }

    /// Their number.
    pub(super) fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// Some rows, with every column.
    pub(super) fn read(&self, rows: Range<usize>) -> Result<SpinePiece, StoreError> {
        self.read_columns(self.rows.schema(), rows)
    }

    /// Some rows, with these columns and the times.
    pub(super) fn read_keys(&self, names: &[String], rows: Range<usize>) -> Result<SpinePiece, StoreError> {
        let fields = self.rows.schema().fields().iter();
        let fields = fields.filter(|field| *field.name() == self.event_time || names.contains(field.name()));
        self.read_columns(&Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())), rows)
    }

    fn read_columns(&self, columns: &SchemaRef, rows: Range<usize>) -> Result<SpinePiece, StoreError> {
        let batch = self.rows.read(columns, std::slice::from_ref(&rows))?;
        let times = batch.column_by_name(&self.event_time).cloned();
        let times = times.ok_or_else(|| unknown(&self.event_time))?;
        Ok(SpinePiece { batch, times })
    }

    /// Whether the rows are in the order of these columns, which are the group's key, then of their times.
    pub(super) fn is_in_order(&self, group: &Group, on: &[String]) -> Result<bool, StoreError> {
        let mut last: Option<(Box<[u8]>, i64)> = None;
        for from in (0..self.rows()).step_by(CHECKED_ROWS) {
            let piece = self.read_keys(on, from..self.rows().min(from + CHECKED_ROWS))?;
            let rows = group.spine_rows(&group.check_keys(&piece.keys(on)?, piece.rows())?, piece.times()?)?;
            let stretches = &rows.stretches;
            if !stretches.are_ascending() {
                return Ok(false);
            }
            for stretch in 0..stretches.len() {
                let times = rows.times.get(stretches.rows(stretch)).unwrap_or_default();
                if !times.is_sorted() {
                    return Ok(false);
                }
            }
            let first = (
                stretches.key(0),
                rows.times.get(stretches.rows(0)).and_then(<[i64]>::first),
            );
            if let (Some((key, time)), (next, Some(next_time))) = (&last, first)
                && (next, *next_time) < (key.as_ref(), *time)
            {
                return Ok(false);
            }
            if let Some(end) = stretches.len().checked_sub(1) {
                let newest = rows.times.get(stretches.rows(end)).and_then(<[i64]>::last);
                last = newest.map(|time| (stretches.key(end).into(), *time));
            }
        }
        Ok(true)
    }
}

impl SpinePiece {
    /// Their number.
    pub(super) fn rows(&self) -> usize {
        self.times.len()
    }

    /// Their times.
    pub(super) fn times(&self) -> Result<&[i64], StoreError> {
        let times = self.times.as_primitive_opt::<TimestampMicrosecondType>();
        let times = times.ok_or_else(|| StoreError::UnsupportedType {
            column: "event time of the spine".to_owned(),
            found: self.times.data_type().to_string(),
        })?;
        Ok(times.values())
    }

    /// These columns, with their names.
    pub(super) fn keys(&self, names: &[String]) -> Result<Vec<(String, ArrayRef)>, StoreError> {
        let key = |name: &String| {
            let column = self.batch.column_by_name(name);
            column
                .map(|column| (name.clone(), column.clone()))
                .ok_or_else(|| unknown(name))
        };
        names.iter().map(key).collect()
    }
}

fn unknown(name: &str) -> StoreError {
    StoreError::UnknownColumn {
        group: "the spine".to_owned(),
        column: name.to_owned(),
    }
}
