//! Ingestions one after the other, twice, at once, and cut off.

use definitions::{KnownAt, WallTime};

use super::{Bench, check, metrics};
use crate::ingest::{Earnest, IngestOutcome, IngestRequest, Repeat, ingest, ingestions};
use crate::{PinAt, StoreError, collect_group, create_table, history, pin_group};

const FIRST: &str = "host,ts,cpu\na,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,1\n";
const SECOND: &str = "host,ts,cpu\na,2026-01-01T00:00:00Z,9\n";

#[tokio::test]
async fn correction_is_a_new_row_after_the_old_one() {
    let mut bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", FIRST).await.unwrap();
    let before = bench.pin().await;
    bench.now = WallTime(bench.now.0 + 60_000_000);
    bench.ingest("2.csv", SECOND).await.unwrap();
    check(
        &bench.all_columns().await,
        "a 2026-01-01T00:00:00Z 1.0 2026-03-01T00:00:00Z 1 0
         a 2026-01-01T00:00:00Z 9.0 2026-03-01T00:01:00Z 2 0
         b 2026-01-01T00:00:00Z 1.0 2026-03-01T00:00:00Z 1 1",
    );
    // As it was known before, and as it was pinned before.
    let as_known: KnownAt = "2026-03-01T00:00:00Z".parse().unwrap();
    let known = collect_group(&bench.store, &bench.group, &bench.pin().await, &[], Some(as_known))
        .await
        .unwrap();
    assert_eq!(known.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    check(
        &bench.rows_of(&before).await,
        "a 2026-01-01T00:00:00Z 1.0\nb 2026-01-01T00:00:00Z 1.0",
    );
}

#[tokio::test]
async fn known_at_never_goes_back_when_the_wall_clock_does() {
    let mut bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", FIRST).await.unwrap();
    bench.now = WallTime(bench.now.0 - 3_600_000_000);
    let receipt = bench.ingest("2.csv", SECOND).await.unwrap();
    assert_eq!(
        (receipt.known_at.to_string().as_str(), receipt.ingest_id),
        ("2026-03-01T00:00:00Z", 2)
    );
}

#[tokio::test]
async fn same_file_twice_changes_nothing_unless_forced() {
    let bench = Bench::new(metrics("")).await;
    let first = bench.ingest("1.csv", FIRST).await.unwrap();
    let again = bench.ingest("other_name.csv", FIRST).await.unwrap();
    assert_eq!(again.outcome, IngestOutcome::AlreadyThere);
    assert_eq!(
        (again.ingestion.clone(), again.delta_version),
        (first.ingestion.clone(), 1)
    );
    assert_eq!(bench.pin().await.delta_version, 1);
    let file = bench.file("1.csv", FIRST);
    let forced = ingest(IngestRequest {
        repeat: Repeat::Again,
        ..bench.request(&[file])
    })
    .await
    .unwrap();
    assert_eq!((forced.outcome, forced.ingest_id), (IngestOutcome::Committed, 2));
    let found = ingestions(&bench.store, &bench.group).await.unwrap();
    assert_eq!(found, [first, forced]);
}

#[tokio::test]
async fn dry_run_checks_everything_and_writes_nothing() {
    let bench = Bench::new(metrics("")).await;
    let file = bench.file("1.csv", FIRST);
    let receipt = ingest(IngestRequest {
        earnest: Earnest::DryRun,
        ..bench.request(&[file])
    })
    .await
    .unwrap();
    assert_eq!(
        (receipt.outcome, receipt.rows, receipt.ingest_id),
        (IngestOutcome::DryRun, 2, 1)
    );
    assert_eq!(bench.pin().await.delta_version, 0);
    assert!(bench.parquet_files().is_empty());
    assert_eq!(std::fs::read_dir(bench.store.spill_folder()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_ingestions_lose_no_row_and_number_themselves_apart() {
    let bench = Bench::new(metrics("")).await;
    let mut running = Vec::new();
    for worker in 0..4 {
        for round in 0..4 {
            let name = format!("{worker}-{round}.csv");
            let file = bench.file(
                &name,
                format!("host,ts,cpu\nw{worker},2026-01-01T00:0{round}:00Z,{round}\n"),
            );
            running.push(tokio::spawn(ingest(bench.request(&[file]))));
        }
    }
    for ingestion in running {
        assert_eq!(ingestion.await.unwrap().unwrap().outcome, IngestOutcome::Committed);
    }
    let found = ingestions(&bench.store, &bench.group).await.unwrap();
    assert_eq!(
        found.iter().map(|receipt| receipt.ingest_id).collect::<Vec<_>>(),
        (1..=16).collect::<Vec<_>>()
    );
    let pin = bench.pin().await;
    assert_eq!((pin.rows(), pin.files.len()), (16, 16));
    let ids = collect_group(&bench.store, &bench.group, &pin, &[], None)
        .await
        .unwrap();
    let mut ids: Vec<i64> = ids
        .iter()
        .flat_map(|batch| {
            arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batch.column(1))
                .values()
                .to_vec()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=16).collect::<Vec<_>>());
    // Nothing is left of lost races.
    assert_eq!(bench.parquet_files().len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_ingestions_of_one_content_are_one() {
    let bench = Bench::new(metrics("")).await;
    let file = bench.file("1.csv", FIRST);
    let running: Vec<_> = (0..6)
        .map(|_| tokio::spawn(ingest(bench.request(std::slice::from_ref(&file)))))
        .collect();
    let mut committed = 0;
    for ingestion in running {
        committed += usize::from(ingestion.await.unwrap().unwrap().outcome == IngestOutcome::Committed);
    }
    assert_eq!(committed, 1);
    assert_eq!(bench.pin().await.rows(), 2);
    assert_eq!(bench.parquet_files().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn table_is_made_once_however_many_make_it() {
    let bench = Bench::new(metrics("")).await;
    std::fs::remove_dir_all(&bench.store.root).unwrap();
    let make = |_| {
        let (store, group) = (bench.store.clone(), bench.group.clone());
        tokio::spawn(async move { create_table(&store, &group).await })
    };
    let running: Vec<_> = (0..8).map(make).collect();
    for making in running {
        making.await.unwrap().unwrap();
    }
    assert_eq!(bench.pin().await.delta_version, 0);
    assert_eq!(std::fs::read_dir(bench.store.root.join("staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn versions_are_pinned_by_number_and_by_time() {
    let bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", FIRST).await.unwrap();
    let first = bench.pin().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    bench.ingest("2.csv", SECOND).await.unwrap();
    let pin = |at| pin_group(&bench.store, &bench.group, at);
    assert_eq!(pin(PinAt::Version(1)).await.unwrap(), first);
    assert_eq!(pin(PinAt::Time(first.committed_at)).await.unwrap(), first);
    assert_eq!(pin(PinAt::Time(WallTime(i64::MAX))).await.unwrap().delta_version, 2);
    let error = pin(PinAt::Version(7)).await.unwrap_err();
    assert_eq!(error.to_string(), "`m:v1` has no version 7; the newest is 2");
    assert!(matches!(
        pin(PinAt::Time(WallTime(0))).await,
        Err(StoreError::BeforeCreation { .. })
    ));
    let changes = history(&bench.store, &bench.group).await.unwrap();
    assert_eq!(
        changes
            .iter()
            .map(|change| change.operation.as_str())
            .collect::<Vec<_>>(),
        ["CREATE TABLE", "WRITE", "WRITE"]
    );
    assert_eq!(changes[2].ingestion.as_ref().unwrap().ingest_id, 2);
    assert!(changes[0].ingestion.is_none());
}

#[tokio::test]
async fn group_that_was_not_applied_has_no_table() {
    let bench = Bench::new(metrics("")).await;
    let mut other = bench.group.clone();
    other.name = "other".parse().unwrap();
    let error = pin_group(&bench.store, &other, PinAt::Newest).await.unwrap_err();
    assert_eq!(error.to_string(), "`other:v1` has no table: it has not been applied");
    assert_eq!(error.hint().unwrap(), "platform apply");
}

#[tokio::test]
async fn numbers_hashes_and_order_outlive_a_checkpoint() {
    let bench = Bench::new(metrics("")).await;
    let text = |day: u32| format!("host,ts,cpu\na,2026-01-01T00:{:02}:{:02}Z,{day}\n", day / 60, day % 60);
    for day in 0..101 {
        bench.ingest("1.csv", text(day)).await.unwrap();
    }
    let log = bench.table_folder().join("_delta_log");
    assert!(log.join("_last_checkpoint").is_file());
    assert_eq!(
        bench.ingest("1.csv", text(3)).await.unwrap().outcome,
        IngestOutcome::AlreadyThere
    );
    assert_eq!(bench.ingest("1.csv", text(200)).await.unwrap().ingest_id, 102);
    let pin = bench.pin().await;
    assert_eq!(
        (pin.rows(), pin.files.iter().filter(|file| file.sorted).count()),
        (102, 102)
    );
    assert_eq!(bench.rows().await.lines().count(), 102);
    assert_eq!(ingestions(&bench.store, &bench.group).await.unwrap().len(), 102);
    assert_eq!(
        pin_group(&bench.store, &bench.group, PinAt::Version(2))
            .await
            .unwrap()
            .rows(),
        2
    );
}
