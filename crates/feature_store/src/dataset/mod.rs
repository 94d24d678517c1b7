//! Training datasets: a view's rows, joined at a point in time, divided, written with a manifest, and checked again months later.
//!
//! This module writes into a staging folder and nowhere else; who calls it moves the folder to its place. It never writes the
//! registry, and never looks at the clock.
//!
//! Reading order: this file (what is asked and given), `plan` (what a view asks of its groups), `spine`, `build` (the work),
//! `write`, `gap`, `panel`, `manifest`, `statistics`; then what is done with datasets: `read`, `fold`, `verify`, `witness`,
//! `poison`, `diff`, `export`, `entities`.

mod ahead;
mod build;
mod changed;
mod columns;
mod diff;
mod entities;
mod export;
mod file;
mod fold;
mod gap;
mod manifest;
mod panel;
mod pins;
mod plan;
mod poison;
mod read;
mod receipt;
mod selection;
mod spine;
mod statistics;
mod verify;
mod witness;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;
use definitions::{FeatureGroup, FeatureView, Fingerprint, GroupRef, WallTime};
use futures::FutureExt;
use futures::stream::BoxStream;

use crate::scan::group_runs;
use crate::storage::SpillFolder;
use crate::{GroupPin, Store, StoreError, scan_group};

pub use build::{Means, Watch, Work};
pub use changed::{ChangedValues, changed_values};
pub use diff::{ColumnDiff, DatasetDiff, Drift, PinnedState, RowsDiff, Sides, diff};
pub use entities::{EntityFeatures, entity_columns};
pub use export::{ExportFormat, ExportRequest, ExportedPart, export};
pub use fold::{FoldReader, open_fold};
pub use manifest::{
    Arguments, Column, DataFile, FORMAT, GapReport, JoinReport, MANIFEST, Manifest, PartReport, Recorded,
    RecordedDefinitions, SpineReport, load_manifest,
};
pub use panel::PanelReport;
pub use pins::{pin_features, pin_view, pins_key};
pub use poison::{PoisonReport, poison, rows_before_the_middle};
pub use read::{PartReader, open_gap, open_part, open_selection, read_part};
pub use selection::Selection;
pub(crate) use statistics::keys;
pub use statistics::{
    ColumnStatistics, DISTINCT_CAP, Distinct, Histogram, QuantileValues, Remark, StatisticsCollector, TopValue,
};
pub use verify::{Difference, Verification, verify};
pub use write::ROWS_PER_FILE;

/// Work goes on in chunks of so many rows.
const CHUNK_ROWS: usize = 65_536;

/// The rows of a group, batch by batch.
pub(crate) type Rows<'a> = BoxStream<'a, Result<RecordBatch, StoreError>>;

/// How far the making of a dataset has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetProgress<'a> {
    /// What is being done: `reading the spine`, `joining hosts:v1`, `writing`.
    pub step: &'a str,
    /// Rows done in this step.
    pub done: u64,
    /// Rows to do; 0: not known.
    pub total: u64,
}

/// What a dataset is to be made of.
pub struct DatasetRequest<'a> {
    /// Where the groups are stored.
    pub store: &'a Store,
    /// The view.
    pub view: &'a FeatureView,
    /// The definitions of the groups that it reads, and of those that they are derived from.
    pub groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    /// What is read of each group: [`pin_view`] gives the newest, a manifest those of before.
    pub pins: &'a [GroupPin],
    /// The range of event times, and as of when.
    pub arguments: Arguments,
    /// An empty folder, or none yet, in which it is made.
    pub staging: &'a Path,
    /// The programs at work, with their versions.
    pub software: BTreeMap<String, String>,
    /// What the clock on the wall says.
    pub now: WallTime,
    /// What the work may take.
    pub means: Means,
    /// Told how far the work has come.
    pub watch: Watch<'a>,
}

/// A dataset that has been made.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetReceipt {
    /// Its manifest, which lies in the folder too.
    pub manifest: Manifest,
    /// The SHA-256 of `manifest.json`.
    pub manifest_sha256: Fingerprint,
    /// How it was made.
    pub work: Work,
}

