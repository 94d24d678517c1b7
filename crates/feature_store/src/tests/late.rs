//! Rows that came late, by their definition and against a nested loop.

use definitions::{EventTime, WallTime};
use proptest::prelude::*;

use super::{Bench, metrics};
use crate::{Lateness, late_rows};

/// Rows as `(host, minute)`, one list for each ingestion.
type Ingestions = Vec<Vec<(u8, u8)>>;

async fn lateness(ingestions: &Ingestions, most: usize) -> Lateness {
    let mut bench = Bench::new(metrics("")).await;
    for (at, rows) in ingestions.iter().enumerate() {
        let mut rows = rows.clone();
        rows.sort_unstable();
        rows.dedup();
        let lines = rows
            .iter()
            .map(|(host, minute)| format!("{host},2026-01-01T00:{minute:02}:00Z,{at}\n"));
        bench.now = WallTime(bench.now.0 + 1_000_000);
        bench
            .ingest(
                &format!("{at}.csv"),
                format!("host,ts,cpu\n{}", lines.collect::<String>()),
            )
            .await
            .unwrap();
    }
    late_rows(&bench.store, &bench.group, most).await.unwrap()
}

#[tokio::test]
async fn row_is_late_when_a_later_one_of_its_entity_was_there_before() {
    let found = lateness(
        &vec![vec![(1, 10), (1, 30), (2, 5)], vec![(1, 20), (1, 10), (2, 6), (3, 0)]],
        5,
    )
    .await;
    let counts: Vec<_> = found
        .ingestions
        .iter()
        .map(|of| (of.rows, of.late, of.corrections))
        .collect();
    assert_eq!(counts, [(3, 0, 0), (4, 1, 1)]);
    assert_eq!(found.ingestions[1].mean_micros, Some(600_000_000));
    assert_eq!(found.ingestions[1].longest.unwrap().to_string(), "10m");
    let time: EventTime = "2026-01-01T00:20:00Z".parse().unwrap();
    let latest: Vec<_> = found
        .latest
        .iter()
        .map(|row| (row.key.join(","), row.event_time, row.ingest_id))
        .collect();
    assert_eq!(latest, [("1".to_owned(), time, 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lateness_agrees_with_the_nested_loop(
        ingestions in proptest::collection::vec(proptest::collection::vec((0..3_u8, 0..60_u8), 1..12), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(lateness(&ingestions, 3));
        let mut latest = Vec::new();
        let mut counts: Vec<(u64, u64)> = Vec::new();
        let mut seen: Vec<(u8, u8)> = Vec::new();
        for rows in &ingestions {
            let mut rows = rows.clone();
            rows.sort_unstable();
            rows.dedup();
            let (mut late, mut corrections) = (0, 0);
            for (host, minute) in &rows {
                let newest = seen.iter().filter(|(other, _)| other == host).map(|(_, minute)| *minute).max();
                if seen.contains(&(*host, *minute)) {
                    corrections += 1;
                } else if let Some(newest) = newest.filter(|newest| newest > minute) {
                    late += 1;
                    latest.push(i64::from(newest - minute) * 60_000_000);
                }
            }
            counts.push((late, corrections));
            seen.extend(rows);
        }
        // The same rows again are the same content, which is ingested once.
        prop_assume!(found.ingestions.len() == counts.len());
        prop_assert_eq!(found.ingestions.iter().map(|of| (of.late, of.corrections)).collect::<Vec<_>>(), counts);
        latest.sort_unstable_by(|a, b| b.cmp(a));
        latest.truncate(3);
        prop_assert_eq!(found.latest.iter().map(|row| row.late_micros).collect::<Vec<_>>(), latest);
    }
}
