//! Expectations about rows: limits, allowed values, patterns, and conditions in SQL.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type, Int32Type, Int64Type};
use definitions::{Check, DataType, Expectation, FeatureGroup};
use regex::Regex;

use super::predicate::{false_rows, predicate};
use crate::StoreError;
use crate::condition::Condition;
use crate::ingest::violation::Reason;

/// The checks of a group's rows, ready to be made.
pub(crate) struct RowChecks {
    checks: Vec<RowCheck>,
}

struct RowCheck {
    /// Its place among the group's expectations.
    expectation: usize,
    /// Its column's place among the stored columns; `None`: the row.
    column: Option<usize>,
    data_type: DataType,
    rule: Rule,
}

enum Rule {
    Min(f64),
    Max(f64),
    OneOf(Vec<String>),
    Pattern(Regex),
    Predicate(Box<Condition>),
}

/// A row that breaks an expectation.
pub(crate) struct RowFault {
    /// The expectation, by its place among those of the group.
    pub expectation: usize,
    /// The row in its batch.
    pub row: usize,
    /// The stored column, by its place; `None`: the row as a whole.
    pub column: Option<usize>,
    /// The value.
    pub value: String,
    /// The kind of fault.
    pub reason: Reason,
    /// What is wrong, exactly.
    pub detail: String,
}

impl RowChecks {
    /// The checks of a group.
    ///
    /// # Errors
    /// `Query` for a condition that is not one; [`super::wrong_predicates`] finds these before a group is applied.
    pub(crate) fn of(group: &FeatureGroup, expectations: &[Expectation]) -> Result<Self, StoreError> {
        let stored = group.stored_columns();
        let mut checks = Vec::new();
        for (at, expectation) in expectations.iter().enumerate() {
            let rule = match &expectation.check {
                Check::Min(limit) => Rule::Min(*limit),
                Check::Max(limit) => Rule::Max(*limit),
                Check::OneOf(values) => Rule::OneOf(values.clone()),
                Check::Regex(pattern) => Rule::Pattern(Regex::new(pattern).map_err(|error| StoreError::Query {
                    message: error.to_string(),
                    hint: None,
                })?),
                Check::Sql(condition) => Rule::Predicate(Box::new(predicate(group, condition)?)),
                _ => continue,
            };
            let place = |name: &definitions::ColumnName| stored.iter().position(|(column, _)| column == name);
            checks.push(RowCheck {
                expectation: at,
                column: expectation.column.as_ref().and_then(place),
                data_type: expectation.data_type.unwrap_or(DataType::Bool),
                rule,
            });
        }
        Ok(Self { checks })
    }

    /// Whether there is a condition over whole rows.
    pub(crate) fn has_predicates(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.rule, Rule::Predicate(_)))
    }

    /// The rows at fault, expectation by expectation. `columns` are the stored ones in order; `numbers` are the same with NULL for NaN.
    ///
    /// # Errors
    /// `Query` when a condition cannot be answered for a row, as when it divides by zero.
    pub(crate) fn faults(
        &self,
        columns: &[ArrayRef],
        numbers: &[ArrayRef],
        add: &mut dyn FnMut(RowFault),
    ) -> Result<(), StoreError> {
        for check in &self.checks {
            let mut found = |row: usize, value: String, reason: Reason, detail: String| {
                add(RowFault {
                    expectation: check.expectation,
                    row,
                    column: check.column,
                    value,
                    reason,
                    detail,
                });
            };
            match &check.rule {
                Rule::Predicate(predicate) => {
                    for row in false_rows(predicate, numbers)? {
                        let detail = format!("wanted {}", predicate.text());
                        found(row, String::new(), Reason::PredicateFalse, detail);
                    }
                }
                rule => {
                    if let Some(array) = check.column.and_then(|column| columns.get(column)) {
                        rule.check(check.data_type, array, &mut found);
                    }
                }
            }
        }
        Ok(())
    }
}

type Found<'a> = dyn FnMut(usize, String, Reason, String) + 'a;

impl Rule {
    fn check(&self, data_type: DataType, array: &ArrayRef, found: &mut Found<'_>) {
        match self {
            Self::OneOf(_) | Self::Pattern(_) => self.check_texts(data_type, array, found),
            Self::Min(_) | Self::Max(_) => match data_type {
                DataType::Float64 => self.check_limit(array.as_primitive::<Float64Type>(), |value| value, found),
                DataType::Float32 => self.check_limit(array.as_primitive::<Float32Type>(), f64::from, found),
                DataType::Int32 => self.check_limit(array.as_primitive::<Int32Type>(), f64::from, found),
                DataType::Int64 => self.check_limit(array.as_primitive::<Int64Type>(), |value| value as f64, found),
                _ => {}
            },
            Self::Predicate(_) => {}
        }
    }

    fn check_limit<T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<T>,
        number: impl Fn(T::Native) -> f64,
        found: &mut Found<'_>,
    ) {
        for (row, value) in array.iter().enumerate() {
            let Some(value) = value.map(&number) else { continue };
            match self {
                Self::Min(min) if value < *min => {
                    let detail = format!("below the minimum of {min}");
                    found(row, value.to_string(), Reason::BelowMin, detail);
                }
                Self::Max(max) if value > *max => {
                    let detail = format!("above the maximum of {max}");
                    found(row, value.to_string(), Reason::AboveMax, detail);
                }
                _ => {}
            }
        }
    }

    fn check_texts(&self, data_type: DataType, array: &ArrayRef, found: &mut Found<'_>) {
        for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
            let text = match data_type {
                DataType::Utf8 => array.as_string_opt::<i32>().map(|texts| texts.value(row).to_owned()),
                DataType::Int32 => array
                    .as_primitive_opt::<Int32Type>()
                    .map(|whole| whole.value(row).to_string()),
                DataType::Int64 => array
                    .as_primitive_opt::<Int64Type>()
                    .map(|whole| whole.value(row).to_string()),
                _ => None,
            };
            let Some(text) = text else { continue };
            match self {
                Self::OneOf(allowed) if !allowed.contains(&text) => {
                    let shown: Vec<&str> = allowed.iter().take(5).map(String::as_str).collect();
                    let more = if allowed.len() > shown.len() { ", …" } else { "" };
                    let detail = format!("not one of `{}`{more}", shown.join("`, `"));
                    found(row, text, Reason::NotOneOf, detail);
                }
                Self::Pattern(pattern) if !pattern.is_match(&text) => {
                    let detail = format!("does not match `{pattern}`");
                    found(row, text, Reason::NotMatching, detail);
                }
                _ => {}
            }
        }
    }
}
