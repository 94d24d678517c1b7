//! Typed columns of a Parquet file as the declared types, value by value and without loss. A value that would change is a fault.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int32Array, Int64Array, PrimitiveArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Date64Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::DataType;

use super::clock::{Clock, NoInstant, days, naive_from_micros, parse_date};
use super::column::CellFault;
use super::violation::Reason;
use crate::StoreError;
use crate::storage::arrow_type;

const DAY_MICROS: i64 = 86_400_000_000;

/// How a file's column becomes a declared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// Nothing but NULLs.
    Nulls,
    /// The same kind of value; Arrow casts it.
    Same,
    /// Integers of any width as integers.
    IntOfInt,
    /// Floats that are whole numbers.
    IntOfFloat,
    /// Floats, or integers that a float can hold.
    Float,
    /// Days.
    DateOfDate,
    /// Times at midnight.
    DateOfTime,
    /// Texts.
    DateOfText,
    /// Times of any unit.
    TimeOfTime,
    /// Days, as their midnight on the group's clocks.
    TimeOfDate,
    /// Texts.
    TimeOfText,
}

impl Becomes {
    /// How, or a hint why not.
    pub(super) fn of(found: &ArrowType, wanted: DataType) -> Result<Self, String> {
        if let ArrowType::Dictionary(_, values) = found {
            return Self::of(values, wanted);
        }
        let is_text = matches!(found, ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View);
        let is_float = found.is_floating();
        let is_date = matches!(found, ArrowType::Date32 | ArrowType::Date64);
        let is_time = matches!(found, ArrowType::Timestamp(..));
        match wanted {
            _ if *found == ArrowType::Null => Ok(Self::Nulls),
            DataType::Bool if *found == ArrowType::Boolean => Ok(Self::Same),
            DataType::Int32 | DataType::Int64 if found.is_integer() => Ok(Self::IntOfInt),
            DataType::Int32 | DataType::Int64 if is_float => Ok(Self::IntOfFloat),
            DataType::Float32 | DataType::Float64 if is_float || found.is_integer() => Ok(Self::Float),
            DataType::Utf8 if is_text => Ok(Self::Same),
            DataType::Date if is_date => Ok(Self::DateOfDate),
            DataType::Date if is_time => Ok(Self::DateOfTime),
            DataType::Date if is_text => Ok(Self::DateOfText),
            DataType::Timestamp if is_time => Ok(Self::TimeOfTime),
            DataType::Timestamp if is_date => Ok(Self::TimeOfDate),
            DataType::Timestamp if is_text => Ok(Self::TimeOfText),
            _ => Err(hint(found, wanted)),
        }
    }
}

fn hint(found: &ArrowType, wanted: DataType) -> String {
    let natural = match found {
        ArrowType::Boolean => Some(DataType::Bool),
        ArrowType::Int64 | ArrowType::UInt32 | ArrowType::UInt64 => Some(DataType::Int64),
        found if found.is_integer() => Some(DataType::Int32),
        ArrowType::Float64 => Some(DataType::Float64),
        found if found.is_floating() => Some(DataType::Float32),
        ArrowType::Date32 | ArrowType::Date64 => Some(DataType::Date),
        ArrowType::Timestamp(..) => Some(DataType::Timestamp),
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => Some(DataType::Utf8),
        _ => None,
    };
    if wanted == DataType::Timestamp && found.is_integer() {
        return "a number does not say its unit: write the column as a timestamp, such as with pandas.to_datetime(…, unit = \"s\", utc = True)"
            .to_owned();
    }
    match natural {
        Some(natural) => format!("type = \"{}\"", natural.word()),
        None => format!("write the column as {} first", wanted.word()),
    }
}

/// The values and what is at fault; the faults do not yet know their column.
pub(super) type Converted = (ArrayRef, Vec<CellFault>);

