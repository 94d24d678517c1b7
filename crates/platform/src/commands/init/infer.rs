//! What a user's own file seems to hold.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType as Arrow, SchemaRef};
use definitions::{ColumnName, DataType, Duration};
use serde::Serialize;

use super::column_name;
use crate::failure::{Failure, Outcome};

/// Rows looked at.
const SAMPLE_ROWS: usize = 10_000;

/// What the user said about the file.
pub struct Asked<'a> {
    /// The key columns, as the file calls them.
    pub entity: &'a [String],
    /// The time column, as the file calls it.
    pub time: &'a str,
    /// The column to forecast, as the file calls it.
    pub target: &'a str,
    /// How far ahead.
    pub horizon: Duration,
    /// The zone of naive timestamps.
    pub time_zone: Option<&'a str>,
}

/// A column and its type.
#[derive(Debug, Serialize)]
pub struct Column {
    /// Its name in the definitions.
    pub name: ColumnName,
    /// Its type.
    pub data_type: DataType,
}

/// What was found in the file.
#[derive(Debug, Serialize)]
pub struct Inferred {
    /// The file.
    pub file: String,
    /// The key.
    pub entity: Vec<Column>,
    /// The event time.
    pub time: ColumnName,
    /// What is forecast.
    pub target: ColumnName,
    /// How far ahead.
    pub horizon: Duration,
    /// The zone of naive timestamps.
    pub time_zone: Option<String>,
    /// Everything else that can be a feature, the target included.
    pub features: Vec<Column>,
    /// Name in the definitions and name in the file, of every column used.
    pub file_columns: Vec<(ColumnName, String)>,
    /// Texts that stand for no value.
    pub null_values: BTreeSet<String>,
    /// Whether times are finer than a microsecond, so that they must be cut.
    pub truncate: bool,
    /// Columns left out, and why.
    pub left_out: Vec<(String, &'static str)>,
}

impl Inferred {
    /// The label's column.
    pub fn label(&self) -> String {
        format!("{}_max_next_{}", self.target, self.horizon)
    }

