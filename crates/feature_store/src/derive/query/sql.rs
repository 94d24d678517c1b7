//! Derived groups in SQL: whether the same rows always give the same answer.
//!
//! A derived group is recomputed: when rows arrive, when a dataset is reproduced, on another machine. So its SQL must be a function of its rows. What
//! is refused, by walking the plan (subqueries too):
//!
//! - functions of the time of the query or of chance: what the engine calls stable (`now()`, `current_date`) or volatile (`random()`, `uuid()`);
//! - what depends on the order of rows where the query gives none: `limit` without `order by`, `distinct on` without one, `row_number`, `lag`,
//!   `first_value` and their kin over no order, frames counted in rows, `array_agg` and `string_agg`.
//!
//! What it cannot see: ties. An order by columns that do not tell rows apart leaves them in the order of the table, which is the same for the same
//! versions of the same groups.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Volatility, WindowFrameUnits, WindowFunctionDefinition};

use crate::StoreError;
use crate::error::plan_error;
use crate::query::{explain, plain_schema, session};

/// The columns of a derived group's SQL over tables of these names and columns, if its answer depends on their rows alone.
///
/// # Errors
/// `Query` for SQL that is wrong or writes; [`StoreError::Indeterminate`] for SQL whose answer may be another one next time.
pub async fn sql_schema(sql: &str, tables: &[(String, SchemaRef)]) -> Result<SchemaRef, StoreError> {
    let context = session();
    for (name, schema) in tables {
        context
            .register_table(
                TableReference::bare(name.clone()),
                Arc::new(EmptyTable::new(schema.clone())),
            )
            .map_err(plan_error("a table could not be named"))?;
    }
    let names: Vec<String> = tables.iter().map(|(name, _)| name.clone()).collect();
    let plan = context.state().create_logical_plan(sql).await;
    let plan = plan.map_err(|error| explain(error, &names))?;
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|error| StoreError::Query {
        message: format!("a derived group is a query: {}", error.strip_backtrace()),
        hint: Some("select …".to_owned()),
    })?;
    match cause_of_change(&plan)? {
        Some(cause) => Err(StoreError::Indeterminate {
            found: cause.found,
            why: cause.why,
            hint: cause.hint,
        }),
        None => Ok(plain_schema(&Arc::new(plan.schema().as_arrow().clone()))),
    }
}

/// Why an answer may be another one next time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    found: String,
    why: &'static str,
    hint: &'static str,
}

const ADD_ORDER: &str = "add `order by`, with columns that tell all rows apart";
const NO_ORDER: &str = "depends on the order of rows, and the query gives none";

/// The first cause in a plan.
fn cause_of_change(plan: &LogicalPlan) -> Result<Option<Cause>, StoreError> {
    let mut cause = None;
    let walked = plan.apply_with_subqueries(|node| {
        cause = cause.take().or_else(|| cause_in_node(node));
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                cause = cause.take().or_else(|| cause_in_expression(expression));
                Ok(stop_at(&cause))
            })
        })?;
        Ok(stop_at(&cause))
    });
    walked.map_err(plan_error("the SQL of a derived group could not be looked through"))?;
    Ok(cause)
}

fn stop_at(cause: &Option<Cause>) -> TreeNodeRecursion {
    match cause {
        Some(_) => TreeNodeRecursion::Stop,
        None => TreeNodeRecursion::Continue,
    }
}

fn unordered(found: impl Into<String>) -> Option<Cause> {
    Some(Cause {
        found: found.into(),
        why: NO_ORDER,
        hint: ADD_ORDER,
    })
}

fn cause_in_node(node: &LogicalPlan) -> Option<Cause> {
    match node {
        LogicalPlan::Limit(limit) if !is_ordered(&limit.input) => unordered("limit"),
        LogicalPlan::Distinct(Distinct::On(on)) if on.sort_expr.as_ref().is_none_or(Vec::is_empty) => {
            unordered("distinct on")
        }
        _ => None,
    }
}

