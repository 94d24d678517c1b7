//! The content fingerprint: the SHA-256 of a table's content in canonical form. Equal content, equal fingerprint, whatever the
//! batches, files, dictionary encoding, compression or threads.
//!
//! The canonical form, so that others can compute it too (all numbers little-endian):
//!
//! ```text
//! value    NULL                    00
//!          bool                    01, one byte 00 or 01
//!          int32, date             01, 4 bytes        (a date is its days since 1970-01-01)
//!          int64, timestamp        01, 8 bytes        (a timestamp is its microseconds since 1970-01-01T00:00:00Z)
//!          float32, float64        01, 4 or 8 bytes of IEEE 754; every NaN is the one with only the quiet bit set; -0.0 and 0.0 differ
//!          utf8                    01, length in bytes as 8 bytes, the bytes
//! column   SHA-256 of its values in row order
//! table    SHA-256 of "table 1\n", rows (8 bytes), columns (4 bytes), then for each column in order:
//!          length of the name (4 bytes), the name, length of the type's word (4 bytes), the word, the column's 32 bytes
//! ```
//!
//! The type's word is the one a definition uses (`float64`, `utf8`, …). How text is held in memory (views, 64-bit offsets,
//! dictionaries) is no part of it. One pass, one hasher per column, memory of one batch's values.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use definitions::Fingerprint;
use sha2::{Digest, Sha256};

use crate::StoreError;

/// So many values are put into canonical form at once: they stay in the processor's cache.
const ROWS_AT_ONCE: usize = 4_096;
const FLOAT32_NAN: u32 = 0x7fc0_0000;
const FLOAT64_NAN: u64 = 0x7ff8_0000_0000_0000;

/// The declared type that an Arrow type holds; `None` where no declared type does.
#[must_use]
pub fn declared_type(data_type: &DataType) -> Option<definitions::DataType> {
    match data_type {
        DataType::Boolean => Some(definitions::DataType::Bool),
        DataType::Int32 => Some(definitions::DataType::Int32),
        DataType::Int64 => Some(definitions::DataType::Int64),
        DataType::Float32 => Some(definitions::DataType::Float32),
        DataType::Float64 => Some(definitions::DataType::Float64),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(definitions::DataType::Utf8),
        DataType::Date32 => Some(definitions::DataType::Date),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Some(definitions::DataType::Timestamp),
        DataType::Dictionary(_, values) => declared_type(values),
        _ => None,
    }
}

/// The content fingerprint of a table, batch by batch.
#[derive(Debug, Clone)]
pub struct ContentHasher {
    columns: Vec<ColumnHasher>,
    rows: u64,
}

/// The content of one column, batch by batch.
#[derive(Debug, Clone)]
pub(crate) struct ColumnHasher {
    name: String,
    data_type: definitions::DataType,
    values: Sha256,
}

impl ContentHasher {
    /// A hasher for tables of this schema; nullability and metadata do not count.
    ///
    /// # Errors
    /// `UnsupportedType` for a column that no declared type can hold.
    pub fn new(schema: &Schema) -> Result<Self, StoreError> {
        Ok(Self {
            columns: schema
                .fields()
                .iter()
                .map(|field| ColumnHasher::new(field))
                .collect::<Result<_, _>>()?,
            rows: 0,
        })
    }

    /// The hasher of a table whose columns were hashed one by one.
    pub(crate) fn of_columns(columns: Vec<ColumnHasher>, rows: u64) -> Self {
        Self { columns, rows }
    }

    /// Takes in the next rows; columns by place.
    ///
    /// # Errors
    /// `UnsupportedType` where a column has another type than the schema said, or there are more or fewer of them.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if batch.num_columns() != self.columns.len() {
            let found = format!("{} columns in place of {}", batch.num_columns(), self.columns.len());
            return Err(StoreError::UnsupportedType {
                column: "*".to_owned(),
                found,
            });
        }
        for (hasher, array) in self.columns.iter_mut().zip(batch.columns()) {
            hasher.update(array)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// The fingerprint of all the rows so far.
    #[must_use]
    pub fn finish(self) -> Fingerprint {
        let mut table = Sha256::new();
        table.update(b"table 1\n");
        table.update(self.rows.to_le_bytes());
        table.update((self.columns.len() as u32).to_le_bytes());
        for column in self.columns {
            let word = column.data_type.word();
            table.update((column.name.len() as u32).to_le_bytes());
            table.update(column.name.as_bytes());
            table.update((word.len() as u32).to_le_bytes());
            table.update(word.as_bytes());
            table.update(column.values.finalize());
        }
        Fingerprint::from_digest(table.finalize().into())
    }
}

/// The content fingerprint of several tables as one thing: the SHA-256 of `dataset 1\n`, then for each the length of its
/// name (4 bytes), the name and its fingerprint, in this order.
#[must_use]
pub fn combine<'a>(tables: impl IntoIterator<Item = (&'a str, Fingerprint)>) -> Fingerprint {
    let mut whole = Sha256::new();
    whole.update(b"dataset 1\n");
    for (name, fingerprint) in tables {
        whole.update((name.len() as u32).to_le_bytes());
        whole.update(name.as_bytes());
        whole.update(fingerprint.bytes());
    }
    Fingerprint::from_digest(whole.finalize().into())
}

impl ColumnHasher {
    /// A hasher for a column of this name and type.
    pub(crate) fn new(field: &arrow::datatypes::Field) -> Result<Self, StoreError> {
        let data_type = declared_type(field.data_type()).ok_or_else(|| StoreError::UnsupportedType {
            column: field.name().clone(),
            found: field.data_type().to_string(),
        })?;
        Ok(Self {
            name: field.name().clone(),
            data_type,
            values: Sha256::new(),
        })
    }

