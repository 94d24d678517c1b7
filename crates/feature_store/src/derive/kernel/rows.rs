//! What the computations read: rows in order, in segments.

use std::num::NonZeroUsize;
use std::ops::Range;

use arrow::array::{Array, ArrayRef};

use crate::StoreError;

/// Rows sorted by (entity, event time); rows of one time in an order of the caller's that is always the same.
#[derive(Debug, Clone, Copy)]
pub struct OrderedRows<'a> {
    /// The event times in microseconds, one per row, ascending within each segment.
    pub times: &'a [i64],
    /// The columns, as long as `times`.
    pub columns: &'a [ArrayRef],
    /// The entities, in order.
    pub segments: &'a [Segment],
    /// The latest event time up to which rows are all there: labels that look further ahead are NULL. `i64::MAX`: always.
    pub observed_until: i64,
}

/// The rows of one entity, and those of them whose values are asked for. The others are there to be looked back or ahead to: every row
/// of the entity within reach ([`Reach`](super::Reach)) of an asked row must be there, else its value is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// All of its rows.
    pub rows: Range<usize>,
    /// The asked ones, within `rows`.
    pub asked: Range<usize>,
}

impl OrderedRows<'_> {
    /// Refuses rows that are not what they should be.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let refuse = |problem: String| Err(StoreError::DerivedRows { problem });
        let rows = self.times.len();
        if u32::try_from(rows).is_err() {
            return refuse(format!("{rows} rows in one go, at most {} can be", u32::MAX));
        }
        if let Some(column) = self.columns.iter().find(|column| column.len() != rows) {
            return refuse(format!("a column of {} values for {rows} rows", column.len()));
        }
        for segment in self.segments {
            let Segment { rows: all, asked } = segment;
            let Some(times) = self.times.get(all.clone()) else {
                return refuse(format!("an entity in rows {all:?} of {rows}"));
            };
            if asked.start < all.start || asked.end > all.end || asked.start > asked.end {
                return refuse(format!("rows {asked:?} asked of an entity in rows {all:?}"));
            }
            if !times.is_sorted() {
                return refuse(format!("the times of the entity in rows {all:?} are not ascending"));
            }
        }
        Ok(())
    }

    /// The segments in as many shares, each with about as many asked rows, and at least so many; a segment may be in several.
    pub(super) fn shares(&self, threads: NonZeroUsize, least: usize) -> Vec<Vec<Segment>> {
        let asked: usize = self.segments.iter().map(|segment| segment.asked.len()).sum();
        let share = asked.div_ceil(threads.get()).max(least);
        let mut shares = vec![Vec::new()];
        let mut room = share;
        for segment in self.segments {
            let mut start = segment.asked.start;
            while start < segment.asked.end {
                if room == 0 {
                    shares.push(Vec::new());
                    room = share;
                }
                let end = segment.asked.end.min(start + room);
                room -= end - start;
                if let Some(last) = shares.last_mut() {
                    last.push(Segment {
                        rows: segment.rows.clone(),
                        asked: start..end,
                    });
                }
                start = end;
            }
        }
        shares
    }
}

/// A value that is known to be there; else the type's default, which is never read.
#[inline]
pub(super) fn at<T: Copy + Default>(values: &[T], place: usize) -> T {
    values.get(place).copied().unwrap_or_default()
}
