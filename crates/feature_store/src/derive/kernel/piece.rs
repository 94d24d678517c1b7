//! A piece of an entity's rows: some asked ones, and all that their frames reach.

use std::ops::Range;

use super::rows::at;

/// Rows of one entity with one column, and the frame of each asked one. All places count from the piece's first row.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    /// The place of its first row among all rows.
    pub first: usize,
    /// The times, in microseconds.
    pub times: &'a [i64],
    /// The values; NaN where there is none, or where they are no numbers.
    pub numbers: &'a [f64],
    /// How many values are before each row, and at last in all.
    pub counts: &'a [u32],
    /// The asked rows.
    pub asked: Range<usize>,
    /// Where the frames of the first asked rows begin and end. The others have no frame: their horizon is not over.
    pub bounds: &'a [(u32, u32)],
}

/// What is to be made, and the place of the output that it goes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Emit<T> {
    pub what: T,
    pub output: usize,
}

impl Piece<'_> {
    /// Microseconds since the first row.
    #[inline]
    pub(super) fn since_first(&self, time: i64) -> u64 {
        time.abs_diff(at(self.times, 0))
    }
}
