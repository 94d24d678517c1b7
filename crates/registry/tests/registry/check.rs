use registry::{BrokenForeignKey, StoredKind};

use crate::fixture::{Place, at, evidence, outside, register, run};

#[tokio::test]
async fn whole_registry_is_whole_and_knows_its_folders() {
    let place = Place::with_definitions().await;
    register(&place.registry, "cpu", 3.0).await.unwrap();
    let refused = run(&place.registry).await;
    place
        .registry
        .refuse_run(refused, &evidence(1.0), Some("runs/2"), at(50))
        .await
        .unwrap();
    assert!(place.registry.check().await.unwrap().is_whole());
    let folders = place.registry.stored_folders().await.unwrap();
    let listed: Vec<_> = folders
        .iter()
        .map(|folder| {
            (
                folder.kind,
                folder.reference.as_str(),
                folder.path.as_str(),
                folder.files.len(),
            )
        })
        .collect();
    assert_eq!(
        listed,
        [
            (StoredKind::Dataset, "cpu_fv:v1/1", "datasets/cpu_fv/v1/1", 1),
            (StoredKind::Model, "cpu:v1", "models/cpu/v1", 2),
            (StoredKind::Run, "2", "runs/2", 0),
        ]
    );
    let paths: Vec<_> = place.registry.known_paths().await.unwrap().into_iter().collect();
    assert_eq!(paths, ["datasets/cpu_fv/v1/1", "models/cpu/v1", "runs/2"]);
}

#[tokio::test]
async fn row_that_refers_to_nothing_is_found() {
    let place = Place::with_definitions().await;
    register(&place.registry, "cpu", 3.0).await.unwrap();
    // One statement, because each call is a connection of its own.
    outside(&place.file(), "pragma foreign_keys = off; delete from runs")
        .await
        .unwrap();
    let report = place.registry.check().await.unwrap();
    assert!(!report.is_whole() && report.integrity.is_empty());
    let broken = BrokenForeignKey {
        table: "model_versions".to_owned(),
        row: Some(1),
        parent: "runs".to_owned(),
    };
    assert!(report.foreign_keys.contains(&broken), "{report:?}");
}
