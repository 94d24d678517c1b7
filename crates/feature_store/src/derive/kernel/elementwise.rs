//! Computations that read nothing but the row: arithmetic, buckets, hashes, constants for NULLs, parts of the time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, Scalar, StringArray};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_not_null};
use chrono::{DateTime, Datelike, Timelike, Utc};
use twox_hash::XxHash64;

use super::CalendarPart;
use super::column::Column;
use super::output::numbers_or_null;
use crate::StoreError;

/// Two columns of numbers, combined.
pub(super) fn arithmetic(
    left: &ArrayRef,
    right: &ArrayRef,
    combine: impl Fn(f64, f64) -> f64,
) -> Result<ArrayRef, StoreError> {
    let pairs = numbers(left)?.into_iter().zip(numbers(right)?);
    Ok(numbers_or_null(
        pairs.map(|(left, right)| combine(left, right)).collect(),
    ))
}

/// A quotient, NaN where it has no value.
pub(super) fn ratio(left: f64, right: f64) -> f64 {
    if right == 0.0 { f64::NAN } else { left / right }
}

/// How many of the ascending edges each number is not below.
pub(super) fn bucket(of: &ArrayRef, edges: &[f64]) -> Result<ArrayRef, StoreError> {
    let bucket = |number: f64| (!number.is_nan()).then(|| edges.partition_point(|edge| *edge <= number) as i64);
    let buckets: Int64Array = numbers(of)?.into_iter().map(bucket).collect();
    Ok(Arc::new(buckets))
}

/// The low bits of the hash of each row's values. One value is hashed as its bytes; of several, each is led by its length in eight bytes.
pub(super) fn hash(of: &[ArrayRef], bits: u8) -> Result<ArrayRef, StoreError> {
    let columns = of.iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let rows = of.first().map_or(0, |array| array.len());
    let low = |hash: u64| (hash & ((1 << bits) - 1)) as i64;
    let mut bytes = Vec::new();
    let mut hashed = |row: usize| match columns.as_slice() {
        [column] => column.bytes(row, |bytes| low(XxHash64::oneshot(0, bytes))),
        columns => {
            bytes.clear();
            for column in columns {
                column.bytes(row, |value| {
                    bytes.extend((value.len() as u64).to_le_bytes());
                    bytes.extend(value);
                })?;
            }
            Some(low(XxHash64::oneshot(0, &bytes)))
        }
    };
    let hashes: Int64Array = (0..rows).map(&mut hashed).collect();
    Ok(Arc::new(hashes))
}

/// The column, and a number or text of its type where it is NULL.
pub(super) fn fill(of: &ArrayRef, with: &ArrayRef) -> Result<ArrayRef, StoreError> {
    let with = cast(with, of.data_type())?;
    let has_value = match of.data_type().is_floating() {
        true => numbers(of)?.into_iter().map(|number| Some(!number.is_nan())).collect(),
        false => is_not_null(of)?,
    };
    Ok(zip(&has_value, of, &Scalar::new(with))?)
}

/// An array of one number.
pub(super) fn number(number: f64) -> ArrayRef {
    Arc::new(Float64Array::from(vec![number]))
}

/// An array of one text.
pub(super) fn text(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

/// A part of each time, in UTC; NULL where the calendar does not reach.
pub(in crate::derive) fn calendar(times: impl Iterator<Item = i64>, part: CalendarPart) -> ArrayRef {
    let times = times.map(DateTime::<Utc>::from_timestamp_micros);
    match part {
        CalendarPart::Hour => whole(times, |time| time.hour()),
        CalendarPart::Weekday => whole(times, weekday),
        CalendarPart::Month => whole(times, |time| time.month()),
        CalendarPart::IsWeekend => {
            let weekend = times.map(|time| time.map(|time| weekday(&time) > 4));
            Arc::new(weekend.collect::<BooleanArray>())
        }
        CalendarPart::HourSin => round(times, hours, 24.0, libm::sin),
        CalendarPart::HourCos => round(times, hours, 24.0, libm::cos),
        CalendarPart::WeekdaySin => round(times, |time| f64::from(weekday(time)), 7.0, libm::sin),
        CalendarPart::WeekdayCos => round(times, |time| f64::from(weekday(time)), 7.0, libm::cos),
        CalendarPart::MonthSin => round(times, |time| f64::from(time.month0()), 12.0, libm::sin),
        CalendarPart::MonthCos => round(times, |time| f64::from(time.month0()), 12.0, libm::cos),
    }
}

type Time = DateTime<Utc>;

/// A whole number of each time.
fn whole(times: impl Iterator<Item = Option<Time>>, part: impl Fn(&Time) -> u32) -> ArrayRef {
    let parts = times.map(|time| time.as_ref().map(&part).map(i64::from));
    Arc::new(parts.collect::<Int64Array>())
}

/// A coordinate of each time on a circle of so many units.
fn round(
    times: impl Iterator<Item = Option<Time>>,
    part: impl Fn(&Time) -> f64,
    units: f64,
    coordinate: fn(f64) -> f64,
) -> ArrayRef {
    let angle = |time: &Time| std::f64::consts::TAU * (part(time) / units);
    let parts = times.map(|time| time.as_ref().map(|time| coordinate(angle(time))));
    Arc::new(parts.collect::<Float64Array>())
}

fn weekday(time: &Time) -> u32 {
    time.weekday().num_days_from_monday()
}

/// Hours since midnight, with what is beyond the whole ones.
fn hours(time: &Time) -> f64 {
    let micros = f64::from(time.num_seconds_from_midnight()) * 1e6 + f64::from(time.nanosecond() / 1_000);
    micros / 3.6e9
}

fn numbers(array: &ArrayRef) -> Result<Vec<f64>, StoreError> {
    let mut numbers = Vec::new();
    Column::new(array)?.numbers(0..array.len(), &mut numbers);
    Ok(numbers)
}
