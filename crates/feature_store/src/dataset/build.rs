//! From a plan and the groups' rows to a dataset in a folder: read the spine, join each selection, divide, write.
//!
//! Every chunk of the spine is cut out at the same places whatever the batches of the scans, so the files' bytes depend on the rows only.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::SchemaRef;
use definitions::{GroupRef, Split};
use futures::TryStreamExt;
use futures::future::BoxFuture;

use super::manifest::{Arguments, JoinReport, PartReport};
use super::plan::{JoinPlan, Plan};
use super::spine::{Spine, read_spine};
use super::write::{Manner, PartWriter, rows_within};
use super::{DatasetProgress, Rows};
use crate::StoreError;
use crate::point_in_time::{Group, GroupColumns, Joined, Joins, Limits, Member, OutcomeCounts, Run, WorkReport};
use crate::split::{Divided, Part, divide, parts_of};

/// Gives the rows of a group in total order: these declared columns, then the hidden ones.
pub(crate) type Scan<'a> =
    &'a (dyn Fn(GroupRef, Vec<String>) -> BoxFuture<'a, Result<Rows<'a>, StoreError>> + Send + Sync);

/// Gives the rows of a group as runs, whose columns come in the types of the schema.
pub(crate) type Runs<'a> =
    &'a (dyn Fn(GroupRef, SchemaRef, GroupColumns) -> BoxFuture<'a, Result<Vec<Run>, StoreError>> + Send + Sync);

/// Where rows come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// For the spine.
    pub scan: Scan<'a>,
    /// For the groups that are joined to it.
    pub runs: Runs<'a>,
}

/// How much memory stretches of work may take, and how many threads work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Means {
    /// Bytes for everything that is worked on at once.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
}

impl Default for Means {
    /// All cores, and a gigabyte.
    fn default() -> Self {
        Self {
            memory: 1 << 30,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

/// Told how far the work has come.
pub type Watch<'a> = &'a (dyn Fn(DatasetProgress<'_>) + Send + Sync);

/// The rows of a dataset, written.
pub(crate) struct Built {
    /// The parts, in order.
    pub parts: Vec<PartReport>,
    /// How they were divided.
    pub divided: Divided,
    /// The joins' outcomes.
    pub joins: Vec<JoinReport>,
    /// Rows of the spine, those in gaps included.
    pub spine_rows: u64,
    /// Rows that are no spine rows.
    pub superseded: u64,
    /// What each join did.
    pub work: Vec<WorkReport>,
}

/// Where a dataset is written, and how its rows are divided.
pub(crate) struct Target<'a> {
    /// The folder.
    pub staging: &'a Path,
    /// The split.
    pub split: Option<&'a Split>,
    /// Rows per file.
    pub rows_per_file: u64,
    /// Memory and threads.
    pub means: Means,
}

/// Builds a dataset's parts.
pub(crate) async fn build(
    plan: &Plan,
    arguments: &Arguments,
    target: &Target<'_>,
    sources: Sources<'_>,
    watch: Watch<'_>,
) -> Result<Built, StoreError> {
    let rows = (sources.scan)(plan.spine.group.clone(), plan.spine.read()).await?;
    watch(DatasetProgress {
        step: "reading the spine",
        done: 0,
        total: 0,
    });
    let spine = read_spine(&plan.spine, arguments, rows).await?;
    let keys = spine_keys(plan, &spine)?;
    let divided = divide(target.split, &plan.gap, &spine.split_rows(&keys))?;
    let joins = join_all(plan, &spine, sources, target.means, watch).await?;
    let mut outcomes = Outcomes::new(plan);
    let parts = write_parts(plan, &spine, &joins, &mut outcomes, &divided, target, watch).await?;
    let written: u64 = parts.iter().map(|report| report.rows).sum();
    let counts = divided.counts();
    if written + counts.gap != spine.rows() as u64 {
        return Err(StoreError::RowsLost {
            group: plan.spine.group.to_string(),
            spine: spine.rows() as u64,
            joined: written + counts.gap,
        });
    }
    Ok(Built {
        parts,
        joins: outcomes.reports(plan, spine.rows() as u64)?,
        spine_rows: spine.rows() as u64,
        superseded: spine.superseded,
        work: joins.map(|joins| joins.work()).unwrap_or_default(),
        divided,
    })
}

/// What became of the spine rows so far, in each join.
pub(crate) struct Outcomes {
    counts: Vec<OutcomeCounts>,
}

impl Outcomes {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            counts: vec![OutcomeCounts::default(); plan.joins.len()],
        }
    }

    /// Counts rows that were joined.
    pub(crate) fn see(&mut self, joined: &Joined) {
        for (all, more) in self.counts.iter_mut().zip(joined.counts()) {
            *all = all.and(more);
        }
    }

    /// The counts by join.
    ///
    /// # Errors
    /// `RowsLost` if they do not sum to the spine's rows.
    pub(crate) fn reports(self, plan: &Plan, spine: u64) -> Result<Vec<JoinReport>, StoreError> {
        let report = |(join, outcomes): (&JoinPlan, OutcomeCounts)| match outcomes.rows() == spine {
            true => Ok(JoinReport {
                group: join.group.clone(),
                prefix: join.prefix.clone(),
                outcomes,
            }),
            false => Err(StoreError::RowsLost {
                group: join.group.to_string(),
                spine,
                joined: outcomes.rows(),
            }),
        };
        plan.joins.iter().zip(self.counts).map(report).collect()
    }
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

/// Everything that is joined to the spine, ready to give rows; none for an empty spine.
pub(crate) async fn join_all(
    plan: &Plan,
    spine: &Spine,
    sources: Sources<'_>,
    means: Means,
    watch: Watch<'_>,
) -> Result<Option<Arc<Joins>>, StoreError> {
    if spine.rows() == 0 {
        return Ok(None);
    }
    let mut members = Vec::new();
    for join in &plan.joins {
        watch(DatasetProgress {
            step: &format!("opening {}", join.group),
            done: 0,
            total: 0,
        });
        let runs = (sources.runs)(join.group.clone(), join.schema.clone(), join.columns.clone()).await?;
        let names: Vec<String> = join.keys.iter().map(|pair| pair.spine.to_string()).collect();
        members.push(Member {
            group: Group::new(&join.schema, Arc::new(runs), join.columns.clone(), join.rule)?,
            keys: spine.keys(&plan.spine, &names)?,
        });
    }
    let joins = Joins::new(spine.times.clone(), members, limits(plan, means)).await?;
    Ok(Some(Arc::new(joins)))
}

/// What a stretch may hold: with every thread at work, a quarter of the memory in rows that are given, a quarter in keys and times.
fn limits(plan: &Plan, means: Means) -> Limits {
    const KEY_BYTES: usize = 64;
    const MOST_ROWS: usize = 131_072;
    let share = usize::try_from(means.memory).unwrap_or(usize::MAX) / (4 * means.threads.max(1));
    // What is given is held twice: as it was read, and in its places.
    let spine_rows = rows_within(&plan.schema(), share.min(32 << 20) / 2, MOST_ROWS);
    Limits {
        spine_rows: spine_rows.min((MOST_ROWS * 32 / plan.joins.len().max(1)).max(1_024)),
        group_rows: (share / KEY_BYTES).clamp(65_536, 1 << 20),
        threads: means.threads,
    }
}

/// Rows of the dataset, in its columns: those of the spine, then those of every join.
pub(crate) fn assemble(schema: &SchemaRef, spine: Vec<ArrayRef>, joined: Joined) -> Result<RecordBatch, StoreError> {
    let rows = joined.rows.len();
    let columns = spine.into_iter().chain(joined.columns);
    let typed = columns.zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() {
            Ok(array)
        } else {
            cast(&array, field.data_type())
        }
    });
    let typed = typed.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), typed, &options)?)
}

