//! The rows of a dataset as series: those of every part, and those in gaps, which windows look back at. Of a walk forward, rows are numbered by
//! stretch (`walk`), else by part.

use arrow::array::RecordBatch;
use definitions::Role;
use feature_store::dataset::{Manifest, PanelReport, open_gap, open_part};
use feature_store::split::Part;
use learning::{Panel, PanelColumns, PartNumber};

use super::super::Lesson;
use super::walk::Stretches;
use crate::failure::{Failure, Outcome};

/// The number of train.
pub const TRAIN: PartNumber = 1;
/// The number of validation.
pub const VALIDATION: PartNumber = 2;
/// The number of test.
pub const TEST: PartNumber = 3;
/// The number of rows in gaps.
pub const GAP: PartNumber = 4;

/// A part's number.
pub fn number(part: Part) -> PartNumber {
    match part {
        Part::Train => TRAIN,
        Part::Validation => VALIDATION,
        Part::Test => TEST,
    }
}

/// Which columns of the dataset make the panel.
pub fn columns(manifest: &Manifest, report: &PanelReport) -> PanelColumns {
    let names = |role| manifest.columns_with(role).map(|column| column.name.clone());
    let categorical = manifest.columns.iter().filter(|column| column.categorical);
    PanelColumns {
        keys: names(Role::Key).collect(),
        event_time: names(Role::EventTime).next().unwrap_or_default(),
        targets: report.targets.clone(),
        fixed: report.static_columns.clone(),
        known: report.known_future.clone(),
        observed: report.observed.clone(),
        categorical: categorical.map(|column| column.name.clone()).collect(),
        frequency: report.frequency.micros(),
        grid: None,
    }
}

/// Reads the panel.
pub fn load(lesson: &Lesson<'_>, columns: &PanelColumns) -> Outcome<Panel> {
    let wanted = columns.read();
    let folds = lesson.manifest.certificate.folds();
    let stretches = (!folds.is_empty()).then(|| Stretches::of(folds));
    let (mut batches, mut numbers) = (Vec::new(), Vec::new());
    let mut add = |part: PartNumber, batch: RecordBatch| -> Outcome {
        match &stretches {
            Some(stretches) => numbers.extend(stretches.of_rows(&batch, &columns.event_time)?),
            None => numbers.extend(std::iter::repeat_n(part, batch.num_rows())),
        }
        batches.push(batch);
        Ok(())
    };
    for report in &lesson.manifest.parts {
        for batch in open_part(lesson.folder, report.part, Some(&wanted))? {
            add(number(report.part), batch?)?;
        }
    }
    if lesson.manifest.gap_rows.is_some() {
        for batch in open_gap(lesson.folder, Some(&wanted))?.into_iter().flatten() {
            add(GAP, batch?)?;
        }
    }
    if batches.is_empty() {
        return Err(Failure::input("the dataset has no rows to learn from"));
    }
    Ok(Panel::numbered(&batches, &numbers, columns)?)
}
