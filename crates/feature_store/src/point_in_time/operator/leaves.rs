//! Inputs that can be read by place: a spine, and a run in a file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::Count;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use crate::error::external;
use crate::point_in_time::GroupColumns;
use crate::point_in_time::run::{Materialized, Materializer, Run};

/// Rows in a block of a run in memory.
const BLOCK_ROWS: usize = 8_192;

/// Rows that a stream of a spine gives at once.
const STREAM_ROWS: usize = 65_536;

/// A spine that is read by place.
#[derive(Debug)]
pub struct SpineExec {
    rows: Arc<Materialized>,
    properties: Arc<PlanProperties>,
}

impl SpineExec {
    /// These rows.
    #[must_use]
    pub fn new(rows: RecordBatch) -> Self {
        Self::of(Arc::new(Materialized::of_batch(rows)))
    }

    /// Rows that are in memory, or were too many for it.
    pub(crate) fn of(rows: Arc<Materialized>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(rows.schema().clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            rows,
            properties: Arc::new(properties),
        }
    }

    /// The rows, some at a time.
    pub(super) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch>> + Send + 'static {
        let rows = Arc::clone(&self.rows);
        (0..rows.rows()).step_by(STREAM_ROWS).map(move |from| {
            let stretch = from..rows.rows().min(from + STREAM_ROWS);
            rows.read(rows.schema(), std::slice::from_ref(&stretch))
                .map_err(external)
        })
    }
}

impl DisplayAs for SpineExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpineExec: rows={}", self.rows.rows())
    }
}

impl ExecutionPlan for SpineExec {
    fn name(&self) -> &'static str {
        "SpineExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = futures::stream::iter(self.batches());
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.rows.schema().clone(),
            rows,
        )))
    }
}

/// A run of a group in a Parquet file in total order. A join reads it by place; everything else reads it through its input, which is a
/// plan for the same file, with its order declared.
#[derive(Debug)]
pub struct RunExec {
    path: PathBuf,
    input: Arc<dyn ExecutionPlan>,
}

impl RunExec {
    /// The file, and the plan that reads it.
    #[must_use]
    pub fn new(path: PathBuf, input: Arc<dyn ExecutionPlan>) -> Self {
        Self { path, input }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl DisplayAs for RunExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.file_name().unwrap_or_default();
        write!(f, "RunExec: {}", name.to_string_lossy())
    }
}

impl ExecutionPlan for RunExec {
    fn name(&self) -> &'static str {
        "RunExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(self.path.clone(), input))),
            _ => internal_err!("a run has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

/// The rows of a spine, by place.
pub(super) async fn spine_of(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    spilled: &Count,
) -> Result<Arc<Materialized>> {
    match plan.downcast_ref::<SpineExec>() {
        Some(spine) => Ok(Arc::clone(&spine.rows)),
        None => Ok(Arc::new(materialized(plan, context, spilled).await?)),
    }
}

/// The rows of a plan as a run: its file, where it is one; else everything that it gives.
pub(super) async fn run_of(
    plan: &Arc<dyn ExecutionPlan>,
    columns: &GroupColumns,
    context: &Arc<TaskContext>,
    spilled: &Count,
) -> Result<Run> {
    if let Some(run) = plan.downcast_ref::<RunExec>() {
        return Run::of_file(&run.path, &plan.schema(), columns).map_err(external);
    }
    let rows = materialized(plan, context, spilled).await?;
    Run::new(rows, columns, BLOCK_ROWS).map_err(external)
}

/// Everything that a plan gives: in memory, or on disk where it is more than its share of that.
async fn materialized(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    spilled: &Count,
) -> Result<Materialized> {
    let mut taken = Materializer::new("rows of a point-in-time join", plan.schema(), context);
    let mut rows = plan.execute(0, Arc::clone(context))?;
    while let Some(batch) = rows.try_next().await? {
        taken.push(batch)?;
    }
    let (rows, bytes) = taken.finish()?;
    spilled.add(bytes);
    Ok(rows)
}
