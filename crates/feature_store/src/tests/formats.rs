//! What can be read, and what it becomes.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt8Array, UInt64Array,
};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;

use super::{Bench, check, definition, lines, metrics, said};
use crate::ingest::{FileFormat, IngestOutcome, ingest};
use crate::{PinAt, pin_group};

const CSV: &str = "host,ts,cpu\nb,2026-01-01T00:05:00Z,2.5\na,2026-01-01T00:00:00Z,1\na,2026-01-01T01:00:00+01:00,1\n";
const ROWS: &str = "
    a 2026-01-01T00:00:00Z 1.0
    b 2026-01-01T00:05:00Z 2.5
";

pub(super) fn parquet_bytes(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[tokio::test]
async fn csv_is_sorted_deduplicated_and_numbered() {
    let bench = Bench::new(metrics("")).await;
    let receipt = bench.ingest("m.csv", CSV).await.unwrap();
    check(
        &bench.all_columns().await,
        "a 2026-01-01T00:00:00Z 1.0 2026-03-01T00:00:00Z 1 1
         b 2026-01-01T00:05:00Z 2.5 2026-03-01T00:00:00Z 1 0",
    );
    assert_eq!(receipt.outcome, IngestOutcome::Committed);
    assert_eq!(
        (
            receipt.ingest_id,
            receipt.delta_version,
            receipt.rows_read,
            receipt.rows,
            receipt.duplicates
        ),
        (1, 1, 3, 2, 1)
    );
    assert_eq!(receipt.min_event_time.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(receipt.max_event_time.unwrap().to_string(), "2026-01-01T00:05:00Z");
    assert_eq!(receipt.content_hash, definitions::Fingerprint::of(CSV.as_bytes()));
}

#[tokio::test]
async fn csv_with_bom_crlf_semicolons_quotes_and_line_breaks_is_read() {
    let group = definition(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\nnull_values = [\"n/a\"]\n[[features]]\nname = \"note\"\ntype = \"utf8\"\n[[features]]\nname = \"n\"\ntype = \"int32\"\n[[features]]\nname = \"ok\"\ntype = \"bool\"\n[[features]]\nname = \"day\"\ntype = \"date\"\n",
    );
    let bench = Bench::new(group).await;
    let text = "\u{feff}ts;host;note;n;ok;day;more\r\n\
                2026-01-01 00:00:00Z;a;\"one;\r\ntwo \"\"x\"\"\"; 7 ;t;2026-01-31;?\r\n\
                2026-01-01 00:00:01.5Z;a;n/a;;FALSE;;\r\n";
    let receipt = bench.ingest("m.csv", text).await.unwrap();
    check(
        &bench.rows().await.replace("\r\n", "⏎"),
        "a 2026-01-01T00:00:00Z one;⏎two \"x\" 7 true 2026-01-31
         a 2026-01-01T00:00:01.500Z - - false -",
    );
    assert_eq!(receipt.ignored_columns, ["more"]);
}

#[tokio::test]
async fn tabs_are_told_from_commas_by_the_header() {
    let bench = Bench::new(metrics("")).await;
    bench
        .ingest(
            "m.tsv",
            "host\tts\tcpu\tnote, with commas, in it\na\t2026-01-01T00:00:00Z\t1\tx\n",
        )
        .await
        .unwrap();
    check(&bench.rows().await, "a 2026-01-01T00:00:00Z 1.0");
}

#[tokio::test]
async fn gzip_and_zstd_are_read_whatever_the_name() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(CSV.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(CSV.as_bytes(), 3).unwrap();
    for (name, bytes) in [("m.csv.gz", &gzip), ("m.csv.zst", &zstd), ("m.csv", &gzip)] {
        let bench = Bench::new(metrics("")).await;
        bench.ingest(name, bytes).await.unwrap();
        check(&bench.rows().await, ROWS);
    }
}

#[tokio::test]
async fn truncated_gzip_is_an_error_and_changes_nothing() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(CSV.repeat(2000).as_bytes()).unwrap();
    let mut gzip = gzip.finish().unwrap();
    gzip.truncate(gzip.len() / 2);
    let bench = Bench::new(metrics("")).await;
    let error = bench.ingest("m.csv.gz", gzip).await.unwrap_err();
    assert!(said(&bench, &error).contains("m.csv.gz"), "{error}");
    assert!(bench.pin().await.files.is_empty());
    assert!(bench.parquet_files().is_empty(), "{:?}", bench.parquet_files());
}

#[tokio::test]
async fn json_lines_are_typed_by_field() {
    let bench = Bench::new(metrics("columns = { cpu = \"cpu_percent\" }")).await;
    let text = "{\"host\":\"a\",\"ts\":\"2026-01-01T00:00:00Z\",\"cpu_percent\":1,\"x\":{\"y\":[1]}}\n\n\
                {\"ts\":\"2026-01-01T00:05:00Z\",\"host\":\"b\",\"cpu_percent\":2.5}\r\n\
                {\"ts\":\"2026-01-01T00:06:00Z\",\"host\":\"b\"}\n";
    let receipt = bench.ingest("m.jsonl", text).await.unwrap();
    check(
        &bench.rows().await,
        "a 2026-01-01T00:00:00Z 1.0
         b 2026-01-01T00:05:00Z 2.5
         b 2026-01-01T00:06:00Z -",
    );
    assert_eq!(receipt.ignored_columns, ["x"]);
}

#[tokio::test]
async fn parquet_columns_become_the_declared_types_without_loss() {
    let group = definition(
        "name = \"m\"\nversion = 1\nentity = [{ name = \"host\", type = \"utf8\" }, { name = \"vm\", type = \"int32\" }]\nevent_time = \"ts\"\n[[features]]\nname = \"f\"\ntype = \"float64\"\n[[features]]\nname = \"i\"\ntype = \"int64\"\n[[features]]\nname = \"n\"\ntype = \"int32\"\n",
    );
    let bench = Bench::new(group).await;
    let host: DictionaryArray<Int32Type> = vec!["b", "a"].into_iter().collect();
    let bytes = parquet_bytes(vec![
        ("host", Arc::new(host)),
        ("vm", Arc::new(UInt8Array::from(vec![7, 8]))),
        (
            "ts",
            Arc::new(TimestampNanosecondArray::from(vec![1_000, 2_000]).with_timezone("America/New_York")),
        ),
        ("f", Arc::new(Int64Array::from(vec![Some(3), None]))),
        ("i", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("n", Arc::new(Float64Array::from(vec![4.0, f64::NAN]))),
        ("extra", Arc::new(LargeStringArray::from(vec!["x", "y"]))),
    ]);
    bench.ingest("m.parquet", bytes).await.unwrap();
    check(
        &bench.rows().await,
        "a 8 1970-01-01T00:00:00.000002Z - 2 -
         b 7 1970-01-01T00:00:00.000001Z 3.0 1 4",
    );
}

#[tokio::test]
async fn parquet_values_that_do_not_fit_are_violations() {
    let bench = Bench::new(definition(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"n\"\ntype = \"int32\"\n[[features]]\nname = \"f\"\ntype = \"float32\"\n",
    ))
    .await;
    let bytes = parquet_bytes(vec![
        ("host", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        (
            "ts",
            Arc::new(TimestampNanosecondArray::from(vec![1_000, 2_001, 3_000]).with_timezone("UTC")),
        ),
        ("n", Arc::new(Int64Array::from(vec![3_000_000_000, 1, 2]))),
        ("f", Arc::new(Float64Array::from(vec![0.5, 0.5, 0.1]))),
    ]);
    let error = bench.ingest("m.parquet", bytes).await.unwrap_err();
    check(
        &said(&bench, &error),
        "nothing was ingested: 3 of 3 rows break the definition of `m:v1`
           m.parquet:1: `n` is `3000000000`: too large for int32
           m.parquet:2: `ts` is `1970-01-01T00:00:00.000002001Z`: finer than a microsecond, and the group has no `truncate = true`
           m.parquet:3: `f` is `0.1`: float32 cannot hold it exactly
           in all: does not fit the declared type 2, finer than a microsecond 1",
    );
}

#[tokio::test]
async fn parquet_epoch_numbers_are_no_timestamps() {
    let bench = Bench::new(metrics("")).await;
    let bytes = parquet_bytes(vec![
        ("host", Arc::new(StringArray::from(vec!["a"]))),
        ("ts", Arc::new(Int64Array::from(vec![1_372_629_840]))),
        ("cpu", Arc::new(Float64Array::from(vec![0.5]))),
    ]);
    let error = bench.ingest("m.parquet", bytes).await.unwrap_err();
    assert_eq!(
        said(&bench, &error),
        "`m.parquet`: the column `ts` holds Int64, `m:v1` declares timestamp"
    );
    assert!(error.hint().unwrap().contains("unit"), "{error:?}");
}

#[tokio::test]
async fn missing_column_is_named_with_what_is_there() {
    let bench = Bench::new(metrics("")).await;
    let error = bench.ingest("m.csv", "host,timestamp,cpu\n").await.unwrap_err();
    assert_eq!(
        said(&bench, &error),
        "`m.csv` has no column `ts`, which `m:v1` needs; it has `host`, `timestamp`, `cpu`"
    );
    assert_eq!(
        error.hint().unwrap(),
        "if it goes by another name in the file: columns = { ts = \"timestamp\" }"
    );
    let line = "{\"host\":\"a\",\"ts\":\"2026-01-01T00:00:00Z\",\"cpu2\":1}\n";
    let error = bench.ingest("m.jsonl", line).await.unwrap_err();
    assert_eq!(
        said(&bench, &error),
        "`m.jsonl` has no column `cpu`, which `m:v1` needs; it has `host`, `ts`, `cpu2`"
    );
    let error = bench.ingest("n.csv", "host,ts,cpu,cpu\n").await.unwrap_err();
    assert_eq!(said(&bench, &error), "`n.csv` has the column `cpu` twice");
}

#[tokio::test]
async fn format_is_told_by_name_content_or_word() {
    let bench = Bench::new(metrics("")).await;
    let error = bench.ingest("m.dat", CSV).await.unwrap_err();
    assert_eq!(said(&bench, &error), "`m.dat` does not say its format");
    bench.ingest_as(FileFormat::Csv, "m.dat", CSV.as_bytes()).await.unwrap();
    check(&bench.rows().await, ROWS);
    let error = bench.ingest("m.parquet", CSV).await.unwrap_err();
    assert!(
        said(&bench, &error).starts_with("`m.parquet` is not a Parquet file"),
        "{error}"
    );
    let error = bench.ingest("array.json", "[{\"host\":\"a\"}]").await.unwrap_err();
    assert!(
        said(&bench, &error).contains("an array, wanted one object per line"),
        "{error}"
    );
}

#[tokio::test]
async fn patterns_name_files_in_order_and_several_files_are_one_ingestion() {
    let bench = Bench::new(metrics("")).await;
    bench.file("m-2.csv", "host,ts,cpu\na,2026-01-01T00:00:00Z,1\n");
    bench.file("m-1.csv", "cpu,host,ts\n2,b,2026-01-01T00:00:00Z\n");
    let pattern = bench.folder.path().join("m-*.csv").display().to_string();
    let receipt = ingest(bench.request(&[pattern])).await.unwrap();
    assert_eq!(
        receipt.sources.iter().map(|source| source.rows).collect::<Vec<_>>(),
        [1, 1]
    );
    assert!(receipt.sources[0].path.ends_with("m-1.csv"));
    check(
        &bench.rows().await,
        "a 2026-01-01T00:00:00Z 1.0
         b 2026-01-01T00:00:00Z 2.0",
    );
    let none = bench.folder.path().join("x-*.csv").display().to_string();
    let error = ingest(bench.request(&[none])).await.unwrap_err();
    assert_eq!(said(&bench, &error), "`x-*.csv` names no file");
}

#[tokio::test]
async fn header_only_file_is_an_ingestion_of_no_rows() {
    let bench = Bench::new(metrics("")).await;
    let receipt = bench.ingest("m.csv", "host,ts,cpu\n").await.unwrap();
    assert_eq!((receipt.rows, receipt.min_event_time), (0, None));
    assert_eq!(bench.rows().await, "");
}

#[tokio::test]
async fn group_that_was_never_ingested_into_reads_as_an_empty_table() {
    let bench = Bench::new(metrics("")).await;
    let pin = pin_group(&bench.store, &bench.group, PinAt::Newest).await.unwrap();
    assert_eq!((pin.delta_version, pin.files.len()), (0, 0));
    let batches = crate::collect_group(&bench.store, &bench.group, &pin, &bench.columns(), None)
        .await
        .unwrap();
    assert_eq!(batches[0].schema().fields().len(), 6);
    assert_eq!(lines(&batches), "");
}
