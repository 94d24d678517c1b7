use std::io;

use definitions::{Fingerprint, KnownAt};
use registry::{CreatedDataset, IfUnchanged, PinnedGroup, RegistryError};

use crate::fixture::{Place, at, dataset, dataset_ref, ingestion, name, new_dataset, outside, published, versioned};

#[tokio::test]
async fn dataset_is_read_back_as_it_was_recorded() {
    let place = Place::with_definitions().await;
    let new = new_dataset("pins", &[("metrics:v1", 7), ("hosts:v1", 3)]);
    let CreatedDataset::Created(created) = place.registry.create_dataset(&new, published).await.unwrap() else {
        panic!()
    };
    assert_eq!(created.reference, dataset_ref("cpu_fv:v1/1"));
    assert_eq!(
        (created.seed, created.path.as_str()),
        (u64::MAX, "datasets/cpu_fv/v1/1")
    );
    let pinned = |group, delta_version| PinnedGroup {
        group: versioned(group),
        delta_version,
        committed_at: at(5),
    };
    assert_eq!(created.groups, [pinned("hosts:v1", 3), pinned("metrics:v1", 7)]);
    let registry = &place.registry;
    assert_eq!(registry.dataset(&created.reference).await.unwrap(), created);
    assert_eq!(registry.newest_dataset(&new.view).await.unwrap(), Some(created.clone()));
    assert_eq!(
        registry.dataset_with_pins(&new.view, &new.pins_key).await.unwrap(),
        Some(created.clone())
    );
    assert_eq!(
        registry
            .dataset_with_pins(&new.view, &Fingerprint::of(b"other"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(registry.datasets(None).await.unwrap(), std::slice::from_ref(&created));
    assert_eq!(registry.datasets(Some(&name("cpu_fv"))).await.unwrap(), [created]);
    assert_eq!(registry.datasets(Some(&name("other_fv"))).await.unwrap(), []);
}

#[tokio::test]
async fn same_pins_make_no_new_dataset_unless_asked() {
    let place = Place::with_definitions().await;
    dataset(&place.registry, "pins").await;
    let mut new = new_dataset("pins", &[("metrics:v1", 1)]);
    let again = place
        .registry
        .create_dataset(&new, |_| Err(io::Error::other("must not be published")))
        .await
        .unwrap();
    assert!(matches!(again, CreatedDataset::Unchanged(dataset) if dataset.reference.number == 1));
    new.if_unchanged = IfUnchanged::CreateAgain;
    let forced = place.registry.create_dataset(&new, published).await.unwrap();
    assert!(matches!(forced, CreatedDataset::Created(dataset) if dataset.reference.number == 2));
    let newest = place
        .registry
        .dataset_with_pins(&new.view, &new.pins_key)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(newest.reference.number, 2);
}

#[tokio::test]
async fn dataset_that_cannot_be_put_into_its_place_is_not_recorded() {
    let place = Place::with_definitions().await;
    let new = new_dataset("pins", &[("metrics:v1", 1)]);
    let full = |_| Err(io::Error::from(io::ErrorKind::StorageFull));
    let error = place.registry.create_dataset(&new, full).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot put `cpu_fv:v1/1` into its place");
    assert_eq!(place.registry.datasets(None).await.unwrap(), []);
    assert_eq!(
        place
            .registry
            .pinned_delta_versions(&versioned("metrics:v1"))
            .await
            .unwrap(),
        [0_u64; 0]
    );
    // The number was not used up.
    assert_eq!(dataset(&place.registry, "pins").await.reference.number, 1);
}

#[tokio::test]
async fn dataset_of_an_unknown_view_or_group_is_never_published() {
    let place = Place::with_definitions().await;
    let never = |_| -> io::Result<_> { panic!("published") };
    let mut new = new_dataset("pins", &[("metrics:v2", 1)]);
    assert!(matches!(
        place.registry.create_dataset(&new, never).await,
        Err(RegistryError::UnknownDefinition { .. })
    ));
    new.view = versioned("metrics:v1");
    assert!(matches!(
        place.registry.create_dataset(&new, never).await,
        Err(RegistryError::UnknownDefinition { .. })
    ));
}

#[tokio::test]
async fn unknown_dataset_names_the_newest() {
    let place = Place::with_definitions().await;
    let error = place.registry.dataset(&dataset_ref("cpu_fv:v1/5")).await.unwrap_err();
    assert_eq!(error.hint().unwrap(), "platform dataset create cpu_fv:v1");
    dataset(&place.registry, "pins").await;
    let error = place.registry.dataset(&dataset_ref("cpu_fv:v1/5")).await.unwrap_err();
    assert_eq!(error.to_string(), "no dataset `cpu_fv:v1/5`");
    assert_eq!(error.hint().unwrap(), "platform dataset show cpu_fv:v1/1");
}

#[tokio::test]
async fn pinned_versions_are_those_that_vacuum_must_keep() {
    let place = Place::with_definitions().await;
    for (pins, delta_version) in [("a", 9), ("b", 2), ("c", 9)] {
        let new = new_dataset(pins, &[("metrics:v1", delta_version), ("hosts:v1", 1)]);
        place.registry.create_dataset(&new, published).await.unwrap();
    }
    assert_eq!(
        place
            .registry
            .pinned_delta_versions(&versioned("metrics:v1"))
            .await
            .unwrap(),
        [2, 9]
    );
    assert_eq!(
        place
            .registry
            .pinned_delta_versions(&versioned("hosts:v1"))
            .await
            .unwrap(),
        [1]
    );
    assert_eq!(place.registry.datasets(None).await.unwrap()[2].groups.len(), 2);
}

#[tokio::test]
async fn dataset_refers_to_the_ingestions_that_it_could_see() {
    let place = Place::with_definitions().await;
    for id in 1..=4 {
        place
            .registry
            .record_ingestion(&ingestion("metrics:v1", id))
            .await
            .unwrap();
    }
    let mut new = new_dataset("as of version 3", &[("metrics:v1", 3)]);
    place.registry.create_dataset(&new, published).await.unwrap();
    new = new_dataset("as known at second 2", &[("metrics:v1", 4)]);
    new.as_known_at = Some(KnownAt(2_000_000));
    place.registry.create_dataset(&new, published).await.unwrap();
    let deleted = outside(&place.file(), "delete from dataset_ingestions where dataset = 1")
        .await
        .unwrap();
    assert_eq!(deleted, 3);
    let deleted = outside(&place.file(), "delete from dataset_ingestions where dataset = 2")
        .await
        .unwrap();
    assert_eq!(deleted, 2);
}

#[tokio::test]
async fn what_a_dataset_refers_to_cannot_be_deleted() {
    let place = Place::with_definitions().await;
    place
        .registry
        .record_ingestion(&ingestion("metrics:v1", 1))
        .await
        .unwrap();
    dataset(&place.registry, "pins").await;
    for statement in [
        "delete from ingestions",
        "delete from datasets",
        "update datasets set rows = 1",
    ] {
        assert!(outside(&place.file(), statement).await.is_err(), "{statement}");
    }
}
