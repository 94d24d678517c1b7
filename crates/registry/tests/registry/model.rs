use std::io;

use definitions::{Fault, ModelRef};
use registry::{RegistryError, Reproduction, RunStatus};
use serde_json::json;

use crate::fixture::{Place, at, gate_check, model_files, name, new_model, outside, register, run, version, versioned};

fn reference(text: &str) -> ModelRef {
    text.parse().unwrap()
}

#[tokio::test]
async fn registered_model_names_everything_it_came_from() {
    let place = Place::with_definitions().await;
    let registered = register(&place.registry, "cpu", 3.0).await.unwrap();
    assert_eq!(
        (registered.reference.to_string().as_str(), registered.path.as_str()),
        ("cpu:v1", "models/cpu/v1")
    );
    let record = place.registry.resolve(&reference("cpu")).await.unwrap();
    assert_eq!(record.reference, versioned("cpu:v1"));
    assert_eq!(
        (record.dataset.to_string().as_str(), record.view.to_string().as_str()),
        ("cpu_fv:v1/1", "cpu_fv:v1")
    );
    assert_eq!(record.dataset_path, "datasets/cpu_fv/v1/1");
    assert_eq!((record.groups.len(), record.groups[0].delta_version), (1, 1));
    let artefacts: Vec<_> = record.artefacts.iter().map(|artefact| artefact.name.as_str()).collect();
    assert_eq!(artefacts, ["model.txt", "signature.json"]);
    assert_eq!(
        (record.pipeline, record.learner.as_str(), record.seed),
        (name("forecast"), "lightgbm", 42)
    );
    assert_eq!(
        (record.metrics, record.reproduction),
        (Some(json!({ "mae": 3.0 })), None)
    );
    let run = place.registry.run(record.run).await.unwrap();
    assert_eq!(
        (run.run.status, run.run.model),
        (RunStatus::Registered, Some(versioned("cpu:v1")))
    );
    assert_eq!((run.evaluations.len(), run.gate_checks.len()), (5, 2));
    assert_eq!(
        place.registry.card(&reference("cpu:v1")).await.unwrap(),
        "# card of models/cpu/v1"
    );
}

#[tokio::test]
async fn record_of_a_model_is_one_json_document_with_readable_references() {
    let place = Place::with_definitions().await;
    register(&place.registry, "cpu", 3.0).await.unwrap();
    let record = place.registry.resolve(&reference("cpu:v1")).await.unwrap();
    let document = serde_json::to_value(&record).unwrap();
    assert_eq!(document["reference"], "cpu:v1");
    assert_eq!(document["dataset"], "cpu_fv:v1/1");
    assert_eq!(document["groups"][0]["group"], "metrics:v1");
    assert_eq!(document["created_at"], "1970-01-01T00:00:30Z");
    assert_eq!(document["run"], 1);
}

#[tokio::test]
async fn ungated_model_is_registered_by_nobody() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    let mut new = new_model("cpu", id, 3.0);
    new.evidence.gate_checks.push(gate_check("slice_mae", false));
    let error = place
        .registry
        .register_model(&new, |_| panic!("published"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "run `1` did not pass gate `slice_mae`: it cannot be registered"
    );
    assert_eq!(error.fault(), Fault::Input);
    place
        .registry
        .refuse_run(id, &new.evidence, None, at(40))
        .await
        .unwrap();
    outside(&place.file(), "insert into models values (1, 'cpu', 0)")
        .await
        .unwrap();
    for status in [
        "update runs set status = 'registered'",
        "update runs set status = 'refused'",
    ] {
        outside(&place.file(), status).await.unwrap();
        let by_hand = "insert into model_versions values (1, 1, 1, 1, 1, 'p', '{}', '', '{}', 0)";
        let error = outside(&place.file(), by_hand).await.unwrap_err();
        assert!(error.to_string().contains("did not pass its gates"), "{error}");
    }
}

