//! The evidence that a model card is written from, gathered from receipts.

use std::collections::BTreeMap;

use definitions::{EventTime, Fingerprint, LearnerKind, Pipeline, Role, Split, Versioned, WallTime};
use evaluation::{
    CardData, CardEvidence, CardFeature, CardFile, CardFold, CardFoldMean, CardForecast, CardGroup, CardJoin, CardNote,
    CardPart, CardSplit, CardTraining, CardVariable, GateReport,
};
use feature_store::dataset::{JoinReport, Manifest};
use serde_json::Value;

use crate::training::{Artefacts, Trained, lost_gap};

/// What a model was made from and by.
pub struct Origin<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The fingerprint of its definition.
    pub pipeline_fingerprint: Fingerprint,
    /// The dataset's manifest.
    pub manifest: &'a Manifest,
    /// `cpu_fv:v2/5`
    pub dataset: String,
    /// The learner's parameters, defaults included.
    pub parameters: &'a Value,
    /// Who learned.
    pub learner: LearnerKind,
    /// The programs at work.
    pub software: &'a BTreeMap<String, String>,
    /// When the model is registered.
    pub at: WallTime,
}

/// Gathers the evidence for one model version.
pub fn evidence(
    model: &Versioned,
    origin: &Origin<'_>,
    trained: &Trained,
    gates: &GateReport,
    files: &Artefacts,
) -> CardEvidence {
    let card = &origin.pipeline.card;
    CardEvidence {
        model: model.to_string(),
        created: origin.at.to_string(),
        owner: card.owner.clone(),
        description: origin.pipeline.description.clone(),
        intended_use: card.intended_use.clone(),
        limitations: card.limitations.clone(),
        data: data(origin, trained),
        training: training(origin, trained),
        evaluation: trained.evaluation.clone(),
        folds: folds(trained),
        fold_means: fold_means(trained),
        leaks: trained.leaks.clone(),
        importance: trained.importance.iter().map(feature).collect(),
        forecast: forecast(trained),
        gates: gates.clone(),
        files: files
            .0
            .iter()
            .map(|(name, bytes)| CardFile {
                name: name.clone(),
                sha256: Fingerprint::of(bytes).to_string(),
            })
            .collect(),
    }
}

fn feature(of: &crate::training::FeatureImportance) -> CardFeature {
    CardFeature {
        feature: of.importance.feature.clone(),
        gain: of.importance.gain,
        splits: of.importance.splits,
        mean_absolute_shap: of.mean_absolute_contribution,
    }
}

fn forecast(trained: &Trained) -> Option<CardForecast> {
    let (signature, explanation) = (trained.signature.forecast.as_ref()?, trained.explanation.as_ref()?);
    let kinds = [
        ("static", &explanation.fixed),
        ("past", &explanation.past),
        ("future", &explanation.future),
    ];
    let of_kinds = kinds
        .iter()
        .flat_map(|(kind, variables)| variables.iter().map(move |of| (kind, of)));
    Some(CardForecast {
        context: signature.context,
        horizon: signature.horizon,
        frequency: signature.frequency.to_string(),
        known_future: signature.known_future.clone(),
        variables: of_kinds
            .map(|(kind, of)| CardVariable {
                kind: (*kind).to_owned(),
                variable: of.variable.clone(),
                p10: of.weight.p10,
                p50: of.weight.p50,
                p90: of.weight.p90,
            })
            .collect(),
        attention: explanation.attention_by_lag(),
        notes: trained.notes.iter().map(note).collect(),
    })
}

fn note(of: &learning::TrainingNote) -> CardNote {
    CardNote {
        title: of.title.clone(),
        text: of.text.clone(),
        columns: of.columns.clone(),
        rows: of.rows.clone(),
    }
}

fn folds(trained: &Trained) -> Vec<CardFold> {
    let all = trained.folds.iter().flat_map(|report| &report.folds);
    all.map(|of| CardFold {
        fold: of.fold,
        part: of.part.clone(),
        rows: of.rows,
        scores: of.scores.clone(),
        baselines: of
            .baselines
            .iter()
            .map(|of| (of.baseline.clone(), of.scores.clone()))
            .collect(),
    })
    .collect()
}

fn fold_means(trained: &Trained) -> Vec<CardFoldMean> {
    let all = trained.folds.iter().flat_map(|report| &report.means);
    all.map(|of| CardFoldMean {
        part: of.part.clone(),
        baseline: of.baseline.clone(),
        metric: of.metric.clone(),
        mean: of.mean,
        std: of.std,
    })
    .collect()
}

