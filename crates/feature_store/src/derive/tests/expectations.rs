//! What derived groups expect: each row, and the group as it will be, whatever was late.

use proptest::prelude::*;

use super::{Bench, Row, SOURCE, named, text};
use crate::derive::{Extent, Materialized};
use crate::expect::{ExpectationResult, validate};
use crate::{StoreError, ingest::IngestReceipt};

const SUM: &str =
    "[[features]]\nname = \"sum\"\nof = \"cpu\"\nwindow = \"10m\"\naggregate = \"sum\"\ntype = \"float64\"\n";

fn expecting(name: &str, expect: &str) -> String {
    named(name, &format!("{SUM}{expect}"))
}

fn receipt(done: Materialized) -> IngestReceipt {
    match done {
        Materialized::Full(receipt) | Materialized::Part(receipt) => *receipt,
        Materialized::UpToDate => panic!("nothing was computed"),
    }
}

async fn made(bench: &Bench, name: &str) -> IngestReceipt {
    receipt(bench.materialize(name, Extent::New).await.unwrap())
}

fn at(minute: u32, cpu: &str) -> String {
    format!("a,2026-01-01T{:02}:{:02}:00Z,{cpu},x\n", minute / 60, minute % 60)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_that_is_set_aside_stays_without_its_features_and_is_seen_in_quarantine() {
    let expect = "expect = { max = 10.0, on_violation = \"quarantine\" }\n";
    let mut bench = Bench::new(&[SOURCE, &expecting("d", expect)]).await;
    bench.ingest(&[at(0, "4"), at(1, "5")].concat()).await;
    assert_eq!(made(&bench, "d").await.quarantined, 0);
    // The late row makes too much of minute 1, which was good before, and of itself.
    bench.ingest(&[at(0, "8"), at(30, "1")].concat()).await;
    let second = made(&bench, "d").await;
    assert_eq!((second.rows, second.quarantined), (3, 1));
    assert_eq!(second.expectations[0].rows_at_fault, Some(1));
    crate::tests::check(
        &bench.rows("d").await,
        "a 2026-01-01T00:00:00Z 8.0 8.0 x - 0 8.0
         a 2026-01-01T00:01:00Z - - - - - -
         a 2026-01-01T00:30:00Z 1.0 1.0 x - 0 1.0",
    );
    let aside = bench
        .select("select ingest_id, file, \"column\", value, detail, row from quarantine.\"d:v1\"")
        .await;
    let aside = crate::tests::lines(&[aside]);
    let wanted = "2 d:v1 sum 13 above the maximum of 10 (host = a, ts = 2026-01-01T00:01:00Z) {\"host\":\"a\"";
    assert!(aside.starts_with(wanted), "{aside}");
    assert!(aside.contains("\"sum\":13.0"), "{aside}");
    // A correction brings it back.
    bench.ingest(&at(0, "1")).await;
    assert_eq!(made(&bench, "d").await.quarantined, 0);
    assert!(
        bench
            .rows("d")
            .await
            .contains("a 2026-01-01T00:01:00Z 5.0 3.0 x - 0 6.0")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_about_many_rows_is_asked_of_the_group_as_it_will_be() {
    let expect = "expect = { max_null_fraction = 0.5 }\n[[expect]]\nmax_gap = \"30m\"\n[[expect]]\nmin_rows = 3\n\
                  [[expect]]\nfreshness = \"59d\"\n";
    let mut bench = Bench::new(&[SOURCE, &expecting("d", expect)]).await;
    bench.ingest(&at(0, "1")).await;
    let refused = bench.materialize("d", Extent::New).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unmet { .. }), "{refused}");
    assert!(
        refused.to_string().contains("too few rows: wanted at least 3, found 1"),
        "{refused}"
    );
    let rows: String = (1..10).map(|step| at(step * 20, "1")).collect();
    bench.ingest(&rows).await;
    assert_eq!(made(&bench, "d").await.rows, 10);
    // Two late rows an hour apart, fewer than three, NULL, and not fresh: none of which the group is.
    bench.ingest(&[at(21, ""), at(81, "")].concat()).await;
    assert_eq!(made(&bench, "d").await.rows, 2);
    // But a row that leaves a gap is one, though it is alone.
    bench.ingest(&at(300, "1")).await;
    let refused = bench.materialize("d", Extent::New).await.unwrap_err().to_string();
    assert!(
        refused.contains("30m") && refused.contains("2026-01-01T03:00:00Z"),
        "{refused}"
    );
    crate::tests::check(
        &crate::tests::lines(&[bench.select("select count(*) from d").await]),
        "12",
    );
    // Nothing is lost: what fills the gap lets all of it in.
    let rows: String = (10..15).map(|step| at(step * 20, "1")).collect();
    bench.ingest(&rows).await;
    made(&bench, "d").await;
    assert_eq!(bench.rows("d").await, bench.at_once("d").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_that_of_new_rows_against_those_before() {
    let expect = "expect = { max_mean_drift = 3.0 }\n";
    let mut bench = Bench::new(&[SOURCE, &expecting("d", expect)]).await;
    let rows: String = (0..10).map(|step| at(step * 20, &(step % 3).to_string())).collect();
    bench.ingest(&rows).await;
    let first = made(&bench, "d").await;
    assert_eq!(first.moments.len(), 1);
    bench.ingest(&at(300, "900")).await;
    let refused = bench.materialize("d", Extent::New).await.unwrap_err().to_string();
    assert!(refused.contains("the mean of `sum` has drifted: 900"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_rows_are_named() {
    let mut bench = Bench::new(&[SOURCE, &expecting("d", "expect = { max = 10.0 }\n")]).await;
    bench.ingest(&[at(0, "4"), at(5, "8")].concat()).await;
    let refused = bench.materialize("d", Extent::New).await.unwrap_err().to_string();
    let row = "d:v1:2: `sum` is `12`: above the maximum of 10 (host = a, ts = 2026-01-01T00:05:00Z)";
    assert!(refused.contains(row), "{refused}");
}

const MANY: &str = "expect = [{ max = 60.0, on_violation = \"quarantine\" }, { max_null_fraction = 0.2, unique = true, \
                    monotonic = \"increasing\", on_violation = \"warn\" }]\n\
                    [[expect]]\nmax_gap = \"20m\"\nmin_rows = 20\nmax_rows = 60\nfreshness = \"1d\"\non_violation = \"warn\"\n";

/// Of each expectation about many rows: what it is, and what was found.
fn verdicts<'a>(results: impl IntoIterator<Item = &'a ExpectationResult>) -> Vec<(String, bool, String)> {
    let many = results.into_iter().filter(|result| result.rows_at_fault.is_none());
    many.map(|result| (result.check.clone(), result.holds, result.found.clone()))
        .collect()
}

/// Rows without expectations, in which those are blank whose sum is too large.
fn set_aside_by_hand(rows: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let sum = words.last().and_then(|sum| sum.parse::<f64>().ok());
        if sum.is_some_and(|sum| sum > 60.0) {
            format!("{} {}{}", words[0], words[1], " -".repeat(words.len() - 2))
        } else {
            line.to_owned()
        }
    };
    rows.lines().map(line).collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn whatever_batches_come_the_rows_and_the_verdict_are_those_of_computing_everything(
        batches in prop::collection::vec(prop::collection::vec((0_u8..3, 0_u16..90, prop::option::of(0_u8..50)), 1..30), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let groups = [SOURCE.to_owned(), expecting("d", MANY), expecting("whole", MANY), expecting("plain", "")];
            let mut bench = Bench::new(&groups.each_ref().map(String::as_str)).await;
            let mut last = None;
            for batch in &batches {
                let batch: &Vec<Row> = batch;
                bench.ingest(&text(batch)).await;
                last = Some(made(&bench, "d").await);
                assert_eq!(bench.rows("d").await.trim_end(), set_aside_by_hand(&bench.at_once("plain").await));
            }
            let last = last.unwrap();
            let whole = made(&bench, "whole").await;
            assert_eq!(bench.rows("whole").await, bench.rows("d").await);
            assert_eq!(verdicts(&last.expectations), verdicts(&whole.expectations));
            let again = receipt(bench.materialize("d", Extent::Full).await.unwrap());
            assert_eq!(verdicts(&again.expectations), verdicts(&whole.expectations));
            let now = validate(&bench.store, &bench.groups["d"], bench.now, 64 << 20).await.unwrap();
            assert_eq!(verdicts(now.expectations.iter().filter_map(|one| one.stored.as_ref())), verdicts(&whole.expectations));
            // Every row that is set aside now was put into quarantine by its last computation.
            let aside = bench.select("select distinct row from quarantine.\"d:v1\"").await;
            let blank = bench.select("select count(*) from d where hour is null").await;
            let blank: usize = crate::tests::lines(&[blank]).trim().parse().unwrap();
            assert!(aside.num_rows() >= blank);
        });
    }
}
