//! What a derived group expects of its rows: **each row as it is written, and the group as it will be.**
//!
//! ```text
//!   derived rows ─ row checks ─┬─ good ─────────────────────────────┬─▶ files ─┐
//!                              └─ set aside: features become NULL ──┘          ├─ the rows that count then ─ verdict ─ commit
//!                                 └─ as computed ─▶ quarantine      stored ────┘
//! ```
//!
//! Which rows a materialisation writes depends on what was late, so what is about many rows would be an accident if it were asked of these
//! alone: a gap between two late rows is no gap, and labels that wait for their end are a large share of few rows. So it is asked of
//! the rows that readers will see once these are committed, and the verdict is that of computing everything again. Drift alone is
//! about what is new, against the materialisations before.
//!
//! A row that is set aside stays, with its key and times, and with all its features NULL. Were it left out, the row that was
//! computed before would be seen in its place, and what a table holds would depend on the order in which its sources' rows came.
//!
//! Cost: the row checks as the rows go by. Where something is expected of many rows and the table has some already, one pass over those
//! columns of it. Memory: as for an ingestion.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::nullif;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::{Check, ColumnName, Expectation, FeatureGroup, Level, WallTime};
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use futures::TryStreamExt;

use crate::error::delta_error;
use crate::expect::{Against, ExpectationResult, Moments, RowChecks, RowFault, Watch, asks};
use crate::ingest::violation::{Location, SHOWN, Tally, Violation};
use crate::ingest::{QuarantineSpool, QuarantinedRow, commit_quarantine, ingestions_of, json_object};
use crate::query::superseded::Superseded;
use crate::storage::{PinAt, PinnedFile, SORTED_TAG, Store, pin_group, rows_in_footer};
use crate::{StoreError, scan_group};

/// What a materialisation is held against.
pub(super) struct Expected<'a> {
    store: &'a Store,
    group: &'a FeatureGroup,
    /// For what is put on disk.
    folder: PathBuf,
    expectations: Vec<Expectation>,
    checks: RowChecks,
    /// For each expectation, the rows that break it.
    at_fault: Vec<Tally>,
    rows: u64,
    /// What is new.
    written: Watch,
    /// The whole table, where it had no rows before.
    whole: Option<Watch>,
    aside: Aside,
}

/// Rows that were set aside; they wait in a file that goes away with this.
pub(super) struct Aside {
    spool: QuarantineSpool,
    /// How many.
    pub rows: u64,
}

/// What became of what a group expects.
pub(super) struct Held {
    /// One result per expectation, in the order of the definition.
    pub results: Vec<ExpectationResult>,
    /// The moments of the columns whose drift is watched.
    pub moments: BTreeMap<ColumnName, Moments>,
    /// Rows that were set aside.
    pub aside: Aside,
}

impl Held {
    /// What refuses the materialisation.
    pub fn unmet(&self) -> Vec<ExpectationResult> {
        let refuses = |result: &&ExpectationResult| result.refuses();
        self.results.iter().filter(refuses).cloned().collect()
    }
}

impl Aside {
    /// Puts the rows into the group's quarantine, under the id of a materialisation that is about to be committed.
    pub async fn commit(&mut self, store: &Store, group: &FeatureGroup, ingestion: &str) -> Result<(), StoreError> {
        match self.spool.finish()? {
            Some(waiting) => commit_quarantine(store, group, ingestion, &waiting).await,
            None => Ok(()),
        }
    }
}

impl<'a> Expected<'a> {
    /// For rows of a group's table; the folder is for what is put on disk.
    pub fn new(
        store: &'a Store,
        table: &DeltaTable,
        group: &'a FeatureGroup,
        folder: &Path,
    ) -> Result<Self, StoreError> {
        let expectations = group.expectations();
        let state = table.snapshot().map_err(delta_error(&group.reference(), "read"))?;
        let is_empty = state.log_data().num_files() == 0;
        let spool = folder.join(format!("quarantine-{}.parquet", uuid::Uuid::new_v4()));
        Ok(Self {
            store,
            group,
            folder: folder.to_owned(),
            checks: RowChecks::of(group, &expectations)?,
            at_fault: std::iter::repeat_with(Tally::default)
                .take(expectations.len())
                .collect(),
            rows: 0,
            written: Watch::new(&about_what_is_new(group), folder),
            whole: is_empty.then(|| Watch::new(&about_the_table(group), folder)),
            aside: Aside {
                spool: QuarantineSpool::new(spool),
                rows: 0,
            },
            expectations,
        })
    }