/// Whether rows come in an order that the query gave.
fn is_ordered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(projection) => is_ordered(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_ordered(&alias.input),
        LogicalPlan::Filter(filter) => is_ordered(&filter.input),
        LogicalPlan::Limit(limit) => is_ordered(&limit.input),
        _ => false,
    }
}

fn cause_in_expression(expression: &Expr) -> Option<Cause> {
    match expression {
        Expr::ScalarFunction(function) => inconstant(function.func.name(), function.func.signature().volatility),
        Expr::AggregateFunction(function) => inconstant(function.func.name(), function.func.signature().volatility)
            .or_else(|| unordered_aggregate(function)),
        Expr::WindowFunction(function) => {
            let volatility = match &function.fun {
                WindowFunctionDefinition::AggregateUDF(function) => function.signature().volatility,
                WindowFunctionDefinition::WindowUDF(function) => function.signature().volatility,
            };
            inconstant(function.fun.name(), volatility).or_else(|| unordered_window(function))
        }
        _ => None,
    }
}

fn inconstant(name: &str, volatility: Volatility) -> Option<Cause> {
    let (why, hint) = match volatility {
        Volatility::Immutable => return None,
        Volatility::Stable => (
            "depends on when it is asked",
            "use the event time, or another column of the rows",
        ),
        Volatility::Volatile => (
            "is another one each time",
            "take what tells rows apart from their columns",
        ),
    };
    Some(Cause {
        found: format!("{name}()"),
        why,
        hint,
    })
}

fn unordered_aggregate(function: &AggregateFunction) -> Option<Cause> {
    let name = function.func.name();
    let by_order = matches!(
        name,
        "array_agg" | "string_agg" | "first_value" | "last_value" | "nth_value"
    );
    (by_order && function.params.order_by.is_empty()).then(|| unordered(format!("{name}()")))?
}

