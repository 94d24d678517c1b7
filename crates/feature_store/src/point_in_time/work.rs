//! What a join did, counted while it works: for people who ask where the time goes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Counters that threads share.
#[derive(Debug, Default)]
pub(super) struct Work {
    rows_looked_at: AtomicU64,
    rows_fetched: AtomicU64,
    files: Mutex<BTreeSet<usize>>,
    reading: AtomicU64,
    matching: AtomicU64,
    fetching: AtomicU64,
}

/// What one join did. Times are of all threads together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkReport {
    /// Rows of the group.
    pub rows: u64,
    /// Rows whose keys and times were read; the others were left out for their bounds.
    pub rows_looked_at: u64,
    /// Rows whose values were read.
    pub rows_fetched: u64,
    /// Files of the group.
    pub files: u64,
    /// Files of which something was read.
    pub files_read: u64,
    /// Reading keys and times, in microseconds.
    pub reading_micros: u64,
    /// Deciding what is seen, reading included, in microseconds.
    pub matching_micros: u64,
    /// Reading values and putting them in their places, in microseconds.
    pub fetching_micros: u64,
}

impl Work {
    pub(super) fn looked_at(&self, run: usize, rows: usize) {
        self.rows_looked_at.fetch_add(rows as u64, Ordering::Relaxed);
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
    }

    pub(super) fn fetched(&self, rows: usize) {
        self.rows_fetched.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn reading<T>(&self, work: impl FnOnce() -> T) -> T {
        timed(&self.reading, work)
    }

    pub(super) fn matching<T>(&self, work: impl FnOnce() -> T) -> T {
        timed(&self.matching, work)
    }

    pub(super) fn fetching<T>(&self, work: impl FnOnce() -> T) -> T {
        timed(&self.fetching, work)
    }

    /// What was done so far on a group of so many rows and files.
    pub(super) fn report(&self, rows: u64, files: u64) -> WorkReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkReport {
            rows,
            rows_looked_at: read(&self.rows_looked_at),
            rows_fetched: read(&self.rows_fetched),
            files,
            files_read: self.files.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
            reading_micros: read(&self.reading) / 1_000,
            matching_micros: read(&self.matching) / 1_000,
            fetching_micros: read(&self.fetching) / 1_000,
        }
    }
}

fn timed<T>(clock: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    clock.fetch_add(
        u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
        Ordering::Relaxed,
    );
    done
}
