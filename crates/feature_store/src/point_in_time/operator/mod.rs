//! The join as an operator of DataFusion's: what it needs of its inputs it states, so that DataFusion sorts, spills, merges and explains.
//!
//! ```text
//!   PointInTimeJoinExec: event_time=ts, groups=[metrics:v1 on host, hosts:v1 on host]
//!     SpineExec                        in any order: rows come out in the order in which they come in
//!     RunExec: part-1.parquet          a run of metrics:v1, a file in total order
//!       DataSourceExec                     … as any engine would read it
//!     RunExec: part-2.parquet          another one
//!       DataSourceExec
//!     SortExec                         a run of hosts:v1, from rows in no order: DataFusion put the sort here
//!       DataSourceExec
//! ```
//!
//! Each child but the first is a run of a group: one partition, in total order. Of a run that is a file only what is needed is read; any
//! other child is run to its end, into memory, or into a temporary file where it does not fit. The output is one partition, in the
//! spine's order: its columns, then each group's. Memory is taken from the task's pool, threads are its `target_partitions`.
//!
//! `leaves` are the inputs that can be read by place, `logical` is the operator in a logical plan, `codec` takes plans to other machines.

mod codec;
mod leaves;
mod logical;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexRequirement, OrderingRequirements, Partitioning, PhysicalExpr,
    PhysicalSortRequirement,
};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use self::leaves::{run_of, spine_of};
use super::group::Group;
use super::joins::{Joined, Joins, Limits, Member};
use super::run::memory_of;
use super::spine::Spine;
use super::work::WorkReport;
use super::{GroupColumns, JoinRule, OutcomeCounts};
use crate::error::external;
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER};

pub use codec::PointInTimeCodec;
pub use leaves::{RunExec, SpineExec};
pub use logical::{PointInTimeJoin, PointInTimePlanner};

/// A group that is joined to the spine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupJoin {
    /// Which of its columns play which part.
    pub columns: GroupColumns,
    /// What of the rule was chosen.
    pub rule: JoinRule,
    /// For each key column of the group, the spine's column that is compared with it.
    pub on: Vec<String>,
    /// The names that its values get in the output.
    pub names: Vec<String>,
    /// How many of the inputs are its runs.
    pub runs: usize,
}

/// Joins groups to a spine at a point in time.
#[derive(Debug)]
pub struct PointInTimeJoinExec {
    event_time: String,
    joins: Vec<GroupJoin>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    done: Arc<Mutex<Vec<GroupReport>>>,
}

/// What one group's join did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupReport {
    /// What became of the spine's rows.
    pub outcomes: OutcomeCounts,
    /// What was read for it, and how long it took.
    pub work: WorkReport,
}

impl PointInTimeJoinExec {
    /// Joins these groups to the spine, the first of the inputs; the others are the groups' runs, group by group.
    ///
    /// # Errors
    /// When a column is missing or of another type, or the runs are not as many as the groups say.
    pub fn try_new(event_time: String, joins: Vec<GroupJoin>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        let Some(spine) = inputs.first() else {
            return internal_err!("a join without a spine");
        };
        if inputs.len() != 1 + joins.iter().map(|join| join.runs).sum::<usize>()
            || joins.iter().any(|join| join.runs == 0)
        {
            return internal_err!("a join of {} inputs, which do not fit its groups", inputs.len());
        }
        let mut fields: Vec<Field> = spine
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        let mut first = 1;
        for join in &joins {
            let Some(run) = inputs.get(first) else {
                return internal_err!("a group without a run");
            };
            let schema = run.schema();
            for (value, name) in join.columns.values.iter().zip(&join.names) {
                fields.push(
                    schema
                        .field_with_name(value)?
                        .clone()
                        .with_name(name)
                        .with_nullable(true),
                );
            }
            first += join.runs;
        }
        let schema = Arc::new(Schema::new(fields));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            event_time,
            joins,
            inputs,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            done: Arc::default(),
        })
    }

    /// What was done so far, by group; everything, once the stream has ended.
    #[must_use]
    pub fn reports(&self) -> Vec<GroupReport> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The groups.
    #[must_use]
    pub fn joins(&self) -> &[GroupJoin] {
        &self.joins
    }

    /// The column of the spine that holds its rows' times.
    #[must_use]
    pub fn event_time(&self) -> &str {
        &self.event_time
    }

    /// The group that an input is a run of; `None` for the spine.
    fn join_of(&self, input: usize) -> Option<&GroupJoin> {
        let mut left = input.checked_sub(1)?;
        for join in &self.joins {
            match left.checked_sub(join.runs) {
                None => return Some(join),
                Some(more) => left = more,
            }
        }
        None
    }
}

