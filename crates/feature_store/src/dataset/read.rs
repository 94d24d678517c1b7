//! Reading a dataset back, part by part, in the order of its rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::manifest::load_manifest;
use super::write::parquet_error;
use crate::StoreError;
use crate::split::Part;

const BATCH_ROWS: usize = 65_536;

/// The rows of a part, batch by batch, without more than one batch in memory.
pub struct PartReader {
    paths: std::vec::IntoIter<PathBuf>,
    columns: Option<Vec<String>>,
    open: Option<ParquetRecordBatchReader>,
}

/// Opens a part of the dataset in a folder. With `columns`, only these are read, in the dataset's order.
///
/// # Errors
/// `NoPart` when the dataset has no such part; when the manifest cannot be read.
pub fn open_part(folder: &Path, part: Part, columns: Option<&[String]>) -> Result<PartReader, StoreError> {
    let manifest = load_manifest(folder)?;
    let parts = || manifest.parts.iter().map(|report| report.part.to_string()).collect::<Vec<_>>().join("`, `");
    let report = manifest.part(part).ok_or_else(|| StoreError::NoPart { part: part.name(), parts: parts() })?;
    let paths: Vec<PathBuf> = report.files.iter().map(|file| folder.join(&file.path)).collect();
    Ok(PartReader { paths: paths.into_iter(), columns: columns.map(<[String]>::to_vec), open: None })
}

/// All rows of a part of the dataset in a folder.
///
/// # Errors
/// As [`open_part`], and when a file cannot be read.
pub fn read_part(folder: &Path, part: Part) -> Result<Vec<RecordBatch>, StoreError> {
    open_part(folder, part, None)?.collect()
}

/// Opens one Parquet file of a dataset.
pub(super) fn open_file(path: &Path, columns: Option<&[String]>) -> Result<ParquetRecordBatchReader, StoreError> {
    let file = File::open(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet_error(path))?.with_batch_size(BATCH_ROWS);
    if let Some(columns) = columns {
        let names = columns.iter().map(String::as_str);
        let mask = parquet::arrow::ProjectionMask::columns(builder.parquet_schema(), names);
        builder = builder.with_projection(mask);
    }
    builder.build().map_err(parquet_error(path))
}

impl PartReader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(batch) = self.open.as_mut().and_then(Iterator::next) {
                return Ok(Some(batch?));
            }
            match self.paths.next() {
                Some(path) => self.open = Some(open_file(&path, self.columns.as_deref())?),
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
