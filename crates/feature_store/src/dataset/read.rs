//! Reading a dataset back, part by part, in the order of its rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::manifest::{DataFile, load_manifest};
use crate::StoreError;
use crate::error::{file_error, parquet_error};
use crate::split::Part;

const BATCH_ROWS: usize = 65_536;

/// The rows of a part, batch by batch, without more than one batch in memory.
pub struct PartReader {
    paths: std::vec::IntoIter<PathBuf>,
    columns: Option<Vec<String>>,
    open: ParquetRecordBatchReader,
    schema: SchemaRef,
}

/// Opens a part of the dataset in a folder. With `columns`, only these are read, in the dataset's order.
///
/// # Errors
/// `NoPart` when the dataset has no such part; when the manifest or the first file cannot be read.
pub fn open_part(folder: &Path, part: Part, columns: Option<&[String]>) -> Result<PartReader, StoreError> {
    let manifest = load_manifest(folder)?;
    let no_part = || StoreError::NoPart {
        part: part.name(),
        parts: manifest
            .parts
            .iter()
            .map(|report| report.part.name())
            .collect::<Vec<_>>()
            .join("`, `"),
    };
    let report = manifest.part(part).ok_or_else(no_part)?;
    open_files(folder, &report.files, columns)?.ok_or_else(no_part)
}

/// Opens the rows in gaps of the dataset in a folder: keys, event times and labels. With `columns`, only these are read. `None` where
/// no such rows are kept.
///
/// # Errors
/// When the manifest or the first file cannot be read.
pub fn open_gap(folder: &Path, columns: Option<&[String]>) -> Result<Option<PartReader>, StoreError> {
    match load_manifest(folder)?.gap_rows {
        Some(gap) => open_files(folder, &gap.files, columns),
        None => Ok(None),
    }
}

fn open_files(folder: &Path, files: &[DataFile], columns: Option<&[String]>) -> Result<Option<PartReader>, StoreError> {
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.path)).collect();
    let mut paths = paths.into_iter();
    let Some(first) = paths.next() else {
        return Ok(None);
    };
    let open = open_file(&first, columns)?;
    let schema = open.schema();
    let columns = columns.map(<[String]>::to_vec);
    Ok(Some(PartReader {
        paths,
        columns,
        open,
        schema,
    }))
}

/// All rows of a part of the dataset in a folder.
///
/// # Errors
/// As [`open_part`], and when a file cannot be read.
pub fn read_part(folder: &Path, part: Part) -> Result<Vec<RecordBatch>, StoreError> {
    open_part(folder, part, None)?.collect()
}

impl PartReader {
    /// The columns that are read.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(batch) = self.open.next() {
                return Ok(Some(batch?));
            }
            match self.paths.next() {
                Some(path) => self.open = open_file(&path, self.columns.as_deref())?,
                None => return Ok(None),
            }
        }
    }
}

impl Iterator for PartReader {
    type Item = Result<RecordBatch, StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// Opens one Parquet file of a dataset.
pub(super) fn open_file(path: &Path, columns: Option<&[String]>) -> Result<ParquetRecordBatchReader, StoreError> {
    let file = File::open(path).map_err(file_error(path))?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(parquet_error(path))?
        .with_batch_size(BATCH_ROWS);
    if let Some(columns) = columns {
        let names = columns.iter().map(String::as_str);
        let mask = parquet::arrow::ProjectionMask::columns(builder.parquet_schema(), names);
        builder = builder.with_projection(mask);
    }
    builder.build().map_err(parquet_error(path))
}
