//! Conditions in SQL that a group expects of its rows.

use arrow::array::{Array, ArrayRef};
use definitions::{Check, FeatureGroup};

use crate::StoreError;
use crate::condition::Condition;
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
            if let Err(error) = predicate(group, &text) {
                let what = error.to_string();
                wrong.push(WrongPredicate { place, what });
            }
        }
    }
    wrong
}

/// Reads a condition over a group's columns.
pub(super) fn predicate(group: &FeatureGroup, text: &str) -> Result<Condition, StoreError> {
    Condition::parse(&group_schema(group)?, text, &group.reference().to_string())
}

/// The rows for which a condition is false.
pub(super) fn false_rows(predicate: &Condition, columns: &[ArrayRef]) -> Result<Vec<usize>, StoreError> {
    let truth = predicate.truth(columns)?;
    let is_false = |row: &usize| truth.is_valid(*row) && !truth.value(*row);
    Ok((0..truth.len()).filter(is_false).collect())
}
