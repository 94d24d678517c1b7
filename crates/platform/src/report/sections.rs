//! The sections of a report.

use std::collections::BTreeSet;

use definitions::{EventTime, Role};
use feature_store::dataset::{Column, ColumnStatistics, Remark};
use feature_store::drift::{ColumnDrift, ColumnProfile, ProfiledValues};
use feature_store::report::PartProfile;
use feature_store::split::Part;
use serde_json::Value;
use sketches::NumberSummary;

use super::chart::{self, Series};
use super::markup::{Cell, list, paragraph, push, table};
use super::values::{category_names, category_shares, column, drawn_range, quantile_text, value_text};
use super::{Report, escape};
use crate::screen;

/// Bins of a distribution.
const BINS: usize = 32;
/// Columns in the picture of missing values.
const MISSING_ROWS: usize = 60;

impl Report<'_> {
    /// Parts, joins, pins, warnings.
    pub(super) fn overview(&self) -> String {
        let manifest = &self.data.manifest;
        let time = |time: Option<EventTime>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let mut html = String::new();
        if let Some(description) = &manifest.definitions.view.definition.description {
            html.push_str(&paragraph(description));
        }
        let parts: Vec<_> = manifest
            .parts
            .iter()
            .map(|part| {
                vec![
                    Cell::Text(part.part.to_string()),
                    Cell::Number(screen::count(part.rows)),
                    Cell::Text(time(part.first_event_time)),
                    Cell::Text(time(part.last_event_time)),
                ]
            })
            .collect();
        html.push_str(&table("Parts", &["part", "rows", "from", "to"], &parts));
        let joins: Vec<_> = manifest
            .joins
            .iter()
            .map(|join| {
                let prefix = join
                    .prefix
                    .as_ref()
                    .map(|prefix| format!(" as {prefix}"))
                    .unwrap_or_default();
                let counts = &join.outcomes;
                let missed = [
                    counts.unknown_entity,
                    counts.before_first,
                    counts.expired,
                    counts.not_yet_known,
                ];
                let numbers = [counts.matched].into_iter().chain(missed);
                let name = Cell::Text(format!("{}{prefix}", join.group));
                std::iter::once(name)
                    .chain(numbers.map(|number| Cell::Number(screen::count(number))))
                    .collect()
            })
            .collect();
        let headings = [
            "joined",
            "matched",
            "unknown entity",
            "before first",
            "expired",
            "not yet known",
        ];
        html.push_str(&table("Joins", &headings, &joins));
        html.push_str(&list(manifest.pins.iter().map(|pin| {
            format!(
                "{} was read at Delta version {}: {}",
                pin.group,
                pin.delta_version,
                screen::things(pin.rows(), "row")
            )
        })));
        if !manifest.warnings.is_empty() {
            html.push_str(&list(
                manifest.warnings.iter().map(|warning| format!("Warning: {warning}")),
            ));
        }
        html
    }

    /// The certificate, in words.
    pub(super) fn leakage(&self) -> String {
        let manifest = &self.data.manifest;
        let verdict = if manifest.certificate.overlaps() {
            "<p class=\"bad\">The parts overlap: labels of one look as far as the features of the next.</p>\n"
        } else {
            "<p class=\"good\">The parts are apart, as the split says.</p>\n"
        };
        let needed = paragraph(&format!("Gap that the definitions need: {}.", manifest.gap));
        format!("{verdict}{needed}{}", list(manifest.certificate.sentences()))
    }

    /// How the labels are spread over the parts.
    pub(super) fn labels(&self) -> String {
        let mut html = String::new();
        for label in self.data.manifest.columns_with(Role::Label) {
            push(&mut html, format_args!("<h3>{}</h3>\n", escape(&label.name)));
            html.push_str(&self.balance(label));
        }
        if html.is_empty() {
            return paragraph("The view has no labels.");
        }
        html
    }

    fn balance(&self, label: &Column) -> String {
        let of_parts = self
            .data
            .parts
            .iter()
            .filter_map(|part| Some((part.part, column(part, &label.name)?)));
        let of_parts: Vec<(Part, &ColumnProfile)> = of_parts.collect();
        let headings = of_parts.iter().map(|(part, _)| part.name());
        if let Some(names) = category_names(&of_parts) {
            let headings: Vec<&str> = std::iter::once("value").chain(headings).collect();
            let rows: Vec<Vec<Cell>> = names
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    let share =
                        |profile: &ColumnProfile| category_shares(profile, &names).get(at).copied().unwrap_or(0.0);
                    let shares = of_parts
                        .iter()
                        .map(|(_, profile)| Cell::Number(format!("{:.2} %", 100.0 * share(profile))));
                    std::iter::once(Cell::Text(name.clone())).chain(shares).collect()
                })
                .collect();
            return table(&format!("Balance of {}", label.name), &headings, &rows);
        }
        let headings = ["part", "values", "NULL", "mean", "std", "5 %", "median", "95 %"];
        let rows: Vec<Vec<Cell>> = of_parts
            .iter()
            .filter_map(|(part, profile)| {
                let ProfiledValues::Numbers(numbers) = &profile.values else {
                    return None;
                };
                let quantile = |share| Cell::Number(quantile_text(numbers, share, label.data_type));
                Some(vec![
                    Cell::Text(part.to_string()),
                    Cell::Number(screen::count(profile.rows - profile.nulls)),
                    Cell::Number(screen::count(profile.nulls)),
                    Cell::Number(screen::optional_value(numbers.moments.mean())),
                    Cell::Number(screen::optional_value(numbers.moments.deviation())),
                    quantile(0.05),
                    quantile(0.5),
                    quantile(0.95),
                ])
            })
            .collect();
        table(&format!("Balance of {}", label.name), &headings, &rows)
    }

    /// Later parts against the first.
    pub(super) fn drift(&self) -> String {
        let Some((first, others)) = self.data.parts.split_first() else {
            return String::new();
        };
        if others.is_empty() {
            return paragraph("There is one part only.");
        }
        let mut html = String::new();
        for other in others {
            let drifts = self.drifts(first, other);
            let drifted = drifts.iter().filter(|drift| !drift.exceeded.is_empty()).count();
            let (a, b) = (first.part, other.part);
            let sentence = format!(
                "{b} against {a}: {drifted} of {} drifted.",
                screen::things(drifts.len(), "column")
            );
            push(&mut html, format_args!("<h3>{}</h3>\n", escape(&sentence)));
            let headings = ["column", "PSI", "KS", "JS", "Cramér's V", "p", "drifted by"];
            let rows: Vec<Vec<Cell>> = drifts.iter().map(drift_row).collect();
            html.push_str(&table(&format!("Drift of {b}"), &headings, &rows));
        }
        html
    }

    fn drifts(&self, first: &PartProfile, other: &PartProfile) -> Vec<ColumnDrift> {
        let both = first
            .columns
            .iter()
            .filter_map(|profile| Some((profile, column(other, &profile.column)?)));
        both.filter_map(|(a, b)| a.drift_to(b, &self.thresholds)).collect()
    }

    /// A chart a column.
    pub(super) fn distributions(&self) -> String {
        let mut html = String::from("<p class=\"legend\">");
        for part in &self.data.parts {
            push(
                &mut html,
                format_args!("<span><span class=\"key {0}\"></span>{0}</span>", part.part),
            );
        }
        html.push_str("</p>\n");
        html.push_str(&paragraph(
            "Shares of each part's values. Numbers run from the 1 % to the 99 % quantile of the first part, or of the others where these reach further.",
        ));
        let mut drifted = BTreeSet::new();
        if let Some((first, others)) = self.data.parts.split_first() {
            for other in others {
                let found = self
                    .drifts(first, other)
                    .into_iter()
                    .filter(|drift| !drift.exceeded.is_empty());
                drifted.extend(found.map(|drift| drift.column));
            }
        }
        html.push_str("<div class=\"cards\">\n");
        for shown in &self.data.manifest.columns {
            if let Some(chart) = self.distribution(shown) {
                let mark = if drifted.contains(&shown.name) {
                    " <span class=\"bad\">drifted</span>"
                } else {
                    ""
                };
                let role = crate::commands::dataset::role_word(shown.role);
                push(
                    &mut html,
                    format_args!(
                        "<figure>\n<h3>{}{mark}</h3>\n{chart}<figcaption>{role}, {}</figcaption>\n</figure>\n",
                        escape(&shown.name),
                        shown.data_type.word()
                    ),
                );
            }
        }
        html.push_str("</div>\n");
        html
    }

    fn distribution(&self, shown: &Column) -> Option<String> {
        let of_parts: Vec<(Part, &ColumnProfile)> = self
            .data
            .parts
            .iter()
            .filter_map(|part| Some((part.part, column(part, &shown.name)?)))
            .collect();
        let label = format!("Distribution of {}", shown.name);
        if let Some(names) = category_names(&of_parts) {
            let series: Vec<Series<'_>> = of_parts
                .iter()
                .map(|(part, profile)| Series {
                    part: part.name(),
                    shares: category_shares(profile, &names),
                })
                .collect();
            return Some(chart::bars(&label, &names, &series));
        }
        let numbers: Vec<(Part, &NumberSummary)> = of_parts
            .iter()
            .filter_map(|(part, profile)| match &profile.values {
                ProfiledValues::Numbers(numbers) if numbers.count() > 0 => Some((*part, numbers)),
                _ => None,
            })
            .collect();
        let (from, to) = drawn_range(&numbers)?;
        let series: Vec<Series<'_>> = numbers
            .iter()
            .map(|(part, numbers)| Series {
                part: part.name(),
                shares: numbers
                    .histogram(from, to, BINS)
                    .into_iter()
                    .map(|count| count as f64 / numbers.count() as f64)
                    .collect(),
            })
            .collect();
        let ends = (value_text(from, shown.data_type), value_text(to, shown.data_type));
        Some(chart::distribution(&label, &series, (&ends.0, &ends.1)))
    }

    /// A row a column that has NULLs.
    pub(super) fn missing(&self) -> String {
        let Some(missing) = &self.data.missing else {
            return paragraph("Rows have no event time.");
        };
        if missing.columns.is_empty() {
            return paragraph("No feature, label or helper is missing anywhere.");
        }
        let share = |nulls: &[u64]| -> Vec<f64> {
            nulls
                .iter()
                .zip(&missing.rows)
                .map(|(nulls, rows)| *nulls as f64 / (*rows).max(1) as f64)
                .collect()
        };
        let rows: Vec<(String, Vec<f64>)> = missing
            .columns
            .iter()
            .take(MISSING_ROWS)
            .map(|(name, nulls)| (name.clone(), share(nulls)))
            .collect();
        let ends = (missing.from.to_string(), missing.to.to_string());
        let chart = chart::missing("Missing values over time", &rows, (&ends.0, &ends.1));
        let left_out = missing.columns.len() - rows.len();
        let note = match left_out {
            0 => String::new(),
            many => format!(" {} more are not shown.", screen::things(many, "column")),
        };
        let sentence =
            format!("The darker, the more of the rows of that time are NULL. Other columns are whole.{note}");
        format!("{}<figure>{chart}</figure>\n", paragraph(&sentence))
    }

    /// The square of correlations, and what goes with the first label.
    pub(super) fn correlations(&self) -> String {
        let found = &self.data.correlations;
        if found.columns.len() < 2 {
            return paragraph("There are no two columns of numbers.");
        }
        let part = self.data.parts.first().map_or("", |part| part.part.name());
        let note = match found.left_out {
            0 => String::new(),
            many => format!(" {} more are left out.", screen::things(many, "column")),
        };
        let sentence = format!("Pearson's correlation in {part}, over the rows in which both values are there.{note}");
        let chart = chart::correlations("Correlations", &found.columns, &found.values);
        let mut html = format!("{}<figure>{chart}</figure>\n", paragraph(&sentence));
        let label = self
            .data
            .manifest
            .columns_with(Role::Label)
            .next()
            .map(|label| &label.name);
        let Some(row) = found.values.first().filter(|_| label == found.columns.first()) else {
            return html;
        };
        let mut with: Vec<(&String, f64)> = found
            .columns
            .iter()
            .zip(row)
            .skip(1)
            .filter_map(|(name, value)| Some((name, (*value)?)))
            .collect();
        with.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let rows: Vec<Vec<Cell>> = with
            .into_iter()
            .map(|(name, value)| vec![Cell::Text(name.clone()), Cell::Number(format!("{value:.4}"))])
            .collect();
        let heading = label.map_or("", String::as_str);
        push(&mut html, format_args!("<h3>With {}</h3>\n", escape(heading)));
        html.push_str(&table("Correlations with the label", &["column", "correlation"], &rows));
        html
    }

    /// The manifest's statistics of the first part.
    pub(super) fn statistics(&self) -> String {
        let Some(part) = self.data.manifest.parts.first() else {
            return String::new();
        };
        let headings = [
            "column",
            "NULL",
            "different",
            "min",
            "median",
            "max",
            "mean",
            "std",
            "remark",
        ];
        let rows: Vec<Vec<Cell>> = part.statistics.iter().map(statistics_row).collect();
        let sentence = paragraph(&format!(
            "Of {}; `platform dataset show {} --statistics` has every part.",
            part.part, self.dataset
        ));
        format!("{sentence}{}", table("Statistics", &headings, &rows))
    }
}

