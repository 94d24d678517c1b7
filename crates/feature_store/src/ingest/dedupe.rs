//! Rows of one ingestion with the same key and time, found side by side after the sort.
//!
//! ```text
//!   host  ts   cpu                     upsert                      append
//!   a     10   1.5   metrics.csv:2     kept                        kept
//!   a     10   1.5   metrics.csv:7     left out, counted           left out, counted
//!   a     11   2.0   metrics.csv:3     in conflict with line 9     kept
//!   a     11   2.5   metrics.csv:9     in conflict with line 3     kept, after line 3
//! ```
//!
//! Identical rows are one row. Different ones have no order in an upsert group, so each of them is a violation; in an append group
//! their place in the files orders them. Rows that differ in the declared `known_at` are revisions with an order of their own, and
//! do not meet here. In a static group the key alone decides.
//!
//! One comparison per row. Only rows that share their key and time are hashed; the hashes of one key and time are held in memory.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int64Type, Schema};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::{FeatureGroup, Fingerprint, IngestMode};

use super::check::Rules;
use super::column::Wanted;
use super::feed::{PLACE, SharedLedger, file_and_line};
use super::ledger::Ledger;
use super::raw::json_object;
use super::source::Source;
use super::violation::{Location, Reason, Violation};
use crate::StoreError;
use crate::scan::order::{comparators, compare};

/// What decides over rows that share their key and time.
pub(super) struct Dedupe {
    mode: IngestMode,
    wanted: Vec<Wanted>,
    sources: Arc<Vec<Source>>,
    rules: Arc<Rules>,
    ledger: SharedLedger,
    keys: Vec<usize>,
    features: Vec<usize>,
    place: usize,
    converter: Option<RowConverter>,
    open: Option<Open>,
}

/// The last key and time so far: more rows of it may come.
struct Open {
    first: RecordBatch,
    state: State,
    seen: HashSet<Fingerprint>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first row is held back: it is kept if no different one comes.
    Pending,
    /// The first row has been given out (append), or set aside (conflict).
    Settled,
}

impl Dedupe {
    /// For rows of this schema.
    pub(super) fn new(
        group: &FeatureGroup,
        wanted: &[Wanted],
        sources: Arc<Vec<Source>>,
        rules: Arc<Rules>,
        ledger: SharedLedger,
        schema: &Schema,
    ) -> Result<Self, StoreError> {
        let keys = group.entity.len() + usize::from(group.event_time.is_some()) + usize::from(group.known_at.is_some());
        let features: Vec<usize> = (keys..wanted.len()).collect();
        let fields = features
            .iter()
            .map(|column| SortField::new(schema.field(*column).data_type().clone()))
            .collect();
        let converter = if features.is_empty() {
            None
        } else {
            Some(RowConverter::new(fields)?)
        };
        let place = schema.index_of(PLACE)?;
        Ok(Self {
            mode: group.mode,
            wanted: wanted.to_vec(),
            sources,
            rules,
            ledger,
            keys: (0..keys).collect(),
            features,
            place,
            converter,
            open: None,
        })
    }