#[tokio::test]
async fn model_that_cannot_be_put_into_its_place_leaves_its_run_running() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    let new = new_model("cpu", id, 3.0);
    let error = place
        .registry
        .register_model(&new, |_| Err(io::ErrorKind::StorageFull.into()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot put `cpu:v1` into its place");
    assert_eq!(place.registry.run(id).await.unwrap().run.status, RunStatus::Running);
    assert!(place.registry.models().await.unwrap().is_empty());
    let done = place
        .registry
        .register_model(&new, |_| Ok(model_files("models/cpu/v1".to_owned())))
        .await
        .unwrap();
    assert_eq!(done.reference, versioned("cpu:v1"));
    let again = place
        .registry
        .register_model(&new, |_| panic!("published"))
        .await
        .unwrap_err();
    assert_eq!(again.to_string(), "run `1` is registered already: wanted `running`");
}

#[tokio::test]
async fn models_and_versions_are_listed() {
    let place = Place::with_definitions().await;
    for model in ["disk", "cpu", "cpu"] {
        register(&place.registry, model, 3.0).await.unwrap();
    }
    let models = place.registry.models().await.unwrap();
    let listed: Vec<_> = models
        .iter()
        .map(|model| (model.model.as_str(), model.newest, model.versions))
        .collect();
    assert_eq!(listed, [("cpu", version(2), 2), ("disk", version(1), 1)]);
    let versions = place.registry.model_versions(&name("cpu")).await.unwrap();
    let listed: Vec<_> = versions.iter().map(|version| version.reference.to_string()).collect();
    assert_eq!(listed, ["cpu:v2", "cpu:v1"]);
}

#[tokio::test]
async fn what_cannot_be_found_says_what_can() {
    let place = Place::with_definitions().await;
    let empty = place.registry.resolve(&reference("cpu")).await.unwrap_err();
    assert_eq!(
        (empty.to_string().as_str(), empty.hint().unwrap().as_str()),
        ("no model `cpu`", "platform registry list")
    );
    register(&place.registry, "cpu_forecaster", 3.0).await.unwrap();
    let mistyped = place
        .registry
        .resolve(&reference("cpu_forcaster:v1"))
        .await
        .unwrap_err();
    assert_eq!(mistyped.hint().unwrap(), "did you mean `cpu_forecaster`?");
    let version = place
        .registry
        .resolve(&reference("cpu_forecaster:v9"))
        .await
        .unwrap_err();
    assert_eq!(
        version.to_string(),
        "no model version `cpu_forecaster:v9`: the newest is `v1`"
    );
    assert_eq!(version.hint().unwrap(), "platform registry show cpu_forecaster:v1");
    let alias = place
        .registry
        .resolve(&reference("cpu_forecaster@champion"))
        .await
        .unwrap_err();
    assert_eq!(
        alias.to_string(),
        "model `cpu_forecaster` has no alias `champion`: it has none"
    );
    assert!(matches!(
        place.registry.model_versions(&name("x")).await,
        Err(RegistryError::UnknownModel { .. })
    ));
}

#[tokio::test]
async fn reproductions_are_remembered_newest_first() {
    let place = Place::with_definitions().await;
    register(&place.registry, "cpu", 3.0).await.unwrap();
    for (passed, second) in [(false, 50), (true, 60)] {
        let reproduction = Reproduction {
            passed,
            report: json!({ "model.txt": passed }),
            at: at(second),
        };
        place
            .registry
            .record_reproduction(&versioned("cpu:v1"), &reproduction)
            .await
            .unwrap();
    }
    let all = place.registry.reproductions(&versioned("cpu:v1")).await.unwrap();
    assert_eq!(all.iter().map(|found| found.passed).collect::<Vec<_>>(), [true, false]);
    let record = place.registry.resolve(&reference("cpu:v1")).await.unwrap();
    assert_eq!(record.reproduction, all.first().cloned());
}

#[tokio::test]
async fn registered_model_cannot_be_changed_and_holds_what_it_came_from() {
    let place = Place::with_definitions().await;
    register(&place.registry, "cpu", 3.0).await.unwrap();
    for statement in [
        "update model_versions set path = 'x'",
        "update artefacts set bytes = 1",
        "delete from runs",
        "delete from datasets",
        "delete from models",
        "delete from model_versions",
    ] {
        assert!(outside(&place.file(), statement).await.is_err(), "{statement}");
    }
}
