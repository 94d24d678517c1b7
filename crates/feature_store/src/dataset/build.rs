//! From a plan and the groups' rows to a dataset in a folder: read the spine, join each selection, divide, write.
//!
//! Every chunk of the spine is cut out at the same places whatever the batches of the scans, so the files' bytes depend on the rows only.

use std::path::Path;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::SchemaRef;
use definitions::{GroupRef, Split};
use futures::TryStreamExt;
use futures::future::BoxFuture;

use super::gap::GapWriter;
use super::manifest::{Arguments, GapReport, JoinReport, PartReport};
use super::plan::{JoinPlan, Plan};
use super::spine::{Spine, read_spine};
use super::write::PartWriter;
use super::{DatasetProgress, Rows};
use crate::StoreError;
use crate::point_in_time::{Join, Joined};
use crate::split::{Divided, Part, divide, parts_of};

/// Gives the rows of a group in total order: these declared columns, then the hidden ones.
pub(crate) type Scan<'a> =
    &'a (dyn Fn(GroupRef, Vec<String>) -> BoxFuture<'a, Result<Rows<'a>, StoreError>> + Send + Sync);

/// Told how far the work has come.
pub type Watch<'a> = &'a (dyn Fn(DatasetProgress<'_>) + Send + Sync);

/// The rows of a dataset, written.
pub(crate) struct Built {
    /// The parts, in order.
    pub parts: Vec<PartReport>,
    /// The rows in gaps.
    pub gap: Option<GapReport>,
    /// How they were divided.
    pub divided: Divided,
    /// The joins' outcomes.
    pub joins: Vec<JoinReport>,
    /// Rows of the spine, those in gaps included.
    pub spine_rows: u64,
    /// Rows that are no spine rows.
    pub superseded: u64,
}

/// Where a dataset is written, and how its rows are divided.
pub(crate) struct Target<'a> {
    /// The folder.
    pub staging: &'a Path,
    /// The split.
    pub split: Option<&'a Split>,
    /// Rows per file.
    pub rows_per_file: u64,
}

/// Builds a dataset's parts.
pub(crate) async fn build(
    plan: &Plan,
    arguments: &Arguments,
    target: &Target<'_>,
    scan: Scan<'_>,
    watch: Watch<'_>,
) -> Result<Built, StoreError> {
    let rows = scan(plan.spine.group.clone(), plan.spine.read()).await?;
    watch(DatasetProgress {
        step: "reading the spine",
        done: 0,
        total: 0,
    });
    let spine = read_spine(&plan.spine, arguments, rows).await?;
    let keys = spine_keys(plan, &spine)?;
    let divided = divide(target.split, &plan.gap, &spine.split_rows(&keys))?;
    let joined = join_all(plan, &spine, scan, watch).await?;
    let (parts, gap) = write_parts(plan, &spine, &joined, &divided, target, watch).await?;
    let written: u64 = parts.iter().map(|report| report.rows).sum();
    let counts = divided.counts();
    if written + counts.gap != spine.rows() as u64 {
        return Err(StoreError::RowsLost {
            group: plan.spine.group.to_string(),
            spine: spine.rows() as u64,
            joined: written + counts.gap,
        });
    }
    let joins = reports(plan, &joined);
    Ok(Built {
        parts,
        gap,
        joins,
        spine_rows: spine.rows() as u64,
        superseded: spine.superseded,
        divided,
    })
}

/// What became of the spine rows in each join.
pub(crate) fn reports(plan: &Plan, joined: &[Joined]) -> Vec<JoinReport> {
    let report = |(at, join): (usize, &JoinPlan)| JoinReport {
        group: join.group.clone(),
        prefix: join.prefix.clone(),
        outcomes: joined.get(at).map(Joined::counts).unwrap_or_default(),
    };
    plan.joins.iter().enumerate().map(report).collect()
}

fn spine_keys(plan: &Plan, spine: &Spine) -> Result<Vec<ArrayRef>, StoreError> {
    if spine.rows() == 0 {
        return Ok(Vec::new());
    }
    plan.spine
        .columns
        .iter()
        .take(plan.spine.keys)
        .map(|name| spine.column(&plan.spine, name))
        .collect()
}

/// Joins every selection to the spine, one after the other; none for an empty spine.
pub(crate) async fn join_all(
    plan: &Plan,
    spine: &Spine,
    scan: Scan<'_>,
    watch: Watch<'_>,
) -> Result<Vec<Joined>, StoreError> {
    let mut all = Vec::new();
    if spine.rows() == 0 {
        return Ok(all);
    }
    for join in &plan.joins {
        all.push(join_one(plan, join, spine, scan, watch).await?);
    }
    Ok(all)
}

async fn join_one(
    plan: &Plan,
    join: &JoinPlan,
    spine: &Spine,
    scan: Scan<'_>,
    watch: Watch<'_>,
) -> Result<Joined, StoreError> {
    let names: Vec<String> = join.keys.iter().map(|pair| pair.spine.to_string()).collect();
    let keys = spine.keys(&plan.spine, &names)?;
    let mut rows = scan(join.group.clone(), join.read()).await?;
    let (mut state, mut done) = (None, 0);
    let step = format!("joining {}", join.group);
    while let Some(batch) = rows.try_next().await? {
        let state = match &mut state {
            Some(state) => state,
            None => state.insert(Join::new(&keys, &batch.schema(), join.columns.clone(), join.rule)?),
        };
        state.push(&batch)?;
        done += batch.num_rows() as u64;
        watch(DatasetProgress {
            step: &step,
            done,
            total: 0,
        });
        tokio::task::yield_now().await;
    }
    match state {
        Some(state) => state.finish(),
        None => Join::new(&keys, &join.schema, join.columns.clone(), join.rule)?.finish(),
    }
}

/// A stretch of the spine with the columns of every join: rows of the dataset, in its columns.
pub(crate) fn assemble(
    schema: &SchemaRef,
    spine: Vec<ArrayRef>,
    joined: &[Joined],
    rows: std::ops::Range<usize>,
) -> Result<RecordBatch, StoreError> {
    let mut columns = spine;
    for join in joined {
        columns.extend(join.rows(rows.clone())?.columns().iter().cloned());
    }
    let typed = columns.iter().zip(schema.fields()).map(|(array, field)| {
        let same = array.data_type() == field.data_type();
        if same {
            Ok(array.clone())
        } else {
            cast(array, field.data_type())
        }
    });
    let typed = typed.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), typed, &options)?)
}

