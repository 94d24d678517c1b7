//! Typing texts and JSON values by the definition, column by column. What is not of the declared type is a fault, never a guess.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use definitions::{ColumnName, DataType};

use super::clock::{Clock, NoInstant, parse_date};
use super::violation::Reason;

/// A value that is not what the definition says.
#[derive(Debug, Clone)]
pub(super) struct CellFault {
    /// The row in its batch.
    pub row: usize,
    /// The declared column, by its place; `None`: the row as a whole.
    pub column: Option<usize>,
    /// The value, as it stood there.
    pub value: String,
    /// The kind of fault.
    pub reason: Reason,
    /// What is wrong, exactly.
    pub detail: String,
}

/// A declared column, and where it stands in a file.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The column.
    pub name: ColumnName,
    /// Its declared type.
    pub data_type: DataType,
    /// Its name in files.
    pub file_column: String,
}

/// A value as a file gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// NULL.
    Null,
    /// Text: of a CSV file, or in quotes.
    Text(&'a str),
    /// A JSON number that is an integer.
    Int(i128),
    /// A JSON number that is not.
    Float(f64),
    /// A JSON truth value.
    Bool(bool),
    /// A JSON array or object.
    Nested,
}

/// What kind of file the cells come from: CSV texts may stand for any type, JSON texts only for text and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// CSV.
    Csv,
    /// JSON lines.
    Json,
}

/// Why a cell is not of the declared type.
type Wrong = (Reason, String);

/// Builds one column of a batch.
pub(super) struct ColumnBuilder {
    values: Values,
    data_type: DataType,
    kind: CellKind,
}

