//! What breaks a definition, and what is said about it.

use super::{Bench, check, definition, metrics, said};
use crate::Reason;
use crate::StoreError;

async fn refused(more: &str, feature: &str, text: &str) -> (Bench, StoreError) {
    let group = definition(&format!(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n{more}\n[[features]]\nname = \"v\"\n{feature}\n"
    ));
    let bench = Bench::new(group).await;
    let error = bench.ingest("m.csv", format!("host,ts,v\n{text}")).await.unwrap_err();
    assert!(bench.pin().await.files.is_empty());
    assert!(bench.parquet_files().is_empty());
    (bench, error)
}

async fn says(feature: &str, value: &str, wanted: &str) {
    let (bench, error) = refused("", feature, &format!("a,2026-01-01T00:00:00Z,{value}\n")).await;
    let text = said(&bench, &error);
    assert_eq!(
        text.lines().nth(1).unwrap().trim(),
        format!("m.csv:2: `v` is `{value}`: {wanted}")
    );
}

#[tokio::test]
async fn values_of_another_type_are_refused_by_name() {
    says("type = \"int32\"", "12.5", "not a whole number, wanted int32").await;
    says(
        "type = \"int32\"",
        "2147483648",
        "too large for int32, which ends at 2147483647",
    )
    .await;
    says(
        "type = \"int32\"",
        "-2147483649.0",
        "too small for int32, which begins at -2147483648",
    )
    .await;
    says(
        "type = \"int64\"",
        "9223372036854775808",
        "too large for int64, which ends at 9223372036854775807",
    )
    .await;
    says("type = \"float64\"", "abc", "not a float64, such as `0.5`").await;
}

#[tokio::test]
async fn more_values_of_another_type_are_refused_by_name() {
    says("type = \"float32\"", "1e39", "too large for float32").await;
    says("type = \"bool\"", "yes", "not a bool, such as `true`").await;
    says("type = \"date\"", "31.01.2026", "not a date, such as `2026-01-31`").await;
    says("type = \"date\"", "2026-02-30", "not a date, such as `2026-01-31`").await;
    says(
        "type = \"timestamp\"",
        "1372629840",
        "not a timestamp: a number does not say its unit; write it as `2026-01-31T12:00:00Z`",
    )
    .await;
    says(
        "type = \"float64\"\nexpect = { min = 0.0, max = 100.0 }",
        "-0.5",
        "below the minimum of 0",
    )
    .await;
    says(
        "type = \"float64\"\nexpect = { min = 0.0, max = 100.0 }",
        "100.5",
        "above the maximum of 100",
    )
    .await;
    says("type = \"int64\"\nexpect = { max = 3 }", "4", "above the maximum of 3").await;
    says(
        "type = \"utf8\"\nexpect = { one_of = [\"x\", \"y\"] }",
        "z",
        "not one of `x`, `y`",
    )
    .await;
}

#[tokio::test]
async fn infinite_floats_are_refused_and_nan_becomes_null() {
    let bench = Bench::new(metrics("")).await;
    let error = bench
        .ingest(
            "m.csv",
            "host,ts,cpu\na,2026-01-01T00:00:00Z,inf\nb,2026-01-01T00:00:00Z,-1e999\n",
        )
        .await;
    let error = error.unwrap_err();
    check(
        &said(&bench, &error),
        "nothing was ingested: 2 of 2 rows break the definition of `m:v1`
           m.csv:2: `cpu` is `inf`: infinite, or too large to hold
           m.csv:3: `cpu` is `-inf`: infinite, or too large to hold
           in all: infinite 2",
    );
    let receipt = bench
        .ingest("n.csv", "host,ts,cpu\na,2026-01-01T00:00:00Z,NaN\n")
        .await
        .unwrap();
    assert_eq!(receipt.nan_nulls, 1);
    check(&bench.rows().await, "a 2026-01-01T00:00:00Z -");
}

