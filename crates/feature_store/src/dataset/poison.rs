//! The poisoned future: **what was not known at a time is replaced, and no row up to that time may change.**
//!
//! ```text
//!   rows of the dataset          ● ● ● ● ●│                     made twice
//!   values of the joined groups  ○ ○ ○ ○ ○│☠ ☠ ☠ ☠ ☠  event time after the cut, or known after it
//!                                        cut
//! ```
//!
//! The dataset's rows up to a cut are made from what is stored, and again with every value poisoned whose event time or declared
//! `known_at` is after the cut. The two must be equal, column by column. So a join that sees the future, by whatever mistake, is found on
//! the user's own data. The rows' own columns (keys, time, labels) are left alone, and so are static groups, which have no time.
//!
//! Cost: the joined groups are read twice, the second time whole.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, Column, Literal, NotExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::scalar::ScalarValue;
use definitions::{EventTime, FeatureGroup, GroupRef};
use futures::FutureExt;

use super::build::{Sources, Target, build};
use super::plan::Plan;
use super::read::open_file;
use super::{Arguments, DatasetRequest, Pinned, pins_of, write};
use crate::error::plan_error;
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError};

/// What poison did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoisonReport {
    /// Rows that were compared.
    pub rows: u64,
    /// Columns that changed: they hold what was not known at their rows' times.
    pub columns: Vec<String>,
}

/// Makes the rows of a dataset up to a cut twice, in the request's staging folder, and compares them. The request's arguments say which
/// rows; those after the cut, if any, may change.
///
/// # Errors
/// As [`super::create_dataset`].
pub async fn poison(request: &DatasetRequest<'_>, cut: EventTime) -> Result<PoisonReport, StoreError> {
    let plan = Plan::new(request.view, request.groups, request.arguments.as_known_at)?;
    let pinned = Pinned {
        store: request.store,
        groups: request.groups,
        pins: pins_of(request.view, request.pins)?,
    };
    let clean = made(request, &plan, &pinned, "clean", None).await?;
    let poisoned = made(request, &plan, &pinned, "poisoned", Some(cut)).await?;
    let changed = |(at, column): (usize, &ArrayRef)| {
        let same = poisoned.columns().get(at).is_some_and(|other| other == column);
        (!same).then(|| clean.schema_ref().field(at).name().clone())
    };
    Ok(PoisonReport {
        rows: clean.num_rows() as u64,
        columns: clean.columns().iter().enumerate().filter_map(changed).collect(),
    })
}

/// The rows as one batch, made in a folder of their own.
async fn made(
    request: &DatasetRequest<'_>,
    plan: &Plan,
    pinned: &Pinned<'_>,
    name: &str,
    cut: Option<EventTime>,
) -> Result<RecordBatch, StoreError> {
    let folder = request.staging.join(name);
    let target = Target {
        staging: &folder,
        split: None,
        rows_per_file: write::ROWS_PER_FILE,
        means: request.means,
    };
    let scan = |group, columns| pinned.scan(group, columns).boxed();
    let runs = |reference: &GroupRef, schema: &SchemaRef| {
        let runs = pinned.runs(reference, schema)?;
        let (_, group) = pinned.find(reference)?;
        match (cut, &group.event_time) {
            (Some(cut), Some(_)) => runs.into_iter().map(|run| poisoned_run(run, group, cut)).collect(),
            _ => Ok(runs),
        }
    };
    let spill = request.store.spill_folder();
    let sources = Sources {
        scan: &scan,
        runs: &runs,
        spill: &spill,
    };
    let built = build(plan, &request.arguments, &target, sources, request.watch).await?;
    let files = built.parts.iter().flat_map(|report| &report.files);
    let mut batches = Vec::new();
    for file in files {
        batches.extend(read(&folder.join(&file.path))?);
    }
    Ok(concat_batches(&plan.schema(), &batches)?)
}

fn read(path: &Path) -> Result<Vec<RecordBatch>, StoreError> {
    let batches = open_file(path, None)?.collect::<Result<Vec<_>, _>>();
    Ok(batches?)
}

