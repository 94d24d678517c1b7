//! The rows of one fold of a walk forward: **all rows lie in the dataset once; a fold's part is those of a stretch of time.**
//!
//! The rows come in the order of the files: train, validation, test of the last fold, then the rows that it does not use; in each the
//! spine's order. Parts that lie outside the stretch are not read.

use std::path::{Path, PathBuf};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use definitions::Role;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::manifest::{Manifest, PartReport};
use super::read::open_file;
use crate::StoreError;
use crate::split::{Fold, FoldPart, Part};

/// The rows of a part of a fold, batch by batch, without more than one batch in memory.
pub struct FoldReader {
    paths: std::vec::IntoIter<PathBuf>,
    columns: Option<Vec<String>>,
    event_time: String,
    part: FoldPart,
    open: Option<ParquetRecordBatchReader>,
}

/// Opens a part of a fold of the dataset in a folder. With `columns`, only these and the event time are read, in the dataset's order.
///
/// # Errors
/// `NoPart` when the fold has no such part.
pub fn open_fold(
    folder: &Path,
    manifest: &Manifest,
    fold: &Fold,
    part: Part,
    columns: Option<&[String]>,
) -> Result<FoldReader, StoreError> {
    let own = fold.part(part).ok_or_else(|| StoreError::NoPart {
        part: part.name(),
        parts: fold
            .parts
            .iter()
            .map(|part| part.part.name())
            .collect::<Vec<_>>()
            .join("`, `"),
    })?;
    let event_time = manifest
        .columns_with(Role::EventTime)
        .map(|column| column.name.clone())
        .next();
    let event_time = event_time.unwrap_or_default();
    let columns = columns.map(|columns| {
        let more = Some(event_time.clone()).filter(|time| !columns.contains(time));
        columns.iter().cloned().chain(more).collect()
    });
    let meets = |report: &&PartReport| {
        let (first, last) = (report.first_event_time, report.last_event_time);
        first.is_some_and(|first| first < own.to) && last.is_some_and(|last| last >= own.from)
    };
    let of_parts = manifest.parts.iter().filter(meets).flat_map(|report| &report.files);
    let files = of_parts.chain(manifest.gap_rows.iter().flat_map(|gap| &gap.files));
    let paths: Vec<PathBuf> = files.map(|file| folder.join(&file.path)).collect();
    Ok(FoldReader {
        paths: paths.into_iter(),
        columns,
        event_time,
        part: *own,
        open: None,
    })
}

impl FoldReader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(batch) = self.open.as_mut().and_then(Iterator::next) {
                let batch = self.own_rows(&batch?)?;
                if batch.num_rows() > 0 {
                    return Ok(Some(batch));
                }
                continue;
            }
            match self.paths.next() {
                Some(path) => self.open = Some(open_file(&path, self.columns.as_deref())?),
                None => return Ok(None),
            }
        }
    }

    fn own_rows(&self, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let times = batch.column_by_name(&self.event_time);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let times = times.ok_or_else(|| StoreError::UnknownColumn {
            group: "the dataset".to_owned(),
            column: self.event_time.clone(),
        })?;
        let own: BooleanArray = times.values().iter().map(|time| Some(self.part.holds(*time))).collect();
        Ok(filter_record_batch(batch, &own)?)
    }
}

impl Iterator for FoldReader {
    type Item = Result<RecordBatch, StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
