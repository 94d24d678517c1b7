//! TFRecord: **one record a row, each a `tf.train.Example`, each with checksums of its length and its bytes.**
//!
//! ```text
//!   u64 length │ u32 masked CRC-32C of the length │ the Example │ u32 masked CRC-32C of the Example      (little-endian)
//!   mask(crc) = rotate_right(crc, 15) + 0xa282ead8
//! ```
//!
//! | column | feature |
//! |---|---|
//! | bool, int32, int64 | `int64_list` of one value |
//! | date, timestamp | `int64_list`: days, or microseconds, since 1970-01-01 UTC |
//! | float32, float64 | `float_list`: the format has no floats of more than 32 bits |
//! | utf8 | `bytes_list`, UTF-8 |
//! | NULL | the row has no feature of that name |
//!
//! Features stand in the order of their names, so the bytes are the same every time. Memory: one row.
//!
//! Sources: `tensorflow/core/example/{example,feature}.proto`; `tensorflow/core/lib/io/record_writer.h` and `lib/hash/crc32c.h`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Int64Type, SchemaRef, TimeUnit};
use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

use crate::StoreError;
use crate::error::file_error;

const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

#[derive(Clone, PartialEq, Message)]
struct Example {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct Features {
    #[prost(btree_map = "string, message", tag = "1")]
    feature: BTreeMap<String, Feature>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Float(FloatList),
    #[prost(message, tag = "3")]
    Int64(Int64List),
}

#[derive(Clone, PartialEq, Message)]
struct BytesList {
    #[prost(bytes = "vec", repeated, tag = "1")]
    value: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct FloatList {
    #[prost(float, repeated, tag = "1")]
    value: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct Int64List {
    #[prost(int64, repeated, tag = "1")]
    value: Vec<i64>,
}

/// Writes rows as records; `path` is what messages call the file. Gives their number.
///
/// # Errors
/// What the rows give; `UnsupportedType` for a column of a type that datasets do not have; when the stream cannot be written.
pub(crate) fn write(
    mut writer: impl Write,
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
) -> Result<u64, StoreError> {
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        let columns = names
            .iter()
            .zip(batch.columns())
            .map(|(name, column)| Values::of(name, column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let of_row = names.iter().zip(&columns).filter_map(|(name, values)| {
                let kind = Some(values.kind(row)?);
                Some(((*name).clone(), Feature { kind }))
            });
            let features = Some(Features {
                feature: of_row.collect(),
            });
            let record = framed(&Example { features }.encode_to_vec());
            writer.write_all(&record).map_err(file_error(path))?;
        }
        rows += batch.num_rows() as u64;
    }
    writer.flush().map_err(file_error(path))?;
    Ok(rows)
}

/// A record with its length and checksums.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [
        length.as_slice(),
        &masked_checksum(&length),
        bytes,
        &masked_checksum(bytes),
    ]
    .concat()
}

fn masked_checksum(bytes: &[u8]) -> [u8; 4] {
    let checksum = CASTAGNOLI.checksum(bytes);
    checksum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// A column in the type that its features have.
enum Values {
    Int64(ArrayRef),
    Float(ArrayRef),
    Text(ArrayRef),
}

impl Values {
    fn of(name: &str, column: &ArrayRef) -> Result<Self, StoreError> {
        Ok(match column.data_type() {
            // Days do not become 64-bit numbers in one step.
            DataType::Date32 => Self::Int64(cast(&cast(column, &DataType::Int32)?, &DataType::Int64)?),
            DataType::Boolean | DataType::Int32 | DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Int64(cast(column, &DataType::Int64)?)
            }
            DataType::Float32 | DataType::Float64 => Self::Float(cast(column, &DataType::Float32)?),
            DataType::Utf8 => Self::Text(column.clone()),
            other => {
                return Err(StoreError::UnsupportedType {
                    column: name.to_owned(),
                    found: other.to_string(),
                });
            }
        })
    }

    /// The value of a row; `None`: NULL.
    fn kind(&self, row: usize) -> Option<Kind> {
        let (Self::Int64(column) | Self::Float(column) | Self::Text(column)) = self;
        column.is_valid(row).then(|| match self {
            Self::Int64(column) => Kind::Int64(Int64List {
                value: vec![column.as_primitive::<Int64Type>().value(row)],
            }),
            Self::Float(column) => Kind::Float(FloatList {
                value: vec![column.as_primitive::<Float32Type>().value(row)],
            }),
            Self::Text(column) => Kind::Bytes(BytesList {
                value: vec![column.as_string::<i32>().value(row).as_bytes().to_vec()],
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

    use super::*;

    /// Values of RFC 3720 (B.4), and the mask as the reference implementation computes it.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(CASTAGNOLI.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CASTAGNOLI.checksum(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(CASTAGNOLI.checksum(&rising), 0x46dd_794e);
        let masked = u32::from_le_bytes(masked_checksum(b"foo"));
        let unmasked = masked.wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(unmasked, CASTAGNOLI.checksum(b"foo"));
    }

    #[test]
    fn record_is_its_length_its_bytes_and_two_checksums() {
        let record = framed(b"abc");
        assert_eq!(record.len(), 8 + 4 + 3 + 4);
        assert_eq!(record[..8], 3_u64.to_le_bytes());
        assert_eq!(&record[12..15], b"abc");
    }
}
