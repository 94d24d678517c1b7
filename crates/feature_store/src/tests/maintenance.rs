//! Compaction, vacuum, statistics.

use definitions::{Duration, WallTime};

use super::{Bench, check, metrics};
use crate::ingest::Earnest;
use crate::{GroupPin, VacuumRequest, compact, group_statistics, pin_group, vacuum};

async fn filled() -> Bench {
    let bench = Bench::new(metrics("")).await;
    bench
        .ingest(
            "1.csv",
            "host,ts,cpu\na,2026-01-01T00:00:00Z,1\nb,2026-01-02T00:00:00Z,\n",
        )
        .await
        .unwrap();
    bench
        .ingest(
            "2.csv",
            "host,ts,cpu\na,2026-01-01T00:00:00Z,9\nc,2026-01-01T00:00:00Z,4\n",
        )
        .await
        .unwrap();
    bench
}

fn request<'a>(pins: &'a [GroupPin], earnest: Earnest) -> VacuumRequest<'a> {
    let later = WallTime(WallTime::now().0 + 1_000_000);
    VacuumRequest {
        pins,
        grace: Duration::ZERO,
        now: later,
        earnest,
    }
}

#[tokio::test]
async fn compaction_keeps_every_row_and_every_pin() {
    let bench = filled().await;
    let (before, old) = (bench.all_columns().await, bench.pin().await);
    let receipt = compact(&bench.store, &bench.group).await.unwrap();
    assert_eq!(
        (
            receipt.files_merged,
            receipt.files_written,
            receipt.rows,
            receipt.delta_version
        ),
        (2, 1, 4, 3)
    );
    assert_eq!(bench.all_columns().await, before);
    assert_eq!(bench.pin().await.files.len(), 1);
    let rows = bench.rows_of(&old).await;
    assert_eq!(rows, bench.rows().await);
    assert_eq!(compact(&bench.store, &bench.group).await.unwrap().files_merged, 0);
    // The next ingestion goes on where the last one was.
    assert_eq!(
        bench
            .ingest("3.csv", "host,ts,cpu\nd,2026-01-01T00:00:00Z,1\n")
            .await
            .unwrap()
            .ingest_id,
        3
    );
}

#[tokio::test]
async fn vacuum_removes_what_nothing_needs_and_never_what_is_pinned() {
    let bench = filled().await;
    let old = bench.pin().await;
    let first = pin_group(&bench.store, &bench.group, crate::PinAt::Version(1))
        .await
        .unwrap();
    compact(&bench.store, &bench.group).await.unwrap();
    std::fs::write(bench.table_folder().join("part-orphan.parquet"), "half").unwrap();
    let pins = [old.clone()];
    let dry = vacuum(&bench.store, &bench.group, &request(&pins, Earnest::DryRun))
        .await
        .unwrap();
    assert_eq!(
        dry.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["part-orphan.parquet"]
    );
    assert_eq!(bench.parquet_files().len(), 4);
    assert_eq!(
        vacuum(&bench.store, &bench.group, &request(&pins, Earnest::Commit))
            .await
            .unwrap(),
        dry
    );
    let rows = bench.rows().await;
    assert_eq!(bench.rows_of(&old).await, rows);
    // Only the first file is pinned now: the second one may go.
    let pins = [first.clone()];
    assert_eq!(
        vacuum(&bench.store, &bench.group, &request(&pins, Earnest::Commit))
            .await
            .unwrap()
            .len(),
        1
    );
    check(
        &bench.rows_of(&first).await,
        "a 2026-01-01T00:00:00Z 1.0\nb 2026-01-02T00:00:00Z -",
    );
    assert_eq!(bench.rows().await, rows);
    let error = crate::collect_group(&bench.store, &bench.group, &old, &[], None)
        .await
        .unwrap_err();
    assert!(matches!(error, crate::StoreError::PinnedFileMissing { .. }), "{error}");
}

#[tokio::test]
async fn vacuum_leaves_what_is_young() {
    let bench = filled().await;
    std::fs::write(bench.table_folder().join("part-at-work.parquet"), "half").unwrap();
    let hour = VacuumRequest {
        grace: "1h".parse().unwrap(),
        ..request(&[], Earnest::Commit)
    };
    assert!(vacuum(&bench.store, &bench.group, &hour).await.unwrap().is_empty());
}

#[tokio::test]
async fn statistics_are_of_the_rows_that_count() {
    let bench = filled().await;
    let found = group_statistics(&bench.store, &bench.group).await.unwrap();
    assert_eq!(
        (found.rows, found.superseded, found.entities, found.files),
        (3, 1, 3, 2)
    );
    assert_eq!(found.first_event_time.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(found.last_event_time.unwrap().to_string(), "2026-01-02T00:00:00Z");
    let cpu = &found.columns[2];
    assert_eq!(
        (cpu.column.as_str(), cpu.rows, cpu.nulls, cpu.mean),
        ("cpu", 3, 1, Some(6.5))
    );
    let empty = Bench::new(metrics("")).await;
    let found = group_statistics(&empty.store, &empty.group).await.unwrap();
    assert_eq!((found.rows, found.entities, found.first_event_time), (0, 0, None));
}
