//! Inputs that can be read by place: a spine in memory, and a run in a file.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::metrics::Count;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;

use super::external;
use crate::point_in_time::GroupColumns;
use crate::point_in_time::run::Run;

/// Rows in a block of a run in memory.
const BLOCK_ROWS: usize = 8_192;

/// A spine in memory, as one batch.
#[derive(Debug)]
pub struct SpineExec {
    rows: RecordBatch,
    properties: Arc<PlanProperties>,
}

impl SpineExec {
    /// These rows.
    #[must_use]
    pub fn new(rows: RecordBatch) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(rows.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            rows,
            properties: Arc::new(properties),
        }
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }
}

impl DisplayAs for SpineExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpineExec: rows={}", self.rows.num_rows())
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
        let stream = MemoryStream::try_new(vec![self.rows.clone()], self.rows.schema(), None)?;
        Ok(Box::pin(stream))
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

/// The rows of a plan as a run: its file, where it is one; else everything that it gives, in memory, or on disk where that is too much.
pub(super) async fn run_of(
    plan: &Arc<dyn ExecutionPlan>,
    columns: &GroupColumns,
    context: &Arc<TaskContext>,
    memory: &MemoryReservation,
    spill: &Count,
) -> Result<Run> {
    let schema = plan.schema();
    if let Some(run) = plan.downcast_ref::<RunExec>() {
        return Run::of_file(&run.path, &schema, columns).map_err(external);
    }
    let mut rows = plan.execute(0, Arc::clone(context))?;
    let mut held: Vec<RecordBatch> = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        // Twice: the batches, and the one that they become.
        let fits = memory.try_grow(2 * batch.get_array_memory_size()).is_ok();
        held.push(batch);
        if !fits {
            return spilled(held, rows, columns, context, spill).await;
        }
    }
    let batch = concat_batches(&schema, &held)?;
    Run::of_batch(batch, columns, BLOCK_ROWS).map_err(external)
}

/// A run in a temporary file, which is gone with the run.
async fn spilled(
    held: Vec<RecordBatch>,
    mut rows: SendableRecordBatchStream,
    columns: &GroupColumns,
    context: &Arc<TaskContext>,
    spilled: &Count,
) -> Result<Run> {
    let schema = rows.schema();
    let spill = context
        .runtime_env()
        .disk_manager
        .create_tmp_file("a point-in-time join")?;
    let Some(path) = spill.path() else {
        return internal_err!("a spill file without a path");
    };
    let file = File::options().write(true).truncate(true).create(true).open(path)?;
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(crate::ingest::file_properties()))?;
    for batch in held {
        writer.write(&batch)?;
    }
    while let Some(batch) = rows.try_next().await? {
        writer.write(&batch)?;
    }
    let bytes = writer.bytes_written();
    writer.close()?;
    spilled.add(bytes);
    // The run holds the file open: its name may go.
    Run::of_file(path, &schema, columns).map_err(external)
}