#[tokio::test]
async fn first_ten_are_shown_with_lines_and_all_are_counted() {
    let mut text =
        String::from("\"a\nb\",2026-01-01T00:00:00Z,1\n,2026-01-01T00:00:00Z,1\nc,,1\nd,2026-01-01T00:00:00Z\n");
    for row in 0..20_000 {
        text.push_str(&format!(
            "h{row},2026-01-01T00:00:00Z,{}\n",
            if row % 1000 == 0 { "bad" } else { "1" }
        ));
    }
    let (bench, error) = refused("", "type = \"float64\"", &text).await;
    let StoreError::Violations(violations) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (violations.rows, violations.rows_read, violations.first.len()),
        (23, 20_004, 10)
    );
    assert_eq!(violations.by_reason[&Reason::WrongType], 20);
    let text = said(&bench, &error);
    let head: Vec<&str> = text.lines().take(5).map(str::trim).collect();
    check(
        &(head.join("\n") + "\n"),
        "nothing was ingested: 23 of 20004 rows break the definition of `m:v1`
         m.csv:4: `host` is NULL: a column of the key must have a value
         m.csv:5: `ts` is NULL: the event time must have a value
         m.csv:6: 2 fields, the header has 3
         m.csv:7: `v` is `bad`: not a float64, such as `0.5`",
    );
    let tail: Vec<&str> = text.lines().rev().take(2).map(str::trim).collect();
    assert_eq!(tail[1], "… and 13 more");
    assert_eq!(
        tail[0],
        "in all: cannot be read 1, NULL in the key 1, NULL event time 1, not of the declared type 20"
    );
}

#[tokio::test]
async fn json_texts_are_no_numbers() {
    let bench = Bench::new(metrics("")).await;
    let text =
        "{\"host\":\"a\",\"ts\":\"2026-01-01T00:00:00Z\",\"cpu\":\"1\"}\n{\"host\":1,\"ts\":5,\"cpu\":[1]}\nnope\n";
    let error = bench.ingest("m.jsonl", text).await.unwrap_err();
    check(
        &said(&bench, &error).replace(" at line 1 column 2", ""),
        "nothing was ingested: 3 of 3 rows break the definition of `m:v1`
           m.jsonl:1: `cpu` is `\"1\"`: text, not float64: written without quotes, such as `0.5`
           m.jsonl:2: `host` is `1`: not a utf8, such as `\"text\"`
           m.jsonl:3: not a JSON object: expected ident
           in all: cannot be read 1, not of the declared type 2",
    );
}

#[tokio::test]
async fn different_rows_with_one_key_and_time_are_refused_by_upsert_and_ordered_by_append() {
    let text = "host,ts,cpu\na,2026-01-01T00:00:00Z,2\nb,2026-01-01T00:00:00Z,1\na,2026-01-01T00:00:00Z,1\na,2026-01-01T00:00:00Z,2\n";
    let bench = Bench::new(metrics("")).await;
    let error = bench.ingest("m.csv", text).await.unwrap_err();
    check(
        &said(&bench, &error),
        "nothing was ingested: 2 of 4 rows break the definition of `m:v1`
           m.csv:2: `host` = `a`, `ts` = `2026-01-01T00:00:00Z`: other values than m.csv:4
           m.csv:4: `host` = `a`, `ts` = `2026-01-01T00:00:00Z`: other values than m.csv:2
           in all: same key and time, other values 2",
    );
    let bench = Bench::new(metrics("mode = \"append\"")).await;
    let receipt = bench.ingest("m.csv", text).await.unwrap();
    assert_eq!(receipt.duplicates, 1);
    check(
        &bench.rows().await,
        "a 2026-01-01T00:00:00Z 2.0
         a 2026-01-01T00:00:00Z 1.0
         b 2026-01-01T00:00:00Z 1.0",
    );
}

#[tokio::test]
async fn revisions_with_different_known_at_are_no_conflict() {
    let bench = Bench::new(metrics("known_at = \"seen\"")).await;
    let text = "host,ts,seen,cpu\na,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,2\na,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,1\na,2026-01-01T00:00:00Z,,0\n";
    bench.ingest("m.csv", text).await.unwrap();
    check(
        &bench.rows().await,
        "a 2026-01-01T00:00:00Z - 0.0
         a 2026-01-01T00:00:00Z 2026-01-01T00:00:00Z 1.0
         a 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 2.0",
    );
}

