//! Walking forward over series: **the rows lie in memory once; a fold is a numbering of them.**
//!
//! ```text
//!     borders of all folds      │     │  │    │  │    │  │         event time
//!     stretch of a row       1  │  2  │3 │ 4  │5 │ 6  │7 │ 8       kept, a number a row
//!     fold 1                 1     1   4   2    4   3   4   4      1 train, 2 validation, 3 test, 4 none of them
//!     fold 2                 1     1   1   1    4   2   4   3
//! ```
//!
//! A row's stretch goes by its own event time, not by that of its step. Windows, scales and categories of a fold follow from the numbers as those
//! of the dataset's parts do, so a fold learns from the rows of its train and from no other: rows in gaps and parts can be looked back at, but not
//! learned from. Cost: two bytes a row, and a pass over the rows a fold.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use feature_store::split::Fold;
use learning::{LearningError, Panel, PartNumber};

use super::panel::{GAP, number};
use crate::failure::Outcome;

/// The stretches of time between the borders of folds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretches {
    /// In UTC microseconds, ascending; a border belongs to the stretch after it.
    borders: Vec<i64>,
}

/// The rows of a panel by stretch.
pub struct Walk {
    stretches: Stretches,
    of_rows: Vec<PartNumber>,
}

impl Stretches {
    /// Those of some folds.
    pub fn of(folds: &[Fold]) -> Self {
        let parts = folds.iter().flat_map(|fold| &fold.parts);
        let mut borders: Vec<i64> = parts.flat_map(|part| [part.from.0, part.to.0]).collect();
        borders.sort_unstable();
        borders.dedup();
        Self { borders }
    }

    /// The stretch of each row, from 1.
    pub fn of_rows(&self, batch: &RecordBatch, event_time: &str) -> Outcome<Vec<PartNumber>> {
        let wanted = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let column = batch.column_by_name(event_time).ok_or_else(|| LearningError::Input {
            problems: vec![format!("`{event_time}` is missing")],
        })?;
        let times = cast(column, &wanted).map_err(LearningError::from)?;
        let stretch = |time: i64| 1 + self.borders.partition_point(|border| *border <= time) as PartNumber;
        let times = times.as_primitive::<TimestampMicrosecondType>().iter();
        Ok(times.map(|time| time.map_or(1, stretch)).collect())
    }

    /// The part of each stretch in a fold, by the stretch's number; the first is that of rows that are none.
    fn parts(&self, fold: &Fold) -> Vec<PartNumber> {
        let part = |start: &i64| {
            let own = fold.parts.iter().find(|part| part.holds(*start));
            own.map_or(GAP, |own| number(own.part))
        };
        [0, GAP].into_iter().chain(self.borders.iter().map(part)).collect()
    }
}

impl Walk {
    /// Of a panel whose rows are numbered by stretch.
    pub fn of(panel: &Panel, folds: &[Fold]) -> Self {
        Self {
            stretches: Stretches::of(folds),
            of_rows: panel.parts.clone(),
        }
    }

    /// Gives the rows of a panel the numbers of a fold's parts.
    pub fn renumber(&self, panel: &mut Panel, fold: &Fold) {
        let parts = self.stretches.parts(fold);
        for (part, stretch) in panel.parts.iter_mut().zip(&self.of_rows) {
            *part = parts.get(usize::from(*stretch)).copied().unwrap_or(GAP);
        }
    }
}

#[cfg(test)]
mod tests;