async fn write_parts(
    plan: &Plan,
    spine: &Spine,
    joins: &Option<Arc<Joins>>,
    outcomes: &mut Outcomes,
    divided: &Divided,
    target: &Target<'_>,
    watch: Watch<'_>,
) -> Result<Vec<PartReport>, StoreError> {
    let schema = plan.schema();
    let manner = Manner {
        event_time: plan.event_time_at(),
        rows_per_file: target.rows_per_file,
        threads: target.means.threads,
    };
    let writer = |part| Ok((part, PartWriter::new(target.staging, part, &schema, manner)?));
    let parts = parts_of(target.split).into_iter().map(writer);
    let mut writers: Vec<(Part, PartWriter)> = parts.collect::<Result<_, StoreError>>()?;
    if let Some(joins) = joins {
        let mut stretches = joins.rows()?;
        while let Some(joined) = stretches.try_next().await? {
            outcomes.see(&joined);
            let rows = joined.rows.clone();
            let batch = assemble(&schema, spine.columns_of(&plan.spine, rows.clone())?, joined)?;
            write_rows(&mut writers, batch, divided.parts.get(rows.clone()).unwrap_or_default())?;
            watch(DatasetProgress {
                step: "joining",
                done: rows.end as u64,
                total: spine.rows() as u64,
            });
            tokio::task::yield_now().await;
        }
    }
    writers.into_iter().map(|(_, writer)| writer.finish()).collect()
}

/// Writes each row to its part.
fn write_rows(
    writers: &mut [(Part, PartWriter)],
    batch: RecordBatch,
    parts: &[Option<Part>],
) -> Result<(), StoreError> {
    for (part, writer) in writers {
        let mask: BooleanArray = parts.iter().map(|of| Some(*of == Some(*part))).collect();
        match mask.true_count() {
            0 => {}
            all if all == batch.num_rows() => writer.write(batch.clone())?,
            _ => writer.write(filter_record_batch(&batch, &mask)?)?,
        }
    }
    Ok(())
}
