//! The operator in a logical plan, and the planner that makes the physical one of it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Field;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::{GroupJoin, PointInTimeJoinExec};

/// Joins groups to a spine at a point in time: [`PointInTimeJoinExec`], not planned yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PointInTimeJoin {
    event_time: String,
    joins: Vec<GroupJoin>,
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

impl PointInTimeJoin {
    /// Joins these groups to the spine, the first of the inputs; the others are the groups' runs, group by group, in any order of rows.
    ///
    /// # Errors
    /// When a column is missing, or the runs are not as many as the groups say.
    pub fn try_new(event_time: String, joins: Vec<GroupJoin>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(spine) = inputs.first() else {
            return internal_err!("a join without a spine");
        };
        let mut fields: Vec<_> = spine
            .schema()
            .iter()
            .map(|(table, field)| (table.cloned(), Arc::clone(field)))
            .collect();
        let mut first = 1;
        for join in &joins {
            let Some(run) = inputs.get(first) else {
                return internal_err!("a group without a run");
            };
            for (value, name) in join.columns.values.iter().zip(&join.names) {
                let field: &Field = run.schema().field_with_unqualified_name(value)?;
                fields.push((None, Arc::new(field.clone().with_name(name).with_nullable(true))));
            }
            first += join.runs;
        }
        let schema = DFSchema::new_with_metadata(fields, std::collections::HashMap::new())?;
        Ok(Self {
            event_time,
            joins,
            inputs,
            schema: Arc::new(schema),
        })
    }
}

impl PartialOrd for PointInTimeJoin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for PointInTimeJoin {
    fn name(&self) -> &'static str {
        "PointInTimeJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<&str> = self.joins.iter().map(|join| join.columns.group.as_str()).collect();
        write!(
            f,
            "PointInTimeJoin: event_time={}, groups=[{}]",
            self.event_time,
            groups.join(", ")
        )
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Self::try_new(self.event_time.clone(), self.joins.clone(), inputs)
    }
}

/// Plans [`PointInTimeJoin`].
#[derive(Debug, Clone, Copy, Default)]
pub struct PointInTimePlanner;

#[async_trait]
impl ExtensionPlanner for PointInTimePlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(join) = node.as_any().downcast_ref::<PointInTimeJoin>() else {
            return Ok(None);
        };
        let plan = PointInTimeJoinExec::try_new(join.event_time.clone(), join.joins.clone(), inputs.to_vec())?;
        Ok(Some(Arc::new(plan)))
    }
}
