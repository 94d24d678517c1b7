//! Dividing rows by the values of a column, so that a model is measured on each kind of row and not on the average one alone.
//!
//! - Texts, truth values and numbers of at most 50 different values: one slice for each value, in their order.
//! - Numbers of more values: four ranges, cut at the quartiles of the rows that are divided. A cut is one of the values (the
//!   smallest with at least that share of the rows at or below it), and belongs to the range above it, so equal values are
//!   never parted. Ranges that would be empty are not made.
//! - Rows without a value (NULL, NaN) are a slice of their own, the last one.
//!
//! Every row is in exactly one slice of a column. A slice of fewer than [`MIN_GATED_ROWS`] rows is measured and shown, but no
//! gate looks at it: a handful of rows says more about chance than about the model.
//!
//! O(n log n) time, one row number a row of memory.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Gates look at slices of at least this many rows.
pub const MIN_GATED_ROWS: usize = 30;

/// Numbers of more different values than this are divided into ranges.
pub const MAX_DISTINCT_NUMBERS: usize = 50;

/// Some rows, by the value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// What the rows have in common.
    pub key: SliceKey,
    /// The rows, from 0, ascending.
    pub rows: Vec<usize>,
}

/// What the rows of a slice have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SliceKey {
    /// The column.
    pub column: String,
    /// Its value, or the range of its values; `None`: it has none.
    pub value: Option<String>,
}

impl fmt::Display for SliceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.column),
            None => write!(f, "{} is NULL", self.column),
        }
    }
}

/// Slices by the values of a column of texts, in the order of the texts.
#[must_use]
pub fn slice_by_texts(column: &str, values: &[Option<String>]) -> Vec<Slice> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut without = Vec::new();
    for (row, value) in values.iter().enumerate() {
        match value {
            Some(text) => groups.entry(text).or_default().push(row),
            None => without.push(row),
        }
    }
    slices(
        column,
        groups.into_iter().map(|(text, rows)| (text.to_owned(), rows)).collect(),
        without,
    )
}

/// Slices by the values of a column of numbers, ascending: by value, or by quartile where there are many values.
#[must_use]
pub fn slice_by_numbers(column: &str, values: &[Option<f64>]) -> Vec<Slice> {
    let known = |row: &usize| values.get(*row).copied().flatten().filter(|value| !value.is_nan());
    let (with, without): (Vec<usize>, Vec<usize>) = (0..values.len()).partition(|row| known(row).is_some());
    let mut sorted: Vec<f64> = with.iter().filter_map(known).collect();
    sorted.sort_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    let cuts = if distinct.len() > MAX_DISTINCT_NUMBERS {
        quartiles(&sorted)
    } else {
        distinct.clone()
    };
    let mut groups = vec![Vec::new(); cuts.len()];
    for row in with {
        let above = cuts.partition_point(|cut| known(&row).is_some_and(|value| *cut <= value));
        if let Some(group) = above.checked_sub(1).and_then(|at| groups.get_mut(at)) {
            group.push(row);
        }
    }
    let largest = sorted.last().copied().unwrap_or_default();
    let name = |at: usize, cut: f64| match (distinct.len() > MAX_DISTINCT_NUMBERS, cuts.get(at + 1)) {
        (false, _) => cut.to_string(),
        (true, Some(next)) => format!("[{cut}, {next})"),
        (true, None) => format!("[{cut}, {largest}]"),
    };
    let named = groups
        .into_iter()
        .zip(&cuts)
        .enumerate()
        .map(|(at, (rows, cut))| (name(at, *cut), rows))
        .collect();
    slices(column, named, without)
}

/// Where the ranges start: the smallest value and the quartiles, each once.
fn quartiles(sorted: &[f64]) -> Vec<f64> {
    // The quartile's place among n values is ceil(n q / 4), counted from 1.
    let places = [
        0,
        sorted.len().div_ceil(4),
        sorted.len().div_ceil(2),
        (3 * sorted.len()).div_ceil(4),
    ];
    let mut cuts: Vec<f64> = places
        .iter()
        .filter_map(|place| sorted.get(place.saturating_sub(1)).copied())
        .collect();
    cuts.dedup();
    cuts
}

fn slices(column: &str, groups: Vec<(String, Vec<usize>)>, without: Vec<usize>) -> Vec<Slice> {
    let key = |value| SliceKey {
        column: column.to_owned(),
        value,
    };
    let mut slices: Vec<Slice> = groups
        .into_iter()
        .map(|(value, rows)| Slice {
            key: key(Some(value)),
            rows,
        })
        .collect();
    if !without.is_empty() {
        slices.push(Slice {
            key: key(None),
            rows: without,
        });
    }
    slices
}
