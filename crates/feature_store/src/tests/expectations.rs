//! What a group expects: what refuses, what is set aside, what is let through with a warning, and what is kept of it.

use definitions::{FeatureGroup, WallTime};

use super::{Bench, check, definition, said};
use crate::StoreError;
use crate::expect::{ExpectationResult, validate};

fn group(more: &str, feature: &str) -> FeatureGroup {
    definition(&format!(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n{more}\n[[features]]\nname = \"v\"\n{feature}\n"
    ))
}

/// `host minute value`, a line each, as CSV.
fn rows(text: &str) -> String {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (host, minute) = (words.next().unwrap(), words.next().unwrap());
        format!(
            "{host},2026-01-01T00:{minute}:00Z,{}\n",
            words.next().unwrap_or_default()
        )
    };
    format!(
        "host,ts,v\n{}",
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(line)
            .collect::<String>()
    )
}

/// The message of an ingestion that is refused.
async fn refusal(more: &str, feature: &str, text: &str) -> String {
    let bench = Bench::new(group(more, feature)).await;
    let error = bench.ingest("m.csv", rows(text)).await.unwrap_err();
    assert!(bench.parquet_files().is_empty(), "{error}");
    assert_eq!(std::fs::read_dir(bench.store.spill_folder()).unwrap().count(), 0);
    said(&bench, &error)
}

/// What is recorded of an ingestion that is not: `check: holds`, or what was found.
async fn recorded(more: &str, feature: &str, text: &str) -> String {
    let bench = Bench::new(group(more, feature)).await;
    let receipt = bench.ingest("m.csv", rows(text)).await.unwrap();
    shown(receipt.expectations.iter())
}

fn shown<'a>(results: impl Iterator<Item = &'a ExpectationResult>) -> String {
    let line = |result: &ExpectationResult| match result.holds {
        true => format!("{} holds\n", result.check),
        false => format!("{} {}: {}\n", result.check, result.level.word(), result.found),
    };
    results.map(line).collect()
}

const FLOAT: &str = "type = \"float64\"";

#[tokio::test]
async fn rows_that_do_not_match_a_pattern_or_a_condition_are_refused_by_line() {
    let text = refusal(
        "",
        "type = \"utf8\"\nexpect = { regex = \"^web-[0-9]+$\" }",
        "a 00 web-1\na 01 db-1",
    )
    .await;
    check(
        &text,
        "nothing was ingested: 1 of 2 rows breaks the definition of `m:v1`
           m.csv:3: `v` is `db-1`: does not match `^web-[0-9]+$`
           in all: not like the pattern 1",
    );
    let text = refusal(
        "[[expect]]\nsql = \"v < 2 or host = 'b'\"",
        FLOAT,
        "a 00 1\na 01 2\nb 00 3\nb 01",
    )
    .await;
    check(
        &text,
        "nothing was ingested: 1 of 4 rows breaks the definition of `m:v1`
           m.csv:3: wanted v < 2 or host = 'b'
           in all: condition not met 1",
    );
    let text = refusal("", "type = \"int32\"\nexpect = { one_of = [1, 2] }", "a 00 1\na 01 3").await;
    assert!(text.contains("m.csv:3: `v` is `3`: not one of `1`, `2`"), "{text}");
}

#[tokio::test]
async fn every_expectation_has_its_own_level() {
    let feature = "type = \"float64\"\nexpect = [{ max = 100, on_violation = \"quarantine\" }, { max = 50, on_violation = \"warn\" }, { min = 0 }]";
    let bench = Bench::new(group("", feature)).await;
    let receipt = bench
        .ingest("m.csv", rows("a 00 10\na 01 60\na 02 110\na 03 70"))
        .await
        .unwrap();
    assert_eq!((receipt.rows, receipt.quarantined), (3, 1));
    check(
        &shown(receipt.expectations.iter()),
        "max = 100 quarantine: 1 of 4 rows breaks `v`: max = 100
         max = 50 warn: 3 of 4 rows break `v`: max = 50
         min = 0 holds",
    );
    let first: Vec<String> = receipt.expectations[1].first.iter().map(ToString::to_string).collect();
    assert!(
        first[0].ends_with("m.csv:3: `v` is `60`: above the maximum of 50"),
        "{first:?}"
    );
    // What refuses wins over what sets aside, whatever comes first.
    let error = bench.ingest("n.csv", rows("a 04 -1\nb 04 110")).await.unwrap_err();
    assert!(said(&bench, &error).contains("1 of 2 rows"), "{error}");
}

#[tokio::test]
async fn values_that_come_twice_are_no_unique_ones() {
    let feature = "type = \"int64\"\nexpect = { unique = true }";
    let text = refusal(
        "",
        feature,
        "a 00 7\na 01 8\nb 00 7\nb 01 7\nc 00 8\nd 00 1\ne 00\nf 00",
    )
    .await;
    check(
        &text,
        "nothing was ingested: not what `m:v1` expects
           `v` is not unique: wanted every value once, found 2 values more than once, such as `7`",
    );
    check(
        &recorded("", feature, "a 00 7\na 01 8\nb 00\nb 01").await,
        "unique = true holds",
    );
}

#[tokio::test]
async fn a_counter_that_goes_back_is_named_with_its_entity() {
    let feature = "type = \"int64\"\nexpect = { monotonic = \"increasing\" }";
    let text = refusal("", feature, "a 00 5\na 01\na 02 3\na 03 4\na 04 2\nb 00 1").await;
    check(
        &text,
        "nothing was ingested: not what `m:v1` expects
           `v` is not increasing: 2 times, first from `5` to `3` for `host` = `a`",
    );
    check(
        &recorded("", feature, "a 00 5\na 01 5\nb 00 1").await,
        "monotonic = \"increasing\" holds",
    );
}

