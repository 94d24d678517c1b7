//! The statistics of columns as tables: numbers, then frequent values.

use feature_store::dataset::{ColumnStatistics, Distinct, TopValue};
use serde_json::Value;

use crate::failure::Outcome;
use crate::screen::{self, Table};

/// Frequent values in a line.
const SHOWN: usize = 4;
/// A value that is in fewer rows than one in so many is not shown there.
const RARE: u64 = 100;
/// Characters of a value that are shown there.
const LETTERS: usize = 24;

/// One line a column: counts, extremes, moments; then the values that are there often. Columns come with the part they are of, if any.
pub fn print_statistics<'a>(columns: impl Iterator<Item = (Option<String>, &'a ColumnStatistics)> + Clone) -> Outcome {
    numbers(columns.clone()).print()?;
    let frequent = frequent(columns);
    if frequent.is_empty() {
        return Ok(());
    }
    screen::line("")?;
    frequent.print()
}

fn numbers<'a>(columns: impl Iterator<Item = (Option<String>, &'a ColumnStatistics)>) -> Table {
    let mut table = Table::new(&[
        "part", "column", "rows", "nulls", "min", "median", "max", "mean", "std", "distinct", "",
    ]);
    for (part, column) in columns {
        let median = column.quantiles.as_ref().map(|quantiles| &quantiles.p50);
        table.row([
            part.unwrap_or_default(),
            column.column.clone(),
            screen::value(column.rows as f64),
            screen::value(column.nulls as f64),
            cell(column.min.as_ref()),
            cell(median),
            cell(column.max.as_ref()),
            screen::optional_value(column.mean),
            screen::optional_value(column.std),
            column.distinct.map_or_else(|| "-".to_owned(), distinct_text),
            column
                .remark
                .map_or("", feature_store::dataset::Remark::words)
                .to_owned(),
        ]);
    }
    table
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.as_f64().map_or_else(|| other.to_string(), screen::value),
    }
}

/// A number of different values; an estimate has a `~`.
pub fn distinct_text(distinct: Distinct) -> String {
    match (distinct.exact, distinct.standard_error) {
        (true, _) => distinct.values.to_string(),
        (false, Some(_)) => format!("~ {}", distinct.values),
        (false, None) => format!(">= {}", distinct.values),
    }
}

fn frequent<'a>(columns: impl Iterator<Item = (Option<String>, &'a ColumnStatistics)>) -> Table {
    let mut table = Table::new(&["part", "column", "most frequent values"]);
    for (part, column) in columns {
        let values = column.rows - column.nulls;
        let often = column.top.iter().filter(|top| top.rows * RARE > values);
        let shown: Vec<String> = often.take(SHOWN).map(|top| share(top, values)).collect();
        if !shown.is_empty() {
            table.row([part.unwrap_or_default(), column.column.clone(), shown.join(", ")]);
        }
    }
    table
}

fn share(top: &TopValue, values: u64) -> String {
    let text = cell(Some(&top.value));
    let short: String = text.chars().take(LETTERS).collect();
    let ellipsis = if short.len() < text.len() { "…" } else { "" };
    format!(
        "{short}{ellipsis} {:.1} %",
        100.0 * top.rows as f64 / values.max(1) as f64
    )
}
