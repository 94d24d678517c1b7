//! Revisions: when each stood, who set what, and that nothing but time takes them away.

use std::collections::BTreeMap;

use definitions::{KnownAt, WallTime};
use futures::TryStreamExt;
use proptest::prelude::*;

use super::{Bench, check, lines, metrics};
use crate::ingest::{IngestRequest, ingest};
use crate::query::query;
use crate::query::superseded::Superseded;
use crate::{Entity, blame, collect_group, compact};

async fn asked(bench: &Bench, sql: &str) -> String {
    let groups = BTreeMap::from([(bench.group.reference(), bench.group.clone())]);
    let answer = query(&bench.store, &groups, sql).await.unwrap();
    lines(&answer.batches.try_collect::<Vec<_>>().await.unwrap())
}

/// Ingests at a day of March 2026.
async fn on_day(bench: &Bench, day: u32, rows: &str) {
    let header = match bench.group.known_at {
        Some(_) => "host,ts,seen,cpu",
        None => "host,ts,cpu",
    };
    let file = bench.file(&format!("{day}.csv"), format!("{header}\n{rows}\n"));
    let now: WallTime = format!("2026-03-{day:02}T00:00:00Z").parse().unwrap();
    ingest(IngestRequest {
        now,
        ..bench.request(&[file])
    })
    .await
    .unwrap();
}

const PERIODS: &str = "select host, ts, cpu, valid_from, valid_to from \"m:v1$history\"";

#[tokio::test]
async fn every_revision_has_its_period() {
    let bench = Bench::new(metrics("history = \"scd2\"")).await;
    on_day(&bench, 1, "a,2026-01-01T00:00:00Z,1\na,2026-01-01T00:05:00Z,2").await;
    on_day(&bench, 2, "a,2026-01-01T00:00:00Z,3\nb,2026-01-01T00:00:00Z,4").await;
    on_day(&bench, 5, "a,2026-01-01T00:00:00Z,5").await;
    let wanted = "a 2026-01-01T00:00:00Z 1.0 2026-03-01T00:00:00Z 2026-03-02T00:00:00Z
         a 2026-01-01T00:00:00Z 3.0 2026-03-02T00:00:00Z 2026-03-05T00:00:00Z
         a 2026-01-01T00:00:00Z 5.0 2026-03-05T00:00:00Z -
         a 2026-01-01T00:05:00Z 2.0 2026-03-01T00:00:00Z -
         b 2026-01-01T00:00:00Z 4.0 2026-03-02T00:00:00Z -";
    check(&asked(&bench, PERIODS).await, wanted);
    compact(&bench.store, &bench.group).await.unwrap();
    check(&asked(&bench, PERIODS).await, wanted);
    check(
        &asked(&bench, "select valid_to, cpu from \"m:v1$history\" where cpu = 1").await,
        "2026-03-02T00:00:00Z 1.0",
    );
}

#[tokio::test]
async fn revision_that_a_declared_time_puts_behind_never_stood() {
    let bench = Bench::new(metrics("known_at = \"seen\"\nhistory = \"scd2\"")).await;
    on_day(
        &bench,
        1,
        "a,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,3\na,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,1",
    )
    .await;
    on_day(&bench, 2, "a,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,2").await;
    check(
        &asked(&bench, PERIODS).await,
        "a 2026-01-01T00:00:00Z 1.0 2026-03-01T00:00:00Z 2026-03-01T00:00:00Z
         a 2026-01-01T00:00:00Z 2.0 2026-03-02T00:00:00Z 2026-03-02T00:00:00Z
         a 2026-01-01T00:00:00Z 3.0 2026-03-01T00:00:00Z -",
    );
}

#[tokio::test]
async fn groups_without_history_have_no_periods_to_ask_for() {
    let bench = Bench::new(metrics("")).await;
    let groups = BTreeMap::from([(bench.group.reference(), bench.group.clone())]);
    assert!(query(&bench.store, &groups, PERIODS).await.is_err());
}

fn entity(bench: &Bench, texts: &[&str]) -> Entity {
    let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    Entity::parse(&bench.group, &texts).unwrap()
}

