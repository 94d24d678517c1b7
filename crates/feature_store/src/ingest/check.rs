//! What the definition asks of typed rows: a key, an event time, finite numbers, and what `expect` says.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type, Int32Type, Int64Type};
use definitions::{ColumnName, DataType, Expect, FeatureGroup, OnViolation};

use super::column::{CellFault, Wanted};
use super::ledger::Ledger;
use super::rows::TypedBatch;
use super::violation::{NullExcess, Reason};

/// The rules of a group, column by column.
pub(super) struct Rules {
    columns: Vec<Rule>,
    group: OnViolation,
}

struct Rule {
    data_type: DataType,
    /// What a NULL here means.
    null: Option<Reason>,
    expect: Option<Expect>,
    on_violation: OnViolation,
}

impl Rules {
    /// The rules of a group for its columns in stored order.
    pub(super) fn of(group: &FeatureGroup, wanted: &[Wanted]) -> Self {
        let rule = |column: &Wanted| {
            let name = &column.name;
            let feature = group.feature(name.as_str());
            let null = if group.entity.iter().any(|entity| entity.name == *name) {
                Some(Reason::NullKey)
            } else if group.event_time.as_ref() == Some(name) {
                Some(Reason::NullEventTime)
            } else {
                None
            };
            let on_violation = feature
                .and_then(|feature| feature.on_violation)
                .unwrap_or(group.on_violation);
            let expect = feature.and_then(|feature| feature.expect.clone());
            Rule {
                data_type: column.data_type,
                null,
                expect,
                on_violation,
            }
        };
        Self {
            columns: wanted.iter().map(rule).collect(),
            group: group.on_violation,
        }
    }

    /// What happens to a row that breaks the rules of this column, or as a whole.
    pub(super) fn on_violation(&self, column: Option<usize>) -> OnViolation {
        column
            .and_then(|column| self.columns.get(column))
            .map_or(self.group, |rule| rule.on_violation)
    }

    /// The rows at fault, each with the first thing that is wrong with it.
    pub(super) fn check(&self, batch: &mut TypedBatch) -> BTreeMap<usize, CellFault> {
        let mut bad: BTreeMap<usize, CellFault> = BTreeMap::new();
        // Faults of reading come first, in the order of the columns; a row as a whole before its columns.
        for fault in std::mem::take(&mut batch.faults) {
            bad.entry(fault.row).or_insert(fault);
        }
        for (at, (rule, array)) in self.columns.iter().zip(&batch.columns).enumerate() {
            let mut add = |row: usize, value: String, reason: Reason, detail: String| {
                bad.entry(row).or_insert(CellFault {
                    row,
                    column: Some(at),
                    value,
                    reason,
                    detail,
                });
            };
            check_column(rule, array, &mut add);
        }
        bad
    }
}

/// The columns with more NULLs than their `max_null_fraction` allows. That is known once all rows are read, and no row is to blame for it.
pub(super) fn null_excesses(group: &FeatureGroup, ledger: &Ledger) -> Vec<NullExcess> {
    let columns = group.stored_columns().into_iter().zip(&ledger.nulls);
    let excess = |((column, _), nulls): ((ColumnName, DataType), &u64)| {
        let expect = group.feature(column.as_str())?.expect.as_ref()?;
        let (limit, rows) = (expect.max_null_fraction?, ledger.accepted);
        let is_over = *nulls as f64 / rows.max(1) as f64 > limit;
        is_over.then_some(NullExcess {
            column,
            nulls: *nulls,
            rows,
            limit,
        })
    };
    columns.filter_map(excess).collect()
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
    let expect = rule.expect.as_ref();
    match rule.data_type {
        DataType::Float64 => check_floats(array.as_primitive::<Float64Type>(), |value| value, expect, add),
        DataType::Float32 => check_floats(array.as_primitive::<Float32Type>(), f64::from, expect, add),
        DataType::Int32 => check_limits(array.as_primitive::<Int32Type>(), f64::from, expect, add),
        DataType::Int64 => check_limits(array.as_primitive::<Int64Type>(), |value| value as f64, expect, add),
        DataType::Utf8 => check_texts(array, expect, add),
        DataType::Bool | DataType::Date | DataType::Timestamp => {}
    }
}

fn check_floats<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    number: impl Fn(T::Native) -> f64 + Copy,
    expect: Option<&Expect>,
    add: &mut Add<'_>,
) {
    for (row, value) in array.iter().enumerate() {
        if let Some(value) = value.map(number).filter(|value| value.is_infinite()) {
            add(
                row,
                value.to_string(),
                Reason::NotFinite,
                "infinite, or too large to hold".to_owned(),
            );
        }
    }
    check_limits(array, number, expect, add);
}

fn check_limits<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    number: impl Fn(T::Native) -> f64,
    expect: Option<&Expect>,
    add: &mut Add<'_>,
) {
    let Some(Expect { min, max, .. }) = expect.filter(|expect| expect.min.is_some() || expect.max.is_some()) else {
        return;
    };
    for (row, value) in array.iter().enumerate() {
        let Some(value) = value.map(&number) else { continue };
        if let Some(min) = min.filter(|min| value < *min) {
            add(
                row,
                value.to_string(),
                Reason::BelowMin,
                format!("below the minimum of {min}"),
            );
        } else if let Some(max) = max.filter(|max| value > *max) {
            add(
                row,
                value.to_string(),
                Reason::AboveMax,
                format!("above the maximum of {max}"),
            );
        }
    }
}

fn check_texts(array: &ArrayRef, expect: Option<&Expect>, add: &mut Add<'_>) {
    let Some(allowed) = expect.and_then(|expect| expect.one_of.as_ref()) else {
        return;
    };
    for (row, value) in array.as_string::<i32>().iter().enumerate() {
        if let Some(value) = value.filter(|value| !allowed.iter().any(|text| text == value)) {
            let shown: Vec<&str> = allowed.iter().take(5).map(String::as_str).collect();
            let more = if allowed.len() > shown.len() { ", …" } else { "" };
            add(
                row,
                value.to_owned(),
                Reason::NotOneOf,
                format!("not one of `{}`{more}", shown.join("`, `")),
            );
        }
    }
}

/// NaN becomes NULL; gives the columns and how many there were.
pub(super) fn nan_to_null(columns: Vec<ArrayRef>) -> (Vec<ArrayRef>, u64) {
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
pub(super) fn good_rows(rows: usize, bad: &BTreeMap<usize, CellFault>) -> BooleanArray {
    (0..rows).map(|row| Some(!bad.contains_key(&row))).collect()
}
