//! How good a pipeline is on each fold, on a screen; from a run that has just ended, or from what the registry keeps of one.

use serde_json::Value;

use crate::failure::Outcome;
use crate::screen::{self, Table};

/// Prints the folds of a report, and their means; nothing where there are none.
pub fn print(report: &Value) -> Outcome {
    let list = |name: &str| report.get(name).and_then(Value::as_array).into_iter().flatten();
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut table = Table::new(&["fold", "part", "trained on", "rows", "metric", "value"]);
    for fold in list("folds") {
        for score in fold.get("scores").and_then(Value::as_array).into_iter().flatten() {
            table.row([
                number(fold, "fold").to_string(),
                text(fold, "part"),
                screen::count(number(fold, "train_rows")),
                screen::count(number(fold, "rows")),
                text(score, "metric"),
                screen::optional_value(score.get("value").and_then(Value::as_f64)),
            ]);
        }
    }
    if table.is_empty() {
        return Ok(());
    }
    table.print()?;
    for mean in list("means") {
        let value = |name: &str| mean.get(name).and_then(Value::as_f64);
        let std = value("std").map(|std| format!(" \u{b1} {}", screen::value(std)));
        screen::line(format!(
            "mean {} on {} of {}: {}{}",
            text(mean, "metric"),
            text(mean, "part"),
            screen::things(number(mean, "folds"), "fold"),
            screen::optional_value(value("mean")),
            std.unwrap_or_default()
        ))?;
    }
    Ok(())
}
