//! The card's sections, in order.

use super::limitations::found_limitations;
use super::markdown::{Markdown, count, number, percent};
use super::{CardData, CardEvidence, CardFeature, CardGroup, CardPart, CardTraining, folds, forecast, usage};
use crate::{
    ConfusionMatrix, Evaluation, GateReport, LeakCheck, LeakFinding, Metric, PartEvaluation, Score, SliceEvaluation,
    name_of, score_of,
};

/// Slices of a column that are shown; the worst ones, where there are more.
const SLICES_SHOWN: usize = 12;

/// Features that are shown.
const FEATURES_SHOWN: usize = 30;

/// The model card as Markdown.
#[must_use]
pub fn render_card(evidence: &CardEvidence) -> String {
    let mut text = Markdown::default();
    text.heading(1, &format!("Model card: {}", evidence.model));
    head(&mut text, evidence);
    text.heading(2, "Intended use");
    text.paragraph(evidence.intended_use.as_deref().unwrap_or("Not stated."));
    data(&mut text, &evidence.data);
    training(&mut text, &evidence.training);
    evaluation(&mut text, &evidence.evaluation);
    folds::scores(&mut text, evidence);
    match &evidence.forecast {
        Some(forecast) => {
            forecast::variables(&mut text, forecast);
            forecast::notes(&mut text, forecast);
        }
        None => importance(&mut text, &evidence.importance),
    }
    gates(&mut text, &evidence.gates);
    leaks(&mut text, &evidence.leaks);
    limitations(&mut text, evidence);
    usage::how_to_use(&mut text, evidence);
    text.finish()
}

fn head(text: &mut Markdown, evidence: &CardEvidence) {
    text.paragraph(evidence.description.as_deref().unwrap_or_default());
    let mut items = vec![
        evidence.forecast.as_ref().map_or_else(
            || format!("predicts `{}` of view `{}`", evidence.data.target, evidence.data.view),
            |forecast| {
                format!(
                    "forecasts `{}` of view `{}`: {} steps of {} ahead, from {} back",
                    evidence.data.target, evidence.data.view, forecast.horizon, forecast.frequency, forecast.context
                )
            },
        ),
        format!(
            "learner `{}`, objective `{}`",
            evidence.training.learner, evidence.training.objective
        ),
        format!("registered {}", evidence.created),
    ];
    items.extend(evidence.owner.iter().map(|owner| format!("owner: {owner}")));
    text.list(items);
}

fn data(text: &mut Markdown, data: &CardData) {
    text.heading(2, "Data");
    let view = data
        .description
        .as_ref()
        .map(|words| format!(" ({words})"))
        .unwrap_or_default();
    text.paragraph(&format!(
        "Training dataset `{}`, made by view `{}`{view}. Its content's SHA-256 is `{}`.",
        data.dataset, data.view, data.fingerprint
    ));
    let mut items = vec![format!("label: `{}`", data.target)];
    items.extend(
        data.classes
            .as_ref()
            .map(|classes| format!("classes: {}", codes(classes))),
    );
    items.push(format!("{} inputs: {}", data.inputs.len(), codes(&data.inputs)));
    text.list(items);
    let groups = data.groups.iter().map(|group| {
        let times = group
            .times
            .as_ref()
            .map_or_else(|| "–".to_owned(), |(first, last)| format!("{first} to {last}"));
        let version = format!("{} ({})", group.delta_version, group.committed_at);
        vec![format!("`{}`", group.group), version, codes(&group.columns), times]
    });
    text.table(&["group", "Delta version", "columns", "event times used"], groups);
    joins(text, &data.groups);
    split(text, data);
    if !data.warnings.is_empty() {
        text.paragraph("Warnings:");
        text.list(&data.warnings);
    }
}

