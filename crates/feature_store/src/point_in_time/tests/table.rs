//! Tables as text: a header, then a row per line, cells divided by white space, `-` for NULL.
//!
//! A header cell is `name` or `name:type`. Without a type, `ts`, `known` and `__known_at` are timestamps (whole microseconds), `v`, `w`,
//! `id` and the other hidden columns are int64, and everything else is text.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER};

fn type_of(header: &str) -> (&str, &str) {
    match header.split_once(':') {
        Some((name, data_type)) => (name, data_type),
        None if ["ts", "known", KNOWN_AT].contains(&header) => (header, "time"),
        None if ["v", "w", "id", INGEST_ID, ROW_NUMBER].contains(&header) => (header, "int64"),
        None => (header, "utf8"),
    }
}

fn column(data_type: &str, cells: &[&str]) -> ArrayRef {
    fn all<T: std::str::FromStr>(cells: &[&str]) -> Vec<Option<T>> {
        let parse = |cell: &&str| {
            cell.parse()
                .unwrap_or_else(|_| panic!("`{cell}` is not of its column's type"))
        };
        cells.iter().map(|cell| (*cell != "-").then(|| parse(cell))).collect()
    }
    match data_type {
        "time" => Arc::new(TimestampMicrosecondArray::from(all::<i64>(cells)).with_timezone("UTC")),
        "int64" => Arc::new(Int64Array::from(all::<i64>(cells))),
        "int32" => Arc::new(Int32Array::from(all::<i32>(cells))),
        "float64" => Arc::new(Float64Array::from(all::<f64>(cells))),
        "bool" => Arc::new(BooleanArray::from(all::<bool>(cells))),
        "date" => Arc::new(Date32Array::from(all::<i32>(cells))),
        "utf8" => Arc::new(StringArray::from(all::<String>(cells))),
        other => panic!("`{other}` is no type of a test table"),
    }
}

/// Reads a table.
pub(crate) fn table(text: &str) -> RecordBatch {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let headers: Vec<_> = lines
        .next()
        .expect("a header")
        .split_whitespace()
        .map(type_of)
        .collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
    let columns = headers.iter().enumerate().map(|(at, (_, data_type))| {
        let cells: Vec<&str> = rows
            .iter()
            .map(|row| *row.get(at).unwrap_or_else(|| panic!("a short row: {row:?}")))
            .collect();
        column(data_type, &cells)
    });
    let columns: Vec<ArrayRef> = columns.collect();
    let fields: Vec<Field> = headers
        .iter()
        .zip(&columns)
        .map(|((name, _), array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a table")
}

/// Reads a group's rows; hidden columns that are not written are those of one ingestion, made known at 0.
pub(crate) fn group_table(text: &str) -> RecordBatch {
    let batch = table(text);
    let rows = batch.num_rows();
    let mut fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    let mut columns = batch.columns().to_vec();
    let numbers: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    for (name, cells) in [
        (KNOWN_AT, vec!["0"; rows]),
        (INGEST_ID, vec!["1"; rows]),
        (ROW_NUMBER, numbers),
    ] {
        if batch.column_by_name(name).is_none() {
            let array = column(type_of(name).1, &cells);
            fields.push(Field::new(name, array.data_type().clone(), false));
            columns.push(array);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a group's table")
}

/// Writes columns as lines of cells, times as whole microseconds.
pub(crate) fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("-");
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .map(|array| match array.data_type() {
            arrow::datatypes::DataType::Timestamp(..) | arrow::datatypes::DataType::Date32 => {
                let raw = arrow::compute::cast(array, &arrow::datatypes::DataType::Int64);
                raw.unwrap_or_else(|_| arrow::compute::cast(array, &arrow::datatypes::DataType::Int32).expect("days"))
            }
            _ => array.clone(),
        })
        .collect();
    let formatters: Vec<_> = columns
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &options).expect("a formatter"))
        .collect();
    (0..batch.num_rows())
        .map(|row| formatters.iter().map(|column| column.value(row).to_string()).collect())
        .collect()
}
