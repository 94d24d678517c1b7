//! A registry in a folder of its own, and things to put into it.

use std::path::{Path, PathBuf};

use definitions::{DatasetRef, EventTime, Fingerprint, IngestMode, KnownAt, Name, Version, Versioned, WallTime};
use registry::{
    Artefact, CreatedDataset, Dataset, DefinitionKind, Evaluation, Evidence, GateCheck, IfUnchanged, NewDataset,
    NewDefinition, NewIngestion, NewModelVersion, NewRun, PinnedGroup, PublishedDataset, PublishedModel,
    RegisteredModel, Registry, RegistryError, RunId,
};
use serde_json::json;
use tempfile::TempDir;

pub struct Place {
    pub folder: TempDir,
    pub registry: Registry,
}

impl Place {
    pub async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.db")).await.unwrap();
        Self { folder, registry }
    }
    /// With groups `metrics:v1` and `hosts:v1`, view `cpu_fv:v1` and pipeline `forecast` applied.
    pub async fn with_definitions() -> Self {
        let place = Self::fresh().await;
        place.registry.apply_definitions(&definitions(), at(1)).await.unwrap();
        place
    }
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("registry.db")
    }
}

pub fn at(second: i64) -> WallTime {
    WallTime(second * 1_000_000)
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn versioned(text: &str) -> Versioned {
    text.parse().unwrap()
}

pub fn version(number: u32) -> Version {
    Version::new(number).unwrap()
}

pub fn dataset_ref(text: &str) -> DatasetRef {
    text.parse().unwrap()
}

pub fn definition(kind: DefinitionKind, reference: &str, text: &str) -> NewDefinition {
    let (name, version) = match reference.parse::<Versioned>() {
        Ok(versioned) => (versioned.name, Some(versioned.version)),
        Err(_) => (name(reference), None),
    };
    let canonical = json!({ "name": name, "description": text, "tags": ["infra"] });
    let file = format!("{}s/{name}.toml", kind.word());
    NewDefinition {
        kind,
        name,
        version,
        fingerprint: Fingerprint::of(text.as_bytes()),
        text: text.to_owned(),
        canonical,
        file,
    }
}

pub fn definitions() -> Vec<NewDefinition> {
    vec![
        definition(DefinitionKind::FeatureGroup, "metrics:v1", "host metrics"),
        definition(DefinitionKind::FeatureGroup, "hosts:v1", "host table"),
        definition(DefinitionKind::FeatureView, "cpu_fv:v1", "runs hot within the hour"),
        definition(DefinitionKind::Pipeline, "forecast", "capacity alerts"),
    ]
}

pub fn ingestion(group: &str, ingest_id: i64) -> NewIngestion {
    NewIngestion {
        group: versioned(group),
        ingest_id,
        delta_version: u64::try_from(ingest_id).unwrap(),
        content_hash: Fingerprint::of(format!("{group} {ingest_id}").as_bytes()),
        sources: json!([{ "file": "metrics.csv", "bytes": 12 }]),
        mode: IngestMode::Upsert,
        rows: 100,
        duplicates: 1,
        nan_nulls: 2,
        quarantined: 3,
        superseded: None,
        known_at: KnownAt(ingest_id * 1_000_000),
        min_event_time: Some(EventTime(0)),
        max_event_time: Some(EventTime(99)),
        started_at: at(ingest_id),
        committed_at: at(ingest_id),
    }
}

pub fn new_dataset(pins: &str, groups: &[(&str, u64)]) -> NewDataset {
    let pinned = |&(group, delta_version): &(&str, u64)| PinnedGroup {
        group: versioned(group),
        delta_version,
        committed_at: at(5),
    };
    NewDataset {
        view: versioned("cpu_fv:v1"),
        fingerprint: Fingerprint::of(b"content"),
        pins_key: Fingerprint::of(pins.as_bytes()),
        rows: 1000,
        part_rows: json!({ "train": 700, "validation": 150, "test": 150 }),
        seed: u64::MAX,
        software: json!({ "platform": "0.1.0" }),
        created_at: at(10),
        groups: groups.iter().map(pinned).collect(),
        as_known_at: None,
        if_unchanged: IfUnchanged::Reuse,
    }
}

pub fn published(number: u32) -> std::io::Result<PublishedDataset> {
    Ok(PublishedDataset {
        path: format!("datasets/cpu_fv/v1/{number}"),
        manifest_sha256: Fingerprint::of(b"manifest"),
    })
}

/// A new dataset of `cpu_fv:v1`.
pub async fn dataset(registry: &Registry, pins: &str) -> Dataset {
    match registry
        .create_dataset(&new_dataset(pins, &[("metrics:v1", 1)]), published)
        .await
        .unwrap()
    {
        CreatedDataset::Created(dataset) | CreatedDataset::Unchanged(dataset) => dataset,
    }
}

pub fn new_run() -> NewRun {
    NewRun {
        pipeline: name("forecast"),
        pipeline_fingerprint: Fingerprint::of(b"capacity alerts"),
        dataset: dataset_ref("cpu_fv:v1/1"),
        learner: "lightgbm".to_owned(),
        seed: 42,
        parameters: json!({ "num_leaves": 63 }),
        software: json!({ "platform": "0.1.0", "lightgbm": "4.6.0" }),
        holder: "host/1/2".to_owned(),
        started_at: at(20),
    }
}

/// A run on dataset 1 of `cpu_fv:v1`, which is made where there is none.
pub async fn run(registry: &Registry) -> RunId {
    dataset(registry, "pins").await;
    registry.start_run(&new_run()).await.unwrap()
}

pub fn evaluation(subject: &str, part: &str, slice: Option<(&str, Option<&str>)>, value: f64) -> Evaluation {
    Evaluation {
        part: part.to_owned(),
        subject: subject.to_owned(),
        slice_column: slice.map(|(column, _)| column.to_owned()),
        slice_value: slice.and_then(|(_, value)| value.map(str::to_owned)),
        metric: "mae".to_owned(),
        value: Some(value),
        rows: 150,
    }
}

pub fn gate_check(gate: &str, passed: bool) -> GateCheck {
    GateCheck {
        gate: gate.to_owned(),
        value: Some(3.5),
        limit: "<= 4".to_owned(),
        passed,
        detail: "mae on test".to_owned(),
    }
}

pub fn evidence(mae: f64) -> Evidence {
    Evidence {
        evaluations: vec![
            evaluation("model", "test", None, mae),
            evaluation("model", "train", None, mae / 2.0),
            evaluation("model", "test", Some(("region", Some("eu"))), mae * 2.0),
            evaluation("model", "test", Some(("region", None)), mae * 3.0),
            evaluation("last_value", "test", None, mae + 1.0),
        ],
        gate_checks: vec![gate_check("mae", true), gate_check("beats last_value", true)],
        metrics: json!({ "mae": mae }),
        report: json!({ "importance": [1.0, 0.5] }),
    }
}

pub fn new_model(model: &str, run: RunId, mae: f64) -> NewModelVersion {
    NewModelVersion {
        model: name(model),
        run,
        evidence: evidence(mae),
        signature: json!({ "inputs": [{ "name": "cpu_mean_1h", "type": "float64" }] }),
        software: json!({ "platform": "0.1.0" }),
        created_at: at(30),
    }
}

pub fn model_files(path: String) -> PublishedModel {
    let artefact = |name: &str| Artefact {
        name: name.to_owned(),
        sha256: Fingerprint::of(name.as_bytes()),
        bytes: 17,
    };
    let card = format!("# card of {path}");
    PublishedModel {
        path,
        card,
        artefacts: vec![artefact("signature.json"), artefact("model.txt")],
    }
}

/// Trains and registers the next version of a model.
pub async fn register(registry: &Registry, model: &str, mae: f64) -> Result<RegisteredModel, RegistryError> {
    let run = run(registry).await;
    registry
        .register_model(&new_model(model, run, mae), |version| {
            Ok(model_files(format!("models/{model}/{version}")))
        })
        .await
}

/// Runs one statement from outside, as another program would.
pub async fn outside(file: &Path, statement: &'static str) -> Result<u64, sqlx::Error> {
    use sqlx::ConnectOptions as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true);
    let mut connection = options.connect().await?;
    Ok(sqlx::query(statement).execute(&mut connection).await?.rows_affected())
}