    /// For people: one line per column.
    pub fn describe(&self) -> String {
        let mut text = format!("found in `{}`:\n", self.file);
        let mut lines = Vec::new();
        lines.extend(
            self.entity
                .iter()
                .map(|column| (column.name.as_str(), format!("key, {}", column.data_type.word()))),
        );
        lines.push((self.time.as_str(), "event time".to_owned()));
        lines.extend(self.features.iter().map(|column| {
            let target = if column.name == self.target { ", forecast" } else { "" };
            (
                column.name.as_str(),
                format!("feature, {}{target}", column.data_type.word()),
            )
        }));
        lines.extend(
            self.left_out
                .iter()
                .map(|(name, why)| (name.as_str(), format!("left out: {why}"))),
        );
        for (name, what) in lines {
            text.push_str(&format!("  {name:<24} {what}\n"));
        }
        text
    }
}

/// Looks at the first rows of the file.
pub async fn infer(path: &Path, asked: &Asked<'_>) -> Outcome<Inferred> {
    let sample = feature_store::ingest::sample_file(path, SAMPLE_ROWS)?;
    let schema = sample.schema();
    let mut inferred = Inferred {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        entity: Vec::new(),
        time: column_name(&find(&schema, asked.time, "--time")?)?,
        target: column_name(&find(&schema, asked.target, "--target")?)?,
        horizon: asked.horizon,
        time_zone: asked.time_zone.map(str::to_owned),
        features: Vec::new(),
        file_columns: Vec::new(),
        null_values: BTreeSet::new(),
        truncate: is_too_fine(&sample, asked.time),
        left_out: Vec::new(),
    };
    for key in asked.entity {
        let name = find(&schema, key, "--entity")?;
        let data_type = type_of(&sample, &name).unwrap_or(DataType::Utf8);
        let data_type = if data_type.is_number() && is_float(data_type) {
            DataType::Utf8
        } else {
            data_type
        };
        inferred.entity.push(Column {
            name: column_name(&name)?,
            data_type,
        });
    }
    check_time(&sample, asked)?;
    // Those that the user named come first, so that no other column takes their names.
    let is_named =
        |name: &&String| name.as_str() == asked.time || name.as_str() == asked.target || asked.entity.contains(name);
    let (named, others): (Vec<&String>, Vec<&String>) =
        schema.fields().iter().map(|field| field.name()).partition(is_named);
    for name in named.into_iter().chain(others) {
        sort_out(&sample, name, asked, &mut inferred)?;
    }
    let target = inferred.features.iter().find(|column| column.name == inferred.target);
    match target {
        Some(column) if column.data_type.is_number() => Ok(inferred),
        _ => Err(Failure::input(format!(
            "--target `{}` cannot be forecast: wanted a column of numbers",
            asked.target
        ))),
    }
}

fn is_float(data_type: DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

fn find(schema: &SchemaRef, name: &str, option: &str) -> Outcome<String> {
    if schema.field_with_name(name).is_ok() {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| format!("`{}`", field.name()))
        .collect();
    Err(Failure::input(format!(
        "{option}: the file has no column `{name}`; it has {}",
        names.join(", ")
    )))
}

fn type_of(sample: &RecordBatch, name: &str) -> Option<DataType> {
    let column = sample.column_by_name(name)?;
    if column.null_count() == column.len() {
        return None;
    }
    match column.data_type() {
        Arrow::Boolean => Some(DataType::Bool),
        Arrow::Int8 | Arrow::Int16 | Arrow::UInt8 | Arrow::UInt16 | Arrow::Int32 => Some(DataType::Int32),
        Arrow::UInt32 | Arrow::Int64 | Arrow::UInt64 => Some(DataType::Int64),
        Arrow::Float16 | Arrow::Float32 => Some(DataType::Float32),
        Arrow::Float64 => Some(DataType::Float64),
        Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => Some(DataType::Utf8),
        Arrow::Dictionary(_, values) if matches!(**values, Arrow::Utf8 | Arrow::LargeUtf8) => Some(DataType::Utf8),
        Arrow::Date32 | Arrow::Date64 => Some(DataType::Date),
        _ => None,
    }
}

/// Whole numbers are declared as floats: further down a file they often are. Text that is numbers but for a few markers of
/// "no value" is numbers.
fn sort_out(sample: &RecordBatch, file_column: &str, asked: &Asked<'_>, inferred: &mut Inferred) -> Outcome {
    let name = column_name(file_column)?;
    let is_key = asked.entity.iter().any(|key| key == file_column);
    if is_key || file_column == asked.time {
        inferred.file_columns.push((name, file_column.to_owned()));
        return Ok(());
    }
    if inferred
        .file_columns
        .iter()
        .any(|(taken, _)| taken.as_str().eq_ignore_ascii_case(name.as_str()))
    {
        let why = "its name is that of another column";
        inferred.left_out.push((file_column.to_owned(), why));
        return Ok(());
    }
    let data_type = match type_of(sample, file_column) {
        Some(DataType::Int64) => Some(DataType::Float64),
        Some(DataType::Utf8) => match text_holds(sample, file_column) {
            TextHolds::Numbers(markers) => {
                inferred.null_values.extend(markers);
                Some(DataType::Float64)
            }
            TextHolds::Times => None,
            TextHolds::Words => Some(DataType::Utf8),
        },
        other => other,
    };
    match data_type {
        None => {
            let why = "empty, a time, or of a type that features cannot have";
            inferred.left_out.push((file_column.to_owned(), why));
        }
        Some(data_type) => {
            inferred.features.push(Column {
                name: name.clone(),
                data_type,
            });
            inferred.file_columns.push((name, file_column.to_owned()));
        }
    }
    Ok(())
}

/// What a column of text is, looked at closely.
enum TextHolds {
    /// Numbers, and these texts for "no value".
    Numbers(BTreeSet<String>),
    /// Points in time.
    Times,
    /// Words.
    Words,
}

/// Texts that commonly stand for "no value".
const NO_VALUE: [&str; 8] = ["NA", "N/A", "n/a", "NULL", "null", "None", "-", "?"];

fn text_holds(sample: &RecordBatch, name: &str) -> TextHolds {
    let texts = sample
        .column_by_name(name)
        .and_then(|column| arrow::compute::cast(column, &Arrow::Utf8).ok());
    let Some(texts) = texts.as_ref().and_then(|texts| texts.as_string_opt::<i32>()) else {
        return TextHolds::Words;
    };
    let (mut markers, mut numbers, mut times, mut words) = (BTreeSet::new(), 0, 0, 0);
    for text in texts.iter().flatten().filter(|text| !text.is_empty()) {
        if NO_VALUE.contains(&text) {
            markers.insert(text.to_owned());
        } else if text.parse::<f64>().is_ok() {
            numbers += 1;
        } else if is_time(text) {
            times += 1;
        } else {
            words += 1;
        }
    }
    match (numbers, times, words) {
        (0, 1.., 0) => TextHolds::Times,
        (1.., 0, 0) => TextHolds::Numbers(markers),
        _ => TextHolds::Words,
    }
}

fn is_time(text: &str) -> bool {
    has_zone(text) || chrono::NaiveDateTime::parse_from_str(&text.replacen('T', " ", 1), "%Y-%m-%d %H:%M:%S%.f").is_ok()
}

fn has_zone(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)).is_ok()
}

/// Whether a time has nanoseconds that a microsecond cannot hold.
fn is_too_fine(sample: &RecordBatch, time: &str) -> bool {
    let nanos = sample.column_by_name(time).filter(|column| {
        matches!(
            column.data_type(),
            Arrow::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, _)
        )
    });
    let nanos = nanos.and_then(|column| arrow::compute::cast(column, &Arrow::Int64).ok());
    let nanos = nanos
        .as_ref()
        .and_then(|nanos| nanos.as_primitive_opt::<arrow::datatypes::Int64Type>());
    nanos.is_some_and(|nanos| nanos.iter().flatten().any(|nanos| nanos % 1_000 != 0))
}

fn check_time(sample: &RecordBatch, asked: &Asked<'_>) -> Outcome {
    let column = sample
        .column_by_name(asked.time)
        .ok_or_else(|| Failure::input("the sample has no time column"))?;
    let naive = match column.data_type() {
        Arrow::Timestamp(_, zone) => zone.is_none(),
        Arrow::Date32 | Arrow::Date64 => true,
        Arrow::Utf8 => {
            let first = arrow::util::display::array_value_to_string(column, 0).unwrap_or_default();
            if !is_time(&first) {
                return Err(Failure::input(format!(
                    "--time `{}` is no time: wanted timestamps such as `2026-01-31T12:00:00Z`, found `{first}`",
                    asked.time
                )));
            }
            !has_zone(&first)
        }
        other => {
            return Err(Failure::input(format!(
                "--time `{}` is no time: wanted timestamps, found {other}",
                asked.time
            )));
        }
    };
    if naive && asked.time_zone.is_none() {
        return Err(
            Failure::input(format!("--time `{}` has timestamps without a zone", asked.time))
                .hint("say which zone they are in: --time-zone UTC, or --time-zone America/New_York"),
        );
    }
    Ok(())
}
