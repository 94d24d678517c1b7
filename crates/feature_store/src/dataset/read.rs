//! Reading a dataset back, part by part, in the order of its rows.

use std::path::{Path, PathBuf};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::ahead::Ahead;
use super::manifest::{DataFile, load_manifest};
use super::selection::{Meter, Selection, open_selected};
use crate::StoreError;
use crate::split::Part;

/// The rows of a part, batch by batch; the next batch is read while one is worked on.
pub struct PartReader {
    batches: Ahead<RecordBatch>,
    schema: SchemaRef,
    meter: Meter,
}

/// Opens a part of the dataset in a folder. With `columns`, only these are read, in the dataset's order.
///
/// # Errors
/// `NoPart` when the dataset has no such part; when the manifest or the first file cannot be read.
pub fn open_part(folder: &Path, part: Part, columns: Option<&[String]>) -> Result<PartReader, StoreError> {
    open_selection(folder, part, &only(columns))
}

/// Opens those rows and columns of a part of the dataset in a folder that are asked for. What can be told without reading it is not read:
/// see [`PartReader::bytes_read`].
///
/// # Errors
/// As [`open_part`].
pub fn open_selection(folder: &Path, part: Part, selection: &Selection) -> Result<PartReader, StoreError> {
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
    open_files(paths_of(folder, &report.files), selection)?.ok_or_else(no_part)
}

fn only(columns: Option<&[String]>) -> Selection {
    Selection {
        columns: columns.map(<[String]>::to_vec),
        condition: None,
    }
}

fn paths_of(folder: &Path, files: &[DataFile]) -> Vec<PathBuf> {
    files.iter().map(|file| folder.join(&file.path)).collect()
}

/// Opens the rows in gaps of the dataset in a folder: keys, event times and labels. With `columns`, only these are read. `None` where
/// no such rows are kept.
///
/// # Errors
/// When the manifest or the first file cannot be read.
pub fn open_gap(folder: &Path, columns: Option<&[String]>) -> Result<Option<PartReader>, StoreError> {
    match load_manifest(folder)?.gap_rows {
        Some(gap) => open_files(paths_of(folder, &gap.files), &only(columns)),
        None => Ok(None),
    }
}

/// Opens one Parquet file of a dataset.
pub(super) fn open_file(path: &Path, columns: Option<&[String]>) -> Result<ParquetRecordBatchReader, StoreError> {
    open_selected(path, &only(columns), &Meter::default())
}

/// Opens files one after the other; `None`: there are none.
pub(super) fn open_files(paths: Vec<PathBuf>, selection: &Selection) -> Result<Option<PartReader>, StoreError> {
    let mut paths = paths.into_iter();
    let Some(first) = paths.next() else {
        return Ok(None);
    };
    let meter = Meter::default();
    let open = open_selected(&first, selection, &meter)?;
    let schema = open.schema();
    let files = Files {
        paths,
        selection: selection.clone(),
        meter: meter.clone(),
        open,
    };
    Ok(Some(PartReader {
        batches: Ahead::of(files),
        schema,
        meter,
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

    /// The bytes that have been read of the files.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.meter.bytes()
    }
}

impl Iterator for PartReader {
    type Item = Result<RecordBatch, StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

/// Files, one after the other.
struct Files {
    paths: std::vec::IntoIter<PathBuf>,
    selection: Selection,
    meter: Meter,
    open: ParquetRecordBatchReader,
}

impl Files {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(batch) = self.open.next() {
                return Ok(Some(batch?));
            }
            match self.paths.next() {
                Some(path) => self.open = open_selected(&path, &self.selection, &self.meter)?,
                None => return Ok(None),
            }
        }
    }
}

impl Iterator for Files {
    type Item = Result<RecordBatch, StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