/// The run with the values of everything after the cut replaced.
fn poisoned_run(
    run: Arc<dyn ExecutionPlan>,
    group: &FeatureGroup,
    cut: EventTime,
) -> Result<Arc<dyn ExecutionPlan>, StoreError> {
    const DOING: &str = "the poisoned future could not be planned";
    let schema = run.schema();
    let times = [&group.event_time, &group.known_at];
    let times: Vec<&str> = times.into_iter().flatten().map(|time| time.as_str()).collect();
    let column = |name: &str| Column::new_with_schema(name, &schema).map_err(plan_error(DOING));
    let mut is_later: Option<Arc<dyn PhysicalExpr>> = None;
    for name in &times {
        let limit = ScalarValue::TimestampMicrosecond(Some(cut.0), Some("UTC".into()));
        let later = BinaryExpr::new(Arc::new(column(name)?), Operator::Gt, Arc::new(Literal::new(limit)));
        let later: Arc<dyn PhysicalExpr> = Arc::new(later);
        is_later = Some(match is_later {
            Some(other) => Arc::new(BinaryExpr::new(other, Operator::Or, later)),
            None => later,
        });
    }
    let is_kept = |name: &str| {
        let is_key = group.entity.iter().any(|key| key.name.as_str() == name);
        is_key || times.contains(&name) || [KNOWN_AT, INGEST_ID, ROW_NUMBER].contains(&name)
    };
    let mut expressions: Vec<ProjectionExpr> = Vec::new();
    for field in schema.fields() {
        let own: Arc<dyn PhysicalExpr> = Arc::new(column(field.name())?);
        let expression = match (&is_later, poison_of(field.data_type(), &own)) {
            (Some(is_later), Some(poison)) if !is_kept(field.name()) => {
                let case = CaseExpr::try_new(None, vec![(Arc::clone(is_later), poison)], Some(own));
                Arc::new(case.map_err(plan_error(DOING))?)
            }
            _ => own,
        };
        expressions.push(ProjectionExpr::new(expression, field.name().clone()));
    }
    let poisoned = ProjectionExec::try_new(expressions, run).map_err(plan_error(DOING))?;
    Ok(Arc::new(poisoned))
}

/// A value that nobody has; of a bool, the other one.
fn poison_of(data_type: &DataType, own: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let value = match data_type {
        DataType::Boolean => return Some(Arc::new(NotExpr::new(Arc::clone(own)))),
        DataType::Int32 => ScalarValue::Int32(Some(i32::MIN + 7)),
        DataType::Int64 => ScalarValue::Int64(Some(i64::MIN + 7)),
        DataType::Float32 => ScalarValue::Float32(Some(-1.234_567e30)),
        DataType::Float64 => ScalarValue::Float64(Some(-1.234_567e300)),
        DataType::Utf8 => ScalarValue::Utf8(Some("poisoned\u{2620}".to_owned())),
        DataType::Date32 => ScalarValue::Date32(Some(-700_000)),
        DataType::Timestamp(_, zone) => ScalarValue::TimestampMicrosecond(Some(-7), zone.clone()),
        _ => return None,
    };
    Some(Arc::new(Literal::new(value)))
}

/// Which rows to make twice: at most so many, up to a cut in the middle of the dataset's times; `None` where its times do not tell.
#[must_use]
pub fn rows_before_the_middle(manifest: &super::Manifest, most: u64) -> Option<(Arguments, EventTime)> {
    let first = manifest.parts.iter().filter_map(|part| part.first_event_time).min()?.0;
    let last = manifest.parts.iter().filter_map(|part| part.last_event_time).max()?.0;
    let cut = first.midpoint(last);
    let span = last.checked_sub(first).filter(|span| *span > 0)?;
    let share = (most as f64 / manifest.spine.rows.max(1) as f64).min(0.5);
    #[expect(clippy::cast_possible_truncation, reason = "a share of a span of time")]
    let back = (share * span as f64) as i64;
    let arguments = Arguments {
        from: Some(EventTime(cut.saturating_sub(back))),
        to: Some(EventTime(cut.saturating_add(1))),
        ..manifest.arguments
    };
    Some((arguments, EventTime(cut)))
}
