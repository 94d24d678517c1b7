//! What the computations read: rows in order, in segments.

use std::ops::Range;

use arrow::array::ArrayRef;

/// OrderedRows sorted by (entity, event time); rows of one time in an order of the caller's that is always the same.
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
