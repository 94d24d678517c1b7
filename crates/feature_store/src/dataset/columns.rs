//! A part's columns on their way to disk: each is hashed, counted and encoded by itself, several at a time.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use definitions::Fingerprint;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::ParquetError;

use super::statistics::{Collector, ColumnStatistics};
use crate::StoreError;
use crate::fingerprint::{ColumnHasher, ContentHasher};

/// The columns of a part.
pub(super) struct Columns {
    columns: Vec<Mutex<Column>>,
    rows: u64,
    threads: usize,
}

struct Column {
    field: FieldRef,
    content: ColumnHasher,
    /// Until it is finished.
    statistics: Option<Collector>,
    writer: Option<ArrowColumnWriter>,
}

/// Why a column could not be written.
pub(super) enum ColumnError {
    /// Its values are at fault.
    Values(StoreError),
    /// It could not be encoded.
    Encoding(ParquetError),
}

impl Columns {
    /// Columns without rows, to be worked on by so many threads.
    pub(super) fn new(schema: &SchemaRef, threads: usize) -> Result<Self, StoreError> {
        let column = |field: &FieldRef| -> Result<Mutex<Column>, StoreError> {
            Ok(Mutex::new(Column {
                field: field.clone(),
                content: ColumnHasher::new(field)?,
                statistics: Some(Collector::new(field.name(), field.data_type())),
                writer: None,
            }))
        };
        Ok(Self {
            columns: schema.fields().iter().map(column).collect::<Result<_, _>>()?,
            rows: 0,
            threads,
        })
    }

    /// Begins a row group, which is encoded by these.
    pub(super) fn begin(&mut self, writers: Vec<ArrowColumnWriter>) {
        for (column, writer) in self.columns.iter().zip(writers) {
            column.lock().unwrap_or_else(PoisonError::into_inner).writer = Some(writer);
        }
    }

    /// Takes in the next rows.
    pub(super) fn update(&mut self, batch: &RecordBatch) -> Result<(), ColumnError> {
        self.each(|at, column| column.update(batch.column(at)))?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Ends the row group; gives its encoded columns.
    pub(super) fn end(&mut self) -> Result<Vec<ArrowColumnChunk>, ColumnError> {
        let ended = self.each(|_, column| column.writer.take().map(ArrowColumnWriter::close).transpose());
        Ok(ended.map_err(ColumnError::Encoding)?.into_iter().flatten().collect())
    }

    /// The fingerprint of all the rows, and what their columns hold.
    pub(super) fn finish(&mut self) -> (Fingerprint, Vec<ColumnStatistics>) {
        let Ok(statistics) =
            self.each(|_, column| Ok::<_, Infallible>(column.statistics.take().map(Collector::finish)));
        let columns = std::mem::take(&mut self.columns).into_iter();
        let contents = columns.map(|column| column.into_inner().unwrap_or_else(PoisonError::into_inner).content);
        let fingerprint = ContentHasher::of_columns(contents.collect(), self.rows).finish();
        (fingerprint, statistics.into_iter().flatten().collect())
    }

    /// Does something with every column, on all threads; whichever is free takes the next one.
    fn each<T: Send, E: Send>(&self, work: impl Fn(usize, &mut Column) -> Result<T, E> + Sync) -> Result<Vec<T>, E> {
        let next = AtomicUsize::new(0);
        let take = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(column) = self.columns.get(at) else {
                    return done;
                };
                let mut column = column.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((at, work(at, &mut column)));
            }
        };
        let mut all = std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads.min(self.columns.len()))
                .map(|_| scope.spawn(take))
                .collect();
            let mut all = take();
            for other in others {
                match other.join() {
                    Ok(done) => all.extend(done),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all
        });
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, done)| done).collect()
    }
}

impl Column {
    fn update(&mut self, array: &ArrayRef) -> Result<(), ColumnError> {
        self.content.update(array).map_err(ColumnError::Values)?;
        if let Some(statistics) = &mut self.statistics {
            statistics.update(array).map_err(ColumnError::Values)?;
        }
        if let Some(writer) = &mut self.writer {
            for leaf in compute_leaves(&self.field, array).map_err(ColumnError::Encoding)? {
                writer.write(&leaf).map_err(ColumnError::Encoding)?;
            }
        }
        Ok(())
    }
}
