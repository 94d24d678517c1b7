//! Rows and columns that are asked for, and how little is read for them.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::super::selection::{Meter, open_selected};
use super::*;
use crate::Condition;

const HOUR: i64 = 3_600_000_000;

fn schema() -> Arc<Schema> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("host", DataType::Utf8, false),
        Field::new("ts", time, false),
        Field::new("cpu", DataType::Int64, true),
        Field::new("wide", DataType::Utf8, true),
    ]))
}

/// Rows of hosts one after the other, each an hour after the one before; every seventh value is NULL.
fn rows(hosts: usize, hours: usize) -> RecordBatch {
    let at = || (0..hosts * hours).map(|row| (row / hours, row % hours));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            at().map(|(host, _)| Some(format!("h{host:03}")))
                .collect::<StringArray>(),
        ),
        Arc::new(
            at().map(|(_, hour)| Some(hour as i64 * HOUR))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        Arc::new(
            at().enumerate()
                .map(|(row, (host, hour))| (row % 7 > 0).then_some((host * 31 + hour * 17) as i64 % 100))
                .collect::<Int64Array>(),
        ),
        // Something that does not compress, so that bytes tell what was read.
        Arc::new(
            at().map(|(host, hour)| {
                let text =
                    |salt: usize| definitions::Fingerprint::of(format!("{host} {hour} {salt}").as_bytes()).to_string();
                Some((0..4).map(text).collect::<String>())
            })
            .collect::<StringArray>(),
        ),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn file(rows: &RecordBatch, rows_per_group: usize, rows_per_page: usize) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_data_page_row_count_limit(rows_per_page)
        .set_write_batch_size(rows_per_page)
        .set_dictionary_enabled(false)
        .build();
    let mut writer = ArrowWriter::try_new(file.reopen().unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    file
}

/// The rows that are read, and the bytes that it took.
fn read(file: &tempfile::NamedTempFile, columns: Option<&[&str]>, condition: Option<&str>) -> (RecordBatch, u64) {
    let selection = Selection {
        columns: columns.map(|columns| columns.iter().map(|column| (*column).to_owned()).collect()),
        condition: condition.map(|text| Condition::parse(&schema(), text, "test").unwrap()),
    };
    let meter = Meter::default();
    let reader = open_selected(file.path(), &selection, &meter).unwrap();
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    (
        arrow::compute::concat_batches(&schema, &batches).unwrap(),
        meter.bytes(),
    )
}

#[test]
fn what_a_condition_rules_out_is_not_read() {
    let all = rows(20, 1000);
    let file = file(&all, 5000, 100);
    let (whole, bytes) = read(&file, None, None);
    assert_eq!(whole, all);
    // One row group of four.
    let (one, of_one) = read(&file, None, Some("host = 'h007'"));
    assert_eq!(one, all.slice(7000, 1000));
    assert!(of_one < bytes / 3, "{of_one} of {bytes}");
    // In it, the pages of a few rows.
    let (few, of_few) = read(
        &file,
        None,
        Some("host = 'h007' and ts >= '1970-01-02T00:00:00Z' and ts < '1970-01-02T10:00:00Z'"),
    );
    assert_eq!(few, all.slice(7024, 10));
    assert!(of_few < of_one / 2, "{of_few} of {of_one}");
    // Without the wide column next to nothing.
    let (narrow, of_narrow) = read(&file, Some(&["cpu"]), Some("host = 'h007'"));
    assert_eq!(narrow.num_columns(), 1);
    assert!(of_narrow < of_one / 3, "{of_narrow} of {of_one}");
    let (none, of_none) = read(&file, None, Some("host = 'nobody'"));
    assert_eq!(none.num_rows(), 0);
    assert!(of_none < bytes / 20, "{of_none} of {bytes}");
}

#[test]
fn wrong_conditions_are_refused() {
    let wrong = |text: &str| {
        Condition::parse(&schema(), text, "cpu_fv:v1/1")
            .unwrap_err()
            .to_string()
    };
    assert!(wrong("hots = 'a'").contains("hots"), "{}", wrong("hots = 'a'"));
    let zero = Selection {
        columns: None,
        condition: Some(Condition::parse(&schema(), "cpu / (cpu - cpu) > 1", "test").unwrap()),
    };
    let two = file(&rows(2, 10), 100, 10);
    let unanswered = open_selected(two.path(), &zero, &Meter::default()).err().unwrap();
    assert!(matches!(unanswered, StoreError::Query { .. }), "{unanswered}");
    assert!(
        wrong("cpu + 1").contains("wanted true or false"),
        "{}",
        wrong("cpu + 1")
    );
    assert!(
        wrong("ts < now()").contains("does not give the same every time"),
        "{}",
        wrong("ts < now()")
    );
}

/// A condition as text, and by hand.
type Asked = (String, Box<dyn Fn(usize, i64, Option<i64>) -> bool>);

fn asked(kind: u8, host: usize, hour: i64, cpu: i64) -> Asked {
    let time = format!("to_timestamp({})", hour * 3600);
    match kind {
        0 => (format!("host = 'h{host:03}'"), Box::new(move |h, _, _| h == host)),
        1 => (format!("ts >= {time}"), Box::new(move |_, t, _| t >= hour)),
        2 => (
            format!("cpu > {cpu}"),
            Box::new(move |_, _, c| c.is_some_and(|c| c > cpu)),
        ),
        3 => ("cpu is null".to_owned(), Box::new(|_, _, c| c.is_none())),
        4 => (
            format!("not (cpu > {cpu})"),
            Box::new(move |_, _, c| c.is_some_and(|c| c <= cpu)),
        ),
        5 => (
            format!("host <> 'h{host:03}' and ts < {time}"),
            Box::new(move |h, t, _| h != host && t < hour),
        ),
        _ => (
            format!("host in ('h{host:03}', 'h999') or cpu = {cpu}"),
            Box::new(move |h, _, c| h == host || c == Some(cpu)),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_asked_the_rows_are_those_that_looking_at_each_gives(
        (kind, host, hour, cpu) in (0_u8..7, 0_usize..6, 0_i64..40, 0_i64..100),
        (rows_per_group, rows_per_page) in (10_usize..200, 1_usize..50),
    ) {
        let all = rows(5, 30);
        let file = file(&all, rows_per_group, rows_per_page);
        let (text, holds) = asked(kind, host, hour, cpu);
        let cpus = all["cpu"].as_primitive::<Int64Type>();
        let wanted: arrow::array::BooleanArray = (0..all.num_rows())
            .map(|row| Some(holds(row / 30, (row % 30) as i64, cpus.iter().nth(row).flatten())))
            .collect();
        let wanted = arrow::compute::filter_record_batch(&all, &wanted).unwrap();
        let (found, _) = read(&file, None, Some(&text));
        prop_assert_eq!(found, wanted);
    }
}

fn exported(
    folder: &Path,
    columns: &[&str],
    condition: Option<&str>,
    format: ExportFormat,
    null: &str,
) -> (u64, Vec<u8>) {
    let to = tempfile::tempdir().unwrap();
    let schema = load_manifest(folder).unwrap().schema();
    let request = ExportRequest {
        folder,
        to: to.path(),
        format,
        parts: &[Part::Train],
        selection: Selection {
            columns: Some(columns.iter().map(|column| (*column).to_owned()).collect()),
            condition: condition.map(|text| Condition::parse(&schema, text, "test").unwrap()),
        },
        null,
    };
    let exported = export(&request).unwrap();
    assert_eq!(exported.len(), 1);
    (exported[0].rows, std::fs::read(&exported[0].path).unwrap())
}

#[test]
fn rows_and_columns_that_are_asked_for_are_exported() {
    let world = World::default()
        .with(
            group("labels", "", &[("y", "")]),
            "host ts y:int64 \n a 10 1 \n a 20 2 \n b 10 3 \n b 20 4",
        )
        .with(group("metrics", "", &[("v", "")]), "host ts v \n a 15 1");
    let folder = tempfile::tempdir().unwrap();
    world
        .create(
            &simple_view("", ""),
            Arguments::default(),
            How::default(),
            folder.path(),
        )
        .unwrap();
    let folder = folder.path();
    let (rows, csv) = exported(folder, &["v", "host"], Some("y <> 2"), ExportFormat::Csv, "\\N");
    assert_eq!(
        (rows, String::from_utf8(csv).unwrap().as_str()),
        (3, "host,v\na,\\N\nb,\\N\nb,\\N\n")
    );
    let (rows, jsonl) = exported(folder, &["v"], Some("host = 'a'"), ExportFormat::Jsonl, "");
    assert_eq!(
        (rows, String::from_utf8(jsonl).unwrap().as_str()),
        (2, "{\"v\":null}\n{\"v\":1}\n")
    );
    let (rows, npy) = exported(folder, &["host", "y"], Some("host = 'b'"), ExportFormat::Npy, "");
    assert_eq!(rows, 2);
    assert!(String::from_utf8_lossy(&npy).contains("'shape': (2,)"));
    for format in ExportFormat::ALL {
        assert_eq!(
            exported(folder, &["host", "y"], Some("y > 99"), format, "").0,
            0,
            "{format:?}"
        );
    }
}