/// Makes a dataset in the staging folder. When it returns, every file is on disk; the manifest was written last.
///
/// # Errors
/// `Definitions` when the view does not fit its groups; `NotPinned` for a group without a pin; what [`crate::split::divide`] and
/// [`crate::point_in_time::PointInTimeJoinExec`] refuse; when a file cannot be read or written.
pub async fn create_dataset(request: &DatasetRequest<'_>) -> Result<DatasetReceipt, StoreError> {
    let plan = plan::Plan::new(request.view, request.groups, request.arguments.as_known_at)?;
    let target = build::Target {
        staging: request.staging,
        split: request.view.split.as_ref(),
        rows_per_file: write::ROWS_PER_FILE,
        means: request.means,
    };
    let pinned = Pinned {
        store: request.store,
        groups: request.groups,
        pins: pins_of(request.view, request.pins)?,
    };
    let scan = |group, columns| pinned.scan(group, columns).boxed();
    let runs = |group: &GroupRef, schema: &SchemaRef| pinned.runs(group, schema);
    let spill = SpillFolder::new(request.store)?;
    let sources = build::Sources {
        scan: &scan,
        runs: &runs,
        spill: spill.path(),
    };
    let built = build::build(&plan, &request.arguments, &target, sources, request.watch).await?;
    receipt::receipt(request, &plan, &pinned.pins, built)
}

/// What is to be predicted: the features of these entities, each at its own time.
pub struct EntitiesRequest<'a> {
    /// Where the groups are stored.
    pub store: &'a Store,
    /// The view whose features are wanted.
    pub view: &'a FeatureView,
    /// The definitions of the groups that it reads.
    pub groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    /// What is read of each group: [`pin_features`] gives the newest.
    pub pins: &'a [GroupPin],
    /// The entities: the columns of [`entity_columns`], and any others, which are left alone.
    pub entities: &'a [RecordBatch],
    /// What the work may take.
    pub means: Means,
}

/// Joins a view's features to entities as of each row's time, by the code that makes datasets; labels are absent. Rows in = rows out, in
/// the order of the input.
///
/// # Errors
/// `EntityColumn` for a column that is missing or of another type; otherwise as [`create_dataset`].
pub async fn join_entities(request: &EntitiesRequest<'_>) -> Result<EntityFeatures, StoreError> {
    let plan = plan::Plan::new(request.view, request.groups, None)?;
    let pins = request
        .pins
        .iter()
        .map(|pin| (pin.group.clone(), pin.clone()))
        .collect();
    let pinned = Pinned {
        store: request.store,
        groups: request.groups,
        pins,
    };
    let scan = |group, columns| pinned.scan(group, columns).boxed();
    let runs = |group: &GroupRef, schema: &SchemaRef| pinned.runs(group, schema);
    let spill = SpillFolder::new(request.store)?;
    let sources = build::Sources {
        scan: &scan,
        runs: &runs,
        spill: spill.path(),
    };
    entities::join(&plan, request.entities, sources, request.means).await
}

/// Everything that scans need: the rows as of `as_known_at` are chosen by the join, which reports those that were left out.
struct Pinned<'a> {
    store: &'a Store,
    groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    pins: BTreeMap<GroupRef, GroupPin>,
}

impl Pinned<'_> {
    async fn scan(&self, group: GroupRef, columns: Vec<String>) -> Result<Rows<'_>, StoreError> {
        let (pin, definition) = self.find(&group)?;
        let unknown = |column: &String| StoreError::UnknownColumn {
            group: group.to_string(),
            column: column.clone(),
        };
        let columns = columns.iter().map(|column| column.parse().map_err(|_| unknown(column)));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(scan_group(self.store, definition, pin, &columns, None).await?.batches)
    }

    fn runs(&self, group: &GroupRef, schema: &SchemaRef) -> Result<Vec<Arc<dyn ExecutionPlan>>, StoreError> {
        let (pin, definition) = self.find(group)?;
        group_runs(self.store, definition, pin, schema)
    }

    fn find(&self, group: &GroupRef) -> Result<(&GroupPin, &FeatureGroup), StoreError> {
        let pin = self
            .pins
            .get(group)
            .ok_or_else(|| StoreError::NotPinned { group: group.clone() });
        let definition = self
            .groups
            .get(group)
            .ok_or_else(|| StoreError::UnknownGroup { group: group.clone() });
        Ok((pin?, definition?))
    }
}

/// The pins of the groups that a view reads: each once, none missing.
fn pins_of(view: &FeatureView, pins: &[GroupPin]) -> Result<BTreeMap<GroupRef, GroupPin>, StoreError> {
    let find = |group: &&GroupRef| {
        let pin = pins.iter().find(|pin| pin.group == **group).cloned();
        pin.map(|pin| ((*group).clone(), pin))
            .ok_or_else(|| StoreError::NotPinned {
                group: (*group).clone(),
            })
    };
    view.groups().iter().map(find).collect()
}

#[cfg(test)]
mod tests;
