//! Columns as the kernel reads them: numbers, integers in order, codes of equal values, and how many values came before.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int64Type, UInt64Type};

use super::rows::at;
use crate::StoreError;

/// A column, in the few types that are computed with.
#[derive(Debug, Clone)]
pub(super) enum Column {
    Float32(PrimitiveArray<Float32Type>),
    Float64(PrimitiveArray<Float64Type>),
    /// Integers, bools and times.
    Integer(PrimitiveArray<Int64Type>),
    /// Integers that do not all fit into an int64.
    Unsigned(PrimitiveArray<UInt64Type>),
    /// Anything else, as text.
    Text(arrow::array::StringArray),
}

impl Column {
    pub(super) fn new(array: &ArrayRef) -> Result<Self, StoreError> {
        let integer = |array: &ArrayRef| -> Result<Self, StoreError> {
            Ok(Self::Integer(cast(array, &DataType::Int64)?.as_primitive().clone()))
        };
        Ok(match array.data_type() {
            DataType::Float32 => Self::Float32(array.as_primitive().clone()),
            DataType::Float64 => Self::Float64(array.as_primitive().clone()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive().clone()),
            // By way of days: arrow casts no date of 32 bits to 64.
            DataType::Date32 => integer(&cast(array, &DataType::Int32)?)?,
            DataType::Boolean | DataType::Timestamp(..) => integer(array)?,
            kind if kind.is_integer() => integer(array)?,
            _ => Self::Text(cast(array, &DataType::Utf8)?.as_string().clone()),
        })
    }

    /// Whether float64 would merge different ones.
    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Unsigned(_))
    }

    /// The rows as float64; NaN where there is no value (text has none).
    pub(super) fn numbers(&self, rows: Range<usize>, numbers: &mut Vec<f64>) {
        match self {
            Self::Float32(array) => convert(array, rows, numbers, f64::NAN, f64::from),
            Self::Float64(array) => convert(array, rows, numbers, f64::NAN, |number| number),
            Self::Integer(array) => convert(array, rows, numbers, f64::NAN, |number| number as f64),
            Self::Unsigned(array) => convert(array, rows, numbers, f64::NAN, |number| number as f64),
            Self::Text(_) => {
                numbers.clear();
                numbers.resize(rows.len(), f64::NAN);
            }
        }
    }

    /// The rows as integers in the same order; 0 where there is no value, and in other columns.
    pub(super) fn integers(&self, rows: Range<usize>, integers: &mut Vec<i64>) {
        match self {
            Self::Integer(array) => convert(array, rows, integers, 0, |number| number),
            Self::Unsigned(array) => convert(array, rows, integers, 0, |number| (number ^ 1 << 63) as i64),
            Self::Float32(_) | Self::Float64(_) | Self::Text(_) => {
                integers.clear();
                integers.resize(rows.len(), 0);
            }
        }
    }

    /// How many values are before each of the rows, and at last before their end.
    pub(super) fn counts(&self, rows: Range<usize>, counts: &mut Vec<u32>) {
        match self {
            Self::Float32(array) => count(rows, counts, |row| array.is_valid(row) && !array.value(row).is_nan()),
            Self::Float64(array) => count(rows, counts, |row| array.is_valid(row) && !array.value(row).is_nan()),
            Self::Integer(array) => count(rows, counts, |row| array.is_valid(row)),
            Self::Unsigned(array) => count(rows, counts, |row| array.is_valid(row)),
            Self::Text(array) => count(rows, counts, |row| array.is_valid(row)),
        }
    }

    /// A number for each of the rows, the same for equal values (0.0 and -0.0 are), from 0 on in order of first appearance; [`NO_CODE`]
    /// where there is no value. And how many numbers that took.
    pub(super) fn codes(&self, rows: Range<usize>, codes: &mut Vec<u32>) -> usize {
        codes.clear();
        match self {
            Self::Text(array) => {
                let text = |row| array.is_valid(row).then(|| array.value(row));
                encode(rows.map(text), codes)
            }
            Self::Integer(_) | Self::Unsigned(_) => {
                let (mut integers, mut counts) = (Vec::new(), Vec::new());
                self.integers(rows.clone(), &mut integers);
                self.counts(rows, &mut counts);
                let integer = |(place, integer)| is_value(&counts, place).then_some(integer);
                encode(integers.into_iter().enumerate().map(integer), codes)
            }
            Self::Float32(_) | Self::Float64(_) => {
                let mut numbers = Vec::new();
                self.numbers(rows, &mut numbers);
                let bits = |number: f64| (!number.is_nan()).then(|| (number + 0.0).to_bits());
                encode(numbers.into_iter().map(bits), codes)
            }
        }
    }

    /// The bytes that stand for a row's value in hashes: UTF-8, eight bytes of an int64 or of a float64's bits (0.0 for -0.0), little-endian.
    pub(super) fn bytes<T>(&self, row: usize, hashed: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let float = |number: f64| (!number.is_nan()).then(|| (number + 0.0).to_bits().to_le_bytes());
        let bytes = match self {
            Self::Text(array) => return array.is_valid(row).then(|| hashed(array.value(row).as_bytes())),
            Self::Integer(array) => array.is_valid(row).then(|| array.value(row).to_le_bytes()),
            Self::Unsigned(array) => array.is_valid(row).then(|| array.value(row).to_le_bytes()),
            Self::Float32(array) => array.is_valid(row).then(|| float(array.value(row).into())).flatten(),
            Self::Float64(array) => array.is_valid(row).then(|| float(array.value(row))).flatten(),
        };
        bytes.map(|bytes| hashed(&bytes))
    }
}

/// There is no value.
pub(super) const NO_CODE: u32 = u32::MAX;

/// Whether there is a value at a place, by the counts before each.
#[inline]
pub(super) fn is_value(counts: &[u32], place: usize) -> bool {
    at(counts, place + 1) > at(counts, place)
}

fn convert<A: ArrowPrimitiveType, T: Copy>(
    array: &PrimitiveArray<A>,
    rows: Range<usize>,
    converted: &mut Vec<T>,
    null: T,
    convert: impl Fn(A::Native) -> T,
) {
    converted.clear();
    let values = array.values().get(rows.clone()).unwrap_or_default();
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => converted.extend(values.iter().map(|value| convert(*value))),
        Some(nulls) => converted.extend(rows.zip(values).map(|(row, value)| match nulls.is_valid(row) {
            true => convert(*value),
            false => null,
        })),
    }
}

fn count(rows: Range<usize>, counts: &mut Vec<u32>, is_value: impl Fn(usize) -> bool) {
    counts.clear();
    counts.push(0);
    let mut before = 0;
    counts.extend(rows.map(|row| {
        before += u32::from(is_value(row));
        before
    }));
}

fn encode<T: Hash + Eq>(values: impl Iterator<Item = Option<T>>, codes: &mut Vec<u32>) -> usize {
    let mut known: HashMap<T, u32> = HashMap::new();
    codes.extend(values.map(|value| match value {
        Some(value) => {
            let next = known.len() as u32;
            *known.entry(value).or_insert(next)
        }
        None => NO_CODE,
    }));
    known.len()
}