#[tokio::test]
async fn static_groups_have_one_row_per_key() {
    let group = definition(
        "name = \"hosts\"\nversion = 1\nentity = [\"host\"]\nstatic = true\n[[features]]\nname = \"kind\"\ntype = \"utf8\"\n",
    );
    let bench = Bench::new(group).await;
    let error = bench.ingest("h.csv", "host,kind\na,x\na,y\n").await.unwrap_err();
    assert!(
        said(&bench, &error).contains("h.csv:2: `host` = `a`: other values than h.csv:3"),
        "{error}"
    );
    let receipt = bench.ingest("h.csv", "host,kind\nb,y\na,x\na,x\n").await.unwrap();
    assert_eq!((receipt.rows, receipt.duplicates, receipt.min_event_time), (2, 1, None));
    check(&bench.rows().await, "a x\nb y");
}

#[tokio::test]
async fn too_many_nulls_refuse_the_ingestion_and_few_enough_do_not() {
    let feature = "type = \"float64\"\nexpect = { max_null_fraction = 0.25 }";
    let rows = "a,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,\nc,2026-01-01T00:00:00Z,\nd,2026-01-01T00:00:00Z,1\n";
    let (bench, error) = refused("", feature, rows).await;
    check(
        &said(&bench, &error),
        "nothing was ingested: not what `m:v1` expects
           `v` is NULL in 2 of 4 rows: wanted a fraction of at most 0.25, found 0.5",
    );
    assert!(error.hint().unwrap().ends_with("max_null_fraction = 0.5"), "{error:?}");
    let fewer = format!(
        "host,ts,v\n{}",
        rows.replace("c,2026-01-01T00:00:00Z,\n", "c,2026-01-01T00:00:00Z,1\n")
    );
    assert_eq!(bench.ingest("n.csv", fewer).await.unwrap().rows, 4);
}

#[tokio::test]
async fn too_many_nulls_refuse_under_quarantine_too_since_no_row_is_to_blame() {
    let feature = "type = \"float64\"\nexpect = { max_null_fraction = 0.25 }";
    let rows = "a,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,\n";
    let (_, error) = refused("on_violation = \"quarantine\"", feature, rows).await;
    assert!(
        matches!(&error, StoreError::Unmet { unmet, .. } if unmet.len() == 1),
        "{error}"
    );
}

#[tokio::test]
async fn whole_numbers_written_as_floats_are_integers() {
    let group = "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"v\"\ntype = \"int64\"\n";
    let bench = Bench::new(definition(group)).await;
    let rows = "a,2026-01-01T00:00:00Z,12.0\nb,2026-01-01T00:00:00Z,\nc,2026-01-01T00:00:00Z,-9007199254740993.00\nd,2026-01-01T00:00:00Z,1e3\n";
    bench.ingest("m.csv", format!("host,ts,v\n{rows}")).await.unwrap();
    bench
        .ingest(
            "m.jsonl",
            "{\"host\":\"e\",\"ts\":\"2026-01-01T00:00:00Z\",\"v\":7.0}\n",
        )
        .await
        .unwrap();
    check(
        &bench.rows().await,
        "a 2026-01-01T00:00:00Z 12
         b 2026-01-01T00:00:00Z -
         c 2026-01-01T00:00:00Z -9007199254740993
         d 2026-01-01T00:00:00Z 1000
         e 2026-01-01T00:00:00Z 7",
    );
    let error = bench
        .ingest(
            "n.jsonl",
            "{\"host\":\"e\",\"ts\":\"2026-01-01T00:00:00Z\",\"v\":7.5}\n",
        )
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("not a whole number, wanted int64"),
        "{error}"
    );
}

#[tokio::test]
async fn hints_say_which_part_of_the_definition_to_widen() {
    let hint = async |feature, value| {
        let (_, error) = refused("", feature, &format!("a,2026-01-01T00:00:00Z,{value}\n")).await;
        error.hint().unwrap()
    };
    assert!(
        hint("type = \"int32\"", "2147483648")
            .await
            .contains("type = \"int64\"")
    );
    assert!(
        hint("type = \"int32\"\nexpect = { max = 3 }", "4")
            .await
            .contains("`max` of the column's `expect`")
    );
}
