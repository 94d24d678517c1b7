//! What must hold between a pipeline and its view.

use std::collections::BTreeMap;

use super::Catalog;
use crate::resolve::{resolve, some_of, unknown_reference};
use crate::{
    FeatureGroup, FeatureView, GroupRef, LearnerKind, Parsed, Pipeline, Problem, ResolvedView, Role, ViewRef, nearest,
};

impl Catalog {
    pub(super) fn check_pipeline(
        &self,
        pipeline: &Parsed<Pipeline>,
        groups: &BTreeMap<GroupRef, FeatureGroup>,
        views: &BTreeMap<ViewRef, FeatureView>,
        problems: &mut Vec<Problem>,
    ) {
        let reference = &pipeline.definition.view;
        let Some(view) = views.get(reference) else {
            let problem = pipeline.problem("view", format!("unknown feature view `{reference}`"));
            return problems.push(unknown_reference(problem, reference, views.keys(), "feature_views"));
        };
        // A view that does not fit its groups has been told already, at the view.
        let Ok(resolved) = resolve(view, groups, &pipeline.file, &pipeline.lines) else {
            return;
        };
        check_learner(pipeline, &resolved, problems);
        if resolved.panel.is_none() {
            check_baselines(pipeline, &resolved, problems);
            check_target(pipeline, &resolved, problems);
            check_inputs(pipeline, &resolved, problems);
        } else {
            check_no_target(pipeline, &resolved, problems);
        }
        check_slices(pipeline, &resolved, problems);
        let asks_for_more = self
            .views
            .iter()
            .any(|parsed| parsed.definition.reference() == *reference && !parsed.not_yet.is_empty());
        if view.split.is_none() && !asks_for_more {
            let problem = pipeline.problem("view", format!("view `{reference}` leaves no rows to evaluate on"));
            let problem = problem
                .wanted("a view with `[split]`")
                .found("no such table in the view");
            let hint = "add to the view: [split] strategy = \"time\", validation = 0.15, test = 0.15";
            problems.push(problem.hint(hint.to_owned()));
        }
    }
}

/// Trees learn rows and windows, the others windows alone: which of the two a view gives follows from whether it forecasts.
fn check_learner(pipeline: &Parsed<Pipeline>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    let (kind, view) = (pipeline.definition.train.learner, &resolved.view);
    if resolved.panel.is_some() || !matches!(kind, LearnerKind::Tft | LearnerKind::Dlinear) {
        return;
    }
    let problem = pipeline.problem(
        "train.learner",
        format!("learner `{}` cannot learn `{view}`", kind.word()),
    );
    let problem = problem.wanted("a view with `[forecast]`").found("none in the view");
    problems.push(problem.hint("learner = \"lightgbm\"".to_owned()));
}

/// Baselines that learn need windows.
fn check_baselines(pipeline: &Parsed<Pipeline>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    let baselines = pipeline.definition.baselines();
    for baseline in baselines.into_iter().filter(|baseline| baseline.needs_windows()) {
        let path = if pipeline.definition.evaluate.baselines.contains(&baseline) {
            "evaluate.baselines"
        } else {
            "gate.beats"
        };
        let problem = pipeline.problem(path, format!("baseline `{baseline}` of `{}`", resolved.view));
        let problem = problem.wanted("a view with `[forecast]`").found("none in the view");
        problems.push(problem.hint(format!("remove `{baseline}`")));
    }
}

/// Every target of a forecast is learned at once.
fn check_no_target(pipeline: &Parsed<Pipeline>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    let Some(target) = &pipeline.definition.train.target else {
        return;
    };
    let problem = pipeline.problem(
        "train.target",
        format!("`target` in `[train]`, but `{}` forecasts", resolved.view),
    );
    let problem = problem.wanted("no `target`: all `targets` of the view are learned at once");
    let problem = problem.found(format!("`{target}`"));
    problems.push(problem.hint("remove `target`".to_owned()));
}

fn check_target(pipeline: &Parsed<Pipeline>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    let labels: Vec<&str> = resolved.labels().iter().map(|label| label.name.as_str()).collect();
    let view = &resolved.view;
    let problem = match (&pipeline.definition.train.target, labels.as_slice()) {
        (_, []) => {
            let problem = pipeline.problem("view", format!("nothing to learn: view `{view}` has no labels"));
            let hint = "add to the view: [labels] group = \"cpu_labels:v1\", columns = [\"cpu_max_next_1h\"]";
            problem
                .wanted("a view with `[labels]`")
                .found("no such table in the view")
                .hint(hint.to_owned())
        }
        (None, [first, _, ..]) => {
            let problem = pipeline.problem("train.target", "missing key `target` in `[train]`");
            let problem = problem.wanted(format!("{}, the labels of `{view}`", some_of(&labels)));
            problem.found("no such key").hint(format!("add `target = \"{first}\"`"))
        }
        (Some(target), labels) if !labels.contains(&target.as_str()) => {
            let near = nearest(target.as_str(), labels.iter().copied()).or(labels.first().copied());
            let problem = pipeline.problem("train.target", format!("`{target}` is not a label of `{view}`"));
            let problem = problem.wanted(some_of(labels)).found(format!("`{target}`"));
            problem.hint(near.map(|near| format!("target = \"{near}\"")))
        }
        _ => return,
    };
    problems.push(problem);
}

fn check_inputs(pipeline: &Parsed<Pipeline>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    if resolved.inputs().is_empty() {
        let problem = pipeline.problem(
            "view",
            format!("nothing to learn from: view `{}` has no model inputs", resolved.view),
        );
        let problem = problem
            .wanted("a view with `columns` in `[[features]]`")
            .found("helpers only");
        problems.push(problem.hint("columns = [\"*\"]".to_owned()));
    }
}

fn check_slices(pipeline: &Parsed<Pipeline>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    let may_slice = |role| !matches!(role, Role::Label | Role::EventTime);
    let columns = resolved.columns.iter().filter(|column| may_slice(column.role));
    let names: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
    for (at, slice) in pipeline.definition.evaluate.slices.iter().enumerate() {
        if names.contains(&slice.as_str()) {
            continue;
        }
        let path = format!("evaluate.slices[{at}]");
        let near = nearest(slice.as_str(), names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let mut fitting = resolved
            .columns
            .iter()
            .filter(|column| may_slice(column.role) && column.is_categorical);
        let last = fitting
            .next_back()
            .map(|column| format!("slices = [\"{}\"]", column.name));
        let helper = || format!("name it in `helpers` of view `{}`", resolved.view);
        let (what, hint) = match resolved.column(slice.as_str()) {
            Some(_) => (format!("`{slice}` is not a column to slice by"), last),
            None => (
                format!("unknown column `{slice}` of `{}`", resolved.view),
                near.or_else(|| Some(helper())),
            ),
        };
        let problem = pipeline
            .problem(&path, what)
            .wanted(some_of(&names))
            .found(format!("`{slice}`"));
        problems.push(problem.hint(hint));
    }
}
