//! Pipelines: `pipelines/*.toml`.

use std::collections::BTreeMap;

use super::document::{Content, Node};
use super::gate::{gates, is_metric, metric_hint, metrics_wanted};
use super::spelling::one_of;
use super::table::{Field, Table};
use super::{Parsed, parse};
use crate::{Baseline, Card, Evaluate, LearnerKind, Parameter, Pipeline, Problems, Train, nearest};

const KEYS: [&str; 11] = [
    "name",
    "description",
    "view",
    "model",
    "seed",
    "train",
    "evaluate",
    "gate",
    "card",
    "select",
    "tune",
];
const LEARNERS: [(&str, LearnerKind); 4] = [
    ("lightgbm", LearnerKind::Lightgbm),
    ("tft", LearnerKind::Tft),
    ("dlinear", LearnerKind::Dlinear),
    ("auto", LearnerKind::Auto),
];

/// Reads a pipeline. `file` is its path relative to the repository, for messages.
///
/// # Errors
/// Every mistake in the file.
pub fn parse_pipeline(file: &str, text: &str) -> Result<Parsed<Pipeline>, Problems> {
    parse(file, text, "the pipeline", pipeline)
}

fn pipeline(table: &Table<'_>) -> Option<Pipeline> {
    only(table);
    let name = table
        .require("name", "a name", "name = \"cpu_forecast\"")
        .and_then(|field| field.parsed());
    let view = table
        .require("view", "a feature view and its version", "view = \"cpu_fv:v1\"")
        .and_then(|field| view(&field));
    let model = table
        .require("model", "the name of the model", "model = \"cpu_forecaster\"")
        .and_then(|field| field.parsed());
    let seed = table.get("seed").map_or(Some(42), |field| field.whole::<u64>(0));
    let train = table
        .require("train", "how to train", "[train] learner = \"lightgbm\"")
        .and_then(|field| train(&field));
    let evaluate = table.get("evaluate").map(|field| evaluate(&field)).unwrap_or_default();
    let gate = table
        .get("gate")
        .map(|field| gates(&field, &evaluate))
        .unwrap_or_default();
    let card = table.get("card").map(|field| card(&field)).unwrap_or_default();
    for (key, instead) in [
        ("select", "choose the columns in the view"),
        ("tune", "set the parameters in `[train.lightgbm]`"),
    ] {
        if let Some(field) = table.get(key) {
            let problem = field.problem(format!("`[{key}]` is not supported yet"));
            table
                .notes
                .not_yet(problem.hint(format!("remove `[{key}]`, and {instead}")));
        }
    }
    let description = table.text("description");
    Some(Pipeline {
        name: name?,
        description,
        view: view?,
        model: model?,
        seed: seed?,
        train: train?,
        evaluate,
        gate,
        card,
    })
}

fn only(table: &Table<'_>) {
    let known = |key: &&str| KEYS.contains(key);
    for (key, _) in table.fields().filter(|(key, _)| !known(key)) {
        let near = nearest(key, KEYS).map(|near| format!("did you mean `{near}`?"));
        let versioned = "remove it: a pipeline has no version, its text is stored with every run".to_owned();
        table.unknown(
            key,
            &one_of(&KEYS),
            if key == "version" { Some(versioned) } else { near },
        );
    }
}

fn view(field: &Field<'_>) -> Option<crate::ViewRef> {
    let Content::Text(text) = field.content() else {
        return field.parsed();
    };
    let reference = text.parse();
    if reference.is_err() {
        let first = text
            .parse::<crate::Name>()
            .map(|name| format!("view = \"{name}:v1\""))
            .ok();
        field.bad("a feature view and its version, such as `cpu_fv:v2`", first);
    }
    reference.ok()
}

fn train(field: &Field<'_>) -> Option<Train> {
    let table = field.table("`[train]`")?;
    table.only(&["learner", "target", "lightgbm", "tft"]);
    let learner = table.require(
        "learner",
        &one_of(&LEARNERS.map(|(word, _)| word)),
        "learner = \"lightgbm\"",
    );
    let kind = learner.and_then(|field| field.choice(&LEARNERS));
    let of = |name: &str, has_tables: bool| {
        let place = Place { name, has_tables };
        table
            .get(name)
            .map(|field| parameters(&field, &place))
            .unwrap_or_default()
    };
    Some(Train {
        learner: kind?,
        target: table.parsed("target"),
        lightgbm: of("lightgbm", false),
        tft: of("tft", true),
    })
}

