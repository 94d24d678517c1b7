//! Rows that are set aside.

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::{Bench, check, lines, metrics};
use crate::StoreError;
use crate::query::query;

const TEXT: &str = "host,ts,cpu\na,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,oops\nc,2026-01-01T00:00:00Z,1\nc,2026-01-01T00:00:00Z,2\n";

async fn ask(bench: &Bench, sql: &str) -> Result<String, StoreError> {
    let groups = BTreeMap::from([(bench.group.reference(), bench.group.clone())]);
    let answer = query(&bench.store, &groups, sql).await?;
    Ok(lines(&answer.batches.try_collect::<Vec<_>>().await?))
}

#[tokio::test]
async fn good_rows_are_kept_and_the_others_can_be_asked_for() {
    let bench = Bench::new(metrics("on_violation = \"quarantine\"")).await;
    let receipt = bench.ingest("m.csv", TEXT).await.unwrap();
    assert_eq!((receipt.rows_read, receipt.rows, receipt.quarantined), (4, 1, 3));
    check(&bench.rows().await, "a 2026-01-01T00:00:00Z 1.0");
    let sql = "select ingest_id, line, \"column\", value, reason, row from quarantine.m order by line";
    check(
        &ask(&bench, sql).await.unwrap(),
        "1 3 cpu oops not of the declared type {\"host\":\"b\",\"ts\":\"2026-01-01T00:00:00Z\",\"cpu\":\"oops\"}
         1 4 - - same key and time, other values {\"host\":\"c\",\"ts\":\"2026-01-01T00:00:00Z\",\"cpu\":1.0}
         1 5 - - same key and time, other values {\"host\":\"c\",\"ts\":\"2026-01-01T00:00:00Z\",\"cpu\":2.0}",
    );
}

#[tokio::test]
async fn quarantine_of_an_ingestion_that_never_happened_is_not_seen() {
    let bench = Bench::new(metrics("on_violation = \"quarantine\"")).await;
    bench.ingest("m.csv", TEXT).await.unwrap();
    // As if the process had died between the two commits.
    let log = bench.table_folder().join("_delta_log/00000000000000000001.json");
    std::fs::remove_file(log).unwrap();
    assert_eq!(ask(&bench, "select count(*) from quarantine.m").await.unwrap(), "0\n");
    bench.ingest("m.csv", TEXT).await.unwrap();
    assert_eq!(
        ask(&bench, "select count(*) from quarantine.\"m:v1\"").await.unwrap(),
        "3\n"
    );
}

#[tokio::test]
async fn quarantine_that_never_had_a_row_is_an_empty_table() {
    let bench = Bench::new(metrics("")).await;
    assert_eq!(ask(&bench, "select count(*) from quarantine.m").await.unwrap(), "0\n");
}

#[tokio::test]
async fn feature_may_refuse_what_its_group_sets_aside() {
    let group = super::definition(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\non_violation = \"quarantine\"\n[[features]]\nname = \"cpu\"\ntype = \"float64\"\non_violation = \"refuse\"\n",
    );
    let bench = Bench::new(group).await;
    let error = bench.ingest("m.csv", TEXT).await.unwrap_err();
    let StoreError::Violations(violations) = error else {
        panic!("{error}")
    };
    assert_eq!(violations.rows, 1);
    assert_eq!(ask(&bench, "select count(*) from quarantine.m").await.unwrap(), "0\n");
}
