//! What the definition asks of typed rows: a key, an event time, finite numbers, and what `expect` says.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type};
use definitions::{DataType, FeatureGroup, Level, OnViolation};

use super::column::{CellFault, Wanted};
use super::rows::TypedBatch;
use super::violation::Reason;
use crate::StoreError;
use crate::expect::RowChecks;

/// The rules of a group, column by column, then its expectations about rows.
pub(super) struct Rules {
    columns: Vec<Rule>,
    group: OnViolation,
    expected: RowChecks,
    levels: Vec<Level>,
}

struct Rule {
    data_type: DataType,
    /// What a NULL here means.
    null: Option<Reason>,
    on_violation: OnViolation,
}

/// A row that breaks an expectation.
pub(super) struct Broken {
    /// The expectation, by its place.
    pub expectation: usize,
    /// What is at fault, where the row is let through.
    pub fault: Option<CellFault>,
}

/// The rows that are kept out, each with the first thing that is wrong with it, and what happens to it.
pub(super) type KeptOut = BTreeMap<usize, (CellFault, OnViolation)>;

impl Rules {
    /// The rules of a group for its columns in stored order.
    ///
    /// # Errors
    /// `Query` for a condition in SQL that is not one.
    pub(super) fn of(group: &FeatureGroup, wanted: &[Wanted]) -> Result<Self, StoreError> {
        let rule = |column: &Wanted| {
            let name = &column.name;
            let null = if group.entity.iter().any(|entity| entity.name == *name) {
                Some(Reason::NullKey)
            } else if group.event_time.as_ref() == Some(name) {
                Some(Reason::NullEventTime)
            } else {
                None
            };
            let feature = group.feature(name.as_str());
            let on_violation = feature
                .and_then(|feature| feature.on_violation)
                .unwrap_or(group.on_violation);
            Rule {
                data_type: column.data_type,
                null,
                on_violation,
            }
        };
        let expectations = group.expectations();
        Ok(Self {
            columns: wanted.iter().map(rule).collect(),
            group: group.on_violation,
            expected: RowChecks::of(group, &expectations)?,
            levels: expectations.iter().map(|expectation| expectation.level).collect(),
        })
    }

    /// What happens to a row that breaks the rules of this column, or as a whole.
    pub(super) fn on_violation(&self, column: Option<usize>) -> OnViolation {
        column
            .and_then(|column| self.columns.get(column))
            .map_or(self.group, |rule| rule.on_violation)
    }

    /// The rows that are kept out, and every expectation that a row breaks.
    pub(super) fn check(&self, batch: &mut TypedBatch) -> Result<(KeptOut, Vec<Broken>), StoreError> {
        let mut bad = KeptOut::new();
        // Faults of reading come first, in the order of the columns; a row as a whole before its columns.
        for fault in std::mem::take(&mut batch.faults) {
            let on_violation = self.on_violation(fault.column);
            keep_out(&mut bad, fault, on_violation);
        }
        for (at, (rule, array)) in self.columns.iter().zip(&batch.columns).enumerate() {
            let mut add = |row: usize, value: String, reason: Reason, detail: String| {
                let fault = CellFault {
                    row,
                    column: Some(at),
                    value,
                    reason,
                    detail,
                };
                keep_out(&mut bad, fault, rule.on_violation);
            };
            check_column(rule, array, &mut add);
        }
        let broken = self.check_expected(batch, &mut bad)?;
        Ok((bad, broken))
    }

    fn check_expected(&self, batch: &TypedBatch, bad: &mut KeptOut) -> Result<Vec<Broken>, StoreError> {
        let mut broken = Vec::new();
        let numbers = if self.expected.has_predicates() {
            nan_to_null(batch.columns.clone()).0
        } else {
            Vec::new()
        };
        self.expected.faults(&batch.columns, &numbers, &mut |found| {
            let expectation = found.expectation;
            let fault = CellFault {
                row: found.row,
                column: found.column,
                value: found.value,
                reason: found.reason,
                detail: found.detail,
            };
            let level = self.levels.get(expectation).copied().unwrap_or(Level::Refuse);
            let fault = match level {
                Level::Warn => Some(fault),
                Level::Refuse | Level::Quarantine => {
                    let on_violation = if level == Level::Refuse {
                        OnViolation::Refuse
                    } else {
                        OnViolation::Quarantine
                    };
                    keep_out(bad, fault, on_violation);
                    None
                }
            };
            broken.push(Broken { expectation, fault });
        })?;
        Ok(broken)
    }
}

/// Notes what is wrong with a row: the first thing, unless a later one refuses what the first would only set aside.
fn keep_out(bad: &mut KeptOut, fault: CellFault, on_violation: OnViolation) {
    match bad.get_mut(&fault.row) {
        None => drop(bad.insert(fault.row, (fault, on_violation))),
        Some(known) if known.1 == OnViolation::Quarantine && on_violation == OnViolation::Refuse => {
            *known = (fault, on_violation);
        }
        Some(_) => {}
    }
}

type Add<'a> = dyn FnMut(usize, String, Reason, String) + 'a;

fn check_column(rule: &Rule, array: &ArrayRef, add: &mut Add<'_>) {
    if let Some(reason) = rule.null.filter(|_| array.null_count() > 0) {
        let detail = if reason == Reason::NullKey {
            "a column of the key must have a value"
        } else {
            "the event time must have a value"
        };
        for row in (0..array.len()).filter(|row| array.is_null(*row)) {
            add(row, "NULL".to_owned(), reason, detail.to_owned());
        }
    }
    match rule.data_type {
        DataType::Float64 => check_finite(array.as_primitive::<Float64Type>(), |value| value, add),
        DataType::Float32 => check_finite(array.as_primitive::<Float32Type>(), f64::from, add),
        _ => {}
    }
}

fn check_finite<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    number: impl Fn(T::Native) -> f64,
    add: &mut Add<'_>,
) {
    for (row, value) in array.iter().enumerate() {
        if let Some(value) = value.map(&number).filter(|value| value.is_infinite()) {
            let detail = "infinite, or too large to hold".to_owned();
            add(row, value.to_string(), Reason::NotFinite, detail);
        }
    }
}

/// NaN becomes NULL; gives the columns and how many there were.
pub(crate) fn nan_to_null(columns: Vec<ArrayRef>) -> (Vec<ArrayRef>, u64) {
    let mut count = 0;
    let plain = columns.into_iter().map(|array| {
        let (array, nans) = match array.data_type() {
            arrow::datatypes::DataType::Float64 => without::<Float64Type>(&array, f64::is_nan),
            arrow::datatypes::DataType::Float32 => without::<Float32Type>(&array, f32::is_nan),
            _ => (array, 0),
        };
        count += nans;
        array
    });
    (plain.collect(), count)
}

fn without<T: ArrowPrimitiveType>(array: &ArrayRef, is_nan: impl Fn(T::Native) -> bool) -> (ArrayRef, u64) {
    let values = array.as_primitive::<T>();
    let nans = values.iter().flatten().filter(|value| is_nan(*value)).count();
    if nans == 0 {
        return (array.clone(), 0);
    }
    let plain: PrimitiveArray<T> = values
        .iter()
        .map(|value| value.filter(|value| !is_nan(*value)))
        .collect();
    (Arc::new(plain), nans as u64)
}

/// Which rows are good.
pub(super) fn good_rows(rows: usize, bad: &KeptOut) -> BooleanArray {
    (0..rows).map(|row| Some(!bad.contains_key(&row))).collect()
}
