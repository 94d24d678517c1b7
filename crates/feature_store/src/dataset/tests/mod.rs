//! Datasets from definitions and tables as text, made in memory and read back from their files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod checks;
mod contract;
mod entity;
mod folds;
mod gap;
mod property;
mod selection;
mod stored;

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{SortColumn, SortOptions, cast, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Field, Schema};
use definitions::{FeatureGroup, FeatureView, GroupRef, WallTime, parse_feature_group, parse_feature_view};
use futures::StreamExt;

use datafusion::datasource::memory::MemorySourceConfig;

use super::build::{Sources, Target, build};
use super::plan::Plan;
use super::*;
use crate::point_in_time::tests::table::{cells, group_table};
use crate::split::Part;
use crate::storage::{order_columns, stored_schema};

/// Exports all rows and columns.
pub(super) fn export_all(folder: &Path, to: &Path, format: ExportFormat) -> Result<Vec<ExportedPart>, StoreError> {
    export(&ExportRequest {
        folder,
        to,
        format,
        parts: &[],
        selection: Selection::default(),
        null: "",
    })
}

/// Groups with their rows.
#[derive(Clone, Default)]
pub(super) struct World {
    pub groups: BTreeMap<GroupRef, FeatureGroup>,
    pub tables: BTreeMap<GroupRef, RecordBatch>,
}

/// A group of host metrics, `ts` and one or more features; `more` is put before the features.
pub(super) fn group(name: &str, more: &str, features: &[(&str, &str)]) -> FeatureGroup {
    let times = if more.contains("static") {
        ""
    } else {
        "event_time = \"ts\"\n"
    };
    let entity = if more.contains("entity") {
        ""
    } else {
        "entity = [\"host\"]\n"
    };
    let features: String = features
        .iter()
        .map(|(feature, rest)| {
            format!(
                "[[features]]\nname = \"{feature}\"\n{}\n",
                if rest.contains("type") {
                    (*rest).to_owned()
                } else {
                    format!("type = \"int64\"\n{rest}")
                }
            )
        })
        .collect();
    let text = format!("name = \"{name}\"\nversion = 1\n{entity}{times}{more}\n{features}");
    parse_feature_group(&format!("feature_groups/{name}.toml"), &text)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .definition
}

pub(super) fn view(text: &str) -> FeatureView {
    let text = format!("name = \"fv\"\nversion = 1\n{text}");
    parse_feature_view("feature_views/fv.toml", &text)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .definition
}

/// A view of `labels:v1` (`y`) and `metrics:v1` (`v`); `more` belongs to the selection of metrics.
pub(super) fn simple_view(more: &str, split: &str) -> FeatureView {
    view(&format!(
        "[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\"]\n{more}\n{split}"
    ))
}

impl World {
    /// Adds a group with rows, in any order; they are put into the group's total order.
    pub fn with(mut self, group: FeatureGroup, rows: &str) -> Self {
        let reference = group.reference();
        let rows = typed(&group_table(rows), &group);
        let sort = |name: &String| SortColumn {
            values: rows.column_by_name(name).expect("a column of the order").clone(),
            options: Some(SortOptions::new(false, true)),
        };
        let columns: Vec<SortColumn> = order_columns(&group).iter().map(sort).collect();
        let order = lexsort_to_indices(&columns, None).unwrap();
        self.tables
            .insert(reference.clone(), take_record_batch(&rows, &order).unwrap());
        self.groups.insert(reference, group);
        self
    }

    fn pins(&self, view: &FeatureView) -> Vec<GroupPin> {
        let pin = |group: &&GroupRef| GroupPin {
            group: (*group).clone(),
            table_id: "table".to_owned(),
            delta_version: 1,
            committed_at: WallTime(0),
            files: Vec::new(),
        };
        view.groups().iter().map(pin).collect()
    }

