//! Parquet files: columns that already have types, which must become the declared ones without loss.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use definitions::FeatureGroup;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::cast::{Becomes, convert};
use super::clock::Clock;
use super::column::Wanted;
use super::raw::json_object;
use super::rows::{RowReader, TypedBatch, batch_rows, places, unasked};
use super::source::Source;
use crate::StoreError;

/// A Parquet file being read.
pub(super) struct ParquetRows {
    path: String,
    reader: ParquetRecordBatchReader,
    wanted: Vec<Wanted>,
    conversions: Vec<Becomes>,
    header: Vec<String>,
    clock: Clock,
    batch: Option<RecordBatch>,
    row: u64,
    rows: u64,
    bytes: u64,
}

impl ParquetRows {
    /// Opens a file, and checks that its columns can become the declared ones.
    pub(super) fn open(source: &Source, group: &FeatureGroup, wanted: &[Wanted]) -> Result<Self, StoreError> {
        let failed = |error: parquet::errors::ParquetError| broken(&source.name, &error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(source.open_file()?).map_err(failed)?;
        let schema = builder.schema().clone();
        let header: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let roots = places(source, group, wanted, &header)?;
        let conversions = conversions(source, group, wanted, &roots, &schema)?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let reader = builder
            .with_projection(mask)
            .with_batch_size(batch_rows(wanted.len()))
            .build()
            .map_err(failed)?;
        Ok(Self {
            path: source.name.clone(),
            reader,
            wanted: wanted.to_vec(),
            conversions,
            header,
            clock: Clock::of(group)?,
            batch: None,
            row: 0,
            rows,
            bytes: source.bytes,
        })
    }
}

fn conversions(
    source: &Source,
    group: &FeatureGroup,
    wanted: &[Wanted],
    roots: &[usize],
    schema: &Schema,
) -> Result<Vec<Becomes>, StoreError> {
    let conversion = |(column, root): (&Wanted, &usize)| {
        let found = schema.field(*root).data_type();
        Becomes::of(found, column.data_type).map_err(|hint| StoreError::FileColumnType {
            path: source.name.clone(),
            column: column.file_column.clone(),
            found: found.to_string(),
            group: group.reference(),
            wanted: column.data_type.word(),
            hint,
        })
    };
    wanted.iter().zip(roots).map(conversion).collect()
}

impl RowReader for ParquetRows {
    fn next_batch(&mut self) -> Result<Option<TypedBatch>, StoreError> {
        let Some(batch) = self
            .reader
            .next()
            .transpose()
            .map_err(|error| broken(&self.path, &error))?
        else {
            return Ok(None);
        };
        let mut faults = Vec::new();
        let mut columns = Vec::with_capacity(self.wanted.len());
        for (at, (column, conversion)) in self.wanted.iter().zip(&self.conversions).enumerate() {
            let array = batch
                .column_by_name(&column.file_column)
                .ok_or_else(|| StoreError::UnknownColumn {
                    group: self.path.clone(),
                    column: column.file_column.clone(),
                })?;
            let (converted, wrong) = convert(array, *conversion, column.data_type, &self.clock)?;
            columns.push(converted);
            faults.extend(wrong.into_iter().map(|mut fault| {
                fault.column = Some(at);
                fault
            }));
        }
        let first = self.row + 1;
        self.row += batch.num_rows() as u64;
        let lines = (first..=self.row).collect();
        self.batch = Some(batch);
        Ok(Some(TypedBatch { columns, lines, faults }))
    }

    fn raw(&self, row: usize) -> String {
        let json = self
            .batch
            .as_ref()
            .filter(|batch| row < batch.num_rows())
            .map(|batch| json_object(batch, row));
        json.and_then(Result::ok).unwrap_or_default()
    }

    fn ignored(&self) -> BTreeSet<String> {
        unasked(&self.wanted, &self.header)
    }

    fn bytes_read(&self) -> u64 {
        let share = if self.rows == 0 {
            1.0
        } else {
            self.row as f64 / self.rows as f64
        };
        (self.bytes as f64 * share) as u64
    }
}

fn broken(path: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::BrokenFile {
        path: path.to_owned(),
        format: "Parquet",
        line: None,
        detail: error.to_string(),
    }
}