/// Parameters by name; those of a table within, where there may be some, with its name before: `slim.keep`.
fn parameters(field: &Field<'_>, place: &Place<'_>) -> BTreeMap<String, Parameter> {
    let mut all = BTreeMap::new();
    let Some(table) = field.table(&format!("`[train.{}]`", place.name)) else {
        return all;
    };
    for (key, field) in table.fields() {
        if let (Content::Table(within), true) = (field.content(), place.has_tables) {
            if within.is_empty() {
                field.bad("a table of at least one parameter", format!("remove `{key}`"));
            }
            let within = Place {
                name: &format!("{}.{key}", place.name),
                has_tables: false,
            };
            let named = parameters(&field, &within).into_iter();
            all.extend(named.map(|(name, value)| (format!("{key}.{name}"), value)));
            continue;
        }
        match parameter(field.content()) {
            Some(value) => drop(all.insert(key.to_owned(), value)),
            None => field.bad(
                "true, false, a finite number, text, or a list of them",
                format!("remove `{key}`"),
            ),
        }
    }
    all
}

/// A learner's table of parameters.
struct Place<'a> {
    /// Its name within `[train]`.
    name: &'a str,
    /// Whether there may be tables in it.
    has_tables: bool,
}

fn parameter(content: &Content) -> Option<Parameter> {
    match content {
        Content::Bool(switch) => Some(Parameter::Bool(*switch)),
        Content::Integer(number) => Some(Parameter::Integer(*number)),
        Content::Float(number) if number.is_finite() => Some(Parameter::Float(*number)),
        Content::Text(text) => Some(Parameter::Text(text.clone())),
        Content::List(nodes) => {
            let values = nodes.iter().map(|node: &Node| parameter(&node.content));
            values.collect::<Option<Vec<_>>>().map(Parameter::List)
        }
        _ => None,
    }
}

fn evaluate(field: &Field<'_>) -> Evaluate {
    let Some(table) = field.table("`[evaluate]`") else {
        return Evaluate::default();
    };
    table.only(&["metrics", "slices", "baselines"]);
    Evaluate {
        metrics: table.get("metrics").map(|field| metrics(&field)).unwrap_or_default(),
        slices: table.distinct("slices"),
        baselines: table
            .get("baselines")
            .map(|field| baselines(&field))
            .unwrap_or_default(),
    }
}

fn metrics(field: &Field<'_>) -> Vec<String> {
    let mut metrics: Vec<String> = Vec::new();
    for element in field.list().unwrap_or_default() {
        let Some(metric) = element.text() else { continue };
        if !is_metric(&metric) && metric != "confusion" {
            element.bad(
                metrics_wanted(),
                metric_hint(&metric).map(|near| format!("did you mean `{near}`?")),
            );
        } else if metrics.contains(&metric) {
            element.bad("each metric once", "remove one".to_owned());
        } else {
            metrics.push(metric);
        }
    }
    metrics
}

fn baselines(field: &Field<'_>) -> Vec<Baseline> {
    let mut baselines: Vec<Baseline> = Vec::new();
    for element in field.list().unwrap_or_default() {
        let Some(text) = element.text() else { continue };
        match text.parse::<Baseline>() {
            Err(error) => element.bad(error.wanted, baseline_hint(&text)),
            Ok(baseline) if baselines.contains(&baseline) => element.bad("each baseline once", "remove one".to_owned()),
            Ok(baseline) => baselines.push(baseline),
        }
    }
    baselines
}

/// What a text that is no baseline may have been meant to be.
pub(super) fn baseline_hint(text: &str) -> Option<String> {
    let name = text.split('(').next().unwrap_or_default();
    let near = nearest(name, ["last_value", "mean", "seasonal_naive", "dlinear", "lightgbm"])?;
    Some(format!(
        "did you mean `{}`?",
        if near == "seasonal_naive" {
            "seasonal_naive(1d)"
        } else {
            near
        }
    ))
}

fn card(field: &Field<'_>) -> Card {
    let Some(table) = field.table("`[card]`") else {
        return Card::default();
    };
    table.only(&["intended_use", "limitations", "owner"]);
    Card {
        intended_use: table.text("intended_use"),
        limitations: table.text("limitations"),
        owner: table.text("owner"),
    }
}
