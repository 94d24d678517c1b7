//! Rows of a few times, which are made again from nothing but the rows that they may depend on.

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Float64Type, SchemaRef};

use crate::StoreError;

/// Rows of a time that are compared, at most.
const COMPARED_ROWS: usize = 10_000;
/// Numbers are the same when they differ by no more than this share of the larger one.
const SAME: f64 = 1e-9;

/// Rows of one time.
pub(super) struct Probe {
    /// The time, in microseconds.
    pub time: i64,
    rows: Vec<RecordBatch>,
}

/// The times whose rows are made again: the middle one and the last one of the first batch's.
pub(super) enum Probes {
    /// None are made again.
    None,
    /// They are chosen with the first batch.
    Waiting,
    /// These are.
    Seen(Vec<Probe>),
}

impl Probes {
    /// Keeps rows of the chosen times.
    pub fn see(&mut self, batch: &RecordBatch, times: &[i64]) -> Result<(), StoreError> {
        if matches!(self, Self::Waiting) {
            let mut sorted = times.to_vec();
            sorted.sort_unstable();
            let chosen = [sorted.get(sorted.len() / 2), sorted.last()];
            let mut chosen: Vec<i64> = chosen.into_iter().flatten().copied().collect();
            chosen.dedup();
            let probe = |time| Probe { time, rows: Vec::new() };
            *self = Self::Seen(chosen.into_iter().map(probe).collect());
        }
        let Self::Seen(probes) = self else { return Ok(()) };
        for probe in probes {
            if probe.rows.iter().map(RecordBatch::num_rows).sum::<usize>() < COMPARED_ROWS {
                probe.rows.extend(rows_at(batch, times, probe.time)?);
            }
        }
        Ok(())
    }

    /// What was kept.
    pub fn seen(self) -> Vec<Probe> {
        match self {
            Self::Seen(probes) => probes,
            Self::None | Self::Waiting => Vec::new(),
        }
    }
}

/// The rows of one time.
pub(super) fn rows_at(batch: &RecordBatch, times: &[i64], time: i64) -> Result<Option<RecordBatch>, StoreError> {
    let at: BooleanArray = times.iter().map(|other| Some(*other == time)).collect();
    Ok(Some(filter_record_batch(batch, &at)?).filter(|rows| rows.num_rows() > 0))
}

fn first_rows(batch: &RecordBatch) -> RecordBatch {
    batch.slice(0, batch.num_rows().min(COMPARED_ROWS))
}

fn is_same(left: &ArrayRef, right: &ArrayRef) -> bool {
    let is_close = |left: f64, right: f64| (left - right).abs() <= SAME * left.abs().max(right.abs()) || left == right;
    match (
        left.as_primitive_opt::<Float64Type>(),
        right.as_primitive_opt::<Float64Type>(),
    ) {
        (Some(left), Some(right)) => left.iter().zip(right.iter()).all(|pair| match pair {
            (Some(left), Some(right)) => is_close(left, right),
            (left, right) => left == right,
        }),
        _ => left == right,
    }
}

impl Probe {
    /// The first column in which these rows of its time, made again, are others.
    pub fn differing(&self, schema: &SchemaRef, again: &[RecordBatch]) -> Result<Option<String>, StoreError> {
        let (rows, again) = (concat_batches(schema, &self.rows)?, concat_batches(schema, again)?);
        let (rows, again) = (first_rows(&rows), first_rows(&again));
        let is_other =
            |at: &usize| rows.num_rows() != again.num_rows() || !is_same(rows.column(*at), again.column(*at));
        let other = (0..rows.num_columns()).find(is_other);
        Ok(other.map(|at| schema.field(at).name().clone()))
    }
}