    /// Takes in the next sorted rows; gives those that are decided.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, StoreError> {
        let mut out = Vec::new();
        if batch.num_rows() == 0 {
            return Ok(out);
        }
        let keys: Vec<ArrayRef> = self.keys.iter().map(|column| batch.column(*column).clone()).collect();
        let mut continues = self.continues(&keys)?;
        if !continues {
            out.extend(self.finish());
        }
        let mut keep: Vec<u64> = Vec::with_capacity(batch.num_rows());
        for run in runs(&keys, batch.num_rows())? {
            let is_last = run.end == batch.num_rows();
            if run.len() == 1 && !is_last && !continues {
                keep.push(run.start as u64);
                continue;
            }
            let before = self.open.take().filter(|_| continues);
            let was_open = before.is_some();
            let mut open = self.decide(before, batch, run.clone(), &mut keep)?;
            if is_last {
                self.open = Some(open);
            } else if open.state == State::Pending {
                open.state = State::Settled;
                if was_open {
                    out.push(open.first)
                } else {
                    keep.push(run.start as u64)
                }
            }
            continues = false;
        }
        if !keep.is_empty() {
            out.push(take_record_batch(batch, &UInt64Array::from(keep))?);
        }
        Ok(out)
    }

    /// The row that was held back, if any, at the end.
    pub(super) fn finish(&mut self) -> Option<RecordBatch> {
        self.open
            .take()
            .filter(|open| open.state == State::Pending)
            .map(|open| open.first)
    }

    /// Whether the first row of a batch has the key and time of the last one before.
    fn continues(&self, keys: &[ArrayRef]) -> Result<bool, StoreError> {
        let Some(open) = &self.open else { return Ok(false) };
        let before: Vec<ArrayRef> = self
            .keys
            .iter()
            .map(|column| open.first.column(*column).clone())
            .collect();
        Ok(compare(&comparators(&before, keys)?, 0, 0).is_eq())
    }

    /// Decides over the rows of one key and time.
    fn decide(
        &mut self,
        open: Option<Open>,
        batch: &RecordBatch,
        run: Range<usize>,
        keep: &mut Vec<u64>,
    ) -> Result<Open, StoreError> {
        let hashes = self.hashes(&batch.slice(run.start, run.len()))?;
        let mut rows = run.clone().zip(hashes);
        let mut open = match open {
            Some(open) => open,
            None => {
                let seen = rows.next().map(|(_, hash)| hash).into_iter().collect();
                let state = match self.mode {
                    IngestMode::Upsert => State::Pending,
                    IngestMode::Append => {
                        keep.push(run.start as u64);
                        State::Settled
                    }
                };
                Open {
                    first: batch.slice(run.start, 1),
                    state,
                    seen,
                }
            }
        };
        for (row, hash) in rows {
            if !open.seen.insert(hash) {
                self.ledger.lock().duplicates += 1;
                continue;
            }
            match self.mode {
                IngestMode::Append => keep.push(row as u64),
                IngestMode::Upsert => {
                    if open.state == State::Pending {
                        self.conflict(&open.first, &batch.slice(row, 1))?;
                        open.state = State::Settled;
                    }
                    self.conflict(&batch.slice(row, 1), &open.first)?;
                }
            }
        }
        Ok(open)
    }

    /// A hash of what is not key or time, for each row.
    fn hashes(&self, rows: &RecordBatch) -> Result<Vec<Fingerprint>, StoreError> {
        let Some(converter) = &self.converter else {
            return Ok(vec![Fingerprint::of(b""); rows.num_rows()]);
        };
        let columns: Vec<ArrayRef> = self
            .features
            .iter()
            .map(|column| rows.column(*column).clone())
            .collect();
        let encoded = converter.convert_columns(&columns)?;
        Ok(encoded.iter().map(|row| Fingerprint::of(row.as_ref())).collect())
    }

    fn conflict(&self, row: &RecordBatch, other: &RecordBatch) -> Result<(), StoreError> {
        let key: Vec<String> = self
            .keys
            .iter()
            .map(|column| self.shown(row, *column))
            .collect::<Result<_, _>>()?;
        let (_, other) = self.location(other);
        let detail = format!("{}: other values than {other}", key.join(", "));
        let (file, location) = self.location(row);
        let declared: Vec<usize> = (0..self.wanted.len()).collect();
        let raw = json_object(&row.project(&declared)?, 0)?;
        let violation = Violation {
            location,
            column: None,
            value: String::new(),
            reason: Reason::Conflict,
            detail,
        };
        let on_violation = self.rules.on_violation(None);
        self.ledger.lock().violation(file, violation, on_violation, || raw)
    }

    fn shown(&self, row: &RecordBatch, column: usize) -> Result<String, StoreError> {
        let options = FormatOptions::default().with_null("NULL");
        let value = ArrayFormatter::try_new(row.column(column), &options)?
            .value(0)
            .to_string();
        let name = self
            .wanted
            .get(column)
            .map(|wanted| wanted.name.to_string())
            .unwrap_or_default();
        Ok(format!("`{name}` = `{value}`"))
    }

    /// Where a row came from.
    fn location(&self, row: &RecordBatch) -> (usize, Location) {
        let (file, line) = file_and_line(row.column(self.place).as_primitive::<Int64Type>().value(0));
        (
            file,
            Location {
                file: Ledger::source_name(&self.sources, file),
                line,
            },
        )
    }
}

/// The stretches of rows that share their key and time.
fn runs(keys: &[ArrayRef], rows: usize) -> Result<Vec<Range<usize>>, StoreError> {
    let comparators = comparators(keys, keys)?;
    let mut runs = Vec::with_capacity(rows);
    let mut start = 0;
    for row in 1..=rows {
        if row == rows || compare(&comparators, row - 1, row).is_ne() {
            runs.push(start..row);
            start = row;
        }
    }
    Ok(runs)
}