impl GroupColumns {
    /// The columns of the total order, in which a run is.
    #[must_use]
    pub fn order(&self) -> Vec<&str> {
        let declared = self.keys.iter().chain(&self.event_time).chain(&self.known_at);
        declared
            .map(String::as_str)
            .chain([KNOWN_AT, INGEST_ID, ROW_NUMBER])
            .collect()
    }
}

/// The total order of a group, as a requirement for its runs.
fn total_order(columns: &GroupColumns, schema: &Schema) -> Option<OrderingRequirements> {
    let ascending = arrow::compute::SortOptions::new(false, true);
    let requirement = |name: &str| {
        let column = Column::new_with_schema(name, schema).ok()?;
        Some(PhysicalSortRequirement::new(Arc::new(column), Some(ascending)))
    };
    let all = columns
        .order()
        .into_iter()
        .map(requirement)
        .collect::<Option<Vec<_>>>()?;
    LexRequirement::new(all).map(OrderingRequirements::new)
}

impl DisplayAs for PointInTimeJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = self.joins.iter().map(|join| {
            let mut text = format!("{} on {}", join.columns.group, join.on.join(", "));
            if let Some(age) = join.rule.max_age {
                text.push_str(&format!(" within {age}"));
            }
            text
        });
        let groups = groups.collect::<Vec<_>>().join("; ");
        write!(
            f,
            "PointInTimeJoinExec: event_time={}, groups=[{groups}]",
            self.event_time
        )
    }
}

impl ExecutionPlan for PointInTimeJoinExec {
    fn name(&self) -> &'static str {
        "PointInTimeJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; self.inputs.len()])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let order = |(at, input): (usize, &Arc<dyn ExecutionPlan>)| {
            self.join_of(at)
                .and_then(|join| total_order(&join.columns, &input.schema()))
        };
        self.inputs.iter().enumerate().map(order).collect()
    }

    /// Rows come out in the spine's order, but that is not promised: DataFusion's `ensure_sorting` takes an operator that keeps the order of
    /// one input for one that needs no sort below any other.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::try_new(
            self.event_time.clone(),
            self.joins.clone(),
            children,
        )?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("partition {partition} of a join that has one");
        }
        let pool = context.memory_pool();
        let work = Execution {
            event_time: self.event_time.clone(),
            joins: self.joins.clone(),
            inputs: self.inputs.clone(),
            schema: self.schema.clone(),
            memory: MemoryConsumer::new("PointInTimeJoinExec").register(pool),
            metrics: self.metrics.clone(),
            done: Arc::clone(&self.done),
        };
        let schema = self.schema.clone();
        let stream = futures::stream::once(work.start(context)).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One execution of the operator.
struct Execution {
    event_time: String,
    joins: Vec<GroupJoin>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    memory: MemoryReservation,
    metrics: ExecutionPlanMetricsSet,
    done: Arc<Mutex<Vec<GroupReport>>>,
}

