//! Conditions in SQL over the columns of a row. They see nothing but the row: no clock, no chance, no other rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use definitions::{Check, FeatureGroup};

use crate::StoreError;
use crate::storage::group_schema;

/// A condition that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPredicate {
    /// Its place among the tables of `[[expect]]`, from 0.
    pub place: usize,
    /// What is wrong.
    pub what: String,
}

/// The conditions of a group that are wrong: not SQL, not about the group's columns, not true or false, or not the same every time.
#[must_use]
pub fn wrong_predicates(group: &FeatureGroup) -> Vec<WrongPredicate> {
    let mut wrong = Vec::new();
    for (place, expect) in group.expect.iter().enumerate() {
        for check in expect.checks() {
            let Check::Sql(text) = check else { continue };
            if let Err(error) = Predicate::of(group, &text) {
                let what = error.to_string();
                wrong.push(WrongPredicate { place, what });
            }
        }
    }
    wrong
}

/// A condition, ready to be asked.
pub(super) struct Predicate {
    text: String,
    schema: SchemaRef,
    condition: Arc<dyn PhysicalExpr>,
}

impl Predicate {
    /// Reads a condition over a group's columns.
    pub(super) fn of(group: &FeatureGroup, text: &str) -> Result<Self, StoreError> {
        let wrong = |what: String| StoreError::Query {
            message: format!("the condition `{text}` of `{}`: {what}", group.reference()),
            hint: None,
        };
        let told = |error: DataFusionError| wrong(crate::query::plain_message(&error));
        let declared = group_schema(group)?;
        // The key and the event time of a row at fault may be NULL.
        let fields = declared
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

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The rows for which it is false.
    pub(super) fn false_rows(&self, columns: &[ArrayRef]) -> Result<Vec<usize>, StoreError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns.to_vec(), &options)?;
        let failed = |error: DataFusionError| StoreError::Query {
            message: format!(
                "the condition `{}` has no answer: {}",
                self.text,
                crate::query::plain_message(&error)
            ),
            hint: Some(
                "nullif(x, 0) divides by NULL instead of zero; a row for which the condition is NULL passes".to_owned(),
            ),
        };
        let answer = self
            .condition
            .evaluate(&batch)
            .and_then(|answer| answer.into_array(rows));
        let answer = answer.map_err(failed)?;
        let Some(truth) = answer.as_boolean_opt() else {
            return Ok(Vec::new());
        };
        Ok((0..rows)
            .filter(|row| truth.is_valid(*row) && !truth.value(*row))
            .collect())
    }
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
