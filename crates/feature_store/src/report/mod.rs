//! What a report about a dataset is drawn from, in one pass over each part (one for every 64 columns, where there are more).
//!
//! Reading order: this file, `missing` (NULLs over time), `correlation` (which columns move together).

mod correlation;
mod missing;
#[cfg(test)]
mod tests;

use std::path::Path;

use definitions::Role;

use crate::StoreError;
use crate::dataset::{Manifest, load_manifest, open_part};
use crate::drift::{COLUMNS_AT_ONCE, ColumnProfile, Profilers, Wanted, is_compared};
use crate::split::Part;

pub use correlation::{CORRELATED_COLUMNS, Correlations};
pub use missing::{MISSING_BUCKETS, Missing};

use correlation::CorrelationCollector;
use missing::MissingCollector;

/// A part's columns: features, labels and helpers.
#[derive(Debug, Clone)]
pub struct PartProfile {
    /// The part.
    pub part: Part,
    /// What they look like, in the dataset's order.
    pub columns: Vec<ColumnProfile>,
}

/// Everything about a dataset that a report shows and its manifest does not say.
#[derive(Debug, Clone)]
pub struct ReportData {
    /// The manifest.
    pub manifest: Manifest,
    /// The parts, in order.
    pub parts: Vec<PartProfile>,
    /// Where values are missing, over time and in all parts; `None`: rows have no event time, or there are none.
    pub missing: Option<Missing>,
    /// Which numbers move together in the first part.
    pub correlations: Correlations,
}

/// Looks at the dataset in a folder.
///
/// # Errors
/// When a file cannot be read.
pub fn report_data(folder: &Path) -> Result<ReportData, StoreError> {
    let manifest = load_manifest(folder)?;
    let columns = manifest.columns.iter().filter(|column| is_compared(column.role));
    let wanted: Vec<Wanted> = columns
        .map(|column| (column.name.clone(), column.categorical))
        .collect();
    let time = manifest
        .columns_with(Role::EventTime)
        .next()
        .map(|column| column.name.clone());
    let mut missing = MissingCollector::new(&manifest, wanted.iter().map(|(name, _)| name.clone()).collect());
    let mut correlations = CorrelationCollector::new(&manifest);
    let mut parts: Vec<PartProfile> = Vec::new();
    for (at, report) in manifest.parts.iter().enumerate() {
        let mut columns = Vec::new();
        for (pass, some) in wanted.chunks(COLUMNS_AT_ONCE).enumerate() {
            let mut names: Vec<String> = some.iter().map(|(name, _)| name.clone()).collect();
            names.extend(time.clone());
            if at == 0 && pass == 0 {
                names.extend(correlations.columns().iter().cloned());
            }
            let mut profilers = Profilers::new(some, &manifest.schema())?;
            for batch in open_part(folder, report.part, Some(&names))? {
                let batch = batch?;
                profilers.update(&batch)?;
                if let Some((missing, time)) = missing.as_mut().zip(time.as_ref()) {
                    missing.update(&batch, time, pass == 0);
                }
                if at == 0 && pass == 0 {
                    correlations.update(&batch)?;
                }
            }
            columns.extend(profilers.finish());
        }
        parts.push(PartProfile {
            part: report.part,
            columns,
        });
    }
    Ok(ReportData {
        parts,
        missing: missing.map(MissingCollector::finish),
        correlations: correlations.finish(),
        manifest,
    })
}