    /// Takes in the next values.
    pub(crate) fn update(&mut self, array: &ArrayRef) -> Result<(), StoreError> {
        let mismatch = || StoreError::UnsupportedType {
            column: self.name.clone(),
            found: array.data_type().to_string(),
        };
        if declared_type(array.data_type()) != Some(self.data_type) {
            return Err(mismatch());
        }
        let plain = plain(array)?.ok_or_else(mismatch)?;
        let mut canonical = Vec::new();
        for from in (0..plain.len()).step_by(ROWS_AT_ONCE) {
            canonical.clear();
            let rows = plain.slice(from, ROWS_AT_ONCE.min(plain.len() - from));
            put_values(&mut canonical, &rows);
            self.values.update(&canonical);
        }
        Ok(())
    }
}

/// Appends the canonical form of a plain array's values, one after the other.
fn put_values(out: &mut Vec<u8>, plain: &ArrayRef) {
    match plain.data_type() {
        DataType::Boolean => plain
            .as_boolean()
            .iter()
            .for_each(|value| put(out, value.map(|v| [u8::from(v)]))),
        DataType::Int32 => put_all::<Int32Type, 4>(out, plain, i32::to_le_bytes),
        DataType::Date32 => put_all::<Date32Type, 4>(out, plain, i32::to_le_bytes),
        DataType::Int64 => put_all::<Int64Type, 8>(out, plain, i64::to_le_bytes),
        DataType::Timestamp(..) => put_all::<TimestampMicrosecondType, 8>(out, plain, i64::to_le_bytes),
        DataType::Float32 => put_all::<Float32Type, 4>(out, plain, float32),
        DataType::Float64 => put_all::<Float64Type, 8>(out, plain, float64),
        _ => plain.as_string::<i32>().iter().for_each(|text| put_text(out, text)),
    }
}

/// Appends the canonical form of one value of a [`plain`] array.
pub(crate) fn put_value(out: &mut Vec<u8>, plain: &ArrayRef, row: usize) {
    if row >= plain.len() || plain.is_null(row) {
        return out.push(0);
    }
    match plain.data_type() {
        DataType::Boolean => put(out, Some([u8::from(plain.as_boolean().value(row))])),
        DataType::Int32 => put(out, Some(plain.as_primitive::<Int32Type>().value(row).to_le_bytes())),
        DataType::Date32 => put(out, Some(plain.as_primitive::<Date32Type>().value(row).to_le_bytes())),
        DataType::Int64 => put(out, Some(plain.as_primitive::<Int64Type>().value(row).to_le_bytes())),
        DataType::Timestamp(..) => {
            put(
                out,
                Some(
                    plain
                        .as_primitive::<TimestampMicrosecondType>()
                        .value(row)
                        .to_le_bytes(),
                ),
            );
        }
        DataType::Float32 => put(out, Some(float32(plain.as_primitive::<Float32Type>().value(row)))),
        DataType::Float64 => put(out, Some(float64(plain.as_primitive::<Float64Type>().value(row)))),
        _ => put_text(out, Some(plain.as_string::<i32>().value(row))),
    }
}

/// The array with its values one by one: no dictionary, text with 32-bit offsets.
pub(crate) fn plain(array: &ArrayRef) -> Result<Option<ArrayRef>, StoreError> {
    let to = match declared_type(array.data_type()) {
        None => return Ok(None),
        Some(definitions::DataType::Utf8) => DataType::Utf8,
        Some(_) => match array.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        },
    };
    if array.data_type() == &to {
        Ok(Some(array.clone()))
    } else {
        Ok(Some(cast(array, &to)?))
    }
}

fn put<const N: usize>(out: &mut Vec<u8>, value: Option<[u8; N]>) {
    match value {
        None => out.push(0),
        Some(bytes) => {
            out.push(1);
            out.extend_from_slice(&bytes);
        }
    }
}

fn put_all<T: ArrowPrimitiveType, const N: usize>(
    out: &mut Vec<u8>,
    plain: &ArrayRef,
    encode: impl Fn(T::Native) -> [u8; N],
) {
    let values = plain.as_primitive::<T>();
    let from = out.len();
    out.resize(from + values.len() * (N + 1), 1);
    let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) else {
        let places = out.get_mut(from..).unwrap_or_default().chunks_exact_mut(N + 1);
        for (place, value) in places.zip(values.values()) {
            if let Some(place) = place.last_chunk_mut::<N>() {
                *place = encode(*value);
            }
        }
        return;
    };
    let mut at = from;
    for (value, is_valid) in values.values().iter().zip(nulls) {
        // Every place is written in full: the next value begins where this one ends.
        if let Some([mark, bytes @ ..]) = out.get_mut(at..=at + N)
            && let Some(bytes) = bytes.first_chunk_mut::<N>()
        {
            *mark = u8::from(is_valid);
            *bytes = encode(*value);
        }
        at += if is_valid { N + 1 } else { 1 };
    }
    out.truncate(at);
}

fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    put(out, text.map(|text| (text.len() as u64).to_le_bytes()));
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn float32(value: f32) -> [u8; 4] {
    if value.is_nan() {
        FLOAT32_NAN.to_le_bytes()
    } else {
        value.to_le_bytes()
    }
}

fn float64(value: f64) -> [u8; 8] {
    if value.is_nan() {
        FLOAT64_NAN.to_le_bytes()
    } else {
        value.to_le_bytes()
    }
}

#[cfg(test)]
mod tests;