enum Values {
    Bool(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Utf8(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    /// A builder for so many rows.
    pub(super) fn new(data_type: DataType, kind: CellKind, rows: usize) -> Self {
        let values = match data_type {
            DataType::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::Int32 => Values::Int32(Int32Builder::with_capacity(rows)),
            DataType::Int64 => Values::Int64(Int64Builder::with_capacity(rows)),
            DataType::Float32 => Values::Float32(Float32Builder::with_capacity(rows)),
            DataType::Float64 => Values::Float64(Float64Builder::with_capacity(rows)),
            DataType::Utf8 => Values::Utf8(StringBuilder::with_capacity(rows, rows * 8)),
            DataType::Date => Values::Date(Date32Builder::with_capacity(rows)),
            DataType::Timestamp => {
                Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
            }
        };
        Self {
            values,
            data_type,
            kind,
        }
    }

    /// Takes in a cell; where it is at fault, NULL in its place, and the fault.
    pub(super) fn push(&mut self, cell: &Cell<'_>, clock: &Clock) -> Result<(), Wrong> {
        if matches!(cell, Cell::Null) {
            self.push_null();
            return Ok(());
        }
        let pushed = self.push_value(cell, clock);
        if pushed.is_err() {
            self.push_null();
        }
        pushed
    }

    fn push_value(&mut self, cell: &Cell<'_>, clock: &Clock) -> Result<(), Wrong> {
        let is_csv = self.kind == CellKind::Csv;
        let wrong = || wrong_type(self.data_type, cell, self.kind);
        match &mut self.values {
            Values::Bool(values) => values.append_value(to_bool(cell, is_csv).ok_or_else(wrong)?),
            Values::Int32(values) => {
                let value = to_int(cell, is_csv).ok_or_else(wrong)?;
                values.append_value(i32::try_from(value).map_err(|_| beyond(value, DataType::Int32))?);
            }
            Values::Int64(values) => {
                let value = to_int(cell, is_csv).ok_or_else(wrong)?;
                values.append_value(i64::try_from(value).map_err(|_| beyond(value, DataType::Int64))?);
            }
            Values::Float32(values) => {
                let value = to_float(cell, is_csv).ok_or_else(wrong)?;
                let narrow = match cell {
                    Cell::Text(text) => text.trim().parse().unwrap_or(value as f32),
                    _ => value as f32,
                };
                if narrow.is_infinite() && value.is_finite() {
                    return Err(too_large(DataType::Float32));
                }
                values.append_value(narrow);
            }
            Values::Float64(values) => values.append_value(to_float(cell, is_csv).ok_or_else(wrong)?),
            Values::Utf8(values) => match cell {
                Cell::Text(text) => values.append_value(text),
                _ => return Err(wrong()),
            },
            Values::Date(values) => match cell {
                Cell::Text(text) => values.append_value(parse_date(text.trim()).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            },
            Values::Timestamp(values) => match cell {
                Cell::Text(text) => {
                    let instant = clock.parse(text.trim());
                    values.append_value(instant.map_err(|NoInstant { reason, detail }| (reason, detail))?);
                }
                _ => return Err(wrong()),
            },
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.append_null(),
            Values::Int32(values) => values.append_null(),
            Values::Int64(values) => values.append_null(),
            Values::Float32(values) => values.append_null(),
            Values::Float64(values) => values.append_null(),
            Values::Utf8(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
        }
    }

    /// The column.
    pub(super) fn finish(self) -> ArrayRef {
        match self.values {
            Values::Bool(mut values) => Arc::new(values.finish()),
            Values::Int32(mut values) => Arc::new(values.finish()),
            Values::Int64(mut values) => Arc::new(values.finish()),
            Values::Float32(mut values) => Arc::new(values.finish()),
            Values::Float64(mut values) => Arc::new(values.finish()),
            Values::Utf8(mut values) => Arc::new(values.finish()),
            Values::Date(mut values) => Arc::new(values.finish()),
            Values::Timestamp(mut values) => Arc::new(values.finish()),
        }
    }
}

fn to_bool(cell: &Cell<'_>, is_csv: bool) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(*value),
        Cell::Text(text) if is_csv => {
            let text = text.trim();
            let any = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            if any(["true", "t", "1"]) {
                Some(true)
            } else if any(["false", "f", "0"]) {
                Some(false)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn to_int(cell: &Cell<'_>, is_csv: bool) -> Option<i128> {
    match cell {
        Cell::Int(value) => Some(*value),
        Cell::Float(value) => whole(*value),
        Cell::Text(text) if is_csv => int_of_text(text.trim()),
        _ => None,
    }
}

/// Whole numbers, also as programs write them that hold them as floats: `12.0`, `1e3`.
fn int_of_text(text: &str) -> Option<i128> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    if let Some((digits, fraction)) = text.split_once('.')
        && !fraction.is_empty()
        && fraction.bytes().all(|digit| digit == b'0')
    {
        return digits.parse().ok();
    }
    whole(text.parse().ok()?)
}

/// A float that is a whole number, as far as floats are exact.
fn whole(value: f64) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i128)
}

fn to_float(cell: &Cell<'_>, is_csv: bool) -> Option<f64> {
    match cell {
        Cell::Float(value) => Some(*value),
        Cell::Int(value) => Some(*value as f64),
        Cell::Text(text) if is_csv => {
            let text = text.trim();
            let value: f64 = text.parse().ok()?;
            // A finite number written too large to hold is read as infinite.
            Some(value)
        }
        _ => None,
    }
}

/// Beyond what an integer type holds, and the bound that is crossed.
fn beyond(value: i128, data_type: DataType) -> Wrong {
    let (first, last) = match data_type {
        DataType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let word = data_type.word();
    let detail = if value < 0 {
        format!("too small for {word}, which begins at {first}")
    } else {
        format!("too large for {word}, which ends at {last}")
    };
    (Reason::DoesNotFit, detail)
}

fn too_large(data_type: DataType) -> Wrong {
    (Reason::DoesNotFit, format!("too large for {}", data_type.word()))
}

fn wrong_type(data_type: DataType, cell: &Cell<'_>, kind: CellKind) -> Wrong {
    let word = data_type.word();
    let example = match data_type {
        DataType::Bool => "`true`",
        DataType::Int32 | DataType::Int64 => "`12`",
        DataType::Float32 | DataType::Float64 => "`0.5`",
        DataType::Utf8 => "`\"text\"`",
        DataType::Date => "`2026-01-31`",
        DataType::Timestamp => "`2026-01-31T12:00:00Z`",
    };
    let detail = match (cell, kind) {
        _ if is_int(data_type) && to_float(cell, kind == CellKind::Csv).is_some_and(|value| value.fract() != 0.0) => {
            format!("not a whole number, wanted {word}")
        }
        (Cell::Nested, _) => format!("an array or object, not {word}"),
        (Cell::Text(_), CellKind::Json) if data_type.is_number() || data_type == DataType::Bool => {
            format!("text, not {word}: written without quotes, such as {example}")
        }
        (Cell::Int(_) | Cell::Float(_), CellKind::Json) if data_type == DataType::Timestamp => {
            "a number does not say its unit: write times such as `\"2026-01-31T12:00:00Z\"`".to_owned()
        }
        _ => format!("not {}, such as {example}", data_type_with_article(word)),
    };
    (Reason::WrongType, detail)
}

fn is_int(data_type: DataType) -> bool {
    matches!(data_type, DataType::Int32 | DataType::Int64)
}

fn data_type_with_article(word: &str) -> String {
    let article = if word.starts_with(['i', 'u']) && word != "utf8" {
        "an"
    } else {
        "a"
    };
    format!("{article} {word}")
}
