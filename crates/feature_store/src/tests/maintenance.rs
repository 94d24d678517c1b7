//! Compaction, vacuum, statistics.

use definitions::{Duration, WallTime};
use futures::TryStreamExt;

use super::{Bench, check, lines, metrics};
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

async fn asked(bench: &Bench, sql: &str) -> Result<String, crate::StoreError> {
    let groups = [(bench.group.reference(), bench.group.clone())].into();
    let answer = crate::query::query(&bench.store, &groups, sql).await?;
    Ok(lines(&answer.batches.try_collect::<Vec<_>>().await?))
}

#[tokio::test]
async fn version_that_was_cleaned_up_reads_as_before() {
    let bench = filled().await;
    let time = |version| pin_group(&bench.store, &bench.group, crate::PinAt::Version(version));
    let second = time(2).await.unwrap().committed_at;
    let questions = [
        "select * from at('m:v1', 0) order by host".to_owned(),
        "select * from at('m:v1', 1) order by host".to_owned(),
        "select * from at('m:v1', 2) order by host".to_owned(),
        "select count(*), sum(cpu) from at('m:v1', 1)".to_owned(),
        format!("select * from at('m:v1', '{second}') order by host"),
    ];
    let mut before = Vec::new();
    for question in &questions {
        before.push(asked(&bench, question).await.unwrap());
    }
    check(&before[1], "a 2026-01-01T00:00:00Z 1.0\nb 2026-01-02T00:00:00Z -");
    compact(&bench.store, &bench.group).await.unwrap();
    bench
        .ingest(
            "3.csv",
            "host,ts,cpu\na,2026-01-01T00:00:00Z,77\nz,2026-01-03T00:00:00Z,5\n",
        )
        .await
        .unwrap();
    compact(&bench.store, &bench.group).await.unwrap();
    let removed = vacuum(&bench.store, &bench.group, &request(&[], Earnest::Commit)).await;
    assert_eq!(removed.unwrap().len(), 4);
    for (question, before) in questions.iter().zip(&before) {
        assert_eq!(&asked(&bench, question).await.unwrap(), before, "{question}");
    }
}

#[tokio::test]
async fn version_that_cannot_be_told_from_later_ones_says_so() {
    let bench = filled().await;
    let table = crate::storage::open_group(&bench.store, &bench.group.reference(), None).await;
    table.unwrap().delete().with_predicate("host = 'b'").await.unwrap();
    compact(&bench.store, &bench.group).await.unwrap();
    vacuum(&bench.store, &bench.group, &request(&[], Earnest::Commit))
        .await
        .unwrap();
    let error = asked(&bench, "select * from at('m:v1', 1)").await.unwrap_err();
    let newest = bench.pin().await.delta_version;
    assert_eq!(
        error.to_string(),
        format!(
            "version 1 of `m:v1` cannot be read: a clean-up (`platform gc`) removed files of it, and another program has written to the table; versions that can be read: 0, {newest}"
        )
    );
    assert_eq!(error.hint(), Some(format!("at('m:v1', {newest})")));
    assert_eq!(error.fault(), definitions::Fault::Input);
}

#[tokio::test]
async fn file_of_the_newest_version_that_is_missing_is_damage_at_any_version() {
    let bench = filled().await;
    std::fs::remove_file(bench.table_folder().join(&bench.pin().await.files[0].path)).unwrap();
    let error = asked(&bench, "select * from at('m:v1', 2)").await.unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("platform doctor"), "{error}");
}