#[tokio::test]
async fn gaps_age_and_row_counts_are_of_the_whole_ingestion() {
    let more = "[[expect]]\nmax_gap = \"5m\"\non_violation = \"warn\"\n[[expect]]\nfreshness = \"7d\"\non_violation = \"warn\"\n[[expect]]\nmin_rows = 2\nmax_rows = 3\non_violation = \"warn\"";
    check(
        &recorded(more, FLOAT, "a 00 1\na 05 1\na 15 1\nb 40 1").await,
        "max_gap = \"5m\" warn: `host` = `a` has no row from 2026-01-01T00:05:00Z to 2026-01-01T00:15:00Z: wanted no gap above 5m, found one of 10m
         freshness = \"7d\" warn: not fresh: wanted the newest event time at most 7d before 2026-03-01T00:00:00Z, found 2026-01-01T00:40:00Z, 58d23h20m before
         min_rows = 2 holds
         max_rows = 3 warn: too many rows: wanted at most 3, found 4",
    );
}

#[tokio::test]
async fn drift_is_measured_against_all_ingestions_before() {
    let feature = "type = \"float64\"\nexpect = { max_mean_drift = 3, max_std_drift = 2, on_violation = \"warn\" }";
    let bench = Bench::new(group("", feature)).await;
    let first = bench.ingest("1.csv", rows("a 00 1\na 01 2\na 02 3")).await.unwrap();
    assert!(
        first.expectations.iter().all(|result| result.holds),
        "nothing to compare with"
    );
    bench.ingest("2.csv", rows("a 03 1\na 04 2\na 05 3")).await.unwrap();
    let third = bench.ingest("3.csv", rows("a 06 11\na 07 12\na 08 13")).await.unwrap();
    // Before: 1 2 3 1 2 3, mean 2, squares 4 over 5.
    check(
        &shown(third.expectations.iter()),
        "max_mean_drift = 3 warn: the mean of `v` has drifted: 12.000000 after 2.000000 with standard deviation 0.894427: wanted at most 3 of these, found 11.180
         max_std_drift = 2 holds",
    );
}

#[tokio::test]
async fn what_refuses_and_does_not_hold_keeps_the_group_as_it_was() {
    let more = "[[expect]]\nmin_rows = 3";
    let bench = Bench::new(group(more, FLOAT)).await;
    bench.ingest("1.csv", rows("a 00 1\na 01 2\na 02 3")).await.unwrap();
    let before = bench.rows().await;
    let error = bench.ingest("2.csv", rows("a 03 1")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unmet { unmet, .. } if unmet.len() == 1),
        "{error}"
    );
    assert_eq!(
        error.hint().unwrap(),
        "if that is right, in a new version of the group: min_rows = 1"
    );
    assert_eq!(bench.rows().await, before);
    assert_eq!(bench.parquet_files().len(), 1);
}

#[tokio::test]
async fn stored_rows_are_validated_as_readers_see_them() {
    let feature =
        "type = \"int64\"\nexpect = [{ monotonic = \"increasing\" }, { unique = true, on_violation = \"warn\" }]";
    let bench = Bench::new(group("[[expect]]\nsql = \"v > 0\"\non_violation = \"warn\"", feature)).await;
    bench.ingest("1.csv", rows("a 00 5\na 02 9\nb 00 0")).await.unwrap();
    bench.ingest("2.csv", rows("a 01 4")).await.unwrap();
    let now: WallTime = "2026-03-01T00:00:00Z".parse().unwrap();
    let validation = validate(&bench.store, &bench.group, now, 1 << 20).await.unwrap();
    check(
        &shown(validation.expectations.iter().filter_map(|one| one.stored.as_ref())),
        "monotonic = \"increasing\" refuse: `v` is not increasing: once from `5` to `4` for `host` = `a`
         unique = true holds
         sql = \"v > 0\" warn: 1 of 4 rows breaks sql = \"v > 0\"",
    );
    assert!(validation.is_refused());
    bench.ingest("3.csv", rows("a 01 6\nb 00 9")).await.unwrap();
    let validation = validate(&bench.store, &bench.group, now, 1 << 20).await.unwrap();
    check(
        &shown(validation.expectations.iter().filter_map(|one| one.stored.as_ref())),
        "monotonic = \"increasing\" holds
         unique = true warn: `v` is not unique: wanted every value once, found `9` more than once
         sql = \"v > 0\" holds",
    );
    assert!(!validation.is_refused());
    assert_eq!(std::fs::read_dir(bench.store.spill_folder()).unwrap().count(), 0);
}

#[test]
fn conditions_that_are_none_are_found_before_a_group_is_applied() {
    let wrong = |condition: &str| {
        let group = group(&format!("[[expect]]\nsql = \"{condition}\""), FLOAT);
        let wrong = crate::expect::wrong_predicates(&group);
        wrong.first().map(|wrong| wrong.what.clone()).unwrap_or_default()
    };
    assert_eq!(wrong("v is null or v between 0 and 1 and length(host) > 1"), "");
    assert_eq!(wrong("ts >= '2026-01-01T00:00:00Z'"), "");
    assert!(
        wrong("v +").contains("the condition `v +` of `m:v1`"),
        "{}",
        wrong("v +")
    );
    assert!(wrong("w > 0").contains("w"), "{}", wrong("w > 0"));
    assert!(
        wrong("v + 1").ends_with("wanted true or false, found Float64"),
        "{}",
        wrong("v + 1")
    );
    assert!(wrong("v < random()").ends_with("`random` does not give the same every time"));
    assert!(wrong("ts < now()").ends_with("`now` does not give the same every time"));
    assert!(!wrong("count(v) > 0").is_empty());
    assert!(!wrong("v > (select 1)").is_empty());
}
