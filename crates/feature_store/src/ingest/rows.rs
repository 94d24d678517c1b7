//! What the readers of all formats have in common: they give typed batches, and remember what the rows looked like.

use std::collections::BTreeSet;

use arrow::array::ArrayRef;
use definitions::FeatureGroup;

use super::column::{CellFault, Wanted};
use super::format::FileFormat;
use super::source::Source;
use super::{csv_rows, json_rows, parquet_rows};
use crate::StoreError;

/// Rows per batch, at most.
const BATCH_ROWS: usize = 8192;
/// Rows per batch, at least, however many columns there are.
const FEWEST_ROWS: usize = 256;
/// Values per batch, so that batches of many columns are not large.
const BATCH_VALUES: usize = 1 << 18;
/// A batch ends early when its rows, as they stand in the file, are larger than this.
pub(super) const BATCH_BYTES: usize = 4 << 20;
/// A CSV record or a JSON line is not longer than this: one that is, is an open quote or another format.
pub(super) const RECORD_BYTES: usize = 4 << 20;
/// A place for a row gives its memory back after a row that was larger than this.
pub(super) const KEPT_BYTES: usize = 16 << 10;

/// Rows per batch of so many columns.
pub(super) fn batch_rows(columns: usize) -> usize {
    (BATCH_VALUES / columns.max(1)).clamp(FEWEST_ROWS, BATCH_ROWS)
}

/// The next rows of a file, typed by the definition.
pub(super) struct TypedBatch {
    /// The declared columns, in stored order; NULL where a value is at fault.
    pub columns: Vec<ArrayRef>,
    /// The line of each row.
    pub lines: Vec<u64>,
    /// What is at fault, column by column.
    pub faults: Vec<CellFault>,
}

/// A file being read.
pub(super) trait RowReader {
    /// The next rows; `None` at the end.
    fn next_batch(&mut self) -> Result<Option<TypedBatch>, StoreError>;
    /// A row of the last batch as it stood in the file, as a JSON object.
    fn raw(&self, row: usize) -> String;
    /// Columns of the file that the definition does not name.
    fn ignored(&self) -> BTreeSet<String>;
    /// How many of the file's bytes have been read.
    fn bytes_read(&self) -> u64;
}

/// The declared columns of a group, and where to find them in files.
pub(super) fn wanted_columns(group: &FeatureGroup) -> Vec<Wanted> {
    let column = |(name, data_type): (definitions::ColumnName, definitions::DataType)| {
        let file_column = group.columns.get(&name).cloned().unwrap_or_else(|| name.to_string());
        Wanted {
            name,
            data_type,
            file_column,
        }
    };
    group.stored_columns().into_iter().map(column).collect()
}

/// Opens a file.
pub(super) fn open_rows(
    source: &Source,
    group: &FeatureGroup,
    wanted: &[Wanted],
) -> Result<Box<dyn RowReader>, StoreError> {
    Ok(match source.format {
        FileFormat::Csv => Box::new(csv_rows::CsvRows::open(source, group, wanted)?),
        FileFormat::Jsonl => Box::new(json_rows::JsonRows::open(source, group, wanted)?),
        FileFormat::Parquet => Box::new(parquet_rows::ParquetRows::open(source, group, wanted)?),
    })
}

/// For each wanted column, its place among the file's columns.
///
/// # Errors
/// `MissingFileColumn` when it is not there, `RepeatedFileColumn` when it is there twice.
pub(super) fn places(
    source: &Source,
    group: &FeatureGroup,
    wanted: &[Wanted],
    header: &[String],
) -> Result<Vec<usize>, StoreError> {
    let place = |column: &Wanted| {
        let mut places = header
            .iter()
            .enumerate()
            .filter(|(_, name)| **name == column.file_column)
            .map(|(place, _)| place);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(StoreError::RepeatedFileColumn {
                path: source.name.clone(),
                column: column.file_column.clone(),
            }),
            (None, _) => Err(missing(&source.name, group, column, header.to_vec())),
        }
    };
    wanted.iter().map(place).collect()
}

/// The error for a column that a file does not have.
pub(super) fn missing(path: &str, group: &FeatureGroup, column: &Wanted, found: Vec<String>) -> StoreError {
    StoreError::MissingFileColumn {
        path: path.to_owned(),
        group: group.reference(),
        column: column.name.to_string(),
        wanted: column.file_column.clone(),
        free: unasked(&wanted_columns(group), &found).into_iter().collect(),
        found,
    }
}

/// The file's columns that nobody asked for.
pub(super) fn unasked(wanted: &[Wanted], header: &[String]) -> BTreeSet<String> {
    header
        .iter()
        .filter(|name| wanted.iter().all(|column| column.file_column != **name))
        .cloned()
        .collect()
}
