//! Which rows and columns of a dataset are read, and how little of its files that takes.
//!
//! ```text
//!   row groups whose least and greatest values rule the condition out     not read
//!   columns of the condition                                              read, in row groups that are left
//!   columns that are asked for                                            read where a row is left: page by page
//! ```
//!
//! A row for which the condition is NULL is left out, as in SQL.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::write::rows_within;
use crate::StoreError;
use crate::condition::{Condition, truth_of};
use crate::error::{file_error, parquet_error, plan_error};

/// Rows that are read at once, or fewer if they are wide.
const BATCH_ROWS: usize = 65_536;
/// The size of rows that are read at once.
const BATCH_BYTES: usize = 32 << 20;

/// Which rows and columns are read.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The columns, in the dataset's order whatever theirs is; `None`: all of them.
    pub columns: Option<Vec<String>>,
    /// What must be true of a row; `None`: nothing.
    pub condition: Option<Condition>,
}

impl Selection {
    /// Whether a column is read.
    #[must_use]
    pub fn holds(&self, column: &str) -> bool {
        let columns = self.columns.as_ref();
        columns.is_none_or(|columns| columns.iter().any(|wanted| wanted == column))
    }
}

/// Counts the bytes that are read of files.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<AtomicU64>);

impl Meter {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Opens one Parquet file of a dataset.
pub(super) fn open_selected(
    path: &Path,
    selection: &Selection,
    meter: &Meter,
) -> Result<ParquetRecordBatchReader, StoreError> {
    let file = File::open(path).map_err(file_error(path))?;
    let file = Metered {
        file,
        meter: meter.clone(),
    };
    // Only a condition leaves pages out.
    let index = match selection.condition {
        Some(_) => PageIndexPolicy::Optional,
        None => PageIndexPolicy::Skip,
    };
    let options = ArrowReaderOptions::new().with_page_index_policy(index);
    let mut builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(parquet_error(path))?;
    let schema = builder.schema().clone();
    let is_wanted = |field: &&FieldRef| selection.holds(field.name());
    let wanted: Fields = schema.fields().iter().filter(is_wanted).cloned().collect();
    if selection.columns.is_some() {
        let names = wanted.iter().map(|field| field.name().as_str());
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        builder = builder.with_projection(mask);
    }
    if let Some(condition) = &selection.condition {
        let left = row_groups(builder.metadata(), &schema, condition)?;
        let filter = row_filter(builder.metadata(), &schema, condition)?;
        builder = builder.with_row_groups(left).with_row_filter(filter);
    }
    let rows = rows_within(&Schema::new(wanted), BATCH_BYTES, BATCH_ROWS);
    builder.with_batch_size(rows).build().map_err(|error| told(path, error))
}

/// A condition's own error comes wrapped.
fn told(path: &Path, error: ParquetError) -> StoreError {
    let ParquetError::External(inner) = error else {
        return parquet_error(path)(error);
    };
    match inner.downcast::<ArrowError>().map(|error| *error) {
        Ok(ArrowError::ExternalError(inner)) => match inner.downcast::<StoreError>() {
            Ok(own) => *own,
            Err(inner) => parquet_error(path)(ParquetError::External(inner)),
        },
        Ok(other) => parquet_error(path)(ParquetError::External(Box::new(other))),
        Err(inner) => parquet_error(path)(ParquetError::External(inner)),
    }
}

/// The condition with the places of columns in a file.
fn in_file(
    condition: &Condition,
    schema: &Schema,
) -> Result<Arc<dyn datafusion::physical_plan::PhysicalExpr>, StoreError> {
    let failed = plan_error(format!("the condition `{}` could not be asked", condition.text()));
    reassign_expr_columns(condition.expression().0.clone(), schema).map_err(failed)
}

/// The row groups in which a row may be of which a condition is true.
fn row_groups(metadata: &ParquetMetaData, schema: &SchemaRef, condition: &Condition) -> Result<Vec<usize>, StoreError> {
    let failed = || plan_error(format!("the condition `{}` could not be asked", condition.text()));
    let pruning = PruningPredicateBuilder::new().with_file_schema(schema.clone());
    let pruning = pruning.try_build(in_file(condition, schema)?).map_err(failed())?;
    let statistics = RowGroupStatistics { metadata, schema };
    let may_hold = pruning.prune(&statistics).map_err(failed())?;
    Ok((0..metadata.num_row_groups())
        .filter(|group| may_hold.get(*group).copied().unwrap_or(true))
        .collect())
}

/// Reads the condition's columns first, and the others where it is true.
fn row_filter(metadata: &ParquetMetaData, schema: &SchemaRef, condition: &Condition) -> Result<RowFilter, StoreError> {
    let looked_at = condition.columns();
    let fields = schema.fields().iter().filter(|field| looked_at.contains(field.name()));
    let narrow = Schema::new(fields.cloned().collect::<Vec<FieldRef>>());
    let expression = in_file(condition, &narrow)?;
    let mask = ProjectionMask::columns(
        metadata.file_metadata().schema_descr(),
        looked_at.iter().map(String::as_str),
    );
    let condition = condition.clone();
    let is_true = move |rows: arrow::array::RecordBatch| -> Result<BooleanArray, ArrowError> {
        truth_of(&expression, &rows).map_err(|error| ArrowError::ExternalError(Box::new(condition.unanswered(&error))))
    };
    Ok(RowFilter::new(vec![Box::new(ArrowPredicateFn::new(mask, is_true))]))
}

/// What the footer says of each row group.
struct RowGroupStatistics<'a> {
    metadata: &'a ParquetMetaData,
    schema: &'a SchemaRef,
}

impl RowGroupStatistics<'_> {
    fn converter(&self, column: &Column) -> Option<StatisticsConverter<'_>> {
        let parquet = self.metadata.file_metadata().schema_descr();
        StatisticsConverter::try_new(&column.name, self.schema, parquet).ok()
    }
}

impl PruningStatistics for RowGroupStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.converter(column)?.row_group_mins(self.metadata.row_groups()).ok()
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.converter(column)?.row_group_maxes(self.metadata.row_groups()).ok()
    }

    fn num_containers(&self) -> usize {
        self.metadata.num_row_groups()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts = self
            .converter(column)?
            .row_group_null_counts(self.metadata.row_groups());
        counts.ok().map(|counts| Arc::new(counts) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self
            .metadata
            .row_groups()
            .iter()
            .map(|group| u64::try_from(group.num_rows()).ok());
        Some(Arc::new(rows.collect::<arrow::array::UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// A file whose bytes are counted as they are read.
struct Metered {
    file: File,
    meter: Meter,
}

impl Length for Metered {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Metered {
    type T = MeteredRead;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(MeteredRead {
            read: self.file.get_read(start)?,
            meter: self.meter.clone(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes, ParquetError> {
        self.meter.add(length as u64);
        self.file.get_bytes(start, length)
    }
}

/// Bytes that are counted as they are read.
struct MeteredRead {
    read: BufReader<File>,
    meter: Meter,
}

impl Read for MeteredRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.read.read(buffer)?;
        self.meter.add(read as u64);
        Ok(read)
    }
}