async fn write_parts(
    plan: &Plan,
    spine: &Spine,
    joined: &[Joined],
    divided: &Divided,
    target: &Target<'_>,
    watch: Watch<'_>,
) -> Result<(Vec<PartReport>, Option<GapReport>), StoreError> {
    let schema = plan.schema();
    let event_time = plan.event_time_at();
    let mut gap = GapWriter::new(plan, target);
    let mut writers: Vec<(Part, PartWriter)> = Vec::new();
    for part in parts_of(target.split) {
        writers.push((
            part,
            PartWriter::new(target.staging, part.name(), &schema, event_time, target.rows_per_file)?,
        ));
    }
    let mut from = 0;
    for chunk in &spine.chunks {
        let to = from + chunk.num_rows();
        let batch = assemble(&schema, plan.spine.columns_of(chunk)?, joined, from..to)?;
        let parts = divided.parts.get(from..to).unwrap_or_default();
        gap.write(&batch, parts)?;
        for (part, writer) in &mut writers {
            let mask: BooleanArray = parts.iter().map(|of| Some(*of == Some(*part))).collect();
            if mask.true_count() > 0 {
                writer.write(&filter_record_batch(&batch, &mask)?)?;
            }
        }
        from = to;
        watch(DatasetProgress {
            step: "writing",
            done: to as u64,
            total: spine.rows() as u64,
        });
        tokio::task::yield_now().await;
    }
    let parts = writers
        .into_iter()
        .map(|(part, writer)| Ok(writer.finish()?.into_part(part)));
    Ok((parts.collect::<Result<_, StoreError>>()?, gap.finish()?))
}
