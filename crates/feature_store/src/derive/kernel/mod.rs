//! The window kernel: declared features from rows in order.

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
