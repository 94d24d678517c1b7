use definitions::ModelRef;
use registry::RegistryError;

use crate::fixture::{
    Place, at, dataset_ref, ingestion, model_files, new_dataset, new_model, new_run, published, versioned,
};

/// Model `cpu:v1` on dataset 1 (metrics at version 2, hosts at version 1), `cpu:v2` on dataset 2 (metrics at version 3).
async fn two_models() -> Place {
    let place = Place::with_definitions().await;
    let registry = &place.registry;
    for (group, id) in [("metrics:v1", 1), ("metrics:v1", 2), ("metrics:v1", 3), ("hosts:v1", 1)] {
        registry.record_ingestion(&ingestion(group, id)).await.unwrap();
    }
    let pins: [&[(&str, u64)]; 2] = [&[("metrics:v1", 2), ("hosts:v1", 1)], &[("metrics:v1", 3)]];
    for (number, groups) in (1_u32..).zip(pins) {
        registry
            .create_dataset(&new_dataset(&number.to_string(), groups), published)
            .await
            .unwrap();
        let mut run = new_run();
        run.dataset.number = number;
        let run = registry.start_run(&run).await.unwrap();
        let publish = |version| Ok(model_files(format!("models/cpu/{version}")));
        registry
            .register_model(&new_model("cpu", run, 3.0), publish)
            .await
            .unwrap();
    }
    place
}

#[tokio::test]
async fn lineage_reaches_down_to_the_ingestions() {
    let place = two_models().await;
    let lineage = place.registry.lineage(&versioned("cpu:v1")).await.unwrap();
    assert_eq!(
        (lineage.dataset.to_string().as_str(), lineage.view),
        ("cpu_fv:v1/1", versioned("cpu_fv:v1"))
    );
    let groups: Vec<_> = lineage
        .groups
        .iter()
        .map(|group| {
            let ids: Vec<_> = group.ingestions.iter().map(|ingestion| ingestion.ingest_id).collect();
            (group.group.to_string(), group.delta_version, ids)
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("hosts:v1".to_owned(), 1, vec![1]),
            ("metrics:v1".to_owned(), 2, vec![1, 2])
        ]
    );
}

#[tokio::test]
async fn models_are_found_from_what_they_came_from() {
    let place = two_models().await;
    let registry = &place.registry;
    let (one, two) = (versioned("cpu:v1"), versioned("cpu:v2"));
    assert_eq!(
        registry.models_from_group(&versioned("hosts:v1")).await.unwrap(),
        std::slice::from_ref(&one)
    );
    assert_eq!(
        registry.models_from_group(&versioned("metrics:v1")).await.unwrap(),
        [one.clone(), two.clone()]
    );
    assert_eq!(
        registry
            .models_from_ingestion(&versioned("metrics:v1"), 3)
            .await
            .unwrap(),
        std::slice::from_ref(&two)
    );
    assert_eq!(
        registry
            .models_from_ingestion(&versioned("metrics:v1"), 1)
            .await
            .unwrap(),
        [one, two]
    );
    assert_eq!(
        registry.models_from_dataset(&dataset_ref("cpu_fv:v1/2")).await.unwrap(),
        [versioned("cpu:v2")]
    );
    let error = registry
        .models_from_ingestion(&versioned("metrics:v1"), 9)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "feature group `metrics:v1` has no ingestion 9");
    assert!(matches!(
        registry.lineage(&versioned("cpu:v3")).await,
        Err(RegistryError::UnknownModelVersion { .. })
    ));
}

#[tokio::test]
async fn datasets_that_can_never_be_made_again_take_their_models_with_them() {
    let place = two_models().await;
    let registry = &place.registry;
    let (one, missing) = (dataset_ref("cpu_fv:v1/1"), dataset_ref("cpu_fv:v1/9"));
    let error = registry
        .mark_unreproducible(&[one.clone(), missing], "gone", at(8))
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::UnknownDataset { .. }), "{error}");
    assert_eq!(registry.dataset(&one).await.unwrap().unreproducible, None);
    for (reason, second) in [("asked for", 9), ("another", 10)] {
        registry
            .mark_unreproducible(std::slice::from_ref(&one), reason, at(second))
            .await
            .unwrap();
    }
    let said = registry.dataset(&one).await.unwrap().unreproducible.unwrap();
    assert_eq!((said.reason.as_str(), said.since), ("asked for", at(9)));
    let model = |text| ModelRef::Version(versioned(text));
    assert_eq!(
        registry.resolve(&model("cpu:v1")).await.unwrap().unreproducible,
        Some(said)
    );
    assert_eq!(registry.resolve(&model("cpu:v2")).await.unwrap().unreproducible, None);
}
