//! The sections of a card that are about forecasts.

use serde::{Deserialize, Serialize};

use super::markdown::{Markdown, count, number};
use crate::{ForecastEvaluation, ForecastScores};

/// Steps that are shown of attention.
const STEPS_SHOWN: usize = 12;

/// What a model that forecasts looks at, and how far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardForecast {
    /// Steps looked back.
    pub context: u32,
    /// Steps looked ahead.
    pub horizon: u32,
    /// The length of a step.
    pub frequency: String,
    /// What is known in advance: wanted for every step ahead.
    pub known_future: Vec<String>,
    /// What counts, the most important of each kind first.
    pub variables: Vec<CardVariable>,
    /// How much forecasts attend to each step, counted from now: the mean over steps ahead.
    pub attention: Vec<(i64, f64)>,
    /// What is to be said of how it learned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<CardNote>,
}

/// Something that is said of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardNote {
    /// What it is about.
    pub title: String,
    /// What was done, in whole sentences.
    pub text: String,
    /// The headings of a table; empty: there is none.
    pub columns: Vec<String>,
    /// Its rows: as many cells each.
    pub rows: Vec<Vec<String>>,
}

/// How much a variable counts among those of its kind: shares of windows have less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardVariable {
    /// `static`, `past` or `future`.
    pub kind: String,
    /// The variable.
    pub variable: String,
    /// A tenth of the windows have less.
    pub p10: f64,
    /// Half of the windows have less.
    pub p50: f64,
    /// A tenth of the windows have more.
    pub p90: f64,
}

/// Everybody's scores, by target and at the first, the middle and the last step.
pub(super) fn scores(text: &mut Markdown, evaluation: &ForecastEvaluation) {
    let horizon = usize::try_from(evaluation.horizon).unwrap_or(usize::MAX);
    text.paragraph(&format!(
        "{} windows, {} steps ahead. Quantile loss: the mean over the quantiles {:?} of 2 Σ loss / Σ |truth|. A forecast that is one \
         number is every quantile of itself.",
        count(evaluation.windows),
        count(evaluation.horizon),
        evaluation.quantiles
    ));
    let intervals = evaluation
        .subjects
        .first()
        .map(|of| of.all.coverage.as_slice())
        .unwrap_or_default();
    let covered: Vec<String> = intervals
        .iter()
        .map(|of| format!("in {} %", (of.interval * 1e3).round() / 10.0))
        .collect();
    let mut head = vec![
        "compared",
        "target",
        "step",
        "MAE",
        "RMSE",
        "MASE",
        "sMAPE",
        "quantile loss",
    ];
    head.extend(covered.iter().map(String::as_str));
    let row = |subject: &str, target: &str, step: String, of: &ForecastScores| {
        let mut cells = vec![subject.to_owned(), target.to_owned(), step];
        cells.extend([of.mae, of.rmse, of.mase, of.smape, of.weighted_quantile_loss].map(number));
        cells.extend((0..covered.len()).map(|at| {
            let share = of.coverage.get(at).map(|of| format!("{:.1} %", of.share * 100.0));
            share.unwrap_or_else(|| "–".to_owned())
        }));
        cells
    };
    let mut rows = Vec::new();
    for of in &evaluation.subjects {
        let subject = if of.subject == "model" {
            "this model"
        } else {
            of.subject.as_str()
        };
        for target in &of.targets {
            rows.push(row(subject, &target.target, "all".to_owned(), &target.all));
        }
        let mut shown = vec![0, horizon / 2, horizon.saturating_sub(1)];
        shown.dedup();
        for target in of.targets.iter().filter(|_| of.subject == "model" && horizon > 1) {
            let steps = shown.iter().filter_map(|at| Some((at, target.steps.get(*at)?)));
            rows.extend(steps.map(|(at, scores)| row(subject, &target.target, (at + 1).to_string(), scores)));
        }
    }
    text.table(&head, rows);
}

/// What counts, and where forecasts look.
pub(super) fn variables(text: &mut Markdown, forecast: &CardForecast) {
    text.heading(2, "Variable importance");
    if forecast.variables.is_empty() {
        text.paragraph("The learner does not say what its forecasts go by.");
        return;
    }
    text.paragraph(
        "How much of its kind each variable is, from 0 to 1, over the windows of the part that gates look at.",
    );
    let rows = forecast.variables.iter().map(|of| {
        let numbers = [of.p10, of.p50, of.p90].map(|value| number(Some(value)));
        let mut cells = vec![of.kind.clone(), format!("`{}`", of.variable)];
        cells.extend(numbers);
        cells
    });
    text.table(&["kind", "variable", "P10", "P50", "P90"], rows);
    let mut most = forecast.attention.clone();
    most.sort_by(|one, other| other.1.total_cmp(&one.1));
    most.truncate(STEPS_SHOWN);
    most.sort_by_key(|(lag, _)| *lag);
    let rows = most
        .iter()
        .map(|(lag, weight)| vec![format!("{lag:+}"), number(Some(*weight))]);
    text.table(&["step from now", "attention"], rows);
}

/// What is to be said of how it learned, a section each.
pub(super) fn notes(text: &mut Markdown, forecast: &CardForecast) {
    for note in &forecast.notes {
        text.heading(2, &note.title);
        text.paragraph(&note.text);
        if !note.columns.is_empty() {
            let columns: Vec<&str> = note.columns.iter().map(String::as_str).collect();
            text.table(&columns, note.rows.iter().cloned());
        }
    }
}
