//! An entity is forgotten where nothing pins it, and nobody else loses a row.

use std::collections::BTreeMap;

use definitions::{Duration, WallTime};
use proptest::prelude::*;

use super::{Bench, check, metrics};
use crate::ingest::Earnest;
use crate::{
    Entity, PinAt, VacuumRequest, compact, forget, forget_in_file, forget_in_quarantine, pin_group, rows_of_entity,
    vacuum,
};

fn host(bench: &Bench, name: &str) -> Entity {
    Entity::parse(&bench.group, &[name.to_owned()]).unwrap()
}

#[tokio::test]
async fn forgotten_rows_stay_only_where_they_are_pinned() {
    let bench = Bench::new(metrics("")).await;
    bench
        .ingest(
            "1.csv",
            "host,ts,cpu\na,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,2\n",
        )
        .await
        .unwrap();
    let pinned = bench.pin().await;
    bench
        .ingest("2.csv", "host,ts,cpu\na,2026-01-01T00:05:00Z,3\n")
        .await
        .unwrap();
    bench
        .ingest("3.csv", "host,ts,cpu\nb,2026-01-01T00:05:00Z,4\n")
        .await
        .unwrap();
    let entity = host(&bench, "a");
    let receipt = forget(
        &bench.store,
        &bench.group,
        &entity,
        std::slice::from_ref(&pinned),
        WallTime::now(),
    )
    .await
    .unwrap();
    // The pinned file stays; the one of the second ingestion goes without another in its place.
    assert_eq!(
        (receipt.rows, receipt.files_rewritten, receipt.files_removed.len()),
        (2, 2, 1)
    );
    check(
        &bench.rows().await,
        "b 2026-01-01T00:00:00Z 2.0\nb 2026-01-01T00:05:00Z 4.0",
    );
    assert_eq!(
        rows_of_entity(&bench.store, &bench.group, &pinned, &entity)
            .await
            .unwrap(),
        1
    );
    let again = forget(&bench.store, &bench.group, &entity, &[], WallTime::now())
        .await
        .unwrap();
    assert_eq!(
        (again.rows, again.files_rewritten, again.files_removed.len()),
        (0, 0, 1)
    );
    assert!(
        rows_of_entity(&bench.store, &bench.group, &pinned, &entity)
            .await
            .is_err()
    );
    let files = bench.parquet_files();
    let columns = ["host".to_owned()];
    let found: Vec<u64> = files
        .iter()
        .map(|file| forget_in_file(file, &entity, &columns, bench.folder.path()).unwrap())
        .collect();
    assert_eq!(found, [0, 0]);
    // Nothing was left for a clean-up, and the same file does not bring the rows back.
    let request = VacuumRequest {
        pins: &[],
        grace: Duration::ZERO,
        now: WallTime::now(),
        earnest: Earnest::DryRun,
    };
    assert!(vacuum(&bench.store, &bench.group, &request).await.unwrap().is_empty());
    bench
        .ingest("2.csv", "host,ts,cpu\na,2026-01-01T00:05:00Z,3\n")
        .await
        .unwrap();
    check(
        &bench.rows().await,
        "b 2026-01-01T00:00:00Z 2.0\nb 2026-01-01T00:05:00Z 4.0",
    );
}

#[tokio::test]
async fn rows_of_a_file_are_taken_out_in_one_step() {
    let bench = Bench::new(metrics("")).await;
    bench
        .ingest(
            "1.csv",
            "host,ts,cpu\na,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,2\n",
        )
        .await
        .unwrap();
    let file = bench.parquet_files().remove(0);
    let (entity, columns) = (host(&bench, "a"), ["host".to_owned()]);
    assert_eq!(
        forget_in_file(&file, &entity, &columns, bench.folder.path()).unwrap(),
        1
    );
    assert_eq!(
        forget_in_file(&file, &entity, &columns, bench.folder.path()).unwrap(),
        0
    );
    assert_eq!(
        forget_in_file(&file, &host(&bench, "b"), &["other".to_owned()], bench.folder.path()).unwrap(),
        0
    );
}

#[tokio::test]
async fn rows_in_quarantine_are_forgotten_too() {
    let group = super::definition(
        "name = \"m\"\nversion = 1\nentity = [{ name = \"meter\", type = \"int32\" }]\nevent_time = \"ts\"\non_violation = \"quarantine\"\ncolumns = { meter = \"Meter No\" }\n[[features]]\nname = \"v\"\ntype = \"float64\"\n",
    );
    let bench = Bench::new(group).await;
    let rows =
        "7,2026-01-01T00:00:00Z,bad\n8,2026-01-01T00:00:00Z,bad\n8,2026-01-01T00:05:00Z,1\nx,2026-01-01T00:00:00Z,1\n";
    bench.ingest("1.csv", format!("Meter No,ts,v\n{rows}")).await.unwrap();
    bench
        .ingest("2.csv", "Meter No,ts,v\n07,2026-01-01T00:05:00Z,worse\n")
        .await
        .unwrap();
    let (seven, eight) = (host(&bench, "7"), host(&bench, "8"));
    assert_eq!(
        forget_in_quarantine(&bench.store, &bench.group, &seven).await.unwrap(),
        2
    );
    assert_eq!(
        forget_in_quarantine(&bench.store, &bench.group, &seven).await.unwrap(),
        0
    );
    let folder = bench.store.quarantine_folder(&bench.group.reference());
    let files = std::fs::read_dir(folder).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|end| end == "parquet")
    });
    assert_eq!(files.count(), 1);
    assert_eq!(
        forget_in_quarantine(&bench.store, &bench.group, &eight).await.unwrap(),
        1
    );
    assert_eq!(
        forget_in_quarantine(&bench.store, &bench.group, &eight).await.unwrap(),
        0
    );
}

/// Ingestions of host and minute.
type Ingestions = Vec<Vec<(u8, u8)>>;

fn twin(ingestions: &Ingestions, forgotten: u8) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bench = Bench::new(metrics("")).await;
        for (at, rows) in ingestions.iter().enumerate() {
            let rows: BTreeMap<(u8, u8), usize> = rows.iter().copied().zip(0..).collect();
            let line = |((host, minute), value): (&(u8, u8), &usize)| {
                format!("h{host},2026-01-01T00:{minute:02}:00Z,{}\n", at * 100 + value)
            };
            let text: String = rows.iter().map(line).collect();
            bench
                .ingest(&format!("{at}.csv"), format!("host,ts,cpu\n{text}"))
                .await
                .unwrap();
        }
        if ingestions.len().is_multiple_of(2) {
            compact(&bench.store, &bench.group).await.unwrap();
        }
        let name = format!("h{forgotten}");
        let wanted: Vec<String> = bench
            .all_columns()
            .await
            .lines()
            .filter(|line| !line.starts_with(&format!("{name} ")))
            .map(str::to_owned)
            .collect();
        let entity = host(&bench, &name);
        forget(&bench.store, &bench.group, &entity, &[], WallTime::now())
            .await
            .unwrap();
        let found: Vec<String> = bench.all_columns().await.lines().map(str::to_owned).collect();
        prop_assert_eq!(found, wanted);
        let newest = pin_group(&bench.store, &bench.group, PinAt::Newest).await.unwrap();
        prop_assert_eq!(bench.parquet_files().len(), newest.files.len());
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn everybody_else_keeps_every_row(
        ingestions in proptest::collection::vec(proptest::collection::vec((0_u8..3, 0_u8..5), 1..6), 1..5),
        forgotten in 0_u8..4,
    ) {
        twin(&ingestions, forgotten)?;
    }
}
