//! What other programs may do to a table, and what damage does.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use deltalake::kernel::{DataType, PrimitiveType, StructField};

use super::{Bench, check, metrics};
use crate::storage::open_group;
use crate::{PinAt, StoreError, collect_group, create_table, pin_group};

const ROWS: &str = "host,ts,cpu\na,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,1\n";

async fn table(bench: &Bench) -> deltalake::DeltaTable {
    open_group(&bench.store, &bench.group.reference(), None).await.unwrap()
}

#[tokio::test]
async fn added_column_changes_no_pin_and_is_filled_with_nulls_by_later_ingestions() {
    let bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", ROWS).await.unwrap();
    let before = bench.pin().await;
    let added = StructField::new("country", DataType::Primitive(PrimitiveType::String), true);
    table(&bench).await.add_columns().with_fields([added]).await.unwrap();
    bench
        .ingest("2.csv", "host,ts,cpu\nc,2026-01-01T00:00:00Z,3\n")
        .await
        .unwrap();
    check(
        &bench.rows().await,
        "a 2026-01-01T00:00:00Z 1.0
         b 2026-01-01T00:00:00Z 1.0
         c 2026-01-01T00:00:00Z 3.0",
    );
    check(
        &bench.rows_of(&before).await,
        "a 2026-01-01T00:00:00Z 1.0\nb 2026-01-01T00:00:00Z 1.0",
    );
    crate::compact(&bench.store, &bench.group).await.unwrap();
    assert_eq!(bench.pin().await.rows(), 3);
    create_table(&bench.store, &bench.group).await.unwrap();
}

#[tokio::test]
async fn unsorted_file_of_another_writer_is_sorted_when_read() {
    let bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", ROWS).await.unwrap();
    let micros = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"));
    let batch = RecordBatch::try_from_iter(vec![
        ("host", Arc::new(StringArray::from(vec!["c", "a"])) as _),
        ("ts", micros(vec![5, 5]) as _),
        ("cpu", Arc::new(Float64Array::from(vec![7.0, 8.0])) as _),
        ("__known_at", micros(vec![9, 9]) as _),
        ("__ingest_id", Arc::new(Int64Array::from(vec![0, 0])) as _),
        ("__row_number", Arc::new(Int64Array::from(vec![0, 1])) as _),
    ])
    .unwrap();
    table(&bench).await.write(vec![batch]).await.unwrap();
    let wanted = "
        a 1970-01-01T00:00:00.000005Z 8.0
        a 2026-01-01T00:00:00Z 1.0
        b 2026-01-01T00:00:00Z 1.0
        c 1970-01-01T00:00:00.000005Z 7.0";
    check(&bench.rows().await, wanted);
    let pin = bench.pin().await;
    assert_eq!(pin.files.iter().filter(|file| file.sorted).count(), 1);
    let compacted = crate::compact(&bench.store, &bench.group).await.unwrap();
    assert_eq!((compacted.files_merged, compacted.rows), (2, 4));
    check(&bench.rows().await, wanted);
    assert!(bench.pin().await.files.iter().all(|file| file.sorted));
    check(&bench.rows_of(&pin).await, wanted);
}

#[tokio::test]
async fn order_that_a_file_promised_and_does_not_keep_is_an_error() {
    let bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", ROWS).await.unwrap();
    // The same rows, backwards, under the name and with the size that are pinned.
    let mut pin = bench.pin().await;
    let path = bench.parquet_files().remove(0);
    let file = std::fs::File::open(&path).unwrap();
    let batch = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let batch = batch.map(Result::unwrap).next().unwrap();
    let backwards = arrow::compute::take_record_batch(&batch, &arrow::array::UInt64Array::from(vec![1, 0])).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, backwards.schema(), None).unwrap();
    writer.write(&backwards).unwrap();
    writer.close().unwrap();
    let error = collect_group(&bench.store, &bench.group, &pin, &[], None)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::PinnedFileChanged { unit: "bytes", .. }),
        "{error}"
    );
    pin.files[0].bytes = std::fs::metadata(&path).unwrap().len();
    let error = collect_group(&bench.store, &bench.group, &pin, &[], None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rows of `m:v1` are not in the order that its table promises"
    );
}

#[tokio::test]
async fn missing_file_and_missing_rows_are_named() {
    let bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", ROWS).await.unwrap();
    let pin = bench.pin().await;
    let mut more = pin.clone();
    more.files[0].rows += 1;
    let error = collect_group(&bench.store, &bench.group, &more, &[], None)
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("has 2 rows, wanted 3"), "{error}");
    std::fs::remove_file(bench.parquet_files().remove(0)).unwrap();
    let error = collect_group(&bench.store, &bench.group, &pin, &[], None)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::PinnedFileMissing { version: 1, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn pin_reads_without_its_log() {
    let bench = Bench::new(metrics("")).await;
    bench.ingest("1.csv", ROWS).await.unwrap();
    let pin = bench.pin().await;
    let text = serde_json::to_string(&pin).unwrap();
    std::fs::remove_dir_all(bench.table_folder().join("_delta_log")).unwrap();
    let pin = serde_json::from_str(&text).unwrap();
    check(
        &bench.rows_of(&pin).await,
        "a 2026-01-01T00:00:00Z 1.0\nb 2026-01-01T00:00:00Z 1.0",
    );
}

#[tokio::test]
async fn table_that_lost_its_retention_cannot_be_pinned_until_applied_again() {
    let bench = Bench::new(metrics("")).await;
    let properties = [("delta.enableExpiredLogCleanup".to_owned(), "true".to_owned())].into();
    table(&bench)
        .await
        .set_tbl_properties()
        .with_properties(properties)
        .await
        .unwrap();
    let error = pin_group(&bench.store, &bench.group, PinAt::Newest).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the table of `m:v1` has `delta.enableExpiredLogCleanup` = `true`, wanted `false`: pinned versions could be cleaned away"
    );
    create_table(&bench.store, &bench.group).await.unwrap();
    bench.pin().await;
}

#[tokio::test]
async fn object_store_urls_are_refused() {
    let error = crate::Store::new("s3://bucket/x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the storage root `s3://bucket/x` is an object-store URL; this version stores in a folder"
    );
}