impl Execution {
    async fn start(
        self,
        context: Arc<TaskContext>,
    ) -> Result<impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static> {
        let mut inputs = self.inputs.iter();
        let Some(spine) = inputs.next() else {
            return internal_err!("a join without a spine");
        };
        let spilled = MetricBuilder::new(&self.metrics).spilled_bytes(0);
        let spine = spine_of(spine, &context, &spilled).await?;
        self.memory.try_grow(spine.uncounted_bytes())?;
        let mut members = Vec::new();
        for join in &self.joins {
            let mut runs = Vec::new();
            let mut schema = None;
            for input in inputs.by_ref().take(join.runs) {
                schema.get_or_insert_with(|| input.schema());
                runs.push(run_of(input, &join.columns, &context, &spilled).await?);
            }
            let Some(schema) = schema else {
                return internal_err!("a group without a run");
            };
            let group = Group::new(&schema, Arc::new(runs), join.columns.clone(), join.rule).map_err(external)?;
            members.push(Member {
                group,
                on: join.on.clone(),
            });
        }
        let spine = Spine::new(spine, self.event_time.clone()).map_err(external)?;
        let limits = self.limits(&context);
        let kept = self.memory.new_empty();
        let joins = tokio::task::spawn_blocking(move || Joins::new(spine, members, limits, kept));
        let joins = joins
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let joins = Arc::new(joins.map_err(external)?);
        let stretches = joins.rows();
        Ok(self.give(joins, stretches))
    }

    /// What a stretch may hold: with every thread at work, a quarter of the memory in rows that are given, a quarter in keys and times.
    fn limits(&self, context: &TaskContext) -> Limits {
        const KEY_BYTES: usize = 64;
        const MOST_ROWS: usize = 131_072;
        const MOST_BYTES: usize = 64 << 20;
        let memory = memory_of(context);
        let threads = context.session_config().target_partitions().max(1);
        let share = memory / (4 * threads);
        let width = |field: &arrow::datatypes::FieldRef| field.data_type().primitive_width().unwrap_or(16);
        let row: usize = self.schema.fields().iter().map(width).sum();
        // Where a spine has to be sorted for a group, what its rows see is kept for a chunk of it.
        let kept = row + 32 * self.joins.len();
        // What is given is held twice: as it was read, and in its places.
        let spine_rows = MOST_BYTES.min(share / 2) / row.max(1);
        Limits {
            spine_rows: spine_rows
                .min(MOST_ROWS * 32 / self.joins.len().max(1))
                .clamp(1_024, MOST_ROWS),
            chunk_rows: (memory / 2 / kept.max(1)).max(MOST_ROWS),
            group_rows: (share / KEY_BYTES).clamp(65_536, 1 << 20),
            threads,
        }
    }

    /// The rows of every stretch, with the spine's columns in front.
    fn give(
        self,
        joins: Arc<Joins>,
        stretches: futures::stream::BoxStream<'static, std::result::Result<Joined, crate::StoreError>>,
    ) -> impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static {
        let mut outcomes = vec![OutcomeCounts::default(); self.joins.len()];
        let rows = MetricBuilder::new(&self.metrics).output_rows(0);
        stretches.map(move |joined| {
            let joined = joined.map_err(external)?;
            for (all, more) in outcomes.iter_mut().zip(joined.counts()) {
                *all = all.and(more);
            }
            let report = |(outcomes, work): (&OutcomeCounts, WorkReport)| GroupReport {
                outcomes: *outcomes,
                work,
            };
            let reports: Vec<GroupReport> = outcomes.iter().zip(joins.work()).map(report).collect();
            self.count(&reports);
            rows.add(joined.rows.len());
            let columns = joined.spine.columns().iter().cloned().chain(joined.columns).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(joined.rows.len()));
            Ok(RecordBatch::try_new_with_options(
                self.schema.clone(),
                columns,
                &options,
            )?)
        })
    }

    /// Publishes what was done, as reports and as metrics.
    fn count(&self, reports: &[GroupReport]) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, (report, join)) in reports.iter().zip(&self.joins).enumerate() {
            let before = done.get(at).copied().unwrap_or_default();
            let group = &join.columns.group;
            let add = |name: &str, now: u64, before: u64| {
                if now > before {
                    let name = format!("{name} {group}");
                    MetricBuilder::new(&self.metrics)
                        .global_counter(name)
                        .add((now - before) as usize);
                }
            };
            add("matched", report.outcomes.matched, before.outcomes.matched);
            add("rows_looked_at", report.work.rows_looked_at, before.work.rows_looked_at);
            add("rows_fetched", report.work.rows_fetched, before.work.rows_fetched);
            add("files_read", report.work.files_read, before.work.files_read);
        }
        reports.clone_into(&mut done);
    }
}
