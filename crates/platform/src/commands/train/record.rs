//! What a run leaves: evidence in the registry and, when every gate has passed, a model version with its files.

use std::collections::BTreeMap;

use definitions::{Fingerprint, Versioned, WallTime};
use evaluation::{ConfusionMatrix, GateReport, Score, name_of, render_card};
use registry::{
    Artefact, Evaluation, Evidence, GateCheck, NewModelVersion, PublishedModel, RegisteredModel, Registry, RunId,
};
use serde_json::{Value, json};

use crate::card::{self, Origin};
use crate::failure::Outcome;
use crate::repository::{Repository, publish};
use crate::training::{Artefacts, Trained};

/// Everything the registry keeps of what a run found out.
pub fn evidence(trained: &Trained, gates: &GateReport) -> Outcome<Evidence> {
    let mut evaluations = Vec::new();
    for part in &trained.evaluation.parts {
        let mut add = |subject: &str, slice: Option<&evaluation::SliceKey>, rows: u64, scores: &[Score]| {
            evaluations.extend(scores.iter().map(|score| Evaluation {
                part: part.part.clone(),
                subject: subject.to_owned(),
                slice_column: slice.map(|key| key.column.clone()),
                slice_value: slice.and_then(|key| key.value.clone()),
                metric: score.metric.to_string(),
                value: score.value,
                rows,
            }));
        };
        add("model", None, part.rows, &part.model);
        part.slices
            .iter()
            .for_each(|slice| add("model", Some(&slice.key), slice.rows, &slice.model));
        part.rivals
            .iter()
            .for_each(|rival| add(&name_of(&rival.rival), None, rival.rows, &rival.scores));
    }
    let check = |check: &evaluation::GateCheck| GateCheck {
        gate: check.gate.clone(),
        value: check.value,
        limit: check.limit.clone(),
        passed: check.passed,
        detail: check.detail.clone(),
    };
    Ok(Evidence {
        evaluations,
        gate_checks: gates.checks.iter().map(check).collect(),
        metrics: in_short(trained),
        report: json!({
            "importance": trained.importance,
            "explanation": trained.explanation,
            "forecast": forecasts(trained),
            "confusion": confusion(trained),
            "history": trained.history,
            "best_iteration": trained.best_iteration,
            "train_rows": trained.train_rows,
            "fit_seconds": trained.fit_time.as_secs_f64(),
            "folds": trained.folds,
            "leaks": trained.leaks,
            "notes": trained.notes,
        }),
    })
}

/// Forecasts in full, by the part's name.
fn forecasts(trained: &Trained) -> BTreeMap<&str, &evaluation::ForecastEvaluation> {
    let parts = trained.evaluation.parts.iter();
    parts
        .filter_map(|part| Some((part.part.as_str(), part.forecast.as_ref()?)))
        .collect()
}

/// The confusion matrix of each part that has one, by the part's name.
fn confusion(trained: &Trained) -> BTreeMap<&str, &ConfusionMatrix> {
    let parts = trained.evaluation.parts.iter();
    parts
        .filter_map(|part| Some((part.part.as_str(), part.confusion.as_ref()?)))
        .collect()
}

fn in_short(trained: &Trained) -> Value {
    let scores = trained
        .evaluation
        .gated_part()
        .map(|part| part.model.as_slice())
        .unwrap_or_default();
    let short = scores
        .iter()
        .map(|score| (score.metric.to_string(), json!(score.value)));
    Value::Object(short.collect())
}

/// Writes the files and registers the version: one transaction, all or nothing.
pub async fn register(
    repository: &Repository,
    registry: &Registry,
    run: RunId,
    origin: &Origin<'_>,
    trained: &Trained,
    gates: &GateReport,
) -> Outcome<RegisteredModel> {
    let (staging, files) = (repository.staging()?, Artefacts::of(trained)?);
    for (name, bytes) in &files.0 {
        write_durably(&staging.path().join(name), bytes).map_err(crate::failure::at_path(staging.path()))?;
    }
    let new = NewModelVersion {
        model: origin.pipeline.model.clone(),
        run,
        evidence: evidence(trained, gates)?,
        signature: serde_json::to_value(&trained.signature)?,
        software: serde_json::to_value(origin.software)?,
        created_at: WallTime::now(),
    };
    let registered = registry.register_model(&new, |version| {
        let model = Versioned {
            name: new.model.clone(),
            version,
        };
        let card = render_card(&card::evidence(&model, origin, trained, gates, &files));
        write_durably(&staging.path().join("card.md"), card.as_bytes())?;
        let path = format!("models/{}/{version}", model.name);
        publish(staging.path(), &repository.storage.join(&path))?;
        let all = files.0.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let artefact = |(name, bytes): (&str, &[u8])| Artefact {
            name: name.to_owned(),
            sha256: Fingerprint::of(bytes),
            bytes: bytes.len() as u64,
        };
        let artefacts = all
            .chain(std::iter::once(("card.md", card.as_bytes())))
            .map(artefact)
            .collect();
        Ok(PublishedModel { path, card, artefacts })
    });
    Ok(registered.await?)
}

fn write_durably(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