fn training(origin: &Origin<'_>, trained: &Trained) -> CardTraining {
    let parameters = origin.parameters.as_object().into_iter().flatten();
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    CardTraining {
        pipeline: origin.pipeline.name.to_string(),
        pipeline_fingerprint: origin.pipeline_fingerprint.to_string(),
        learner: origin.learner.word().to_owned(),
        objective: trained.signature.objective.clone(),
        parameters: parameters.map(|(name, value)| (name.clone(), shown(value))).collect(),
        seed: origin.pipeline.seed,
        iterations: trained.history.len() as u64,
        best_iteration: trained.best_iteration as u64,
        software: origin
            .software
            .iter()
            .map(|(name, version)| (name.clone(), version.clone()))
            .collect(),
    }
}

fn data(origin: &Origin<'_>, trained: &Trained) -> CardData {
    let manifest = origin.manifest;
    CardData {
        view: manifest.view.to_string(),
        description: manifest.definitions.view.definition.description.clone(),
        dataset: origin.dataset.clone(),
        fingerprint: manifest.fingerprint.to_string(),
        target: trained.signature.target.clone(),
        classes: trained.signature.classes.clone(),
        inputs: trained
            .signature
            .inputs
            .iter()
            .map(|input| input.name.clone())
            .collect(),
        groups: groups(manifest),
        parts: parts(manifest, trained),
        split: split(manifest),
        warnings: manifest
            .warnings
            .iter()
            .cloned()
            .chain(lost_gap(manifest))
            .chain(trained.warnings.iter().cloned())
            .collect(),
    }
}

/// The spine first, then each join, in the view's order.
fn groups(manifest: &Manifest) -> Vec<CardGroup> {
    let spine_roles = [Role::Key, Role::EventTime, Role::Label, Role::LabelHelper];
    let of_spine = manifest
        .columns
        .iter()
        .filter(|column| spine_roles.contains(&column.role));
    let mut groups: Vec<CardGroup> = pinned(
        manifest,
        &manifest.spine.group,
        of_spine.map(|column| column.name.clone()).collect(),
        None,
    )
    .into_iter()
    .collect();
    for join in &manifest.joins {
        let prefix = join.prefix.as_deref().unwrap_or_default();
        let joined = manifest.columns.iter().filter(|column| {
            column.group == join.group
                && !spine_roles.contains(&column.role)
                && column.name == format!("{prefix}{}", column.source)
        });
        let columns = joined.map(|column| column.name.clone()).collect();
        groups.extend(pinned(manifest, &join.group, columns, Some(join)));
    }
    groups
}

fn pinned(
    manifest: &Manifest,
    group: &definitions::GroupRef,
    columns: Vec<String>,
    join: Option<&JoinReport>,
) -> Option<CardGroup> {
    let pin = manifest.pins.iter().find(|pin| pin.group == *group)?;
    let join = join.map(|join| CardJoin {
        matched: join.outcomes.matched,
        unknown_entity: join.outcomes.unknown_entity,
        before_first: join.outcomes.before_first,
        expired: join.outcomes.expired,
        not_yet_known: join.outcomes.not_yet_known,
        decided_by_tie_rule: join.outcomes.tied,
    });
    let times = if join.is_none() { whole_range(manifest) } else { None };
    Some(CardGroup {
        group: group.to_string(),
        columns,
        delta_version: pin.delta_version,
        committed_at: pin.committed_at.to_string(),
        times,
        join,
    })
}

fn range(first: Option<EventTime>, last: Option<EventTime>) -> Option<(String, String)> {
    Some((first?.to_string(), last?.to_string()))
}

fn whole_range(manifest: &Manifest) -> Option<(String, String)> {
    let first = manifest.parts.iter().filter_map(|part| part.first_event_time).min();
    range(
        first,
        manifest.parts.iter().filter_map(|part| part.last_event_time).max(),
    )
}

fn parts(manifest: &Manifest, trained: &Trained) -> Vec<CardPart> {
    let left_out = |part| {
        let found = trained.left_out.iter().find(|(of, _)| *of == part);
        found.map(|(_, left_out)| *left_out).unwrap_or_default()
    };
    let part = |report: &feature_store::dataset::PartReport| CardPart {
        part: report.part.to_string(),
        rows: report.rows,
        without_label: left_out(report.part).without_label as u64,
        of_unknown_class: left_out(report.part).of_unknown_class as u64,
        times: range(report.first_event_time, report.last_event_time),
    };
    manifest.parts.iter().map(part).collect()
}

fn split(manifest: &Manifest) -> CardSplit {
    let strategy = manifest.split.as_ref().map_or("none", Split::strategy);
    let declared = manifest.split.as_ref().and_then(Split::gap);
    let gap = declared.map(|(gap, _)| match gap {
        definitions::Gap::Of(gap) => gap,
        definitions::Gap::Auto => manifest.gap.total(),
    });
    CardSplit {
        strategy: strategy.to_owned(),
        gap: gap.map(|gap| gap.to_string()),
        gap_sum: gap.map(|_| manifest.gap.to_string()),
        rows_in_gap: manifest.rows.gap,
        certificate: manifest.certificate.sentences(),
        overlap_allowed: manifest.certificate.overlaps(),
    }
}
