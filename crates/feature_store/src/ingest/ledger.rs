//! What is counted while rows go by, and where the rows go that are kept out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use definitions::{Expectation, GroupRef, OnViolation};

use super::quarantine::{QuarantineSpool, QuarantinedRow};
use super::source::Source;
use super::violation::{Tally, Violation, Violations};
use crate::StoreError;
use crate::expect::ExpectationResult;

/// The counts of an ingestion on its way.
pub(super) struct Ledger {
    /// Rows read from each source.
    pub rows_by_source: Vec<u64>,
    /// NaN values that became NULL.
    pub nan_nulls: u64,
    /// Identical rows left out.
    pub duplicates: u64,
    /// Columns of the files that nobody asked for.
    pub ignored: BTreeSet<String>,
    /// Rows set aside.
    pub quarantined: u64,
    /// Rows that break each of the group's expectations.
    pub at_fault: Vec<u64>,
    /// Of those that are let through all the same, the first ones.
    let_through: Vec<Tally>,
    refused: Tally,
    spool: QuarantineSpool,
}

impl Ledger {
    /// An empty one; rows that are set aside go to a file under `spill`.
    pub(super) fn new(sources: usize, expectations: usize, spill: &Path) -> Self {
        Self {
            rows_by_source: vec![0; sources],
            nan_nulls: 0,
            duplicates: 0,
            ignored: BTreeSet::new(),
            quarantined: 0,
            at_fault: vec![0; expectations],
            let_through: std::iter::repeat_with(Tally::default).take(expectations).collect(),
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

    /// Takes in a row that breaks an expectation and is let through.
    pub(super) fn let_through(&mut self, file: usize, expectation: usize, violation: Violation) {
        if let Some(tally) = self.let_through.get_mut(expectation) {
            tally.add(file, violation);
        }
    }

    /// What became of the expectations about rows, by their places.
    pub(super) fn row_results(&mut self, expectations: &[Expectation]) -> BTreeMap<usize, ExpectationResult> {
        let rows = self.rows_read();
        let let_through = std::mem::take(&mut self.let_through);
        let counted = expectations.iter().zip(&self.at_fault).zip(let_through).enumerate();
        counted
            .filter(|(_, ((expectation, _), _))| expectation.check.is_about_a_row())
            .map(|(at, ((expectation, at_fault), tally))| {
                let first = tally.into_first();
                (at, ExpectationResult::of_rows(expectation, *at_fault, rows, first))
            })
            .collect()
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
