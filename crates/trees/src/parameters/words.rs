//! The words that parameters of text take. LightGBM ignores a metric that it does not know, so the words are kept here.

use super::Objective;

/// A metric's name, its other names, and whether more of it is better.
struct Metric {
    name: &'static str,
    aliases: &'static [&'static str],
    larger_is_better: bool,
}

const fn smaller(name: &'static str, aliases: &'static [&'static str]) -> Metric {
    Metric {
        name,
        aliases,
        larger_is_better: false,
    }
}

const fn larger(name: &'static str) -> Metric {
    Metric {
        name,
        aliases: &[],
        larger_is_better: true,
    }
}

/// The metrics of LightGBM 4.6.0 for tables, as its `Metric::CreateMetric` and `ParseMetricAlias` have them.
const METRICS: &[Metric] = &[
    smaller("l1", &["mean_absolute_error", "mae", "regression_l1"]),
    smaller("l2", &["mean_squared_error", "mse", "regression_l2", "regression"]),
    smaller("rmse", &["root_mean_squared_error", "l2_root"]),
    smaller("quantile", &[]),
    smaller("mape", &["mean_absolute_percentage_error"]),
    smaller("huber", &[]),
    smaller("fair", &[]),
    smaller("poisson", &[]),
    smaller("gamma", &[]),
    smaller("gamma_deviance", &[]),
    smaller("tweedie", &[]),
    larger("auc"),
    larger("average_precision"),
    smaller("binary_logloss", &["binary"]),
    smaller("binary_error", &[]),
    larger("auc_mu"),
    smaller(
        "multi_logloss",
        &["multiclass", "softmax", "multiclassova", "multiclass_ova", "ova", "ovr"],
    ),
    smaller("multi_error", &[]),
    smaller("cross_entropy", &["xentropy"]),
    smaller("cross_entropy_lambda", &["xentlambda"]),
    smaller("kullback_leibler", &["kldiv"]),
];

/// For each parameter of one word: the words, each with the one that LightGBM makes of it.
const CHOICES: &[(&str, &[(&str, &str)])] = &[
    (
        "boosting",
        &[
            ("gbdt", "gbdt"),
            ("gbrt", "gbdt"),
            ("dart", "dart"),
            ("rf", "rf"),
            ("random_forest", "rf"),
            ("goss", "goss"),
        ],
    ),
    ("data_sample_strategy", &[("bagging", "bagging"), ("goss", "goss")]),
    (
        "monotone_constraints_method",
        &[
            ("basic", "basic"),
            ("intermediate", "intermediate"),
            ("advanced", "advanced"),
        ],
    ),
];

/// Whether more is better of what LightGBM measures under this name.
pub(crate) fn larger_is_better(measured: &str) -> bool {
    let name = measured.split('@').next().unwrap_or(measured);
    METRICS
        .iter()
        .any(|metric| metric.name == name && metric.larger_is_better)
}

/// Whether a metric says something about what an objective learns. LightGBM takes any metric of one output for any objective of one
/// output: it would call labels above 0 the second class, for one.
fn fits(metric: &str, objective: Objective) -> bool {
    match metric {
        "auc" | "average_precision" | "binary_logloss" | "binary_error" => objective == Objective::Binary,
        "auc_mu" | "multi_logloss" | "multi_error" => objective.is_multiclass(),
        "cross_entropy" | "cross_entropy_lambda" | "kullback_leibler" => matches!(
            objective,
            Objective::CrossEntropy | Objective::CrossEntropyLambda | Objective::Binary
        ),
        _ => !objective.is_multiclass(),
    }
}

/// The first of these metrics (LightGBM's own words, separated by commas) that does not fit the objective, and those that would.
pub(crate) fn misfit(metrics: &str, objective: Objective) -> Option<(String, String)> {
    let metric = metrics.split(',').find(|metric| !fits(metric, objective))?;
    let fitting = METRICS
        .iter()
        .map(|metric| metric.name)
        .filter(|name| fits(name, objective));
    let wanted: Vec<String> = fitting.map(|name| format!("`{name}`")).collect();
    Some((metric.to_owned(), format!("one of {}", wanted.join(", "))))
}

/// LightGBM's own words for those of a parameter, separated by commas.
///
/// # Errors
/// What would have been accepted.
pub(super) fn own_words(parameter: &str, text: String) -> Result<String, String> {
    let listed = |words: Vec<&str>| {
        words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if parameter == "metric" {
        let own = |word: &str| {
            METRICS
                .iter()
                .find(|metric| metric.name == word || metric.aliases.contains(&word))
        };
        let mut names = Vec::new();
        for word in text.split(',') {
            let wanted = || {
                format!(
                    "metrics among {}",
                    listed(METRICS.iter().map(|metric| metric.name).collect())
                )
            };
            let name = own(word.trim()).ok_or_else(wanted)?.name;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        return Ok(names.join(","));
    }
    let Some((_, choices)) = CHOICES.iter().find(|(name, _)| *name == parameter) else {
        return Ok(text);
    };
    match choices.iter().find(|(word, _)| *word == text) {
        Some((_, own)) => Ok((*own).to_owned()),
        None => Err(format!(
            "one of {}",
            listed(choices.iter().map(|(word, _)| *word).collect())
        )),
    }
}
