//! The sections of a card that are about forecasts.

use serde::{Deserialize, Serialize};

use super::markdown::{Markdown, count, number};
use crate::{ForecastEvaluation, ForecastRow};

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

/// Everybody's scores side by side: over everything, by target, at the first, the middle and the last step; and the error of every step.
pub(super) fn scores(text: &mut Markdown, evaluation: &ForecastEvaluation) {
    text.paragraph(&format!(
        "{} windows, {} steps ahead. Risk of a quantile: 2 Σ loss / Σ |truth|; quantile loss: the mean over the quantiles {:?}. A forecast that is one \
         number is every quantile of itself.",
        count(evaluation.windows),
        count(evaluation.horizon),
        evaluation.quantiles
    ));
    let (more, risks) = (evaluation.headings(), evaluation.quantiles.len());
    let mut head = vec![
        "target",
        "step",
        "compared",
        "MAE",
        "RMSE",
        "MASE",
        "sMAPE",
        "quantile loss",
    ];
    head.extend(more.iter().map(String::as_str));
    let row = |of: &ForecastRow<'_>| {
        let step = of.step.map_or_else(|| "all".to_owned(), |step| step.to_string());
        let mut cells = vec![
            of.target.unwrap_or("all").to_owned(),
            step,
            shown(of.subject).to_owned(),
        ];
        cells.extend(of.scores.errors().map(number));
        cells.extend((0..risks).map(|at| number(of.scores.risk(at))));
        cells.extend((0..more.len() - risks).map(|at| {
            let share = of.scores.covered(at).map(|share| format!("{:.1} %", share * 100.0));
            share.unwrap_or_else(|| "–".to_owned())
        }));
        cells
    };
    let rows = evaluation.rows(&evaluation.telling_steps());
    text.table(&head, rows.iter().map(row));
    by_step(text, evaluation);
}

fn shown(subject: &str) -> &str {
    if subject == "model" { "this model" } else { subject }
}

/// The error of every step: a row a target and step, a column a subject.
fn by_step(text: &mut Markdown, evaluation: &ForecastEvaluation) {
    let horizon = usize::try_from(evaluation.horizon).unwrap_or_default();
    if horizon < 2 {
        return;
    }
    let has_mase = evaluation.subjects.iter().any(|of| of.all.mase.is_some());
    text.paragraph(&format!("{} by step ahead:", if has_mase { "MASE" } else { "MAE" }));
    let mut head = vec!["target", "step"];
    head.extend(evaluation.subjects.iter().map(|of| shown(&of.subject)));
    let steps: Vec<usize> = (1..=horizon).collect();
    let all = evaluation.rows(&steps);
    let of_steps: Vec<&ForecastRow<'_>> = all.iter().filter(|of| of.step.is_some()).collect();
    let rows = of_steps.chunk_by(|one, other| (one.target, one.step) == (other.target, other.step));
    let rows = rows.map(|everybody| {
        let first = everybody.first();
        let target = first.and_then(|of| of.target).unwrap_or_default().to_owned();
        let step = first.and_then(|of| of.step).unwrap_or_default().to_string();
        let errors = everybody
            .iter()
            .map(|of| number(if has_mase { of.scores.mase } else { of.scores.mae }));
        [target, step].into_iter().chain(errors).collect::<Vec<_>>()
    });
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