    /// The rows take the place of all that the table holds.
    pub fn takes_the_place_of_all(&mut self) {
        self.whole = Some(Watch::new(&about_the_table(self.group), &self.folder));
    }

    /// Takes in the next rows, with all columns of the table; gives them as they are written.
    pub fn hold(&mut self, rows: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let declared: Vec<usize> = (0..self.group.stored_columns().len()).collect();
        let declared = rows.project(&declared)?;
        let mut faults = Vec::new();
        let columns = declared.columns();
        self.checks.faults(columns, columns, &mut |fault| faults.push(fault))?;
        let held = match self.set_aside(&declared, faults)? {
            Some(aside) => self.without_features(rows, &aside)?,
            None => rows.clone(),
        };
        self.rows += rows.num_rows() as u64;
        self.written.see(&held)?;
        self.whole.as_mut().map_or(Ok(()), |whole| whole.see(&held))?;
        Ok(held)
    }

    /// Counts what is wrong; gives which rows are set aside, if any are.
    fn set_aside(&mut self, rows: &RecordBatch, faults: Vec<RowFault>) -> Result<Option<BooleanArray>, StoreError> {
        let mut aside: BTreeMap<usize, Violation> = BTreeMap::new();
        for fault in faults {
            let (row, expectation) = (fault.row, fault.expectation);
            let is_aside = self.expectations.get(expectation).map(|expected| expected.level) == Some(Level::Quarantine);
            let Some(tally) = self.at_fault.get_mut(expectation) else {
                continue;
            };
            let violation = violation(self.group, rows, self.rows, fault, tally.rows() < SHOWN as u64)?;
            if is_aside && !aside.contains_key(&row) {
                aside.insert(row, violation.clone());
            }
            tally.add(0, violation);
        }
        if aside.is_empty() {
            return Ok(None);
        }
        let mask = (0..rows.num_rows()).map(|row| Some(aside.contains_key(&row))).collect();
        for (row, violation) in aside {
            self.aside.rows += 1;
            let row = json_object(rows, row)?;
            self.aside.spool.push(QuarantinedRow { violation, row })?;
        }
        Ok(Some(mask))
    }

    fn without_features(&self, rows: &RecordBatch, aside: &BooleanArray) -> Result<RecordBatch, StoreError> {
        let is_feature = |name: &str| self.group.feature(name).is_some();
        let schema = rows.schema();
        let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
            Ok(match is_feature(field.name()) {
                true => nullif(column, aside)?,
                false => column.clone(),
            })
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, StoreError>>()?;
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }

    /// The verdict on files that are about to be committed to the table; a sort holds so many bytes in memory.
    pub async fn finish(
        self,
        table: &DeltaTable,
        files: &[Add],
        now: WallTime,
        memory: u64,
    ) -> Result<Held, StoreError> {
        let reference = self.group.reference();
        let before: Vec<_> = if asks(&self.expectations, is_about_what_is_new) {
            let earlier = ingestions_of(table, &reference).await?;
            earlier.into_iter().map(|receipt| receipt.moments).collect()
        } else {
            Vec::new()
        };
        let against = Against {
            now,
            memory,
            before: &before,
        };
        let mut found = Found::default();
        let verdict = self.written.finish(&against).await?;
        found.add(&about_what_is_new(self.group), verdict.results);
        if asks(&self.expectations, is_about_the_table) {
            let expecting = about_the_table(self.group);
            let results = match self.whole {
                Some(whole) => whole.finish(&against).await?.results,
                None => whole_table(self.store, self.group, &expecting, files, &against, &self.folder).await?,
            };
            found.add(&expecting, results);
        }
        let rows = self.rows;
        let results = self
            .expectations
            .iter()
            .zip(self.at_fault)
            .filter_map(|(expectation, tally)| {
                if expectation.check.is_about_a_row() {
                    let at_fault = tally.rows();
                    return Some(ExpectationResult::of_rows(
                        expectation,
                        at_fault,
                        rows,
                        tally.into_first(),
                    ));
                }
                found.take(expectation)
            });
        Ok(Held {
            results: results.collect(),
            moments: verdict.moments,
            aside: self.aside,
        })
    }
}

