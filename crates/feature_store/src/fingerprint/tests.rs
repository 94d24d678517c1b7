//! The canonical form: what counts, and what does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Field, Int32Type as Keys};
use proptest::prelude::*;

use super::*;
use crate::point_in_time::tests::table::table;

fn of(batches: &[RecordBatch]) -> Fingerprint {
    let mut hasher = ContentHasher::new(&batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| hasher.update(batch).unwrap());
    hasher.finish()
}

fn check_differs(a: &str, b: &str) {
    assert_ne!(of(&[table(a)]), of(&[table(b)]));
}

#[test]
fn fingerprint_never_changes_from_release_to_release() {
    let batch =
        table("host ts v:int32 w:float64 b:bool d:date \n a 1 -1 0.5 true 3 \n - - - - - - \n bc 2 7 -0 false -1");
    assert_eq!(
        of(&[batch]).to_string(),
        "9a8f0d12262a231edc04f7012a4a3d1f75d7e1bd35b932fd270f99efa2a0523f"
    );
}

#[test]
fn fingerprint_is_what_the_documentation_says() {
    let column = |bytes: &[u8]| Sha256::digest(bytes);
    let mut text = b"table 1\n".to_vec();
    text.extend(2_u64.to_le_bytes());
    text.extend(2_u32.to_le_bytes());
    text.extend([1, 0, 0, 0, b'v', 5, 0, 0, 0]);
    text.extend(b"int64");
    text.extend(column(&[1, 7, 0, 0, 0, 0, 0, 0, 0, 0]));
    text.extend([4, 0, 0, 0]);
    text.extend(b"host");
    text.extend([4, 0, 0, 0]);
    text.extend(b"utf8");
    text.extend(column(&[
        1, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', 1, 0, 0, 0, 0, 0, 0, 0, 0,
    ]));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("v", Arc::new(Int64Array::from(vec![Some(7), None])) as ArrayRef, true),
        ("host", Arc::new(StringArray::from(vec!["ab", ""])) as ArrayRef, true),
    ]);
    assert_eq!(of(&[batch.unwrap()]), Fingerprint::of(&text));
}

#[test]
fn order_of_rows_counts() {
    check_differs("v \n 1 \n 2", "v \n 2 \n 1");
}

#[test]
fn names_and_types_of_columns_count() {
    check_differs("v \n 1", "w \n 1");
    check_differs("v:int64 \n 1", "v:int32 \n 1");
    check_differs("v \n -", "v:int32 \n -");
    check_differs("v w \n 1 2", "w v \n 2 1");
}

#[test]
fn number_of_rows_counts_even_without_columns() {
    check_differs("v", "v \n -");
}

#[test]
fn null_is_no_value() {
    check_differs("v \n -", "v \n 0");
    let text = |value: Option<&str>| {
        RecordBatch::try_from_iter_with_nullable([("host", Arc::new(StringArray::from(vec![value])) as ArrayRef, true)])
            .unwrap()
    };
    assert_ne!(of(&[text(None)]), of(&[text(Some(""))]));
}

#[test]
fn texts_do_not_run_into_each_other() {
    check_differs("host \n ab \n c", "host \n a \n bc");
}

fn floats(values: Vec<f64>) -> Fingerprint {
    of(&[RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(values)) as ArrayRef)]).unwrap()])
}

#[test]
fn every_nan_is_the_same() {
    assert_eq!(
        floats(vec![f64::NAN]),
        floats(vec![f64::from_bits(0xfff8_0000_0000_0001)])
    );
}

#[test]
fn negative_zero_is_not_zero() {
    assert_ne!(floats(vec![-0.0]), floats(vec![0.0]));
}

#[test]
fn values_behind_nulls_do_not_count() {
    let hidden = |value: i64| {
        let nulls = arrow::buffer::NullBuffer::from(vec![false, true]);
        let array = Int64Array::new(vec![value, 1].into(), Some(nulls));
        of(&[RecordBatch::try_from_iter_with_nullable([("v", Arc::new(array) as ArrayRef, true)]).unwrap()])
    };
    assert_eq!(hidden(1), hidden(99));
}

#[test]
fn type_that_cannot_be_declared_is_refused() {
    let schema = Schema::new(vec![Field::new("x", DataType::Float16, true)]);
    let error = ContentHasher::new(&schema).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the column `x` holds Float16, which no declared type can hold"
    );
}

