use definitions::{ModelRef, Version};
use registry::{AliasChange, AliasMove, Expected, RegistryError};

use crate::fixture::{Place, at, name, outside, register, version};

pub fn change(expect: Option<Expected>) -> AliasChange {
    AliasChange {
        model: name("cpu"),
        alias: name("champion"),
        expect,
        by: "me".to_owned(),
        reason: Some("better".to_owned()),
        at: at(60),
    }
}

async fn three_versions() -> Place {
    let place = Place::with_definitions().await;
    for _ in 0..3 {
        register(&place.registry, "cpu", 3.0).await.unwrap();
    }
    place
}

fn to(expected: u32) -> Option<Expected> {
    Some(Expected::Version(version(expected)))
}

#[tokio::test]
async fn alias_moves_and_leaves_its_history() {
    let place = three_versions().await;
    let registry = &place.registry;
    let first = registry
        .set_alias(&change(Some(Expected::Absent)), version(1))
        .await
        .unwrap();
    assert_eq!(
        first,
        AliasMove {
            from: None,
            to: Some(version(1))
        }
    );
    registry.set_alias(&change(to(1)), version(3)).await.unwrap();
    let champion: ModelRef = "cpu@champion".parse().unwrap();
    let record = registry.resolve(&champion).await.unwrap();
    assert_eq!(
        (record.reference.version, record.aliases),
        (version(3), vec![name("champion")])
    );
    registry.remove_alias(&change(to(3))).await.unwrap();
    assert!(matches!(
        registry.resolve(&champion).await,
        Err(RegistryError::UnknownAlias { .. })
    ));
    let history = registry.alias_history(&name("cpu"), None).await.unwrap();
    let moves: Vec<(Option<Version>, Option<Version>)> = history.iter().map(|entry| (entry.from, entry.to)).collect();
    let [one, three] = [Some(version(1)), Some(version(3))];
    assert_eq!(moves, [(three, None), (one, three), (None, one)]);
    assert_eq!(
        (history[0].by.as_str(), history[0].reason.as_deref(), history[0].at),
        ("me", Some("better"), at(60))
    );
    assert!(
        registry
            .alias_history(&name("cpu"), Some(&name("other")))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn alias_that_is_elsewhere_is_left_there() {
    let place = three_versions().await;
    let registry = &place.registry;
    registry.set_alias(&change(None), version(2)).await.unwrap();
    let error = registry.set_alias(&change(to(1)), version(3)).await.unwrap_err();
    assert_eq!(error.to_string(), "alias `cpu@champion`: wanted `v1`, found `v2`");
    let error = registry
        .set_alias(&change(Some(Expected::Absent)), version(3))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "alias `cpu@champion`: wanted no such alias, found `v2`"
    );
    assert_eq!(error.hint().unwrap(), "platform registry history cpu");
    assert!(registry.remove_alias(&change(to(3))).await.is_err());
    assert_eq!(
        registry.models().await.unwrap()[0].aliases,
        [(name("champion"), version(2))]
    );
    assert_eq!(registry.alias_history(&name("cpu"), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn alias_set_to_where_it_is_leaves_no_history() {
    let place = three_versions().await;
    for _ in 0..2 {
        place.registry.set_alias(&change(None), version(2)).await.unwrap();
    }
    assert_eq!(place.registry.alias_history(&name("cpu"), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn alias_of_what_is_not_there_is_refused() {
    let place = three_versions().await;
    let error = place.registry.set_alias(&change(None), version(9)).await.unwrap_err();
    assert_eq!(error.to_string(), "no model version `cpu:v9`: the newest is `v3`");
    let error = place.registry.remove_alias(&change(None)).await.unwrap_err();
    assert_eq!(error.to_string(), "model `cpu` has no alias `champion`: it has none");
    place
        .registry
        .set_alias(
            &AliasChange {
                alias: name("shadow"),
                ..change(None)
            },
            version(1),
        )
        .await
        .unwrap();
    let error = place.registry.remove_alias(&change(None)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "model `cpu` has no alias `champion`: it has `shadow`"
    );
    assert_eq!(error.hint().unwrap(), "platform registry show cpu@shadow");
}

#[tokio::test]
async fn alias_to_a_version_of_another_model_is_refused_by_the_tables() {
    let place = three_versions().await;
    register(&place.registry, "disk", 3.0).await.unwrap();
    let error = outside(&place.file(), "insert into aliases values (1, 'champion', 4)")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
}
