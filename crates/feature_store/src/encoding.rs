//! How the columns of a Parquet file are encoded, chosen by their first rows.
//!
//! | the first rows of a column | dictionary | encoding | compression |
//! |---|---|---|---|
//! | whole numbers, times and dates, nearly all different | no | differences, bit-packed | Zstandard |
//! | floating-point numbers that do not come back, and that Zstandard makes hardly smaller | no | plain | none |
//! | floating-point numbers that do not come back, and that it makes small enough | no | plain | Zstandard |
//! | everything else | until it is full | plain after it | Zstandard |
//!
//! Measured values are often noise in their lower bits: Zstandard then saves a few percent and costs ten times what reading the plain
//! values does. A dictionary of values that do not come back costs a hash for each, and memory for each column. Values that only repeat next
//! to each other, because several rows of a dataset see the same row of a group, do not come back. The choice depends on the rows alone, so
//! that the same rows give the same bytes.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::threads::each;

/// At most so many rows are looked at.
const SAMPLE_ROWS: usize = 8_192;
/// Fewer rows than this say too little.
const LEAST_ROWS: usize = 1_024;
/// Less than one value in so many may be there twice, or may come back, to count as none.
const SELDOM: usize = 10;
/// What compression of numbers that do not come back must save to be worth its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saving {
    /// An eighth: for tables, which are kept for long.
    Eighth,
    /// Two thirds: for datasets, which are read again and again, and can be made again.
    TwoThirds,
}

/// The properties, with what is best for columns that begin like this; so many columns are looked at at once.
pub(crate) fn chosen(
    properties: WriterPropertiesBuilder,
    first: &RecordBatch,
    saving: Saving,
    threads: usize,
) -> WriterProperties {
    let sample = first.slice(0, first.num_rows().min(SAMPLE_ROWS));
    let choices = each(sample.columns(), threads, |_, column| choice(column, saving));
    let schema = sample.schema();
    let columns = schema.fields().iter().zip(choices);
    let tuned = columns.fold(properties, |properties, (field, choice)| {
        let path = ColumnPath::from(field.name().as_str());
        match choice {
            Choice::Usual => properties,
            Choice::Differences => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Choice::Plain { is_compressed } => {
                let properties = properties.set_column_dictionary_enabled(path.clone(), false);
                if is_compressed {
                    properties
                } else {
                    properties.set_column_compression(path, Compression::UNCOMPRESSED)
                }
            }
        }
    });
    tuned.build()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Usual,
    Differences,
    Plain { is_compressed: bool },
}

fn choice(column: &ArrayRef, saving: Saving) -> Choice {
    let is_float = column.data_type().is_floating();
    let is_whole = matches!(
        column.data_type(),
        DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..)
    );
    let width = column.data_type().primitive_width().unwrap_or(0);
    if !(is_float || is_whole) || width == 0 || column.len() - column.null_count() < LEAST_ROWS {
        return Choice::Usual;
    }
    let values = plain_values(column, width);
    let all = values.len() / width;
    if is_whole {
        let different = values.chunks_exact(width).collect::<HashSet<_>>().len();
        return if different * SELDOM > all * (SELDOM - 1) {
            Choice::Differences
        } else {
            Choice::Usual
        };
    }
    let (first, second) = values.split_at(all / 2 * width);
    let first: HashSet<&[u8]> = first.chunks_exact(width).collect();
    let back = second.chunks_exact(width).filter(|value| first.contains(value)).count();
    if back * SELDOM > all / 2 {
        return Choice::Usual;
    }
    let compressed = zstd::bulk::compress(&values, 1).map_or(values.len(), |bytes| bytes.len());
    let least = match saving {
        Saving::Eighth => values.len() / 8,
        Saving::TwoThirds => values.len() / 3 * 2,
    };
    Choice::Plain {
        is_compressed: compressed + least <= values.len(),
    }
}

/// The values that are there, as plain encoding writes them.
fn plain_values(column: &ArrayRef, width: usize) -> Vec<u8> {
    let data = column.to_data();
    let bytes = data
        .buffers()
        .first()
        .map(|buffer| buffer.as_slice())
        .unwrap_or_default();
    let from = data.offset() * width;
    let bytes = bytes.get(from..from + column.len() * width).unwrap_or_default();
    if column.null_count() == 0 {
        return bytes.to_vec();
    }
    let rows = bytes.chunks_exact(width).enumerate();
    rows.filter(|(row, _)| column.is_valid(*row))
        .flat_map(|(_, value)| value.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn noise(row: i64) -> f64 {
        let mixed = (row as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(31)
            .wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn check(column: impl Array + 'static, expected: Choice) {
        let column: ArrayRef = Arc::new(column);
        assert_eq!(choice(&column, Saving::Eighth), expected);
        // Of a slice only its own values count.
        assert_eq!(
            choice(&column.slice(column.len() / 2, column.len() / 2), Saving::Eighth),
            expected
        );
    }

    #[test]
    fn noise_is_not_compressed() {
        let values = (0..20_000).map(|row| (row % 10 != 0).then(|| noise(row)));
        check(values.collect::<Float64Array>(), Choice::Plain { is_compressed: false });
    }

    #[test]
    fn numbers_that_have_a_pattern_are() {
        let values = (0..20_000).map(|row| Some(f64::from(row)));
        check(values.collect::<Float64Array>(), Choice::Plain { is_compressed: true });
    }

    #[test]
    fn values_that_repeat_next_to_each_other_do_not_come_back() {
        let values = (0..40_000).map(|row| Some(noise(row / 2)));
        check(values.collect::<Float64Array>(), Choice::Plain { is_compressed: true });
    }

    #[test]
    fn times_are_differences() {
        let values = TimestampMicrosecondArray::from_iter_values((0..20_000).map(|row| row * 300_000_000 + row % 7));
        check(values.with_timezone("UTC"), Choice::Differences);
    }

    #[test]
    fn values_that_come_back_keep_their_dictionary() {
        check(
            (0..20_000)
                .map(|row| Some(noise(row % 1_000)))
                .collect::<Float64Array>(),
            Choice::Usual,
        );
        check(
            Int64Array::from_iter_values((0..20_000).map(|row| row / 100)),
            Choice::Usual,
        );
        check(
            StringArray::from_iter_values((0..20_000).map(|row| row.to_string())),
            Choice::Usual,
        );
        check(Float64Array::new_null(20_000), Choice::Usual);
    }

    #[test]
    fn few_rows_say_nothing() {
        let values: ArrayRef = Arc::new((0..100).map(|row| Some(noise(row))).collect::<Float64Array>());
        assert_eq!(choice(&values, Saving::Eighth), Choice::Usual);
    }

    #[test]
    fn files_of_every_choice_are_read_back() {
        let rows = RecordBatch::try_from_iter([
            (
                "noise",
                Arc::new((0..5_000).map(|row| Some(noise(row))).collect::<Float64Array>()) as ArrayRef,
            ),
            (
                "time",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    (0..5_000).map(|row| row * row),
                )),
            ),
            (
                "key",
                Arc::new(Int64Array::from_iter_values((0..5_000).map(|row| row / 100))),
            ),
        ])
        .unwrap();
        let properties = chosen(WriterProperties::builder(), &rows, Saving::TwoThirds, 2);
        let mut bytes = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 5_000).unwrap();
        assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), [rows]);
    }
}
