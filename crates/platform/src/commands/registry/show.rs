//! `platform registry show`: everything a deployment needs to know of one model version.

use clap::Args;
use definitions::ModelRef;
use registry::{ModelVersionRecord, Unreproducible};
use serde_json::{Value, json};

use super::search::metrics_in_short;
use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen;

/// Show one model version: artefacts with hashes, signature, dataset, view, lineage.
#[derive(Args)]
pub struct Show {
    /// `cpu_forecaster@champion`, `cpu_forecaster:v3`, or `cpu_forecaster` for the newest version.
    model: ModelRef,
}

impl Show {
    /// Prints it.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        let record = registry.resolve(&self.model).await?;
        if context.json {
            screen::json(&document(&repository, &record))
        } else {
            print(&repository, &record)
        }
    }
}

/// A path as a deployment can open it: relative to the repository's folder where it lies inside, else absolute.
fn place(repository: &Repository, path: &str) -> String {
    repository.shown(&repository.storage.join(path))
}

fn document(repository: &Repository, record: &ModelVersionRecord) -> Value {
    let artefacts = record.artefacts.iter().map(|artefact| {
        let path = place(repository, &format!("{}/{}", record.path, artefact.name));
        json!({ "name": artefact.name, "path": path, "sha256": artefact.sha256, "bytes": artefact.bytes })
    });
    json!({
        "model": record.reference,
        "name": record.reference.name,
        "version": record.reference.version,
        "aliases": record.aliases,
        "created_at": record.created_at,
        "repository": repository.root,
        "path": place(repository, &record.path),
        "artefacts": artefacts.collect::<Vec<_>>(),
        "signature": record.signature,
        "learner": record.learner,
        "parameters": record.parameters,
        "seed": record.seed,
        "metrics": record.metrics,
        "view": record.view,
        "dataset": {
            "reference": record.dataset.to_string(),
            "fingerprint": record.dataset_fingerprint,
            "path": place(repository, &record.dataset_path),
        },
        "groups": record.groups,
        "run": record.run,
        "pipeline": { "name": record.pipeline, "fingerprint": record.pipeline_fingerprint },
        "software": record.software,
        "reproduction": record.reproduction,
        "unreproducible": record.unreproducible,
    })
}

fn print(repository: &Repository, record: &ModelVersionRecord) -> Outcome {
    let aliases: Vec<_> = record.aliases.iter().map(|alias| format!(" @{alias}")).collect();
    screen::line(format!("{}{}", record.reference, aliases.concat()))?;
    let groups = record
        .groups
        .iter()
        .map(|pin| format!("{} at Delta version {}", pin.group, pin.delta_version));
    let mut facts = vec![
        ("registered", record.created_at.to_string()),
        ("metrics", metrics_in_short(record.metrics.as_ref())),
        ("learner", format!("{}, seed {}", record.learner, record.seed)),
        (
            "pipeline",
            format!("{} ({})", record.pipeline, record.pipeline_fingerprint.short()),
        ),
        ("run", record.run.0.to_string()),
        (
            "dataset",
            format!("{} ({})", record.dataset, record.dataset_fingerprint.short()),
        ),
        ("view", record.view.to_string()),
        ("groups", groups.collect::<Vec<_>>().join(", ")),
        ("inputs", inputs(&record.signature)),
        ("folder", place(repository, &record.path)),
    ];
    if let Some(reproduction) = &record.reproduction {
        let word = if reproduction.passed {
            "reproduced, the same"
        } else {
            "reproduced, NOT the same"
        };
        facts.push(("check", format!("{word}, {}", reproduction.at)));
    }
    if let Some(Unreproducible { reason, since }) = &record.unreproducible {
        facts.push(("again", format!("NO LONGER REPRODUCIBLE since {since}: {reason}")));
    }
    for (name, fact) in facts {
        screen::line(format!("  {name:<11} {fact}"))?;
    }
    for artefact in &record.artefacts {
        let size = screen::bytes(artefact.bytes);
        screen::line(format!("  {:<19} {size:>9}  sha256 {}", artefact.name, artefact.sha256))?;
    }
    Ok(())
}

fn inputs(signature: &Value) -> String {
    let inputs = signature.get("inputs").and_then(Value::as_array);
    let names = inputs
        .into_iter()
        .flatten()
        .filter_map(|input| input.get("name")?.as_str());
    names.collect::<Vec<_>>().join(", ")
}