fn drift_row(drift: &ColumnDrift) -> Vec<Cell> {
    let value = |value: Option<f64>| Cell::Number(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}")));
    let measures = drift.measures;
    let exceeded: Vec<&str> = drift.exceeded.iter().map(|measure| measure.word()).collect();
    vec![
        Cell::Text(drift.column.clone()),
        value(measures.map(|measures| measures.psi)),
        value(measures.and_then(|measures| measures.ks).map(|ks| ks.statistic)),
        value(measures.map(|measures| measures.js)),
        value(measures.map(|measures| measures.chi_square.cramers_v)),
        Cell::Number(measures.map_or_else(|| "-".to_owned(), |measures| chance(measures.chi_square.p))),
        Cell::Bad(exceeded.join(", ")),
    ]
}

/// A probability; a very small one is only said to be that.
fn chance(p: f64) -> String {
    if p < 1e-4 {
        "< 0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}

fn statistics_row(of: &ColumnStatistics) -> Vec<Cell> {
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.as_f64().map_or_else(|| other.to_string(), screen::value),
    };
    let median = of.quantiles.as_ref().map(|quantiles| &quantiles.p50);
    vec![
        Cell::Text(of.column.clone()),
        Cell::Number(screen::count(of.nulls)),
        Cell::Number(
            of.distinct
                .map_or_else(|| "-".to_owned(), crate::commands::dataset::distinct_text),
        ),
        Cell::Number(text(of.min.as_ref())),
        Cell::Number(text(median)),
        Cell::Number(text(of.max.as_ref())),
        Cell::Number(screen::optional_value(of.mean)),
        Cell::Number(screen::optional_value(of.std)),
        Cell::Bad(of.remark.map_or("", Remark::words).to_owned()),
    ]
}
