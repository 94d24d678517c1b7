//! Reading a dataset back, part by part, in the order of its rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::manifest::load_manifest;
use super::write::parquet_error;
use crate::StoreError;
use crate::error::file_error;
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
    let paths: Vec<PathBuf> = report.files.iter().map(|file| folder.join(&file.path)).collect();
    let mut paths = paths.into_iter();
    let open = open_file(&paths.next().ok_or_else(no_part)?, columns)?;
    let schema = open.schema();
    let columns = columns.map(<[String]>::to_vec);
    Ok(PartReader {
        paths,
        columns,
        open,
        schema,
    })
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
