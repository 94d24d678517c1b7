use registry::{MetricFilter, Search};

use crate::alias::change;
use crate::fixture::{Place, name, register, version};

async fn found(place: &Place, search: Search) -> Vec<String> {
    place
        .registry
        .search(&search)
        .await
        .unwrap()
        .iter()
        .map(|found| found.reference.to_string())
        .collect()
}

fn words(words: &[&str]) -> Search {
    Search {
        words: words.iter().map(|&word| word.to_owned()).collect(),
        ..Search::default()
    }
}

fn metric(filter: &str) -> Search {
    Search {
        metrics: vec![filter.parse().unwrap()],
        ..Search::default()
    }
}

#[tokio::test]
async fn search_finds_by_words_alias_and_metrics_together() {
    let place = Place::with_definitions().await;
    for (model, mae) in [("cpu", 3.0), ("cpu", 2.0), ("disk", 9.0)] {
        register(&place.registry, model, mae).await.unwrap();
    }
    place.registry.set_alias(&change(None), version(1)).await.unwrap();
    assert_eq!(found(&place, Search::default()).await, ["cpu:v2", "cpu:v1", "disk:v1"]);
    assert_eq!(found(&place, words(&["CPU"])).await.len(), 3, "the view's name counts");
    assert_eq!(found(&place, words(&["disk", "Runs HOT"])).await, ["disk:v1"]);
    assert_eq!(found(&place, words(&["capacity alerts", "infra"])).await.len(), 3);
    assert_eq!(found(&place, words(&["champion"])).await, ["cpu:v1"]);
    assert!(found(&place, words(&["100%"])).await.is_empty());
    let champion = Search {
        alias: Some(name("champion")),
        ..Search::default()
    };
    assert_eq!(found(&place, champion.clone()).await, ["cpu:v1"]);
    assert_eq!(found(&place, metric("mae < 3")).await, ["cpu:v2"]);
    assert_eq!(found(&place, metric("mae<=3")).await, ["cpu:v2", "cpu:v1"]);
    // The train part's value, the slices' and the baseline's do not count.
    assert_eq!(found(&place, metric("mae > 3.5")).await, ["disk:v1"]);
    assert!(found(&place, metric("mae < 1.9")).await.is_empty());
    assert!(found(&place, metric("rmse > 0")).await.is_empty());
    let both = Search {
        metrics: vec!["mae < 3".parse().unwrap()],
        ..champion
    };
    assert!(found(&place, both).await.is_empty());
}

#[test]
fn limit_on_a_metric_is_read_or_refused() {
    for text in ["mae < 3", "mae<3", " mae  >= -1e3", "pinball(0.9) <= 4", "f1 = 1"] {
        text.parse::<MetricFilter>().unwrap_or_else(|error| panic!("{error}"));
    }
    for text in [
        "mae",
        "< 3",
        "mae < three",
        "mae < NaN",
        "mean error < 3",
        "mae == 3",
        "mae =< 3",
    ] {
        let error = text.parse::<MetricFilter>().expect_err(text);
        assert_eq!(
            error.to_string(),
            format!("`{text}` is not a limit on a metric, such as `mae < 3`")
        );
    }
}