fn codes(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn joins(text: &mut Markdown, groups: &[CardGroup]) {
    let rows = groups
        .iter()
        .filter_map(|group| group.join.as_ref().map(|join| (group, join)))
        .map(|(group, join)| {
            let whole = join.rows();
            let cell = |part: u64| format!("{} ({})", count(part), percent(part, whole));
            let outcomes = [
                join.matched,
                join.unknown_entity,
                join.before_first,
                join.expired,
                join.not_yet_known,
            ];
            let mut cells = vec![format!("`{}`", group.group)];
            cells.extend(outcomes.map(cell));
            cells.push(count(join.decided_by_tie_rule));
            cells
        });
    let head = [
        "joined group",
        "matched",
        "unknown entity",
        "before the first row",
        "expired",
        "not yet known",
        "ties",
    ];
    text.table(&head, rows);
}

fn split(text: &mut Markdown, data: &CardData) {
    let rows = data.parts.iter().map(|part: &CardPart| {
        let times = part.times.clone().unwrap_or_else(|| ("–".to_owned(), "–".to_owned()));
        vec![
            part.part.clone(),
            count(part.rows),
            count(part.without_label),
            times.0,
            times.1,
        ]
    });
    text.table(&["part", "rows", "without label", "from", "to"], rows);
    let mut words = format!("Split: `{}`.", data.split.strategy);
    if let Some(gap) = &data.split.gap {
        let sum = data
            .split
            .gap_sum
            .as_ref()
            .map(|sum| format!(" = {sum}"))
            .unwrap_or_default();
        words.push_str(&format!(
            " Gap: {gap}{sum}; {} rows stand in it, and in no part.",
            count(data.split.rows_in_gap)
        ));
    }
    text.paragraph(&words);
    text.list(&data.split.certificate);
}

fn training(text: &mut Markdown, training: &CardTraining) {
    text.heading(2, "Training");
    text.list([
        format!(
            "pipeline `{}`, definition SHA-256 `{}`",
            training.pipeline, training.pipeline_fingerprint
        ),
        format!(
            "learner `{}`, objective `{}`, seed {}",
            training.learner, training.objective, training.seed
        ),
        format!(
            "{} iterations run, {} kept",
            count(training.iterations),
            count(training.best_iteration)
        ),
    ]);
    let two = |(name, value): &(String, String)| vec![format!("`{name}`"), value.clone()];
    text.table(&["parameter", "value"], training.parameters.iter().map(two));
    text.table(
        &["software", "version"],
        training
            .software
            .iter()
            .map(|(name, version)| vec![name.clone(), version.clone()]),
    );
}

fn evaluation(text: &mut Markdown, evaluation: &Evaluation) {
    text.heading(2, "Evaluation");
    let metrics = &evaluation.metrics;
    let names: Vec<String> = metrics.iter().map(ToString::to_string).collect();
    let mut head = vec!["part", "rows"];
    head.extend(names.iter().map(String::as_str));
    let rows = evaluation
        .parts
        .iter()
        .map(|part| row(vec![part.part.clone(), count(part.rows)], metrics, &part.model));
    text.table(&head, rows);
    notes(text, evaluation);
    let Some(part) = evaluation.gated_part() else { return };
    text.paragraph(&format!("What follows was measured on the {} part.", part.part));
    match &part.forecast {
        Some(of) => forecast::scores(text, of),
        None => rivals(text, part, metrics, &names),
    }
    if let Some(confusion) = &part.confusion {
        matrix(text, confusion);
    }
    slices(text, part, metrics, &names);
}

pub(super) fn row(mut cells: Vec<String>, metrics: &[Metric], scores: &[Score]) -> Vec<String> {
    cells.extend(
        metrics
            .iter()
            .map(|metric| number(score_of(scores, *metric).and_then(|score| score.value))),
    );
    cells
}

fn notes(text: &mut Markdown, evaluation: &Evaluation) {
    let notes = evaluation.parts.iter().flat_map(|part| {
        part.model.iter().filter_map(|score| {
            let note = score.note.as_ref()?;
            let undefined = if score.value.is_none() { "not defined, " } else { "" };
            Some(format!("{} on {}: {undefined}{note}", score.metric, part.part))
        })
    });
    text.list(notes);
}

fn rivals(text: &mut Markdown, part: &PartEvaluation, metrics: &[Metric], names: &[String]) {
    let mut head = vec!["compared", "rows"];
    head.extend(names.iter().map(String::as_str));
    let mut rows = Vec::new();
    for rival in part.rivals.iter().filter(|rival| rival.present) {
        let version = rival
            .model_version
            .as_ref()
            .map(|version| format!(" ({version})"))
            .unwrap_or_default();
        rows.push(row(
            vec![format!("{}{version}", name_of(&rival.rival)), count(rival.rows)],
            metrics,
            &rival.scores,
        ));
        if rival.rows != part.rows {
            rows.push(row(
                vec!["this model, on the same rows".to_owned(), count(rival.rows)],
                metrics,
                &rival.model,
            ));
        }
    }
    if !rows.is_empty() {
        rows.insert(
            0,
            row(vec!["this model".to_owned(), count(part.rows)], metrics, &part.model),
        );
    }
    text.table(&head, rows);
}

fn matrix(text: &mut Markdown, confusion: &ConfusionMatrix) {
    let mut head = vec!["true \\ predicted"];
    head.extend(confusion.classes.iter().map(String::as_str));
    let rows = confusion.classes.iter().zip(&confusion.counts).map(|(class, counts)| {
        let mut cells = vec![class.clone()];
        cells.extend(counts.iter().copied().map(count));
        cells
    });
    text.table(&head, rows);
}

fn slices(text: &mut Markdown, part: &PartEvaluation, metrics: &[Metric], names: &[String]) {
    let same_column = |one: &SliceEvaluation, other: &SliceEvaluation| one.key.column == other.key.column;
    for column in part.slices.chunk_by(same_column) {
        let name = column.first().map(|slice| slice.key.column.clone()).unwrap_or_default();
        let mut head = vec![name.as_str(), "rows"];
        head.extend(names.iter().map(String::as_str));
        let shown = worst(column, metrics.first().copied());
        let rows = shown.iter().map(|slice| {
            let value = slice.key.value.as_deref().unwrap_or("NULL");
            let small = if slice.gated { "" } else { " (few)" };
            row(
                vec![value.to_owned(), format!("{}{small}", count(slice.rows))],
                metrics,
                &slice.model,
            )
        });
        text.table(&head, rows);
        if column.len() > shown.len() {
            text.paragraph(&format!(
                "The worst {} of {} slices are shown.",
                shown.len(),
                column.len()
            ));
        }
    }
}

/// The slices in their order; the worst by the first metric where there are too many, the large ones before the small ones.
fn worst(slices: &[SliceEvaluation], first: Option<Metric>) -> Vec<&SliceEvaluation> {
    let mut all: Vec<&SliceEvaluation> = slices.iter().collect();
    let (Some(metric), true) = (first, all.len() > SLICES_SHOWN) else {
        return all;
    };
    let badness = |slice: &SliceEvaluation| {
        let value = score_of(&slice.model, metric)
            .and_then(|score| score.value)
            .unwrap_or(f64::NEG_INFINITY);
        if metric.direction() == crate::Direction::Lower {
            value
        } else {
            -value
        }
    };
    all.sort_by(|one, other| {
        other
            .gated
            .cmp(&one.gated)
            .then(badness(other).total_cmp(&badness(one)))
    });
    all.truncate(SLICES_SHOWN);
    all
}

fn importance(text: &mut Markdown, features: &[CardFeature]) {
    text.heading(2, "Feature importance");
    if features.is_empty() {
        text.paragraph("Not computed.");
        return;
    }
    text.paragraph(
        "Gain: loss saved by splitting on the feature. Splits: how often that happens. Mean |SHAP|: how far the feature moves a \
         prediction on average, in the unit of the raw score.",
    );
    let gain: f64 = features
        .iter()
        .map(|feature| feature.gain)
        .collect::<crate::Sum>()
        .value();
    let rows = features.iter().take(FEATURES_SHOWN).map(|feature| {
        let share = if gain > 0.0 {
            format!("{:.1} %", 100.0 * feature.gain / gain)
        } else {
            "–".to_owned()
        };
        let shap = number(feature.mean_absolute_shap);
        vec![
            format!("`{}`", feature.feature),
            number(Some(feature.gain)),
            share,
            count(feature.splits),
            shap,
        ]
    });
    text.table(&["feature", "gain", "share of gain", "splits", "mean |SHAP|"], rows);
    if features.len() > FEATURES_SHOWN {
        text.paragraph(&format!("{} of {} features are shown.", FEATURES_SHOWN, features.len()));
    }
}

fn gates(text: &mut Markdown, gates: &GateReport) {
    text.heading(2, "Gates");
    if gates.checks.is_empty() {
        text.paragraph("The pipeline has no gates.");
        return;
    }
    let part = gates.part.as_deref().unwrap_or("no");
    text.paragraph(&format!("Checked on the {part} part before registration."));
    let rows = gates.checks.iter().map(|check| {
        let passed = if check.passed { "passed" } else { "failed" };
        vec![
            check.gate.clone(),
            number(check.value),
            check.limit.clone(),
            passed.to_owned(),
            check.detail.clone(),
        ]
    });
    text.table(&["gate", "value", "limit", "", "in words"], rows);
}

fn leaks(text: &mut Markdown, leaks: &[LeakCheck]) {
    if leaks.is_empty() {
        return;
    }
    text.heading(2, "Leak tests");
    let rows = leaks.iter().map(|check| {
        let finding = match check.finding {
            LeakFinding::Nothing => "nothing found",
            LeakFinding::Suspicion => "suspicion",
            LeakFinding::Leak => "leak",
            LeakFinding::NotApplicable => "does not apply",
        };
        vec![check.test.word().to_owned(), finding.to_owned(), check.detail.clone()]
    });
    text.table(&["test", "finding", "in words"], rows);
}

fn limitations(text: &mut Markdown, evidence: &CardEvidence) {
    text.heading(2, "Limitations");
    text.paragraph(evidence.limitations.as_deref().unwrap_or_default());
    let found = found_limitations(evidence);
    if found.is_empty() && evidence.limitations.is_none() {
        text.paragraph("None were stated, and none were found in the evidence.");
    }
    if !found.is_empty() {
        text.paragraph("Found in the evidence:");
        text.list(found);
    }
}
