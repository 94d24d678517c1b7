//! `[gate]` of a pipeline: limits on metrics, limits on their slices, who has to be beaten, and what leaks do.

use super::document::Content;
use super::pipeline::baseline_hint;
use super::spelling::respellings;
use super::table::{Field, Table};
use crate::{Evaluate, Gates, LeakRule, Limits, METRICS, Name, Rival, nearest};

/// What other tools call the metrics.
const SYNONYMS: [(&str, &str); 10] = [
    ("logloss", "log_loss"),
    ("cross_entropy", "log_loss"),
    ("mean_absolute_error", "mae"),
    ("l1", "mae"),
    ("mean_squared_error", "mse"),
    ("l2", "mse"),
    ("r_squared", "r2"),
    ("roc_auc", "auc"),
    ("f1_score", "f1"),
    ("pinball", "pinball(0.5)"),
];

/// Whether a metric has this name. `pinball` has one for every quantile: `pinball(0.9)`.
pub(super) fn is_metric(name: &str) -> bool {
    let quantile = name.strip_prefix("pinball(").and_then(|rest| rest.strip_suffix(')'));
    match quantile {
        Some(share) => share
            .trim()
            .parse::<f64>()
            .is_ok_and(|share| share > 0.0 && share < 1.0),
        None => METRICS.contains(&name) && name != "pinball",
    }
}

/// The metric that a text was probably meant to be.
pub(super) fn metric_hint(text: &str) -> Option<&'static str> {
    let name = text.split('(').next().unwrap_or_default();
    let synonym = SYNONYMS
        .iter()
        .find(|(word, _)| *word == name.to_lowercase())
        .map(|(_, metric)| *metric);
    synonym.or_else(|| nearest(text, METRICS).map(|near| if near == "pinball" { "pinball(0.5)" } else { near }))
}

/// The names of all metrics, for messages.
pub(super) fn metrics_wanted() -> String {
    let word = |name: &str| {
        if name == "pinball" {
            "`pinball(0.9)`".to_owned()
        } else {
            format!("`{name}`")
        }
    };
    format!("one of {}", METRICS.map(word).join(", "))
}

/// `[gate]`
pub(super) fn gates(field: &Field<'_>, evaluate: &Evaluate) -> Gates {
    let mut gates = Gates::default();
    let Some(table) = field.table("`[gate]`") else {
        return gates;
    };
    for (key, field) in table.fields() {
        let metric = key.strip_prefix("slice_").unwrap_or(key);
        if key == "beats" {
            gates.beats = beats(&field);
        } else if key == "leaks" {
            gates.leaks = field.choice(&[("refuse", LeakRule::Refuse), ("warn", LeakRule::Warn)]);
        } else if !is_metric(metric) {
            let wanted = format!(
                "`beats`, `leaks`, or {}, each also with `slice_` before it",
                metrics_wanted()
            );
            table.unknown(key, &wanted, gate_hint(key, metric));
        } else if metric == key {
            gates
                .metrics
                .extend(limits(&field, key, false).map(|limits| (metric.to_owned(), limits)));
        } else {
            if evaluate.slices.is_empty() {
                let problem = field.problem(format!("gate `{key}` has no slices to look at"));
                let problem = problem.wanted("`slices` in `[evaluate]`").found("none");
                table
                    .notes
                    .problem(problem.hint("[evaluate] slices = [\"region\"]".to_owned()));
            }
            gates
                .slices
                .extend(limits(&field, key, true).map(|limits| (metric.to_owned(), limits)));
        }
    }
    gates
}

fn gate_hint(key: &str, metric: &str) -> Option<String> {
    if let Some(near) = nearest(key, ["beats", "leaks"]) {
        return Some(format!("did you mean `{near}`?"));
    }
    let slice = if metric == key { "" } else { "slice_" };
    metric_hint(metric).map(|near| format!("did you mean `{slice}{near}`?"))
}

/// `{ max = 4.0 }`
fn limits(field: &Field<'_>, key: &str, of_slices: bool) -> Option<Limits> {
    if let Content::Integer(_) | Content::Float(_) = field.content() {
        return field.mistyped(
            "a table of limits",
            Some(format!("{key} = {{ max = {} }}", field.number()?)),
        );
    }
    let table = field.table(&format!("gate `{key}`"))?;
    let known: &[&str] = if of_slices {
        &["max", "min", "max_ratio", "min_ratio"]
    } else {
        &["max", "min"]
    };
    for (word, _) in table.fields().filter(|(word, _)| !known.contains(word)) {
        let ratio = matches!(word, "max_ratio" | "min_ratio").then(|| format!("slice_{key} = {{ {word} = 1.5 }}"));
        let near = || nearest(word, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        table.unknown(word, &super::one_of(known), ratio.or_else(near));
    }
    let number = |word: &str| table.get(word).and_then(|field| field.number());
    let limits = Limits {
        max: number("max"),
        min: number("min"),
        max_ratio: number("max_ratio"),
        min_ratio: number("min_ratio"),
    };
    if table.fields().next().is_none() {
        field.bad("at least one limit", format!("{key} = {{ max = 4.0 }}"));
    }
    check_order(&table, "min", "max", limits.min, limits.max);
    check_order(&table, "min_ratio", "max_ratio", limits.min_ratio, limits.max_ratio);
    for (word, ratio) in [("max_ratio", limits.max_ratio), ("min_ratio", limits.min_ratio)] {
        if let Some(field) = table
            .get(word)
            .filter(|_| of_slices && ratio.is_some_and(|ratio| ratio <= 0.0))
        {
            field.bad("a ratio above 0", format!("{word} = 1.5"));
        }
    }
    Some(limits)
}

fn check_order(table: &Table<'_>, low: &str, high: &str, least: Option<f64>, most: Option<f64>) {
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let problem = table.problem(low, format!("nothing passes {}", table.place));
        let problem = problem
            .wanted(format!("`{low}` no larger than `{high}`"))
            .found(format!("{least:?} and {most:?}"));
        table
            .notes
            .problem(problem.hint(format!("{low} = {most:?}, {high} = {least:?}")));
    }
}

/// Baselines, or aliases of the model.
fn beats(field: &Field<'_>) -> Vec<Rival> {
    let mut rivals: Vec<Rival> = Vec::new();
    for element in field.list().unwrap_or_default() {
        let Some(text) = element.text() else { continue };
        let wanted = "a baseline (`last_value`, `mean`, `seasonal_naive(1d)`, `dlinear`, `lightgbm`) or an alias of the model, such as `champion`";
        let rival = match (
            text.parse().map(Rival::Baseline),
            text.parse::<Name>(),
            baseline_hint(&text),
        ) {
            (Ok(baseline), _, _) => baseline,
            (_, Ok(alias), None) => Rival::Alias(alias),
            (_, _, hint) => {
                let alias = respellings(&text).into_iter().find(|text| text.parse::<Name>().is_ok());
                let alias = alias.unwrap_or_else(|| "champion".to_owned());
                element.bad(wanted, hint.unwrap_or_else(|| format!("did you mean `{alias}`?")));
                continue;
            }
        };
        if rivals.contains(&rival) {
            element.bad("each rival once", "remove one".to_owned());
        } else {
            rivals.push(rival);
        }
    }
    rivals
}
