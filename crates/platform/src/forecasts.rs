//! How good forecasts are and what they rest on, on a screen; from a run that has just ended, or from what the registry keeps of one.

use evaluation::{ForecastEvaluation, ForecastScores, SubjectScores};
use learning::{Explanation, VariableWeight};

use crate::failure::Outcome;
use crate::screen::{self, Table};

/// Steps that are shown of attention.
const STEPS_SHOWN: usize = 12;
/// The widest bar, in letters.
const BAR: f64 = 40.0;

/// Prints what was measured of everybody on a part: over everything, target by target where there are several, and of the model at the first,
/// the middle and the last step ahead.
pub fn print(part: &str, evaluation: &ForecastEvaluation) -> Outcome {
    let horizon = usize::try_from(evaluation.horizon).unwrap_or(usize::MAX);
    screen::line(format!(
        "\n{part}: {}, {} ahead",
        screen::things(evaluation.windows, "window"),
        screen::things(horizon, "step")
    ))?;
    let intervals = evaluation
        .subjects
        .first()
        .map(|model| model.all.coverage.as_slice())
        .unwrap_or_default();
    let intervals: Vec<String> = intervals
        .iter()
        .map(|of| format!("in {} %", (of.interval * 1e3).round() / 10.0))
        .collect();
    let mut head = vec![
        "subject",
        "target",
        "step",
        "mae",
        "rmse",
        "mase",
        "smape",
        "quantile loss",
    ];
    head.extend(intervals.iter().map(String::as_str));
    let mut table = Table::new(&head);
    let mut add = |subject: &str, target: &str, step: &str, scores: &ForecastScores| {
        let mut row = vec![subject.to_owned(), target.to_owned(), step.to_owned()];
        let values = [
            scores.mae,
            scores.rmse,
            scores.mase,
            scores.smape,
            scores.weighted_quantile_loss,
        ];
        row.extend(values.map(screen::optional_value));
        row.extend((0..intervals.len()).map(|at| {
            let share = scores.coverage.get(at).map(|of| format!("{:.1} %", of.share * 100.0));
            share.unwrap_or_default()
        }));
        table.row(row);
    };
    for SubjectScores { subject, all, targets } in &evaluation.subjects {
        add(subject, "", "", all);
        for target in targets.iter().filter(|_| targets.len() > 1) {
            add(subject, &target.target, "", &target.all);
        }
        let mut shown = vec![0, horizon / 2, horizon.saturating_sub(1)];
        shown.dedup();
        for target in targets.iter().filter(|_| subject == "model" && horizon > 1) {
            for at in &shown {
                if let Some(scores) = target.steps.get(*at) {
                    add(subject, &target.target, &(at + 1).to_string(), scores);
                }
            }
        }
    }
    table.print()
}

/// Prints which variables count, and how far back forecasts look; nothing where the learner does not say.
pub fn explain(explanation: &Explanation) -> Outcome {
    let kinds = [
        ("static", &explanation.fixed),
        ("past", &explanation.past),
        ("future", &explanation.future),
    ];
    let mut table = Table::new(&["kind", "variable", "p10", "p50", "p90", ""]);
    for (kind, variables) in kinds {
        for VariableWeight { variable, weight } in variables {
            let share = |value: f64| format!("{:.1} %", value * 100.0);
            table.row([
                kind.to_owned(),
                variable.clone(),
                share(weight.p10),
                share(weight.p50),
                share(weight.p90),
                bar(weight.p50, 1.0),
            ]);
        }
    }
    if !table.is_empty() {
        screen::line(format!(
            "\nwhat counts, over {}: how much of its kind each variable is",
            screen::things(explanation.windows, "window")
        ))?;
        table.print()?;
    }
    attention(&explanation.attention_by_lag())
}

/// The steps that are attended to most, in the order of time.
fn attention(by_lag: &[(i64, f64)]) -> Outcome {
    let mut most: Vec<(i64, f64)> = by_lag.to_vec();
    most.sort_by(|one, other| other.1.total_cmp(&one.1));
    most.truncate(STEPS_SHOWN);
    let highest = most.first().map_or(0.0, |(_, weight)| *weight);
    most.sort_by_key(|(lag, _)| *lag);
    let mut table = Table::new(&["step from now", "attention", ""]);
    for (lag, weight) in most.into_iter().filter(|_| highest > 0.0) {
        table.row([
            format!("{lag:+}"),
            format!("{:.1} %", weight * 100.0),
            bar(weight, highest),
        ]);
    }
    if table.is_empty() {
        return Ok(());
    }
    screen::line("\nwhere forecasts look: the steps with the most attention, the mean over steps ahead")?;
    table.print()
}

fn bar(value: f64, whole: f64) -> String {
    let letters = (value / whole * BAR).round();
    "#".repeat(if letters.is_finite() && letters > 0.0 {
        letters as usize
    } else {
        0
    })
}
