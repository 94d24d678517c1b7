//! Reading, typing and checking: from files to batches that can be sorted. Runs on a thread of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use definitions::FeatureGroup;

use super::check::{Broken, Rules, good_rows, nan_to_null};
use super::column::{CellFault, Wanted};
use super::ledger::Ledger;
use super::rows::{RowReader, TypedBatch, open_rows};
use super::source::Source;
use super::violation::{Location, Violation};
use super::{IngestProgress, OnProgress};
use crate::StoreError;
use crate::storage::{ROW_NUMBER, group_schema};

/// The column that says where a row came from while it is sorted: the file's place in the upper bits, the line in the lower ones.
pub(super) const PLACE: &str = "__place";
const LINE_BITS: u32 = 40;

/// A file and a line in one number.
pub(super) fn place(file: usize, line: u64) -> i64 {
    ((file as i64) << LINE_BITS) | (line as i64 & ((1 << LINE_BITS) - 1))
}

/// The file and the line again.
pub(super) fn file_and_line(place: i64) -> (usize, u64) {
    ((place >> LINE_BITS) as usize, (place & ((1 << LINE_BITS) - 1)) as u64)
}

/// Everything that reading needs.
pub(super) struct Feed {
    pub group: FeatureGroup,
    pub wanted: Vec<Wanted>,
    pub sources: Arc<Vec<Source>>,
    pub rules: Arc<Rules>,
    pub ledger: SharedLedger,
    pub progress: OnProgress,
}

/// The counts, shared by reading and by what comes after the sort.
#[derive(Clone)]
pub(super) struct SharedLedger(Arc<Mutex<Ledger>>);

impl SharedLedger {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self(Arc::new(Mutex::new(ledger)))
    }
    /// A panic elsewhere does not make counts wrong; it ends the ingestion by itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The columns of rows on their way to the sort: the declared ones, the row's number, its place in the files.
pub(super) fn sort_schema(group: &FeatureGroup) -> Result<SchemaRef, StoreError> {
    let mut fields = group_schema(group)?.fields().to_vec();
    fields.push(Arc::new(Field::new(ROW_NUMBER, DataType::Int64, false)));
    fields.push(Arc::new(Field::new(PLACE, DataType::Int64, false)));
    Ok(Arc::new(Schema::new(fields)))
}

impl Feed {
    /// Reads all files, and gives the good rows of each batch to `take`, which says whether to go on.
    pub(super) fn run(&self, mut take: impl FnMut(RecordBatch) -> bool) -> Result<(), StoreError> {
        let schema = sort_schema(&self.group)?;
        let bytes_total = self.sources.iter().map(|source| source.bytes).sum();
        let (mut row_number, mut bytes_before) = (0_i64, 0);
        for (file, source) in self.sources.iter().enumerate() {
            let mut reader = open_rows(source, &self.group, &self.wanted)?;
            while let Some(batch) = reader.next_batch()? {
                let rows = batch.lines.len();
                let good = self.check(file, &schema, batch, row_number, reader.as_ref())?;
                row_number += rows as i64;
                if good.num_rows() > 0 && !take(good) {
                    return Ok(());
                }
                let bytes = bytes_before + reader.bytes_read();
                (self.progress)(IngestProgress {
                    rows: row_number as u64,
                    bytes,
                    bytes_total,
                });
            }
            source.check_unchanged()?;
            self.ledger.lock().ignored.extend(reader.ignored());
            bytes_before += source.bytes;
        }
        Ok(())
    }

    /// Splits a batch into good rows and violations.
    fn check(
        &self,
        file: usize,
        schema: &SchemaRef,
        mut batch: TypedBatch,
        first: i64,
        reader: &dyn RowReader,
    ) -> Result<RecordBatch, StoreError> {
        let (bad, broken) = self.rules.check(&mut batch)?;
        let rows = batch.lines.len();
        let mut ledger = self.ledger.lock();
        if let Some(count) = ledger.rows_by_source.get_mut(file) {
            *count += rows as u64;
        }
        for (fault, on_violation) in bad.values() {
            let line = batch.lines.get(fault.row).copied().unwrap_or_default();
            ledger.violation(file, self.violation(file, line, fault), *on_violation, || {
                reader.raw(fault.row)
            })?;
        }
        for Broken { expectation, fault } in broken {
            if let Some(count) = ledger.at_fault.get_mut(expectation) {
                *count += 1;
            }
            if let Some(fault) = fault {
                let line = batch.lines.get(fault.row).copied().unwrap_or_default();
                ledger.let_through(file, expectation, self.violation(file, line, &fault));
            }
        }
        // The key and the event time of a row at fault may be NULL, so the filter works on nullable columns.
        let mut columns = batch.columns;
        columns.push(Arc::new(Int64Array::from_iter_values((first..).take(rows))));
        columns.push(Arc::new(
            batch
                .lines
                .iter()
                .map(|line| place(file, *line))
                .collect::<Int64Array>(),
        ));
        let columns = if bad.is_empty() {
            columns
        } else {
            filter_columns(schema, columns, &good_rows(rows, &bad))?
        };
        let (columns, nans) = nan_to_null(columns);
        ledger.nan_nulls += nans;
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }

    fn violation(&self, file: usize, line: u64, fault: &CellFault) -> Violation {
        Violation {
            location: Location {
                file: Ledger::source_name(&self.sources, file),
                line,
            },
            column: fault
                .column
                .and_then(|column| self.wanted.get(column))
                .map(|column| column.name.clone()),
            value: fault.value.clone(),
            reason: fault.reason,
            detail: fault.detail.clone(),
        }
    }
}

fn filter_columns(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    keep: &arrow::array::BooleanArray,
) -> Result<Vec<ArrayRef>, StoreError> {
    let nullable = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    let loose = Arc::new(Schema::new(nullable.collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(loose, columns)?;
    Ok(filter_record_batch(&batch, keep)?.columns().to_vec())
}
