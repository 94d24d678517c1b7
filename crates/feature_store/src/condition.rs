//! Conditions in SQL over the columns of a row. They see nothing but the row: no clock, no chance, no other rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, Operator, Volatility};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;

use crate::StoreError;
use crate::error::plan_error;

/// What must be true of a row, ready to be asked.
#[derive(Debug, Clone)]
pub struct Condition {
    text: String,
    schema: SchemaRef,
    condition: Arc<dyn PhysicalExpr>,
}

impl Condition {
    /// Reads a condition over these columns; `whose` is what messages call them.
    ///
    /// # Errors
    /// `Query` where it is not SQL, not about the columns, not true or false, or not the same every time.
    pub fn parse(schema: &SchemaRef, text: &str, whose: &str) -> Result<Self, StoreError> {
        let wrong = |what: String| StoreError::Query {
            message: format!("the condition `{text}` of `{whose}`: {what}"),
            hint: None,
        };
        let told = |error: DataFusionError| wrong(crate::query::plain_message(&error));
        // The key and the event time of a row at fault may be NULL.
        let fields = schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let columns = DFSchema::try_from(schema.clone()).map_err(told)?;
        let config = SessionConfig::new().set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
        let context = SessionContext::new_with_config(config);
        let parsed = context.parse_sql_expr(text, &columns).map_err(told)?;
        if let Some(name) = changing(&parsed).map_err(told)? {
            return Err(wrong(format!("`{name}` does not give the same every time")));
        }
        let condition = context.create_physical_expr(parsed, &columns).map_err(told)?;
        let gives = condition.data_type(&schema).map_err(told)?;
        if gives != DataType::Boolean {
            return Err(wrong(format!("wanted true or false, found {gives}")));
        }
        Ok(Self {
            text: text.to_owned(),
            schema,
            condition,
        })
    }

    /// That a time is in `[from, to)`, in microseconds.
    ///
    /// # Errors
    /// `Plan` where there is no such column.
    pub(crate) fn time_within(schema: &SchemaRef, column: &str, from: i64, to: i64) -> Result<Self, StoreError> {
        let text = format!("`{column}` within [{from}, {to})");
        let failed = || plan_error(format!("rows by `{column}` could not be read"));
        let time = Arc::new(Column::new_with_schema(column, schema).map_err(failed())?);
        let compared = |operator, micros| -> Arc<dyn PhysicalExpr> {
            let value = ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
            Arc::new(BinaryExpr::new(time.clone(), operator, Arc::new(Literal::new(value))))
        };
        let both = BinaryExpr::new(
            compared(Operator::GtEq, from),
            Operator::And,
            compared(Operator::Lt, to),
        );
        Ok(Self {
            text,
            schema: schema.clone(),
            condition: Arc::new(both),
        })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The columns that it looks at, in no order.
    pub(crate) fn columns(&self) -> Vec<String> {
        let columns = collect_columns(&self.condition);
        columns.iter().map(|column| column.name().to_owned()).collect()
    }

    /// The expression, with places of columns as in the schema that it was read with.
    pub(crate) fn expression(&self) -> (&Arc<dyn PhysicalExpr>, &SchemaRef) {
        (&self.condition, &self.schema)
    }

    /// What it says of rows, whose columns are all of those that it was read with.
    pub(crate) fn truth(&self, columns: &[ArrayRef]) -> Result<BooleanArray, StoreError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns.to_vec(), &options)?;
        truth_of(&self.condition, &batch).map_err(|error| self.unanswered(&error))
    }

    /// That it has no answer for a row.
    pub(crate) fn unanswered(&self, error: &DataFusionError) -> StoreError {
        StoreError::Query {
            message: format!(
                "the condition `{}` has no answer: {}",
                self.text,
                crate::query::plain_message(error)
            ),
            hint: Some("nullif(x, 0) divides by NULL instead of zero".to_owned()),
        }
    }
}

/// What an expression says of rows.
pub(crate) fn truth_of(
    expression: &Arc<dyn PhysicalExpr>,
    rows: &RecordBatch,
) -> Result<BooleanArray, DataFusionError> {
    let answer = expression.evaluate(rows)?.into_array(rows.num_rows())?;
    let truth = answer.as_boolean_opt().cloned();
    Ok(truth.unwrap_or_else(|| BooleanArray::new_null(rows.num_rows())))
}

/// The function in a condition whose answer is not the same every time, if there is one.
fn changing(condition: &Expr) -> Result<Option<String>, DataFusionError> {
    let mut found = None;
    condition.apply(|part| {
        if let Expr::ScalarFunction(call) = part
            && call.func.signature().volatility != Volatility::Immutable
        {
            found = Some(call.func.name().to_owned());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
