//! Parts of datasets, held against each other.

use std::path::{Path, PathBuf};

use definitions::Role;
use sketches::drift::Thresholds;

use super::{COLUMNS_AT_ONCE, ColumnProfile, DriftReport, Profilers, Wanted};
use crate::dataset::{Manifest, Selection, load_manifest, open_selection};
use crate::split::Part;
use crate::{Condition, StoreError};

/// Rows of a dataset.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The dataset's folder.
    pub folder: PathBuf,
    /// The part; `None`: all of them.
    pub part: Option<Part>,
    /// What must be true of a row; `None`: nothing.
    pub condition: Option<Condition>,
}

impl Sample {
    /// The parts that it is made of, in order.
    fn parts(&self, manifest: &Manifest) -> Vec<Part> {
        match self.part {
            Some(part) => vec![part],
            None => manifest.parts.iter().map(|report| report.part).collect(),
        }
    }

    /// What these columns look like.
    pub(super) fn profile(&self, manifest: &Manifest, wanted: &[Wanted]) -> Result<Vec<ColumnProfile>, StoreError> {
        let selection = Selection {
            columns: Some(wanted.iter().map(|(name, _)| name.clone()).collect()),
            condition: self.condition.clone(),
        };
        let mut profilers = Profilers::new(wanted, &manifest.schema())?;
        for part in self.parts(manifest) {
            for batch in open_selection(&self.folder, part, &selection)? {
                profilers.update(&batch?)?;
            }
        }
        Ok(profilers.finish())
    }
}

/// Features, labels and helpers: all but what names a row.
pub(crate) fn is_compared(role: Role) -> bool {
    !matches!(role, Role::Key | Role::EventTime)
}

/// How far the columns of a sample are from those of a baseline: features, labels and helpers, by name.
///
/// # Errors
/// `NoPart` when a dataset has no such part; when a file cannot be read.
pub fn dataset_drift(baseline: &Sample, candidate: &Sample, thresholds: Thresholds) -> Result<DriftReport, StoreError> {
    let manifest = |folder: &Path| load_manifest(folder);
    let (first, second) = (manifest(&baseline.folder)?, manifest(&candidate.folder)?);
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut not_compared = Vec::new();
    for column in first.columns.iter().filter(|column| is_compared(column.role)) {
        let other = second.columns.iter().find(|other| other.name == column.name);
        match other {
            Some(other) if other.data_type == column.data_type => {
                wanted.push((column.name.clone(), column.categorical || other.categorical));
            }
            _ => not_compared.push(column.name.clone()),
        }
    }
    let is_new = |name: &str| first.columns.iter().all(|column| column.name != name);
    let others = second.columns.iter().filter(|column| is_compared(column.role));
    not_compared.extend(others.map(|column| column.name.clone()).filter(|name| is_new(name)));
    let mut columns = Vec::new();
    for some in wanted.chunks(COLUMNS_AT_ONCE) {
        let (a, b) = (baseline.profile(&first, some)?, candidate.profile(&second, some)?);
        columns.extend(a.iter().zip(&b).filter_map(|(a, b)| a.drift_to(b, &thresholds)));
    }
    Ok(DriftReport {
        thresholds,
        columns,
        not_compared,
    })
}
