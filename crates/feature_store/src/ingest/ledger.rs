//! What is counted while rows go by, and where the rows go that are kept out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use definitions::{GroupRef, OnViolation};

use super::quarantine::{QuarantineSpool, QuarantinedRow};
use super::source::Source;
use super::violation::{Tally, Violation, Violations};
use crate::StoreError;

/// The counts of an ingestion on its way.
pub(super) struct Ledger {
    /// Rows read from each source.
    pub rows_by_source: Vec<u64>,
    /// Rows accepted so far.
    pub accepted: u64,
    /// NULLs among accepted rows, by column.
    pub nulls: Vec<u64>,
    /// NaN values that became NULL.
    pub nan_nulls: u64,
    /// Identical rows left out.
    pub duplicates: u64,
    /// Columns of the files that nobody asked for.
    pub ignored: BTreeSet<String>,
    /// Rows set aside.
    pub quarantined: u64,
    refused: Tally,
    spool: QuarantineSpool,
}

impl Ledger {
    /// An empty one; rows that are set aside go to a file under `spill`.
    pub(super) fn new(sources: usize, columns: usize, spill: &Path) -> Self {
        Self {
            rows_by_source: vec![0; sources],
            accepted: 0,
            nulls: vec![0; columns],
            nan_nulls: 0,
            duplicates: 0,
            ignored: BTreeSet::new(),
            quarantined: 0,
            refused: Tally::default(),
            spool: QuarantineSpool::new(spill.join(format!("quarantine-{}.parquet", uuid::Uuid::new_v4()))),
        }
    }

    /// Takes in a row that breaks the definition, and what it looked like.
    pub(super) fn violation(
        &mut self,
        file: usize,
        violation: Violation,
        on_violation: OnViolation,
        raw: impl FnOnce() -> String,
    ) -> Result<(), StoreError> {
        match on_violation {
            OnViolation::Refuse => {
                self.refused.add(file, violation);
                Ok(())
            }
            OnViolation::Quarantine => {
                self.quarantined += 1;
                self.spool.push(QuarantinedRow { violation, row: raw() })
            }
        }
    }

    /// Whether a row has refused the whole ingestion.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.rows() > 0
    }

    /// All rows read.
    pub(super) fn rows_read(&self) -> u64 {
        self.rows_by_source.iter().sum()
    }

    /// The rows that refused the ingestion.
    pub(super) fn violations(&mut self, group: GroupRef) -> Violations {
        let rows = self.rows_read();
        std::mem::take(&mut self.refused).finish(group, rows)
    }

    /// The file of rows set aside; `None` where there are none.
    pub(super) fn quarantine_file(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.spool.finish()
    }

    /// The name of a source, by its place.
    pub(super) fn source_name(sources: &[Source], place: usize) -> String {
        sources.get(place).map(|source| source.name.clone()).unwrap_or_default()
    }
}
