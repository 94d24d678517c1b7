//! The rows in gaps: **in no part, but kept**, because their labels are known by the time that later rows ask for a forecast.
//!
//! ```text
//!   train ────────┤ gap ├─ validation ──── ...        train/*.parquet, validation/*.parquet: every column
//!                    └──────────────────────────────►  gap/*.parquet: keys, event time, labels
//! ```
//!
//! A forecast that is not learned, such as the last value, may use each label whose horizon is over. A deployed one has those of the
//! gap too; without them it would look weaker than it is, and be beaten too easily. Features are left out: nothing is learned here.
//!
//! Where the view forecasts, rows in gaps are what the first windows after them look back at: they are kept with every column. Where the split walks forward, the dataset's parts are those of the last fold, and rows in none of them may be in parts of the folds
//! before: they are kept with every column, too.

use std::path::Path;

use arrow::array::{BooleanArray, RecordBatch};
use definitions::{ResolvedColumn, Role, Split};

use super::build::Target;
use super::manifest::GapReport;
use super::plan::Plan;
use super::write::{Manner, PartWriter};
use crate::StoreError;
use crate::split::Part;

/// The folder of the rows in gaps.
pub(super) const GAP: &str = "gap";

/// Writes the rows in gaps. There is no folder before there is a row.
pub(super) struct GapWriter<'a> {
    staging: &'a Path,
    manner: Manner,
    /// Where the columns that are kept stand in the dataset.
    kept: Vec<usize>,
    writer: Option<PartWriter>,
    columns: Vec<String>,
}

impl<'a> GapWriter<'a> {
    /// A writer for the gaps of the dataset that is made in the target's folder.
    pub(super) fn new(plan: &Plan, target: &Target<'a>) -> Self {
        let has_folds = matches!(target.split, Some(Split::WalkForward { .. }));
        let has_windows = plan.resolved.panel.is_some();
        let is_kept = |column: &ResolvedColumn| {
            has_folds || has_windows || matches!(column.role, Role::Key | Role::EventTime | Role::Label)
        };
        let all = plan.resolved.columns.iter().enumerate();
        let (kept, columns): (Vec<usize>, Vec<String>) = all
            .filter(|(_, column)| is_kept(column))
            .map(|(at, column)| (at, column.name.to_string()))
            .unzip();
        let event_time = kept.iter().position(|at| *at == plan.event_time_at());
        Self {
            staging: target.staging,
            manner: Manner {
                event_time: event_time.unwrap_or_default(),
                rows_per_file: target.rows_per_file,
                threads: target.means.threads,
            },
            kept,
            writer: None,
            columns,
        }
    }

    /// Writes those of the next rows that are in no part. `parts`: the part of each.
    pub(super) fn write(&mut self, batch: &RecordBatch, parts: &[Option<Part>]) -> Result<(), StoreError> {
        let wanted: BooleanArray = parts.iter().map(|part| Some(part.is_none())).collect();
        if wanted.true_count() == 0 {
            return Ok(());
        }
        let rows = batch.project(&self.kept)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let writer = PartWriter::new(self.staging, GAP, &rows.schema(), self.manner)?;
                self.writer.insert(writer)
            }
        };
        writer.write(rows, &wanted)
    }

    /// Ends them: everything is on disk. `None` where there was no row.
    pub(super) fn finish(self) -> Result<Option<GapReport>, StoreError> {
        let Some(writer) = self.writer else {
            return Ok(None);
        };
        let written = writer.finish()?;
        Ok(Some(GapReport {
            rows: written.rows,
            columns: self.columns,
            fingerprint: written.fingerprint,
            files: written.files,
        }))
    }
}
