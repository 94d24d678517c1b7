//! Stored rows held against what their group expects today, beside what the last ingestion was found to be.
//!
//! One pass over the rows that readers see, in total order, with the same checks as an ingestion. What speaks of one ingestion among
//! others (row counts, drift) is not asked of the table; there the last ingestion's own result stands. Row counts of a derived group are about
//! its table.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use definitions::{Check, ColumnName, FeatureGroup, GroupRef, IngestMode, Level, WallTime};
use futures::TryStreamExt;
use serde::Serialize;

use super::row::RowChecks;
use super::watch::{Against, Watch};
use super::{ExpectationResult, unique_folder};
use crate::ingest::ingestions;
use crate::query::superseded::Superseded;
use crate::storage::{PinAt, Store, pin_group};
use crate::{StoreError, scan_group};

/// What became of all expectations of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// The group.
    pub group: GroupRef,
    /// The Delta version that was looked at.
    pub delta_version: i64,
    /// Rows that readers see.
    pub rows: u64,
    /// The last ingestion's number; `None`: there is none.
    pub last_ingestion: Option<i64>,
    /// Every expectation, in the order of the definition.
    pub expectations: Vec<ValidatedExpectation>,
}

/// An expectation now and at the last ingestion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValidatedExpectation {
    /// Of the rows that readers see now; `None`: it is about one ingestion among others.
    pub stored: Option<ExpectationResult>,
    /// Of the last ingestion; `None`: there is none, or it was made by a program that did not check this.
    pub last_ingestion: Option<ExpectationResult>,
    /// What is expected, as it is declared.
    pub check: String,
    /// The feature; `None`: the group.
    pub column: Option<ColumnName>,
    /// What happens to an ingestion where it does not hold.
    pub level: Level,
}

impl ValidatedExpectation {
    /// What counts today: the stored rows, or else the last ingestion.
    #[must_use]
    pub fn today(&self) -> Option<&ExpectationResult> {
        self.stored.as_ref().or(self.last_ingestion.as_ref())
    }
}

impl Validation {
    /// Whether an expectation that refuses does not hold.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let today = self.expectations.iter().filter_map(ValidatedExpectation::today);
        today.into_iter().any(ExpectationResult::refuses)
    }
}

/// Checks the newest version of a group. `now` is what freshness is measured against; `memory` is what a sort may hold, in bytes.
///
/// # Errors
/// As [`pin_group`] and [`scan_group`]; `Query` when a condition in SQL has no answer for a row.
pub async fn validate(
    store: &Store,
    group: &FeatureGroup,
    now: WallTime,
    memory: u64,
) -> Result<Validation, StoreError> {
    let pin = pin_group(store, group, PinAt::Newest).await?;
    let columns: Vec<ColumnName> = group.stored_columns().into_iter().map(|(name, _)| name).collect();
    let folder = unique_folder(store);
    let mut pass = Pass::new(group, &folder)?;
    let mut rows = scan_group(store, group, &pin, &columns, None).await?.batches;
    let identity = group.entity.len() + usize::from(group.event_time.is_some());
    let mut superseded = (group.mode == IngestMode::Upsert).then(|| Superseded::new((0..identity).collect()));
    while let Some(batch) = rows.try_next().await? {
        match &mut superseded {
            Some(superseded) => superseded.push(&batch)?.iter().try_for_each(|batch| pass.see(batch))?,
            None => pass.see(&batch)?,
        }
    }
    if let Some(batch) = superseded.as_mut().and_then(Superseded::finish) {
        pass.see(&batch)?;
    }
    let last = ingestions(store, group).await?.pop();
    let rows = pass.rows;
    let stored = pass.finish(now, memory).await;
    // It may never have been made, and what cannot be removed is left for `gc`.
    let _gone = std::fs::remove_dir_all(&folder);
    let recorded = last
        .as_ref()
        .map(|receipt| receipt.expectations.as_slice())
        .unwrap_or_default();
    Ok(Validation {
        group: group.reference(),
        delta_version: pin.delta_version,
        rows,
        last_ingestion: last.as_ref().map(|receipt| receipt.ingest_id),
        expectations: beside(group, stored?, recorded),
    })
}

/// Every expectation with its two results.
fn beside(
    group: &FeatureGroup,
    mut stored: BTreeMap<usize, ExpectationResult>,
    recorded: &[ExpectationResult],
) -> Vec<ValidatedExpectation> {
    let validated = |(at, expectation): (usize, definitions::Expectation)| {
        let check = expectation.check.to_string();
        let last = recorded
            .iter()
            .find(|result| result.column == expectation.column && result.check == check);
        ValidatedExpectation {
            stored: stored.remove(&at),
            last_ingestion: last.cloned(),
            check,
            column: expectation.column,
            level: expectation.level,
        }
    };
    group.expectations().into_iter().enumerate().map(validated).collect()
}

/// One pass over the rows.
struct Pass {
    expectations: Vec<definitions::Expectation>,
    checks: RowChecks,
    at_fault: Vec<u64>,
    /// Whether row counts are about the table.
    is_derived: bool,
    columns: usize,
    rows: u64,
    watch: Watch,
}

impl Pass {
    /// For a group; what does not fit into memory goes to the folder.
    fn new(group: &FeatureGroup, folder: &std::path::Path) -> Result<Self, StoreError> {
        let expectations = group.expectations();
        Ok(Self {
            checks: RowChecks::of(group, &expectations)?,
            at_fault: vec![0; expectations.len()],
            is_derived: group.derive.is_some(),
            columns: group.stored_columns().len(),
            rows: 0,
            watch: Watch::new(group, folder),
            expectations,
        })
    }

    /// Takes in the next rows: a group's stored columns, in their order, and perhaps more behind them.
    fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.rows += batch.num_rows() as u64;
        let columns = batch.columns().get(..self.columns).unwrap_or_default();
        let at_fault = &mut self.at_fault;
        self.checks.faults(columns, columns, &mut |fault| {
            if let Some(count) = at_fault.get_mut(fault.expectation) {
                *count += 1;
            }
        })?;
        self.watch.see(batch)
    }

    /// What became of each expectation, by its place, apart from those that are about one ingestion among others.
    async fn finish(self, now: WallTime, memory: u64) -> Result<BTreeMap<usize, ExpectationResult>, StoreError> {
        let against = Against {
            now,
            memory,
            before: &[],
        };
        let mut results = self.watch.finish(&against).await?.results;
        for (at, (expectation, at_fault)) in self.expectations.iter().zip(self.at_fault).enumerate() {
            if expectation.check.is_about_a_row() {
                results.insert(
                    at,
                    ExpectationResult::of_rows(expectation, at_fault, self.rows, Vec::new()),
                );
            } else if expectation.check.is_about_one_ingestion()
                && !(self.is_derived && counts_rows(&expectation.check))
            {
                results.remove(&at);
            }
        }
        Ok(results)
    }
}

fn counts_rows(check: &Check) -> bool {
    matches!(check, Check::MinRows(_) | Check::MaxRows(_))
}
