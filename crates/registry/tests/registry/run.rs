use definitions::Fingerprint;
use registry::{Evidence, RegistryError, RunId, RunStatus};

use crate::fixture::{
    Place, at, dataset, dataset_ref, definition, evaluation, evidence, gate_check, name, new_run, outside, run,
    versioned,
};

#[tokio::test]
async fn refused_run_keeps_its_evidence_and_makes_no_model() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    let mut found = evidence(5.0);
    found.gate_checks.push(gate_check("slice_mae", false));
    place
        .registry
        .refuse_run(id, &found, Some("runs/1"), at(40))
        .await
        .unwrap();
    let details = place.registry.run(id).await.unwrap();
    assert_eq!(
        (details.run.status, details.run.finished_at),
        (RunStatus::Refused, Some(at(40)))
    );
    assert_eq!(
        (&details.evaluations, &details.gate_checks),
        (&found.evaluations, &found.gate_checks)
    );
    assert_eq!(details.report, Some(found.report));
    assert_eq!((details.run.model, details.run.path.as_deref()), (None, Some("runs/1")));
    assert!(place.registry.models().await.unwrap().is_empty());
}

#[tokio::test]
async fn run_is_read_back_as_it_was_started() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    let running = place.registry.running_runs().await.unwrap();
    let [found] = running.as_slice() else {
        panic!("{running:?}")
    };
    let new = new_run();
    assert_eq!((found.id, found.status, found.seed), (id, RunStatus::Running, 42));
    assert_eq!(
        (&found.pipeline, found.pipeline_fingerprint),
        (&new.pipeline, new.pipeline_fingerprint)
    );
    assert_eq!(
        (found.view.clone(), found.dataset.clone()),
        (versioned("cpu_fv:v1"), new.dataset)
    );
    assert_eq!(
        (&found.parameters, &found.software, &found.holder),
        (&new.parameters, &new.software, &new.holder)
    );
    assert_eq!((found.finished_at, &found.metrics, &found.error), (None, &None, &None));
}

#[tokio::test]
async fn failed_run_says_why() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    place.registry.fail_run(id, "out of memory", at(40)).await.unwrap();
    let details = place.registry.run(id).await.unwrap();
    assert_eq!(
        (details.run.status, details.run.error.as_deref()),
        (RunStatus::Failed, Some("out of memory"))
    );
    assert!(place.registry.running_runs().await.unwrap().is_empty());
}

#[tokio::test]
async fn run_ends_once() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    place.registry.fail_run(id, "broken", at(40)).await.unwrap();
    let error = place
        .registry
        .refuse_run(id, &evidence(1.0), None, at(41))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "run `1` is failed already: wanted `running`");
    assert!(place.registry.run(id).await.unwrap().evaluations.is_empty());
}

#[tokio::test]
async fn unknown_run_names_the_newest() {
    let place = Place::with_definitions().await;
    let error = place.registry.run(RunId(9)).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.hint()), ("no run `9`", None));
    run(&place.registry).await;
    let error = place.registry.fail_run(RunId(9), "", at(1)).await.unwrap_err();
    assert_eq!(error.hint().unwrap(), "platform run show 1");
}

#[tokio::test]
async fn undefined_metric_stays_undefined_and_a_missing_slice_value_stays_missing() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    let evaluations = vec![
        evaluation("model", "test", Some(("region", None)), f64::NAN),
        evaluation("model", "test", None, f64::INFINITY),
    ];
    let found = Evidence {
        evaluations,
        ..Evidence::default()
    };
    place.registry.refuse_run(id, &found, None, at(40)).await.unwrap();
    let details = place.registry.run(id).await.unwrap();
    assert_eq!(
        (details.evaluations[0].value, details.evaluations[1].value),
        (None, Some(f64::INFINITY))
    );
    let slice = &details.evaluations[0];
    assert_eq!(
        (slice.slice_column.as_deref(), slice.slice_value.as_deref()),
        (Some("region"), None)
    );
    assert_eq!((details.run.metrics, details.report), (None, None));
}

#[tokio::test]
async fn pipeline_of_a_run_is_the_text_that_counted_then() {
    let place = Place::with_definitions().await;
    let id = run(&place.registry).await;
    let newer = definition(registry::DefinitionKind::Pipeline, "forecast", "other");
    place.registry.apply_definitions(&[newer], at(50)).await.unwrap();
    assert_eq!(
        place.registry.pipeline_of_run(id).await.unwrap().text,
        "capacity alerts"
    );
}

#[tokio::test]
async fn run_of_unknown_things_is_refused() {
    let place = Place::with_definitions().await;
    let error = place.registry.start_run(&new_run()).await.unwrap_err();
    assert!(matches!(error, RegistryError::UnknownDataset { .. }));
    dataset(&place.registry, "pins").await;
    let mut new = new_run();
    new.pipeline_fingerprint = Fingerprint::of(b"never applied");
    assert!(matches!(
        place.registry.start_run(&new).await,
        Err(RegistryError::UnknownDefinition { .. })
    ));
    new = new_run();
    new.dataset = dataset_ref("cpu_fv:v1/2");
    assert!(matches!(
        place.registry.start_run(&new).await,
        Err(RegistryError::UnknownDataset { .. })
    ));
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_by_pipeline() {
    let place = Place::with_definitions().await;
    run(&place.registry).await;
    run(&place.registry).await;
    let ids: Vec<_> = place
        .registry
        .runs(Some(&name("forecast")))
        .await
        .unwrap()
        .iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(ids, [RunId(2), RunId(1)]);
    assert!(place.registry.runs(Some(&name("other"))).await.unwrap().is_empty());
    assert_eq!(place.registry.runs(None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn run_on_a_view_that_is_not_its_datasets_is_refused_by_the_tables() {
    let place = Place::with_definitions().await;
    run(&place.registry).await;
    let error = outside(&place.file(), "update runs set view_definition = 1")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
}
