use definitions::Fingerprint;
use registry::{Recorded, RegistryError};

use crate::fixture::{Place, ingestion, outside, versioned};

#[tokio::test]
async fn ingestion_is_read_back_as_it_was_recorded() {
    let place = Place::with_definitions().await;
    let new = ingestion("metrics:v1", 1);
    assert_eq!(place.registry.record_ingestion(&new).await.unwrap(), Recorded::Now);
    assert_eq!(
        place.registry.ingestions(&new.group).await.unwrap(),
        std::slice::from_ref(&new)
    );
    assert_eq!(
        place.registry.newest_ingestion(&new.group).await.unwrap(),
        Some(new.clone())
    );
    let found = place
        .registry
        .ingestion_of_content(&new.group, &new.content_hash)
        .await
        .unwrap();
    assert_eq!(found, Some(new.clone()));
    let other = place
        .registry
        .ingestion_of_content(&new.group, &Fingerprint::of(b"other"))
        .await
        .unwrap();
    assert_eq!(other, None);
}

#[tokio::test]
async fn recording_twice_is_harmless_and_recording_otherwise_is_refused() {
    let place = Place::with_definitions().await;
    let new = ingestion("metrics:v1", 1);
    place.registry.record_ingestion(&new).await.unwrap();
    assert_eq!(place.registry.record_ingestion(&new).await.unwrap(), Recorded::Before);
    let mut other = new.clone();
    other.rows = 99;
    let error = place.registry.record_ingestion(&other).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ingestion 1 of `metrics:v1` is recorded with rows `100`, found `99`"
    );
    assert_eq!(place.registry.ingestions(&new.group).await.unwrap(), [new]);
}

#[tokio::test]
async fn ingestions_come_in_their_order_and_by_group() {
    let place = Place::with_definitions().await;
    for (group, id) in [
        ("metrics:v1", 2),
        ("hosts:v1", 1),
        ("metrics:v1", 1),
        ("metrics:v1", 10),
    ] {
        place.registry.record_ingestion(&ingestion(group, id)).await.unwrap();
    }
    let ids: Vec<_> = place
        .registry
        .ingestions(&versioned("metrics:v1"))
        .await
        .unwrap()
        .iter()
        .map(|found| found.ingest_id)
        .collect();
    assert_eq!(ids, [1, 2, 10]);
}

#[tokio::test]
async fn ingestion_into_an_unknown_group_is_refused() {
    let place = Place::with_definitions().await;
    let error = place
        .registry
        .record_ingestion(&ingestion("metrics:v2", 1))
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::UnknownDefinition { .. }));
    // A view is no group.
    let error = place
        .registry
        .record_ingestion(&ingestion("cpu_fv:v1", 1))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "feature group `cpu_fv:v1` has not been applied");
}

#[tokio::test]
async fn recorded_ingestion_cannot_be_changed() {
    let place = Place::with_definitions().await;
    place
        .registry
        .record_ingestion(&ingestion("metrics:v1", 1))
        .await
        .unwrap();
    assert!(outside(&place.file(), "update ingestions set rows = 0").await.is_err());
}