/// Converts a column.
///
/// # Errors
/// When Arrow cannot unpack it.
pub(super) fn convert(
    array: &ArrayRef,
    how: Becomes,
    wanted: DataType,
    clock: &Clock,
) -> Result<Converted, StoreError> {
    let plain = match array.data_type() {
        ArrowType::Dictionary(_, values) => cast(array, values)?,
        _ => array.clone(),
    };
    let target = arrow_type(wanted);
    let mut faults = Faults {
        source: plain.clone(),
        found: Vec::new(),
    };
    let converted: ArrayRef = match how {
        Becomes::Nulls => new_null_array(&target, plain.len()),
        Becomes::Same => cast(&plain, &target)?,
        Becomes::IntOfInt => {
            let converted = cast(&plain, &target)?;
            faults.new_nulls(
                &converted,
                Reason::DoesNotFit,
                &format!("too large for {}", wanted.word()),
            )?;
            converted
        }
        Becomes::IntOfFloat => cast(&ints_of_floats(&plain, wanted, &mut faults)?, &target)?,
        Becomes::Float => floats(&plain, wanted, &mut faults)?,
        Becomes::DateOfDate => dates_of_dates(&plain, &mut faults)?,
        Becomes::DateOfTime => dates_of_times(&plain, &mut faults)?,
        Becomes::DateOfText => {
            let text = cast(&plain, &ArrowType::Utf8)?;
            let parse = |text: &str| {
                parse_date(text.trim())
                    .ok_or_else(|| (Reason::WrongType, "not a date, such as `2026-01-31`".to_owned()))
            };
            Arc::new(faults.each::<Date32Type, _>(text.as_string::<i32>().iter(), parse)?)
        }
        Becomes::TimeOfTime => Arc::new(times_of_times(&plain, clock, &mut faults)?.with_timezone("UTC")),
        Becomes::TimeOfDate => {
            let dates = cast(&plain, &ArrowType::Date32)?;
            let midnight = |day: i32| {
                let local = naive_from_micros(i64::from(day) * DAY_MICROS).ok_or_else(out_of_range)?;
                clock.local(local).map_err(NoInstant::into_pair)
            };
            let times =
                faults.each::<TimestampMicrosecondType, _>(dates.as_primitive::<Date32Type>().iter(), midnight)?;
            Arc::new(times.with_timezone("UTC"))
        }
        Becomes::TimeOfText => {
            let text = cast(&plain, &ArrowType::Utf8)?;
            let parse = |text: &str| clock.parse(text.trim()).map_err(NoInstant::into_pair);
            let times = faults.each::<TimestampMicrosecondType, _>(text.as_string::<i32>().iter(), parse)?;
            Arc::new(times.with_timezone("UTC"))
        }
    };
    Ok((converted, faults.found))
}

fn out_of_range() -> (Reason, String) {
    (Reason::DoesNotFit, "a time out of range".to_owned())
}

impl NoInstant {
    fn into_pair(self) -> (Reason, String) {
        (self.reason, self.detail)
    }
}

/// What is at fault in a column.
struct Faults {
    source: ArrayRef,
    found: Vec<CellFault>,
}

impl Faults {
    fn add(&mut self, row: usize, reason: Reason, detail: String) -> Result<(), StoreError> {
        let format = FormatOptions::default();
        let value = ArrayFormatter::try_new(&self.source, &format)?.value(row).to_string();
        self.found.push(CellFault {
            row,
            column: None,
            value,
            reason,
            detail,
        });
        Ok(())
    }

    /// Every value that was lost in a cast.
    fn new_nulls(&mut self, converted: &ArrayRef, reason: Reason, detail: &str) -> Result<(), StoreError> {
        if converted.null_count() == self.source.null_count() {
            return Ok(());
        }
        for row in 0..converted.len() {
            if converted.is_null(row) && self.source.is_valid(row) {
                self.add(row, reason, detail.to_owned())?;
            }
        }
        Ok(())
    }

    /// Every value by itself.
    fn each<T: ArrowPrimitiveType, V>(
        &mut self,
        values: impl Iterator<Item = Option<V>>,
        convert: impl Fn(V) -> Result<T::Native, (Reason, String)>,
    ) -> Result<PrimitiveArray<T>, StoreError> {
        let mut converted = PrimitiveArray::<T>::builder(self.source.len());
        for (row, value) in values.enumerate() {
            match value.map(&convert).transpose() {
                Ok(value) => converted.append_option(value),
                Err((reason, detail)) => {
                    converted.append_null();
                    self.add(row, reason, detail)?;
                }
            }
        }
        Ok(converted.finish())
    }
}

/// Whole numbers; NaN is NULL, as everywhere.
fn ints_of_floats(plain: &ArrayRef, wanted: DataType, faults: &mut Faults) -> Result<Int64Array, StoreError> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    let limit = if wanted == DataType::Int32 {
        f64::from(i32::MAX)
    } else {
        LIMIT
    };
    let wide = cast(plain, &ArrowType::Float64)?;
    let whole = |value: f64| {
        if value.fract() == 0.0 && value.abs() <= limit {
            Ok(value as i64)
        } else if value.fract() == 0.0 {
            Err((Reason::DoesNotFit, format!("too large for {}", wanted.word())))
        } else {
            Err((
                Reason::WrongType,
                format!("not a whole number, wanted {}", wanted.word()),
            ))
        }
    };
    let values = wide
        .as_primitive::<Float64Type>()
        .iter()
        .map(|value| value.filter(|value| !value.is_nan()));
    faults.each::<Int64Type, _>(values, whole)
}