fn unordered_window(function: &WindowFunction) -> Option<Cause> {
    let WindowFunctionParams {
        order_by, window_frame, ..
    } = &function.params;
    let name = function.fun.name();
    let by_order = matches!(
        name,
        "row_number"
            | "ntile"
            | "lag"
            | "lead"
            | "first_value"
            | "last_value"
            | "nth_value"
            | "array_agg"
            | "string_agg"
    );
    let is_whole = window_frame.start_bound.is_unbounded() && window_frame.end_bound.is_unbounded();
    let by_rows = window_frame.units != WindowFrameUnits::Range && !is_whole;
    (order_by.is_empty() && (by_order || by_rows)).then(|| unordered(format!("{name}() over (…)")))?
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    use super::*;

    async fn schema_of(sql: &str) -> Result<SchemaRef, StoreError> {
        let fields = vec![
            Field::new("host", DataType::Utf8, false),
            Field::new(
                "ts",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                false,
            ),
            Field::new("cpu", DataType::Float64, true),
        ];
        sql_schema(sql, &[("metrics".to_owned(), Arc::new(Schema::new(fields)))]).await
    }

    #[track_caller]
    fn message(found: Result<SchemaRef, StoreError>) -> String {
        found.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_rows_alone_decide_is_allowed() {
        let allowed = [
            "select host, ts, cpu * 2 as double from metrics",
            "select host, ts, avg(cpu) over (partition by host order by ts range between interval '1 hour' preceding and current row) as m
             from metrics",
            "select host, ts, lag(cpu, 12) over (partition by host order by ts) as earlier from metrics",
            "select host, ts, row_number() over (partition by host order by ts rows between 3 preceding and current row) as n from metrics",
            "select host, ts, cpu / sum(cpu) over (partition by ts) as share from metrics",
            "select host, max(ts) as ts, count(distinct cpu) as n, array_agg(cpu order by ts) as all from metrics group by host",
            "select host, ts, date_trunc('hour', ts) as hour, date_part('dow', ts) as day from metrics",
            "select host, ts, cpu from metrics order by ts, host limit 10",
            "select distinct on (host) host, ts from metrics order by host, ts",
            "with hot as (select * from metrics where cpu > 90) select host, ts, cpu from hot union all select host, ts, cpu from metrics",
        ];
        for sql in allowed {
            let found = schema_of(sql).await;
            assert!(found.is_ok(), "{sql}: {found:?}");
        }
    }

    #[tokio::test]
    async fn the_columns_are_those_of_the_answer() {
        let schema =
            schema_of("select host, ts, count(*) over (partition by ts) as n, upper(host) as name from metrics").await;
        let schema = schema.unwrap();
        let columns: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| format!("{} {}", field.name(), field.data_type()))
            .collect();
        assert_eq!(
            columns,
            ["host Utf8", "ts Timestamp(µs, \"UTC\")", "n Int64", "name Utf8"]
        );
    }

    #[tokio::test]
    async fn the_time_of_the_query_is_refused_wherever_it_stands() {
        let refused = [
            ("select host, ts, now() as n from metrics", "now()"),
            ("select host, ts, current_timestamp as n from metrics", "now()"),
            (
                "select host, ts from metrics where ts > now() - interval '1 day'",
                "now()",
            ),
            ("select host, ts, current_date as n from metrics", "current_date()"),
            ("select host, ts, current_time as n from metrics", "current_time()"),
            (
                "select host, ts from metrics order by abs(date_part('day', now() - ts))",
                "now()",
            ),
            (
                "select host, ts from metrics where cpu > (select max(cpu) from metrics where ts < now())",
                "now()",
            ),
            (
                "with recent as (select * from metrics where ts > now()) select host, ts from recent",
                "now()",
            ),
            (
                "select m.host, m.ts from metrics m join metrics n on m.host = n.host and n.ts < now()",
                "now()",
            ),
            (
                "select host, ts, sum(case when ts < now() then cpu end) over (partition by host) as s from metrics",
                "now()",
            ),
            (
                "select host, max(ts) as ts from metrics group by host having max(ts) < now()",
                "now()",
            ),
            (
                "select host, ts from metrics where exists (select 1 from metrics n where n.ts > now())",
                "now()",
            ),
        ];
        for (sql, found) in refused {
            let wanted =
                format!("a derived group must give the same rows each time: `{found}` depends on when it is asked");
            assert_eq!(message(schema_of(sql).await), wanted, "{sql}");
        }
    }

    #[tokio::test]
    async fn chance_is_refused() {
        for function in ["random()", "uuid()"] {
            let sql = format!("select host, ts, {function} as r from metrics");
            let wanted =
                format!("a derived group must give the same rows each time: `{function}` is another one each time");
            assert_eq!(message(schema_of(&sql).await), wanted);
        }
    }

    #[tokio::test]
    async fn an_order_that_no_one_gave_is_refused() {
        let refused = [
            ("select host, ts from metrics limit 5", "limit"),
            // The engine drops an order that only a subquery has.
            (
                "select * from (select * from metrics order by ts, host) limit 5",
                "limit",
            ),
            ("select distinct on (host) host, ts from metrics", "distinct on"),
            (
                "select host, ts, row_number() over (partition by host) as n from metrics",
                "row_number() over (…)",
            ),
            (
                "select host, ts, lag(cpu) over (partition by host) as n from metrics",
                "lag() over (…)",
            ),
            (
                "select host, ts, avg(cpu) over (rows between 3 preceding and current row) as n from metrics",
                "avg() over (…)",
            ),
            (
                "select host, array_agg(cpu) as n from metrics group by host",
                "array_agg()",
            ),
            (
                "select host, first_value(cpu) as n from metrics group by host",
                "first_value()",
            ),
        ];
        for (sql, found) in refused {
            let wanted = format!("a derived group must give the same rows each time: `{found}` {NO_ORDER}");
            assert_eq!(message(schema_of(sql).await), wanted, "{sql}");
        }
    }

    #[tokio::test]
    async fn what_is_no_query_is_refused() {
        let refused = |sql| async move { message(schema_of(sql).await) };
        assert!(
            refused("create table t as select * from metrics")
                .await
                .starts_with("a derived group is a query: ")
        );
        let error = schema_of("select * from metric").await.unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `metrics`?");
    }
}
