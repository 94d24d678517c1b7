//! How good a pipeline is on each fold, on a screen; from a run that has just ended, or from what the registry keeps of one.

use serde_json::Value;

use crate::failure::Outcome;
use crate::screen::{self, Table};

/// Prints the folds of a report, and their means; nothing where there are none.
pub fn print(report: &Value) -> Outcome {
    if list(report, "folds").any(|fold| list(fold, "baselines").next().is_some()) {
        return side_by_side(report);
    }
    let mut table = Table::new(&["fold", "part", "trained on", "rows", "metric", "value"]);
    for fold in list(report, "folds") {
        for score in list(fold, "scores") {
            table.row([
                number(fold, "fold").to_string(),
                text(fold, "part"),
                screen::count(number(fold, "train_rows")),
                screen::count(number(fold, "rows")),
                text(score, "metric"),
                screen::optional_value(value(score, "value")),
            ]);
        }
    }
    if table.is_empty() {
        return Ok(());
    }
    table.print()?;
    for mean in list(report, "means") {
        screen::line(format!(
            "mean {} on {} of {}: {}",
            text(mean, "metric"),
            text(mean, "part"),
            screen::things(number(mean, "folds"), "fold"),
            with_deviation(mean)
        ))?;
    }
    Ok(())
}

/// The model beside every baseline, a column a metric: fold by fold, then the means.
fn side_by_side(report: &Value) -> Outcome {
    let mut metrics: Vec<String> = Vec::new();
    for score in list(report, "folds").flat_map(|fold| list(fold, "scores")) {
        let metric = text(score, "metric");
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    let head = |own: &[&'static str]| -> Vec<String> {
        let own = own.iter().map(|name| (*name).to_owned());
        own.chain(metrics.iter().cloned()).collect()
    };
    let in_order = |of: &Value, cell: &dyn Fn(&Value) -> String| -> Vec<String> {
        let cell_of = |metric: &String| {
            list(of, "scores")
                .find(|score| text(score, "metric") == *metric)
                .map(cell)
        };
        metrics
            .iter()
            .map(|metric| cell_of(metric).unwrap_or_default())
            .collect()
    };
    let mut table = table(&head(&["fold", "part", "trained on", "rows", "subject"]));
    for fold in list(report, "folds") {
        let model = std::iter::once(("model".to_owned(), fold));
        let baselines = list(fold, "baselines").map(|of| (text(of, "baseline"), of));
        for (subject, of) in model.chain(baselines) {
            let mut row = vec![
                number(fold, "fold").to_string(),
                text(fold, "part"),
                screen::count(number(fold, "train_rows")),
                screen::count(number(fold, "rows")),
                subject,
            ];
            row.extend(in_order(of, &|score| screen::optional_value(value(score, "value"))));
            table.row(row);
        }
    }
    screen::line("\nfold by fold")?;
    table.print()?;
    means(report, &head(&["part", "subject", "folds"]), &metrics)
}

/// A row a part and subject.
fn means(report: &Value, head: &[String], metrics: &[String]) -> Outcome {
    let subject = |mean: &Value| {
        let baseline = mean.get("baseline").and_then(Value::as_str);
        (text(mean, "part"), baseline.unwrap_or("model").to_owned())
    };
    let mut subjects: Vec<(String, String)> = Vec::new();
    for mean in list(report, "means").map(subject) {
        if !subjects.contains(&mean) {
            subjects.push(mean);
        }
    }
    let mut table = table(head);
    for own in subjects {
        let of_own = || list(report, "means").filter(|mean| subject(mean) == own);
        let folds = of_own().map(|mean| number(mean, "folds")).max().unwrap_or_default();
        let cell = |metric: &String| {
            of_own()
                .find(|mean| text(mean, "metric") == *metric)
                .map(with_deviation)
        };
        let mut row = vec![own.0.clone(), own.1.clone(), folds.to_string()];
        row.extend(metrics.iter().map(|metric| cell(metric).unwrap_or_default()));
        table.row(row);
    }
    screen::line("\nmean and standard deviation over the folds")?;
    table.print()
}

fn table(head: &[String]) -> Table {
    Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>())
}

fn with_deviation(mean: &Value) -> String {
    let std = value(mean, "std").map(|std| format!(" \u{b1} {}", screen::value(std)));
    format!(
        "{}{}",
        screen::optional_value(value(mean, "mean")),
        std.unwrap_or_default()
    )
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn value(of: &Value, name: &str) -> Option<f64> {
    of.get(name).and_then(Value::as_f64)
}
