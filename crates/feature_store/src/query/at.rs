//! `at('server_metrics:v1', 417)`: a group as of a Delta version or a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use definitions::{FeatureGroup, GroupRef, Name, WallTime};

use super::table::{GroupTable, Visible};
use crate::error::external;
use crate::{PinAt, Store};

/// The table function.
#[derive(Debug)]
pub(super) struct At {
    pub(super) store: Store,
    pub(super) groups: BTreeMap<GroupRef, FeatureGroup>,
}

impl TableFunctionImpl for At {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let [Expr::Literal(name, _), Expr::Literal(when, _)] = args.exprs() else {
            return plan_err!("at: wanted a group and a version or time, such as at('server_metrics:v1', 417)");
        };
        let Some(Some(name)) = name.try_as_str() else {
            return plan_err!("at: wanted the group's name as text, found {name}");
        };
        let Some(group) = self.find(name) else {
            return plan_err!("at: no feature group `{name}` has been applied");
        };
        let table = GroupTable::new(&self.store, group, pin_at(when)?, Visible::Counting);
        Ok(Arc::new(table.map_err(external)?))
    }
}

impl At {
    /// By reference, or the newest version of a name.
    fn find(&self, name: &str) -> Option<&FeatureGroup> {
        if let Ok(reference) = name.parse::<GroupRef>() {
            return self.groups.get(&reference);
        }
        let name: Name = name.parse().ok()?;
        self.groups
            .iter()
            .rev()
            .find(|(reference, _)| reference.name == name)
            .map(|(_, group)| group)
    }
}

fn pin_at(when: &ScalarValue) -> Result<PinAt> {
    if let Some(Some(text)) = when.try_as_str() {
        let time = text
            .parse::<WallTime>()
            .map_err(|error| DataFusionError::Plan(format!("at: {error}")))?;
        return Ok(PinAt::Time(time));
    }
    match when {
        ScalarValue::Int64(Some(version)) => Ok(PinAt::Version(*version)),
        ScalarValue::UInt64(Some(version)) => Ok(PinAt::Version(i64::try_from(*version).unwrap_or(i64::MAX))),
        other => plan_err!("at: wanted a Delta version or a time as text, found {other}"),
    }
}
