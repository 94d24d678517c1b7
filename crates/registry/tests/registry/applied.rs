use registry::{ApplyOutcome, DefinitionKind, RegistryError};

use crate::fixture::{Place, at, definition, definitions, name, outside, version};

const GROUP: DefinitionKind = DefinitionKind::FeatureGroup;

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let place = Place::fresh().await;
    let first = place.registry.apply_definitions(&definitions(), at(1)).await.unwrap();
    assert!(first.iter().all(|applied| applied.outcome == ApplyOutcome::Added));
    let again = place.registry.apply_definitions(&definitions(), at(2)).await.unwrap();
    assert!(again.iter().all(|applied| applied.outcome == ApplyOutcome::Unchanged));
    let all = place.registry.definitions(None).await.unwrap();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|record| record.applied_at == at(1)));
    assert_eq!(place.registry.definitions(Some(GROUP)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn other_text_under_an_applied_version_is_refused_and_nothing_else_is_applied() {
    let place = Place::with_definitions().await;
    let changed = [
        definition(GROUP, "disks:v1", "new"),
        definition(GROUP, "metrics:v1", "other metrics"),
    ];
    let error = place.registry.apply_definitions(&changed, at(2)).await.unwrap_err();
    let RegistryError::ImmutableDefinition {
        kind,
        reference,
        old_text,
        new_text,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((*kind, reference.to_string().as_str()), (GROUP, "metrics:v1"));
    assert_eq!(
        (old_text.as_str(), new_text.as_str()),
        ("host metrics", "other metrics")
    );
    assert_eq!(
        error.hint().unwrap(),
        "version = 2 in the feature group, then `platform apply`"
    );
    assert_eq!(
        error.to_string(),
        "feature group `metrics:v1` in `feature_groups/metrics.toml` differs from what was applied as `metrics:v1`: an applied definition is immutable"
    );
    let disks = place
        .registry
        .definition(GROUP, &name("disks"), None)
        .await
        .unwrap_err();
    assert!(matches!(disks, RegistryError::UnknownDefinition { .. }));
}

#[tokio::test]
async fn other_words_with_the_same_meaning_are_unchanged() {
    let place = Place::with_definitions().await;
    let mut same = definition(GROUP, "metrics:v1", "host metrics");
    same.text = "# a comment\nhost metrics".to_owned();
    let applied = place.registry.apply_definitions(&[same], at(2)).await.unwrap();
    assert_eq!(applied[0].outcome, ApplyOutcome::Unchanged);
    let record = place.registry.definition(GROUP, &name("metrics"), None).await.unwrap();
    assert_eq!(record.text, "host metrics");
}

#[tokio::test]
async fn name_alone_means_the_newest_version() {
    let place = Place::with_definitions().await;
    let newer = [
        definition(GROUP, "metrics:v10", "ten"),
        definition(GROUP, "metrics:v9", "nine"),
    ];
    place.registry.apply_definitions(&newer, at(2)).await.unwrap();
    let newest = place.registry.definition(GROUP, &name("metrics"), None).await.unwrap();
    assert_eq!(newest.version, Some(version(10)));
    let first = place
        .registry
        .definition(GROUP, &name("metrics"), Some(version(1)))
        .await
        .unwrap();
    assert_eq!(first.text, "host metrics");
}

#[tokio::test]
async fn pipeline_applied_last_counts_also_when_it_had_counted_before() {
    let place = Place::fresh().await;
    let (a, b) = (
        definition(DefinitionKind::Pipeline, "p", "a"),
        definition(DefinitionKind::Pipeline, "p", "b"),
    );
    for (second, pipeline, outcome) in [
        (1, &a, ApplyOutcome::Added),
        (2, &b, ApplyOutcome::Changed),
        (3, &a, ApplyOutcome::Changed),
    ] {
        let applied = place
            .registry
            .apply_definitions(std::slice::from_ref(pipeline), at(second))
            .await
            .unwrap();
        assert_eq!(applied[0].outcome, outcome);
    }
    let counts = place
        .registry
        .definition(DefinitionKind::Pipeline, &name("p"), None)
        .await
        .unwrap();
    assert_eq!((counts.text.as_str(), counts.applied_at), ("a", at(3)));
    assert_eq!(
        place
            .registry
            .definitions(Some(DefinitionKind::Pipeline))
            .await
            .unwrap(),
        [counts]
    );
    assert_eq!(place.registry.pipeline_texts(&name("p")).await.unwrap().len(), 3);
}

#[tokio::test]
async fn unknown_definition_names_what_is_near() {
    let place = Place::with_definitions().await;
    let error = place
        .registry
        .definition(GROUP, &name("metric"), None)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "feature group `metric` has not been applied");
    assert_eq!(error.hint().unwrap(), "did you mean `metrics`?");
    let error = place
        .registry
        .definition(GROUP, &name("metrics"), Some(version(7)))
        .await
        .unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `metrics:v1`?");
    let error = place
        .registry
        .definition(GROUP, &name("weather"), None)
        .await
        .unwrap_err();
    assert_eq!(error.hint().unwrap(), "platform apply");
}

#[tokio::test]
async fn applied_definition_cannot_be_changed_or_deleted_by_any_program() {
    let place = Place::with_definitions().await;
    for statement in ["update definitions set text = 'x'", "delete from definitions"] {
        let error = outside(&place.file(), statement).await.unwrap_err();
        assert!(error.to_string().contains("immutable"), "{error}");
    }
}
