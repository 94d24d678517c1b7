//! NumPy's `.npy`: **a structured array, one field a column**, so that one file holds a part whatever the types of its columns.
//!
//! ```text
//!   "\x93NUMPY" 1 0 │ u16 length │ {'descr': [('host', '<U7'), ('v', '<f8')], 'fortran_order': False, 'shape': (2,), } … \n
//!   row 0: host v │ row 1: host v │ …                                          (packed, little-endian)
//! ```
//!
//! | column | field | NULL |
//! |---|---|---|
//! | bool | `\|b1` | false, and true in the field `NAME.null` |
//! | int32, int64 | `<i4`, `<i8` | 0, and true in the field `NAME.null` |
//! | float32, float64 | `<f4`, `<f8` | NaN |
//! | utf8 | `<U` and the most characters of any value | the empty text, and true in the field `NAME.null` |
//! | date | `<M8[D]` | NaT |
//! | timestamp | `<M8[us]`, UTC | NaT |
//!
//! `NAME.null` stands after `NAME` where any part of the dataset has a NULL there, so that all parts have the same fields. `numpy.load` reads
//! the file as it is, also mapped (`mmap_mode="r"`); nothing is pickled. Cost: one pass, and one more over the texts to find the longest.
//!
//! Source: `numpy/lib/format.py`, the description of the format.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};

use crate::StoreError;
use crate::error::file_error;

const NOT_A_TIME: i64 = i64::MIN;

/// How the rows of a dataset lie in an array: the fields of one row, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    kind: Kind,
    /// Whether a flag for NULL follows.
    has_flag: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int32,
    Int64,
    Float32,
    Float64,
    Text { characters: usize },
    Date,
    Timestamp,
}

/// What is known of the columns before the rows are written.
#[derive(Debug, Default)]
pub(crate) struct Widths {
    /// The most characters of each column of texts, by its name.
    characters: BTreeMap<String, usize>,
}

impl Widths {
    /// Looks at rows that will be written.
    ///
    /// # Errors
    /// For a text that ends in U+0000: NumPy's texts cannot hold it.
    pub(crate) fn add(&mut self, path: &Path, batch: &RecordBatch) -> Result<(), StoreError> {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let most = self.characters.entry(field.name().clone()).or_default();
            for text in column.as_string_opt::<i32>().into_iter().flatten().flatten() {
                if text.ends_with('\0') {
                    let what = "a text ends in the character U+0000, which an array of NumPy cannot hold";
                    return Err(file_error(path)(io::Error::new(io::ErrorKind::InvalidData, what)));
                }
                *most = (*most).max(text.chars().count());
            }
        }
        Ok(())
    }
}

impl Layout {
    /// The layout of rows with these columns; `with_nulls` names those that have a NULL somewhere.
    ///
    /// # Errors
    /// `UnsupportedType` for a column of a type that datasets do not have.
    pub(crate) fn new(schema: &SchemaRef, widths: &Widths, with_nulls: &BTreeSet<&str>) -> Result<Self, StoreError> {
        let field = |field: &arrow::datatypes::FieldRef| {
            let characters = widths.characters.get(field.name()).copied().unwrap_or_default().max(1);
            let kind = match field.data_type() {
                DataType::Boolean => Kind::Bool,
                DataType::Int32 => Kind::Int32,
                DataType::Int64 => Kind::Int64,
                DataType::Float32 => Kind::Float32,
                DataType::Float64 => Kind::Float64,
                DataType::Utf8 => Kind::Text { characters },
                DataType::Date32 => Kind::Date,
                DataType::Timestamp(TimeUnit::Microsecond, _) => Kind::Timestamp,
                other => {
                    return Err(StoreError::UnsupportedType {
                        column: field.name().clone(),
                        found: other.to_string(),
                    });
                }
            };
            let needs_flag = matches!(kind, Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Text { .. });
            Ok(Field {
                name: field.name().clone(),
                kind,
                has_flag: needs_flag && with_nulls.contains(field.name().as_str()),
            })
        };
        let fields = schema.fields().iter().map(field);
        Ok(Self {
            fields: fields.collect::<Result<_, _>>()?,
        })
    }

    /// Magic, version, and the description of so many rows, padded to a multiple of 64 bytes.
    fn header(&self, rows: u64) -> Vec<u8> {
        let described: Vec<String> = self.fields.iter().flat_map(Field::described).collect();
        let text = format!(
            "{{'descr': [{}], 'fortran_order': False, 'shape': ({rows},), }}",
            described.join(", ")
        );
        let padded = |before: usize| (before + text.len() + 1).next_multiple_of(64) - before;
        let short = u16::try_from(padded(10)).ok();
        let (version, length, width) = match short {
            Some(length) => (1, length.to_le_bytes().to_vec(), usize::from(length)),
            None => {
                let width = padded(12);
                let length = u32::try_from(width).unwrap_or(u32::MAX);
                (2, length.to_le_bytes().to_vec(), width)
            }
        };
        let mut header = [b"\x93NUMPY".as_slice(), &[version, 0], &length].concat();
        header.extend_from_slice(text.as_bytes());
        header.resize(header.len() + width - text.len() - 1, b' ');
        header.push(b'\n');
        header
    }
}

