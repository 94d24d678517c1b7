//! From a plan and the groups' rows to a dataset in a folder: read the spine, join each selection, divide, write.
//!
//! Every chunk of the spine is cut out at the same places whatever the batches of the scans, so the files' bytes depend on the rows only.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{EmptyRecordBatchStream, ExecutionPlan};
use definitions::{GroupRef, Split};
use futures::TryStreamExt;
use futures::future::BoxFuture;

use super::gap::GapWriter;
use super::manifest::{Arguments, GapReport, JoinReport, PartReport};
use super::plan::{JoinPlan, Plan};
use super::spine::{Spine, read_spine};
use super::write::{Manner, PartWriter};
use super::{DatasetProgress, Rows};
use crate::StoreError;
use crate::error::plan_error;
use crate::point_in_time::{GroupJoin, PointInTimeJoinExec, SpineExec, WorkReport};
use crate::split::{Divided, Part, SplitRows, divide, parts_of};
use crate::storage::spilling_context;

const PLANNING: &str = "the point-in-time join could not be planned";
const JOINING: &str = "the point-in-time join failed";

/// Gives the rows of a group in total order: these declared columns, then the hidden ones.
pub(crate) type Scan<'a> =
    &'a (dyn Fn(GroupRef, Vec<String>) -> BoxFuture<'a, Result<Rows<'a>, StoreError>> + Send + Sync);

/// Gives the plans of a group's runs, whose columns come in the types of the schema.
pub(crate) type Runs<'a> =
    &'a (dyn Fn(&GroupRef, &SchemaRef) -> Result<Vec<Arc<dyn ExecutionPlan>>, StoreError> + Send + Sync);

/// Where rows come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// For the spine.
    pub scan: Scan<'a>,
    /// For the groups that are joined to it.
    pub runs: Runs<'a>,
    /// The folder for what does not fit into memory.
    pub spill: &'a Path,
}

/// What work may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Means {
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
    /// How the work was done.
    pub work: Work,
}

/// How a dataset was made, for people who ask where the time goes; none of it is part of the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// The plan, as DataFusion explains it, with what was counted.
    pub plan: String,
    /// What each join did.
    pub joins: Vec<WorkReport>,
    /// What did not fit into memory and went to disk for a while.
    pub spilled_bytes: u64,
    /// Reading the spine and dividing it.
    pub spine_micros: u64,
    /// Joining and writing, at the same time.
    pub join_micros: u64,
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
    let begun = Instant::now();
    let rows = (sources.scan)(plan.spine.group.clone(), plan.spine.read()).await?;
    watch(DatasetProgress {
        step: "reading the spine",
        done: 0,
        total: 0,
    });
    let context = context_of(sources, target.means)?;
    let spine = read_spine(&plan.spine, arguments, rows, &context).await?;
    let keys = split_keys(plan, target.split, &spine)?;
    let stratify = stratify(&spine, target.split)?;
    let rows = SplitRows {
        stratify: stratify.as_ref().map(|(name, values)| (*name, values)),
        ..spine.split_rows(&keys)
    };
    let divided = divide(target.split, &plan.gap, &rows)?;
    let spine_micros = micros_since(begun);
    let begun = Instant::now();
    let join = JoinRun::new(plan, &spine, sources, context)?;
    let (parts, gap) = write_parts(plan, &spine, &join, &divided, target, watch).await?;
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
        gap,
        joins: join.reports(plan, spine.rows() as u64)?,
        spine_rows: spine.rows() as u64,
        superseded: spine.superseded,
        work: join.work(&spine, spine_micros, micros_since(begun)),
        divided,
    })
}

fn micros_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The key columns, for a split that asks for them.
fn split_keys(plan: &Plan, split: Option<&Split>, spine: &Spine) -> Result<Vec<ArrayRef>, StoreError> {
    match split {
        None | Some(Split::Time { .. } | Split::WalkForward { .. }) => Ok(Vec::new()),
        Some(Split::Random { .. } | Split::Group { .. }) => {
            spine.whole(plan.spine.columns.get(..plan.spine.keys).unwrap_or_default())
        }
    }
}

/// Where work is done: in so much memory, on so many threads.
pub(crate) fn context_of(sources: Sources<'_>, means: Means) -> Result<Arc<TaskContext>, StoreError> {
    const BATCH_ROWS: usize = 8_192;
    let context = spilling_context(means.memory, means.threads, BATCH_ROWS, sources.spill);
    Ok(Arc::new(context.map_err(plan_error(PLANNING))?))
}

/// The column that a draw is made by.
fn stratify<'a>(spine: &Spine, split: Option<&'a Split>) -> Result<Option<(&'a str, ArrayRef)>, StoreError> {
    match split {
        Some(Split::Random {
            stratify: Some(column), ..
        }) => {
            let values = spine.whole(&[column.to_string()])?.pop();
            Ok(values.map(|values| (column.as_str(), values)))
        }
        _ => Ok(None),
    }
}

/// Everything that a view joins to its spine, as one operator.
pub(crate) struct JoinRun {
    /// `None` where the spine has no rows: nothing is read then.
    plan: Option<Arc<PointInTimeJoinExec>>,
    context: Arc<TaskContext>,
}