#[test]
fn parts_count_by_name_and_order() {
    let one = Fingerprint::of(b"1");
    assert_ne!(combine([("train", one)]), combine([("test", one)]));
    assert_ne!(
        combine([("train", one), ("test", one)]),
        combine([("test", one), ("train", one)])
    );
}

/// The canonical form as it is written down, value by value.
fn naive(batch: &RecordBatch) -> Fingerprint {
    let mut whole = b"table 1\n".to_vec();
    whole.extend((batch.num_rows() as u64).to_le_bytes());
    whole.extend((batch.num_columns() as u32).to_le_bytes());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let mut values = Vec::new();
        for row in 0..array.len() {
            values.push(u8::from(array.is_valid(row)));
            if array.is_valid(row) {
                let any = array.as_any();
                if let Some(array) = any.downcast_ref::<Int64Array>() {
                    values.extend(array.value(row).to_le_bytes());
                } else if let Some(array) = any.downcast_ref::<Float64Array>() {
                    let value = if array.value(row).is_nan() {
                        f64::from_bits(FLOAT64_NAN)
                    } else {
                        array.value(row)
                    };
                    values.extend(value.to_le_bytes());
                } else if let Some(array) = any.downcast_ref::<StringArray>() {
                    values.extend((array.value(row).len() as u64).to_le_bytes());
                    values.extend(array.value(row).as_bytes());
                } else if let Some(array) = any.downcast_ref::<BooleanArray>() {
                    values.push(u8::from(array.value(row)));
                } else {
                    values.extend(
                        any.downcast_ref::<Date32Array>()
                            .expect("a date")
                            .value(row)
                            .to_le_bytes(),
                    );
                }
            }
        }
        let word = declared_type(field.data_type()).unwrap().word();
        for text in [field.name().as_str(), word] {
            whole.extend((text.len() as u32).to_le_bytes());
            whole.extend(text.as_bytes());
        }
        whole.extend(Sha256::digest(&values));
    }
    Fingerprint::of(&whole)
}

fn tables() -> impl Strategy<Value = RecordBatch> {
    let row = (
        proptest::option::of(any::<i64>()),
        proptest::option::of(any::<f64>()),
        proptest::option::of("[a-c]{0,3}"),
        proptest::option::of(any::<bool>()),
        proptest::option::of(any::<i32>()),
    );
    proptest::collection::vec(row, 0..40).prop_map(|rows| {
        let columns: [(&str, ArrayRef, bool); 5] = [
            (
                "v",
                Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
                true,
            ),
            (
                "x",
                Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>()),
                true,
            ),
            (
                "host",
                Arc::new(rows.iter().map(|row| row.2.clone()).collect::<StringArray>()),
                true,
            ),
            (
                "b",
                Arc::new(rows.iter().map(|row| row.3).collect::<BooleanArray>()),
                true,
            ),
            (
                "d",
                Arc::new(rows.iter().map(|row| row.4).collect::<Date32Array>()),
                true,
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    })
}

fn recoded(batch: &RecordBatch, text: &DataType) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
        let array = if array.data_type() == &DataType::Utf8 {
            cast(array, text).unwrap()
        } else {
            array.clone()
        };
        (field.name().clone(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fingerprint_agrees_with_the_naive_one(batch in tables()) {
        prop_assert_eq!(of(std::slice::from_ref(&batch)), naive(&batch));
    }

    #[test]
    fn batches_and_encodings_do_not_count(batch in tables(), rows in 1..10_usize) {
        let whole = of(std::slice::from_ref(&batch));
        let cuts: Vec<RecordBatch> =
            (0..batch.num_rows()).step_by(rows).map(|from| batch.slice(from, rows.min(batch.num_rows() - from))).collect();
        if !cuts.is_empty() {
            prop_assert_eq!(of(&cuts), whole);
        }
        let dictionary = DataType::Dictionary(Box::new(<Keys as ArrowPrimitiveType>::DATA_TYPE), Box::new(DataType::Utf8));
        for text in [DataType::LargeUtf8, DataType::Utf8View, dictionary] {
            prop_assert_eq!(of(&[recoded(&batch, &text)]), whole);
        }
    }
}