fn floats(plain: &ArrayRef, wanted: DataType, faults: &mut Faults) -> Result<ArrayRef, StoreError> {
    let is_integer = plain.data_type().is_integer();
    if !is_integer && (wanted == DataType::Float64 || *plain.data_type() == ArrowType::Float32) {
        return Ok(cast(plain, &arrow_type(wanted))?);
    }
    let converted = cast(plain, &arrow_type(wanted))?;
    let detail = format!("{} cannot hold it exactly", wanted.word());
    let differs: Vec<usize> = if is_integer {
        let back = cast(&converted, plain.data_type())?;
        let same = arrow::compute::kernels::cmp::not_distinct(plain, &back)?;
        (0..plain.len()).filter(|row| !same.value(*row)).collect()
    } else {
        let narrow = converted.as_primitive::<arrow::datatypes::Float32Type>();
        let wide = cast(plain, &ArrowType::Float64)?;
        let wide = wide.as_primitive::<Float64Type>();
        let is_lossy = |row: usize| {
            wide.is_valid(row) && !wide.value(row).is_nan() && f64::from(narrow.value(row)) != wide.value(row)
        };
        (0..plain.len()).filter(|row| is_lossy(*row)).collect()
    };
    if differs.is_empty() {
        return Ok(converted);
    }
    for row in &differs {
        faults.add(*row, Reason::DoesNotFit, detail.clone())?;
    }
    let keep = |row: usize| differs.binary_search(&row).is_err();
    Ok(match wanted {
        DataType::Float32 => {
            let values = converted.as_primitive::<arrow::datatypes::Float32Type>();
            Arc::new(
                values
                    .iter()
                    .enumerate()
                    .map(|(row, value)| value.filter(|_| keep(row)))
                    .collect::<Float32Array>(),
            )
        }
        _ => {
            let values = converted.as_primitive::<Float64Type>();
            Arc::new(
                values
                    .iter()
                    .enumerate()
                    .map(|(row, value)| value.filter(|_| keep(row)))
                    .collect::<Float64Array>(),
            )
        }
    })
}

fn dates_of_dates(plain: &ArrayRef, faults: &mut Faults) -> Result<ArrayRef, StoreError> {
    if *plain.data_type() == ArrowType::Date32 {
        return Ok(plain.clone());
    }
    let day = |millis: i64| {
        let days = i32::try_from(millis.div_euclid(86_400_000)).map_err(|_| out_of_range())?;
        if millis.rem_euclid(86_400_000) == 0 {
            Ok(days)
        } else {
            Err((Reason::DoesNotFit, "not at midnight".to_owned()))
        }
    };
    Ok(Arc::new(faults.each::<Date32Type, _>(
        plain.as_primitive::<Date64Type>().iter(),
        day,
    )?))
}

/// Local or UTC times that are midnights.
fn dates_of_times(plain: &ArrayRef, faults: &mut Faults) -> Result<ArrayRef, StoreError> {
    let micros = cast(plain, &ArrowType::Timestamp(TimeUnit::Microsecond, None))?;
    let day = |micros: i64| {
        let date = naive_from_micros(micros).ok_or_else(out_of_range)?.date();
        if micros.rem_euclid(DAY_MICROS) == 0 {
            Ok(days(date))
        } else {
            Err((Reason::DoesNotFit, "has a time of day, wanted a date".to_owned()))
        }
    };
    let dates: Int32Array =
        faults.each::<arrow::datatypes::Int32Type, _>(micros.as_primitive::<TimestampMicrosecondType>().iter(), day)?;
    Ok(cast(&dates, &ArrowType::Date32)?)
}

fn times_of_times(
    plain: &ArrayRef,
    clock: &Clock,
    faults: &mut Faults,
) -> Result<TimestampMicrosecondArray, StoreError> {
    let ArrowType::Timestamp(unit, zone) = plain.data_type() else {
        return Err(StoreError::UnsupportedType {
            column: String::new(),
            found: plain.data_type().to_string(),
        });
    };
    let is_instant = zone.is_some();
    let instant = |micros: Option<i64>, nanos_rest: i64| {
        let micros = micros.ok_or_else(out_of_range)?;
        let micros = clock.cut(micros, nanos_rest).map_err(NoInstant::into_pair)?;
        if is_instant {
            return Ok(micros);
        }
        let local = naive_from_micros(micros).ok_or_else(out_of_range)?;
        clock.local(local).map_err(NoInstant::into_pair)
    };
    match unit {
        TimeUnit::Second => {
            let values = plain.as_primitive::<TimestampSecondType>().iter();
            faults.each::<TimestampMicrosecondType, _>(values, |value| instant(value.checked_mul(1_000_000), 0))
        }
        TimeUnit::Millisecond => {
            let values = plain.as_primitive::<TimestampMillisecondType>().iter();
            faults.each::<TimestampMicrosecondType, _>(values, |value| instant(value.checked_mul(1000), 0))
        }
        TimeUnit::Microsecond => {
            let values = plain.as_primitive::<TimestampMicrosecondType>().iter();
            faults.each::<TimestampMicrosecondType, _>(values, |value| instant(Some(value), 0))
        }
        TimeUnit::Nanosecond => {
            let values = plain.as_primitive::<TimestampNanosecondType>().iter();
            faults.each::<TimestampMicrosecondType, _>(values, |value| {
                instant(Some(value.div_euclid(1000)), value.rem_euclid(1000))
            })
        }
    }
}