    /// The rows of a group in batches of so many, the columns that are asked for and the hidden ones.
    fn rows(&self, group: &GroupRef, columns: &[String], batch_rows: usize) -> Rows<'static> {
        let table = &self.tables[group];
        let hidden = [crate::KNOWN_AT, crate::INGEST_ID, crate::ROW_NUMBER].map(str::to_owned);
        let wanted: Vec<usize> = columns
            .iter()
            .chain(&hidden)
            .map(|name| table.schema().index_of(name).expect("a column"))
            .collect();
        let table = table.project(&wanted).unwrap();
        let rows = table.num_rows();
        let cut = |from| Ok(table.slice(from, batch_rows.min(rows - from)));
        futures::stream::iter((0..rows).step_by(batch_rows).map(cut).collect::<Vec<_>>()).boxed()
    }

    /// The rows of a group as two runs, in batches of so many.
    fn runs(
        &self,
        group: &GroupRef,
        schema: &SchemaRef,
        batch_rows: usize,
    ) -> Result<Vec<Arc<dyn ExecutionPlan>>, StoreError> {
        let table = &self.tables[group];
        let deal = |run: u32| -> Result<Arc<dyn ExecutionPlan>, StoreError> {
            let rows: Vec<u32> = (0..table.num_rows() as u32).filter(|row| row % 2 == run).collect();
            let rows = take_record_batch(table, &arrow::array::UInt32Array::from(rows))?;
            let columns: Vec<usize> = schema
                .fields()
                .iter()
                .map(|field| rows.schema().index_of(field.name()).unwrap())
                .collect();
            let rows = rows.project(&columns)?.with_schema(schema.clone())?;
            let count = rows.num_rows();
            let cut = |from| rows.slice(from, batch_rows.min(count - from));
            let batches: Vec<RecordBatch> = (0..count).step_by(batch_rows).map(cut).collect();
            Ok(MemorySourceConfig::try_new_exec(&[batches], schema.clone(), None).unwrap())
        };
        (0..2).map(deal).collect()
    }

    /// Makes a dataset in a folder.
    pub fn create(
        &self,
        view: &FeatureView,
        arguments: Arguments,
        how: How,
        staging: &Path,
    ) -> Result<DatasetReceipt, StoreError> {
        let store = Store::new(staging.to_str().expect("a path"))?;
        let request = DatasetRequest {
            store: &store,
            view,
            groups: &self.groups,
            pins: &self.pins(view),
            arguments,
            staging,
            software: BTreeMap::from([("platform".to_owned(), "0.1.0".to_owned())]),
            now: WallTime(0),
            means: Means::default(),
            watch: &|_| (),
        };
        let plan = Plan::new(view, &self.groups, arguments.as_known_at)?;
        let target = Target {
            staging,
            split: view.split.as_ref(),
            rows_per_file: how.rows_per_file,
            means: Means::default(),
        };
        let scan = |group: GroupRef, columns: Vec<String>| {
            let rows = self.rows(&group, &columns, how.batch_rows);
            async move { Ok(rows) }.boxed()
        };
        let runs = |group: &GroupRef, schema: &SchemaRef| self.runs(group, schema, how.batch_rows);
        let sources = Sources {
            scan: &scan,
            runs: &runs,
            spill: staging,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let built = runtime.block_on(build(&plan, &arguments, &target, sources, &|_| ()))?;
        receipt::receipt(&request, &plan, &pins_of(view, request.pins)?, built)
    }
}

/// What must not matter.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub batch_rows: usize,
    pub rows_per_file: u64,
}

impl Default for How {
    fn default() -> Self {
        Self {
            batch_rows: 1_000,
            rows_per_file: ROWS_PER_FILE,
        }
    }
}

/// The table with the group's types and all of its columns.
fn typed(rows: &RecordBatch, group: &FeatureGroup) -> RecordBatch {
    let schema = stored_schema(group).unwrap();
    let column = |field: &std::sync::Arc<Field>| -> ArrayRef {
        let column = rows
            .column_by_name(field.name())
            .unwrap_or_else(|| panic!("no column `{}`", field.name()));
        cast(column, field.data_type()).unwrap()
    };
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    RecordBatch::try_new(
        std::sync::Arc::new(Schema::new(fields)),
        schema.fields().iter().map(column).collect(),
    )
    .unwrap()
}

/// A dataset's rows as lines, each with its part in front.
pub(super) fn lines(folder: &Path) -> Vec<String> {
    let manifest = load_manifest(folder).unwrap();
    let mut lines = Vec::new();
    for part in manifest.parts.iter().map(|report| report.part) {
        for batch in read_part(folder, part).unwrap() {
            lines.extend(
                cells(&batch)
                    .into_iter()
                    .map(|cells| format!("{part} {}", cells.join(" "))),
            );
        }
    }
    lines
}

/// Checks a dataset's rows, which do not depend on batches or files, and gives its manifest.
pub(super) fn check(world: &World, view: &FeatureView, arguments: Arguments, expected: &str) -> Manifest {
    let expected: Vec<String> = expected
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let mut first: Option<Manifest> = None;
    for (batch_rows, rows_per_file) in [(1_000, ROWS_PER_FILE), (1, 2), (2, 1), (3, 1_000)] {
        let folder = tempfile::tempdir().unwrap();
        let how = How {
            batch_rows,
            rows_per_file,
        };
        let receipt = world
            .create(view, arguments, how, folder.path())
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lines(folder.path()), expected, "{how:?}");
        assert_eq!(load_manifest(folder.path()).unwrap(), receipt.manifest);
        assert_eq!(verify(folder.path()).unwrap().differences, []);
        for join in &receipt.manifest.joins {
            assert_eq!(join.outcomes.rows(), receipt.manifest.spine.rows);
        }
        let first = first.get_or_insert(receipt.manifest.clone());
        assert_eq!(first.fingerprint, receipt.manifest.fingerprint, "{how:?}");
        assert_eq!(
            first.parts[0].statistics, receipt.manifest.parts[0].statistics,
            "{how:?}"
        );
    }
    first.expect("a manifest")
}

pub(super) fn refused(world: &World, view: &FeatureView) -> StoreError {
    let folder = tempfile::tempdir().unwrap();
    world
        .create(view, Arguments::default(), How::default(), folder.path())
        .expect_err("a refusal")
}

pub(super) fn all_parts(manifest: &Manifest) -> Vec<(Part, u64)> {
    manifest.parts.iter().map(|report| (report.part, report.rows)).collect()
}