impl JoinRun {
    /// Plans it.
    pub(crate) fn new(
        plan: &Plan,
        spine: &Spine,
        sources: Sources<'_>,
        context: Arc<TaskContext>,
    ) -> Result<Self, StoreError> {
        if spine.rows() == 0 {
            return Ok(Self { plan: None, context });
        }
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::new(SpineExec::of(Arc::clone(spine.by_place())))];
        let mut joins = Vec::new();
        for join in &plan.joins {
            let runs = (sources.runs)(&join.group, &join.schema)?;
            joins.push(GroupJoin {
                columns: join.columns.clone(),
                rule: join.rule,
                on: join.keys.iter().map(|pair| pair.spine.to_string()).collect(),
                names: join.columns.values.clone(),
                runs: runs.len(),
            });
            inputs.extend(runs);
        }
        let join = PointInTimeJoinExec::try_new(plan.spine.event_time.clone(), joins, inputs);
        Ok(Self {
            plan: Some(Arc::new(join.map_err(plan_error(PLANNING))?)),
            context,
        })
    }

    /// The rows: the spine's columns, then those of every join.
    pub(crate) fn rows(&self) -> Result<SendableRecordBatchStream, StoreError> {
        match &self.plan {
            Some(plan) => plan.execute(0, Arc::clone(&self.context)).map_err(plan_error(JOINING)),
            None => Ok(Box::pin(EmptyRecordBatchStream::new(Arc::new(Schema::empty())))),
        }
    }

    /// What became of the spine's rows, by join.
    ///
    /// # Errors
    /// `RowsLost` if the outcomes do not sum to the spine's rows.
    pub(crate) fn reports(&self, plan: &Plan, spine: u64) -> Result<Vec<JoinReport>, StoreError> {
        let done = self.plan.as_ref().map(|plan| plan.reports()).unwrap_or_default();
        let report = |(at, join): (usize, &JoinPlan)| {
            let outcomes = done.get(at).map(|report| report.outcomes).unwrap_or_default();
            if outcomes.rows() == spine {
                return Ok(JoinReport {
                    group: join.group.clone(),
                    prefix: join.prefix.clone(),
                    outcomes,
                });
            }
            Err(StoreError::RowsLost {
                group: join.group.to_string(),
                spine,
                joined: outcomes.rows(),
            })
        };
        plan.joins.iter().enumerate().map(report).collect()
    }

    fn work(&self, spine: &Spine, spine_micros: u64, join_micros: u64) -> Work {
        let Some(plan) = &self.plan else { return Work::default() };
        let joins = plan.reports().into_iter().map(|report| report.work).collect();
        let plan: Arc<dyn ExecutionPlan> = Arc::clone(plan) as Arc<dyn ExecutionPlan>;
        Work {
            plan: DisplayableExecutionPlan::with_metrics(plan.as_ref())
                .indent(false)
                .to_string(),
            joins,
            spilled_bytes: spine.spilled_bytes + spilled_bytes(&plan),
            spine_micros,
            join_micros,
        }
    }
}

fn spilled_bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let own = plan
        .metrics()
        .and_then(|metrics| metrics.spilled_bytes())
        .unwrap_or_default() as u64;
    own + plan.children().into_iter().map(spilled_bytes).sum::<u64>()
}

/// Rows of the dataset, in its columns: those of the spine that are wanted, then those of every join.
pub(crate) fn assemble(
    schema: &SchemaRef,
    spine: Vec<ArrayRef>,
    joined: &[ArrayRef],
) -> Result<RecordBatch, StoreError> {
    let columns = spine.into_iter().chain(joined.iter().cloned());
    let typed = columns.zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() {
            Ok(array)
        } else {
            cast(&array, field.data_type())
        }
    });
    Ok(RecordBatch::try_new(
        schema.clone(),
        typed.collect::<Result<Vec<_>, _>>()?,
    )?)
}

async fn write_parts(
    plan: &Plan,
    spine: &Spine,
    join: &JoinRun,
    divided: &Divided,
    target: &Target<'_>,
    watch: Watch<'_>,
) -> Result<(Vec<PartReport>, Option<GapReport>), StoreError> {
    let schema = plan.schema();
    let manner = Manner {
        event_time: plan.event_time_at(),
        rows_per_file: target.rows_per_file,
        threads: target.means.threads,
    };
    let mut gap = GapWriter::new(plan, target);
    let writer = |part: Part| Ok((part, PartWriter::new(target.staging, part.name(), &schema, manner)?));
    let parts = parts_of(target.split).into_iter().map(writer);
    let mut writers: Vec<(Part, PartWriter)> = parts.collect::<Result<_, StoreError>>()?;
    let mut stretches = join.rows()?;
    let mut from = 0;
    while let Some(joined) = stretches.try_next().await.map_err(plan_error(JOINING))? {
        let rows = from..from + joined.num_rows();
        let values = joined.columns().get(spine.width()..).unwrap_or_default();
        let own = plan
            .spine
            .columns
            .iter()
            .filter_map(|name| joined.column_by_name(name).cloned());
        let batch = assemble(&schema, own.collect(), values)?;
        let parts = divided.parts.get(rows.clone()).unwrap_or_default();
        gap.write(&batch, parts)?;
        write_rows(&mut writers, batch, parts)?;
        watch(DatasetProgress {
            step: "joining",
            done: rows.end as u64,
            total: spine.rows() as u64,
        });
        from = rows.end;
        tokio::task::yield_now().await;
    }
    for (_, writer) in &mut writers {
        writer.end()?;
    }
    let parts = writers
        .into_iter()
        .map(|(part, writer)| Ok(writer.finish()?.into_part(part)));
    Ok((parts.collect::<Result<_, StoreError>>()?, gap.finish()?))
}

/// Writes each row to its part.
fn write_rows(
    writers: &mut [(Part, PartWriter)],
    batch: RecordBatch,
    parts: &[Option<Part>],
) -> Result<(), StoreError> {
    for (part, writer) in writers {
        let wanted: BooleanArray = parts.iter().map(|of| Some(*of == Some(*part))).collect();
        if wanted.true_count() > 0 {
            writer.write(batch.clone(), &wanted)?;
        }
    }
    Ok(())
}
