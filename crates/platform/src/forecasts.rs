//! How good forecasts are and what they rest on, on a screen; from a run that has just ended, or from what the registry keeps of one.

use evaluation::{ForecastEvaluation, ForecastRow};
use learning::{Explanation, VariableWeight};

use crate::failure::Outcome;
use crate::screen::{self, Table};

/// Steps that are shown of attention.
const STEPS_SHOWN: usize = 12;
/// The widest bar, in letters.
const BAR: f64 = 40.0;

/// Prints what was measured of everybody on a part, side by side: over everything where there are several targets, target by target, and at the
/// first, the middle and the last step ahead.
pub fn print(part: &str, evaluation: &ForecastEvaluation) -> Outcome {
    screen::line(format!(
        "\n{part}: {}, {} ahead",
        screen::things(evaluation.windows, "window"),
        screen::things(evaluation.horizon, "step")
    ))?;
    let (more, risks) = (evaluation.headings(), evaluation.quantiles.len());
    let mut head = vec![
        "target",
        "step",
        "subject",
        "mae",
        "rmse",
        "mase",
        "smape",
        "quantile loss",
    ];
    head.extend(more.iter().map(String::as_str));
    let mut table = Table::new(&head);
    for ForecastRow {
        subject,
        target,
        step,
        scores,
    } in evaluation.rows(&evaluation.telling_steps())
    {
        let step = step.map(|step| step.to_string());
        let mut row = vec![
            target.unwrap_or("all").to_owned(),
            step.unwrap_or_default(),
            subject.to_owned(),
        ];
        row.extend(scores.errors().map(screen::optional_value));
        row.extend((0..risks).map(|at| screen::optional_value(scores.risk(at))));
        row.extend((0..more.len() - risks).map(|at| {
            let share = scores.covered(at).map(|share| format!("{:.1} %", share * 100.0));
            share.unwrap_or_default()
        }));
        table.row(row);
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
