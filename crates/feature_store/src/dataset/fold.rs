//! The rows of one fold of a walk forward: **all rows lie in the dataset once; a fold's part is those of a stretch of time.**
//!
//! The rows come in the order of the files: train, validation, test of the last fold, then the rows that it does not use; in each the
//! spine's order. What lies outside the stretch is not read: parts, row groups, and pages of columns other than the event time.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use definitions::Role;

use super::manifest::{Manifest, PartReport};
use super::read::{PartReader, open_files};
use super::selection::Selection;
use crate::StoreError;
use crate::condition::Condition;
use crate::split::{Fold, Part};

/// The rows of a part of a fold, batch by batch; the next batch is read while one is worked on.
pub struct FoldReader(Option<PartReader>);

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
    let condition = Condition::time_within(&manifest.schema(), &event_time, own.from.0, own.to.0)?;
    let selection = Selection {
        columns,
        condition: Some(condition),
    };
    Ok(FoldReader(open_files(paths, &selection)?))
}

impl Iterator for FoldReader {
    type Item = Result<RecordBatch, StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next()
    }
}