impl Field {
    fn described(&self) -> Vec<String> {
        let type_word = match self.kind {
            Kind::Bool => "|b1".to_owned(),
            Kind::Int32 => "<i4".to_owned(),
            Kind::Int64 => "<i8".to_owned(),
            Kind::Float32 => "<f4".to_owned(),
            Kind::Float64 => "<f8".to_owned(),
            Kind::Text { characters } => format!("<U{characters}"),
            Kind::Date => "<M8[D]".to_owned(),
            Kind::Timestamp => "<M8[us]".to_owned(),
        };
        let flag = self.has_flag.then(|| format!("('{}.null', '|b1')", self.name));
        let own = format!("('{}', '{type_word}')", self.name);
        std::iter::once(own).chain(flag).collect()
    }

    /// Appends the value of one row.
    fn put(&self, bytes: &mut Vec<u8>, column: &ArrayRef, row: usize) {
        let valid = column.is_valid(row);
        match self.kind {
            Kind::Bool => bytes.push(u8::from(valid && column.as_boolean().value(row))),
            Kind::Int32 => {
                let value = column.as_primitive::<Int32Type>().value(row);
                bytes.extend_from_slice(&if valid { value } else { 0 }.to_le_bytes());
            }
            Kind::Int64 => {
                let value = column.as_primitive::<Int64Type>().value(row);
                bytes.extend_from_slice(&if valid { value } else { 0 }.to_le_bytes());
            }
            Kind::Float32 => {
                let value = column.as_primitive::<Float32Type>().value(row);
                bytes.extend_from_slice(&if valid { value } else { f32::NAN }.to_le_bytes());
            }
            Kind::Float64 => {
                let value = column.as_primitive::<Float64Type>().value(row);
                bytes.extend_from_slice(&if valid { value } else { f64::NAN }.to_le_bytes());
            }
            Kind::Date => {
                let days = i64::from(column.as_primitive::<Date32Type>().value(row));
                bytes.extend_from_slice(&if valid { days } else { NOT_A_TIME }.to_le_bytes());
            }
            Kind::Timestamp => {
                let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
                bytes.extend_from_slice(&if valid { micros } else { NOT_A_TIME }.to_le_bytes());
            }
            Kind::Text { characters } => {
                let end = bytes.len() + 4 * characters;
                let text = if valid {
                    column.as_string::<i32>().value(row)
                } else {
                    ""
                };
                for character in text.chars().take(characters) {
                    bytes.extend_from_slice(&u32::from(character).to_le_bytes());
                }
                bytes.resize(end, 0);
            }
        }
        if self.has_flag {
            bytes.push(u8::from(!valid));
        }
    }
}

/// Writes rows as a structured array; `path` is what messages call the file. Gives their number.
///
/// # Errors
/// What the rows give; when there are not as many as `rows` says; when the stream cannot be written.
pub(crate) fn write(
    mut writer: impl Write,
    path: &Path,
    layout: &Layout,
    rows: u64,
    batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
) -> Result<u64, StoreError> {
    writer.write_all(&layout.header(rows)).map_err(file_error(path))?;
    let (mut written, mut bytes) = (0, Vec::new());
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            bytes.clear();
            for (field, column) in layout.fields.iter().zip(batch.columns()) {
                field.put(&mut bytes, column, row);
            }
            writer.write_all(&bytes).map_err(file_error(path))?;
        }
        written += batch.num_rows() as u64;
    }
    if written != rows {
        let what = format!("the part has {written} rows, its manifest says {rows}");
        return Err(file_error(path)(io::Error::other(what)));
    }
    writer.flush().map_err(file_error(path))?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};

    use super::*;

    fn written(batch: &RecordBatch, with_nulls: &[&str]) -> Vec<u8> {
        let mut widths = Widths::default();
        widths.add(Path::new("x"), batch).unwrap();
        let with_nulls = with_nulls.iter().copied().collect();
        let layout = Layout::new(&batch.schema(), &widths, &with_nulls).unwrap();
        let (mut bytes, rows) = (Vec::new(), batch.num_rows() as u64);
        write(
            &mut bytes,
            Path::new("x"),
            &layout,
            rows,
            std::iter::once(Ok(batch.clone())),
        )
        .unwrap();
        bytes
    }

    #[test]
    fn header_describes_the_fields_and_ends_at_a_multiple_of_64() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["é", "ab"]));
        let bytes = written(
            &RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap(),
            &["n"],
        );
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + length) % 64, 0);
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        let wanted =
            "{'descr': [('n', '<i4'), ('n.null', '|b1'), ('t', '<U2')], 'fortran_order': False, 'shape': (2,), }";
        assert_eq!(header.trim_end(), wanted);
        let rows = &bytes[10 + length..];
        assert_eq!(rows[..13], [7, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(rows[13..18], [0, 0, 0, 0, 1]);
        assert_eq!(rows.len(), 26);
    }

    #[test]
    fn text_that_ends_in_zero_is_refused() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a\0"]));
        let batch = RecordBatch::try_from_iter([("t", texts)]).unwrap();
        let error = Widths::default().add(Path::new("train.npy"), &batch).unwrap_err();
        assert!(error.to_string().contains("train.npy"), "{error}");
    }

    #[test]
    fn header_of_many_fields_takes_the_longer_form() {
        let column = |n: usize| {
            (
                format!("a_column_with_a_long_name_{n}"),
                Arc::new(Int32Array::from(vec![1])) as ArrayRef,
            )
        };
        let batch = RecordBatch::try_from_iter((0..2_000).map(column)).unwrap();
        let bytes = written(&batch, &[]);
        assert_eq!(bytes[6..8], [2, 0]);
        let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
        assert_eq!((12 + length) % 64, 0);
        assert_eq!(bytes.len(), 12 + length + 4 * 2_000);
    }
}
