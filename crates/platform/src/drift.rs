//! Drift on the command line: thresholds as options, a table, and an exit code.

use clap::Args;
use feature_store::drift::{ColumnDrift, DriftReport};
use serde_json::json;
use sketches::drift::Thresholds;

use crate::failure::{Failure, Outcome};
use crate::screen::{self, Table};

/// From where on a column has drifted: a measure exceeds its limit, and chance does not explain it.
#[derive(Args)]
pub struct Limits {
    /// Limit of the population stability index.
    #[arg(long, value_name = "X", default_value_t = Thresholds::default().psi, value_parser = limit)]
    psi: f64,
    /// Limit of the Kolmogorov-Smirnov statistic of numbers and times.
    #[arg(long, value_name = "X", default_value_t = Thresholds::default().ks, value_parser = limit)]
    ks: f64,
    /// Limit of the Jensen-Shannon distance.
    #[arg(long, value_name = "X", default_value_t = Thresholds::default().js, value_parser = limit)]
    js: f64,
    /// Limit of Cramér's V, the size of chi-square.
    #[arg(long, value_name = "X", default_value_t = Thresholds::default().cramers_v, value_parser = limit)]
    cramers_v: f64,
    /// What chance may explain: no drift where the p-value of chi-square is larger.
    #[arg(long, value_name = "P", default_value_t = Thresholds::default().significance, value_parser = limit)]
    significance: f64,
}

fn limit(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("not a number from 0 on".to_owned())
    }
}

impl Limits {
    /// The limits.
    pub fn thresholds(&self) -> Thresholds {
        Thresholds {
            psi: self.psi,
            ks: self.ks,
            js: self.js,
            cramers_v: self.cramers_v,
            significance: self.significance,
        }
    }
}

/// What was compared, in words.
pub struct Compared {
    /// The baseline.
    pub baseline: String,
    /// What was held against it.
    pub candidate: String,
}

/// Prints a report.
///
/// # Errors
/// When a column has drifted: that is the answer no.
pub fn report(json: bool, compared: &Compared, report: &DriftReport) -> Outcome {
    let drifted: Vec<&str> = report.drifted().map(|column| column.column.as_str()).collect();
    let Compared { baseline, candidate } = compared;
    if json {
        let mut document = json!({ "baseline": baseline, "candidate": candidate, "drifted": drifted });
        if let (Some(all), serde_json::Value::Object(more)) = (document.as_object_mut(), serde_json::to_value(report)?)
        {
            all.extend(more);
        }
        screen::json(&document)?;
    } else {
        print(compared, report)?;
    }
    if drifted.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = drifted.iter().map(|name| format!("`{name}`")).collect();
    Err(Failure::input(format!(
        "{} of {} drifted from {baseline}: {}",
        drifted.len(),
        screen::things(report.columns.len(), "column"),
        names.join(", ")
    ))
    .hint("see which values moved with `platform dataset report`, or set other limits: --psi, --ks, --js, --cramers-v"))
}

fn print(compared: &Compared, report: &DriftReport) -> Outcome {
    screen::line(format!("{} against {}", compared.candidate, compared.baseline))?;
    table(&report.columns).print()?;
    let error = report.columns.iter().filter_map(|column| column.measures?.ks);
    let error = error.map(|ks| ks.error).fold(0.0, f64::max);
    if error > 0.0 {
        screen::line(format!("KS is off by at most {}", screen::value(error)))?;
    }
    if !report.not_compared.is_empty() {
        screen::line(format!("not compared: {}", report.not_compared.join(", ")))?;
    }
    match report.drifted().count() {
        0 => screen::line("no column has drifted"),
        _ => Ok(()),
    }
}

/// One line a column.
pub fn table(columns: &[ColumnDrift]) -> Table {
    let mut table = Table::new(&[
        "column",
        "rows",
        "now",
        "NULL %",
        "now",
        "PSI",
        "KS",
        "JS",
        "Cramér's V",
        "p",
        "drifted by",
    ]);
    let share =
        |side: feature_store::drift::SideCounts| format!("{:.1}", 100.0 * side.nulls as f64 / side.rows.max(1) as f64);
    for column in columns {
        let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let measures = column.measures;
        let exceeded: Vec<&str> = column.exceeded.iter().map(|measure| measure.word()).collect();
        table.row([
            column.column.clone(),
            screen::count(column.baseline.rows),
            screen::count(column.candidate.rows),
            share(column.baseline),
            share(column.candidate),
            value(measures.map(|measures| measures.psi)),
            value(measures.and_then(|measures| measures.ks).map(|ks| ks.statistic)),
            value(measures.map(|measures| measures.js)),
            value(measures.map(|measures| measures.chi_square.cramers_v)),
            value(measures.map(|measures| measures.chi_square.p)),
            exceeded.join(", "),
        ]);
    }
    table
}
