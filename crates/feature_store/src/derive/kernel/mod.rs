//! The window kernel: declared features from rows in order, all of them in one pass.
//!
//! # The rule
//!
//! A feature's value for an entity at time t is a function of the entity's rows in one frame of time round t, and of nothing else: not of the rows
//! before it, of what else is computed, of batches, pieces or threads. So the value that a full pass writes and the value that is made on demand
//! from just the rows of its frame are the same to the bit.
//!
//! ```text
//!             lag d, oldest m more                window w            lead d
//!        (t-d-m ............ t-d]            (t-w ......... t]   (t ......... t+d]
//!  ------------------------------------------------------------- t ------------------------> time
//! ```
//!
//! - Frames are of time, without their beginning and with their end: gaps make them emptier, not longer. All rows of one time are in a frame or none
//!   is; of those of time t itself, each row sees all. A frame that begins or ends beyond the ends of time has all rows there.
//! - **window** `(t - w, t]`. **lag d** is the last value in `(t - d - m, t - d]`: the value as it stood at t - d, unless older than m; without the
//!   bound, a lag would look back without end. **lead d** is an aggregate over `(t, t + d]`; without one it is the last value there: the value as
//!   it stands at t + d. So a lead's horizon is d, never more. It is NULL until rows are observed up to t + d: half a future is no label.
//! - **zscore** measures the row's value by the values before t, the row and others of its time left out, so that a row does not dampen its own
//!   surprise.
//! - NULL and NaN are no values: they are passed over. No values, no result: NULL, and 0 for `count` and `nunique`. Infinite values are values: a mean
//!   or a sum with one is infinite, NULL with both; a standard deviation, variance, slope or z-score is NULL. No result is NaN.
//! - `first` and `last` among rows of one time go by row order. Equal least or greatest values (0.0 and -0.0 are) are those of the last row.
//!
//! # Sums without a past
//!
//! A running sum of float64s that adds what enters and subtracts what leaves carries the rounding errors of all rows there ever were: 1e300 that came
//! and went leaves nothing right behind it, and a pass that began elsewhere gives other bits. Adding each frame anew costs its width per row; trees
//! of blocks aligned to absolute time cost its logarithm, and depend on the order of rows of one time. Here sums are **exact**: numbers are integers
//! in a common unit, sums are differences of two sums from the start of a piece, and the only rounding is that of the result
//! (`exact`, `wide`, `moments`). Exact sums have no history by nature, in whatever order; they cost two subtractions and a few multiplications
//! per row, for any width of the frame; and variance and slope do not cancel. Where numbers are of ordinary size, 128 bits hold a sum and 256 a
//! sum of squares; where they are not, wider integers take over, with the same results.
//!
//! | what | how | per row |
//! |---|---|---|
//! | mean, sum, std, var, slope, zscore | differences of exact sums (`moments`) | constant |
//! | ewm | the same, with weights of absolute time (`decay`) | constant |
//! | min, max, first, last, lag, fill | a queue of those not beaten, links to the next value (`extremes`) | constant, on average |
//! | median, quantile | ranks in a Fenwick tree (`ranks`) | logarithm of a piece |
//! | nunique | a tally per value (`ranks`) | constant |
//! | target encoding, computed elsewhere from labels that come one by one | one exact sum per category (`encoding`) | constant |
//! | difference, ratio, interaction, bucket, hash, calendar, fill with a constant | the row alone (`elementwise`) | constant |
//!
//! Exponentials and sines are those of one library compiled in, not of the machine's.
//!
//! # One pass
//!
//! `plan` gathers computations by column and frame. `sweep` goes through each entity's asked rows in pieces of some thousand; for a piece it takes the
//! rows that its frames reach, reads each column once, sums it once, and then goes through the rows once per frame with two hands that only
//! move forward (`frame`). Memory: 8 bytes per value that comes out, and for the piece some 50 to 150 bytes per row that it reaches (where numbers
//! of all sizes meet, up to a kilobyte). A piece has at least as many asked rows as it reaches back to, so that each row is read twice at most.
//! Threads share out the asked rows, also within an entity.

mod column;
mod computation;
mod decay;
mod elementwise;
mod encoding;
mod exact;
mod extremes;
mod frame;
mod moments;
mod output;
mod piece;
mod plan;
mod ranks;
mod rows;
mod sweep;
mod types;
mod wide;

use std::num::NonZeroUsize;
use std::thread;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;

pub use computation::{Aggregate, CalendarPart, Computation, Filling, Operand, Reach, reach_of};
pub(super) use elementwise::calendar as calendar_values;
pub(super) use encoding::Tally;
pub use rows::{OrderedRows, Segment};
pub use types::types_of;

use crate::StoreError;
use column::Column;
use sweep::Sweep;

/// One array per computation, with one value per asked row, in the order of the segments. The bytes are the same for any number of
/// threads, and for any rows beyond reach of the asked ones.
///
/// # Errors
/// [`StoreError::Computation`] where a computation does not fit the columns; [`StoreError::DerivedRows`] where rows are not in order,
/// segments not within them, or columns of other lengths.
pub fn compute_features(
    computations: &[Computation],
    rows: &OrderedRows<'_>,
    threads: NonZeroUsize,
) -> Result<Vec<ArrayRef>, StoreError> {
    compute_by(computations, rows, threads, GRAIN)
}

/// How rows are cut up. It changes no value.
#[derive(Debug, Clone, Copy)]
struct Grain {
    /// A piece has so many asked rows, or as many as its frames reach back, whichever is more.
    piece: usize,
    /// A thread has at least so many asked rows.
    share: usize,
}

/// What is kept per row of a piece fits into a processor's cache; fewer rows are not worth a thread.
const GRAIN: Grain = Grain {
    piece: 8_192,
    share: 16_384,
};

fn compute_by(
    computations: &[Computation],
    rows: &OrderedRows<'_>,
    threads: NonZeroUsize,
    grain: Grain,
) -> Result<Vec<ArrayRef>, StoreError> {
    let columns: Vec<_> = rows.columns.iter().map(|column| column.data_type().clone()).collect();
    let types = types_of(computations, &columns)?;
    rows.check()?;
    let columns = rows.columns.iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let plan = plan::plan(computations);
    let sweep = Sweep {
        computations,
        types: &types,
        plan: &plan,
        rows,
        columns: &columns,
        piece: grain.piece,
    };
    let shares = rows.shares(threads, grain.share);
    let [first, others @ ..] = shares.as_slice() else {
        return sweep.run(&[]);
    };
    if others.is_empty() {
        return sweep.run(first);
    }
    let parts: Vec<Vec<ArrayRef>> = thread::scope(|scope| {
        let others: Vec<_> = others
            .iter()
            .map(|share| scope.spawn(move || sweep.run(share)))
            .collect();
        let first = sweep.run(first);
        let died = |_| StoreError::Task {
            detail: "a thread that computes features died".to_owned(),
        };
        let others = others.into_iter().map(|other| other.join().map_err(died).flatten());
        std::iter::once(first).chain(others).collect::<Result<_, _>>()
    })?;
    (0..computations.len()).map(|place| joined(&parts, place)).collect()
}

fn joined(parts: &[Vec<ArrayRef>], place: usize) -> Result<ArrayRef, StoreError> {
    let arrays: Vec<&dyn Array> = parts
        .iter()
        .filter_map(|part| part.get(place))
        .map(AsRef::as_ref)
        .collect();
    Ok(concat(&arrays)?)
}

#[cfg(test)]
mod tests;