/// What is said of a row at fault; with its key and time only where somebody will read it.
fn violation(
    group: &FeatureGroup,
    rows: &RecordBatch,
    before: u64,
    fault: RowFault,
    is_shown: bool,
) -> Result<Violation, StoreError> {
    let column = fault
        .column
        .and_then(|column| group.stored_columns().get(column).cloned());
    let detail = match is_shown {
        true => format!("{} ({})", fault.detail, row_name(group, rows, fault.row)?),
        false => fault.detail,
    };
    Ok(Violation {
        location: Location {
            file: group.reference().to_string(),
            line: before + fault.row as u64 + 1,
        },
        column: column.map(|(name, _)| name),
        value: fault.value,
        reason: fault.reason,
        detail,
    })
}

/// `host = a, ts = 2026-01-01T00:00:00Z`
fn row_name(group: &FeatureGroup, rows: &RecordBatch, row: usize) -> Result<String, StoreError> {
    let names = group.entity.iter().map(|column| &column.name).chain(&group.event_time);
    let options = FormatOptions::default().with_null("NULL");
    let mut said = Vec::new();
    for name in names {
        if let Some(column) = rows.column_by_name(name.as_str()) {
            said.push(format!(
                "{name} = {}",
                ArrayFormatter::try_new(column, &options)?.value(row)
            ));
        }
    }
    Ok(said.join(", "))
}

fn is_about_what_is_new(check: &Check) -> bool {
    matches!(check, Check::MaxMeanDrift(_) | Check::MaxStdDrift(_))
}

fn is_about_the_table(check: &Check) -> bool {
    !check.is_about_a_row() && !is_about_what_is_new(check)
}

/// The group, with no other expectations about many rows than those about what is new.
fn about_what_is_new(group: &FeatureGroup) -> FeatureGroup {
    let mut group = group.clone();
    group.expect.clear();
    for expect in group.features.iter_mut().flat_map(|feature| &mut feature.expect) {
        (expect.max_null_fraction, expect.unique, expect.monotonic) = (None, false, None);
    }
    group
}

/// The group, with no other expectations about many rows than those about the table.
fn about_the_table(group: &FeatureGroup) -> FeatureGroup {
    let mut group = group.clone();
    for expect in group.features.iter_mut().flat_map(|feature| &mut feature.expect) {
        (expect.max_mean_drift, expect.max_std_drift) = (None, None);
    }
    group
}

/// Results, each with what was expected.
#[derive(Default)]
struct Found(Vec<(Expectation, ExpectationResult)>);

impl Found {
    fn add(&mut self, expecting: &FeatureGroup, mut results: BTreeMap<usize, ExpectationResult>) {
        let expectations = expecting.expectations().into_iter().enumerate();
        self.0
            .extend(expectations.filter_map(|(at, expectation)| Some((expectation, results.remove(&at)?))));
    }

    fn take(&self, expectation: &Expectation) -> Option<ExpectationResult> {
        let found = self.0.iter().find(|(expected, _)| expected == expectation);
        found.map(|(_, result)| result.clone())
    }
}

/// Holds the rows that will count against what is expected of many rows, reading no more columns than that is about.
async fn whole_table(
    store: &Store,
    group: &FeatureGroup,
    expecting: &FeatureGroup,
    files: &[Add],
    against: &Against<'_>,
    folder: &Path,
) -> Result<BTreeMap<usize, ExpectationResult>, StoreError> {
    let reference = group.reference();
    let mut pin = pin_group(store, group, PinAt::Newest).await?;
    let table = store.group_folder(&reference);
    for file in files {
        pin.files.push(PinnedFile {
            path: file.path.clone(),
            bytes: u64::try_from(file.size).unwrap_or_default(),
            rows: rows_in_footer(&table.join(&file.path))?,
            sorted: file.tags.as_ref().is_some_and(|tags| tags.contains_key(SORTED_TAG)),
        });
    }
    pin.files.sort();
    let mut narrow = expecting.clone();
    narrow.features.retain(|feature| !feature.expect.is_empty());
    let columns: Vec<ColumnName> = narrow.stored_columns().into_iter().map(|(name, _)| name).collect();
    let mut watch = Watch::new(&narrow, folder);
    let mut rows = scan_group(store, group, &pin, &columns, None).await?.batches;
    let identity = group.entity.len() + usize::from(group.event_time.is_some());
    let mut superseded = Superseded::new((0..identity).collect());
    while let Some(batch) = rows.try_next().await? {
        superseded.push(&batch)?.iter().try_for_each(|batch| watch.see(batch))?;
    }
    superseded.finish().map_or(Ok(()), |last| watch.see(&last))?;
    Ok(watch.finish(against).await?.results)
}