#[tokio::test]
async fn value_is_blamed_on_the_last_revision_that_changed_it() {
    let bench = Bench::new(super::definition(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"cpu\"\ntype = \"float64\"\n[[features]]\nname = \"os\"\ntype = \"utf8\"\n",
    ))
    .await;
    bench
        .ingest(
            "1.csv",
            "host,ts,cpu,os\nb,2026-01-01T00:00:00Z,1,\"x\ny\"\na,2026-01-01T00:00:00Z,1,bsd\n",
        )
        .await
        .unwrap();
    bench
        .ingest(
            "2.csv",
            "host,ts,cpu,os\na,2026-01-01T00:00:00Z,2,bsd\na,2026-01-01T00:10:00Z,9,bsd\n",
        )
        .await
        .unwrap();
    bench
        .ingest("3.csv", "host,ts,cpu,os\na,2026-01-01T00:00:00Z,3,bsd\n")
        .await
        .unwrap();
    let at = Some("2026-01-01T00:09:00Z".parse().unwrap());
    let found = blame(&bench.store, &bench.group, &entity(&bench, &["a"]), at)
        .await
        .unwrap()
        .unwrap();
    let set_by: Vec<(String, String, i64)> = found
        .values
        .iter()
        .map(|value| {
            (
                value.column.to_string(),
                value.value.clone().unwrap(),
                found.revisions[value.set_by].ingest_id,
            )
        })
        .collect();
    assert_eq!(
        set_by,
        [
            ("cpu".to_owned(), "3.0".to_owned(), 3),
            ("os".to_owned(), "bsd".to_owned(), 1)
        ]
    );
    let first = found.revisions[0].origin.clone().unwrap();
    assert!(first.file.ends_with("1.csv"), "{first:?}");
    // A text of two lines stands before it.
    assert_eq!((first.row, first.line), (Some(2), Some(4)));
    std::fs::write(bench.folder.path().join("1.csv"), "changed").unwrap();
    let newest = blame(&bench.store, &bench.group, &entity(&bench, &["host=a"]), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(newest.revisions.len(), 1);
    let found = blame(&bench.store, &bench.group, &entity(&bench, &["a"]), at)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.revisions[0].origin.as_ref().unwrap().line, None);
    let early = Some("2025-01-01T00:00:00Z".parse().unwrap());
    assert!(
        blame(&bench.store, &bench.group, &entity(&bench, &["a"]), early)
            .await
            .unwrap()
            .is_none()
    );
    let wrong = Entity::parse(&bench.group, &["hots=a".to_owned(), "b".to_owned()]).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "the entity of `m:v1`: wanted --entity host=… (utf8), found `hots=a b`"
    );
}

/// An ingestion: host, minute, day on which it was seen.
type Revisions = Vec<Vec<(u8, u8, u8)>>;

/// For every time: the rows that readers saw then are those whose period holds it.
fn twin(ingestions: &Revisions) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bench = Bench::new(metrics("known_at = \"seen\"\nhistory = \"scd2\"")).await;
        for (at, rows) in ingestions.iter().enumerate() {
            let rows: BTreeMap<(u8, u8, u8), usize> = rows.iter().copied().zip(0..).collect();
            let line = |((host, minute, seen), value): (&(u8, u8, u8), &usize)| {
                let value = at * 100 + value;
                format!("h{host},2026-01-01T00:0{minute}:00Z,2026-01-0{seen}T00:00:00Z,{value}")
            };
            let text: Vec<String> = rows.iter().map(line).collect();
            on_day(&bench, 1 + 2 * u32::try_from(at).unwrap(), &text.join("\n")).await;
        }
        if ingestions.len().is_multiple_of(2) {
            compact(&bench.store, &bench.group).await.unwrap();
        }
        for day in 1..=u32::try_from(2 * ingestions.len()).unwrap() {
            let time = format!("2026-03-{day:02}T00:00:00Z");
            let known: WallTime = time.parse().unwrap();
            let pin = bench.pin().await;
            let all = collect_group(&bench.store, &bench.group, &pin, &bench.columns(), Some(KnownAt(known.0))).await.unwrap();
            let mut superseded = Superseded::new(vec![0, 1]);
            let mut seen = Vec::new();
            for batch in &all {
                seen.extend(superseded.push(batch).unwrap());
            }
            seen.extend(superseded.finish());
            let seen: Vec<_> = seen.iter().map(|batch| batch.project(&[0, 1, 3]).unwrap()).collect();
            let sql = format!(
                "select host, ts, cpu from \"m:v1$history\" where valid_from <= '{time}' and (valid_to is null or valid_to > '{time}')"
            );
            prop_assert_eq!(lines(&seen), asked(&bench, &sql).await);
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn rows_seen_at_a_time_are_those_whose_period_holds_it(
        ingestions in proptest::collection::vec(proptest::collection::vec((0_u8..2, 0_u8..3, 1_u8..5), 1..6), 1..5),
    ) {
        twin(&ingestions)?;
    }
}
